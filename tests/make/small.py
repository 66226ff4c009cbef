"""Released models with narrow layers: the shipped files, with all widths and counts of layers cut."""

from __future__ import annotations

import copy
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from transformers import CONFIG_MAPPING

from planner.parts.released import find_checkpoint, published_files

HUB_IDS = (
    "Qwen/Qwen2-VL-2B-Instruct",
    "Qwen/Qwen2.5-VL-3B-Instruct",
    "Qwen/Qwen3-VL-2B-Instruct",
    "llava-hf/llava-1.5-7b-hf",
    "llava-hf/llava-v1.6-mistral-7b-hf",
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
    "OpenGVLab/InternVL3-1B-hf",
    "HuggingFaceTB/SmolVLM-256M-Instruct",
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
    "google/gemma-3-4b-it",
    "google/paligemma-3b-pt-224",
    "google/paligemma2-3b-pt-224",
    "Qwen/Qwen3-VL-30B-A3B-Instruct",
    "zai-org/GLM-4.1V-9B-Thinking",
    "zai-org/GLM-4.5V",
    "mistral-community/pixtral-12b",
    "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
    "Qwen/Qwen3.5-0.8B",
    "Qwen/Qwen3.5-35B-A3B",
    "LiquidAI/LFM2.5-VL-1.6B",
    "google/gemma-4-E4B-it",
    "google/gemma-4-26B-A4B-it",
    "google/gemma-4-12B-it",
    "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct",
    "allenai/Molmo2-8B",
    "microsoft/Phi-4-multimodal-instruct",
    "KamilaMila/FastVLM-0.5B",
    "google/gemma-3n-E2B-it",
)
"""One for each kind of model that can be run here."""
SLOW = (
    "HuggingFaceTB/SmolVLM-256M-Instruct",
    "microsoft/Phi-4-multimodal-instruct",
    "KamilaMila/FastVLM-0.5B",
    "google/gemma-3n-E2B-it",
)
"""Many tiles; towers of fixed sizes."""
OF_TIMM = ("KamilaMila/FastVLM-0.5B", "google/gemma-3n-E2B-it")
_TIMM = pytest.mark.skipif(find_spec("timm") is None, reason="needs timm")
LATER = ("allenai/Molmo2-8B",)
_LATER = pytest.mark.skipif("molmo2" not in CONFIG_MAPPING, reason="needs transformers 5.23")
EACH = [
    pytest.param(
        hub_id,
        marks=[pytest.mark.slow] * (hub_id in SLOW) + [_TIMM] * (hub_id in OF_TIMM) + [_LATER] * (hub_id in LATER),
    )
    for hub_id in HUB_IDS
]

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 600,
    "moe_intermediate_size": 24,
    "num_experts": 4,
    "num_experts_per_tok": 2,
}
VISION = {
    "hidden_size": 32,
    "embed_dim": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "depth": 3,
    "num_attention_heads": 2,
    "num_heads": 2,
    "out_hidden_size": 64,
    "projection_dim": 64,
}
KNOBS: dict[str, dict[str, object]] = {
    "HuggingFaceTB/SmolVLM-256M-Instruct": {"longest_edge": 1024},
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": {"do_image_splitting": False},
    "OpenGVLab/InternVL3-1B-hf": {"max_patches": 2},
    "KamilaMila/FastVLM-0.5B": {"size": 256},
    "google/gemma-4-E4B-it": {"max_soft_tokens": 70},
    "google/gemma-4-26B-A4B-it": {"max_soft_tokens": 70},
    "google/gemma-4-12B-it": {"max_soft_tokens": 70},
}
"""Settings that keep images small."""
_WRITTEN = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
"""Widths that a config may leave to the defaults of its class."""
_MROPE = {"mrope_interleaved": True, "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.25, "rope_theta": 10000}
_LINEAR = {
    "linear_key_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
    "head_dim": 32,
    "rope_parameters": _MROPE | {"rope_type": "default"},
}
_WINDOWS = {"num_hidden_layers": 4, "layer_types": ["sliding_attention", "full_attention"] * 2, "sliding_window": 300}
_HALF = {"rope_theta": 10000.0, "rope_type": "default", "partial_rotary_factor": 0.5, "mrope_section": [1, 1, 2]}
OWN: dict[str, dict[str, dict[str, Any]]] = {
    "mistral3": {"vision_config": {"head_dim": 16}},
    "pixtral": {"vision_config": {"head_dim": 16}},
    "qwen3_5": {"text_config": _LINEAR},
    "qwen3_5_moe": {
        "text_config": _LINEAR | {"shared_expert_intermediate_size": 24, "intermediate_size": None},
    },
    "glm4v": {"text_config": {"rope_parameters": _HALF}},  # a default of its class would be too long
    "glm4v_moe": {"text_config": {"n_routed_experts": 4, "rope_parameters": _HALF}},
    "lfm2_vl": {"text_config": {"layer_types": ["conv", "full_attention"]}, "": {"projector_hidden_size": 40}},
    "gemma4": {
        "text_config": _WINDOWS
        | {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 600}
        | {"global_head_dim": 32, "num_global_key_value_heads": 1, "top_k_experts": 2},
        "vision_config": {"num_key_value_heads": 2, "head_dim": 16, "global_head_dim": 16},
        "": {"audio_config": None},  # its sizes are fixed
    },
    "gemma4_unified": {
        "text_config": _WINDOWS,
        "vision_config": {"mm_embed_dim": 48, "output_proj_dims": 48} | dict.fromkeys(_WRITTEN),  # it has no tower
        "audio_config": {"audio_embed_dim": 40},
    },
    "mllama": {
        "text_config": {"cross_attention_layers": [1]},
        "vision_config": {
            "attention_heads": 2,
            "num_global_layers": 2,
            "intermediate_layers_indices": [0, 2],
            "vision_output_dim": 96,
            "image_size": 112,
        },
        "preprocessor_config.json": {"size": {"height": 112, "width": 112}},
    },
    "llama4": {
        "": {"image_token_index": 590},
        "text_config": {"num_local_experts": 4, "intermediate_size_mlp": 48},
        "vision_config": {
            "intermediate_size": 128,
            "projector_input_dim": 56,
            "projector_output_dim": 56,
            "vision_output_dim": 56,
            "image_size": 112,
        },
        "preprocessor_config.json": {"size": {"height": 112, "width": 112}},
    },
    "molmo2": {
        "text_config": {"additional_vocab_size": 8},
        "vision_config": {"num_key_value_heads": 2, "head_dim": 16},
        "adapter_config": {
            "vision_feature_layer": [2, 1],
            "hidden_size": 32,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "intermediate_size": 88,
            "text_hidden_size": 64,
        },
        "": {"image_patch_id": 5},
    },
    "fast_vlm": {"": {"image_token_index": 590}, "vision_config": dict.fromkeys(_WRITTEN) | {"hidden_size": 3072}},
    "gemma3n": {
        "text_config": _WINDOWS
        | {"intermediate_size": [96] * 4, "activation_sparsity_pattern": [0.9, 0.9, 0.0, 0.0], "laurel_rank": 8}
        | {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 590, "num_kv_shared_layers": 2},
        "vision_config": dict.fromkeys(_WRITTEN) | {"hidden_size": 2048, "vocab_offset": 590, "vocab_size": 128},
    },
    "gemma3": {  # 16 x 16 patches
        "vision_config": {"image_size": 224},
        "": {"mm_tokens_per_image": 16},
        "preprocessor_config.json": {"size": {"height": 224, "width": 224}},
    },
    "qwen2_vl": {"vision_config": {"hidden_size": 64}},  # its connector ends in what it calls its hidden size
}
"""What one kind or one tower wants besides, by part of its config or by file; "": the config itself; None: no such."""
_LISTS = ("layer_types", "rope_scaling_layers")
_DROPPED = ("per_layer_config", "num_kv_shared_layers")


def small_folder(hub_id: str, folder: Path) -> Path:
    """A folder with the files of a model like the released one, but narrow."""
    files = copy.deepcopy(published_files(find_checkpoint(hub_id)))
    config = files["config.json"]
    text: dict[str, Any] = config.get("text_config") or config
    _cut(text, TEXT)
    vision = config["vision_config"]
    _cut(vision, VISION)
    own = OWN.get(config["model_type"], {}) | OWN.get(vision.get("model_type", ""), {})
    for name, values in own.items():
        part = {"text_config": text, "": config}.get(name) or files.get(name) or config.get(name) or {}
        part |= values
        for key in [key for key, value in values.items() if value is None]:
            del part[key]
    if vision.get("deepstack_visual_indexes"):
        vision["deepstack_visual_indexes"] = [0, 1]
    if "fullatt_block_indexes" in vision:
        vision["fullatt_block_indexes"] = [1]
    scaling = text.get("rope_scaling") or config.get("rope_scaling") or {}
    if "mrope_section" in scaling:
        scaling["mrope_section"] = [2, 3, 3]
    for key in ("hidden_size", "projection_dim"):
        if key in config:
            config[key] = 64
    for number, key in enumerate(sorted(key for key in config if key.endswith(("token_id", "token_index")))):
        config[key] = 590 + number if isinstance(config[key], int) else config[key]
    if "vocab_size" in config:
        config["vocab_size"] = 600
    for part in (text, vision):
        for key in [key for key in part if key.endswith("token_id")]:
            part[key] = 1
    for part in (config, text, vision, *(one for one in config.values() if isinstance(one, dict))):
        part.pop("dtype", None)
    config["torch_dtype"] = "float32"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _cut(part: dict[str, Any], widths: dict[str, int]) -> None:
    known = set(part) | ({*_WRITTEN} if part.get("model_type") not in (None, "qwen2_vl", "qwen3_vl") else set())
    part |= {key: value for key, value in widths.items() if key in known}
    for key in _LISTS:
        if isinstance(part.get(key), list):
            part[key] = part[key][: part["num_hidden_layers"]]
    for key in _DROPPED:
        part.pop(key, None)
