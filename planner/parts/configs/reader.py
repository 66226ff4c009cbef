"""Readers of a Hugging Face config.json: one for each model type, by the name that transformers gives the type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.base.registry import Registry
from planner.parts.llms import Llm
from planner.parts.towers import Tower


@dataclass(frozen=True)
class Labels:
    """What a config does not say of its model."""

    name: str
    family: str = ""
    """"": the name."""
    nominal_params: float | None = None
    """Size in the model's name; None: the exact count stands in for it."""
    params: int = 0
    """Of a whole tower, 0 if unknown."""
    hf_id: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class LlmReader(ABC):
    """Reads the configs of one type of language model."""

    name: str
    """The `model_type`."""

    @abstractmethod
    def read(self, config: Mapping[str, Any], labels: Labels) -> Llm:
        """The language model that a config describes. Raises SpecError."""


@dataclass(frozen=True, kw_only=True)
class TowerReader(ABC):
    """Reads the configs of one type of vision tower."""

    name: str
    """The `model_type`."""

    @abstractmethod
    def read(self, config: Mapping[str, Any], labels: Labels) -> Tower:
        """The tower that a config describes. Raises SpecError."""


LLM_READERS: Registry[LlmReader] = Registry("type of language model", LlmReader)
TOWER_READERS: Registry[TowerReader] = Registry("type of vision tower", TowerReader)


def count(
    config: Mapping[str, Any], key: str, name: str, default: int | None = None, kind: str = "decoder-only model"
) -> int:
    """A size of a config. Raises SpecError where it is missing or no count."""
    value = config.get(key)
    if value is None:
        value = default
    if value is None:
        raise SpecError(f"{name}: the config has no {key!r}; expected the config.json of a {kind}")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SpecError(f"{name}: expected {key!r} to be a whole number of at least 1, got {shown(value)}")
    return value
