"""Calibration: a profile fitted to measurements, what is known of its numbers, and how well it predicts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from planner.base.files import read_json, write_json
from planner.bench.calibration.pool import QUANTITIES
from planner.bench.records import reading
from planner.costs.stages import Workload
from planner.hardware import Hardware

FILE_FORMAT = "vlm-planner calibration"
FORMAT_VERSION = 1

PREDICTIONS = {
    "roofline": "max(FLOPs / peak, bytes / bandwidth) of each stage, at the peaks of the start",
    "before": "with the efficiencies of the start, not calibrated",
    "fitted": "calibrated on all shapes, this one included",
    "left_out": "calibrated on all other shapes",
    "left_out_llm": "calibrated on the shapes of all other language models",
}
"""Ways to predict a shape."""


@dataclass(frozen=True)
class Parameter:
    """One number of the profile, with its 95 % interval."""

    name: str
    """Entry of `planner.hardware.efficiency.Efficiency`."""
    value: float
    low: float
    high: float
    start: float
    """Before the fit, of the profile's peaks."""
    identified: bool
    """Whether the measurements say what it is; otherwise the start does."""
    at_bound: bool


@dataclass(frozen=True)
class ShapeTimes:
    """One shape: what was measured and what was predicted."""

    llm: str
    params: int
    """Of the whole model."""
    visual_tokens: int
    """Per image."""
    vision: str
    compressor: str
    prompt_order: str
    batch: int
    tensor_parallel: int
    workload: Workload
    stable: bool
    """Whether its samples may be trusted."""
    measured_s: Mapping[str, float] = field(hash=False)
    """Median seconds by name in QUANTITIES."""
    predicted_s: Mapping[str, Mapping[str, float]] = field(hash=False)
    """By name in PREDICTIONS, then by name in QUANTITIES."""

    def error(self, prediction: str, quantity: str) -> float | None:
        """predicted / measured - 1; None where it was not measured or not predicted."""
        measured = self.measured_s.get(quantity)
        predicted = self.predicted_s.get(prediction, {}).get(quantity)
        return None if measured is None or predicted is None else predicted / measured - 1


@dataclass(frozen=True)
class Errors:
    """Relative errors of one quantity over all shapes."""

    shapes: int
    median: float
    """Of their sizes."""
    p90: float
    """Of their sizes: nine of ten are smaller."""
    bias: float
    """Median with its sign: above 0, predictions are too long."""


@dataclass(frozen=True)
class Calibration:
    """A fitted profile and its record."""

    hardware: Hardware
    """The profile."""
    start: Hardware
    """What was fitted from."""
    parameters: tuple[Parameter, ...]
    shapes: tuple[ShapeTimes, ...]
    noise: float
    """Robust standard deviation of log(predicted / measured) over all stages."""
    environment: Mapping[str, Any] = field(hash=False)
    notes: tuple[str, ...] = ()

    def errors(self, prediction: str, quantity: str) -> Errors | None:
        """Over all shapes; None where nothing can be compared."""
        found = [one.error(prediction, quantity) for one in self.shapes]
        off = np.array([error for error in found if error is not None])
        if not len(off):
            return None
        sizes = np.abs(off)
        return Errors(len(off), float(np.median(sizes)), float(np.quantile(sizes, 0.9)), float(np.median(off)))

    def to_dict(self) -> dict[str, Any]:
        """All that `from_dict` needs and what people read first, as plain JSON types."""
        table = {
            quantity: {name: asdict(errors) for name in PREDICTIONS if (errors := self.errors(name, quantity))}
            for quantity in QUANTITIES
        }
        return {
            "format": FILE_FORMAT,
            "format_version": FORMAT_VERSION,
            "predictions": dict(PREDICTIONS),
            "errors": {quantity: errors for quantity, errors in table.items() if errors},
            "parameters": [asdict(one) for one in self.parameters],
            "noise": self.noise,
            "notes": list(self.notes),
            "environment": dict(self.environment),
            "hardware": self.hardware.to_dict(),
            "start": self.start.to_dict(),
            "shapes": [asdict(one) for one in self.shapes],
        }

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the calibration") -> Calibration:
        """What `to_dict` wrote. Raises InputError."""
        with reading(content, FILE_FORMAT, FORMAT_VERSION, origin, "calibrate"):
            return cls(
                hardware=Hardware.from_dict(content["hardware"], origin),
                start=Hardware.from_dict(content["start"], origin),
                parameters=tuple(_of(Parameter, one) for one in content["parameters"]),
                shapes=tuple(
                    _of(ShapeTimes, {**one, "workload": _of(Workload, one["workload"])}) for one in content["shapes"]
                ),
                noise=float(content["noise"]),
                environment=dict(content["environment"]),
                notes=tuple(content["notes"]),
            )

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> tuple[Path, Path]:
        """Write the profile, my-gpu.json, and its record, my-gpu.calibration.json. Raises OutputExistsError."""
        record = write_json(record_path(path), self.to_dict(), overwrite=overwrite)
        return self.hardware.save(path, overwrite=overwrite), record

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Calibration:
        """Read a record, by its own path or by that of the profile. Raises InputError."""
        given = Path(path)
        beside = record_path(given)
        place = beside if beside.exists() else given
        content = read_json(place, "what vlm-planner calibrate -o wrote")
        return cls.from_dict(content, place.name)


def record_path(path: str | os.PathLike[str]) -> Path:
    """Of the record beside a profile."""
    return Path(path).with_suffix(".calibration.json")


def _of(kind: Any, values: Mapping[str, Any]) -> Any:
    return kind(**{item.name: values[item.name] for item in fields(kind)})
