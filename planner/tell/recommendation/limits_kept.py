"""Whether the limits of a plan are kept by what was measured: the question that decides."""

from __future__ import annotations

from collections.abc import Mapping

from planner.base.dataclass import dataclass
from planner.planning.limits import Limit
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.document import Line, Paragraph, Value, joined, line
from planner.tell.recommendation.judgement import Judgement

_NAMED_MAX = 3  # limits that are named with their numbers
_MEASURED_AS_NAMED = ("ttft_s", "tpot_s", "request_s")


@dataclass(frozen=True)
class Measured:
    """One limit beside what was measured of it."""

    limit: Limit
    number: float
    note: str = ""
    """What the number leaves out."""

    @property
    def kept(self) -> bool:
        return self.limit.share(self.number) <= 1 if self.number > 0 else not self.limit.at_least

    @property
    def value(self) -> Value:
        return v.limited(self.limit, self.number, f"{self.limit.title}, measured")

    @property
    def text(self) -> Line:
        """ "TTFT 274 ms of 500 ms"."""
        of = " of at least " if self.limit.at_least else " of "
        allowed = v.limited(self.limit, self.limit.value, f"limit: {self.limit.title}")
        note = f", {self.note}" if self.note else ""
        return line(f"{self.limit.title} ", self.value, of, allowed, note)


def measured_limits(plan: Plan, judgement: Judgement | None) -> Mapping[str, Measured]:
    """What was measured of each limit, by its name; {} where nothing was."""
    if judgement is None:
        return {}
    best = plan.best
    known = {check.name: check.measured for check in judgement.verdict.checks if check.measured is not None}
    found: dict[str, Measured] = {}
    for one in plan.limits:
        limit, note = one.limit, ""
        alone = limit.percentile is None  # one request at a time was measured, and not the load
        number = known.get(limit.column) if limit.name in _MEASURED_AS_NAMED and alone else None
        if limit.name == "memory_bytes":
            number = known.get("driver_bytes", known.get("peak_memory_bytes"))
            note = "" if "driver_bytes" in known else "tensors alone"
        if (
            limit.kind.of_all_gpus and plan.carried is None and plan.load.tail == plan.load.mean
        ):  # else another request was measured
            seconds = known.get("request_s", 0.0)
            if seconds > 0:
                number = best.batch * plan.deployment.replicas(best.tensor_parallel) / seconds
        if number is not None:
            found[limit.name] = Measured(limit, number, note)
    return found


def told(plan: Plan, known: Mapping[str, Measured]) -> Line:
    """Whether the measured numbers keep the limits, in a sentence; () where none was measured."""
    if not known:
        return ()
    broken = [one for one in known.values() if not one.kept]
    if broken:
        verb = "limit is" if len(broken) == 1 else "limits are"
        number = v.count(len(broken), "limits that are not kept, measured")
        return line(" Measured, ", number, f" {verb} not kept: ", joined([one.text for one in broken]), ".")
    missing = [one.limit.title for one in plan.limits if one.limit.name not in known]
    which = "every limit that was measured is" if missing else "every limit is"
    shown = joined([one.text for one in [*known.values()][:_NAMED_MAX]])
    rest = line("; not measured: ", joined(missing)) if missing else ()
    return line(f" Measured, {which} kept (", shown, ")", rest, ".")


def banner(plan: Plan, judgement: Judgement) -> Paragraph:
    """The verdict in a box; a wrong prediction decides nothing where every limit is kept as measured."""
    known = measured_limits(plan, judgement)
    found = judgement.tone
    limits = [one.limit for one in plan.limits]
    if not all(one.kept for one in known.values()):
        found = "bad"
    elif found == "bad" and known and all(limit.name in known or limit.kind.names_itself for limit in limits):
        found = "warn"
    return Paragraph(line(judgement.summary, told(plan, known)), found)
