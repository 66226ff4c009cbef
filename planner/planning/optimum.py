"""optimum(): the best (N, V) on a budget if any size were available, in the paper's cost 2 N (Q + V + G).

With S = Q + G and the whole budget spent, N = F / (2 (S + V)), and the error depends on V alone: see
`planner.laws.engine.tokens`. Which V is best the law's form says, by a formula or by a search.
"""

from __future__ import annotations

import math
from pathlib import Path

from planner.base.errors import FitError, InputError
from planner.base.quantities import shown
from planner.costs.flops import PAPER
from planner.laws.combined import Law
from planner.laws.engine.tokens import BudgetLine, by_search
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form
from planner.laws.intervals import profiler
from planner.laws.shipped import as_law
from planner.planning.continuous import ContinuousOptimum
from planner.planning.request import Budget, as_budget, as_workload

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
    line = BudgetLine(text, flops, visual_tokens_min, visual_tokens_max, law.n_unit_params)
    tokens = _tokens(law, line)
    llm_params = flops / (2 * (text + tokens))
    return ContinuousOptimum(
        llm_params=llm_params,
        visual_tokens=tokens,
        predicted_error=float(law.predict(llm_params, tokens)),
        predicts=law.predicts,
        closed_form=get_form(law.form).best_tokens is not None,
        limit="min" if tokens == visual_tokens_min else "max" if tokens == visual_tokens_max else None,
        visual_tokens_interval=_interval(law, line),
    )


def _tokens(law: FittedLaw, line: BudgetLine) -> float:
    """V* of a law: by the form's formula, by the exact engine, or by a search."""
    form = get_form(law.form)
    if form.best_tokens is not None:
        return form.best_tokens(law.params, line)
    if form.projection is not None:
        return form.projection.best_tokens(law.params, line)
    found = by_search(
        line, lambda n, t: form.value(law.params, n, t), slopes=lambda n, t: form.log_slopes(law.params, n, t)
    )
    return float(found[0])


def _interval(law: FittedLaw, line: BudgetLine) -> tuple[float, float] | None:
    """The 95 % profile interval of V*, cut to the tokens allowed; None for a law without one."""
    try:
        region = profiler(law)
    except (FitError, InputError):
        return None
    if law.constraints or law.joint:
        return None  # exponents that the user fixed have no interval
    return region.best_tokens(line)
