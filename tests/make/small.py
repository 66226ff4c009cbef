"""Released models with narrow layers: the shipped files, with all widths and counts of layers cut."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

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
)
"""One for each kind of model that can be run here."""

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
}
"""Settings that keep images small."""
_WRITTEN = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
"""Widths that a config may leave to the defaults of its class."""


def small_folder(hub_id: str, folder: Path) -> Path:
    """A folder with the files of a model like the released one, but narrow."""
    files = copy.deepcopy(published_files(find_checkpoint(hub_id)))
    config = files["config.json"]
    text: dict[str, Any] = config.get("text_config") or config
    _cut(text, TEXT)
    vision = config["vision_config"]
    widths = dict(VISION)
    if config["model_type"] == "qwen2_vl":  # its connector ends in what it calls its hidden size
        widths["hidden_size"] = 64
    _cut(vision, widths)
    if "deepstack_visual_indexes" in vision:
        vision["deepstack_visual_indexes"] = [0, 1]
    if "fullatt_block_indexes" in vision:
        vision["fullatt_block_indexes"] = [1]
    scaling = text.get("rope_scaling") or config.get("rope_scaling") or {}
    if config["model_type"] == "glm4v":  # a default of its class
        text["rope_parameters"]["mrope_section"] = [2, 3, 3]
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
    config["torch_dtype"] = "float32"
    if config["model_type"] == "gemma3":  # 16 x 16 patches
        vision["image_size"], config["mm_tokens_per_image"] = 224, 16
        files["preprocessor_config.json"]["size"] = {"height": 224, "width": 224}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _cut(part: dict[str, Any], widths: dict[str, int]) -> None:
    known = set(part) | ({*_WRITTEN} if part.get("model_type") not in (None, "qwen2_vl", "qwen3_vl") else set())
    part |= {key: value for key, value in widths.items() if key in known}
    if isinstance(part.get("layer_types"), list):
        part["layer_types"] = part["layer_types"][: part["num_hidden_layers"]]
