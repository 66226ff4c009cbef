"""Predicted against measured: the section that shows a verdict."""

from __future__ import annotations

from planner.bench.measurement import WHOLE
from planner.bench.verdict import Check, Verdict
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.document import (
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
from planner.tell.recommendation.judgement import Judgement, stated, words_of
from planner.tell.recommendation.limits_kept import banner
from planner.tell.recommendation.wording import NAME_MAX


def measured(plan: Plan, judgement: Judgement | None, commands: tuple[str, ...]) -> Section:
    """The section; `commands` are what measures the pick."""
    title = "Predicted against measured"
    if judgement is None:
        text = line(
            "Not measured yet. Times, memory and FLOPs above are predictions; the first command measures them, on the "
            "machine that it runs on:"
        )
        return Section("measured", title, (Paragraph(text, "warn"), Command(commands, "Measure the pick")))
    verdict = judgement.verdict
    blocks: list[Block] = [banner(plan, judgement)]
    if judgement.differences:
        blocks.append(Bullets(judgement.differences))
    blocks += [_table(verdict), Facts(tuple(_circumstances(judgement)))]
    if verdict.advice:
        blocks.append(Bullets(tuple((foreign(one, "advice", 400),) for one in verdict.advice)))
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


def _circumstances(judgement: Judgement) -> list[tuple[Inline, Line]]:
    """How it was measured."""
    found, method = judgement.verdict.measurement, judgement.verdict.measurement.method
    layers = [v.count(one, "layers measured") for one in method.layers_measured]
    whole = method.kind == WHOLE
    kind = line("the whole model") if whole else line(
        "slices with ", joined(layers), " of ", v.count(method.layers, "layers of the model"),
        " layers, extended to the whole",
    )  # fmt: skip
    facts: list[tuple[Inline, Line]] = [
        ("Hardware", (foreign(judgement.device, "measured on"),)),
        ("Method", line(kind, ", ", foreign(found.mode, "mode of running"))),
    ]
    if not whole:
        facts.append(("In words", (foreign(method.text, "how it was measured", 400),)))
    for name, value in found.environment.items():
        if isinstance(value, str | int | float | bool):
            facts.append(_circumstance(name, value))
    return facts


def _circumstance(name: str, value: str | int | float | bool) -> tuple[Inline, Line]:
    """A fact of the environment; its name tells the unit of a number."""
    if name.endswith("_bytes") and not isinstance(value, str | bool) and value >= 0:
        return words_of(name.removesuffix("_bytes")), (v.size(float(value), name.replace("_", " ")),)
    return words_of(name), (stated(value),)
