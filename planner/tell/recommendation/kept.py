"""Whether the limits of a plan are kept by what was measured: the question that decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planner.planning.limits import Limit
from planner.tell import values as v
from planner.tell.document import Line, Paragraph, Value, joined, line
from planner.tell.recommendation.candidates import Pick, limits_in
from planner.tell.recommendation.fields import Fields
from planner.tell.recommendation.verdict_file import Verdict

_NAMED_MAX = 3  # limits that are named with their numbers


@dataclass(frozen=True)
class Held:
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


def gpus_of(plan: Fields, best: Pick) -> int:
    """GPUs that serve: those that were asked for, else those that share one model."""
    asked = plan.maybe_number("inputs", "gpus")
    return best.fields.whole("tensor_parallel") if asked is None else plan.whole("inputs", "gpus")


def held_by(plan: Fields, best: Pick, verdict: Verdict | None) -> Mapping[str, Held]:
    """What was measured of each limit, by its name; {} where something else than the pick was measured."""
    if verdict is None or verdict.unlike(best, plan):
        return {}
    known = {check.name: check.measured for check in verdict.checks if check.measured is not None}
    found: dict[str, Held] = {}
    for limit in limits_in(plan):
        note = ""
        number = known.get(limit.column) if limit.name in ("ttft_s", "tpot_s", "request_s") else None
        if limit.name == "memory_bytes":
            number = known.get("driver_bytes", known.get("peak_memory_bytes"))
            note = "" if "driver_bytes" in known else "tensors alone"
        if limit.kind.of_all_gpus and plan.maybe_part("workload_p95") is None:  # else another request was measured
            seconds, shared = known.get("request_s", 0.0), max(best.fields.whole("tensor_parallel"), 1)
            if seconds > 0:
                number = best.fields.whole("batch") * (gpus_of(plan, best) // shared) / seconds
        if number is not None:
            found[limit.name] = Held(limit, number, note)
    return found


def told(plan: Fields, held: Mapping[str, Held]) -> Line:
    """Whether the measured numbers keep the limits, in a sentence; () where none was measured."""
    if not held:
        return ()
    broken = [one for one in held.values() if not one.kept]
    if broken:
        verb = "limit is" if len(broken) == 1 else "limits are"
        number = v.count(len(broken), "limits that are not kept, measured")
        return line(" Measured, ", number, f" {verb} not kept: ", joined([one.text for one in broken]), ".")
    missing = [limit.title for limit in limits_in(plan) if limit.name not in held]
    which = "every limit that was measured is" if missing else "every limit is"
    shown = joined([one.text for one in [*held.values()][:_NAMED_MAX]])
    rest = line("; not measured: ", joined(missing)) if missing else ()
    return line(f" Measured, {which} kept (", shown, ")", rest, ".")


def banner(plan: Fields, best: Pick, verdict: Verdict) -> Paragraph:
    """The verdict in a box; a wrong prediction decides nothing where every limit is kept as measured."""
    held = held_by(plan, best, verdict)
    tone = verdict.tone(best, plan)
    if not all(one.kept for one in held.values()):
        tone = "bad"
    elif tone == "bad" and held and all(limit.name in held or limit.kind.names_itself for limit in limits_in(plan)):
        tone = "warn"
    return Paragraph(line(verdict.summary(best, plan), told(plan, held)), tone)
