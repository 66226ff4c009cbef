"""fit(): measured runs -> FittedLaw. The one entrance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError, InputError, UnknownNameError
from planner.base.quantities import format_factor, format_tokens, shown
from planner.laws.faces import make_design
from planner.laws.fitted import (
    AT_A_BOUND,
    CONVERGED,
    LOSSES,
    NOT_IDENTIFIED,
    WEIGHTINGS,
    FitData,
    FittedLaw,
)
from planner.laws.forms import DEFAULT_FORM, Form, get_form
from planner.laws.solve import EXPONENT_MAX, Optimum, solve
from planner.runs import Runs, read_runs

if TYPE_CHECKING:
    import lmfit
    import pandas as pd

    from planner.laws.combined import CombinedLaw
    from planner.laws.joint import JointFit

FloatArray = NDArray[np.float64]


_EFFECTS: dict[str, dict[str, tuple[str, ...]]] = {
    "additive": {"N": ("A", "alpha"), "T": ("B", "beta")},
    "multiplicative": {"N": ("A", "alpha"), "T": ("A", "beta")},
    "log-linear": {"N": ("c1",), "T": ("c2",)},
}  # the parameters that carry the effect of N and of T; where one is zero, there is none

_NO_EFFECT = 1e-12  # a coefficient or an exponent below this moves no digit of an error

_HUBER_K = 1.345  # residuals beyond this many sigmas count linearly: 95 % efficient on Gaussian noise (Huber 1964)
_HUBER_SCALE_ROUNDS = 10
_HUBER_ROUNDS_MAX = 300
_FAR_OFF = 6.0  # robust sigmas: one run in half a billion by chance
_NO_NOISE = 1e-9  # relative residuals below this are rounding, and no scale for anything


@dataclass(frozen=True)
class _Found:
    """What one way of solving found."""

    optimum: Optimum
    at_bound: tuple[str, ...]
    weights: FloatArray
    huber_delta: float | None = None


@overload
def fit(  # type: ignore[overload-overlap]  # "auto" is a str too, and the one with another answer
    runs: Runs | pd.DataFrame | str,
    form: Literal["auto"],
    *,
    weights: str = "auto",
    name: str = "",
) -> CombinedLaw: ...


@overload
def fit(
    runs: Runs | pd.DataFrame | str,
    form: str = DEFAULT_FORM,
    *,
    params: lmfit.Parameters | None = None,
    weights: str = "auto",
    loss: str = "least-squares",
    n_unit_params: float = 1e9,
    name: str = "",
    vision: str = "",
    by: None = None,
    shared: Iterable[str] = (),
) -> FittedLaw: ...


@overload
def fit(
    runs: Runs | pd.DataFrame | str,
    form: str = DEFAULT_FORM,
    *,
    params: lmfit.Parameters | None = None,
    weights: str = "auto",
    loss: str = "least-squares",
    n_unit_params: float = 1e9,
    name: str = "",
    vision: str = "",
    by: str,
    shared: Iterable[str] = (),
) -> JointFit: ...


def fit(
    runs: Runs | pd.DataFrame | str,
    form: str = DEFAULT_FORM,
    *,
    params: lmfit.Parameters | None = None,
    weights: str = "auto",
    loss: str = "least-squares",
    n_unit_params: float = 1e9,
    name: str = "",
    vision: str = "",
    by: str | None = None,
    shared: Iterable[str] = (),
) -> FittedLaw | JointFit | CombinedLaw:
    """Fit a form of the law to measured runs: the exact, deterministic least-squares optimum under its bounds.

    The order of the rows and the unit of N make no difference to exponents and residuals.

    Args:
        runs: as `read_runs` takes them.
        form: "additive", "multiplicative" or "log-linear"; "auto" fits all and averages them by their evidence.
        params: fixed (vary=False), tied (expr="beta") or bounded (min, max) parameters, by their names in the form.
            The form's own lower bound of zero stays, unless a finite `min` below zero lifts it.
        weights: "error_se" (inverse variance), "samples" (binomial variance of the error over that many samples),
            "equal", or "auto": the first of these that the runs have.
        loss: "least-squares", or "huber" on relative residuals (y - Y) / y with the turning point scaled by a robust
            estimate of the noise.
        n_unit_params: unit of N in the fitted parameters; a billion by convention.
        name: what the law is to be called.
        vision: the vision tower of the runs, where known.
        by: fit the groups of this column together ("compressor", "task", "family", "llm" or "source"); see `joint`.
        shared: parameters that are one number for all groups, such as ("alpha", "D"); with `by` only.

    Returns:
        A FittedLaw; with `by` a JointFit, which holds one for every group; with form "auto" a CombinedLaw.

    Raises:
        RunsError: the table is bad.
        FitError: too few levels of N or T, or too few runs, for the form.
        UnknownNameError: no such form, weighting, loss, parameter or column.
        InputError: `shared` without `by`, or `by` with `params` or another loss.
    """
    table = read_runs(runs)
    if form == "auto":
        from planner.laws.combined import fit_auto

        if params is not None or by is not None or loss != "least-squares" or n_unit_params != 1e9:
            raise InputError(
                "form 'auto' takes least squares of all forms: leave out params=, by=, loss=, n_unit_params="
            )
        return fit_auto(table, weights=weights, name=name)
    shape = get_form(form)
    for what, value, known in (("weighting", weights, ("auto", *WEIGHTINGS)), ("loss", loss, LOSSES)):
        if value not in known:
            raise UnknownNameError(what, value, known)
    if not (math.isfinite(n_unit_params) and n_unit_params > 0):
        raise InputError(f"n_unit_params: expected a positive number of parameters, got {shown(n_unit_params)}")
    if params is not None and not params:
        params = None
    shared = (shared,) if isinstance(shared, str) else tuple(shared)
    if by is not None:
        from planner.laws.joint import fit_joint

        if params is not None or loss != "least-squares":
            raise InputError("by= takes least squares without further constraints: leave out params= and loss=")
        return fit_joint(
            table, form, by=by, shared=shared, weights=weights, n_unit_params=n_unit_params, name=name, vision=vision
        )
    if shared:
        raise InputError(f"shared={shared!r} needs by=: the column whose groups share it, such as by='compressor'")
    _check_levels(table, shape, params)
    weighting, base_weights = run_weights(table, weights)
    order = np.lexsort((base_weights, table.error, table.visual_tokens, table.llm_params))  # any row order, one sum
    data = FitData(
        n=table.llm_params[order] / n_unit_params,
        t=table.visual_tokens[order],
        y=table.error[order],
        weights=base_weights[order] / base_weights[order].mean(),
    )
    found = _huber(shape, data, params) if loss == "huber" else _least_squares(shape, data, data.weights, params)
    values = found.optimum.params
    rss = float(np.sum((data.y - shape.value(values, data.n, data.t)) ** 2))
    status, advice = _judge(shape, found, data, params)
    return FittedLaw(
        form=form,
        params=values,
        n_unit_params=float(n_unit_params),
        name=name,
        status=status,
        advice=advice,
        at_bound=found.at_bound,
        constraints=_constraints(params),
        rss=rss,
        rmse=math.sqrt(rss / len(table)),
        n_runs=len(table),
        weighting=weighting,
        loss=loss,
        huber_delta=found.huber_delta,
        llms=distinct(table.llm),
        tasks=distinct(table.task),
        compressors=distinct(table.compressor),
        vision=vision,
        sources=distinct(table.source),
        llm_params_levels=tuple(np.unique(table.llm_params).tolist()),
        visual_tokens_levels=tuple(np.unique(table.visual_tokens).tolist()),
        runs_sha256=table.sha256(),
        remarks=table.remarks + _pooled(table) + _outlier(table, shape, values, n_unit_params, loss),
        data=replace(data, weights=found.weights),
    )


def _least_squares(form: Form, data: FitData, weights: FloatArray, params: lmfit.Parameters | None) -> _Found:
    optimum = solve(form.name, make_design(data.n, data.t, weights), data.y)
    if params is not None:
        from planner.laws.constrained import solve_constrained

        optimum, at_bound = solve_constrained(form, data, weights, params, optimum)
        return _Found(optimum, at_bound, weights)
    values = optimum.params
    at_zero = [name for name in form.param_names if name in form.non_negative and values[name] == 0]
    at_top = [name for name in ("alpha", "beta") if values.get(name, 0.0) >= EXPONENT_MAX]
    return _Found(optimum, tuple(at_zero + at_top), weights)


def _huber(form: Form, data: FitData, params: lmfit.Parameters | None) -> _Found:
    """Huber's loss on relative residuals by re-weighted least squares, each round solved exactly.

    The turning point is _HUBER_K times the robust sigma (1.4826 x median absolute residual), re-estimated for a few
    rounds and then held, so that what converges is the optimum of one fixed objective.
    """
    if (data.y <= 0).any():
        raise FitError("the Huber loss is on relative residuals and needs errors above 0; a run has error 0")
    relative = data.weights / data.y**2
    weights, delta = relative, math.inf
    for round_number in range(_HUBER_ROUNDS_MAX):
        found = _least_squares(form, data, weights / weights.mean(), params)
        residual = np.abs(data.y - form.value(found.optimum.params, data.n, data.t)) / data.y * np.sqrt(data.weights)
        if round_number < _HUBER_SCALE_ROUNDS:
            delta = _HUBER_K * max(1.4826 * float(np.median(residual)), _NO_NOISE)
        new_weights = relative * np.minimum(1.0, delta / np.maximum(residual, delta))
        still = bool(np.allclose(new_weights, weights, rtol=1e-9, atol=0.0))
        weights = new_weights
        if still and round_number >= _HUBER_SCALE_ROUNDS:
            break
    else:
        found = replace(found, optimum=replace(found.optimum, converged=False))
    return replace(found, weights=weights / weights.mean(), huber_delta=delta)


def run_weights(runs: Runs, weighting: str) -> tuple[str, FloatArray]:
    """(which one, weight of every run): inverse variances up to a common factor."""
    if weighting == "auto":
        weighting = "error_se" if runs.error_se is not None else "samples" if runs.samples is not None else "equal"
    if weighting == "equal":
        return weighting, np.ones(len(runs))
    column: FloatArray | None = getattr(runs, weighting)
    if column is None:
        raise FitError(
            f"weights={weighting!r} needs a column {weighting!r} in the runs; add it, or say weights='equal'"
        )
    if weighting == "error_se":
        return weighting, 1.0 / column**2
    # binomial variance y (1 - y) / samples, with two successes and two failures added so that 0 and 1 have one too
    smoothed = (runs.error * column + 2) / (column + 4)
    return weighting, (column + 4) / (smoothed * (1 - smoothed))


def _check_levels(runs: Runs, form: Form, params: lmfit.Parameters | None) -> None:
    """Say before fitting what these runs cannot tell. Raises FitError."""
    free = {name for name in form.param_names if params is None or name not in params or params[name].vary}
    power = form.name != "log-linear"
    offset = power and "D" in free
    for letter, column, exponent in (
        ("N", runs.llm_params, "alpha" if power else "c1"),
        ("T", runs.visual_tokens, "beta" if power else "c2"),
    ):
        needed = (form.n_levels if offset or not power else 2) if exponent in free else 1
        levels = len(np.unique(column))
        if levels < needed:
            size = "LLM sizes (N)" if letter == "N" else "visual token counts (T)"
            why = "an exponent and an offset" if offset else "an exponent" if power else "a slope"
            fix = " or fix parameters" if power else ""
            raise FitError(
                f"too few {size}: the {form.name} form needs {needed} levels to tell {why}, the runs have {levels}; "
                f"measure more{fix}, or fit a form with fewer parameters"
            )
    if len(runs) < len(free):
        raise FitError(
            f"too few runs: the {form.name} form has {len(free)} free parameters, the table has {len(runs)} runs; "
            "measure more"
        )


def _judge(form: Form, found: _Found, data: FitData, params: lmfit.Parameters | None) -> tuple[str, str]:
    """(status, advice)."""
    values, at_bound = found.optimum.params, found.at_bound
    fixed = set() if params is None else {name for name in params if not params[name].vary}
    lost = lost_effects(form, values, fixed)
    if lost:
        return NOT_IDENTIFIED, "; ".join(lost)
    free = [i for i, name in enumerate(form.param_names) if name not in at_bound and name not in fixed]
    jacobian = form.gradient(values, data.n, data.t)[:, free] * np.sqrt(found.weights)[:, None]
    lengths = np.linalg.norm(jacobian, axis=0)
    singular = np.linalg.svd(jacobian / np.where(lengths > 0, lengths, 1.0), compute_uv=False)
    if len(free) and (not lengths.all() or singular[-1] < 1e-9 * singular[0]):
        return NOT_IDENTIFIED, "the runs leave a combination of parameters free: trust predictions inside the data only"
    if not found.optimum.converged:
        return NOT_IDENTIFIED, "the search stopped before it settled, so the optimum is flat: trust predictions only"
    if len(data.y) <= len(free):
        return NOT_IDENTIFIED, "as many parameters as runs: the law passes through them and nothing is left to check it"
    if at_bound:
        return AT_A_BOUND, bound_advice(at_bound, values)
    return CONVERGED, "the optimum lies inside all bounds"


def lost_effects(form: Form, values: Mapping[str, float], fixed: set[str]) -> list[str]:
    """Sentences for each of N and T whose effect is absent, or a bare step."""
    lost = []
    for letter, needed in _EFFECTS[form.name].items():
        if any(values[name] <= _NO_EFFECT and name not in fixed for name in needed):
            lost.append(
                f"the runs show no fall of the error with {letter}: the law must not be used to choose {letter}"
            )
        elif values.get(needed[-1], 0.0) >= EXPONENT_MAX:
            lost.append(f"the error falls in one step at the smallest {letter}: measure levels of {letter} near it")
    return lost


def bound_advice(at_bound: tuple[str, ...], values: Mapping[str, float]) -> str:
    if at_bound == ("D",) and values["D"] == 0:
        return (
            "D is at its lower bound 0: the runs do not tell how low the error can get; rely on predictions and picks, "
            "not on single exponents"
        )
    return f"{', '.join(at_bound)} at a bound: the bound is part of the answer; check that it is meant"


def _constraints(params: lmfit.Parameters | None) -> dict[str, dict[str, Any]]:
    """What the user imposed, as plain JSON types."""
    out: dict[str, dict[str, Any]] = {}
    for name, parameter in (params or {}).items():
        if parameter.expr:
            out[name] = {"expr": str(parameter.expr)}
        elif not parameter.vary:
            out[name] = {"value": float(parameter.value)}
        else:
            bounds = {"min": float(parameter.min), "max": float(parameter.max)}
            out[name] = {side: bound for side, bound in bounds.items() if math.isfinite(bound)}
    return {name: imposed for name, imposed in out.items() if imposed}


def _outlier(runs: Runs, form: Form, values: Mapping[str, float], n_unit_params: float, loss: str) -> tuple[str, ...]:
    """A remark on the run that lies farthest off the law, if it lies much farther off than the others do."""
    residual = np.abs(runs.error - form.value(values, runs.llm_params / n_unit_params, runs.visual_tokens))
    usual = 1.4826 * float(np.median(residual))
    i = int(np.argmax(residual))
    if usual < _NO_NOISE or residual[i] < _FAR_OFF * usual:
        return ()
    where = f"{runs.llm[i]} at {format_tokens(runs.visual_tokens[i])} visual tokens"
    how_far = f"{format_factor(residual[i] / usual)} times the usual residual"
    what_helps = "huber already weighs it down" if loss == "huber" else "loss='huber' would shrug it off"
    return (f"check the run {where}: it lies {how_far} off the law; {what_helps}",)


def _pooled(runs: Runs) -> tuple[str, ...]:
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
