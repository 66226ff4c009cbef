"""A verdict as its JSON file holds it, checked: what was measured of a model, beside what was predicted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.base.errors import InputError
from planner.base.file_format import file_name
from planner.base.files import read_json
from planner.base.quantities import shown
from planner.planning.plan_file import HASH
from planner.tell import values as v
from planner.tell.document import Line, Value, foreign, joined, line
from planner.tell.recommendation.candidates import NAME_MAX, Pick
from planner.tell.recommendation.fields import Fields

FORMAT = "vlm-planner verdict"
EXPECTED = "a verdict that vlm-planner verify wrote"
AGAIN = "make it again with vlm-planner verify"
_SAME = {
    "llm": "language model",
    "visual_tokens": "visual tokens",
    "vision": "vision tower",
    "compressor": "compressor",
    "prompt_order": "prompt order",
    "precision": "precision",
    "batch": "batch",
    "tensor_parallel": "GPUs",
}

_DECIDING = ("hardware", "ttft_s", "tpot_s", "request_s", "peak_memory_bytes")
_NAMED_MAX = 3


@dataclass(frozen=True)
class Check:
    """One quantity, predicted and measured."""

    name: str
    title: str
    unit: str
    predicted: float | None
    measured: float | None
    error: float | None
    """predicted / measured - 1."""
    tolerance: float | None
    passed: bool | None
    """None: shown, not judged."""
    note: str

    @classmethod
    def of(cls, fields: Fields) -> Check:
        return cls(
            name=fields.text("name"),
            title=fields.text("title"),
            unit=fields.text("unit"),
            predicted=fields.maybe_number("predicted"),
            measured=fields.maybe_number("measured"),
            error=fields.maybe_number("error"),
            tolerance=fields.maybe_number("tolerance"),
            passed=None if fields.content.get("passed") is None else fields.flag("passed"),
            note=fields.maybe_text("note") or "",
        )

    @property
    def told(self) -> Line:
        """ "TPOT was predicted 17 % too slow"; what has no numbers is not as planned."""
        title = foreign(self.title, "measured quantity", NAME_MAX)
        if self.error is None or self.error == 0:
            return line(title, " is not as planned")
        low, high = ("fast", "slow") if self.unit == "s" else ("low", "high")
        off = v.share(abs(self.error), 1.0, "predicted / measured - 1, without its sign")
        return line(title, " was predicted ", off, f" too {high if self.error > 0 else low}")


@dataclass(frozen=True)
class Verdict:
    """What was measured of a model."""

    fields: Fields
    passed: bool
    stable: bool
    checks: tuple[Check, ...]

    def differences(self, best: Pick, plan: Fields) -> tuple[Line, ...]:
        """Where what was measured is not what was planned."""
        found = []
        for name, title in _SAME.items():
            measured, planned = self.fields.part("model").content.get(name), best.fields.content.get(name)
            if measured is not None and measured != planned:
                found.append(line(f"{title} ", stated(measured), " measured, ", stated(planned), " planned"))
        work = plan.maybe_part("workload_p95") or plan.part("workload")
        for name, number in self.fields.part("workload").content.items():
            if name in work.content and number != work.content[name]:
                found.append(
                    line(words_of(name), " ", stated(number), " measured, ", stated(work.content[name]), " planned")
                )
        card, planned = self.fields.maybe_part("hardware"), plan.maybe_text("hardware")
        if card is not None and planned is not None and card.text("name") != planned:
            found.append(line("hardware ", stated(card.text("name")), " measured, ", stated(planned), " planned"))
        named = self.fields.maybe_text("plan_sha256")
        if named is not None and named not in (plan.text(HASH), plan.content.get("earlier_sha256")):
            found.append(line("the verdict names another plan file, with the SHA ", stated(named)))
        return tuple(found)

    def unlike(self, best: Pick, plan: Fields) -> bool:
        """Whether something else than the pick was measured, or on something else."""
        other = any(one.passed is False and one.measured is None and one.name != "plan" for one in self.checks)
        return other or bool(self.differences(best, plan))

    @property
    def device(self) -> str:
        """What it was measured on."""
        card = self.fields.maybe_part("hardware")
        return card.text("title") if card is not None else self.fields.part("environment").text("device")

    def tone(self, best: Pick, plan: Fields) -> str:
        if not self.passed:
            return "bad"
        return "good" if self.stable and not self.differences(best, plan) else "warn"

    def summary(self, best: Pick, plan: Fields) -> Line:
        """The verdict in a sentence."""
        judged = [check for check in self.checks if check.passed is not None]
        good = v.count(sum(bool(check.passed) for check in judged), "checks passed")
        card = foreign(self.device, "measured on", NAME_MAX)
        failed = [check for check in judged if not check.passed]
        ended = "a prediction failed" if len(failed) == 1 else "predictions failed"
        ended = "the predictions held" if self.passed else ended
        text = line(
            "Measured on ", card, f": {ended}, ", good, " of ", v.count(len(judged), "checks judged"), " checks passed"
        )
        if failed:
            # what a plan limits comes first: TPOT before the decode step
            failed.sort(key=lambda check: check.name not in _DECIDING)
            named = [check.told for check in failed[:_NAMED_MAX]]
            left = len(failed) - len(named)
            named += [line(v.count(left, "further checks that failed"), " more did not pass")] * (left > 0)
            text = line(text, "; ", joined(named))
        if not self.stable:
            text = line(text, "; the times were not stable")
        if self.differences(best, plan):
            text = line(text, "; but what was measured is not quite what is recommended: see below")
        return line(text, ".")


def read_verdict(verdict: Any) -> Verdict | None:
    """A verdict from a Verdict object, its dictionary, or the path of its JSON file; None for none.

    Raises:
        InputError: no verdict, one of a newer version, or a damaged one.
    """
    if verdict is None:
        return None
    origin = "the verdict"
    content: Any = verdict
    if isinstance(verdict, str | os.PathLike):
        content, origin = read_json(verdict, EXPECTED), file_name(verdict)
    elif not isinstance(verdict, Mapping) and hasattr(verdict, "to_dict"):
        content = verdict.to_dict()
    if isinstance(content, Mapping):
        try:
            content = json.loads(json.dumps(dict(content), allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            raise InputError(f"{origin} holds what JSON cannot; expected {EXPECTED}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{origin} is no verdict; expected {EXPECTED}")
    if content.get("format_version") != 1 or isinstance(content["format_version"], bool):
        version = shown(content.get("format_version"))
        raise InputError(f"{origin} has format version {version}, this vlm-planner reads 1; {AGAIN}")
    fields = Fields(content, origin, AGAIN)
    found = Verdict(
        fields, fields.flag("passed"), fields.flag("stable"), tuple(Check.of(one) for one in fields.parts("checks"))
    )
    if not found.checks:
        raise InputError(f"{origin} is damaged: it holds no checks; {AGAIN}")
    return found


def words_of(name: str) -> Value:
    """A name of the file in words."""
    return foreign(name.replace("_", " "), "name", NAME_MAX)


def stated(value: Any) -> Value:
    """A number or a text of whatever kind."""
    return foreign(value if isinstance(value, str) else json.dumps(value), "stated by the verdict or the plan")
