"""Dense decoders: what their transformers classes (5.23) fix in code, and what their configs say.

Sizes must stand in the config. What else it leaves out (tied embeddings, biases) is the default of its class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from planner.base.errors import SpecError
from planner.parts.configs.reader import LLM_READERS, Labels, LlmReader, count
from planner.parts.configs.windows import Rule, all_but_every, everywhere, from_layer_on
from planner.parts.llms import Dense

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


@dataclass(frozen=True, kw_only=True)
class DenseReader(LlmReader):
    """One type of dense decoder."""

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
    windows: Rule | None = None
    """Which layers have one; None: none, whatever the config says."""

    def read(self, config: Mapping[str, Any], labels: Labels) -> Dense:
        """A dense decoder. Raises SpecError for a value that is missing or no count, or where a key of the config says
        that this is no dense decoder."""
        name = labels.name
        for key, what in _UNLIKE.items():
            if config.get(key) and not (key.startswith("num_") and config[key] == 1):
                raise SpecError(
                    f"{name}: {key} says that this is {what}; costs are known for dense decoder-only models"
                )
        hidden_size = count(config, "hidden_size", name)
        num_heads = count(config, "num_attention_heads", name)
        head_dim = count(config, "head_dim", name, hidden_size // num_heads)
        layers = count(config, "num_hidden_layers", name)
        attention_bias, mlp_bias = bool(config.get("attention_bias", False)), bool(config.get("mlp_bias", False))
        norm = hidden_size * (2 if self.norm_has_bias else 1)
        found = Dense(
            name=name,
            family=labels.family or name,
            model_type=self.name,
            nominal_params=0.0,
            hidden_size=hidden_size,
            intermediate_size=count(config, "intermediate_size", name),
            num_layers=layers,
            num_heads=num_heads,
            num_kv_heads=count(config, "num_key_value_heads", name, num_heads),
            head_dim=head_dim,
            vocab_size=count(config, "vocab_size", name),
            tied_embeddings=bool(config.get("tie_word_embeddings", self.tied_embeddings)),
            gated_mlp=self.gated_mlp,
            qkv_bias=attention_bias if self.qkv_bias is None else self.qkv_bias,
            o_bias=attention_bias if self.o_bias is None else self.o_bias,
            mlp_bias=mlp_bias if self.mlp_bias is None else self.mlp_bias,
            head_bias=self.head_bias,
            qk_norm=self.qk_norm,
            norm_params_per_layer=self.norms_per_layer * norm + (2 * head_dim if self.qk_norm else 0),
            final_norm_params=norm,
            windows=() if self.windows is None else self.windows(config, layers, name),
            hf_id=labels.hf_id,
            source=labels.source,
        )
        notes: tuple[str, ...] = ()
        if labels.nominal_params is None:
            notes = (f"{name}: no size in its name, so its exact count of parameters enters the law",)
        return replace(found, nominal_params=float(labels.nominal_params or found.params), notes=notes)


for reader in (
    DenseReader(name="llama", qkv_bias=None, o_bias=None, mlp_bias=None),
    DenseReader(name="mistral", windows=everywhere(4096)),
    DenseReader(name="qwen2", qkv_bias=True, windows=from_layer_on),
    DenseReader(name="qwen3", qkv_bias=None, o_bias=None, qk_norm=True, windows=from_layer_on),
    DenseReader(name="gemma", tied_embeddings=True, qkv_bias=None, o_bias=None),
    DenseReader(
        name="gemma2",
        tied_embeddings=True,
        qkv_bias=None,
        o_bias=None,
        norms_per_layer=4,
        windows=all_but_every(2, 4096),
    ),
    DenseReader(
        name="gemma3_text",
        tied_embeddings=True,
        qkv_bias=None,
        o_bias=None,
        norms_per_layer=4,
        qk_norm=True,
        windows=all_but_every(6, 4096),
    ),
    DenseReader(
        name="phi",
        gated_mlp=False,
        qkv_bias=True,
        o_bias=True,
        mlp_bias=True,
        head_bias=True,
        norms_per_layer=1,
        norm_has_bias=True,
    ),
    DenseReader(name="phi3", windows=everywhere(None)),
):
    LLM_READERS.register(reader)
