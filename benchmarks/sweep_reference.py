"""What transformers itself counts, on the meta device, where tensors have shapes and no memory."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch

TOKENS = 7
"""Of the run whose cache is read; more than the windows of reduced configs, which are 4."""


def text_config(config: Any) -> Any:
    """The language model's part of a config."""
    return config.get_text_config(decoder=True)


def made(config: Any, auto: Any) -> Any:
    """The model without weights."""
    with torch.device("meta"):
        return auto.from_config(config, attn_implementation="eager").eval()


def decoder_of(model: Any) -> Any:
    """The language model without its output head."""
    inner = getattr(model, "model", model)
    found = getattr(inner, "language_model", None) or getattr(inner, "text_model", None)
    return model.base_model if found is None else getattr(found, "model", found)


def reference_params(model: Any) -> int:
    """Distinct parameters of the language model, its output head included."""
    decoder, head = decoder_of(model), model.get_output_embeddings()
    if head is None:  # a language model that is whole within the other keeps its head
        inner = getattr(model, "language_model", None)
        head = None if inner is None else inner.get_output_embeddings()
    parts = [one for name, one in decoder.named_children() if name not in ("embed_tokens_extend", "vqmodel")]
    modules = [*parts, *([] if head is None else [head])]
    weights = [*decoder.parameters(recurse=False), *(one for part in modules for one in part.parameters())]
    return sum({id(weight): weight.numel() for weight in weights}.values())


def reference_kv(model: Any, config: Any) -> int | None:
    """Numbers in the cache after a run; None where the model does not run on the meta device.

    Routing depends on numbers, which the meta device has not: mixtures of experts hand their input on.
    """
    decoder = decoder_of(model)
    ids = torch.zeros((1, TOKENS), dtype=torch.long, device="meta")
    positions = torch.arange(TOKENS, device="meta")[None]
    key = "cache_params" if "cache_params" in inspect.signature(decoder.forward).parameters else "past_key_values"
    for module in decoder.modules():
        if getattr(module, "mrope_section", None) is not None:  # shares of a head, for heads of the class's own size
            third = module.inv_freq.numel() // 3
            module.mrope_section = [module.inv_freq.numel() - 2 * third, third, third]
    for yields in (lambda hidden: hidden, lambda hidden: (hidden, None)):
        for module in decoder.modules():
            if any(name == "experts" for name, _ in module.named_children()):
                module.forward = _idle(yields)
        for further in ({}, {"position_ids": positions}, {"attention_mask": torch.ones_like(ids)}):
            for cache in _caches(config):
                given = {} if cache is None else {key: cache}
                try:
                    with torch.no_grad():
                        out = decoder(input_ids=ids, use_cache=True, **given, **further)
                except Exception:
                    continue
                return cached_values(getattr(out, key) if cache is None else cache)
    return None


def _caches(config: Any) -> Iterator[Any]:
    """An empty cache, and none, for a model that makes its own."""
    import transformers

    with suppress(Exception):  # of a config that makes no such cache
        yield transformers.DynamicCache(config=text_config(config))
    yield None


def _idle(yields: Any) -> Any:
    def forward(hidden_states: Any, *rest: Any, **further: Any) -> Any:
        return yields(hidden_states)

    return forward


def cached_values(cache: Any) -> int | None:
    """Numbers that a cache of transformers holds."""
    if not hasattr(cache, "layers"):
        return None
    names = ("keys", "values", "indexer_keys", "conv_states", "recurrent_states")
    kept = [getattr(layer, name, None) for layer in cache.layers for name in names]
    tensors = list(_tensors([*kept, getattr(cache, "linear_cache", None)]))
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
