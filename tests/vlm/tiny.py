"""Tiny models, a byte-level tokenizer and noise for images: everything made here, nothing loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import (
    AutoConfig,
    CLIPVisionConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)

from planner.vlm import PlannerVlmConfig, PlannerVlmForConditionalGeneration, PlannerVlmProcessor

VOCABULARY = 300
EOS, PAD, IMAGE = 256, 257, 258
SIDE = 24
"""Of an image, in pixels; patches of 4 make a grid of 6 x 6."""

_NEW = hasattr(PreTrainedModel, "activation_checkpointing_enable")
CHECKPOINTING = "activation_checkpointing" if _NEW else "gradient_checkpointing"
"""What transformers calls it: the second before 5.23."""

_LLM = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": VOCABULARY,
    "eos_token_id": EOS,
    "pad_token_id": PAD,
    "bos_token_id": None,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 16},
    "llama": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "phi": {"partial_rotary_factor": 0.5},
    "phi3": {"num_key_value_heads": 2},
    "mistral": {"num_key_value_heads": 2, "sliding_window": None},
    "gemma": {"num_key_value_heads": 1, "head_dim": 16},
    "gemma2": {"num_key_value_heads": 2, "head_dim": 16, "final_logit_softcapping": 3.0, "sliding_window": 8},
}
_TOWER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "image_size": SIDE,
    "patch_size": 4,
}


def llm_config(family: str = "qwen2", **options: Any) -> PreTrainedConfig:
    return AutoConfig.for_model(family, **_LLM | FAMILIES[family] | options)


def tower_config(kind: str = "clip", **options: Any) -> PreTrainedConfig:
    return (CLIPVisionConfig if kind == "clip" else SiglipVisionConfig)(**_TOWER | options)


def config(family: str = "qwen2", tower: str = "clip", **options: Any) -> PlannerVlmConfig:
    defaults = {
        "vision_config": tower_config(tower),
        "text_config": llm_config(family),
        "visual_tokens": 4,
        "compressor_heads": 4,
        "image_token_id": IMAGE,
    }
    return PlannerVlmConfig(**defaults | options)


def model(family: str = "qwen2", tower: str = "clip", **options: Any) -> PlannerVlmForConditionalGeneration:
    """Weights wide enough that a change of one input shows in every output."""
    torch.manual_seed(0)
    built = PlannerVlmForConditionalGeneration(config(family, tower, **options))
    with torch.no_grad():
        for name, weight in built.named_parameters():
            if weight.ndim > 1 and not name.startswith(("compressor", "projector")):
                weight.mul_(4)
    return built.eval()


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, an end, a pad and, once a processor has it, an image token: 259 of the 300 ids."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={byte: number for number, byte in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=backend)
    made.add_special_tokens({"eos_token": "</s>", "pad_token": "<pad>"})
    return made


def processor(of: PlannerVlmConfig) -> PlannerVlmProcessor:
    return PlannerVlmProcessor.from_config(of, tokenizer())


def picture(seed: int = 0, size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))


def pixels(images: int, seed: int = 0) -> Tensor:
    return torch.randn(images, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def text(*tokens: int) -> list[int]:
    return list(tokens)


def image(tokens: int = 4) -> list[int]:
    return [IMAGE] * tokens


def batch(rows: list[list[int]], padding: str = "left") -> dict[str, Tensor]:
    """Rows of ids, padded on one side."""
    longest = max(map(len, rows))

    def padded(row: list[int], fill: int) -> list[int]:
        pads = [fill] * (longest - len(row))
        return pads + row if padding == "left" else row + pads

    return {
        "input_ids": torch.tensor([padded(row, PAD) for row in rows]),
        "attention_mask": torch.tensor([padded([1] * len(row), 0) for row in rows]),
    }


def asked(rows: list[list[int]], padding: str = "left") -> dict[str, Tensor]:
    """Queries beside the prompt."""
    return {f"query_{name}": value for name, value in batch(rows, padding).items()}


def answers(built: PlannerVlmForConditionalGeneration, inputs: dict[str, Any], **options: Any) -> Tensor:
    """New tokens of a greedy generation."""
    defaults = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}
    given = inputs["input_ids"].shape[1]
    return built.generate(**inputs, **defaults | options)[:, given:]
