"""What a verdict says of a plan: whether it is of what was planned, and which predictions failed."""

from __future__ import annotations

import json
from typing import Any

from planner.base.dataclass import dataclass
from planner.bench.foreign import Difference, differences, refusal
from planner.bench.verdict import Verdict
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.checks import said
from planner.tell.document import Line, Value, foreign, joined, line
from planner.tell.recommendation.wording import NAME_MAX

_DECIDING = ("hardware", "ttft_s", "tpot_s", "request_s", "peak_memory_bytes")
_NAMED_MAX = 3
_COMMAND = "vlm-planner verify plan.json -o verdict.json"


@dataclass(frozen=True)
class Judgement:
    """A verdict beside the plan that it is shown with: what was measured is what was planned."""

    verdict: Verdict
    other_file: bool
    """Whether the verdict names another plan file: of another run of vlm-planner plan, with the same pick."""

    @classmethod
    def of(cls, verdict: Verdict, plan: Plan, origin: str = "the verdict") -> Judgement:
        """Raises InputError for a verdict of another model, request, precision, hardware or number of threads.

        Args:
            verdict: that is to stand on the page of the plan.
            plan: the plan.
            origin: how an error names the verdict.
        """
        unlike = _differences(verdict, plan)
        if unlike:
            raise refusal(origin, unlike, f"verify this plan, and report it with that verdict: {_COMMAND}")
        named = verdict.plan_sha256
        return cls(verdict, named is not None and named not in (plan.sha256, plan.earlier_sha256))

    @property
    def device(self) -> str:
        """What it was measured on."""
        card = self.verdict.hardware
        return str(self.verdict.measurement.environment["device"] if card is None else card["title"])

    @property
    def tone(self) -> str:
        """Good where every time was predicted closely, whatever was allowed."""
        if not self.verdict.passed:
            return "bad"
        verdict = self.verdict
        sure = verdict.stable and verdict.close and not verdict.unjudged
        return "good" if sure and not self.other_file else "warn"

    @property
    def summary(self) -> Line:
        """The verdict in a sentence."""
        judged = [check for check in self.verdict.checks if check.passed is not None]
        good = v.count(sum(bool(check.passed) for check in judged), "checks passed")
        card = foreign(self.device, "measured on", NAME_MAX)
        failed = [check for check in judged if not check.passed]
        of = v.count(len(judged), "checks judged")
        text = line(
            "Measured on ", card, ": ", line("all ", of) if not failed else line(good, " of ", of), " checks passed"
        )
        if failed:
            # what a plan limits comes first: TPOT before the decode step
            failed.sort(key=lambda check: check.name not in _DECIDING)
            named = [said(check) for check in failed[:_NAMED_MAX]]
            left = len(failed) - len(named)
            named += [line(v.count(left, "further checks that failed"), " more did not pass")] * (left > 0)
            text = line(text, "; beyond what is allowed: ", joined(named))
        worst = self.verdict.worst
        if worst is not None and worst.passed:
            text = line(text, "; the time furthest off: ", said(worst))
        if self.verdict.unjudged:
            titles = [foreign(one.title, "measured quantity", NAME_MAX) for one in self.verdict.unjudged]
            text = line(text, "; not judged: ", joined(titles))
        if not self.verdict.stable:
            text = line(text, "; the times were not stable")
        if self.other_file:
            text = line(text, "; the verdict names another plan file, with the same pick")
        return line(text, ".")


def _differences(verdict: Verdict, plan: Plan) -> tuple[Difference, ...]:
    """Where what was measured is not what was planned."""
    best, card = plan.best, plan.deployment.hardware
    found = differences(verdict.measurement, best.model, plan.load.tail, best.run(card))
    said = {"plan", *(one.name for one in found)}
    told = verdict.hardware
    if told is not None and card is not None and told["name"] != card.name and "hardware" not in said:
        found += (Difference("times predicted for", card.name, told["name"]),)
    for check in verdict.checks:  # what it was made for may differ from what is planned here
        if check.passed is False and check.unit == "" and check.name not in said:
            planned, _, measured = check.note.partition(", measured ")
            found += (Difference(check.title, planned.removeprefix("planned "), measured),)
    return found


def words_of(name: str) -> Value:
    """A name of the file in words."""
    return foreign(name.replace("_", " "), "name", NAME_MAX)


def stated(value: Any) -> Value:
    """A number or a text of whatever kind."""
    return foreign(value if isinstance(value, str) else json.dumps(value), "stated by the verdict or the plan")
