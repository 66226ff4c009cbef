"""Which forms of the law a plan rests on: all that its runs allow, or one that was asked for."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.laws.combined import AVERAGE, CombinedLaw
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.runs_belief import belief_of, can_be_believed
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.document import Code, Line, Value, foreign, joined, line


@dataclass(frozen=True)
class LeftOut:
    """The likeliest form of those that a plan by one form leaves out."""

    form: str
    share: float
    """Its probability, given the runs."""

    @classmethod
    def of(cls, plan: Plan) -> LeftOut | None:
        """None where nothing is known of other forms, or where the asked form is the likeliest."""
        law = plan.law
        if not isinstance(law, FittedLaw) or not can_be_believed(law):
            return None
        form, share = next(iter(belief_of(law).shares().items()))
        return None if form == law.form else cls(form, share)


def shares_line(law: CombinedLaw) -> Line:
    """The forms of an average with their probabilities: "log-linear 95 %, additive 5 %"."""
    parts = [
        line(foreign(member.form, "form of the law"), " ", _share(weight))
        for member, weight in zip(law.members, law.weights, strict=True)
    ]
    return joined(parts, ", ")


def form_line(plan: Plan) -> Line:
    """What interval and odds rest on; () where nothing is known of other forms."""
    law = plan.law
    if isinstance(law, EvidenceLaw):
        return ()
    if isinstance(law, CombinedLaw):
        if law.kind != AVERAGE:
            return ()
        return line("forms: ", shares_line(law), "; misfit of all of them is reckoned with")
    if not can_be_believed(law):
        return ()
    other = LeftOut.of(plan)
    likelier = (
        () if other is None else line(" (", foreign(other.form, "form of the law"), " ", _share(other.share), ")")
    )
    return line(
        "form: ", foreign(law.form, "form of the law"), " alone, as asked: interval and odds leave out other forms",
        likelier, " and what all of them miss; without ", Code("--form"), " they do not",
    )  # fmt: skip


def _share(share: float) -> Value:
    return v.share(share, 1.0, "probability of the form, given the runs")
