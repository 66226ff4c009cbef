"""Constants of the scheduler that nobody said: which of the usual ones fits the load tests best.

Seats and tokens of an iteration are whole numbers from a short list, so each is tried. One is identified where every
other makes the sum of rho at least `CLEARLY` higher; where tests do not fill them, all give the same, and the engine's
default stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.base.dataclass import dataclass
from planner.bench.calibration.engine_fit import EngineFit, fit_engine, loss_of
from planner.bench.calibration.engine_models import Described, Parts
from planner.bench.calibration.engine_points import points_of
from planner.bench.calibration.result import Parameter
from planner.bench.loadtests import LoadTest
from planner.hardware import Hardware

SEATS = "max_num_seqs"
USUAL: Mapping[str, tuple[int, ...]] = {
    "max_num_batched_tokens": (512, 1024, 2048, 4096, 8192, 16384),
    SEATS: (16, 32, 64, 128, 256, 512, 1024),
}
"""What is tried."""
CLEARLY = 4.0
_SAME = 1e-6


@dataclass(frozen=True)
class Constants:
    """One of them, with those that fit as well."""

    parameter: Parameter


def fit_scheduler(
    fit: EngineFit, tests: Sequence[LoadTest], known: Mapping[str, Described], start: Hardware, parts: Parts
) -> tuple[EngineFit, tuple[Constants, ...]]:
    """The fit with the constants that fit best, and what is known of each that nobody said.

    Args:
        fit: with the engine's defaults.
        tests, known, start, parts: as `points_of` takes them.
    """
    changed: dict[str, int] = {}
    most = max(one.concurrency or one.tried for one in tests)
    found: list[Constants] = []
    for name, usual in USUAL.items():
        if any(name in one.settings for one in tests):
            continue
        default = getattr(fit.points[0].scheduler, name)
        losses: dict[int, float] = {}
        for value in sorted({*usual, default}):
            if name == SEATS and value > default and default >= most:
                continue  # no test could fill them
            points = points_of(tests, known, start, parts, {**changed, name: value})
            losses[value] = loss_of(points, fit)
        best = min(losses, key=lambda value: (losses[value] - (_SAME if value == default else 0.0), value))
        if losses[default] - losses[best] <= CLEARLY:
            best = default
        near = [value for value, loss in losses.items() if loss - losses[best] <= CLEARLY]
        if best != default:
            changed[name] = best
        found.append(
            Constants(
                Parameter(name, float(best), float(min(near)), float(max(near)), float(default), len(near) == 1, False)
            )
        )
    if changed:
        points = points_of(tests, known, start, parts, changed)
        fit = fit_engine(points, fit.numbers, fit.x)
    return fit, tuple(found)
