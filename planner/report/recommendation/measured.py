"""Predicted against measured: a verdict's file, checked, and the section that shows it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.errors import InputError
from planner.planning.record import HASH
from planner.quantities import shown
from planner.report.recommendation import values as v
from planner.report.recommendation.candidates import NAME_MAX, Pick
from planner.report.recommendation.document import (
    Block,
    Bullets,
    Command,
    Facts,
    Inline,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    joined,
    line,
)
from planner.report.recommendation.fields import Fields, read_json
from planner.report.recommendation.plan_file import file_hash

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


@dataclass(frozen=True)
class Check:
    """One quantity, predicted and measured."""

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
            title=fields.text("title"),
            unit=fields.text("unit"),
            predicted=fields.maybe_number("predicted"),
            measured=fields.maybe_number("measured"),
            error=fields.maybe_number("error"),
            tolerance=fields.maybe_number("tolerance"),
            passed=None if fields.content.get("passed") is None else fields.flag("passed"),
            note=fields.maybe_text("note") or "",
        )


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
                found.append(line(f"{title} ", _any(measured), " measured, ", _any(planned), " planned"))
        work = plan.maybe_part("workload_p95") or plan.part("workload")
        for name, number in self.fields.part("workload").content.items():
            if name in work.content and number != work.content[name]:
                found.append(line(_words(name), " ", _any(number), " measured, ", _any(work.content[name]), " planned"))
        card, planned = self.fields.maybe_part("hardware"), plan.maybe_text("hardware")
        if card is not None and planned is not None and card.text("name") != planned:
            found.append(line("hardware ", _any(card.text("name")), " measured, ", _any(planned), " planned"))
        named = self.fields.maybe_text("plan_sha256")
        if named is not None and named not in (plan.text(HASH), file_hash(plan.content)):
            found.append(line("the verdict names another plan file, with the SHA ", _any(named)))
        return tuple(found)

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
        ended = "the predictions held" if self.passed else "a prediction failed"
        text = line(
            "Measured on ", card, f": {ended}, ", good, " of ", v.count(len(judged), "checks judged"), " checks passed"
        )
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
        content, origin = read_json(verdict, EXPECTED), shown(Path(verdict).name)
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


def measured(plan: Fields, best: Pick, verdict: Verdict | None, commands: tuple[str, ...]) -> Section:
    """The section; `commands` are what measures the pick."""
    title = "Predicted against measured"
    if verdict is None:
        text = line(
            "Not measured yet. Times, memory and FLOPs above are predictions; the first command measures them, on the "
            "machine that it runs on:"
        )
        return Section("measured", title, (Paragraph(text, "warn"), Command(commands, "Measure the pick")))
    blocks: list[Block] = [Paragraph(verdict.summary(best, plan), verdict.tone(best, plan))]
    different = verdict.differences(best, plan)
    if different:
        blocks.append(Bullets(different))
    blocks += [_table(verdict), Facts(tuple(_circumstances(verdict)))]
    advice = verdict.fields.texts("advice")
    if advice:
        blocks.append(Bullets(tuple((foreign(one, "advice", 400),) for one in advice)))
    return Section("measured", title, tuple(blocks))


def _table(verdict: Verdict) -> Table:
    columns = ("quantity", "predicted", "measured", "prediction is", "allowed", "")
    rows = []
    for check in verdict.checks:
        words: Inline = "" if check.passed is None else "passed"
        if check.passed is False:
            words = Value("failed", False, "result of the check", strong=True)
        note: Line = (foreign(check.note, "note"),) if check.note else ()
        allowed: Line = () if check.tolerance is None else (v.share(check.tolerance, 1.0, "tolerance"),)
        told = line(words, " (" if words and note else "", note, ")" if words and note else "")
        title = foreign(check.title, "measured quantity", NAME_MAX)
        rows.append(
            ((title,), _amount(check, check.predicted, "predicted"), _amount(check, check.measured, "measured"),
             _off(check.error), allowed, told)
        )  # fmt: skip
    return Table(line("Each quantity, predicted and measured"), columns, tuple(rows), words=frozenset({""}))


def _amount(check: Check, value: float | None, which: str) -> Line:
    if value is None:
        return ("-",)
    what = f"{check.title}, {which}"
    show = v.BY_UNIT.get(check.unit)
    if show is not None:
        return (show(value, what),)
    return line(v.significant(value, what, check.unit), " ", foreign(check.unit, "unit", NAME_MAX))


def _off(error: float | None) -> Line:
    """ "3 % high"."""
    if error is None:
        return ("-",)
    number = v.share(abs(error), 1.0, "predicted / measured - 1, without its sign")
    if error == 0:
        return ("equal",)
    return line(number, " high" if error > 0 else " low")


def _circumstances(verdict: Verdict) -> list[tuple[Inline, Line]]:
    """How it was measured."""
    method = verdict.fields.part("method")
    layers = [v.count(int(one), "layers measured") for one in method.numbers("layers_measured")]
    whole = method.text("kind") == "whole"
    kind = line("the whole model") if whole else line(
        "slices with ", joined(layers), " of ", v.count(method.whole("layers"), "layers of the model"),
        " layers, extended to the whole",
    )  # fmt: skip
    found: list[tuple[Inline, Line]] = [
        ("Hardware", (foreign(verdict.device, "measured on"),)),
        ("Method", line(kind, ", ", foreign(method.text("mode"), "mode of running"))),
    ]
    if method.text("text"):
        found.append(("In words", (foreign(method.text("text"), "how it was measured", 400),)))
    for name, value in verdict.fields.part("environment").content.items():
        if isinstance(value, str | int | float | bool):
            found.append((_words(name), (_any(value),)))
    return found


def _words(name: str) -> Value:
    return foreign(name.replace("_", " "), "name", NAME_MAX)


def _any(value: Any) -> Value:
    """A number or a text of whatever kind."""
    return foreign(value if isinstance(value, str) else json.dumps(value), "stated by the verdict or the plan")
