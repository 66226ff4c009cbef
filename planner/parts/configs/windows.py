"""Which layers see how many tokens, by the rules of the transformers classes (5.23)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.configs.reader import count

Windows: TypeAlias = tuple[int | None, ...]
Rule: TypeAlias = Callable[[Mapping[str, Any], int, str], Windows]
"""(config, layers, name of the model) -> the window of each layer, None for all tokens."""

_SLIDING, _FULL = "sliding_attention", "full_attention"


def everywhere(default: int | None) -> Rule:
    """Every layer has the config's window, or the default of its class (Mistral, Phi-3)."""

    def rule(config: Mapping[str, Any], layers: int, name: str) -> Windows:
        return _all_alike(_window(config, default, name), layers)

    return rule


def from_layer_on(config: Mapping[str, Any], layers: int, name: str) -> Windows:
    """Where `use_sliding_window` is set, the layers from `max_window_layers` on (Qwen2, Qwen3)."""
    if not config.get("use_sliding_window", False):
        return ()
    window = _window(config, 4096, name)
    first = config.get("max_window_layers", 28)
    if isinstance(first, bool) or not isinstance(first, int) or first < 0:
        raise SpecError(f"{name}: expected 'max_window_layers' to be a whole number from 0 on, got {shown(first)}")
    return _by_layer(config, layers, name, window, lambda layer: layer >= first)


def all_but_every(period: int, default: int) -> Rule:
    """All layers but each `period`-th (Gemma 2: every other one; Gemma 3: five of six)."""

    def rule(config: Mapping[str, Any], layers: int, name: str) -> Windows:
        if config.get("use_bidirectional_attention"):
            raise SpecError(f"{name}: attention to later tokens (use_bidirectional_attention) has no known cost")
        own = count(config, "sliding_window_pattern", name, period)
        return _by_layer(config, layers, name, _window(config, default, name), lambda layer: (layer + 1) % own != 0)

    return rule


def _by_layer(
    config: Mapping[str, Any], layers: int, name: str, window: int | None, slides: Callable[[int], bool]
) -> Windows:
    """By `layer_types` where the config has them, else by the class's rule."""
    if window is None:
        return ()
    types = config.get("layer_types")
    if types is None:
        return tuple(window if slides(layer) else None for layer in range(layers))
    if not isinstance(types, list | tuple) or len(types) != layers or not set(types) <= {_SLIDING, _FULL}:
        raise SpecError(
            f"{name}: layer_types: expected {_SLIDING!r} or {_FULL!r} for each of {layers} layers, got {shown(types)}"
        )
    return tuple(window if one == _SLIDING else None for one in types)


def _window(config: Mapping[str, Any], default: int | None, name: str) -> int | None:
    if config.get("sliding_window", default) is None:
        return None
    return count(config, "sliding_window", name, default)


def _all_alike(window: int | None, layers: int) -> Windows:
    return () if window is None else (window,) * layers
