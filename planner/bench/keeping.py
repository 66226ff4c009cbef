"""Measurements kept in a folder, one file each: a run that was ended goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.bench.conditions import fingerprint
from planner.bench.measurement import Measurement
from planner.bench.retakes import steadied
from planner.costs.stages import Workload


@dataclass(frozen=True)
class Cell:
    """What a file of a folder should be a measurement of."""

    names: Mapping[str, Any]
    """Of the model, as `ModelFacts` has them."""
    precision: str
    workload: Workload
    batch: int
    layers: int
    params: int | None = None
    """Of the whole model; None where it is not known before it is built."""


def make_folder(folder: Path) -> None:
    """Where measurements are kept; one that is there will do. Raises InputError."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}; name another folder") from None


def kept_measurement(file: Path, wanted: Cell, here: Mapping[str, Any]) -> Measurement | None:
    """What an earlier run measured here of this very cell; None if it measured none. Raises InputError for a
    measurement of another model or environment: they are never mixed."""
    if not file.exists():
        return None
    found = Measurement.load(file)
    model = found.model
    there = {name: getattr(model, name) for name in wanted.names}
    same = (there, model.precision) == (dict(wanted.names), wanted.precision)
    if not same or found.workload != wanted.workload or found.batch != wanted.batch:
        raise InputError(f"{file} holds a measurement of another model or request; name a new folder")
    if found.method.layers != wanted.layers or wanted.params not in (None, model.params):
        raise InputError(f"{file} was measured when {model.llm} had other sizes; name a new folder")
    mine, theirs = fingerprint(here), fingerprint(found.environment)
    for name, value in mine.items():
        if theirs[name] != value:
            raise InputError(
                f"{file} was measured with {name} {theirs[name]}, here it is {value}: they are never mixed; name a new "
                "folder"
            )
    return found


def kept_or_taken(
    file: Path | None, kept: Measurement | None, take: Callable[[], Measurement], retakes: int | None
) -> Measurement:
    """What an earlier run kept, if it is stable, else what is measured now; in the file as soon as it is there.

    Args:
        file: gets the measurement; None to keep none.
        kept: what is in the file, if that is to be used.
        take: measures.
        retakes: as `steadied` takes them.
    """
    saved = kept

    def save(found: Measurement) -> Measurement:
        nonlocal saved
        if file is not None and found is not saved:
            found.save(file, overwrite=True)
            saved = found
        return found

    def first_saved() -> Measurement:  # an unstable take is better than none, should the next one be ended
        found = take()
        return save(found) if saved is None else found

    return save(steadied(first_saved, retakes, kept))
