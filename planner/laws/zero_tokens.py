"""Runs without visual tokens, T = 0: the question alone, answered by the language model.

A form that is finite there, as ln(T + T0), is fitted to them too. A pure power or logarithm of T is infinite at T = 0:
its fit leaves these runs out, and says so. Forms are compared on the runs that all of them can take.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError
from planner.base.quantities import counted
from planner.laws.forms import FORMS, Form, get_form

if TYPE_CHECKING:
    from planner.laws.fitted import FittedLaw
    from planner.runs import Runs


def usable(runs: Runs, form: Form) -> Runs:
    """The runs that a form can be fitted to; a remark says which were left out. Raises FitError where none is left."""
    zero = runs.visual_tokens == 0
    if form.finite_without_tokens or not zero.any():
        return runs
    _check_some_left(zero, f"the {form.name} form is infinite")
    others = [one.name for one in FORMS if one.finite_without_tokens and bool(one.of_n) == bool(form.of_n)]
    advice = f"; {' and '.join(others)} can use {'it' if zero.sum() == 1 else 'them'}" if others else ""
    remark = f"{_counted(int(zero.sum()))} left out, where the {form.name} form is infinite{advice}"
    return replace(runs.take(~zero), remarks=(*runs.remarks, remark))


def with_tokens(runs: Runs, why: str) -> Runs:
    """The runs with visual tokens; a remark says which were left out, and why."""
    zero = runs.visual_tokens == 0
    if not zero.any():
        return runs
    _check_some_left(zero, "a hold-out predicts nothing")
    return replace(runs.take(~zero), remarks=(*runs.remarks, f"{_counted(int(zero.sum()))} left out: {why}"))


def how_forms_differ(laws: Iterable[FittedLaw]) -> str:
    """That some laws of the same runs use those without visual tokens and others cannot; "" where all use the same."""
    found = {law.form: law for law in laws if law.data is not None}
    zeros = {name: int(np.sum(law.data.t == 0)) for name, law in found.items() if law.data is not None}
    if len(set(zeros.values())) < 2:
        return ""
    able = [get_form(name).name for name, count in zeros.items() if count]
    verb = "uses" if len(able) == 1 else "use"
    return (
        f"{_counted(max(zeros.values()))}: {' and '.join(able)} {verb} {'it' if max(zeros.values()) == 1 else 'them'}, "
        "the other forms are infinite there; forms are weighed by the runs that all of them can take"
    )


def _check_some_left(zero: NDArray[np.bool_], what: str) -> None:
    if zero.all():
        raise FitError(
            f"all {len(zero)} runs are without visual tokens (T = 0), where {what}; measure runs with an image"
        )


def _counted(count: int) -> str:
    return f"{counted(count, 'run')} without visual tokens (T = 0)"
