"""The form of a plan's law beside the form that its runs favour."""

from __future__ import annotations

from dataclasses import dataclass

from planner.laws.fitted import FittedLaw
from planner.laws.forms import DEFAULT_FORM
from planner.laws.uncertainty import Belief, uncertainty
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.document import Code, Line, foreign, line


@dataclass(frozen=True)
class Favoured:
    """A form that the runs favour over the law's own."""

    form: str
    share: float
    """Of the evidence, among the forms that the runs allow."""
    error: float
    """What it predicts for the pick."""

    @classmethod
    def of(cls, plan: Plan) -> Favoured | None:
        """None where the law has the form that its runs favour, or where forms were not compared."""
        law, belief = plan.law, belief_of(plan)
        if not isinstance(law, FittedLaw) or belief is None:
            return None
        share, region = max(zip(belief.shares, belief.regions, strict=True), key=lambda pair: pair[0])
        if region.law.form == law.form:
            return None
        return cls(
            region.law.form, share, float(region.law.predict(plan.best.llm.nominal_params, plan.best.visual_tokens))
        )


def belief_of(plan: Plan) -> Belief | None:
    """The forms that the runs of the pick's law allow; None where there is one alone, or a mix of tasks."""
    known = uncertainty(plan.law)
    if known is None or len(known.beliefs) != 1 or len(known.beliefs[0].regions) < 2:
        return None
    return known.beliefs[0]


def chosen_by(plan: Plan) -> str:
    """Why the law has the form that it has."""
    return "the planner's default form" if plan.law.form == DEFAULT_FORM else "the form that was asked for"


def form_line(plan: Plan) -> Line:
    """That the runs favour another form, and what it says of the pick; () where they do not."""
    found = Favoured.of(plan)
    if found is None:
        return ()
    return line(
        "form: the runs favour ", foreign(found.form, "form of the law"), " (",
        v.share(found.share, 1.0, "share of the evidence"), " of the evidence), which predicts ",
        v.error(found.error, "predicted error of the pick by the likeliest form"), " here; ",
        foreign(plan.law.form, "form of the law"), f" is {chosen_by(plan)}; ", Code("--form auto"),
        " takes their mean",
    )  # fmt: skip
