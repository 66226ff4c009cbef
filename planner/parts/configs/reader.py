"""Readers of a Hugging Face config.json: one for each model type, by the name that transformers gives the type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.base.registry import Registry
from planner.parts.configs.values import Values
from planner.parts.llms import Llm
from planner.parts.towers import Tower

AnyLlm = TypeVar("AnyLlm", bound=Llm)


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
    whole: bool = True
    """Whether the config is the model's own file, so that what it leaves out is its class's default; the entries of the
    catalogue hold sizes only."""


@dataclass(frozen=True, kw_only=True)
class LlmReader(ABC):
    """Reads the configs of one type of language model."""

    name: str
    """The `model_type`."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Keys that it reads and that are no fields of the class."""
        return ()

    @abstractmethod
    def read(self, config: Mapping[str, Any], labels: Labels) -> Llm:
        """The language model that a config describes, `Values` where it comes from a file. Raises SpecError."""


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


def values_of(config: Mapping[str, Any], labels: Labels, model_type: str) -> Values:
    """The values of a config, with its class's defaults."""
    return config if isinstance(config, Values) else Values(labels.name, config, model_type)


def common(values: Values, labels: Labels, *, attends: bool = True, layers: int | None = None) -> dict[str, Any]:
    """What every language model says of itself, but for its size; a model that does not attend has one head.

    `layers` overrides the config's own number.
    """
    hidden, heads = values.count("hidden_size"), values.count("num_attention_heads") if attends else 1
    return {
        "name": labels.name,
        "family": labels.family or labels.name,
        "model_type": values.type,
        "nominal_params": 0.0,
        "hidden_size": hidden,
        "num_layers": values.count("num_hidden_layers") if layers is None else layers,
        "num_heads": heads,
        "vocab_size": values.count("vocab_size"),
        "hf_id": labels.hf_id,
        "source": labels.source,
    }


def named(found: AnyLlm, labels: Labels) -> AnyLlm:
    """A language model with the size in its name, or its exact count and a note that says so."""
    notes: tuple[str, ...] = ()
    if labels.nominal_params is None:
        notes = (f"{labels.name}: no size in its name, so its exact count of parameters enters the law",)
    return found.sized(float(labels.nominal_params or found.params), notes)


Flag: TypeAlias = "bool | str | Callable[[Values], bool]"
"""Yes, no, the key of the config that says so, or what works it out."""
Number: TypeAlias = "int | Callable[[Values], int]"


def flag(values: Values, rule: Flag) -> bool:
    """What a rule comes to."""
    if isinstance(rule, str):
        return values.flag(rule)
    return rule if isinstance(rule, bool) else rule(values)


def number(values: Values, rule: Number) -> int:
    """What a rule comes to."""
    return rule if isinstance(rule, int) else rule(values)


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
