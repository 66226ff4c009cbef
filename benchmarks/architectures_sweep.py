"""Counts of every causal and image-text architecture of the installed transformers, ours against its own.

Each architecture is made on the meta device, where tensors have shapes and no memory: at its class's default config, at
a reduced one, and at reduced ones in which one switch of the config is turned. Compared are the parameters of the
language model (with its output head) and the numbers that a token leaves in the cache. An architecture is accepted or
refused; what counts is that nothing that is accepted differs.

    python benchmarks/architectures_sweep.py [--only TYPE ...] [--quick]       # needs the extra [vlm]
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from planner.base.errors import SpecError
from planner.parts.configs import read_llm

RESULT = Path(__file__).parent / "results" / "architectures_sweep.json"
TOKENS = 7
"""Of the run whose cache is read; more than the windows of reduced configs, which are 4."""

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
    "bamba": {"attn_layer_indices": [1, 4], "mamba_n_heads": 4, "mamba_d_state": 8, "mamba_chunk_size": 4},
    "granitemoehybrid": {
        "layer_types": ["linear_attention", "full_attention"] * 3,
        "mamba_n_heads": 4,
        "mamba_d_state": 8,
        "mamba_chunk_size": 4,
        "shared_intermediate_size": 40,
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 2]], "window_size": 4},
}
TIMES_MORE = 2
"""How often an unknown switch doubles a number in the turned configs."""


@dataclass(frozen=True)
class Row:
    """One architecture at one config."""

    type: str
    config: str
    """"default", "reduced", or the switch that is turned in the reduced one."""
    accepted: bool
    said: str
    """Why it is refused; "" where it is not."""
    params: int | None
    params_reference: int | None
    """Null where transformers makes no such model here."""
    kv_values: int | None
    """Numbers in the cache after `TOKENS` tokens, states of recurrent layers included."""
    kv_values_reference: int | None

    @property
    def wrong(self) -> bool:
        """Whether it is accepted with a difference."""
        pairs = ((self.params, self.params_reference), (self.kv_values, self.kv_values_reference))
        return self.accepted and any(own != other for own, other in pairs if other is not None)

    @property
    def exact(self) -> bool:
        """Whether it is accepted, and equal in everything that transformers can be asked for."""
        return self.accepted and self.params_reference is not None and not self.wrong


def architectures() -> Iterator[tuple[str, Any]]:
    """Types of models and the class that makes them."""
    import transformers
    from transformers.models.auto import modeling_auto as auto

    causal, image_text = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    yield from ((name, transformers.AutoModelForImageTextToText) for name in image_text)
    yield from ((name, transformers.AutoModelForCausalLM) for name in causal if name not in image_text)


def text_config(config: Any) -> Any:
    """The language model's part of a config."""
    return config.get_text_config(decoder=True)


def default_config(model_type: str) -> Any:
    import transformers

    return transformers.CONFIG_MAPPING[model_type]()


def reduced_config(model_type: str, changes: dict[str, Any] | None = None) -> Any:
    """A small config of the type; towers stay as they are."""
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
    values |= REDUCED_BY_TYPE.get(inner.model_type, {}) | (changes or {})
    values = {names.get(key, key): value for key, value in values.items()}
    if own is cls:
        return cls(**values)
    outer = {"tie_word_embeddings": values["tie_word_embeddings"]} if "tie_word_embeddings" in (changes or {}) else {}
    return cls(text_config={"model_type": inner.model_type, **values}, **outer)


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


def made(config: Any, auto: Any) -> Any:
    with torch.device("meta"):
        return auto.from_config(config, attn_implementation="eager").eval()


def decoder_of(model: Any) -> Any:
    """The language model without its output head."""
    inner = getattr(model, "model", model)
    found = getattr(inner, "language_model", None) or getattr(inner, "text_model", None)
    return model.base_model if found is None else getattr(found, "model", found)


def language_model(model: Any) -> list[Any]:
    """Modules that make the language model: its decoder, and the output head."""
    decoder, head = decoder_of(model), model.get_output_embeddings()
    parts = [one for name, one in decoder.named_children() if name != "embed_tokens_extend"]
    return [*parts, *decoder.parameters(recurse=False), *([] if head is None else [head])]


def reference_params(model: Any) -> int:
    """Distinct parameters of the language model."""
    found = {
        id(weight): weight.numel()
        for one in language_model(model)
        for weight in ([one] if torch.is_tensor(one) else one.parameters())
    }
    return sum(found.values())


def reference_kv(model: Any, config: Any) -> int | None:
    """Numbers in the cache after a run; None where the model does not run on the meta device.

    Routing depends on numbers, which the meta device has not: mixtures of experts hand their input on.
    """
    import transformers

    decoder = decoder_of(model)
    ids = torch.zeros((1, TOKENS), dtype=torch.long, device="meta")
    positions = torch.arange(TOKENS, device="meta")[None]
    for yields in (lambda hidden: hidden, lambda hidden: (hidden, None)):
        for module in decoder.modules():
            if any(name == "experts" for name, _ in module.named_children()):
                module.forward = _idle(yields)
        for key, further in (
            ("past_key_values", {}),
            ("past_key_values", {"position_ids": positions}),
            ("cache_params", {}),
        ):
            cache = transformers.DynamicCache(config=text_config(config))
            try:
                with torch.no_grad():
                    decoder(input_ids=ids, use_cache=True, **{key: cache}, **further)
            except Exception:
                if DEBUG:
                    print(traceback.format_exc()[-300:])
                continue
            return cached_values(cache)
    return None


DEBUG = False


def _idle(yields: Any) -> Any:
    def forward(hidden_states: Any, *rest: Any, **further: Any) -> Any:
        return yields(hidden_states)

    return forward


def cached_values(cache: Any) -> int | None:
    """Numbers that a cache of transformers holds."""
    if not hasattr(cache, "layers"):
        return None
    tensors = [
        one
        for layer in cache.layers
        for name in ("keys", "values", "indexer_keys", "conv_states", "recurrent_states")
        for one in _tensors(getattr(layer, name, None))
    ]
    return sum(one.numel() for one in tensors) if tensors else None


def _tensors(thing: Any) -> Iterator[Any]:
    if torch.is_tensor(thing):
        yield thing
    elif isinstance(thing, dict):
        for one in thing.values():
            yield from _tensors(one)
    elif isinstance(thing, list | tuple):
        for one in thing:
            yield from _tensors(one)


def our_kv(llm: Any) -> int:
    """Numbers in the cache after `TOKENS` tokens. Between two steps transformers keeps one token less than a window
    holds: the next one takes its place."""
    found = 0.0
    for cache in llm.caches():
        found += cache.values_per_token * min(TOKENS, cache.window - 1) + cache.constant_values
    return int(found)


def row(model_type: str, auto: Any, name: str, config: Any) -> Row:
    """One architecture at one config. Raises nothing but what our own reader raises by mistake."""
    accepted, said, llm = True, "", None
    try:
        llm = read_llm(model_type, as_file(config), model_type=model_type)
    except SpecError as error:
        accepted, said = False, str(error)
    params = kv = None
    if accepted:  # what is refused needs no reference
        try:
            model = made(config, auto)
            params, kv = reference_params(model), reference_kv(model, config)
        except Exception as error:
            said = f"transformers: {type(error).__name__}: {str(error)[:100]}"
    own = (None, None) if llm is None else (llm.params, our_kv(llm))
    return Row(model_type, name, accepted, said, own[0], params, own[1], kv)


def rows(model_type: str, auto: Any, quick: bool = False) -> Iterator[Row]:
    """An architecture at all its configs."""
    accepted = False
    for name, make in (("default", default_config), ("reduced", reduced_config)):
        try:
            config = make(model_type)
        except Exception as error:
            said = f"transformers: no {name} config: {type(error).__name__}"
            yield Row(model_type, name, False, said, None, None, None, None)
            continue
        found = row(model_type, auto, name, config)
        accepted = found.accepted
        yield found
    if quick or not accepted:
        return
    for name, change in switches(model_type):
        try:
            config = reduced_config(model_type, change)
        except Exception:  # transformers refuses the value
            continue
        yield row(model_type, auto, name, config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    import transformers

    logging: Any = transformers.logging
    logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    table: list[Row] = []
    tracebacks: list[str] = []
    for model_type, auto in architectures():
        if options.only and model_type not in options.only:
            continue
        try:
            table += list(rows(model_type, auto, options.quick))
        except Exception:
            tracebacks.append(f"{model_type}: {traceback.format_exc()}")
    for found in table:
        if found.wrong:
            print("WRONG", json.dumps(asdict(found)))
    print("\n".join(tracebacks))
    first = [one for one in table if one.config == "default"]
    report = {
        "transformers": transformers.__version__,
        "architectures": len(first),
        "accepted": sum(
            any(o.accepted for o in table if o.type == one.type and o.config in ("default", "reduced")) for one in first
        ),
        "exact": len({one.type for one in table if one.exact}),
        "wrong": sum(one.wrong for one in table),
        "tracebacks": len(tracebacks),
        "configs": len(table),
        "configs_with_kv_compared": sum(one.kv_values_reference is not None for one in table if one.accepted),
    }
    print(json.dumps(report, indent=1))
    if not options.only:
        kept = [asdict(one) for one in table if one.config in ("default", "reduced")]
        RESULT.write_text(json.dumps({**report, "rows": kept}, indent=1) + "\n", encoding="utf-8")
    sys.exit(bool(report["wrong"] or tracebacks))


if __name__ == "__main__":
    main()
