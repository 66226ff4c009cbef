"""Parameter counts against sums over every tensor, written out here by architecture; admissible visual tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from math import prod
from typing import Any

import pytest

from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog

CATALOG: dict[str, Any] = json.loads(resources.files("planner.parts").joinpath("catalog.json").read_text("utf-8"))

PUBLISHED_PARAMS = {
    "Qwen1.5-1.8B": 1_836_828_672,
    "Qwen2.5-7B": 7_615_616_512,
    "Qwen3-8B": 8_190_735_360,
    "Llama-3.2-1B": 1_235_814_400,
    "Llama-3.1-8B": 8_030_261_248,
    "SmolLM2-135M": 134_515_008,
    "Vicuna-7B-v1.5": 6_738_415_616,
    "Phi-2": 2_779_683_840,
    "Phi-4": 14_659_507_200,
}
"""Counts on the public model cards."""


@dataclass(frozen=True)
class Tensors:
    """Shapes of all tensors of a language model."""

    layer_matrices: list[tuple[int, int]]
    """Of one layer, (out, in)."""
    layer_vectors: list[int]
    """Of one layer: norms and biases."""
    embedding: tuple[int, int]
    head: tuple[int, int]
    stored_head: bool
    """Whether the head is a tensor of its own."""
    top_vectors: list[int]
    """Final norm, bias of the head."""
    layers: int

    @property
    def linear(self) -> int:
        return sum(prod(shape) for _ in range(self.layers) for shape in self.layer_matrices)

    @property
    def total(self) -> int:
        vectors = sum(length for _ in range(self.layers) for length in self.layer_vectors) + sum(self.top_vectors)
        return self.linear + vectors + prod(self.embedding) + (prod(self.head) if self.stored_head else 0)


def tensors(model_type: str, config: dict[str, Any]) -> Tensors:
    """The state dict of the transformers class of `model_type`, as shapes."""
    h, m, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or h // heads
    q, kv = heads * head_dim, (config.get("num_key_value_heads") or heads) * head_dim
    llama_like = [(q, h), (kv, h), (kv, h), (h, q), (m, h), (m, h), (h, m)]  # q k v o gate up down
    shapes: dict[str, tuple[list[tuple[int, int]], list[int], list[int]]] = {
        "llama": (llama_like, [h, h], [h]),
        "qwen2": (llama_like, [h, h, q, kv, kv], [h]),
        "qwen3": (llama_like, [h, h, head_dim, head_dim], [h]),
        "phi": ([(q, h), (kv, h), (kv, h), (h, q), (m, h), (h, m)], [h, h, q, kv, kv, h, m, h], [h, h, vocab]),
        "phi3": ([(q + 2 * kv, h), (h, q), (2 * m, h), (h, m)], [h, h], [h]),
    }
    layer_matrices, layer_vectors, top_vectors = shapes[model_type]
    return Tensors(
        layer_matrices,
        layer_vectors,
        embedding=(vocab, h),
        head=(vocab, h),
        stored_head=not config.get("tie_word_embeddings", False),
        top_vectors=top_vectors,
        layers=config["num_hidden_layers"],
    )


def test_llm_params_equal_stored_count_and_sum_over_tensors() -> None:
    counted, expected = {}, {}
    for name, entry in CATALOG["llm"].items():
        spec, written_out = llm_catalog()[name], tensors(entry["model_type"], entry["config"])
        counted[name] = (spec.params, spec.params, spec.linear_params, spec.lm_head_params, spec.embedding_params)
        head, embedding = prod(written_out.head), prod(written_out.embedding)
        expected[name] = (entry["params"], written_out.total, written_out.linear, head, embedding)
    assert counted == expected


def test_llm_params_equal_published_counts() -> None:
    assert {name: llm_catalog()[name].params for name in PUBLISHED_PARAMS} == PUBLISHED_PARAMS


def test_nominal_params_are_near_the_exact_count() -> None:
    nominal = {name: entry["nominal_params"] for name, entry in CATALOG["llm"].items()}
    assert {name: llm_catalog()[name].nominal_params for name in nominal} == nominal
    ratios = {name: nominal[name] / llm_catalog()[name].params for name in nominal}
    assert {name: r for name, r in ratios.items() if not 0.75 < r < 1.25} == {}  # Llama-3.2-1B is 24 % above its name


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Qwen2.5-7B", 2 * 28 * 4 * 128),  # grouped-query attention: 4 of 28 heads
        ("Llama-3.1-8B", 2 * 32 * 8 * 128),
        ("Vicuna-7B-v1.5", 2 * 32 * 4096),  # full multi-head attention
    ],
)
def test_kv_cache_of_a_token(name: str, values: int) -> None:
    assert llm_catalog()[name].kv_values_per_token == values


def test_attention_may_be_wider_than_the_model() -> None:
    spec = llm_catalog()["Qwen3-0.6B"]
    assert (spec.hidden_size, spec.attention_width, spec.kv_width) == (1024, 2048, 1024)


@pytest.mark.parametrize("name", CATALOG["vision"])
def test_tower_params_equal_sum_over_tensors(name: str) -> None:
    spec = vision_catalog()[name]
    d, m, patches = spec.hidden_size, spec.intermediate_size, spec.grid_side * spec.grid_side
    norm, mlp = 2 * d, d * m + m + m * d + d
    total = sum(4 * (d * d + d) + mlp + 2 * norm for _ in range(spec.num_layers))
    total += d * 3 * spec.patch_size * spec.patch_size
    if spec.model_type == "clip_vision_model":
        total += d + (patches + 1) * d + 2 * norm  # class token, positions, norms before and after
    else:
        total += d + patches * d + norm  # bias of the patch embedding, positions, norm after
        total += d + (3 * d * d + 3 * d) + (d * d + d) + norm + mlp  # attention pooling: probe, in, out, norm, MLP
    assert spec.params == total


@pytest.mark.parametrize(
    ("tower", "tokens"),
    [
        ("CLIP-ViT-L/14-336", (1, 4, 9, 16, 36, 64, 144, 576)),
        ("CLIP-ViT-L/14-224", (1, 4, 16, 64, 256)),
        ("CLIP-ViT-B/16-224", (1, 4, 49, 196)),
        ("CLIP-ViT-B/32-224", (1, 49)),
        ("SigLIP-so400m/14-384", (1, 9, 81, 729)),
        ("SigLIP-B/16-224", (1, 4, 49, 196)),
    ],
)
def test_admissible_visual_tokens(tower: str, tokens: tuple[int, ...]) -> None:
    spec = vision_catalog()[tower]
    for name in ("quecc", "tokenpacker", "average-pool"):
        assert compressor_catalog()[name].visual_tokens(spec) == tokens
    assert compressor_catalog()["none"].visual_tokens(spec) == (spec.patches,) == tokens[-1:]


def test_image_that_is_no_multiple_of_the_patch_loses_its_rim() -> None:
    spec = vision_catalog()["SigLIP-so400m/14-384"]
    assert 27 * 14 < spec.image_size < 28 * 14
    assert (spec.grid_side, spec.patches) == (27, 729)


def test_last_layer_of_the_tower_is_not_run() -> None:
    spec = vision_catalog()["CLIP-ViT-L/14-336"]
    assert (spec.num_layers, spec.layers_run, spec.class_token) == (24, 23, True)
    assert not vision_catalog()["SigLIP-so400m/14-384"].class_token


def test_only_quecc_looks_at_the_query() -> None:
    assert [name for name, spec in compressor_catalog().items() if spec.query_aware] == ["quecc"]
