"""Which form do the runs speak for? AICc over the forms, and over their simpler variants such as D = 0.

    AICc = n ln(RSS / n) + 2 k + 2 k (k + 1) / (n - k - 1)        k: parameters and the noise variance

(Hurvich and Tsai 1989). A difference below 4 does not tell two forms apart; Akaike weights exp(-difference / 2) say how
the evidence is shared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import FitError, InputError
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import Form, Variant, forms_for, get_form, opinion_of
from planner.laws.known import known_law

if TYPE_CHECKING:
    from planner.runs import Runs

DISTINGUISHABLE = 4.0
"""AICc differences from here on tell two forms apart: an evidence ratio of 7."""


@dataclass(frozen=True)
class FormEvidence:
    """One form, or a simpler variant of it, fitted to the runs."""

    law: FittedLaw
    face: str
    """"" for all parameters free, else the name of the variant: "D = 0" where D is left out."""
    parameters_count: int
    """Free parameters, the noise variance not counted."""
    rss: float
    """Weighted residual sum of squares of this row; the mean weight is 1."""
    aicc: float
    delta: float
    """AICc less that of the best."""
    weight: float
    """Akaike weight; of a form and its variants only the best one has any."""

    @property
    def distinguishable(self) -> bool:
        """Whether the runs tell it from the best."""
        return self.delta >= DISTINGUISHABLE


def aicc(rss: float, runs_count: int, parameters_count: int) -> float:
    """The small-sample Akaike criterion of a least-squares fit; infinite with too few runs."""
    k = parameters_count + 1
    if runs_count - k - 1 <= 0:
        return math.inf
    floor = 1e-300  # a perfect fit is infinitely likely: keep the logarithm finite
    return runs_count * math.log(max(rss, floor) / runs_count) + 2 * k + 2 * k * (k + 1) / (runs_count - k - 1)


def compare(runs: Runs, *, weights: str = "auto", name: str = "") -> tuple[FormEvidence, ...]:
    """Every form and its simpler variants, best first.

    Raises:
        FitError: the runs do not allow a fit of any form.
    """
    from planner.laws.fit import fit  # plans by shipped laws fit nothing

    laws: list[FittedLaw] = []
    problems = []
    for form in forms_for(len(np.unique(runs.llm_params))):
        if not _is_stood_for(form, laws):
            try:
                laws.append(fit(runs, form.name, weights=weights, name=name))
            except FitError as error:
                problems.append(error)
    if not laws:
        raise problems[0]
    return evidence(laws)


def evidence(laws: list[FittedLaw]) -> tuple[FormEvidence, ...]:
    """AICc and weights of laws fitted to the same runs, each with its simpler variants, best first.

    Where some of them hold runs without visual tokens and others cannot, all are compared on the other runs.
    """
    if len({(law.runs_sha256, law.weighting, law.loss) for law in laws}) > 1:
        raise InputError("forms are compared on the same runs, weights and loss; these laws differ in them")
    found: list[tuple[FittedLaw, str, int, float, float]] = []
    for law, data in zip(laws, _common(laws), strict=True):
        free = len(law.params) - sum("value" in imposed or "expr" in imposed for imposed in law.constraints.values())
        rss, count = _weighted_rss(law, data), len(data.y)
        found.append((law, "", free, rss, aicc(rss, count, free)))
        for variant in () if law.constraints else get_form(law.form).variants:
            less, without = free - len(variant.fixed), _rss_of(variant, law, data, rss)
            found.append((law, variant.name, less, without, aicc(without, count, less)))
    best = min(score for *_, score in found)
    # a form and its variants are one opinion: only the best of them counts
    own_best = {law.form: min(score for other, *_, score in found if other is law) for law, *_ in found}
    raw = [math.exp(-(s - best) / 2) if s == own_best[law.form] and math.isfinite(s) else 0.0 for law, *_, s in found]
    total = sum(raw) or 1.0
    rows = [
        FormEvidence(law, face, count, rss, score, score - best, share / total)
        for (law, face, count, rss, score), share in zip(found, raw, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: row.aicc))


def other_forms(law: FittedLaw) -> list[FittedLaw]:
    """The law and the laws of the other forms, fitted to the same data with the same weights.

    A law with constraints, or that was given, stands alone: the others would not be under its constraints.
    """
    if law.data is None or law.constraints:
        return [law]
    laws = [law]
    for form in forms_for(len(set(law.data.n.tolist()))):  # np.unique loads masked arrays
        if form.name != law.form and not _is_stood_for(form, laws):
            try:
                laws.append(_beside(law, law.data, form.name))
            except FitError:
                continue  # too few levels for that form
    return laws


def _is_stood_for(form: Form, laws: Iterable[FittedLaw]) -> bool:
    """Whether one of the laws is of the form's own opinion: of a fuller form, or of a variant of it."""
    return any(opinion_of(form) == opinion_of(get_form(law.form)) for law in laws)


def _beside(law: FittedLaw, data: FitData, form: str) -> FittedLaw:
    """What was measured, and on what, is said by the law itself: the same runs may go by other names elsewhere."""
    again = known_law(law, f"beside {form}", lambda: _refit(law, data, form))
    facts = {name: getattr(law, name) for name in ("name", "llms", "compressors", "tasks", "vision", "runs_sha256")}
    own = again.data
    if own is not None and len(own.n) == len(data.n):
        own = replace(own, llm=data.llm)
    return replace(again, **facts, data=own, weighting=law.weighting, stated_sd=law.stated_sd, error_se=law.error_se)


def _refit(law: FittedLaw, data: FitData, form: str) -> FittedLaw:
    from planner.runs import Runs

    runs = Runs(
        llm=data.llm or tuple(f"{size:g}" for size in data.n),
        llm_params=data.n * law.n_unit_params,
        visual_tokens=data.t,
        error=data.y,
        error_se=1 / np.sqrt(data.weights),
        kind=law.predicts,
    )
    from planner.laws.fit import fit

    return fit(runs, form, weights="error_se", n_unit_params=law.n_unit_params)


def _common(laws: Iterable[FittedLaw]) -> list[FitData]:
    """The runs of each law on which all are compared."""
    found = []
    for law in laws:
        if law.data is None:
            raise InputError("forms are compared by their runs: this law was given, it has none")
        found.append(law.data)
    return found if len({len(data.y) for data in found}) == 1 else [data.with_tokens for data in found]


def _rss_of(variant: Variant, law: FittedLaw, data: FitData, rss: float) -> float:
    """The least weighted RSS of a simpler form."""
    if data is law.data and all(law.params[name] == value for name, value in variant.fixed.items()):
        return rss
    from planner.laws.engine.optimum import best_fit

    return best_fit(get_form(law.form), data.n, data.t, data.y, data.weights, variant.fixed).weighted_rss


def _weighted_rss(law: FittedLaw, data: FitData) -> float:
    """The residual sum that the fit minimised, or the least one on some of its runs."""
    if data is not law.data:
        from planner.laws.engine.optimum import best_fit

        return best_fit(get_form(law.form), data.n, data.t, data.y, data.weights).weighted_rss
    prediction = get_form(law.form).value(law.params, data.n, data.t)
    return float(np.sum(data.weights * (data.y - prediction) ** 2))
