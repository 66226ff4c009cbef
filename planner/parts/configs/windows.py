"""Which layers see how many tokens, by the rules of the transformers classes (5.23)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from planner.base.errors import SpecError
from planner.parts.configs.values import Values

Windows: TypeAlias = tuple[int | None, ...]
Rule: TypeAlias = Callable[[Values, int], Windows]
"""(values, layers) -> the window of each layer, None for all tokens; () where every layer sees all."""

SLIDING, FULL = "sliding_attention", "full_attention"


def everywhere(values: Values, layers: int) -> Windows:
    """Every layer has the config's window (Mistral, Phi-3)."""
    window = values.count_or_none("sliding_window")
    return () if window is None else (window,) * layers


def where_no_field_is(values: Values, layers: int) -> Windows:
    """None, but where a config gives a window that its class has no field for: caches are made by it all the same.

    Raises:
        SpecError: it says that the window is not used, too.
    """
    if values.known is None or "sliding_window" in values.known.fields or values.get("sliding_window") is None:
        return ()
    if values.get("use_sliding_window") is False:
        raise SpecError(
            f"{values.name}: the type {values.type} has no windows, and the config gives a 'sliding_window' that it "
            "does not use, so its cost cannot be counted"
        )
    return everywhere(values, layers)


def everywhere_or_by_types(values: Values, layers: int) -> Windows:
    """Every layer, unless `layer_types` says another thing (Ministral)."""
    return by_type(values, layers, lambda layer: values.get("sliding_window") is not None)


def from_layer_on(values: Values, layers: int) -> Windows:
    """Where `use_sliding_window` is set, the layers from `max_window_layers` on (Qwen2, Qwen3)."""
    if not values.flag("use_sliding_window"):
        return ()
    first = values.count("max_window_layers", minimum=0)
    return by_type(values, layers, lambda layer: layer >= first)


def all_but_every(period: int, key: str = "sliding_window_pattern") -> Rule:
    """All layers but each `period`-th (Gemma 2: every other one; Gemma 3: five of six)."""

    def rule(values: Values, layers: int) -> Windows:
        own = values.count(key, period)
        return by_type(values, layers, lambda layer: (layer + 1) % own != 0)

    return rule


def all_but_first_of(period: int) -> Rule:
    """All layers but the first of each `period`."""
    return lambda values, layers: by_type(values, layers, lambda layer: layer % period != 0)


def by_types_alone(values: Values, layers: int) -> Windows:
    """As `layer_types` says; where it says nothing, no layer has a window."""
    return by_type(values, layers, lambda layer: False)


def by_type(values: Values, layers: int, slides: Callable[[int], bool]) -> Windows:
    """By `layer_types` where the config has them, else by the class's rule."""
    types = values.by_layer("layer_types", layers, (SLIDING, FULL))
    sliding = [slides(layer) for layer in range(layers)] if types is None else [one == SLIDING for one in types]
    if not any(sliding):
        return ()
    window = values.count_or_none("sliding_window")
    if window is None:
        raise SpecError(
            f"{values.name}: layers of the type {SLIDING!r} need a 'sliding_window', which the config has not"
        )
    return tuple(window if one else None for one in sliding)
