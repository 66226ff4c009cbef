"""Image inputs are shaped as each kind's own processor shapes them; what says where things are is equal to the last."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from planner.configuration import ReleasedModel
from planner.make.pixels import PIXEL_MAKERS
from planner.make.pixels.base import shrunk_sides
from planner.make.released import config_of
from planner.make.vision import random_numbers
from planner.parts.released import find_checkpoint, published_files

SIZES = ("300x200", "500x900")


@dataclass(frozen=True)
class Case:
    """A processor of transformers, and two settings of a knob."""

    hub_id: str
    where: str
    """Folder of its models, class."""
    settings: Callable[[Any], dict[str, Any]]
    """What the processor is called with for a rule."""
    knobs: tuple[dict[str, object], ...] = ({}, {"resize_longest_edge": 200})
    module: str = "image_processing_pil"
    """Files of "image_processing" alone need torchvision."""

    def processor(self) -> Any:
        folder, _, name = self.where.partition(":")
        if self.module == "image_processing":
            pytest.importorskip("torchvision")
        return getattr(import_module(f"transformers.models.{folder}.{self.module}_{folder}"), name)


def budget(rule: Any) -> dict[str, Any]:
    return {
        "size": {"shortest_edge": rule.min_pixels, "longest_edge": rule.max_pixels},
        "patch_size": rule.patch,
        "merge_size": rule.merge,
    }


def square(rule: Any) -> dict[str, Any]:
    return {"size": {"height": rule.side, "width": rule.side}}


def clip(rule: Any) -> dict[str, Any]:
    return {"size": {"shortest_edge": rule.side}, "crop_size": {"height": rule.side, "width": rule.side}}


def canvas(rule: Any) -> dict[str, Any]:
    tile = {"height": rule.tile, "width": rule.tile}
    return {"image_grid_pinpoints": json.loads(rule.image_grid_pinpoints), "size": tile, "crop_size": tile}


def native(rule: Any) -> dict[str, Any]:
    return {"size": {"longest_edge": rule.longest_edge}, "patch_size": {"height": rule.block, "width": rule.block}}


def split(rule: Any) -> dict[str, Any]:
    return {
        "size": {"longest_edge": rule.longest_edge},
        "max_image_size": {"longest_edge": rule.tile},
        "do_image_splitting": rule.do_image_splitting,
    }


FEW: tuple[dict[str, object], ...] = ({"max_pixels": 401_408}, {"max_pixels": 100_352})
CASES = (
    Case("Qwen/Qwen2-VL-2B-Instruct", "qwen2_vl:Qwen2VLImageProcessorPil", budget, FEW),
    Case("Qwen/Qwen2.5-VL-3B-Instruct", "qwen2_vl:Qwen2VLImageProcessorPil", budget, FEW),
    Case("Qwen/Qwen3-VL-2B-Instruct", "qwen2_vl:Qwen2VLImageProcessorPil", budget, FEW),
    Case("Qwen/Qwen3-VL-30B-A3B-Instruct", "qwen2_vl:Qwen2VLImageProcessorPil", budget, FEW),
    Case("Qwen/Qwen3.5-0.8B", "qwen2_vl:Qwen2VLImageProcessorPil", budget, FEW),
    Case("Qwen/Qwen3.5-35B-A3B", "qwen2_vl:Qwen2VLImageProcessorPil", budget, FEW),
    Case("zai-org/GLM-4.1V-9B-Thinking", "glm4v:Glm4vImageProcessorPil", budget, FEW),
    Case("zai-org/GLM-4.5V", "glm4v:Glm4vImageProcessorPil", budget, FEW),
    Case("llava-hf/llava-1.5-7b-hf", "clip:CLIPImageProcessorPil", clip),
    Case(
        "llava-hf/llava-v1.6-mistral-7b-hf",
        "llava_next:LlavaNextImageProcessorPil",
        canvas,
        ({}, {"image_grid_pinpoints": "[[336,336],[672,336]]"}),
    ),
    Case(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        "llava_onevision:LlavaOnevisionImageProcessorPil",
        canvas,
        ({}, {"image_grid_pinpoints": "[[384,384],[768,384]]"}),
    ),
    Case(
        "OpenGVLab/InternVL3-1B-hf",
        "got_ocr2:GotOcr2ImageProcessorPil",
        lambda rule: {
            "crop_to_patches": True,
            "max_patches": rule.max_patches,
            "size": {"height": rule.tile, "width": rule.tile},
        },
        ({"max_patches": 2}, {"max_patches": 6}),
    ),
    Case(
        "google/gemma-3-4b-it",
        "gemma3:Gemma3ImageProcessorPil",
        lambda rule: square(rule) | {key: value for key, value in vars(rule).items() if "pan_and_scan" in key},
        ({}, {"do_pan_and_scan": True, "pan_and_scan_max_num_crops": 2}),
    ),
    Case("google/paligemma-3b-pt-224", "siglip:SiglipImageProcessorPil", square),
    Case(
        "HuggingFaceTB/SmolVLM-256M-Instruct",
        "idefics3:Idefics3ImageProcessorPil",
        split,
        ({"longest_edge": 1024}, {"do_image_splitting": False}),
    ),
    Case(
        "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        "smolvlm:SmolVLMImageProcessorPil",
        split,
        ({"longest_edge": 1024}, {"do_image_splitting": False}),
    ),
    Case(
        "mistral-community/pixtral-12b",
        "pixtral:PixtralImageProcessorPil",
        native,
        ({}, {"longest_edge": 336}),
    ),
    Case(
        "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
        "pixtral:PixtralImageProcessorPil",
        native,
        ({}, {"longest_edge": 336}),
    ),
    Case(
        "google/gemma-4-26B-A4B-it",
        "gemma4:Gemma4ImageProcessorPil",
        lambda rule: {"max_soft_tokens": rule.max_soft_tokens},
        ({"max_soft_tokens": 70}, {"max_soft_tokens": 280}),
    ),
    Case("google/gemma-3n-E2B-it", "siglip:SiglipImageProcessorPil", square),
    Case(
        "KamilaMila/FastVLM-0.5B",
        "clip:CLIPImageProcessorPil",
        lambda rule: {"size": {"shortest_edge": rule.size}, "crop_size": {"height": rule.size, "width": rule.size}},
        ({}, {"size": 512}),
    ),
    Case(
        "meta-llama/Llama-3.2-11B-Vision-Instruct",
        "mllama:MllamaImageProcessorPil",
        lambda rule: {"size": {"height": rule.tile, "width": rule.tile}},
    ),
    Case(
        "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        "llama4:Llama4ImageProcessor",
        lambda rule: {"max_patches": rule.max_patches},
        ({"max_patches": 4}, {"max_patches": 16}),
        module="image_processing",
    ),
    Case(
        "LiquidAI/LFM2.5-VL-1.6B",
        "lfm2_vl:Lfm2VlImageProcessor",
        lambda rule: {"max_image_tokens": rule.max_image_tokens, "do_image_splitting": rule.do_image_splitting},
        ({}, {"max_image_tokens": 64}, {"do_image_splitting": False}),
        module="image_processing",
    ),
    Case(
        "allenai/Molmo2-8B",
        "molmo2:Molmo2ImageProcessor",
        lambda rule: {"max_crops": rule.max_crops},
        ({"max_crops": 8}, {"max_crops": 2}),
        module="image_processing",
    ),
    Case(
        "microsoft/Phi-4-multimodal-instruct",
        "phi4_multimodal:Phi4MultimodalImageProcessor",
        lambda rule: {"dynamic_hd": rule.dynamic_hd},
        ({}, {"dynamic_hd": 4}),
        module="image_processing",
    ),
    Case(
        "google/gemma-4-12B-it",
        "gemma4_unified:Gemma4UnifiedImageProcessor",
        lambda rule: {"max_soft_tokens": rule.max_soft_tokens},
        ({"max_soft_tokens": 70}, {"max_soft_tokens": 280}),
        module="image_processing",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.hub_id)
def test_inputs_are_those_of_the_processor(case: Case) -> None:
    made_by = case.processor()
    files = published_files(find_checkpoint(case.hub_id))
    for size in SIZES:
        for knobs in case.knobs:
            model = ReleasedModel.of_checkpoint(case.hub_id, size, knobs=knobs)
            config = config_of(model)
            maker = PIXEL_MAKERS.find(files["config.json"]["model_type"])
            ours = maker.pixels(model, config, 1, 1, random_numbers(torch.device("cpu"), torch.float32, 0))
            theirs = processed(made_by, case.settings(model.rule), model)
            assert set(ours) - set(theirs) <= {"batch_num_images"}
            for name in set(ours) & set(theirs):
                equal(name, ours[name], unpadded(name, theirs), (size, knobs))


def processed(kind: Any, settings: dict[str, Any], model: ReleasedModel) -> dict[str, torch.Tensor]:
    """What the processor makes of an image of that size."""
    width, height = shrunk_sides(model)
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return dict(kind(**settings)(image, return_tensors="pt"))


def unpadded(name: str, theirs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Without what Gemma 4's processor pads to the budget, marked by places of -1, and LFM2-VL's to a tile."""
    found = theirs[name]
    if "image_position_ids" in theirs:
        kept = (theirs["image_position_ids"][0] >= 0).all(-1)
        return found[:, kept]
    if "spatial_shapes" in theirs and name != "spatial_shapes":
        return found[:, : int(theirs["spatial_shapes"].prod(-1).max())]
    return found


def equal(name: str, ours: torch.Tensor, theirs: torch.Tensor, which: Any) -> None:
    assert ours.shape == theirs.shape, (name, which)
    if not name.endswith("pixel_values"):
        assert torch.equal(ours.long(), theirs.long()), (name, which)


def test_every_kind_has_its_processor() -> None:
    kinds = {published_files(find_checkpoint(case.hub_id))["config.json"]["model_type"] for case in CASES}
    assert kinds | {"aya_vision"} == set(PIXEL_MAKERS.names()), "Aya Vision's files are not shipped"
