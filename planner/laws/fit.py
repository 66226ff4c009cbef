"""fit(): measured runs -> FittedLaw. The one entrance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown
from planner.laws.borrowed import check_rest_is_told, held_of_n, remark_of, with_held
from planner.laws.engine.optimum import best_fit
from planner.laws.engine.solve import Optimum
from planner.laws.fitted import LOSSES, WEIGHTINGS, FitData, FittedLaw
from planner.laws.forms import DEFAULT_FORM, Form, get_form
from planner.laws.huber import reweighted
from planner.laws.judge import bounds_reached, judge
from planner.laws.levels import check_levels
from planner.laws.remarks import distinct, outliers, pooled
from planner.laws.weighting import RELATIVE, run_weights, stated_sd
from planner.laws.zero_tokens import usable
from planner.runs import Runs, read_runs
from planner.runs.table import in_words
from planner.runs.tasks import refuse_mixed_tasks

if TYPE_CHECKING:
    import lmfit
    import pandas as pd

FloatArray = NDArray[np.float64]


def fit(
    runs: Runs | pd.DataFrame | str,
    form: str = DEFAULT_FORM,
    *,
    params: lmfit.Parameters | None = None,
    weights: str = "auto",
    error_se: str = RELATIVE,
    loss: str = "least-squares",
    n_unit_params: float = 1e9,
    name: str = "",
    vision: str = "",
    borrow_n: FittedLaw | None = None,
    by: None = None,
    shared: Iterable[str] = (),
) -> FittedLaw:
    """Fit a form of the law to measured runs: the deterministic least-squares optimum under its bounds.

    It is exact for the built-in forms. The order of the rows and the unit of N make no difference to exponents and
    residuals.

    Args:
        runs: as `read_runs` takes them.
        form: "additive" or another registered form (`planner.laws.forms.FORMS`).
        params: fixed (vary=False), tied (expr="beta") or bounded (min, max) parameters, by their names in the form.
            The form's own lower bound of zero stays, unless a finite `min` below zero lifts it.
        weights: "error_se" (inverse variance), "samples" (binomial variance of the error over that many samples),
            "equal", or "auto": the first of these that the runs have.
        error_se: "relative", the residuals tell the noise and standard errors only its ratios between runs; or
            "absolute", intervals take them as they stand.
        loss: "least-squares", or "huber" on relative residuals (y - Y) / y with the turning point scaled by a robust
            estimate of the noise.
        n_unit_params: unit of N in the fitted parameters; a billion by convention.
        name: what the law is to be called.
        vision: the vision tower of the runs, where known.
        borrow_n: a law of the same form whose effect of N is held, for runs of one language model.
        by: groups are fitted together by `fit_joint`.
        shared: of `fit_joint` too.

    Raises:
        RunsError: the table is bad.
        FitError: too few levels of N or T, or too few runs, for the form.
        UnknownNameError: no such form, weighting, loss or parameter.
        InputError: form "auto", `by` or `shared`: other functions do that; absolute standard errors that the fit does
            not weigh by; or an effect of N that cannot be borrowed, or leaves other parameters free.
    """
    table = read_runs(runs)
    if form == "auto":
        raise InputError("form='auto': fit fits one form; call planner.fit_average(runs) for the average of all forms")
    if by is not None or tuple(shared):
        raise InputError(
            "by= and shared=: fit fits all runs as one; call planner.fit_joint(runs, form, by=..., shared=...) to fit "
            "groups of runs together"
        )
    refuse_mixed_tasks(table)
    shape = get_form(form)
    for what, value, known in (("weighting", weights, ("auto", *WEIGHTINGS)), ("loss", loss, LOSSES)):
        if value not in known:
            raise UnknownNameError(what, value, known)
    if not (math.isfinite(n_unit_params) and n_unit_params > 0):
        raise InputError(f"n_unit_params: expected a positive number of parameters, got {shown(n_unit_params)}")
    facts = {"n_unit_params": n_unit_params, "name": name, "vision": vision, "error_se": error_se}
    if borrow_n is None:
        return _fitted(table, shape, params or None, weights, loss, facts)
    held = held_of_n(shape, borrow_n, n_unit_params)
    law = _fitted(table, shape, with_held(params, held), weights, loss, facts)
    check_rest_is_told(law, held)
    return replace(law, remarks=(*law.remarks, remark_of(borrow_n, held)))


def fit_beside(law: FittedLaw, runs: Runs, weights: str) -> FittedLaw:
    """The form of a law fitted freely to other runs like its own: its parameters are one start among fewer.

    Raises:
        FitError: as `fit`.
    """
    facts = {"n_unit_params": law.n_unit_params, "name": "", "vision": "", "error_se": law.error_se}
    return _fitted(runs, get_form(law.form), None, weights, LOSSES[0], facts, law.params)


def _fitted(
    table: Runs,
    shape: Form,
    params: lmfit.Parameters | None,
    weights: str,
    loss: str,
    facts: Mapping[str, Any],
    hint: Mapping[str, float] | None = None,
) -> FittedLaw:
    """The law of `fit`, whose arguments are sound; `facts` are fields that it is given."""
    n_unit_params, given = facts["n_unit_params"], table
    table = usable(table, shape)
    check_levels(table, shape, _free(shape, params))
    weighting, base_weights = run_weights(table, weights)
    sd = stated_sd(table, weighting, facts["error_se"], loss)
    names = np.array(table.llm, dtype=str)
    # any row order, one sum
    order = np.lexsort((names, base_weights, table.error, table.visual_tokens, table.llm_params))
    data = FitData(
        n=table.llm_params[order] / n_unit_params,
        t=table.visual_tokens[order],
        y=table.error[order],
        weights=base_weights[order] / base_weights[order].mean(),
        llm=tuple(names[order].tolist()),
    )
    optimum, at_bound, data, huber_delta = _solved(shape, data, params, loss, hint)
    values = optimum.params
    rss = float(np.sum((data.y - shape.value(values, data.n, data.t)) ** 2))
    fixed = {name for name in params or () if params is not None and not params[name].vary}
    status, advice = judge(shape, values, at_bound, fixed, data, optimum.converged, n_unit_params)
    return FittedLaw(
        form=shape.name,
        params=values,
        n_unit_params=float(n_unit_params),
        name=facts["name"],
        status=status,
        advice=in_words(advice, table.kind),
        at_bound=at_bound,
        constraints=_constraints(params),
        rss=rss,
        rmse=math.sqrt(rss / len(table)),
        n_runs=len(table),
        weighting=weighting,
        error_se=facts["error_se"],
        stated_sd=sd,
        predicts=table.kind,
        loss=loss,
        huber_delta=huber_delta,
        llms=distinct(table.llm),
        tasks=distinct(table.task),
        compressors=distinct(table.compressor),
        vision=facts["vision"],
        sources=distinct(table.source),
        llm_params_levels=tuple(np.unique(table.llm_params).tolist()),
        visual_tokens_levels=tuple(np.unique(table.visual_tokens[table.visual_tokens > 0]).tolist()),
        runs_sha256=given.sha256(),
        remarks=table.remarks + pooled(table) + outliers(table, shape, values, n_unit_params, loss),
        data=data,
    )


def _solved(
    form: Form, data: FitData, params: lmfit.Parameters | None, loss: str, hint: Mapping[str, float] | None
) -> tuple[Optimum, tuple[str, ...], FitData, float | None]:
    """The optimum, parameters at a bound, the data with the weights of the fit, and Huber's turning point."""

    last: Optimum | None = None

    def solve(weights: FloatArray) -> tuple[Optimum, tuple[str, ...]]:
        nonlocal last
        near = None if last is None else last.params
        last = best_fit(form, data.n, data.t, data.y, weights, near=near, hint=hint)
        if params is None:
            return last, bounds_reached(form, last.params)
        from planner.laws.engine.constrained import solve_constrained  # loads lmfit

        return solve_constrained(form, data.n, data.t, data.y, weights, params, last)

    if loss == "least-squares":
        optimum, at_bound = solve(data.weights)
        return optimum, at_bound, data, None
    (optimum, at_bound), weights, delta, settled = reweighted(
        data, solve, lambda found: form.value(found[0].params, data.n, data.t)
    )
    optimum = replace(optimum, converged=optimum.converged and settled)
    return optimum, at_bound, replace(data, weights=weights), delta


def _free(form: Form, params: lmfit.Parameters | None) -> set[str]:
    """Parameters that the user left free, or tied."""
    return {name for name in form.param_names if params is None or name not in params or params[name].vary}


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
