"""What a verdict says of a plan: whether it is of what was planned, and which predictions failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from planner.bench.verdict import Check, Verdict
from planner.costs.stages import Workload
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.document import Line, Value, foreign, joined, line
from planner.tell.recommendation.wording import NAME_MAX

_DECIDING = ("hardware", "ttft_s", "tpot_s", "request_s", "peak_memory_bytes")
_NAMED_MAX = 3
_TITLES = {"llm": "language model", "vision": "vision tower"}


@dataclass(frozen=True)
class Judgement:
    """A verdict beside the plan that it is shown with."""

    verdict: Verdict
    differences: tuple[Line, ...]
    """Where what was measured is not what was planned."""

    @classmethod
    def of(cls, verdict: Verdict, plan: Plan) -> Judgement:
        return cls(verdict, tuple(_differences(verdict, plan)))

    @property
    def unlike(self) -> bool:
        """Whether something else than the pick was measured, or on something else."""
        checks = self.verdict.checks
        other = any(one.passed is False and one.measured is None and one.name != "plan" for one in checks)
        return other or bool(self.differences)

    @property
    def device(self) -> str:
        """What it was measured on."""
        card = self.verdict.hardware
        return str(self.verdict.measurement.environment["device"] if card is None else card["title"])

    @property
    def tone(self) -> str:
        if not self.verdict.passed:
            return "bad"
        return "good" if self.verdict.stable and not self.differences else "warn"

    @property
    def summary(self) -> Line:
        """The verdict in a sentence."""
        judged = [check for check in self.verdict.checks if check.passed is not None]
        good = v.count(sum(bool(check.passed) for check in judged), "checks passed")
        card = foreign(self.device, "measured on", NAME_MAX)
        failed = [check for check in judged if not check.passed]
        ended = "a prediction failed" if len(failed) == 1 else "predictions failed"
        ended = "the predictions held" if not failed else ended
        of = v.count(len(judged), "checks judged")
        text = line("Measured on ", card, f": {ended}, ", good, " of ", of, " checks passed")
        if failed:
            # what a plan limits comes first: TPOT before the decode step
            failed.sort(key=lambda check: check.name not in _DECIDING)
            named = [_told(check) for check in failed[:_NAMED_MAX]]
            left = len(failed) - len(named)
            named += [line(v.count(left, "further checks that failed"), " more did not pass")] * (left > 0)
            text = line(text, "; ", joined(named))
        if not self.verdict.stable:
            text = line(text, "; the times were not stable")
        if self.differences:
            text = line(text, "; but what was measured is not quite what is recommended: see below")
        return line(text, ".")


def _differences(verdict: Verdict, plan: Plan) -> Iterator[Line]:
    measured, model, best = verdict.measurement, verdict.measurement.model, plan.best
    pairs: dict[str, tuple[Any, Any]] = {
        _TITLES.get(name, name.replace("_", " ")): (getattr(model, name), planned)
        for name, planned in best.model.names.items()
    }
    pairs |= {
        "precision": (model.precision, best.precision),
        "batch": (measured.batch, best.batch),
        "GPUs": (model.tensor_parallel, best.tensor_parallel),
    }
    for one in fields(Workload):
        title = one.name.replace("_", " ")
        pairs[title] = getattr(measured.workload, one.name), getattr(plan.load.tail, one.name)
    if verdict.hardware is not None and plan.deployment.hardware is not None:
        pairs["hardware"] = verdict.hardware["name"], plan.deployment.hardware.name
    for title, (there, planned) in pairs.items():
        if there != planned:
            yield line(f"{title} ", stated(there), " measured, ", stated(planned), " planned")
    named = verdict.plan_sha256
    if named is not None and named not in (plan.sha256, plan.earlier_sha256):
        yield line("the verdict names another plan file, with the SHA ", stated(named))


def _told(check: Check) -> Line:
    """ "TPOT was predicted 17 % too slow"; what has no numbers is not as planned."""
    title = foreign(check.title, "measured quantity", NAME_MAX)
    if check.error is None or check.error == 0:
        return line(title, " is not as planned")
    low, high = ("fast", "slow") if check.unit == "s" else ("low", "high")
    off = v.share(abs(check.error), 1.0, "predicted / measured - 1, without its sign")
    return line(title, " was predicted ", off, f" too {high if check.error > 0 else low}")


def words_of(name: str) -> Value:
    """A name of the file in words."""
    return foreign(name.replace("_", " "), "name", NAME_MAX)


def stated(value: Any) -> Value:
    """A number or a text of whatever kind."""
    return foreign(value if isinstance(value, str) else json.dumps(value), "stated by the verdict or the plan")
