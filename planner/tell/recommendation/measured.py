"""Predicted against measured: the section that shows a verdict."""

from __future__ import annotations

from planner.bench.measurement import WHOLE
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.checks import check_notes, check_table
from planner.tell.document import (
    Block,
    Bullets,
    Command,
    Facts,
    Inline,
    Line,
    Paragraph,
    Section,
    foreign,
    joined,
    line,
)
from planner.tell.recommendation.judgement import Judgement, stated, words_of
from planner.tell.recommendation.limits_kept import banner


def measured(plan: Plan, judgement: Judgement | None, commands: tuple[str, ...]) -> Section:
    """The section; `commands` are what measures the pick."""
    title = "Predicted against measured"
    if judgement is None:
        told = "Not measured yet. Times, memory and FLOPs above are predictions"
        if not commands:
            text = line(f"{told}: measure them in the engine that serves the model, by the commands below.")
            return Section("measured", title, (Paragraph(text, "warn"),))
        text = line(f"{told}; the first command measures them, on the machine that it runs on:")
        return Section("measured", title, (Paragraph(text, "warn"), Command(commands, "Measure the pick")))
    verdict = judgement.verdict
    blocks: list[Block] = [banner(plan, judgement)]
    blocks.append(check_table(verdict.checks, line("Each quantity, predicted and measured")))
    blocks += check_notes(verdict.checks)
    blocks.append(Facts(tuple(_circumstances(judgement))))
    if verdict.advice:
        blocks.append(Bullets(tuple((foreign(one, "advice", 400),) for one in verdict.advice)))
    return Section("measured", title, tuple(blocks))


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
