"""Several released models by what people call them: all, families, hub ids, folders."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import TypeAlias

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, SpecError
from planner.base.quantities import shown
from planner.parts.released.checkpoint import Checkpoint
from planner.parts.released.find import find_checkpoint, read_released, released_ids, unknown_model, variant_ids

ALL = "released"
"""Every model whose files are shipped."""

Models: TypeAlias = "str | os.PathLike[str] | Checkpoint | Iterable[str | os.PathLike[str] | Checkpoint]"
"""How released models may be named."""
Find: TypeAlias = Callable[["str | os.PathLike[str] | Checkpoint"], Checkpoint]

_SIZE = re.compile(r"-[a-z]?\d+(\.\d+)?[bm](-|$)")
"""Where a hub id's size stands: "-8b-", "-256m-", "-e4b-"."""


@dataclass(frozen=True)
class Selection:
    """Released models that were asked for."""

    checkpoints: tuple[Checkpoint, ...]
    named: frozenset[str] = field(default=frozenset(), compare=False)
    """Names of those that were asked for one by one."""
    refused: tuple[tuple[str, str], ...] = ()
    """Members of families that were left out, as something about them is not known, with the reason."""
    asked: tuple[str, ...] = ()
    """What was asked for, as it was typed: "released", families, hub ids, folders."""


def family_of_released(hub_id: str) -> str:
    """Models that differ in size: "qwen3-vl" of "Qwen/Qwen3-VL-8B-Instruct"."""
    name = hub_id.lower().rpartition("/")[2]
    found = _SIZE.search(name)
    return name[: found.start()] if found else name.removesuffix("-instruct")


def released_families() -> tuple[str, ...]:
    """Families of the released models, in alphabetical order."""
    return tuple(sorted({family_of_released(one) for one in released_ids()}))


def find_checkpoints(models: Models, find: Find = find_checkpoint) -> Selection:
    """The released models of a selection, each once: "released", families, hub ids, folders, or a mixture.

    A text may name several, separated by commas; "qwen" takes all families that begin so. Models that think or are
    quantised and have the sizes of another one are taken by their ids alone (`variant_ids`).

    Args:
        models: what is asked for.
        find: what reads those that are named one by one.

    Raises:
        UnknownNameError: a name that is no model, family or folder.
        InputError: an empty selection, or a model that was asked for and of which something is not known.
    """
    found: dict[str, Checkpoint] = {}
    named: set[str] = set()
    refused: dict[str, str] = {}
    entries = _entries(models)
    for entry in entries:
        members = _family(entry)
        if members is None:
            one = find(entry)
            if found.setdefault(one.name, one) != one:
                raise InputError(f"models: two different ones are called {one.name!r}: rename the folder of one")
            named.add(one.name)
            continue
        for hub_id in members:
            member = _read_or_refuse(hub_id)
            if isinstance(member, Checkpoint):
                found.setdefault(member.name, member)
            else:
                refused[hub_id] = member
    if not found:
        first = next(iter(refused.values()), "expected 'released', a family, a hub id or a folder, got nothing")
        raise InputError(f"models: {first}")
    return Selection(tuple(found.values()), frozenset(named), tuple(refused.items()), tuple(map(_typed, entries)))


def _typed(entry: str | os.PathLike[str] | Checkpoint) -> str:
    """An entry as a command names it."""
    return entry.hub_id or entry.source if isinstance(entry, Checkpoint) else os.fspath(entry)


@cache
def _read_or_refuse(hub_id: str) -> Checkpoint | str:
    """A released model, or why it is not known."""
    try:
        return read_released(hub_id)
    except SpecError as error:
        return str(error)


def _entries(models: Models) -> list[str | os.PathLike[str] | Checkpoint]:
    several: Iterable[object] = [models]
    if isinstance(models, Iterable) and not isinstance(models, str | os.PathLike):
        several = models
    found: list[str | os.PathLike[str] | Checkpoint] = []
    for one in several:
        if isinstance(one, str):
            found += [part.strip() for part in one.split(",") if part.strip()]
        elif isinstance(one, os.PathLike | Checkpoint):
            found.append(one)
        else:
            raise InputError(f"models: expected 'released', families, hub ids or folders, got {shown(one)}")
    return found


def _family(entry: str | os.PathLike[str] | Checkpoint) -> tuple[str, ...] | None:
    """Hub ids of a family, None for what names one model. Raises UnknownNameError for what is neither,
    InputError for what may be either."""
    if not isinstance(entry, str):
        return None
    if entry.lower() == ALL:
        return released_ids()
    ids = released_ids()
    if any(entry.lower() in (one.lower(), one.lower().partition("/")[2]) for one in (*ids, *variant_ids())):
        return None
    members = tuple(one for one in ids if family_of_released(one).startswith(entry.lower()))
    if members and entry.lower() not in map(family_of_released, members) and (Path(entry) / "config.json").is_file():
        raise InputError(
            f"models: {shown(entry)} is a folder here and the beginning of families, such as "
            f"{family_of_released(members[0])}: write ./{entry} for the folder, or a family in full"
        )
    if members:
        return members
    if entry.startswith((".", "/", "~")) or entry.endswith(".json") or Path(entry).is_dir():
        return None
    raise unknown_model("released model or family", entry, (ALL, *released_families()))
