"""KV caches that calls start from, brought back to where they were without running the model again.

A dynamic cache grows by new tensors, so that calls share what it held before, but for states of recurrent layers, which
are copied; a static one is written in place, so that its length is set back. Where layers look at a window only, both
are exact up to a full window; behind it, a static one keeps the right shapes and work, not the right contents.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import DynamicCache, StaticCache

Cache = Any
"""Of transformers, dynamic or static."""
_KEPT = 2


class Caches:
    """Of one language model and batch."""

    def __init__(
        self,
        config: PreTrainedConfig,
        batch: int,
        like: Tensor,
        fill: Callable[[Cache, int], object],
        *,
        static: bool,
    ) -> None:
        """Remembers how to make caches.

        Args:
            config: of the language model.
            batch: rows.
            like: a tensor on the device and in the precision of the cache.
            fill: runs the model over so many tokens more.
            static: whether caches are of a fixed length.
        """
        self._config, self._batch, self._like, self._fill, self._static = config, batch, like, fill, static
        self._dynamic: dict[int, Cache] = {}
        self._fixed: dict[str, Cache] = {}

    def at(self, purpose: str, tokens: int, room: int) -> Cache:
        """A cache that holds `tokens` and may take `room` more.

        Args:
            purpose: what it is for: there is one static cache for each, at the same addresses every time.
            tokens: that were there before.
            room: that a static cache must have beyond them; the same at every call.
        """
        if not self._static:
            return self._grown(tokens)
        cache = self._fixed.get(purpose)
        if cache is None:
            cache = self._fixed[purpose] = self._fixed_length(tokens + room)
            if tokens:
                self._fill(cache, tokens)
        for layer in cache.layers:
            layer.cumulative_length.fill_(tokens)
            if hasattr(layer, "cumulative_length_int"):  # of layers with a window
                layer.cumulative_length_int = tokens
        return cache

    @property
    def tensors(self) -> list[Tensor]:
        """Keys, values and states that are kept."""
        return [value for cache in (*self._dynamic.values(), *self._fixed.values()) for value in held(cache)]

    def _grown(self, tokens: int) -> Cache:
        if not tokens:
            return DynamicCache(config=self._config)
        if tokens not in self._dynamic:
            while len(self._dynamic) >= _KEPT:
                del self._dynamic[next(iter(self._dynamic))]
            cache = DynamicCache(config=self._config)
            self._fill(cache, tokens)
            self._dynamic[tokens] = cache
        base = self._dynamic[tokens]
        twin = copy.copy(base)
        twin.layers = [_twin(layer) for layer in base.layers]
        return twin

    def _fixed_length(self, length: int) -> Cache:
        config: Any = self._config
        cache: Cache = StaticCache(config=config, max_cache_len=length)
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        cache.early_initialization(self._batch, heads, size, self._like.dtype, self._like.device)
        return cache


def cache_bytes(cache: Cache) -> int:
    """Of its keys, values and states."""
    return sum(value.numel() * value.element_size() for value in held(cache))


def static_bytes(cache: Cache, tokens: int) -> int:
    """Of the keys and values of a static cache, had it room for so many tokens and no spare ones."""
    found = 0
    for layer in cache.layers:
        for value in (layer.keys, layer.values):
            length = value.shape[-2]  # of a layer with a window, that of the window
            found += value.numel() * value.element_size() // length * min(length, tokens)
    return found


def held(cache: Cache) -> list[Tensor]:
    """Keys and values of a cache; of layers that keep a state instead, or besides, that too."""
    found = [
        value
        for layer in cache.layers
        for value in (
            *(getattr(layer, name, None) for name in ("keys", "values")),
            *(state for name in _STATES for state in getattr(layer, name, {}).values()),
        )
    ]
    return [value for value in found if isinstance(value, Tensor)]


_STATES = ("conv_states", "recurrent_states")


def _twin(layer: Any) -> Any:
    """A layer that grows apart from another; states are written in place, so each needs its own."""
    twin = copy.copy(layer)
    for name, value in vars(layer).items():
        if isinstance(value, dict):
            setattr(twin, name, {key: one.clone() if isinstance(one, Tensor) else one for key, one in value.items()})
    return twin
