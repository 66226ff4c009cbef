"""Mixtures of experts behind grouped-query attention, by the classes of transformers (5.23)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from planner.parts.configs.layers import AttentionRule, LayeredReader, Mixing
from planner.parts.configs.reader import LLM_READERS, Flag, Number, flag, number
from planner.parts.configs.rules import (
    BIAS,
    WHOLE,
    count_of,
    heads,
    mlp_width,
    product,
    query_width,
    undivided_head_size,
)
from planner.parts.configs.values import Values
from planner.parts.configs.windows import (
    all_but_every,
    all_but_first_of,
    by_type,
    by_types_alone,
    everywhere,
    from_layer_on,
)
from planner.parts.llms import Experts, Layer, Mlp

DenseRule: TypeAlias = Callable[[Values, int], list[bool]]
"""(values, layers) -> of each layer, whether it has an MLP in place of experts."""


def none_dense(values: Values, layers: int) -> list[bool]:
    """Every layer has experts."""
    return [False] * layers


def first(key: str) -> DenseRule:
    """The first layers have an MLP, as many as a key says."""
    return lambda values, layers: [layer < values.count(key, 0, minimum=0) for layer in range(layers)]


def named_or_first(key: str = "", default: int = 0) -> DenseRule:
    """As `mlp_layer_types` says; else the first layers have an MLP, as many as a key says."""

    def rule(values: Values, layers: int) -> list[bool]:
        types = values.by_layer("mlp_layer_types", layers, ("dense", "sparse"))
        if types is not None:
            return [one == "dense" for one in types]
        dense = values.count(key, default, minimum=0) if key else default
        return [layer < dense for layer in range(layers)]

    return rule


def every_nth(default_dense: tuple[int, ...] = ()) -> DenseRule:
    """Experts in every `decoder_sparse_step`-th layer, but not in those that `mlp_only_layers` names."""

    def rule(values: Values, layers: int) -> list[bool]:
        step = values.count("decoder_sparse_step")
        named = values.get("mlp_only_layers")
        dense = default_dense if named is None else named
        if not isinstance(dense, list | tuple):
            raise values.wrong("mlp_only_layers", "a list of layers")
        return [layer in dense or (layer + 1) % step != 0 for layer in range(layers)]

    return rule


def sparse(
    name: str,
    *,
    attention: Mixing,
    experts: str = "num_experts",
    per_token: str = "num_experts_per_tok",
    width: Number = count_of("moe_intermediate_size", 1),
    shared: Number = 0,
    shared_gate: bool = False,
    expert_bias: bool = False,
    router_vectors: Number = 0,
    dense: DenseRule = none_dense,
    dense_width: Number = mlp_width,
    mlp_bias: Flag = False,
    norms: Number = 2,
    norm_weights: int = 1,
    runs_all: bool = False,
    **further: Any,
) -> None:
    """Register a type whose layers attend and then have experts, or an MLP in their place."""

    def layers(values: Values) -> list[Layer]:
        hidden, depth = values.count("hidden_size"), values.count("num_hidden_layers")
        vectors = number(values, norms) * hidden * norm_weights
        is_dense = dense(values, depth)
        found = []
        for mixer, plain in zip(attention.blocks(values, depth), is_dense, strict=True):
            mlp = (
                Mlp(hidden_size=hidden, width=number(values, dense_width), bias=flag(values, mlp_bias))
                if plain
                else None
            )
            found.append(Layer(blocks=(mixer, mlp or routed(values)), vectors=vectors))
        return found

    def routed(values: Values) -> Experts:
        return Experts(
            hidden_size=values.count("hidden_size"),
            width=number(values, width),
            experts=values.count(experts),
            per_token=values.count(per_token),
            shared_width=number(values, shared),
            shared_gate=shared_gate,
            bias=expert_bias,
            extra_vectors=number(values, router_vectors),
            runs_all=runs_all,
        )

    LLM_READERS.register(LayeredReader(name=name, layers=layers, final_norm=norm_weights, **further))


PLAIN = AttentionRule()
BIASED = AttentionRule(qkv_bias=BIAS, o_bias=BIAS)
NORMED = AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True)
NORMED_WHOLE = AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True, qk_norm_kind=WHOLE)
LOCAL: dict[str, Any] = {"experts": "num_local_experts", "width": mlp_width}
DEEPSEEK: dict[str, Any] = {
    "experts": "n_routed_experts",
    "shared": product("n_shared_experts", "moe_intermediate_size"),
    "dense": first("first_k_dense_replace"),
}


def ernie_dense(values: Values, layers: int) -> list[bool]:
    """Experts in every `moe_layer_interval`-th layer between the first and the last that have them."""
    start, interval = values.count("moe_layer_start_index", minimum=0), values.count("moe_layer_interval")
    end = values.get("moe_layer_end_index")
    last = layers - 1 if end == -1 else values.count("moe_layer_end_index", layers - 1, minimum=0)
    return [not ((layer + 1) % interval == 0 and start <= layer <= last) for layer in range(layers)]


def flint_windows(values: Values, layers: int) -> tuple[int | None, ...]:
    """All tokens in the first two layers, in every fourth and in the last."""
    return by_type(values, layers, lambda layer: not (layer < 2 or layer % 4 == 1 or layer == layers - 1))


def beam_windows(values: Values, layers: int) -> tuple[int | None, ...]:
    """All tokens in every sixth layer and in the last."""
    return by_type(values, layers, lambda layer: (layer + 1) % 6 != 0 and layer != layers - 1)


sparse("mixtral", attention=AttentionRule(windows=everywhere), **LOCAL)
sparse(
    "qwen2_moe",
    attention=AttentionRule(qkv_bias="qkv_bias", windows=from_layer_on),
    shared=count_of("shared_expert_intermediate_size"),
    shared_gate=True,
    dense=every_nth(),
)
sparse("qwen3_moe", attention=NORMED, dense=every_nth(), must_be=(("use_sliding_window", (None, False)),))
sparse("qwen3_vl_moe_text", attention=NORMED, dense=every_nth())
sparse(
    "qwen3_omni_moe_text",
    attention=AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True, windows=everywhere),
    dense=every_nth(),
)
sparse("olmoe", attention=replace(NORMED_WHOLE, head_size=undivided_head_size), width=mlp_width)
sparse("flex_olmo", attention=NORMED_WHOLE, width=mlp_width)
sparse(
    "phimoe",
    attention=AttentionRule(qkv_bias=BIAS, o_bias=BIAS, windows=everywhere),
    norm_weights=2,
    other_params=lambda v: v.flag("lm_head_bias") * v.count("vocab_size"),
    **LOCAL,
)
sparse(
    "gpt_oss",
    attention=AttentionRule(qkv_bias=BIAS, o_bias=BIAS, vectors=heads, windows=all_but_every(2)),
    expert_bias=True,
    router_vectors=count_of("num_local_experts"),
    knows=("experts_per_token", "initial_context_length", "swiglu_limit"),
    **LOCAL,
)
sparse(
    "ernie4_5_moe",
    attention=AttentionRule(qkv_bias="use_bias", o_bias="use_bias"),
    experts="moe_num_experts",
    per_token="moe_k",
    shared=product("moe_num_shared_experts", "moe_intermediate_size"),
    router_vectors=count_of("moe_num_experts"),
    dense=ernie_dense,
    mlp_bias="use_bias",
    knows=("moe_capacity",),
    must_be=(("use_bias", (None, False)),),
)
sparse("glm4_moe", attention=AttentionRule(qkv_bias=BIAS, qk_norm="use_qk_norm"), **DEEPSEEK)
sparse("glm4v_moe_text", attention=AttentionRule(qkv_bias=BIAS), **DEEPSEEK)
sparse("solar_open", attention=AttentionRule(qkv_bias=BIAS), **{**DEEPSEEK, "dense": none_dense})
sparse(
    "dots1",
    attention=AttentionRule(
        qkv_bias=BIAS,
        o_bias=BIAS,
        qk_norm=True,
        windows=lambda v, n: by_type(
            v, n, lambda layer: v.get("sliding_window") is not None and layer >= v.count("max_window_layers", minimum=0)
        ),
    ),
    **DEEPSEEK,
)
sparse(
    "hy_v3",
    attention=NORMED,
    shared=product("num_shared_experts", "moe_intermediate_size"),
    dense=named_or_first(default=1),
    mlp_bias="mlp_bias",
    must_be=(("mlp_bias", (None, False)),),
)
sparse(
    "exaone_moe",
    attention=AttentionRule(qk_norm=True, windows=all_but_every(4)),
    shared=product("num_shared_experts", "moe_intermediate_size"),
    dense=named_or_first("first_k_dense_replace"),
)
sparse("minimax_m2", attention=AttentionRule(qk_norm=True, qk_norm_kind=WHOLE), **LOCAL)
sparse("granitemoe", attention=BIASED, **LOCAL)
sparse("granitemoeshared", attention=BIASED, shared=count_of("shared_intermediate_size"), **LOCAL)
sparse(
    "granitemoe_swa",
    attention=AttentionRule(qkv_bias=BIAS, o_bias=BIAS, vectors=heads, windows=all_but_first_of(4)),
    shared=count_of("shared_intermediate_size"),
    **LOCAL,
)
sparse(
    "afmoe",
    attention=AttentionRule(
        qkv_bias=BIAS,
        o_bias=BIAS,
        qk_norm=True,
        gate=query_width,
        windows=all_but_every(4, "global_attn_every_n_layers"),
    ),
    shared=product("num_shared_experts", "moe_intermediate_size"),
    router_vectors=count_of("num_experts"),
    dense=first("num_dense_layers"),
    norms=4,
)
sparse(
    "aria_text",
    attention=BIASED,
    experts="moe_num_experts",
    per_token="moe_topk",
    width=mlp_width,
    shared=product("moe_num_shared_experts", "intermediate_size"),
    must_be=(("mlp_bias", (None, False)),),
)
sparse(
    "mellum",
    attention=AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True, windows=by_types_alone),
    dense=named_or_first(),
)
sparse(
    "laguna",
    attention=AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True, gate=heads, windows=by_types_alone),
    shared=count_of("shared_expert_intermediate_size"),
    router_vectors=count_of("num_experts"),
    dense=named_or_first(default=1),
    must_be=(("gating", (True,)), ("num_attention_heads_per_layer", (None,))),
)
sparse(
    "flint",
    attention=AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True, vectors=heads, windows=flint_windows),
    shared=count_of("shared_expert_intermediate_size"),
    dense=every_nth((0, 1)),
)
sparse(
    "kolibri1",
    attention=AttentionRule(qk_norm=True, windows=all_but_every(5)),
    shared=count_of("shared_expert_intermediate_size"),
    norms=4,
)
sparse(
    "beam",
    attention=AttentionRule(
        qkv_bias=BIAS, o_bias=BIAS, qk_norm=True, gate=query_width, vectors=heads, windows=beam_windows
    ),
    dense=named_or_first(default=3),
    norms=4,
)
sparse(
    "cohere2_moe",
    attention=AttentionRule(qkv_bias=BIAS, o_bias=BIAS, windows=all_but_every(4)),
    width=mlp_width,
    shared=product("num_shared_experts", "intermediate_size"),
    dense=named_or_first(),
    dense_width=lambda v: v.count("prefix_dense_intermediate_size", v.count("intermediate_size")),
    norms=1,
)
