"""A spec from the values of a Hugging Face config: one reader for the catalogue and for any config.json.

Sizes must stand in the config. What else it leaves out (tied embeddings, biases) is the default of its transformers
class; what the class fixes in code (which layers have biases, how many norms) stands in `_CONVENTIONS`, read off
transformers 5.23.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.models.specs import LlmSpec, VisionSpec


@dataclass(frozen=True)
class _Convention:
    """What a transformers class fixes in code."""

    tied_embeddings: bool = False
    """Default where the config does not say."""
    gated_mlp: bool = True
    qkv_bias: bool | None = False
    """None: as the config's `attention_bias` says."""
    o_bias: bool | None = False
    mlp_bias: bool | None = False
    """None: as the config's `mlp_bias` says."""
    head_bias: bool = False
    norms_per_layer: int = 2
    norm_has_bias: bool = False
    qk_norm: bool = False


_CONVENTIONS = {
    "llama": _Convention(qkv_bias=None, o_bias=None, mlp_bias=None),
    "mistral": _Convention(),
    "qwen2": _Convention(qkv_bias=True),
    "qwen3": _Convention(qkv_bias=None, o_bias=None, qk_norm=True),
    "gemma": _Convention(tied_embeddings=True, qkv_bias=None, o_bias=None),
    "gemma2": _Convention(tied_embeddings=True, qkv_bias=None, o_bias=None, norms_per_layer=4),
    "gemma3_text": _Convention(tied_embeddings=True, qkv_bias=None, o_bias=None, norms_per_layer=4, qk_norm=True),
    "phi": _Convention(
        gated_mlp=False,
        qkv_bias=True,
        o_bias=True,
        mlp_bias=True,
        head_bias=True,
        norms_per_layer=1,
        norm_has_bias=True,
    ),
    "phi3": _Convention(),
}
_UNLIKE = {
    "num_experts": "a mixture of experts",
    "num_local_experts": "a mixture of experts",
    "n_routed_experts": "a mixture of experts",
    "kv_lora_rank": "multi-head latent attention",
    "ssm_cfg": "a state-space model",
    "mamba_d_state": "a state-space hybrid",
    "linear_num_value_heads": "a linear-attention hybrid",
    "encoder_layers": "an encoder-decoder",
}
VISION_TYPES = ("clip_vision_model", "siglip_vision_model")


def llm_spec(
    name: str,
    config: Mapping[str, Any],
    *,
    family: str = "",
    model_type: str = "",
    nominal_params: float | None = None,
    hf_id: str = "",
    source: str = "",
) -> LlmSpec:
    """The spec of a dense decoder-only transformer from its config values.

    Args:
        name: what to call it.
        config: the values of a config.json; a vision-language model's `text_config` is used where there is one.
        family: defaults to the name.
        model_type: overrides the config's own.
        nominal_params: size in the model's name; the exact count if it is not known.
        hf_id: repository on the hub.
        source: where the values come from.

    Raises:
        SpecError: a value is missing or no count, or the architecture is not a dense decoder.
    """
    if isinstance(config.get("text_config"), Mapping):
        config = config["text_config"]
    model_type = model_type or str(config.get("model_type", ""))
    for key, what in _UNLIKE.items():
        if config.get(key) and not (key.startswith("num_") and config[key] == 1):
            raise SpecError(f"{name}: {key} says that this is {what}; costs are known for dense decoder-only models")
    convention = _CONVENTIONS.get(model_type)
    notes: tuple[str, ...] = ()
    if convention is None:
        convention = _Convention(qkv_bias=None, o_bias=None, mlp_bias=None)
        notes = (f"{name}: model type {shown(model_type)} is not known, counted as a Llama-like decoder",)
    hidden_size = _count(config, "hidden_size", name)
    num_heads = _count(config, "num_attention_heads", name)
    head_dim = _count(config, "head_dim", name, hidden_size // num_heads)
    attention_bias, mlp_bias = bool(config.get("attention_bias", False)), bool(config.get("mlp_bias", False))
    norm = hidden_size * (2 if convention.norm_has_bias else 1)
    spec = LlmSpec(
        name=name,
        family=family or name,
        model_type=model_type,
        nominal_params=0.0,
        hidden_size=hidden_size,
        intermediate_size=_count(config, "intermediate_size", name),
        num_layers=_count(config, "num_hidden_layers", name),
        num_heads=num_heads,
        num_kv_heads=_count(config, "num_key_value_heads", name, num_heads),
        head_dim=head_dim,
        vocab_size=_count(config, "vocab_size", name),
        tied_embeddings=bool(config.get("tie_word_embeddings", convention.tied_embeddings)),
        gated_mlp=convention.gated_mlp,
        qkv_bias=attention_bias if convention.qkv_bias is None else convention.qkv_bias,
        o_bias=attention_bias if convention.o_bias is None else convention.o_bias,
        mlp_bias=mlp_bias if convention.mlp_bias is None else convention.mlp_bias,
        head_bias=convention.head_bias,
        norm_params_per_layer=convention.norms_per_layer * norm + (2 * head_dim if convention.qk_norm else 0),
        final_norm_params=norm,
        hf_id=hf_id,
        source=source,
        notes=notes,
    )
    if nominal_params is None:
        notes += (f"{name}: no size in its name, so its exact count of parameters enters the law",)
    return replace(spec, nominal_params=float(nominal_params or spec.params), notes=notes)


def vision_spec(
    name: str,
    config: Mapping[str, Any],
    *,
    model_type: str = "",
    params: int = 0,
    hf_id: str = "",
    source: str = "",
) -> VisionSpec:
    """The spec of a CLIP or SigLIP tower from its config values. Raises SpecError."""
    if isinstance(config.get("vision_config"), Mapping):
        config = config["vision_config"]
    model_type = model_type or str(config.get("model_type", ""))
    if model_type not in VISION_TYPES:
        raise SpecError(f"{name}: model type {shown(model_type)} is no vision tower of {' or '.join(VISION_TYPES)}")

    def count(key: str) -> int:
        return _count(config, key, name, kind="vision tower")

    spec = VisionSpec(
        name=name,
        model_type=model_type,
        hidden_size=count("hidden_size"),
        intermediate_size=count("intermediate_size"),
        num_layers=count("num_hidden_layers"),
        num_heads=count("num_attention_heads"),
        image_size=count("image_size"),
        patch_size=count("patch_size"),
        class_token=model_type.startswith("clip"),
        params=params,
        hf_id=hf_id,
        source=source,
    )
    if spec.grid_side < 1 or spec.num_layers < 2:
        raise SpecError(
            f"{name}: expected a patch that fits the image and at least two layers, got an image of {spec.image_size}, "
            f"patches of {spec.patch_size} and {spec.num_layers} layers"
        )
    return spec


def _count(
    config: Mapping[str, Any], key: str, name: str, default: int | None = None, kind: str = "decoder-only model"
) -> int:
    value = config.get(key)
    if value is None:
        value = default
    if value is None:
        raise SpecError(f"{name}: the config has no {key!r}; expected the config.json of a {kind}")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SpecError(f"{name}: expected {key!r} to be a whole number of at least 1, got {shown(value)}")
    return value
