"""A whole view and crops of a larger one: Molmo 2, whose crops overlap, and Phi 4, whose last tiles are padded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from planner.base.dataclass import dataclass
from planner.configuration import ReleasedModel
from planner.make.pixels.base import PIXEL_MAKERS, PixelMaker, Pixels, Random, shrunk_sides, view_shape
from planner.parts.images.overlapping_crops import OverlappingCrops
from planner.parts.images.padded_tiles import PaddedTiles


@dataclass(frozen=True, kw_only=True)
class PooledCrops(PixelMaker):
    """Patches of all crops (B I T, P, values of a patch), those of each token (tokens, 4), by number and -1 for none,
    and (B I, 4): rows and columns of tokens of the whole view, and of the crops together."""

    typed: bool = True

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        rule, places, (view,) = model.rule, prompts * images, model.seen.views
        assert isinstance(rule, OverlappingCrops)
        whole = _pools(torch.arange(view.rows * view.columns).reshape(view.rows, view.columns), rule.pool)
        numbers = _without_margins(*rule.layout(*shrunk_sides(model)), view.rows, rule.margin)
        crops = _pools(view.rows * view.columns + numbers, rule.pool)
        pools = torch.cat([one.reshape(-1, rule.pool**2) for one in (whole, crops)])  # (tokens of an image, 4)
        every = [torch.where(pools >= 0, pools + place * view.patches, pools) for place in range(places)]
        return {
            "pixel_values": random(places * view.count, view.rows * view.columns, 3 * rule.patch**2),
            "image_token_pooling": torch.cat(every),
            "image_grids": torch.tensor([[*whole.shape[:2], *crops.shape[:2]]] * places),
        }


def _without_margins(rows: int, columns: int, side: int, margin: int) -> Tensor:
    """Numbers of the patches of rows x columns crops, less those that neighbours show too: half of a margin each."""
    half, other = margin // 2, margin - margin // 2
    numbers = torch.arange(rows * columns * side * side).reshape(rows, columns, side, side)
    kept = [
        [
            numbers[r, c][
                half * (r > 0) : side - other * (r < rows - 1), half * (c > 0) : side - other * (c < columns - 1)
            ]
            for c in range(columns)
        ]
        for r in range(rows)
    ]
    return torch.cat([torch.cat(row, dim=1) for row in kept])


def _pools(numbers: Tensor, pool: int) -> Tensor:
    """(rows, columns, pool^2) of (patch rows, patch columns), padded evenly with -1."""
    down, across = (-side % pool for side in numbers.shape)
    padded = pad(numbers, (across // 2, across - across // 2, down // 2, down - down // 2), value=-1)
    rows, columns = (side // pool for side in padded.shape)
    return padded.reshape(rows, pool, columns, pool).transpose(1, 2).reshape(rows, columns, pool * pool)


@dataclass(frozen=True, kw_only=True)
class MaskedTiles(PixelMaker):
    """The whole and tiles: (B I, T, 3, s, s), which of their patches are no padding: (B I, T, rows, columns), and
    (B I, 2): height and width of the tiles together."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        rule, places, (view,) = model.rule, prompts * images, model.seen.views
        assert isinstance(rule, PaddedTiles)
        (rows, columns), (high, wide) = rule.layout(*shrunk_sides(model))
        kept = torch.zeros(rows * view.rows, columns * view.columns)
        kept[:high, :wide] = 1
        tiles = kept.reshape(rows, view.rows, columns, view.columns).transpose(1, 2).flatten(0, 1)
        mask = torch.cat([torch.ones(1, view.rows, view.columns), tiles])
        return {
            "image_pixel_values": random(places, view.count, *view_shape(model, config)),
            "image_attention_mask": mask.repeat(places, 1, 1, 1),
            "image_sizes": torch.tensor([[rows * rule.tile, columns * rule.tile]] * places),
        }

    def tower(self, model: Any) -> Any:
        return model.base_model.embed_tokens_extend.image_embed.img_processor

    def image_token(self, config: Any) -> int:
        return int(config.vision_config.image_token_id)

    def image_features(self, model: Any, pixels: Pixels) -> Any:
        """It puts features where a prompt has tokens of images: here that is everywhere."""
        embed = model.base_model.embed_tokens_extend.image_embed
        width = model.config.hidden_size
        ids = torch.full((1, self._tokens(pixels)), self.image_token(model.config))
        like = pixels["image_pixel_values"]
        embeds = torch.zeros(*ids.shape, width, device=like.device, dtype=like.dtype)
        return embed(ids.to(like.device), embeds, **pixels)

    @staticmethod
    def _tokens(pixels: Pixels) -> int:
        """Of all images: the whole with a line break a row, a separator, and the blocks of the tiles that are kept."""
        mask, sizes = pixels["image_attention_mask"], pixels["image_sizes"]
        side, found = mask.shape[-1] // 2, 0
        tile = pixels["image_pixel_values"].shape[-1]
        for kept, (height, width) in zip(mask, sizes.tolist(), strict=True):
            rows, columns = height // tile, width // tile
            blocks = kept[1 : 1 + rows * columns, ::2, ::2].reshape(rows, columns, side, side)
            high, wide = int(blocks[:, 0, :, 0].sum()), int(blocks[0, :, 0].sum())
            found += side * (side + 1) + 1 + high * (wide + 1)
        return found


PIXEL_MAKERS.register(PooledCrops(name="molmo2"))
PIXEL_MAKERS.register(
    MaskedTiles(
        name="phi4_multimodal",
        connectors=(
            "embed_tokens_extend.image_embed.img_projection_up",
            "embed_tokens_extend.image_embed.img_projection_down",
        ),
        audio=("embed_tokens_extend.audio_embed",),
        apart=("embed_tokens_extend",),
        unused=("embed_tokens_extend.image_embed.img_processor.head",),
    )
)
