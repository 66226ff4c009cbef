"""What `verify` ends with: 0 as predicted, 1 wrong, 3 where the times could not be measured, or not be judged.

A time that misses while something disturbed the machine says nothing against the prediction; a count that differs does.
"""

from __future__ import annotations

from planner.bench.grid_verdict import GridVerdict
from planner.bench.verdict import Verdict

RIGHT, WRONG, NOT_MEASURED = 0, 1, 3


def exit_code(found: Verdict | GridVerdict) -> int:
    """Of a verdict; of several, wrong is more than not measured."""
    if isinstance(found, Verdict):
        return _of_one(found)
    codes = {_of_one(cell) for cell in found.cells}
    if not all(order.passed for order in found.orders):
        codes.add(WRONG if found.stable else NOT_MEASURED)
    return next((code for code in (WRONG, NOT_MEASURED) if code in codes), RIGHT)


def _of_one(verdict: Verdict) -> int:
    if not all(map(verdict.disturbed, verdict.failed)):
        return WRONG
    times = [check for check in verdict.checks if check.unit == "s"]
    unjudged = any(one.passed is None and None not in (one.predicted, one.measured) for one in times)
    return NOT_MEASURED if verdict.failed or unjudged else RIGHT
