"""What is to be said of the runs behind a law: unlike ones that were pooled, and those that lie far off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from planner.base.quantities import format_factor, format_tokens
from planner.laws.forms import Form

if TYPE_CHECKING:
    from planner.runs import Runs

NO_NOISE = 1e-9
"""Relative residuals below this are rounding, and no scale for anything."""

_FAR_OFF = 6.0  # robust sigmas: one run in half a billion by chance
_FAR_OFF_MAX = 6  # runs that are named


def outliers(runs: Runs, form: Form, values: Mapping[str, float], n_unit_params: float, loss: str) -> tuple[str, ...]:
    """A remark on the runs that lie much farther off the law than the others do; the farthest first."""
    residual = np.abs(runs.error - form.value(values, runs.llm_params / n_unit_params, runs.visual_tokens))
    usual = 1.4826 * float(np.median(residual))
    if usual < NO_NOISE:
        return ()
    far = [int(i) for i in np.argsort(-residual, kind="stable") if residual[i] >= _FAR_OFF * usual][:_FAR_OFF_MAX]
    if not far:
        return ()
    named = [f"{runs.llm[i]} at {format_tokens(runs.visual_tokens[i])} visual tokens" for i in far]
    times = [format_factor(residual[i] / usual) for i in far]
    if len(far) == 1:
        what_helps = "huber already weighs it down" if loss == "huber" else "loss='huber' would shrug it off"
        return (f"check the run {named[0]}: it lies {times[0]} times the usual residual off the law; {what_helps}",)
    listed = [f"{name} ({many} times)" for name, many in zip(named, times, strict=True)]
    what_helps = "huber already weighs them down" if loss == "huber" else "loss='huber' would shrug them off"
    return (
        f"check the runs {', '.join(listed[:-1])} and {listed[-1]}: they lie far more than the usual residual off the "
        f"law; {what_helps}",
    )


def pooled(runs: Runs) -> tuple[str, ...]:
    """Remarks on unlike runs that were fitted as one."""
    tasks = distinct(runs.task)
    compressors = [name for name in distinct(runs.compressor) if name != "none"]
    return tuple(
        f"{len(names)} {what} fitted as one: {', '.join(names)}"
        for what, names in (("tasks", tasks), ("compressors", compressors))
        if len(names) > 1
    )


def distinct(column: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in column or () if value))
