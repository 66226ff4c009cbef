"""Mixtures of experts whose configs say something for each layer (Hunyuan, DeepSeek-OCR 2), or nest it (DBRX), by their
classes in transformers (5.23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.parts.configs.layers import AttentionRule, LayeredReader
from planner.parts.configs.reader import LLM_READERS
from planner.parts.configs.rules import BIAS, product
from planner.parts.configs.sparse import named_or_first, sparse
from planner.parts.configs.values import Values
from planner.parts.llms import Experts, Layer


def same_in_all(values: Values, key: str) -> int:
    """A count, or a list of one and the same count for each layer. Raises SpecError."""
    given = values.get(key)
    if isinstance(given, list | tuple):
        if len(given) < values.count("num_hidden_layers") or any(one != given[0] for one in given):
            raise values.wrong(key, "one number, or the same number for each layer")
        return values.with_given({key: given[0]}).count(key)
    return values.count(key)


def hunyuan_layers(values: Values) -> list[Layer]:
    """Experts and a shared one, as wide as each of them."""
    hidden, width = values.count("hidden_size"), values.count("intermediate_size")
    for key in ("moe_intermediate_size", "num_shared_expert"):
        if values.get(key) is not None and same_in_all(values, key) != (width if key[0] == "m" else 1):
            raise values.wrong(key, "the width of an MLP" if key[0] == "m" else "1")
    (attention,) = AttentionRule(qkv_bias=BIAS, o_bias=BIAS, qk_norm=True).blocks(values, 1)
    experts = Experts(
        hidden_size=hidden,
        width=width,
        experts=same_in_all(values, "num_experts"),
        per_token=same_in_all(values, "moe_topk"),
        shared_width=width,
    )
    return [Layer(blocks=(attention, experts), vectors=2 * hidden)] * values.count("num_hidden_layers")


def named_alone(values: Values, layers: int) -> list[bool]:
    """As `mlp_layer_types` says. Raises SpecError where it says nothing."""
    if values.get("mlp_layer_types") is None:
        raise values.wrong("mlp_layer_types", "a list: its class has no rule of its own")
    return named_or_first()(values, layers)


DBRX_DEFAULTS: dict[str, dict[str, Any]] = {
    "attn_config": {"kv_n_heads": 1},
    "ffn_config": {"ffn_hidden_size": 3584, "moe_num_experts": 4, "moe_top_k": 1},
}


def dbrx_layers(values: Values) -> list[Layer]:
    """Attention without biases, experts."""
    hidden = values.count("hidden_size")
    if "d_model" in values.given_twice:
        raise values.wrong("d_model", f"what 'hidden_size' says ({hidden})")
    sizes: dict[str, Any] = {}
    for key, defaults in DBRX_DEFAULTS.items():
        given = values.get(key) or {}
        if not isinstance(given, Mapping):
            raise values.wrong(key, "an object")
        sizes |= {**defaults, **{one: given[one] for one in defaults if one in given}}
    found = values.with_given(sizes)
    rule = AttentionRule(
        head_size=lambda v: hidden // v.count("num_attention_heads"), kv_heads=lambda v: v.count("kv_n_heads")
    )
    (attention,) = rule.blocks(found, 1)
    experts = Experts(
        hidden_size=hidden,
        width=found.count("ffn_hidden_size"),
        experts=found.count("moe_num_experts"),
        per_token=found.count("moe_top_k"),
    )
    return [Layer(blocks=(attention, experts), vectors=2 * hidden)] * values.count("num_hidden_layers")


IGNORED = (
    "moe_intermediate_size",
    "num_shared_expert",
    "anyres_pooling_size",
    "attention_head_dim",
    "cla_share_factor",
    "class_num",
    "dense_list",
    "group_limited_greedy",
    "mask_init_id",
    "moe_drop_tokens",
    "moe_random_routing_dropped_token",
    "n_group",
    "org_vocab_size",
    "pool_type",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "topk_group",
    "use_mixed_mlp_moe",
    "v_head_dim",
    "im_end_id",
    "im_newline_id",
    "im_start_id",
    "num_media_embeds",
    "pad_id",
    "text_end_id",
    "text_start_id",
    "video_end_id",
    "video_start_id",
    "eod_token_id",
    "skip_cls_token",
    "use_rotary_pos_emb",
)
"""Keys of published files that the class does not read; those that could say another thing must not."""
LLM_READERS.register(
    LayeredReader(
        name="hunyuan_v1_moe",
        layers=hunyuan_layers,
        knows=IGNORED,
        must_be=(
            *((key, (None,)) for key in ("kv_lora_rank", "q_lora_rank")),
            *((key, (None, False)) for key in ("use_cla", "use_mla")),
            ("use_qk_norm", (None, True)),
            ("moe_layer_num_skipped", (None, 0)),
        ),
    )
)
LLM_READERS.register(
    LayeredReader(
        name="dbrx",
        layers=dbrx_layers,
        knows=("num_key_value_heads",),
        must_be=(("tie_word_embeddings", (None, False)),),
    )
)
sparse(
    "deepseek_ocr2_text",
    attention=AttentionRule(
        qkv_bias=BIAS, o_bias=BIAS, head_size=lambda v: v.count("hidden_size") // v.count("num_attention_heads")
    ),
    experts="n_routed_experts",
    shared=product("n_shared_experts", "moe_intermediate_size"),
    dense=named_alone,
    must_be=(("mlp_bias", (None, False)),),
)
