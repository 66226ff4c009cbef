"""Calibration: a profile fitted to measurements, what is known of its numbers, and how well it predicts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from planner.base.codec import SPARSE
from planner.base.dataclass import dataclass
from planner.base.file_format import FileFormat
from planner.base.result import Result, above
from planner.bench.calibration.pool import QUANTITIES
from planner.bench.calibration.trends import Trend
from planner.costs.stages import Workload
from planner.hardware import HARDWARE_FILE, Hardware

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

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
    image: str = field(default="", metadata=SPARSE)
    """Of a released model: size of the images and knobs that were turned; else ""."""

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

    @classmethod
    def of(cls, errors: Iterable[float | None]) -> Errors | None:
        """Of what can be compared; None where nothing can."""
        off = np.array([error for error in errors if error is not None])
        if not len(off):
            return None
        sizes = np.abs(off)
        return cls(len(off), float(np.median(sizes)), float(np.quantile(sizes, 0.9)), float(np.median(off)))


@dataclass(frozen=True, repr=False)
class Calibration(Result):
    """A fitted profile and its record."""

    hardware: Annotated[Hardware, HARDWARE_FILE]
    """The profile."""
    start: Annotated[Hardware, HARDWARE_FILE]
    """What was fitted from."""
    parameters: tuple[Parameter, ...]
    shapes: tuple[ShapeTimes, ...]
    noise: float
    """Robust standard deviation of log(predicted / measured) over all stages."""
    environment: Mapping[str, Any] = field(hash=False)
    notes: tuple[str, ...] = ()
    trends: tuple[Trend, ...] = field(default=(), metadata=SPARSE)
    """Of stages whose predictions change, against what was measured, with batch, tokens or language model."""

    def errors(self, prediction: str, quantity: str) -> Errors | None:
        """Over all shapes; None where nothing can be compared."""
        return Errors.of(one.error(prediction, quantity) for one in self.shapes)

    def plot(self) -> Figure:
        """Predicted over measured times of every shape."""
        return above().picture_of(self)

    def __repr__(self) -> str:
        return f"Calibration({self.hardware.name!r}, {self.hardware.title!r}, {len(self.shapes)} shapes)"

    def to_frame(self) -> pd.DataFrame:
        """A row for each shape and quantity: seconds measured, and predicted in each way."""
        import pandas as pd

        rows = [
            {
                "llm": one.llm,
                "visual_tokens": one.visual_tokens,
                "image": one.image,
                "batch": one.batch,
                "quantity": quantity,
                "measured_s": seconds,
                **{f"{name}_s": one.predicted_s.get(name, {}).get(quantity) for name in PREDICTIONS},
            }
            for one in self.shapes
            for quantity, seconds in one.measured_s.items()
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """All that `from_dict` needs and what people read first, as plain JSON types."""
        return CALIBRATION_FILE.to_dict(self)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the calibration") -> Calibration:
        """What `to_dict` wrote. Raises InputError."""
        return CALIBRATION_FILE.from_dict(content, origin)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> tuple[Path, Path]:
        """Write the profile, my-gpu.json, and its record, my-gpu.calibration.json. Raises OutputExistsError."""
        record = CALIBRATION_FILE.write(record_path(path), self, overwrite=overwrite)
        return self.hardware.save(path, overwrite=overwrite), record

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Calibration:
        """Read a record, by its own path or by that of the profile. Raises InputError."""
        given = Path(path)
        beside = record_path(given)
        return CALIBRATION_FILE.read(beside if beside.exists() else given)


def record_path(path: str | os.PathLike[str]) -> Path:
    """Of the record beside a profile."""
    return Path(path).with_suffix(".calibration.json")


def _errors(one: Calibration) -> dict[str, Any]:
    """Of each quantity by each prediction that can be compared."""
    table = {
        quantity: {name: asdict(errors) for name in PREDICTIONS if (errors := one.errors(name, quantity))}
        for quantity in QUANTITIES
    }
    return {quantity: errors for quantity, errors in table.items() if errors}


CALIBRATION_FILE = FileFormat(
    "vlm-planner calibration",
    1,
    Calibration,
    "a calibration",
    "vlm-planner calibrate -o",
    derived={"predictions": lambda one: dict(PREDICTIONS), "errors": _errors},
)
"""The record beside a calibrated profile."""
