"""Small real models of every family of vision encoders, as transformers builds them, with images to run them on.

Each is a published config with smaller sizes. Images are no squares and several tiles where the family allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from parts.released import published

from planner.parts.images import Seen, View

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 300,
    "max_position_embeddings": 512,
    "bos_token_id": 0,
    "pad_token_id": 0,
}
OF_THE_LARGE_MODEL = (
    "layer_types",
    "num_kv_shared_layers",
    "per_layer_config",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
)
"""Values of a language model that do not fit a small one; the class fills them in."""
NOT_SHIPPED = {"CohereLabs/aya-vision-8b": {"model_type": "aya_vision", "text_config": {"model_type": "cohere2"}}}
VIT = {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 4}
GRIDS = ((4, 6), (10, 4))
"""Rows and columns of patches of two images."""


@dataclass(frozen=True)
class Case:
    """A published model made small, and images for it."""

    hub_id: str
    vision: Mapping[str, Any]
    seen: tuple[Seen, ...]
    """What the tower sees of each image."""
    inputs: Callable[[Any], dict[str, Any]]
    """From torch to the arguments of `run`."""
    outer: Mapping[str, Any] = field(default_factory=dict)
    text: Mapping[str, Any] = field(default_factory=dict)
    run: Callable[[Any, dict[str, Any]], Any] = lambda model, inputs: model.model.get_image_features(**inputs)
    unused: tuple[str, ...] = ()
    """Modules that the reference runs though nothing is done with what they give."""
    masking: int = 0
    """FLOPs with which the reference makes a mask."""

    def config(self) -> dict[str, Any]:
        """Values of the small model's config.json."""
        found = dict(published(self.hub_id, "config.json") or NOT_SHIPPED[self.hub_id])
        nested = isinstance(found.get("text_config"), dict)
        text = dict(found["text_config"]) if nested else dict(found)
        for key in OF_THE_LARGE_MODEL:
            text.pop(key, None)
        text.update(TEXT | dict(self.text))
        found = found | {"text_config": text} if nested else text
        found["vision_config"] = dict(found.get("vision_config") or {}) | dict(self.vision)
        found.update(self.outer)
        tokens = {key: 5 for key in found if key.endswith(("token_id", "token_index"))}
        return deepcopy(found | tokens)


def tiles(count: int, side: int) -> Callable[[Any], dict[str, Any]]:
    """Squares, one after the other."""
    return lambda torch: {"pixel_values": torch.randn(count, 3, side, side)}


def tiles_of_images(count: int, side: int, *sizes: tuple[int, int]) -> Callable[[Any], dict[str, Any]]:
    """Squares of each image, with the images' heights and widths."""
    return lambda torch: {
        "pixel_values": torch.randn(len(sizes), count, 3, side, side),
        "image_sizes": torch.tensor(sizes),
    }


def native(patch: int, grid: tuple[int, int]) -> Callable[[Any], dict[str, Any]]:
    """One image, as Pixtral's processor gives it; of several the reference computes the pairs that its mask drops."""
    rows, columns = (side * patch for side in grid)
    return lambda torch: {
        "pixel_values": torch.randn(1, 3, rows, columns),
        "image_sizes": torch.tensor([(rows, columns)]),
    }


def patches(values: int, *grids: tuple[int, int]) -> Callable[[Any], dict[str, Any]]:
    """Patches of all images as one list, as Qwen's processor gives them."""
    return lambda torch: {
        "pixel_values": torch.randn(sum(rows * columns for rows, columns in grids), values),
        "image_grid_thw": torch.tensor([(1, rows, columns) for rows, columns in grids]),
    }


def shapes(values: int, *grids: tuple[int, int]) -> Callable[[Any], dict[str, Any]]:
    """Patches of each image, as LFM2's processor gives them; the images have as many."""
    (count,) = {rows * columns for rows, columns in grids}
    return lambda torch: {
        "pixel_values": torch.randn(len(grids), count, values),
        "spatial_shapes": torch.tensor(grids),
        "pixel_attention_mask": torch.ones(len(grids), count, dtype=torch.long),
    }


def positioned(values: int, merge: int, *grids: tuple[int, int]) -> Callable[[Any], dict[str, Any]]:
    """Patches of each image with their places, as Gemma 4's processor gives them; the images have as many."""

    def made(torch: Any) -> dict[str, Any]:
        places = [[(x, y) for y in range(rows // merge) for x in range(columns // merge)] for rows, columns in grids]
        return {
            "pixel_values": torch.rand(len(grids), len(places[0]), values),
            "image_position_ids": torch.tensor(places),
        }

    return made


def cross_tiles(torch: Any) -> dict[str, Any]:
    """Llama 3.2: two tiles of the four that an image is padded to."""
    return {
        "pixel_values": torch.randn(1, 1, 4, 3, 56, 56),
        "aspect_ratio_ids": torch.tensor([[2]]),
        "aspect_ratio_mask": torch.tensor([[[1, 1, 0, 0]]]),
    }


def run_mllama(model: Any, inputs: dict[str, Any]) -> Any:
    return model.model.multi_modal_projector(model.model.vision_model(**inputs).last_hidden_state)


def run_llama4(model: Any, inputs: dict[str, Any]) -> Any:
    features = model.get_image_features(**inputs).last_hidden_state
    return model.multi_modal_projector(features.view(-1, features.size(-1)))


def pooled_crops(torch: Any) -> dict[str, Any]:
    """Molmo 2: three crops of 4 x 4 patches, of which one is the whole and two stand side by side; nothing overlaps."""
    index = torch.arange(48).reshape(3, 2, 2, 2, 2).permute(0, 1, 3, 2, 4).reshape(12, 4)
    return {
        "pixel_values": torch.randn(3, 16, 3 * 14**2),
        "image_token_pooling": index,
        "image_grids": torch.tensor([[2, 2, 2, 4]]),
    }


def padded_tiles(torch: Any) -> dict[str, Any]:
    """Phi 4: two tiles of which the second is padding to the right of its half, and the whole."""
    mask = torch.ones(1, 3, 4, 4)
    mask[0, 2, :, 2:] = 0
    return {
        "image_pixel_values": torch.randn(1, 3, 3, 56, 56),
        "image_sizes": torch.tensor([[56, 112]]),
        "image_attention_mask": mask,
        "input_ids": torch.full((1, 4 + 2 + 1 + 6 + 2), 5),
        "inputs_embeds": torch.zeros(1, 4 + 2 + 1 + 6 + 2, 32),
    }


def run_phi4(model: Any, inputs: dict[str, Any]) -> Any:
    return model.model.embed_tokens_extend.image_embed(**inputs)


def grid(*views: View, tokens: int = 0, class_tokens: int = 0) -> Seen:
    return Seen(tokens, views, class_tokens=class_tokens)


TWO = tuple(grid(View(*one)) for one in GRIDS)
QWEN = {"depth": 3, "num_heads": 4}
CASES: Mapping[str, Case] = {
    "llava": Case(
        "llava-hf/llava-1.5-7b-hf",
        VIT | {"image_size": 56},
        (grid(View(4, 4), class_tokens=1),),
        tiles(1, 56),
        unused=("encoder.layers.2",),
    ),
    "llava_next": Case(
        "llava-hf/llava-v1.6-mistral-7b-hf",
        VIT | {"image_size": 56},
        (grid(View(4, 4, 3), class_tokens=1),) * 2,
        tiles_of_images(3, 56, (56, 112), (100, 40)),
        outer={"image_grid_pinpoints": [[56, 112], [112, 56]]},
        unused=("encoder.layers.2",),
    ),
    "llava_onevision": Case(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        VIT | {"image_size": 56},
        (grid(View(4, 4, 3)),) * 2,
        tiles_of_images(3, 56, (56, 112), (100, 40)),
        outer={"image_grid_pinpoints": [[56, 112], [112, 56]]},
    ),
    "pixtral": Case(
        "mistral-community/pixtral-12b", VIT | {"head_dim": 12, "image_size": 160}, TWO[:1], native(16, GRIDS[0])
    ),
    "mistral3": Case(
        "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
        VIT | {"head_dim": 12, "image_size": 140},
        TWO[1:],
        native(14, GRIDS[1]),
    ),
    "paligemma": Case(
        "google/paligemma2-3b-pt-224",
        VIT | {"image_size": 56, "projection_dim": 32},
        (grid(View(4, 4)),) * 2,
        tiles(2, 56),
        outer={"projection_dim": 32, "hidden_size": 32},
    ),
    "gemma3": Case(
        "google/gemma-3-4b-it",
        VIT | {"image_size": 112},
        (grid(View(8, 8)),) * 2,
        tiles(2, 112),
        outer={"mm_tokens_per_image": 4},
    ),
    "idefics3": Case(
        "HuggingFaceM4/Idefics3-8B-Llama3",
        VIT | {"image_size": 56},
        (grid(View(4, 4, 3)),),
        lambda torch: {"pixel_values": torch.randn(1, 3, 3, 56, 56)},
    ),
    "smolvlm": Case(
        "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        VIT | {"image_size": 128},
        (grid(View(8, 8, 3)),),
        lambda torch: {"pixel_values": torch.randn(1, 3, 3, 128, 128)},
    ),
    "lfm2_vl": Case(
        "LiquidAI/LFM2.5-VL-1.6B",
        VIT | {"num_patches": 16},
        (grid(View(4, 6)), grid(View(2, 12))),
        shapes(3 * 16**2, (4, 6), (2, 12)),
        outer={"projector_hidden_size": 40},
        text={"layer_types": ["conv", "full_attention"]},
    ),
    "internvl": Case(
        "OpenGVLab/InternVL3-1B-hf",
        VIT | {"image_size": [56, 56]},
        (grid(View(4, 4, 3), class_tokens=1),),
        tiles(3, 56),
    ),
    "internvl 6B": Case(
        "OpenGVLab/InternVL3-38B-hf",
        VIT | {"image_size": [56, 56]},
        (grid(View(4, 4, 3), class_tokens=1),),
        tiles(3, 56),
    ),
    "aya_vision": Case(
        "CohereLabs/aya-vision-8b",
        VIT | {"model_type": "siglip_vision_model", "patch_size": 14, "image_size": 56, "vision_use_head": False},
        (grid(View(4, 4, 3)),),
        tiles(3, 56),
    ),
    "qwen2_vl": Case(
        "Qwen/Qwen2-VL-7B-Instruct",
        QWEN | {"embed_dim": 48, "mlp_ratio": 2, "hidden_size": 32},
        TWO,
        patches(3 * 2 * 14**2, *GRIDS),
    ),
    "qwen2_5_vl": Case(
        "Qwen/Qwen2.5-VL-3B-Instruct",
        QWEN | {"hidden_size": 48, "intermediate_size": 80, "out_hidden_size": 32, "fullatt_block_indexes": [1]},
        (grid(View(10, 14)), grid(View(4, 22))),
        patches(3 * 2 * 14**2, (10, 14), (4, 22)),
    ),
    "qwen3_vl": Case(
        "Qwen/Qwen3-VL-2B-Instruct",
        QWEN
        | {
            "hidden_size": 48,
            "intermediate_size": 80,
            "out_hidden_size": 32,
            "num_position_embeddings": 36,
            "deepstack_visual_indexes": [0, 1],
        },
        TWO,
        patches(3 * 2 * 16**2, *GRIDS),
    ),
    "qwen3_5": Case(
        "Qwen/Qwen3.5-0.8B",
        QWEN | {"hidden_size": 48, "intermediate_size": 80, "out_hidden_size": 32, "num_position_embeddings": 36},
        TWO,
        patches(3 * 2 * 16**2, *GRIDS),
    ),
    "qwen3_vl_moe": Case(
        "Qwen/Qwen3-VL-30B-A3B-Instruct",
        QWEN
        | {
            "hidden_size": 48,
            "intermediate_size": 80,
            "out_hidden_size": 32,
            "num_position_embeddings": 36,
            "deepstack_visual_indexes": [2],
        },
        TWO,
        patches(3 * 2 * 16**2, *GRIDS),
        text={"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    ),
    "qwen3_5_moe": Case(
        "Qwen/Qwen3.5-35B-A3B",
        QWEN | {"hidden_size": 48, "intermediate_size": 80, "out_hidden_size": 32, "num_position_embeddings": 36},
        TWO,
        patches(3 * 2 * 16**2, *GRIDS),
        text={"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    ),
    "glm4v_moe": Case(
        "zai-org/GLM-4.5V",
        QWEN | {"hidden_size": 48, "intermediate_size": 80, "out_hidden_size": 32, "image_size": 56},
        TWO,
        patches(3 * 2 * 14**2, *GRIDS),
        text={"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    ),
    "glm4v": Case(
        "zai-org/GLM-4.1V-9B-Thinking",
        QWEN | {"hidden_size": 48, "intermediate_size": 80, "out_hidden_size": 32, "image_size": 56},
        TWO,
        patches(3 * 2 * 14**2, *GRIDS),
    ),
    "gemma4": Case(
        "google/gemma-4-E4B-it",
        VIT | {"num_key_value_heads": 4, "head_dim": 12, "position_embedding_size": 40, "global_head_dim": 12},
        (grid(View(6, 9)), grid(View(3, 18))),
        positioned(3 * 16**2, 1, (6, 9), (3, 18)),
    ),
    "gemma4_unified": Case(
        "google/gemma-4-12B-it",
        {"mm_embed_dim": 48, "output_proj_dims": 48, "mm_posemb_size": 40},
        (grid(View(6, 9), tokens=6), grid(View(3, 18), tokens=6)),
        positioned(3 * 48**2, 3, (6, 9), (3, 18)),
    ),
    "mllama": Case(
        "meta-llama/Llama-3.2-11B-Vision-Instruct",
        {
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 3,
            "num_global_layers": 2,
            "attention_heads": 4,
            "image_size": 56,
            "intermediate_layers_indices": [0, 2],
            "vision_output_dim": 144,
        },
        (grid(View(4, 4, 2), class_tokens=1),),
        cross_tiles,
        masking=2 * 96 * 96,  # the outer product of what is padding and what is not
        text={"cross_attention_layers": [1]},
        run=run_mllama,
    ),
    "llama4": Case(
        "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        VIT
        | {
            "image_size": 56,
            "intermediate_size": 192,
            "projector_input_dim": 56,
            "projector_output_dim": 56,
            "vision_output_dim": 56,
        },
        (grid(View(4, 4, 3), class_tokens=1),),
        tiles(3, 56),
        text={"num_local_experts": 2, "intermediate_size_mlp": 48, "no_rope_layers": [1, 0], "moe_layers": [0, 1]},
        run=run_llama4,
    ),
    "molmo2": Case(
        "allenai/Molmo2-8B",
        VIT | {"head_dim": 12, "num_key_value_heads": 4, "image_size": [56, 56], "num_position_embeddings": 16},
        (grid(View(4, 4, 3), tokens=12),),
        pooled_crops,
        outer={
            "adapter_config": {
                "vision_feature_layer": [2, 1],
                "hidden_size": 48,
                "num_attention_heads": 4,
                "num_key_value_heads": 4,
                "head_dim": 12,
                "intermediate_size": 88,
                "text_hidden_size": 32,
            }
        },
    ),
    "phi4_multimodal": Case(
        "microsoft/Phi-4-multimodal-instruct",
        VIT | {"image_size": 56, "crop_size": 56, "image_token_id": 5},
        (grid(View(4, 4, 3), tokens=4 + 2 + 1 + 6 + 2),),
        padded_tiles,
        run=run_phi4,
        unused=("encoder.layers.2", "img_processor.head"),
    ),
}


TRUE_WIDTH: Mapping[str, Case] = {
    "quick GELU": Case(
        "llava-hf/llava-1.5-7b-hf", {"num_hidden_layers": 2}, (grid(View(24, 24), class_tokens=1),), tiles(1, 336)
    ),
    "GELU": Case(
        "google/gemma-3-4b-it",
        {"num_hidden_layers": 2, "image_size": 448},
        (grid(View(32, 32)),),
        tiles(1, 448),
    ),
    "gated, windows": Case(
        "Qwen/Qwen2.5-VL-3B-Instruct",
        {"depth": 2, "out_hidden_size": 32, "fullatt_block_indexes": [1]},
        (grid(View(24, 32)),),
        patches(3 * 2 * 14**2, (24, 32)),
    ),
    "features of another layer": Case(
        "Qwen/Qwen3-VL-8B-Instruct",
        {"depth": 2, "out_hidden_size": 1152, "deepstack_visual_indexes": [0]},
        (grid(View(24, 32)),),
        patches(3 * 2 * 16**2, (24, 32)),
    ),
    "tiles": Case(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        {"num_hidden_layers": 2},
        (grid(View(27, 27, 3)),),
        tiles_of_images(3, 384, (384, 768)),
        outer={"image_grid_pinpoints": [[384, 768], [768, 384]]},
    ),
}
"""Towers of two layers as wide as they were released: beside them, what an image itself takes is small."""
