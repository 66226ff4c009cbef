"""What the configuration classes of transformers fill in: a published config.json says only what differs from them.

The data stand in class_defaults.jsonl, one line a type of model, written by benchmarks/class_defaults.py from the
version of transformers that its first line names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from importlib import resources
from typing import Any

from planner.base.dataclass import dataclass

FILE = "class_defaults.jsonl"


@dataclass(frozen=True)
class Nested:
    """A part that a config holds under a key of its own."""

    type: str
    """Its `model_type`, where it names none."""
    first: Mapping[str, Any] = field(default_factory=dict)
    """Its values where the config has nothing under the key."""
    fixed: bool = False
    """Whether it is of this type whatever it names."""


@dataclass(frozen=True)
class ClassDefaults:
    """The configuration class of one type of model."""

    type: str
    fields: Mapping[str, Any]
    """Every field, with its default."""
    other_names: Mapping[str, str] = field(default_factory=dict)
    """Other name of a field -> its name."""
    nested: Mapping[str, Nested] = field(default_factory=dict)
    looked_for: tuple[str, ...] = ()
    """Further keys that the class reads."""
    ties_like_its_text: bool = False
    """Whether a tie of embedding and output head that only the nested language model names holds for the whole."""
    tied_by_its_text: bool = False
    """Whether the nested language model alone decides over that tie."""
    never_tied: bool = False
    """Whether embedding and output head are two whatever a config says."""
    head_of_whole: bool = False
    """Whether the output head has the sizes that stand beside the nested language model."""
    flat: bool = False
    """Whether the values of the language model may stand beside the others."""
    classes: tuple[str, ...] = ()
    """What a config may name under "architectures"."""


@cache
def class_defaults(model_type: str) -> ClassDefaults | None:
    """The class of a type of model; None for a type that transformers does not have, or no language model of it."""
    line = _lines().get(model_type)
    if line is None:
        return None
    found = json.loads(line)
    nested = {key: Nested(**value) for key, value in found.pop("nested", {}).items()}
    looked_for, classes = tuple(found.pop("looked_for", ())), tuple(found.pop("classes", ()))
    return ClassDefaults(nested=nested, looked_for=looked_for, classes=classes, **found)


@cache
def shared_fields() -> frozenset[str]:
    """Fields of every class, which say nothing of sizes."""
    return frozenset(json.loads(_text().partition("\n")[0])["shared"])


@cache
def _lines() -> dict[str, str]:
    """Lines by type, unread: each begins with it."""
    lines = _text().splitlines()[1:]
    return {line.split('"', 4)[3]: line for line in lines}


@cache
def _text() -> str:
    return resources.files(__package__).joinpath(FILE).read_text("utf-8")
