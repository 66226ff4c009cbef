"""Hybrids of attention with linear attention, state spaces and short convolutions, by their classes (5.23)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from planner.parts.configs.layers import AttentionRule, LayeredReader
from planner.parts.configs.reader import LLM_READERS
from planner.parts.configs.rules import BIAS, query_width
from planner.parts.configs.sparse import every_nth
from planner.parts.configs.values import Values
from planner.parts.configs.windows import FULL
from planner.parts.llms import (
    Block,
    Experts,
    GatedDelta,
    HeadedStateSpace,
    Layer,
    Mlp,
    Selective,
    ShortConvolution,
)

LINEAR, CONVOLUTION = "linear_attention", "conv"
FORMER = {"mamba": LINEAR, "attention": FULL}
"""What older files call a layer."""


def mixers(values: Values, other: str, attends: Callable[[int], bool]) -> list[bool]:
    """Of each layer, whether it attends; by `layer_types`, under new or former names, else by the class's rule."""
    layers = values.count("num_hidden_layers")
    types = values.by_layer(
        "layer_types", layers, (other, FULL, *(one for one in FORMER if FORMER[one] in (other, FULL)))
    )
    return [FORMER.get(one, one) == FULL for one in types] if types else [attends(layer) for layer in range(layers)]


# ---- Qwen3-Next, Qwen3.5 ---------------------------------------------------------------------------------------------

QWEN = AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True, gate=query_width, gate_bias=BIAS)


def delta(values: Values) -> GatedDelta:
    """The linear attention of a layer."""
    return GatedDelta(
        hidden_size=values.count("hidden_size"),
        kernel=values.count("linear_conv_kernel_dim"),
        key_heads=values.count("linear_num_key_heads"),
        value_heads=values.count("linear_num_value_heads"),
        key_dim=values.count("linear_key_head_dim"),
        value_dim=values.count("linear_value_head_dim"),
    )


def qwen_layers(feed_forwards: Callable[[Values], list[Block]]) -> Callable[[Values], list[Layer]]:
    """Linear attention in all layers but every fourth."""

    def layers(values: Values) -> list[Layer]:
        interval, hidden = values.count("full_attention_interval", 4), values.count("hidden_size")
        (attention,) = QWEN.blocks(values, 1)
        attends = mixers(values, LINEAR, lambda layer: (layer + 1) % interval == 0)
        linear = delta(values)
        return [
            Layer(blocks=(attention if full else linear, behind), vectors=2 * hidden)
            for full, behind in zip(attends, feed_forwards(values), strict=True)
        ]

    return layers


def mlps(values: Values) -> list[Block]:
    """An MLP in every layer."""
    one = Mlp(hidden_size=values.count("hidden_size"), width=values.count("intermediate_size"))
    return [one] * values.count("num_hidden_layers")


def shared_experts(values: Values) -> list[Block]:
    """Experts with a shared one in every layer."""
    one = Experts(
        hidden_size=values.count("hidden_size"),
        width=values.count("moe_intermediate_size"),
        experts=values.count("num_experts"),
        per_token=values.count("num_experts_per_tok"),
        shared_width=values.count("shared_expert_intermediate_size"),
        shared_gate=True,
    )
    return [one] * values.count("num_hidden_layers")


def experts_or_mlps(values: Values) -> list[Block]:
    """Experts in every n-th layer."""
    dense = every_nth()(values, values.count("num_hidden_layers"))
    return [
        mlp if plain else experts
        for plain, mlp, experts in zip(dense, mlps(values), shared_experts(values), strict=True)
    ]


# ---- LFM2 ------------------------------------------------------------------------------------------------------------


def lfm2_width(values: Values) -> int:
    """Two thirds of what the config says, rounded up to a multiple, where it says so."""
    width = values.count("block_ff_dim", values.count("intermediate_size"))
    if not values.flag("block_auto_adjust_ff_dim"):
        return width
    width = int(2 * width / 3)
    if values.get("block_ffn_dim_multiplier") is None:
        return width
    multiple = values.count("block_multiple_of")
    return multiple * math.ceil(int(values.number("block_ffn_dim_multiplier") * width) / multiple)


def lfm2_layers(feed_forwards: Callable[[Values], list[Block]]) -> Callable[[Values], list[Layer]]:
    """Short convolutions, and attention in some layers."""

    def layers(values: Values) -> list[Layer]:
        hidden = values.count("hidden_size")
        (attention,) = AttentionRule(qk_norm=True).blocks(values, 1)
        convolution = ShortConvolution(
            hidden_size=hidden, kernel=values.count("conv_L_cache"), bias=values.flag("conv_bias")
        )
        named = values.whole_numbers("full_attn_idxs")
        attends = mixers(values, CONVOLUTION, lambda layer: named is None or layer in named)
        return [
            Layer(blocks=(attention if full else convolution, behind), vectors=2 * hidden)
            for full, behind in zip(attends, feed_forwards(values), strict=True)
        ]

    return layers


def lfm2_mlps(values: Values) -> list[Block]:
    one = Mlp(hidden_size=values.count("hidden_size"), width=lfm2_width(values))
    return [one] * values.count("num_hidden_layers")


def lfm2_experts(values: Values) -> list[Block]:
    if values.get("layer_types") is None:
        raise values.wrong("layer_types", "a list: its class has no rule of its own")
    hidden, experts = values.count("hidden_size"), values.count("num_experts")
    mlp = Mlp(hidden_size=hidden, width=values.count("intermediate_size"))
    routed = Experts(
        hidden_size=hidden,
        width=values.count("moe_intermediate_size"),
        experts=experts,
        per_token=values.count("num_experts_per_tok"),
    )
    dense = values.count("num_dense_layers", minimum=0)
    return [mlp if layer < dense else routed for layer in range(values.count("num_hidden_layers"))]


# ---- state spaces ----------------------------------------------------------------------------------------------------


def step_rank(values: Values, key: str) -> int:
    """A sixteenth of the width where the config leaves it to the class."""
    return math.ceil(values.count("hidden_size") / 16) if values.get(key) == "auto" else values.count(key)


def selective_layers(values: Values) -> list[Layer]:
    """Mamba: a state space in every layer, and nothing else."""
    hidden = values.count("hidden_size")
    block = Selective(
        hidden_size=hidden,
        kernel=values.count("conv_kernel"),
        inner=values.count("intermediate_size", values.count("expand") * hidden),
        state=values.count("state_size"),
        step_rank=step_rank(values, "time_step_rank"),
        conv_bias=values.flag("use_conv_bias"),
        bias=values.flag("use_bias"),
    )
    return [Layer(blocks=(block,), vectors=hidden)] * values.count("num_hidden_layers")


def jamba_layers(values: Values) -> list[Layer]:
    """Mamba, attention in every eighth layer; experts in every other."""
    hidden, layers = values.count("hidden_size"), values.count("num_hidden_layers")
    (attention,) = AttentionRule().blocks(values, 1)
    mamba = Selective(
        hidden_size=hidden,
        kernel=values.count("mamba_d_conv"),
        inner=values.count("mamba_expand") * hidden,
        state=values.count("mamba_d_state"),
        step_rank=step_rank(values, "mamba_dt_rank"),
        conv_bias=values.flag("mamba_conv_bias"),
        bias=values.flag("mamba_proj_bias"),
        normed=True,
    )
    width, experts = values.count("intermediate_size"), values.count("num_experts")
    mlp = Mlp(hidden_size=hidden, width=width)
    routed = Experts(hidden_size=hidden, width=width, experts=experts, per_token=values.count("num_experts_per_tok"))

    def every(layer: int, what: str) -> bool:
        return layer % values.count(f"{what}_layer_period") == values.count(f"{what}_layer_offset", minimum=0)

    return [
        Layer(
            blocks=(
                attention if every(layer, "attn") else mamba,
                routed if every(layer, "expert") and experts > 1 else mlp,
            ),
            vectors=2 * hidden,
        )
        for layer in range(layers)
    ]


def headed(values: Values) -> HeadedStateSpace:
    """The Mamba 2 block of Bamba and Granite."""
    hidden, heads = values.count("hidden_size"), values.count("mamba_n_heads")
    size = values.get("mamba_d_head")
    return HeadedStateSpace(
        hidden_size=hidden,
        kernel=values.count("mamba_d_conv"),
        heads=heads,
        head_dim=values.count("mamba_expand") * hidden // heads if size == "auto" else values.count("mamba_d_head"),
        groups=values.count("mamba_n_groups"),
        state=values.count("mamba_d_state"),
        chunk=values.count("mamba_chunk_size"),
        conv_bias=values.flag("mamba_conv_bias"),
        bias=values.flag("mamba_proj_bias"),
    )


def bamba_layers(values: Values) -> list[Layer]:
    """Mamba 2, and attention in the layers that the config names."""
    hidden = values.count("hidden_size")
    (attention,) = AttentionRule(qkv_bias=BIAS, o_bias=BIAS).blocks(values, 1)
    named = values.whole_numbers("attn_layer_indices") or ()
    mlp = Mlp(hidden_size=hidden, width=values.count("intermediate_size"), bias=values.flag("mlp_bias"))
    return [
        Layer(blocks=(attention if layer in named else headed(values), mlp), vectors=2 * hidden)
        for layer in range(values.count("num_hidden_layers"))
    ]


def granite_layers(values: Values) -> list[Layer]:
    """Mamba 2 or attention; experts and a shared MLP, or the shared MLP alone."""
    hidden, experts = values.count("hidden_size"), values.count("num_local_experts", 0, minimum=0)
    (attention,) = AttentionRule(qkv_bias=BIAS, o_bias=BIAS).blocks(values, 1)
    shared = values.count("shared_intermediate_size")
    behind: Block = Mlp(hidden_size=hidden, width=shared)
    if experts:
        behind = Experts(
            hidden_size=hidden,
            width=values.count("intermediate_size"),
            experts=experts,
            per_token=values.count("num_experts_per_tok"),
            shared_width=shared,
        )
    attends = mixers(values, LINEAR, lambda layer: False)
    return [Layer(blocks=(attention if full else headed(values), behind), vectors=2 * hidden) for full in attends]


INTERVAL = ("full_attention_interval",)
GATED = (("attn_output_gate", (None, True)),)
QWEN3_5: dict[str, Any] = {"knows": (*INTERVAL, "attn_output_gate"), "must_be": GATED}
for reader in (
    LayeredReader(name="qwen3_next", layers=qwen_layers(experts_or_mlps), knows=INTERVAL),
    LayeredReader(name="qwen3_5_text", layers=qwen_layers(mlps), **QWEN3_5),
    LayeredReader(name="qwen3_5_moe_text", layers=qwen_layers(shared_experts), **QWEN3_5),
    LayeredReader(
        name="lfm2",
        layers=lfm2_layers(lfm2_mlps),
        knows=("block_ff_dim", "tie_embedding", "block_dim", "block_mlp_init_scale", "block_out_init_scale"),
        tie="tie_embedding",
    ),
    LayeredReader(name="lfm2_moe", layers=lfm2_layers(lfm2_experts), knows=("tie_embedding",), tie="tie_embedding"),
    LayeredReader(name="mamba", layers=selective_layers, knows=("intermediate_size",), attends=False),
    LayeredReader(
        name="jamba",
        layers=jamba_layers,
        must_be=(("num_experts", tuple(range(1, 1025))),),
        knows=("sliding_window",),
    ),
    LayeredReader(name="bamba", layers=bamba_layers),
    LayeredReader(name="granitemoehybrid", layers=granite_layers),
):
    LLM_READERS.register(reader)
