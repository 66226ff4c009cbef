"""From measurements to a hardware profile: pool them, start from a card, fit, judge by what was left out."""

from planner.bench.calibration.pool import QUANTITIES, Pool, check_same_environment, pool
from planner.bench.calibration.result import PREDICTIONS, Calibration, Errors, Parameter, ShapeTimes, record_path

__all__ = [
    "PREDICTIONS",
    "QUANTITIES",
    "Calibration",
    "Errors",
    "Parameter",
    "Pool",
    "ShapeTimes",
    "check_same_environment",
    "pool",
    "record_path",
]
