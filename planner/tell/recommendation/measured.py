"""Predicted against measured: the section that shows a verdict."""

from __future__ import annotations

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
from planner.tell.recommendation.candidates import NAME_MAX, Pick
from planner.tell.recommendation.fields import Fields, is_number
from planner.tell.recommendation.kept import banner
from planner.tell.recommendation.verdict_file import Check, Verdict, stated, words_of


def measured(plan: Fields, best: Pick, verdict: Verdict | None, commands: tuple[str, ...]) -> Section:
    """The section; `commands` are what measures the pick."""
    title = "Predicted against measured"
    if verdict is None:
        text = line(
            "Not measured yet. Times, memory and FLOPs above are predictions; the first command measures them, on the "
            "machine that it runs on:"
        )
        return Section("measured", title, (Paragraph(text, "warn"), Command(commands, "Measure the pick")))
    blocks: list[Block] = [banner(plan, best, verdict)]
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
    if method.text("text") and not whole:
        found.append(("In words", (foreign(method.text("text"), "how it was measured", 400),)))
    for name, value in verdict.fields.part("environment").content.items():
        if isinstance(value, str | int | float | bool):
            found.append(_circumstance(name, value))
    return found


def _circumstance(name: str, value: str | int | float | bool) -> tuple[Inline, Line]:
    """A fact of the environment; its name tells the unit of a number."""
    title = words_of(name.removesuffix("_bytes"))
    if name.endswith("_bytes") and is_number(value) and float(value) >= 0:
        return title, (v.size(float(value), name.replace("_", " ")),)
    return words_of(name), (stated(value),)
