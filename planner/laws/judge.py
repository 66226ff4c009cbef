"""Whether a fit is to be trusted: its status, and what that means for whoever uses the law."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from planner.laws.fitted import AT_A_BOUND, CONVERGED, NOT_IDENTIFIED, FitData
from planner.laws.forms import Form
from planner.laws.trend import Trend, trend_of

FloatArray = NDArray[np.float64]

_NO_EFFECT = 1e-12  # a coefficient or an exponent below this moves no digit of an error


def judge(
    form: Form,
    values: Mapping[str, float],
    at_bound: tuple[str, ...],
    fixed: set[str],
    data: FitData,
    converged: bool,
    n_unit_params: float,
) -> tuple[str, str]:
    """(status, advice) of a fit.

    Args:
        form: what was fitted.
        values: the parameters found.
        at_bound: those that stand at a bound.
        fixed: those that the user fixed.
        data: the runs, with the weights of the fit.
        converged: whether the search ended because nothing improved any more.
        n_unit_params: the unit of N, in parameters.
    """
    lost = lost_effects(form, values, fixed, data, n_unit_params)
    if lost:
        return NOT_IDENTIFIED, "; ".join(lost)
    free = [i for i, name in enumerate(form.param_names) if name not in at_bound and name not in fixed]
    jacobian = form.gradient(values, data.n, data.t)[:, free] * np.sqrt(data.weights)[:, None]
    lengths = np.linalg.norm(jacobian, axis=0)
    singular = np.linalg.svd(jacobian / np.where(lengths > 0, lengths, 1.0), compute_uv=False)
    if len(free) and (not lengths.all() or singular[-1] < 1e-9 * singular[0]):
        return NOT_IDENTIFIED, "the runs leave a combination of parameters free: trust predictions inside the data only"
    if not converged:
        return NOT_IDENTIFIED, "the search stopped before it settled, so the optimum is flat: trust predictions only"
    if len(data.y) <= len(free):
        return NOT_IDENTIFIED, "as many parameters as runs: the law passes through them and nothing is left to check it"
    if at_bound:
        return AT_A_BOUND, bound_advice(form, at_bound, values)
    return CONVERGED, "the optimum lies inside all bounds"


def lost_effects(
    form: Form, values: Mapping[str, float], fixed: set[str], data: FitData, n_unit_params: float
) -> list[str]:
    """Sentences for each of N and T whose effect is absent, or a bare step; what runs show, they say themselves.

    A parameter that may be negative says nothing of it alone: there the error must fall on the mean of the runs.
    """
    lost = []
    slopes = form.log_slopes(values, data.n, data.t)
    for letter, needed, slope in (("N", form.of_n, slopes[0]), ("T", form.of_t, slopes[1])):
        free = [name for name in needed if name not in fixed]
        signed = [name for name in free if form.parameter(name).low < 0]
        rises = bool(signed) and float(np.average(slope, weights=data.weights)) >= -_NO_EFFECT
        at_bound = [name for name in free if name not in signed and values[name] <= _NO_EFFECT]
        if rises or at_bound:
            lost.append(_no_effect(trend_of(letter, data), at_bound, n_unit_params))
        elif needed and values[needed[-1]] >= form.parameter(needed[-1]).high:
            lost.append(f"the error falls in one step at the smallest {letter}: measure levels of {letter} near it")
    return lost


def _no_effect(trend: Trend, at_bound: list[str], n_unit_params: float) -> str:
    """What it means that a law has no effect of N, or of T."""
    letter = trend.letter
    never = f"the law must not be used to choose {letter}"
    if trend.falls:
        other = "N" if letter == "T" else "T"
        done = f"puts {' and '.join(at_bound)} at 0" if at_bound else "lets it rise"
        return (
            f"the error falls with {letter} in the runs, {trend.step(n_unit_params)} at the same {other}, but the fit "
            f"{done}, since its weights, its shared parameters or its form leave no room "
            f"for that: {never}; try equal weights, fewer shared parameters or another form"
        )
    if trend.rises:
        more = "larger language models" if letter == "N" else "more visual tokens"
        return (
            f"the runs show no fall of the error with {letter} but a rise, {trend.step(n_unit_params)}: {more} do not "
            f"help here, and {never}"
        )
    return f"the runs show no fall of the error with {letter}: {never}"


def bounds_reached(form: Form, values: Mapping[str, float]) -> tuple[str, ...]:
    """Parameters that stand at a bound of the form: at the lower ones first."""
    at_low = [one.name for one in form.parameters if values[one.name] == one.low]
    return tuple(at_low + [one.name for one in form.parameters if values[one.name] >= one.high])


def bound_advice(form: Form, at_bound: tuple[str, ...], values: Mapping[str, float]) -> str:
    """What it means that parameters stand at a bound."""
    name = at_bound[0]
    if at_bound == (name,) and values[name] == 0 and form.parameter(name).offset:
        return (
            f"{name} is at its lower bound 0: the runs do not tell how low the error can get; rely on predictions and "
            "picks, not on single exponents"
        )
    return f"{', '.join(at_bound)} at a bound: the bound is part of the answer; check that it is meant"
