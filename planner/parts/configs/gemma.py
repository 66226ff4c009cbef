"""Gemma 3n and 4, Llama 4 and Llama 3.2 Vision, by their classes in transformers (5.23)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planner.base.errors import SpecError
from planner.parts.configs.layers import AttentionRule, LayeredReader
from planner.parts.configs.reader import LLM_READERS
from planner.parts.configs.rules import BIAS, head_size, kv_heads
from planner.parts.configs.values import Values
from planner.parts.configs.windows import FULL, SLIDING
from planner.parts.llms import (
    AltUp,
    Block,
    Experts,
    GroupedAttention,
    ImageLayer,
    Layer,
    Linear,
    Mlp,
    PerLayerInputs,
)

NORMED = AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True)


def layer_types(values: Values, period: int) -> list[str]:
    """Of each layer, whether it slides or sees all; by default each `period`-th sees all."""
    layers = values.count("num_hidden_layers")
    found = values.by_layer("layer_types", layers, (SLIDING, FULL))
    return found or [SLIDING if (layer + 1) % period else FULL for layer in range(layers)]


def borrowed(attention: GroupedAttention, normed: bool = True) -> GroupedAttention:
    """The same, with the keys and values of an earlier layer."""
    return replace(attention, borrows=True, extra_vectors=attention.head_dim if normed else 0)


def first_borrower(values: Values, types: list[str]) -> int:
    """The first layer that borrows keys and values; each takes those of the last layer of its kind that has them.

    Raises SpecError where there is none.
    """
    found = len(types) - values.count("num_kv_shared_layers", 0, minimum=0)
    if not set(types[max(found, 0) :]) <= set(types[: max(found, 0)]):
        raise values.wrong("num_kv_shared_layers", "so few that a layer of each kind is left to borrow from")
    return found


def per_layer_width(values: Values) -> int:
    """Of what each layer gets from the second embedding; 0 where there is none."""
    return values.count("hidden_size_per_layer_input", 0, minimum=0)


def per_layer_inputs(values: Values) -> list[Block]:
    """The second embedding."""
    if not per_layer_width(values):
        return []
    return [
        PerLayerInputs(
            hidden_size=values.count("hidden_size"),
            layers=values.count("num_hidden_layers"),
            width=per_layer_width(values),
            vocab_size=values.count("vocab_size_per_layer_input"),
        )
    ]


# ---- Gemma 3n --------------------------------------------------------------------------------------------------------


def gemma3n_layers(values: Values) -> list[Layer]:
    """Attention and an MLP, both beside a low-rank path; layers at the end borrow keys and values."""
    hidden, types = values.count("hidden_size"), layer_types(values, 5)
    widths = values.get("intermediate_size")
    if isinstance(widths, int):
        widths = [widths] * len(types)
    if not isinstance(widths, list | tuple) or len(widths) != len(types):
        raise values.wrong("intermediate_size", f"one width, or one for each of {len(types)} layers")
    borrower = first_borrower(values, types)
    rank, per_layer = values.count("laurel_rank"), per_layer_width(values)
    (attention,) = NORMED.blocks(values, 1)
    found = []
    for layer, (kind, width) in enumerate(zip(types, widths, strict=True)):
        window = float(values.count("sliding_window")) if kind == SLIDING else None
        own = replace(attention, window=window)
        blocks: list[Block] = [
            AltUp(hidden_size=hidden, streams=values.count("altup_num_inputs")),
            borrowed(own) if layer >= borrower else own,
            Linear(steps=((hidden, rank), (rank, hidden)), extra_vectors=hidden),
            Mlp(hidden_size=hidden, width=int(width)),
            Linear(steps=((hidden, per_layer), (per_layer, hidden)), extra_vectors=hidden),
        ]
        found.append(Layer(blocks=tuple(blocks), vectors=4 * hidden))
    return found


def gemma3n_around(values: Values) -> list[Block]:
    """The second embedding, and matrices that make streams of a token and one token of its streams."""
    hidden, others = values.count("hidden_size"), values.count("altup_num_inputs") - 1
    return [*per_layer_inputs(values), Linear(steps=((hidden, hidden),) * (2 * others))]


# ---- Gemma 4 ---------------------------------------------------------------------------------------------------------


def gemma4_layers(values: Values) -> list[Layer]:
    """Attention whose heads are wider where it sees all; an MLP, experts beside it where there are any."""
    hidden, types = values.count("hidden_size"), layer_types(values, 6)
    types[-1] = FULL
    borrower = first_borrower(values, types)
    (attention,) = NORMED.blocks(values, 1)
    per_layer, mixed = per_layer_width(values), values.flag("enable_moe_block")
    found = []
    for layer, kind in enumerate(types):
        own = attention
        if kind == SLIDING:
            own = replace(own, window=float(values.count("sliding_window")))
        else:
            size, kv = gemma4_global(values, layer)
            own = replace(own, head_dim=size, num_kv_heads=kv, extra_vectors=2 * size)
            own = replace(own, key_is_value=values.flag("attention_k_eq_v"))
        borrows = layer >= borrower
        wide = 2 if borrows and values.flag("use_double_wide_mlp") else 1
        blocks: list[Block] = [
            borrowed(own) if borrows else own,
            Mlp(hidden_size=hidden, width=wide * values.count("intermediate_size")),
        ]
        if mixed:
            experts = values.count("num_experts")
            blocks.append(
                Experts(
                    hidden_size=hidden,
                    width=values.count("moe_intermediate_size"),
                    experts=experts,
                    per_token=values.count("top_k_experts"),
                    extra_vectors=hidden + experts,
                )
            )
        if per_layer:
            blocks.append(Linear(steps=((hidden, per_layer), (per_layer, hidden)), extra_vectors=hidden))
        found.append(Layer(blocks=tuple(blocks), vectors=(4 + 3 * mixed) * hidden))
    return found


def gemma4_global(values: Values, layer: int) -> tuple[int, int]:
    """Head size and key/value heads of a layer that sees all."""
    own = values.get("per_layer_config")
    if own is not None:
        if not isinstance(own, Mapping):
            raise values.wrong("per_layer_config", "an object")
        by_layer = {str(key).lstrip("0") or "0": value for key, value in own.items()}
        given: Any = by_layer.get(str(layer), {})
        if not isinstance(given, Mapping) or not set(given) <= {"head_dim", "num_key_value_heads"}:
            raise SpecError(f"{values.name}: per_layer_config: only head_dim and num_key_value_heads are known")
        return int(given.get("head_dim", head_size(values))), int(given.get("num_key_value_heads", kv_heads(values)))
    kv = kv_heads(values)
    if values.flag("attention_k_eq_v", True):
        kv = values.count("num_global_key_value_heads", kv)
    return values.count("global_head_dim", 512), kv


GEMMA4: dict[str, Any] = {
    "layers": gemma4_layers,
    "around": per_layer_inputs,
    "knows": ("global_head_dim", "num_global_key_value_heads", "per_layer_config"),
    "must_be": (("use_bidirectional_attention", (None, False, "vision")),),
}


# ---- Llama 4, Llama 3.2 Vision ---------------------------------------------------------------------------------------


def llama4_layers(values: Values) -> list[Layer]:
    """Attention in chunks or over all tokens; experts with a shared one, or an MLP."""
    hidden, layers = values.count("hidden_size"), values.count("num_hidden_layers")
    interval, step = values.count("no_rope_layer_interval", 4), values.count("interleave_moe_layer_step")
    given = None if values.get("no_rope_layers") == [] else values.whole_numbers("no_rope_layers", layers)
    no_rope = given or [int((layer + 1) % interval != 0) for layer in range(layers)]
    types = values.by_layer("layer_types", layers, ("chunked_attention", FULL))
    chunked = [one != FULL for one in types] if types else [bool(one) for one in no_rope]
    sparse = values.whole_numbers("moe_layers")
    routed = range(step - 1, layers, step) if sparse is None else sparse
    (attention,) = AttentionRule(qkv_bias=BIAS, o_bias=BIAS).blocks(values, 1)
    chunk = float(values.count("attention_chunk_size")) if any(chunked) else None
    experts = Experts(
        hidden_size=hidden,
        width=values.count("intermediate_size"),
        experts=values.count("num_local_experts"),
        per_token=values.count("num_experts_per_tok"),
        shared_width=values.count("intermediate_size"),
        runs_all=True,
    )
    mlp = Mlp(hidden_size=hidden, width=values.count("intermediate_size_mlp"))
    return [
        Layer(
            blocks=(
                replace(attention, window=chunk, chunked=True) if chunked[layer] else attention,
                experts if layer in routed else mlp,
            ),
            vectors=2 * hidden,
        )
        for layer in range(layers)
    ]


MLLAMA_DEFAULT = [3, 8, 13, 18, 23, 28, 33, 38]


def mllama_layers(values: Values) -> list[Layer]:
    """A Llama in which some layers attend to images instead."""
    hidden, width = values.count("hidden_size"), values.count("intermediate_size")
    crossing = values.get("cross_attention_layers")
    crossing = MLLAMA_DEFAULT if crossing is None else crossing
    if not isinstance(crossing, list | tuple):
        raise values.wrong("cross_attention_layers", "a list of layers")
    (attention,) = AttentionRule().blocks(values, 1)
    image = ImageLayer(
        hidden_size=hidden,
        num_heads=attention.num_heads,
        num_kv_heads=attention.num_kv_heads,
        head_dim=attention.head_dim,
        width=width,
    )
    plain: tuple[Block, ...] = (attention, Mlp(hidden_size=hidden, width=width))
    return [
        Layer(blocks=(image,) if layer in crossing else plain, vectors=2 * hidden)
        for layer in range(values.count("num_hidden_layers"))
    ]


for reader in (
    LayeredReader(
        name="gemma3n_text",
        layers=gemma3n_layers,
        around=gemma3n_around,
    ),
    LayeredReader(name="gemma4_text", **GEMMA4),
    LayeredReader(name="gemma4_unified_text", **GEMMA4),
    LayeredReader(name="llama4_text", layers=llama4_layers),
    LayeredReader(
        name="mllama_text_model",
        layers=mllama_layers,
        other_params=lambda v: 8 * v.count("hidden_size"),  # rows of the embedding for tokens that stand for images
        must_be=(("tie_word_embeddings", (False,)),),
    ),
):
    LLM_READERS.register(reader)
