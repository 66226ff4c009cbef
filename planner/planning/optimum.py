"""optimum(): the best (N, V) on a budget if every size could be had, in the paper's cost 2 N (Q + V + G).

With S = Q + G and the whole budget spent, N = F / (2 (S + V)), and the error depends on V alone.

    multiplicative   V* = beta S / (alpha - beta) for alpha > beta, whatever A, D and the budget; else the largest V
    log-linear       V* = c2 S / (c1 - c2) for c1 > c2; else the largest V
    additive         the root of  A alpha N^-alpha / (S + V) = B beta V^-(beta + 1),  unique, and dependent on F
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError, InputError
from planner.base.quantities import shown
from planner.costs.flops import PAPER
from planner.laws.combined import Law
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import profiler
from planner.laws.shipped import as_law
from planner.planning.request import Budget, as_budget, as_workload
from planner.planning.result import ContinuousOptimum

FloatArray = NDArray[np.float64]

VISUAL_TOKENS_MIN, VISUAL_TOKENS_MAX = 1.0, 576.0

_BISECTIONS = 48  # of ln V between the limits: to 1e-14


def optimum(
    law: Law | str | Path | None = None,
    *,
    budget: Budget | float | str,
    query_tokens: int,
    generated_tokens: int,
    convention: str = PAPER,
    form: str | None = None,
    visual_tokens_min: float = VISUAL_TOKENS_MIN,
    visual_tokens_max: float = VISUAL_TOKENS_MAX,
) -> ContinuousOptimum:
    """The continuous optimum under the paper's cost.

    Args:
        law: a fitted law, the name of a shipped one, or a law file; "reasoning" by default.
        budget: FLOPs of one request, in the paper's count.
        query_tokens: text tokens that are prefilled (Q); 0 where the text is cached.
        generated_tokens: answer tokens (G).
        convention: only "paper": real architectures do not come in every size, so `plan` answers for "full".
        form: form of a shipped law.
        visual_tokens_min: least V allowed.
        visual_tokens_max: most V allowed.

    Raises:
        InputError: a bad quantity or law, another convention, or limits of V that are no range.
    """
    law = as_law(law, form)
    if not isinstance(law, FittedLaw):
        raise InputError(f"the continuous optimum is for one form of one law, got form {shown(law.form)}; use plan")
    if convention != PAPER:
        raise InputError(
            f"the continuous optimum is defined for the paper's count only, got convention {shown(convention)}: "
            "say 'paper', or use plan, which counts real architectures"
        )
    flops = as_budget(budget, PAPER).flops
    if flops is None:
        raise InputError("the continuous optimum is for a budget of FLOPs: give one, or use plan for other limits")
    workload = as_workload(None, query_tokens, generated_tokens, 0)
    limits = (visual_tokens_min, visual_tokens_max)
    numbers = all(isinstance(limit, (int, float)) for limit in limits)
    if not (numbers and 0 < visual_tokens_min <= visual_tokens_max < math.inf):
        raise InputError(
            f"expected 0 < visual_tokens_min <= visual_tokens_max, got {visual_tokens_min!r} and {visual_tokens_max!r}"
        )
    text = float(workload.query_tokens + workload.generated_tokens)
    problem = _Problem(text, flops, visual_tokens_min, visual_tokens_max)
    tokens = problem.tokens_of(law)
    llm_params = flops / (2 * (text + tokens))
    return ContinuousOptimum(
        llm_params=llm_params,
        visual_tokens=tokens,
        predicted_error=float(law.predict(llm_params, tokens)),
        closed_form=law.form != "additive",
        limit="min" if tokens == visual_tokens_min else "max" if tokens == visual_tokens_max else None,
        visual_tokens_interval=problem.interval_of(law),
    )


@dataclass(frozen=True)
class _Problem:
    """The cost side: S text tokens, F FLOPs, and the visual tokens allowed."""

    text_tokens: float
    flops: float
    low: float
    high: float

    def tokens_of(self, law: FittedLaw) -> float:
        """V* of a law."""
        p = law.params
        if law.form == "additive":
            with np.errstate(divide="ignore", invalid="ignore"):
                log_gains = np.log(p["B"] * p["beta"]) - np.log(p["A"] * p["alpha"])
            if math.isnan(log_gains):  # neither term falls: the fewest tokens cost the least
                return self.low
            exponents = np.array([[p["alpha"], p["beta"]]])
            return float(self.additive(np.array([log_gains]), exponents, law.n_unit_params)[0])
        if law.form == "log-linear":
            return float(self.ratio(np.array(p["c1"]), np.array(p["c2"])))
        return float(self.ratio(np.array(p["alpha"]), np.array(p["beta"]))) if p["A"] > 0 else self.low

    def interval_of(self, law: FittedLaw) -> tuple[float, float] | None:
        """The 95 % profile interval of V*, cut to the tokens allowed; None for a law without one."""
        try:
            region = profiler(law)
        except (FitError, InputError):
            return None
        if law.constraints or law.joint:
            return None  # exponents that the user fixed have no interval
        if law.form == "multiplicative":
            ratio = region.exponent_ratio()
            steepest = np.inf if math.isnan(ratio.high) else ratio.high  # the steeper in N, the fewer tokens
            ends = self.ratio(np.array([steepest, 0.0 if math.isnan(ratio.low) else ratio.low]), np.ones(2))
            return float(ends[0]), float(ends[1])
        if law.form == "log-linear":
            found = region.ratio_of_gains(lambda ratio, _: self.ratio(np.ones_like(ratio), ratio))
        else:
            x_mean, t_mean = region.design.x_mean, region.design.t_mean

            def tokens(ratio: FloatArray, exponents: FloatArray) -> FloatArray:
                alpha, beta = exponents[:, 0], exponents[:, 1]
                with np.errstate(divide="ignore"):
                    log_gains = np.log(ratio) + beta * t_mean - alpha * x_mean + np.log(beta) - np.log(alpha)
                return self.additive(log_gains, exponents, law.n_unit_params)

            found = region.ratio_of_gains(tokens)
        return found.low, found.high

    def ratio(self, n_slope: FloatArray, t_slope: FloatArray) -> FloatArray:
        """V* = t S / (n - t), the least V where tokens gain nothing, the most where they gain as much as N."""
        gap = np.asarray(n_slope - t_slope)
        best = np.where(gap > 0, t_slope * self.text_tokens / np.where(gap > 0, gap, 1.0), np.inf)
        return np.clip(np.where(t_slope == 0, 0.0, best), self.low, self.high)

    def additive(self, log_gains: FloatArray, exponents: FloatArray, n_unit_params: float) -> FloatArray:
        """V* (K,) for ln(B beta / (A alpha)) (K,) and exponents (K, 2), by bisection on ln V.

        The derivative of the error has the sign of (1 + beta) ln V + (alpha - 1) ln(S + V) - alpha ln(F / 2) less
        log_gains, which rises with V: there is one root, or V* is at a limit.
        """
        alpha, beta = exponents[:, 0], exponents[:, 1]
        offset = log_gains + alpha * math.log(self.flops / (2 * n_unit_params))

        def rises(log_v: FloatArray) -> NDArray[np.bool_]:
            total = np.log(self.text_tokens + np.exp(log_v))
            return (1 + beta) * log_v + (alpha - 1) * total > offset

        left = np.full(len(offset), math.log(self.low))
        right = np.full(len(offset), math.log(self.high))
        at_low, at_high = rises(left), ~rises(right)
        for _ in range(_BISECTIONS):
            middle = (left + right) / 2
            up = rises(middle)
            left, right = np.where(up, left, middle), np.where(up, middle, right)
        inside = np.clip(np.exp((left + right) / 2), self.low, self.high)
        return np.where(at_low, self.low, np.where(at_high, self.high, inside))
