"""Verdict: predicted beside measured, a tolerance for each, and what to make of it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from planner.base.codec import encode
from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.file_format import FileFormat
from planner.base.quantities import format_percent, format_times
from planner.base.result import Result
from planner.bench.measurement import MEASUREMENT_FILE, Measurement

if TYPE_CHECKING:
    import pandas as pd

ANY = 100.0
"""A tolerance of so much judges nothing."""
SMALL = "a small part of the TTFT"
"""Why a stage passes that is off by more than its tolerance."""

CLOSE = 1.15
"""Times that differ by less are called close: what a calibrated profile is held to."""
_HARDLY_COMPARE = 2.0
_OF_CARD = ("name", "title", "source")


@dataclass(frozen=True)
class Check:
    """One number, predicted and measured."""

    DERIVED: ClassVar[tuple[str, ...]] = ("error", "ratio")

    name: str
    """"ttft_s", "flops_prefill", ...; with its unit."""
    title: str
    """For people: "TTFT"."""
    unit: str
    """"s", "bytes", "FLOPs", "parameters", "joules"; "" where the check is not one of numbers."""
    predicted: float | None
    measured: float | None
    tolerance: float | None
    """Relative: of times, how much longer the longer one may be; of the rest, |predicted / measured - 1| at most. None
    where nothing is judged."""
    passed: bool | None
    """None: shown, not judged."""
    note: str = ""

    @property
    def error(self) -> float | None:
        """Predicted over measured, less 1; None where that is not a number."""
        if self.predicted is None or self.measured is None:
            return None
        if not self.measured:
            return 0.0 if not self.predicted else None
        error = self.predicted / self.measured - 1
        return error if math.isfinite(error) else None

    @property
    def ratio(self) -> float | None:
        """Measured over predicted: above 1, a time took longer; None where that is not a number."""
        if not self.predicted or self.measured is None:
            return None
        ratio = self.measured / self.predicted
        return ratio if math.isfinite(ratio) else None

    @property
    def times_off(self) -> float | None:
        """How many times the smaller of both the larger one is; None where one of them is nothing."""
        return max(self.ratio, 1 / self.ratio) if self.ratio else None

    @property
    def off(self) -> str:
        """What was measured beside what was predicted: "x 1.50 slower" of a time, "3 % less" of other numbers, "x 2.10
        less" where they hardly compare, "equal"; "" of what has no numbers."""
        ratio, error = self.ratio, self.error
        if self.unit == "s" and ratio and self.times_off:
            way = "" if format_times(self.times_off) == "1.00" else " slower" if ratio > 1 else " faster"
            return f"x {format_times(self.times_off)}{way}"
        if not error:
            return "" if error is None else "equal"
        way = "less" if error > 0 else "more"
        far = self.times_off is not None and self.times_off >= _HARDLY_COMPARE
        return f"x {format_times(self.times_off or 0.0)} {way}" if far else f"{format_percent(abs(error), 1.0)} {way}"

    @property
    def allowed(self) -> str:
        """Of a time, "x 1.15"; of other numbers "5 %" or "equal"; "any", or "" where nothing is judged."""
        if self.tolerance is None:
            return ""
        if self.tolerance >= ANY:
            return "any"
        if self.unit == "s":
            return f"x {format_times(1 + self.tolerance)}"
        return format_percent(self.tolerance, 1.0) if self.tolerance else "equal"

    @property
    def said(self) -> str:
        """What came of it, and what is allowed: "TTFT x 1.50 slower, at most x 1.15"; of what has no numbers its
        title."""
        if not self.off:
            return self.title
        limit = f", at most {self.allowed}" if self.allowed not in ("", "any", "equal") else ""
        return f"{self.title} {self.off}{limit}"

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = encode(self, "the check")
        return found


@dataclass(frozen=True, repr=False)
class Verdict(Result):
    """What came of verifying one configuration."""

    checks: tuple[Check, ...]
    measurement: Annotated[Measurement, MEASUREMENT_FILE]
    hardware: Mapping[str, str] | None = field(hash=False)
    """Name, title and source of the profile that predicted the times; None without one."""
    utilisation: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Shares that were reached: "prefill_mfu" and "decode_mbu" of the profile's peaks, "..._measured" of what a large
    matrix product and a large copy reached there and then."""
    plan_sha256: str | None = None
    """Of the plan's file."""

    @property
    def passed(self) -> bool:
        """Whether no judged check failed."""
        return all(check.passed is not False for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def stable(self) -> bool:
        """Whether the times may be trusted."""
        return self.measurement.stable

    def disturbed(self, check: Check) -> bool:
        """Whether what was measured says nothing, since something disturbed the machine: of times; counts are exact."""
        return check.unit == "s" and not self.stable

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do about instability, and about predictions that miss."""
        found = list(self.measurement.advice)
        origin = (self.hardware or {}).get("origin", "")
        here = f"({self.measurement.model.precision}, {self.measurement.mode},"
        if origin and "PyTorch" in origin and here not in origin:
            found.append(f"the profile was calibrated otherwise than this was measured {here[:-1]}): {origin}")
        if otherwise := (self.hardware or {}).get("unlike"):
            found.append(
                f"the profile was calibrated under other conditions: {otherwise}; calibrate again if times miss"
            )
        late = any(check.unit == "s" and check.passed is False for check in self.checks)
        if late and not self.stable:
            found.append("times that failed were measured on a disturbed machine: they may pass on a quiet one")
        if late and (self.hardware or {}).get("source") != "calibrated":
            found.append(
                "times were predicted with a profile that is not calibrated to this device: vlm-planner calibrate -o "
                "my-device.json, then plan and verify with --hardware my-device.json"
            )
        return tuple(found)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the checks."""
        return tuple(check.name for check in self.checks)

    def check(self, name: str) -> Check:
        """Raises KeyError for a check that was not made."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"no check is called {name!r}; there are: {', '.join(self.names)}")

    @property
    def subject(self) -> str:
        """What was verified, where: "Qwen2.5-0.5B with 36 visual tokens on NVIDIA L4", of a released model
        "Qwen3-VL-2B-Instruct (1024x768, max_pixels=401408) on NVIDIA L4"."""
        model = self.measurement.model
        if model.image:
            return f"{model.llm} ({model.image}) on {self.measurement.environment['device']}"
        tokens = "1 visual token" if model.visual_tokens == 1 else f"{model.visual_tokens} visual tokens"
        return f"{model.llm} with {tokens} on {self.measurement.environment['device']}"

    @property
    def worst(self) -> Check | None:
        """The judged time that is furthest off, but for those that hardly count; None where none is judged."""
        times = [one for one in self.checks if one.unit == "s" and one.passed is not None and one.note != SMALL]
        return max((one for one in times if one.times_off), key=lambda one: one.times_off or 0.0, default=None)

    @property
    def close(self) -> bool:
        """Whether no judged time is off by more than 15 %, whatever was allowed."""
        return self.worst is None or (self.worst.times_off or 0.0) <= CLOSE

    @property
    def unjudged(self) -> tuple[Check, ...]:
        """Times that were predicted and measured, and are not judged."""
        both = [one for one in self.checks if one.unit == "s" and None not in (one.predicted, one.measured)]
        return tuple(one for one in both if one.passed is None)

    @property
    def outcome(self) -> str:
        """How many checks were judged, which of them failed, and how far off the worst time is."""
        judged, failed = sum(check.passed is not None for check in self.checks), self.failed
        told = "all passed" if not failed else f"{len(failed)} failed: {'; '.join(check.said for check in failed)}"
        text = f"{judged} {'check' if judged == 1 else 'checks'}, {told}"
        if self.worst is not None and self.worst not in failed:
            text += f"; the time furthest off: {self.worst.said}"
        if self.unjudged:
            text += f"; not judged: {', '.join(one.title for one in self.unjudged)}"
        return text

    def __str__(self) -> str:
        steady = "" if self.stable else "; the measurement is unstable"
        return f"{self.subject}: {self.outcome}{steady}"

    def __repr__(self) -> str:
        return f"Verdict({'passed' if self.passed else 'failed'}, {str(self)!r})"

    def to_frame(self) -> pd.DataFrame:
        """The checks, a row each: predicted, measured, error, tolerance, passed."""
        import pandas as pd

        return pd.DataFrame([one.to_dict() for one in self.checks])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, the raw samples included."""
        return VERDICT_FILE.to_dict(self)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the verdict") -> Verdict:
        """What `to_dict` wrote. Raises InputError."""
        return VERDICT_FILE.from_dict(content, origin)

    @classmethod
    def restored(cls, **values: Any) -> Verdict:
        """A verdict as its file holds it. Raises InputError where nothing was checked, or a profile has no name."""
        if not values["checks"]:
            raise InputError("checks: expected at least one, got none")
        card = values["hardware"]
        if card is not None and (missing := next((name for name in _OF_CARD if name not in card), None)):
            raise InputError(f"hardware.{missing} is missing")
        return cls(**values)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write as JSON, atomically. Raises OutputExistsError."""
        return VERDICT_FILE.write(path, self, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Verdict:
        """Read what `save` wrote. Raises InputError."""
        return VERDICT_FILE.read(path)


def _method(one: Measurement) -> dict[str, Any]:
    return {**encode(one.method), "mode": one.mode}


VERDICT_FILE = FileFormat(
    "vlm-planner verdict",
    1,
    Verdict,
    "a verdict",
    "vlm-planner verify -o",
    derived={
        "passed": lambda one: one.passed,
        "stable": lambda one: one.stable,
        "model": lambda one: {**encode(one.measurement.model), "batch": one.measurement.batch},
        "workload": lambda one: encode(one.measurement.workload),
        "method": lambda one: _method(one.measurement),
        "advice": lambda one: list(one.advice),
        "environment": lambda one: dict(one.measurement.environment),
    },
)
"""The file of one verdict."""
