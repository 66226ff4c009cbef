"""A FittedLaw as an lmfit ModelResult."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form

if TYPE_CHECKING:
    import lmfit


def model_result(law: FittedLaw) -> lmfit.model.ModelResult:
    """See `FittedLaw.to_lmfit`."""
    import lmfit

    data = law.data
    if data is None:
        raise InputError("to_lmfit needs a fitted law: this one was given, it has no runs")
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
        method="leastsq",  # the one that conf_interval goes on with
        fit_kws={"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15},
    )
