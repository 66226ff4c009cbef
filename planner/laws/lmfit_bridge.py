"""A FittedLaw as an lmfit ModelResult."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.laws.forms import get_form
from planner.laws.weighting import ABSOLUTE

if TYPE_CHECKING:
    import lmfit

    from planner.laws.fitted import FittedLaw


def model_result(law: FittedLaw) -> lmfit.model.ModelResult:
    """See `FittedLaw.to_lmfit`."""
    import lmfit

    data = law.data
    if data is None:
        raise InputError("to_lmfit needs a fitted law: this one was given, it has no runs")
    form = get_form(law.form)

    def function(n: Any, t: Any, **params: float) -> NDArray[np.float64]:
        return form.value(params, n, t)

    # lmfit reads the parameters' names from the signature, which functools.wraps could not give it
    named = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("n", "t", *form.param_names)]
    function.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    model = lmfit.Model(function, independent_vars=["n", "t"], name=f"{form.name}: {form.formula}")
    params = model.make_params(**law.params)
    for name, value in law.params.items():
        imposed = law.constraints.get(name, {})
        if "expr" in imposed:
            params[name].expr = imposed["expr"]
            continue
        low = imposed.get("min", form.parameter(name).low)
        held = name in law.at_bound or "value" in imposed
        params[name].set(value=value, vary=not held)
        if not held:
            params[name].set(min=low, max=imposed.get("max", math.inf))
    return model.fit(
        data.y,
        params,
        n=data.n,
        t=data.t,
        weights=np.sqrt(data.weights) / (law.stated_sd or 1.0) if law.error_se == ABSOLUTE else np.sqrt(data.weights),
        scale_covar=law.error_se != ABSOLUTE,
        method="leastsq",  # the one that conf_interval goes on with
        fit_kws={"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15},
    )
