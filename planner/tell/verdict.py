"""The story of a verdict: the judgement first, then each number, predicted beside measured."""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.quantities import format_seconds
from planner.bench.grid_verdict import GridVerdict
from planner.bench.samples import merged_advice
from planner.bench.verdict import Verdict
from planner.tell import values as v
from planner.tell.checks import check_table
from planner.tell.document import (
    Block,
    Document,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    line,
    remarks,
    sentence,
)

_ORDER_TITLES = {"ttft_s": "TTFT", "tpot_s": "TPOT"}


def verdict_story(verdict: Verdict) -> Document:
    """What came of verifying one configuration, as a document."""
    word = Value("verified" if verdict.passed else "NOT verified", verdict.passed, "judgement", strong=True)
    steady = "" if verdict.stable else " (unstable)"
    heading = line(word, steady, ": ", sentence(verdict.subject, "what was verified"))
    return Document(
        kind="verdict",
        title="Verdict",
        heading=heading,
        opening=tuple(_opening(verdict)),
        sections=(Section("checks", "Predicted and measured", tuple(_checks(verdict))),),
        opening_title="The judgement",
        tone="bad" if not verdict.passed else "good" if verdict.stable else "warn",
        sources={"verdict": verdict.to_dict()},
    )


def _opening(verdict: Verdict) -> Iterator[Block]:
    measured = verdict.measurement
    yield Paragraph((sentence(verdict.outcome, "judgement in words"),), "" if verdict.passed else "bad")
    how = sentence(f"{measured.mode}; {measured.method.text}", "how it was measured")
    batch = v.count(measured.batch, "requests that ran together")
    yield Paragraph(line(foreign(measured.model.precision, "precision"), ", batch ", batch, ", ", how))
    if verdict.hardware is not None:
        card = verdict.hardware
        title, source = foreign(card["title"], "hardware"), foreign(card["source"], "source of the profile")
        yield Paragraph(line("times predicted for ", title, " (", source, ")"))


def _checks(verdict: Verdict) -> Iterator[Block]:
    yield check_table(one for one in verdict.checks if (one.predicted, one.measured) != (None, None))
    yield from _utilisation(verdict)
    yield Paragraph(line("FLOPs: torch count, one request; peak memory: without what a plan reserves for the driver"))
    for check in verdict.checks:
        if check.unit == "":
            told = sentence(f"{check.title}: {check.note}", "what is not as planned")
            yield Paragraph((told,), "bad", "not as planned")
    yield from remarks("note", verdict.measurement.notes)
    yield from remarks("advice", verdict.advice)


def _utilisation(verdict: Verdict) -> Iterator[Block]:
    told = verdict.utilisation
    for title, name in (("prefill reaches ", "prefill_mfu"), ("decode step reads at ", "decode_mbu")):
        parts: list[Line] = [
            line(v.share(told[key], 1.0, key.replace("_", " ")), f" of {what}")
            for key, what in ((name, "the profile's peak"), (f"{name}_measured", "what was reached here"))
            if told.get(key, 2.0) <= 1.0  # a profile's peak that is passed says nothing
        ]
        if parts:
            yield Paragraph(line(title, parts[0], *(line(", ", part) for part in parts[1:])))


def grid_story(grid: GridVerdict) -> Document:
    """The pick and its neighbours: a line each, and whether their order is as predicted."""
    neighbours = v.count(len(grid.cells) - 1, "neighbours")
    said = "as predicted" if grid.passed else "NOT as predicted"
    return Document(
        kind="verdict",
        title="Verdict on a neighbourhood",
        heading=line("the pick and ", neighbours, f" {'neighbour' if len(grid.cells) == 2 else 'neighbours'}: {said}"),
        opening=tuple(_cells(grid)),
        sections=(),
        opening_title="The judgement",
        tone="bad" if not grid.passed else "good" if grid.stable else "warn",
        sources={"verdict": grid.to_dict()},
    )


def _cells(grid: GridVerdict) -> Iterator[Block]:
    rows = []
    for cell in grid.cells:
        model = cell.measurement.model
        times: list[Line] = []
        for name in ("ttft_s", "tpot_s"):
            found = [cell.check(name).measured, cell.check(name).predicted] if name in cell.names else [None, None]
            title = _ORDER_TITLES[name]
            times += [("-",) if one is None else (Value(format_seconds(one), one, title, "s"),) for one in found]
        judged = v.count(sum(check.passed is not None for check in cell.checks), "checks that are judged")
        failed = v.count(len(cell.failed), "checks that failed")
        checks = line(judged, " pass") if cell.passed else line(failed, " of ", judged, " FAIL")
        rows.append(
            (line(foreign(model.llm, "language model")), line(v.tokens(model.visual_tokens, "visual tokens")), *times,
             checks)
        )  # fmt: skip
    columns = ("LLM", "tokens", "TTFT", "predicted", "TPOT", "predicted", "checks")
    yield Table((), columns, tuple(rows), tones=tuple("" if cell.passed else "bad" for cell in grid.cells))
    for order in grid.orders:
        agreeing, pairs = v.count(order.agreeing, "pairs as predicted"), v.count(order.pairs, "pairs compared")
        title = _ORDER_TITLES[order.name]
        yield Paragraph(
            line(f"{title}: ", agreeing, " of ", pairs, " pairs that clearly differ are in the predicted order")
        )
        for text in order.inverted:
            yield Paragraph((sentence(text, "pair in another order"),), "bad", "not as predicted")
    if not grid.stable:
        yield from remarks("advice", merged_advice(text for cell in grid.cells for text in cell.measurement.advice))
