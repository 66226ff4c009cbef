"""What is to be said of the runs behind a law: unlike ones that were pooled, and one that lies far off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from planner.base.quantities import format_factor, format_tokens
from planner.laws.forms import Form
from planner.runs import Runs

NO_NOISE = 1e-9
"""Relative residuals below this are rounding, and no scale for anything."""

_FAR_OFF = 6.0  # robust sigmas: one run in half a billion by chance


def outlier(runs: Runs, form: Form, values: Mapping[str, float], n_unit_params: float, loss: str) -> tuple[str, ...]:
    """A remark on the run that lies farthest off the law, if it lies much farther off than the others do."""
    residual = np.abs(runs.error - form.value(values, runs.llm_params / n_unit_params, runs.visual_tokens))
    usual = 1.4826 * float(np.median(residual))
    i = int(np.argmax(residual))
    if usual < NO_NOISE or residual[i] < _FAR_OFF * usual:
        return ()
    where = f"{runs.llm[i]} at {format_tokens(runs.visual_tokens[i])} visual tokens"
    how_far = f"{format_factor(residual[i] / usual)} times the usual residual"
    what_helps = "huber already weighs it down" if loss == "huber" else "loss='huber' would shrug it off"
    return (f"check the run {where}: it lies {how_far} off the law; {what_helps}",)


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
