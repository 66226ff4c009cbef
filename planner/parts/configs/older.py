"""Older dense decoders, each with names of its own: GPT-2 and its kin, OPT, BLOOM, Falcon, MPT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from planner.parts.configs.dense import DenseReader
from planner.parts.configs.reader import LLM_READERS
from planner.parts.configs.rules import BIAS, four_times, heads
from planner.parts.configs.values import Values

ALL_BIASED: dict[str, Any] = {
    "gated_mlp": False,
    "qkv_bias": True,
    "o_bias": True,
    "mlp_bias": True,
    "norm_weights": 2,
    "kv_heads": heads,
}


def positions(key: str, more: int = 0) -> Callable[[Values], int]:
    """A table of learned positions, with so many rows more than the key says."""
    return lambda v: (v.count(key) + more) * v.count("hidden_size")


def falcon_kv_heads(values: Values) -> int:
    return 1 if values.flag("multi_query") else heads(values)


def mpt_attention(values: Values) -> int:
    """Query heads; raises SpecError where the attention is none of those that are known."""
    given = values.get("attn_config") or {}
    known = {"attn_type": "multihead_attention", "qk_ln": False, "prefix_lm": False}
    if not isinstance(given, dict) or any(given.get(key, value) != value for key, value in known.items()):
        raise values.wrong("attn_config", "multi-head attention without norms of queries and keys")
    return heads(values)


for name in ("gpt2", "gpt-sw3"):
    LLM_READERS.register(
        DenseReader(
            name=name,
            **ALL_BIASED,
            mlp_width=four_times("n_inner"),
            other_params=positions("n_positions"),
            knows=("n_ctx",),
            must_be=(("add_cross_attention", (None, False)),),
        )
    )
for reader in (
    DenseReader(
        name="gpt_bigcode",
        **{**ALL_BIASED, "kv_heads": lambda v: 1 if v.flag("multi_query") else heads(v)},
        mlp_width=four_times("n_inner"),
        other_params=positions("n_positions"),
        must_be=(("add_cross_attention", (None, False)),),
    ),
    DenseReader(
        name="gpt_neo",  # its local layers keep all tokens too, and mask them
        **{**ALL_BIASED, "qkv_bias": False},
        mlp_width=four_times("intermediate_size"),
        other_params=positions("max_position_embeddings"),
        knows=("attention_layers",),
    ),
    DenseReader(name="gpt_neox", **{**ALL_BIASED, "qkv_bias": BIAS, "o_bias": BIAS}),
    DenseReader(
        name="gpt_neox_japanese",
        **{**ALL_BIASED, "qkv_bias": False, "o_bias": False, "mlp_bias": False},
        mlp_width=lambda v: v.count("intermediate_multiple_size") * v.count("hidden_size"),
        other_params=lambda v: v.count("hidden_size"),  # the bias of the last attention
    ),
    *(
        DenseReader(
            name=name,
            **{**ALL_BIASED, "qkv_bias": False, "o_bias": False},
            norms_per_layer=1,
            head_bias=True,
            mlp_width=four_times("n_inner"),
            knows=("n_ctx",),
        )
        for name in ("gptj", "codegen")
    ),
    DenseReader(
        name="opt",
        **{**ALL_BIASED, "qkv_bias": "enable_bias", "o_bias": "enable_bias", "mlp_bias": "enable_bias"},
        mlp_width=lambda v: v.count("ffn_dim"),
        other_params=positions("max_position_embeddings", 2),
        must_be=(
            ("do_layer_norm_before", (True,)),
            ("_remove_final_layer_norm", (False,)),
            ("layer_norm_elementwise_affine", (True,)),
        ),
        same_as_width=("word_embed_proj_dim",),
    ),
    DenseReader(
        name="xglm",
        **ALL_BIASED,
        mlp_width=lambda v: v.count("ffn_dim"),
        must_be=(("add_cross_attention", (None, False)),),
    ),
    DenseReader(name="biogpt", **ALL_BIASED, other_params=positions("max_position_embeddings", 2)),
    DenseReader(
        name="bloom",
        **ALL_BIASED,
        mlp_width=lambda v: 4 * v.count("hidden_size"),
        other_params=lambda v: 2 * v.count("hidden_size"),
        must_be=(("n_embed", (None,)),),
    ),
    DenseReader(name="ctrl", **ALL_BIASED, head_bias=True, mlp_width=lambda v: v.count("dff")),
    DenseReader(
        name="falcon",
        **{**ALL_BIASED, "qkv_bias": "bias", "o_bias": "bias", "mlp_bias": "bias", "kv_heads": falcon_kv_heads},
        mlp_width=four_times("ffn_hidden_size"),
        norms_per_layer=lambda v: 2 - v.flag("parallel_attn"),
        must_be=(
            ("new_decoder_architecture", (None, False)),
            ("num_ln_in_parallel_attn", (None,)),
            ("n_embed", (None,)),
        ),
    ),
    DenseReader(
        name="mpt",
        gated_mlp=False,
        kv_heads=mpt_attention,
        mlp_width=lambda v: 4 * v.count("hidden_size"),  # its class knows no other ratio
        must_be=(("no_bias", (True,)),),
        knows=("attn_config",),
    ),
    DenseReader(name="persimmon", **ALL_BIASED, qk_norm="qk_layernorm", qk_norm_weights=2),
):
    LLM_READERS.register(reader)
