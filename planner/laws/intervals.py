"""Profile-likelihood intervals of a law: of every parameter, of predictions, of the best number of visual tokens."""

from __future__ import annotations

import numpy as np

from planner.base.errors import FitError, InputError
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form
from planner.laws.profile.base import KINDS, LEVEL, Interval, Profiler, fixed, identifiable
from planner.laws.profile.exact import ExactProfiler
from planner.laws.profile.refits import RefitProfiler
from planner.laws.student import normal_quantile, two_sided_quantile
from planner.laws.weighting import ABSOLUTE

__all__ = ["KINDS", "LEVEL", "ExactProfiler", "Interval", "Profiler", "RefitProfiler", "identifiable", "profiler"]

_NO_NOISE = 1e-13  # relative: sums of squares below this are lost in the inner products of the region


def profiler(law: FittedLaw, level: float = LEVEL) -> Profiler:
    """The likelihood region of a law, from which every interval is read.

    Args:
        law: a fitted law. A Huber fit is taken at the weights of its last round.
        level: of the intervals, between 0 and 1.

    Raises:
        InputError: a law without runs, or a level outside (0, 1).
        FitError: too few runs for an interval, or a law with tied or bounded parameters.
    """
    if law.data is None:
        raise InputError("intervals need a fitted law: this one was given, it has no runs")
    if not 0 < level < 1:
        raise InputError(f"level: expected a number between 0 and 1, got {level!r}")
    form, imposed = get_form(law.form), set(law.constraints)
    held = imposed if form.projection is None else set(form.projection.exponents)
    if imposed and not (fixed(law) == imposed == held):
        raise FitError(
            "profile intervals are for free fits and for both exponents fixed; this law has other constraints: "
            "fit without constraints, or use law.to_lmfit().conf_interval() where no bound is active"
        )
    dof = law.n_runs - (len(law.params) - len(imposed))
    if dof < 1:
        raise FitError(f"intervals need more runs than parameters: {law.n_runs} runs, {len(law.params)} parameters")
    data = law.data
    prediction = form.value(law.params, data.n, data.t)
    rss = float(np.sum(data.weights * (data.y - prediction) ** 2))
    floor = _NO_NOISE * float(data.weights @ data.y**2)
    noise_variance, t_squared = max(rss, floor) / dof, two_sided_quantile(level, dof) ** 2
    rss_level = noise_variance * (dof + t_squared)
    if law.error_se == ABSOLUTE and law.stated_sd is not None:
        noise_variance, t_squared = law.stated_sd**2, normal_quantile(level) ** 2
        rss_level = max(rss, floor) + noise_variance * t_squared
    facts = (law, form, data, level, dof, noise_variance, t_squared, rss_level)
    return RefitProfiler(*facts) if form.projection is None else ExactProfiler(*facts, form.projection)
