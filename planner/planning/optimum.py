"""optimum(): the best (N, V) on a budget if every size could be had, in the paper's cost 2 N (Q + V + G).

With S = Q + G and the whole budget spent, N = F / (2 (S + V)), and the error depends on V alone.

    multiplicative   V* = beta S / (alpha - beta) for alpha > beta, whatever A, D and the budget; else the largest V
    log-linear       V* = c2 S / (c1 - c2) for c1 > c2; else the largest V
    additive         the root of  A alpha N^-alpha / (S + V) = B beta V^-(beta + 1),  unique, and dependent on F
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from planner.costs.flops import PAPER
from planner.errors import InputError
from planner.laws.combined import Law
from planner.laws.fitted import FittedLaw
from planner.laws.shipped import as_law
from planner.planning.request import Budget, as_budget, as_workload
from planner.planning.result import ContinuousOptimum
from planner.quantities import shown

VISUAL_TOKENS_MIN, VISUAL_TOKENS_MAX = 1.0, 576.0


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
    workload = as_workload(None, query_tokens, generated_tokens, 0)
    limits = (visual_tokens_min, visual_tokens_max)
    numbers = all(isinstance(limit, (int, float)) for limit in limits)
    if not (numbers and 0 < visual_tokens_min <= visual_tokens_max < math.inf):
        raise InputError(
            f"expected 0 < visual_tokens_min <= visual_tokens_max, got {visual_tokens_min!r} and {visual_tokens_max!r}"
        )
    text = workload.query_tokens + workload.generated_tokens
    if law.form == "additive":
        best = _additive(law, flops, text, visual_tokens_min, visual_tokens_max)
    else:
        best = _ratio(*_slopes(law.form, law.params), text)
    tokens = min(max(best, visual_tokens_min), visual_tokens_max)
    llm_params = flops / (2 * (text + tokens))
    return ContinuousOptimum(
        llm_params=llm_params,
        visual_tokens=tokens,
        predicted_error=float(law.predict(llm_params, tokens)),
        closed_form=law.form != "additive",
        limit="min" if tokens == visual_tokens_min else "max" if tokens == visual_tokens_max else None,
    )


def _slopes(form: str, params: Mapping[str, float]) -> tuple[float, float]:
    """What a unit of ln N and of ln V gains: their ratio alone decides V*."""
    if form == "log-linear":
        return params["c1"], params["c2"]
    return (params["alpha"], params["beta"]) if params["A"] > 0 else (0.0, 0.0)


def _ratio(n_slope: float, t_slope: float, text_tokens: float) -> float:
    """V* = t S / (n - t), the least V where tokens gain nothing, and without limit where they gain as much as N."""
    if t_slope == 0:
        return 0.0
    return t_slope * text_tokens / (n_slope - t_slope) if n_slope > t_slope else math.inf


def _additive(law: FittedLaw, flops: float, text_tokens: float, low: float, high: float) -> float:
    """Bisection on ln V: the derivative of the error, times V, changes sign once."""
    p = law.params
    n_gain, t_gain = p["A"] * p["alpha"], p["B"] * p["beta"]
    if t_gain <= 0:
        return low
    if n_gain <= 0:
        return high
    budget_in_units = flops / (2 * law.n_unit_params)

    def rises(log_v: float) -> bool:
        """Whether one more token costs more than it gains: A alpha N^-alpha V / (S + V) > B beta V^-beta."""
        total = math.log(text_tokens + math.exp(log_v))
        loss = math.log(n_gain) - p["alpha"] * (math.log(budget_in_units) - total) + log_v - total
        return loss > math.log(t_gain) - p["beta"] * log_v

    left, right = math.log(low), math.log(high)
    if rises(left):
        return low
    if not rises(right):
        return high
    while right - left > 1e-13:
        middle = (left + right) / 2
        if middle in (left, right):
            break
        left, right = (left, middle) if rises(middle) else (middle, right)
    return math.exp((left + right) / 2)
