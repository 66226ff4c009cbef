"""Hybrids of attention and linear attention: Kimi Linear, Ling 3, MiniMax, OLMo Hybrid, by their classes in
transformers (5.23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.base.errors import SpecError
from planner.parts.configs.hybrids import LINEAR, delta, mixers, mlps
from planner.parts.configs.latent import LatentRule
from planner.parts.configs.layers import AttentionRule, LayeredReader
from planner.parts.configs.reader import LLM_READERS
from planner.parts.configs.rules import BIAS, WHOLE, head_size, product
from planner.parts.configs.sparse import named_or_first
from planner.parts.configs.values import Values
from planner.parts.configs.windows import FULL
from planner.parts.llms import Block, ChannelDelta, Experts, Layer, Lightning, Mlp

# ---- Kimi Linear, Ling 3 ---------------------------------------------------------------------------------------------


def experts_behind(values: Values) -> list[Block]:
    """Experts and a shared one; an MLP in the first layers, or where `mlp_layer_types` says so."""
    hidden, layers = values.count("hidden_size"), values.count("num_hidden_layers")
    mlp = Mlp(hidden_size=hidden, width=values.count("intermediate_size"))
    routed = Experts(
        hidden_size=hidden,
        width=values.count("moe_intermediate_size"),
        experts=values.count("num_local_experts"),
        per_token=values.count("num_experts_per_tok"),
        shared_width=product("n_shared_experts", "moe_intermediate_size")(values),
    )
    dense = named_or_first("first_k_dense_replace", 1)(values, layers)
    return [mlp if plain else routed for plain in dense]


def kimi_attends(values: Values) -> list[bool]:
    """Of each layer, whether it attends: by `layer_types`, by lists of layers counted from 1, else every fourth but the
    first."""
    layers, given = values.count("num_hidden_layers"), _kimi_linear(values)
    full, linear = given.get("full_attn_layers"), given.get("kda_layers")
    if values.get("layer_types") is None and full is not None and linear is not None:
        if not isinstance(full, list) or not isinstance(linear, list) or not _name_all(layers, [*full, *linear]):
            raise SpecError(
                f"{values.name}: the full_attn_layers and kda_layers of 'linear_attn_config' do not name each of "
                f"{layers} layers once, so its cost cannot be counted"
            )
        return [layer + 1 in full for layer in range(layers)]
    return mixers(values, LINEAR, lambda layer: layer > 0 and layer % 4 == 0)


def _name_all(layers: int, named: list[Any]) -> bool:
    """Whether a list names so many layers, each once."""
    return len(named) == layers and all(layer in named for layer in range(1, layers + 1))


def _kimi_linear(values: Values) -> Mapping[str, Any]:
    given = values.get("linear_attn_config") or {}
    if not isinstance(given, Mapping):
        raise values.wrong("linear_attn_config", "an object")
    return given


KIMI_KEYS = {
    "head_dim": "linear_head_dim",
    "num_heads": "linear_num_heads",
    "short_conv_kernel_size": "linear_conv_kernel_dim",
}
"""Keys under `linear_attn_config`, and what they are called beside it."""


def kimi_linear(values: Values) -> ChannelDelta:
    """The linear attention of a layer."""
    given = _kimi_linear(values)
    nested = {own: given[key] for key, own in KIMI_KEYS.items() if key in given}
    found = values.with_given(nested)
    size = found.count("linear_head_dim")
    return ChannelDelta(
        hidden_size=values.count("hidden_size"),
        kernel=found.count("linear_conv_kernel_dim"),
        heads=found.count("linear_num_heads"),
        head_dim=size,
        gate_rank=size,
    )


def kimi_layers(values: Values) -> list[Layer]:
    """Latent attention in some layers, the delta rule in the others; experts."""
    hidden = values.count("hidden_size")
    (attention,) = LatentRule().blocks(values, 1)
    linear, attends = kimi_linear(values), kimi_attends(values)
    return [
        Layer(blocks=(attention if full else linear, behind), vectors=2 * hidden)
        for full, behind in zip(attends, experts_behind(values), strict=True)
    ]


def ling_layers(values: Values) -> list[Layer]:
    """The same, with another rule of layers, gates of one matrix, and a gate behind the attention."""
    hidden, every = values.count("hidden_size"), values.count("layer_group_size")
    heads = values.count("num_attention_heads")
    (attention,) = LatentRule(gate=heads, has_query_latent=False).blocks(values, 1)
    linear = ChannelDelta(
        hidden_size=hidden,
        kernel=values.count("linear_conv_kernel_dim", values.count("short_conv_kernel_size")),
        heads=values.count("linear_num_heads", heads),
        head_dim=values.count("linear_head_dim", values.count("head_dim")),
        gate_rank=None,
    )
    attends = mixers(values, LINEAR, lambda layer: (layer + 1) % every == 0)
    return [
        Layer(blocks=(attention if full else linear, behind), vectors=2 * hidden)
        for full, behind in zip(attends, experts_behind(values), strict=True)
    ]


# ---- MiniMax ---------------------------------------------------------------------------------------------------------


def minimax_layers(values: Values) -> list[Layer]:
    """Attention in every other layer, the first of them; experts."""
    hidden = values.count("hidden_size")
    (attention,) = AttentionRule().blocks(values, 1)
    linear = Lightning(
        hidden_size=hidden,
        heads=values.count("num_attention_heads"),
        head_dim=head_size(values),
        chunk=values.count("block_size"),
    )
    routed = Experts(
        hidden_size=hidden,
        width=values.count("intermediate_size"),
        experts=values.count("num_local_experts"),
        per_token=values.count("num_experts_per_tok"),
    )
    attends = mixers(values, LINEAR, lambda layer: layer % 2 == 0)
    return [Layer(blocks=(attention if full else linear, routed), vectors=2 * hidden) for full in attends]


# ---- OLMo Hybrid -----------------------------------------------------------------------------------------------------


def olmo_layers(values: Values) -> list[Layer]:
    """The gated delta rule in all layers but every fourth; sizes of its heads follow from the width."""
    hidden, heads = values.count("hidden_size"), values.count("num_attention_heads")
    key_heads = values.count("linear_num_key_heads", heads)
    key_dim = values.count("linear_key_head_dim", int(0.75 * hidden / key_heads))
    sizes = {
        "linear_num_key_heads": key_heads,
        "linear_num_value_heads": values.count("linear_num_value_heads", heads),
        "linear_key_head_dim": key_dim,
        "linear_value_head_dim": values.count("linear_value_head_dim", 2 * key_dim),
    }
    linear = delta(values.with_given(sizes))
    (attention,) = AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True, qk_norm_kind=WHOLE).blocks(values, 1)
    attends = mixers(values, LINEAR, lambda layer: layer % 4 == 3)
    if not any(attends):  # its class wants one
        attends[-1] = True
    if all(attends):
        raise values.wrong("layer_types", f"a list with at least one layer of {LINEAR!r} beside those of {FULL!r}")
    return [
        Layer(blocks=(attention if full else linear, behind), vectors=2 * hidden)
        for full, behind in zip(attends, mlps(values), strict=True)
    ]


SUM = ("qk_head_dim",)
"""What saved files add: the sum of the two sizes of a query."""
for reader in (
    LayeredReader(
        name="kimi_linear",
        layers=kimi_layers,
        knows=(*SUM, "linear_attn_config", "first_k_dense_replace", "head_dim", "mla_use_nope"),
        must_be=(("moe_layer_freq", (None, 1)),),
    ),
    LayeredReader(
        name="bailing_hybrid",
        layers=ling_layers,
        knows=(*SUM, *KIMI_KEYS.values()),
    ),
    LayeredReader(name="minimax", layers=minimax_layers, must_be=(("sliding_window", (None,)),)),
    LayeredReader(name="olmo_hybrid", layers=olmo_layers),
):
    LLM_READERS.register(reader)
