"""A calibration to a serving engine: the profile, what the tests determine of it, and how well it predicts them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from planner.base.codec import SPARSE
from planner.base.dataclass import dataclass
from planner.base.file_format import FileFormat
from planner.base.result import Result
from planner.bench.calibration.engine_points import NUMBERS
from planner.bench.calibration.result import Errors, Parameter, record_path
from planner.hardware import HARDWARE_FILE, Hardware

if TYPE_CHECKING:
    import pandas as pd

PREDICTIONS = {
    "before": "with the efficiencies of the start and no costs of the host, unless the start has some",
    "fitted": "calibrated on all tests, this one included",
    "left_out": "calibrated on all other tests",
    "left_out_file": "calibrated on the tests of all other files",
    "left_out_model": "calibrated on the tests of all other models",
}
"""Ways to predict a test."""


@dataclass(frozen=True)
class TestNumbers:
    """One load test: what was measured and what was predicted."""

    __test__ = False  # no class of tests

    origin: str
    """File, and place in it."""
    model: str
    """As it was served."""
    load: str
    """ "4 requests/s", "8 at a time"."""
    requests_per_second: float | None
    concurrency: int | None
    prompt_tokens: int
    """Of the mean request, images included."""
    generated_tokens: int
    images: int
    image: str
    completed: int
    failed: int
    utilisation: float
    """Requests per second as a share of the most that the engine carries, as predicted; above 1 a queue grows."""
    left: str
    """Why its times do not count: "saturated"; "" where they do."""
    measured: Mapping[str, float] = field(hash=False)
    """By name in NUMBERS: requests per second, and seconds."""
    predicted: Mapping[str, Mapping[str, float]] = field(hash=False)
    """By name in PREDICTIONS, then by name in NUMBERS."""

    def error(self, prediction: str, number: str) -> float | None:
        """predicted / measured - 1; None where it was not measured or not predicted."""
        measured = self.measured.get(number)
        predicted = self.predicted.get(prediction, {}).get(number)
        return None if measured is None or predicted is None else predicted / measured - 1


@dataclass(frozen=True, repr=False)
class EngineCalibration(Result):
    """A fitted profile and its record."""

    hardware: Annotated[Hardware, HARDWARE_FILE]
    """The profile; the costs of the engine's host stand in its efficiency."""
    start: Annotated[Hardware, HARDWARE_FILE]
    """What was fitted from."""
    engine: str
    """Name and version: "vLLM 0.32.0"."""
    tool: str
    """Of the load tests, name and version: "GuideLLM 0.8.1"."""
    parameters: tuple[Parameter, ...]
    """Shares of peaks, seconds of the host, constants of the scheduler."""
    tests: tuple[TestNumbers, ...]
    noise: float
    """Robust standard deviation of log(predicted / measured) beside what chance does."""
    notes: tuple[str, ...] = ()
    scheduler: Mapping[str, int] = field(default_factory=dict, hash=False, metadata=SPARSE)
    """Its constants, by the engine's names, where all tests had the same."""

    def errors(self, prediction: str, number: str) -> Errors | None:
        """Over the tests whose times count, of the throughput also those that were saturated; None where nothing can be
        compared."""
        those = [one for one in self.tests if not one.left or (one.left == "saturated" and number == NUMBERS[0])]
        return Errors.of(one.error(prediction, number) for one in those)

    def __repr__(self) -> str:
        return f"EngineCalibration({self.hardware.name!r}, {self.engine!r}, {len(self.tests)} tests)"

    def to_frame(self) -> pd.DataFrame:
        """A row for each test and number: what was measured, and predicted in each way."""
        import pandas as pd

        rows = [
            {
                "origin": one.origin,
                "model": one.model,
                "load": one.load,
                "number": number,
                "measured": value,
                **{name: one.predicted.get(name, {}).get(number) for name in PREDICTIONS},
            }
            for one in self.tests
            for number, value in one.measured.items()
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """All that `from_dict` needs and what people read first, as plain JSON types."""
        return ENGINE_CALIBRATION_FILE.to_dict(self)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the calibration") -> EngineCalibration:
        """What `to_dict` wrote. Raises InputError."""
        return ENGINE_CALIBRATION_FILE.from_dict(content, origin)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> tuple[Path, Path]:
        """Write the profile, my-engine.json, and its record, my-engine.calibration.json. Raises OutputExistsError."""
        record = ENGINE_CALIBRATION_FILE.write(record_path(path), self, overwrite=overwrite)
        return self.hardware.save(path, overwrite=overwrite), record

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EngineCalibration:
        """Read a record, by its own path or by that of the profile. Raises InputError."""
        given = Path(path)
        beside = record_path(given)
        return ENGINE_CALIBRATION_FILE.read(beside if beside.exists() else given)


def _errors(one: EngineCalibration) -> dict[str, Any]:
    """Of each number by each prediction that can be compared."""
    table = {
        number: {name: asdict(errors) for name in PREDICTIONS if (errors := one.errors(name, number))}
        for number in NUMBERS
    }
    return {number: errors for number, errors in table.items() if errors}


ENGINE_CALIBRATION_FILE = FileFormat(
    "vlm-planner engine calibration",
    1,
    EngineCalibration,
    "a calibration to an engine",
    "vlm-planner calibrate --from RESULTS -o",
    derived={"predictions": lambda one: dict(PREDICTIONS), "errors": _errors},
)
"""The record beside a profile that was calibrated to an engine."""
