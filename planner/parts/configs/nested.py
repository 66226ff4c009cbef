"""Where in a config.json the language model stands, and what the config around it says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.configs.defaults import ClassDefaults, Nested, class_defaults
from planner.parts.configs.values import Values

TEXT_KEYS = ("text_config", "llm_config", "language_config", "thinker_config", "decoder")
"""Where a config may hold its language model, or another config that does."""
WRAPPERS = {"internvl_chat": "llm_config"}
"""Types of repositories with code of their own, whose language model is written out in full under a key."""


@dataclass(frozen=True)
class Found:
    """The language model of a config."""

    values: Values
    outer: tuple[Values, ...] = ()
    """The configs around it, the outermost first."""

    def said_outside(self, key: str) -> Any:
        """What the nearest config around the language model, or the one around that, says; None where none does."""
        return next((one.given[key] for one in reversed(self.outer) if one.given.get(key) is not None), None)


def language_model(name: str, config: Mapping[str, Any], model_type: str = "") -> Found:
    """The language model of a config, which may be nested.

    Raises:
        SpecError: a nested part is no object, or the config gives sizes where its class does not read them.
    """
    values = Values(name, config, model_type)
    key = _text_key(values)
    if key is None:
        return Found(values)
    values.check_class()
    nested = values.known.nested[key] if values.known else Nested("")
    given = values.given.get(key)
    if given is None:
        values.check_keys(_flat_keys(values.known, nested))
        given = _flat(values, nested)
    if not isinstance(given, Mapping):
        raise SpecError(f"{name}: expected {key!r} to be an object, got {shown(given)}")
    inner_type = nested.type if nested.fixed else str(given.get("model_type") or nested.type)
    found = language_model(name, {**given, **_tie(values, given)}, inner_type)
    _check_head(values, found.values)
    return replace(found, outer=(values, *found.outer))


def _text_key(values: Values) -> str | None:
    if values.known is not None:
        return next((key for key in TEXT_KEYS if key in values.known.nested), None)
    return WRAPPERS.get(values.type)


def _flat_keys(known: ClassDefaults | None, nested: Nested) -> tuple[str, ...]:
    inner = class_defaults(nested.type) if known is not None and known.flat else None
    return () if inner is None else (*inner.fields, *inner.other_names, *inner.looked_for)


def _flat(values: Values, nested: Nested) -> dict[str, Any]:
    """Values of the language model that stand beside the others, else the first values of its type."""
    keys = _flat_keys(values.known, nested)
    return {key: values.given[key] for key in keys if key in values.given} or dict(nested.first)


def _check_head(outer: Values, inner: Values) -> None:
    """Raises SpecError for an output head whose sizes are others than those of the language model."""
    if outer.known is None or not outer.known.head_of_whole or inner.flag("tie_word_embeddings"):
        return
    for key in ("hidden_size", "vocab_size"):
        if outer.count(key) != inner.count(key):
            raise SpecError(
                f"{outer.name}: the output head's {key!r} of {outer.count(key)} is not the language model's of "
                f"{inner.count(key)}, so its cost cannot be counted"
            )


def _tie(outer: Values, given: Mapping[str, Any]) -> dict[str, Any]:
    """Whether embedding and output head are one: the config around the language model decides, where it has a field."""
    key = "tie_word_embeddings"
    if outer.known is None or outer.known.tied_by_its_text:
        return {}
    if outer.known.never_tied:
        return {key: False}
    if key not in outer.known.fields:
        return {}
    own = outer.get(key)
    if not own and outer.known.ties_like_its_text:
        own = given.get(key, own)
    return {key: bool(own)}
