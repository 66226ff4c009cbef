"""Squares of one size: LLaVA, Gemma 3, PaliGemma, InternVL, Aya, Llama 4, Idefics 3; and for towers of timm."""

from __future__ import annotations

from typing import Any

from planner.base.dataclass import dataclass
from planner.configuration import ReleasedModel
from planner.make.pixels.base import PIXEL_MAKERS, PixelMaker, Pixels, Random, view_shape
from planner.parts.images.square import Convolved, Square


@dataclass(frozen=True, kw_only=True)
class Views(PixelMaker):
    """Squares of one size: (B I T, 3, s, s)."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        return {"pixel_values": random(prompts * images * model.seen.tiles, *view_shape(model, config))}


@dataclass(frozen=True, kw_only=True)
class ViewsOfPrompts(PixelMaker):
    """Squares of one size, gathered by prompt: (B, I T, 3, s, s)."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        return {"pixel_values": random(prompts, images * model.seen.tiles, *view_shape(model, config))}


@dataclass(frozen=True, kw_only=True)
class ProjectedViews(Views):
    """Squares whose features the model leads through its projector itself: Llama 4."""

    def decoder(self, model: Any) -> Any:
        return model.language_model.model

    def image_features(self, model: Any, pixels: Pixels) -> Any:
        features = model.get_image_features(**pixels).last_hidden_state
        return model.multi_modal_projector(features.reshape(-1, features.shape[-1]))


@dataclass(frozen=True, kw_only=True)
class ConvolvedSquares(PixelMaker):
    """One square of the side that the processor makes, for a tower of timm: (B I, 3, s, s)."""

    packages: tuple[str, ...] = ("timm",)

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        rule = model.rule
        assert isinstance(rule, Square | Convolved)
        side = rule.side if isinstance(rule, Square) else rule.size
        return {"pixel_values": random(prompts * images, 3, side, side)}


for name in ("internvl", "gemma3", "paligemma", "aya_vision"):
    PIXEL_MAKERS.register(Views(name=name))
for name in ("idefics3", "smolvlm"):
    PIXEL_MAKERS.register(ViewsOfPrompts(name=name, connectors=("connector",)))
PIXEL_MAKERS.register(
    ProjectedViews(name="llama4", connectors=("vision_model.vision_adapter", "multi_modal_projector"))
)
PIXEL_MAKERS.register(ConvolvedSquares(name="fast_vlm"))
PIXEL_MAKERS.register(
    ConvolvedSquares(name="gemma3n", connectors=("embed_vision",), audio=("audio_tower", "embed_audio"), by_ids=True)
)
