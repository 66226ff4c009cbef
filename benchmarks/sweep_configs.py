"""Configs of the architectures of the installed transformers: default, reduced, and reduced with one key changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from sweep_reference import text_config

HALF = ["linear_attention", "full_attention"] * 3
STATE = {"mamba_n_heads": 4, "mamba_d_state": 8, "mamba_chunk_size": 4}
REDUCED = {
    "num_hidden_layers": 6,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 200,
    "max_position_embeddings": 64,
    "sliding_window": 4,
    "moe_intermediate_size": 24,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_k": 2,
    "shared_expert_intermediate_size": 40,
    "attention_chunk_size": 4,
    "n_group": 1,
    "topk_group": 1,
    "num_kv_shared_layers": 1,
    "vocab_size_per_layer_input": 120,
    "hidden_size_per_layer_input": 8,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "altup_num_inputs": 3,
    "layer_types": None,
    "mlp_layer_types": None,
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
    "d_model": 64,
    "n_layers": 3,
    "n_heads": 4,
    "n_embd": 64,
    "n_layer": 3,
    "n_head": 4,
    "ffn_dim": 96,
    "num_layers": 4,
    "num_heads": 4,
    "rotary_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""Values of a reduced config, where its class has the field."""
REDUCED_BY_TYPE: dict[str, dict[str, Any]] = {
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 3},
    "bamba": {"attn_layer_indices": [1, 4], **STATE},
    "granitemoehybrid": {"layer_types": HALF, **STATE, "shared_intermediate_size": 40},
    "falcon_h1": {**STATE, "mamba_d_ssm": 48, "mamba_d_head": 12},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]], "window_size": 4},
    "mamba2": {"num_heads": 8, "head_dim": 16, "state_size": 8},
    "nemotron_h": {
        "layers_block_type": ["linear_attention", "mlp", "full_attention", "moe"],
        "mamba_num_heads": 4,
        "mamba_head_dim": 12,
        "n_groups": 2,
        "moe_shared_expert_intermediate_size": 40,
    },
    "kimi_linear": {"linear_head_dim": 8, "linear_num_heads": 3},
    "deepseek_v32": {"index_topk": 5, "index_head_dim": 16, "index_n_heads": 3},
    "glm_moe_dsa": {"index_topk": 5, "index_head_dim": 16, "index_n_heads": 3},
    "hunyuan_v1_dense": {"head_dim": 16},
    "hunyuan_v1_moe": {"head_dim": 16, "moe_topk": 2},
    "granite_docling_text": {"hidden_size": 1024},
    "deepseek_ocr2_text": {"mlp_layer_types": ["dense", *["sparse"] * 5], "num_experts_per_tok": 2},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8, "rope_theta": 10000.0},
        "ffn_config": {"ffn_hidden_size": 24, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "chameleon": {"vocabulary_map": {"<image>": 3}},
    "hunyuan_vl_text": {"head_dim": 16},
    "ministral": {"head_dim": 16},
    "nemotron": {"head_dim": 16, "num_key_value_heads": 2},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {"n_routed_experts": 4},
    "laguna": {"num_attention_heads_per_layer": None},
    "cosmos3_edge_text": {"head_dim": 128},
}
"""Further values, for types whose class's own do not go with the others."""
BESIDE_BY_TYPE: dict[str, dict[str, Any]] = {
    "granite4_vision": {"granite4_vision": {"deepstack_layer_map": [[-1, 0]], "spatial_target_layers": [1, 2, 3, 4]}}
}
"""Values beside a nested language model that its class cannot do without."""
TIMES_MORE = 2
"""How often an unknown switch doubles a number in the turned configs."""

SIX = range(6)
STRANGE: dict[str, tuple[Any, ...]] = {
    "head_dim": (8, None),
    "num_key_value_heads": (1, 2, 4, None),
    "num_attention_heads": (8,),
    "hidden_size": (60,),
    "num_hidden_layers": (5,),
    "intermediate_size": (80, None),
    "vocab_size": (208,),
    "max_position_embeddings": (32,),
    "sliding_window": (4, None),
    "use_sliding_window": (True, False),
    "max_window_layers": (0, 2),
    "sliding_window_pattern": (2,),
    "attention_chunk_size": (4,),
    "layer_types": (
        None,
        ["full_attention" for _ in SIX],
        ["sliding_attention" for _ in SIX],
        ["sliding_attention", "full_attention"] * 3,
        ["full_attention"] * 5,
        ["full_attention"] * 7,
    ),
    **dict.fromkeys(
        (
            "attention_bias",
            "mlp_bias",
            "qkv_bias",
            "use_bias",
            "bias",
            "lm_head_bias",
            "use_qk_norm",
            "qk_layernorm",
            "qk_norm",
            "tie_embedding",
            "is_encoder_decoder",
            "add_cross_attention",
            "new_decoder_architecture",
            "use_double_wide_mlp",
            "attention_k_eq_v",
            "use_post_norm",
            "conv_bias",
            "prefix_lm",
        ),
        (True,),
    ),
    **dict.fromkeys(("no_bias", "parallel_attn", "multi_query"), (False,)),
    **dict.fromkeys(("attn_output_gate", "use_parallel_residual", "use_bidirectional_attention"), (True, False)),
    "tie_word_embeddings": (True, False, None),
    **dict.fromkeys(("ffn_dim", "n_inner", "ffn_hidden_size", "embedding_size"), (80,)),
    **dict.fromkeys(("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"), (8,)),
    "num_experts_per_tok": (1,),
    "moe_intermediate_size": (32,),
    **dict.fromkeys(("n_shared_experts", "num_shared_experts", "moe_layer_freq", "decoder_sparse_step"), (2,)),
    "shared_expert_intermediate_size": (32,),
    "first_k_dense_replace": (2,),
    **dict.fromkeys(("mlp_only_layers", "moe_layers", "cross_attention_layers"), ([1],)),
    "mlp_layer_types": (["dense" for _ in SIX], ["sparse" for _ in SIX]),
    "kv_lora_rank": (16,),
    "q_lora_rank": (16, None),
    **dict.fromkeys(("qk_rope_head_dim", "v_head_dim", "global_head_dim"), (8,)),
    "qk_head_dim": (24,),
    **dict.fromkeys(("num_kv_shared_layers", "num_kv_heads", "conv_L_cache"), (2,)),
    "num_global_key_value_heads": (1,),
    "rope_scaling": (None, {"type": "linear", "factor": 2.0}),
    "rope_theta": (1e6,),
    "rope_parameters": (None,),
    "partial_rotary_factor": (0.5,),
    **dict.fromkeys(("num_nextn_predict_layers", "mtp_num_hidden_layers", "interleave_moe_layer_step"), (1,)),
    "hybrid_override_pattern": ("M*-M*-",),
    **dict.fromkeys(("attn_layer_indices", "full_attn_idxs"), ([0, 1],)),
    "no_rope_layers": ([1, 0] * 3,),
    **dict.fromkeys(("n_layer", "n_layers"), (5,)),
    **dict.fromkeys(("n_embd", "d_model", "n_positions", "n_ctx"), (32,)),
    **dict.fromkeys(("n_head", "n_heads", "pretraining_tp"), (2,)),
    "torch_dtype": ("float32",),
    "dtype": ("float32", None),
    "mamba_d_state": (16,),
    "unknown_size": (7,),
}
"""Keys of one family that files of another carry, and values that are none."""
BESIDE = ("tie_word_embeddings", "torch_dtype", "dtype", "head_dim", "num_hidden_layers", "hidden_size")
"""Those that are put beside a nested language model too."""


def architectures() -> Iterator[tuple[str, Any]]:
    """Types of models and the class that makes them."""
    import transformers
    from transformers.models.auto import modeling_auto as auto

    causal, image_text = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    yield from ((name, transformers.AutoModelForImageTextToText) for name in image_text)
    yield from ((name, transformers.AutoModelForCausalLM) for name in causal if name not in image_text)


def default_config(model_type: str) -> Any:
    import transformers

    return transformers.CONFIG_MAPPING[model_type]()


def reduced_config(model_type: str, changes: dict[str, Any] | None = None) -> Any:
    """A small config of the type; towers stay as they are, but for their layers."""
    import transformers

    cls: Any = transformers.CONFIG_MAPPING[model_type]
    inner = text_config(cls())
    own = type(inner)
    names = {**{one: one for one in own.__dataclass_fields__}, **own.attribute_map}
    values = {key: value for key, value in REDUCED.items() if key in own.__dataclass_fields__}
    values = {
        key: value
        for key, value in values.items()
        if _value(inner, key) is not None or key == "hidden_size" or key.endswith(("types", "token_id"))
    }
    if "kv_lora_rank" in values:
        values["num_key_value_heads"] = values["num_attention_heads"]
    values |= REDUCED_BY_TYPE.get(inner.model_type, {}) | (changes or {})
    values = {names.get(key, key): value for key, value in values.items()}
    if own is cls:
        return cls(**values)
    outer = {"tie_word_embeddings": values["tie_word_embeddings"]} if "tie_word_embeddings" in (changes or {}) else {}
    outer |= BESIDE_BY_TYPE.get(model_type, {})
    found = cls(text_config={"model_type": inner.model_type, **values}, **outer)
    tower = getattr(found, "vision_config", None)
    for key in ("num_hidden_layers", "depth", "num_layers"):
        if isinstance(getattr(tower, key, None), int):
            with suppress(Exception):  # of a class in which layers are named one by one
                setattr(tower, key, 2)
    return found


def _value(config: Any, key: str) -> Any:
    """A value of a config; of one that differs by layer the common one."""
    try:
        return getattr(config, key, None)
    except Exception:
        return config.to_dict().get(key)


def as_file(config: Any) -> dict[str, Any]:
    """What save_pretrained would write: the difference from the class's defaults."""
    found: dict[str, Any] = json.loads(config.to_json_string(use_diff=True))
    return found


def switches(model_type: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Changes to a reduced config: each field of true or false turned, each count that is not a token's made larger."""
    inner = text_config(reduced_config(model_type))
    for key in type(inner).__dataclass_fields__:
        value = _value(inner, key)
        if key.endswith(("_token_id", "_token_index")) or key in ("transformers_version", "is_encoder_decoder"):
            continue
        if isinstance(value, bool):
            yield f"{key}={not value}", {key: not value}
        elif isinstance(value, int):
            yield f"{key}={TIMES_MORE * value}", {key: TIMES_MORE * value}
        elif value is None and not key.endswith("types"):
            yield f"{key}=2", {key: 2}
            yield f"{key}=True", {key: True}


def strange(base: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Files that differ in one key from a reduced one: each of its own keys null, and keys of other families."""
    nested = isinstance(base.get("text_config"), dict)
    own = base["text_config"] if nested else base
    changes = [(key, None) for key in own if key not in ("model_type", "text_config")]
    changes += [(key, value) for key, values in STRANGE.items() for value in values]
    for key, value in changes:
        found = copy.deepcopy(base)
        (found["text_config"] if nested else found)[key] = value
        yield f"{key}: {json.dumps(value)}", found
        if nested and key in BESIDE:
            yield f"beside, {key}: {json.dumps(value)}", copy.deepcopy(base) | {key: value}
