"""What a file of ours holds, whichever kind it is: a plan, a verdict, measurements, a calibration, a law, a profile."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.file_format import FORMAT, FileFormat, file_name
from planner.base.files import read_json
from planner.base.quantities import shown
from planner.bench.calibration.engine_result import ENGINE_CALIBRATION_FILE
from planner.bench.calibration.result import CALIBRATION_FILE
from planner.bench.grid_verdict import GRID_FILE, GridVerdict
from planner.bench.measurement import MEASUREMENT_FILE, Measurement
from planner.bench.verdict import VERDICT_FILE, Verdict
from planner.hardware import HARDWARE_FILE
from planner.laws.combined import COMBINED_LAW_FILE
from planner.laws.fitted import LAW_FILE
from planner.planning.evaluating.result import NEXT_EVALUATIONS_FILE
from planner.planning.plan_file import PLAN_FILE
from planner.planning.result import Plan

FORMATS: tuple[FileFormat[Any], ...] = (
    PLAN_FILE,
    VERDICT_FILE,
    GRID_FILE,
    MEASUREMENT_FILE,
    CALIBRATION_FILE,
    ENGINE_CALIBRATION_FILE,
    LAW_FILE,
    COMBINED_LAW_FILE,
    HARDWARE_FILE,
    NEXT_EVALUATIONS_FILE,
)
"""Every kind of file that holds something with a story."""

EXPECTED = (
    "a plan, a verdict, a measurement, a calibration, a law, evaluations or a hardware profile that vlm-planner wrote"
)


def load_any(path: str | os.PathLike[str]) -> Any:
    """What a file holds; of a folder, what all its JSON files hold: the measurements that `measure -o` wrote.

    Raises:
        InputError: it cannot be read, is damaged, or no file that we write.
    """
    if Path(path).is_dir():
        return load_all(sorted(Path(path).glob("*.json")), f"{file_name(path)}: expected a folder of measurements")
    return from_dict(read_json(path, EXPECTED), file_name(path))


def load_all(paths: Sequence[str | os.PathLike[str]], expected: str = "expected measurements") -> list[Measurement]:
    """The measurements of several files. Raises InputError where one holds something else, or there is none."""
    found = [(path, load_any(path)) for path in paths]
    if not found:
        raise InputError(f"{expected}, got no JSON file in it")
    for path, one in found:
        if not isinstance(one, Measurement):
            raise InputError(f"several files are told together where all are measurements; {file_name(path)} is none")
    return [one for _, one in found]


def load_measurements(path: str | os.PathLike[str]) -> list[Measurement]:
    """The measurements of a file or a folder; of a verdict, what was measured for it. Raises InputError for what holds
    none."""
    found = load_any(path)
    if isinstance(found, list):
        return found
    if isinstance(found, Verdict):
        return [found.measurement]
    if isinstance(found, GridVerdict):
        return [cell.measurement for cell in found.cells]
    if not isinstance(found, Measurement):
        raise InputError(f"{file_name(path)} holds no measurement; expected one that vlm-planner measure -o wrote")
    return [found]


def from_dict(content: Any, origin: str) -> Any:
    """What the content of a file is.

    Args:
        content: the dictionary.
        origin: how an error names it.

    Raises:
        InputError: it is of no kind that we write, or damaged.
    """
    for one in FORMATS:
        if one.speaks_of(content) or (one.by_hand and _by_hand(content, one)):
            return Plan.from_dict(content, origin) if one is PLAN_FILE else one.from_dict(content, origin)
    if not isinstance(content, Mapping):
        said = f"it holds {shown(content)}"
    elif FORMAT in content:
        said = f"its {FORMAT} is {shown(content[FORMAT])}"
    else:
        said = f'it says no "{FORMAT}"'
    raise InputError(f"{origin}: {said}; expected {EXPECTED}")


def _by_hand(content: Any, kind: FileFormat[Any]) -> bool:
    """Whether a dictionary without a head has the entries of a file that people write, and no others."""
    names = {one.name for one in fields(kind.cls)}
    return isinstance(content, Mapping) and bool(content) and set(content) <= names
