"""A FittedLaw as an lmfit ModelResult."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InputError
from planner.laws.fit import fit
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import get_form

if TYPE_CHECKING:
    import lmfit

    from planner.runs import Runs


def model_result(law: FittedLaw, runs: Runs | None = None) -> lmfit.model.ModelResult:
    """See `FittedLaw.to_lmfit`."""
    import lmfit

    data = _data(law, runs)
    form = get_form(law.form)

    # lmfit reads the parameters' names from the signature, so each form needs a function with its own
    def additive(n: Any, t: Any, A: float, alpha: float, B: float, beta: float, D: float) -> NDArray[np.float64]:
        return form.value({"A": A, "alpha": alpha, "B": B, "beta": beta, "D": D}, n, t)

    def multiplicative(n: Any, t: Any, A: float, alpha: float, beta: float, D: float) -> NDArray[np.float64]:
        return form.value({"A": A, "alpha": alpha, "beta": beta, "D": D}, n, t)

    def log_linear(n: Any, t: Any, c0: float, c1: float, c2: float) -> NDArray[np.float64]:
        return form.value({"c0": c0, "c1": c1, "c2": c2}, n, t)

    functions = {"additive": additive, "multiplicative": multiplicative, "log-linear": log_linear}
    model = lmfit.Model(functions[law.form], independent_vars=["n", "t"], name=f"{form.name}: {form.formula}")
    params = model.make_params(**law.params)
    for name, value in law.params.items():
        imposed = law.constraints.get(name, {})
        if "expr" in imposed:
            params[name].expr = imposed["expr"]
            continue
        low = imposed.get("min", 0.0 if name in form.non_negative else -math.inf)
        held = name in law.at_bound or "value" in imposed
        params[name].set(value=value, vary=not held)
        if not held:
            params[name].set(min=low, max=imposed.get("max", math.inf))
    return model.fit(
        data.y,
        params,
        n=data.n,
        t=data.t,
        weights=np.sqrt(data.weights),
        method="least_squares",
        fit_kws={"x_scale": "jac", "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15},
    )


def _data(law: FittedLaw, runs: Runs | None) -> FitData:
    """What the law was fitted to: from memory, or from the same runs fitted again."""
    if runs is None:
        if law.data is None:
            raise InputError("to_lmfit needs the measured runs of a law that was loaded: to_lmfit(runs=read_runs(...))")
        return law.data
    if runs.sha256() != law.runs_sha256:
        came, expected = runs.sha256()[:12], law.runs_sha256[:12]
        raise InputError(f"these are not the runs of the law: fingerprint {came}..., expected {expected}...")
    again = fit(
        runs,
        law.form,
        params=_imposed(law),
        weights=law.weighting,
        loss=law.loss,
        n_unit_params=law.n_unit_params,
    )
    assert again.data is not None
    return again.data


def _imposed(law: FittedLaw) -> lmfit.Parameters | None:
    """The user's constraints of a law as lmfit reads them, None if there are none."""
    if not law.constraints:
        return None
    import lmfit

    params = lmfit.Parameters()
    for name in law.params:
        params.add(name, value=law.params[name])
    for name, imposed in law.constraints.items():
        if "expr" in imposed:
            params[name].expr = imposed["expr"]
        else:
            params[name].set(
                value=imposed.get("value", law.params[name]),
                vary="value" not in imposed,
                min=imposed.get("min", -math.inf),
                max=imposed.get("max", math.inf),
            )
    return params
