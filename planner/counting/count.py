"""What counting a model gives: its numbers, as they are kept in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError


@dataclass(frozen=True)
class Product:
    """Matrices of one shape that every new token is multiplied with."""

    k: int
    n: int
    times: int
    """How often a token meets one."""
    stored: int
    """How many there are; fewer than `times` where layers share them."""


@dataclass(frozen=True)
class Routed:
    """The routed experts of one layer or more that are alike."""

    experts: int
    """Of a layer."""
    params: int
    """Of all experts of a layer."""
    active_weights: int
    """That a token is multiplied with in a layer."""
    layers: int

    @property
    def active_share(self) -> float:
        """Of the parameters, those that a token meets; a layer's weights are those of its experts."""
        return self.active_weights / self.weights

    weights: int
    """In the matrices of all experts of a layer."""


@dataclass(frozen=True)
class Kept:
    """What layers of one kind keep of one sequence, in numbers."""

    values_per_token: int
    window: int | None
    """Tokens that are kept at most; None: all."""
    constant_values: int


@dataclass(frozen=True)
class Growth:
    """FLOPs of a pass over S new tokens behind C cached ones, the head left out:
    linear S + quadratic S (C + S) + windowed S (min(C, W - 1) + S), W being the window of the layers that have one."""

    linear: int
    quadratic: int
    windowed: int

    def flops(self, new: int, cached: int, window: int | None) -> int:
        """Of one pass."""
        kept = cached if window is None else min(cached, window - 1)
        return new * (self.linear + self.quadratic * (cached + new) + self.windowed * (kept + new))


@dataclass(frozen=True)
class Count:
    """A model as transformers built it."""

    transformers: str
    """Version."""
    model_class: str
    llm_params: int
    vision_params: int
    connector_params: int
    audio_params: int
    hidden_size: int
    num_layers: int
    num_heads: int
    vocab_size: int
    tokens_max: int
    """Longest sequence at which the FLOPs were compared with a run."""
    products: tuple[Product, ...]
    routed: tuple[Routed, ...]
    kept: tuple[Kept, ...]
    """At most one kind with a window."""
    prefill: Growth
    step: Growth
    """Of one new token."""

    @property
    def window(self) -> int | None:
        """Of the layers that have one."""
        return window_of(self.kept)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: object) -> Count:
        """What `to_dict` gave. Raises SpecError for anything else."""
        lists = {"products": Product, "routed": Routed, "kept": Kept}
        found: dict[str, Any] = {}
        given = _object(content, cls)
        for name, value in given.items():
            if name in lists:
                if not isinstance(value, list):
                    raise SpecError(f"expected {name!r} to be a list")
                found[name] = tuple(_entry(lists[name], one) for one in value)
            elif name in ("prefill", "step"):
                found[name] = _entry(Growth, value)
            elif name in ("transformers", "model_class"):
                found[name] = value
            else:
                found[name] = _whole(name, value)
        return cls(**found)


def window_of(kept: tuple[Kept, ...]) -> int | None:
    """Of the layers that have one."""
    return next((one.window for one in kept if one.window is not None), None)


def _object(content: object, kind: type[Any]) -> Mapping[str, Any]:
    if not isinstance(content, Mapping) or set(content) != {one.name for one in fields(kind)}:
        raise SpecError("expected the count of a model")
    return content


def _entry(kind: type[Any], content: object) -> Any:
    given = _object(content, kind)
    return kind(**{k: None if k == "window" and v is None else _whole(k, v) for k, v in given.items()})


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SpecError(f"expected {name!r} to be a count")
    return value
