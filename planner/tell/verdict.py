"""The story of a verdict: the judgement first, then each number, predicted beside measured."""

from __future__ import annotations

from collections.abc import Iterator

from planner.bench.grid_verdict import GridVerdict
from planner.bench.samples import merged_advice
from planner.bench.verdict import Verdict
from planner.tell import values as v
from planner.tell.checks import check_notes, check_table, said
from planner.tell.document import (
    Block,
    Document,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    joined,
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
        tone="bad" if not verdict.passed else "good" if _sure(verdict) else "warn",
        sources={"verdict": verdict.to_dict()},
    )


def _sure(verdict: Verdict) -> bool:
    """Whether times were steady, judged and predicted closely."""
    return verdict.stable and verdict.close and not verdict.unjudged


def _opening(verdict: Verdict) -> Iterator[Block]:
    measured = verdict.measurement
    yield Paragraph(_outcome(verdict), "" if verdict.passed else "bad")
    how = sentence(f"{measured.mode}; {measured.method.text}", "how it was measured")
    batch = v.count(measured.batch, "requests that ran together")
    yield Paragraph(line(foreign(measured.model.precision, "precision"), ", batch ", batch, ", ", how))
    if verdict.hardware is not None:
        card = verdict.hardware
        title, source = foreign(card["title"], "hardware"), foreign(card["source"], "source of the profile")
        yield Paragraph(line("times predicted for ", title, " (", source, ")"))


def _outcome(verdict: Verdict) -> Line:
    """As `Verdict.outcome`, with its numbers."""
    judged = sum(check.passed is not None for check in verdict.checks)
    text = line(v.count(judged, "checks that are judged"), " check" if judged == 1 else " checks", ", ")
    failed = verdict.failed
    if failed:
        first, *others = (said(check, noted=False) for check in failed)
        listed = line(first, *(line("; ", one) for one in others))
        text = line(text, v.count(len(failed), "checks that failed"), " failed: ", listed)
    else:
        text = line(text, "all passed")
    if verdict.worst is not None and verdict.worst.passed:
        text = line(text, "; the time furthest off: ", said(verdict.worst))
    if verdict.unjudged:
        titles = [foreign(one.title, "measured quantity") for one in verdict.unjudged]
        text = line(text, "; not judged: ", joined(titles))
    return text


def _checks(verdict: Verdict) -> Iterator[Block]:
    shown = [one for one in verdict.checks if (one.predicted, one.measured) != (None, None)]
    yield check_table(shown)
    yield from check_notes(shown)
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
        tone="bad" if not grid.passed else "good" if all(map(_sure, grid.cells)) else "warn",
        sources={"verdict": grid.to_dict()},
    )


def _cells(grid: GridVerdict) -> Iterator[Block]:
    rows = []
    for cell in grid.cells:
        model = cell.measurement.model
        judged = v.count(sum(check.passed is not None for check in cell.checks), "checks that are judged")
        failed = v.count(len(cell.failed), "checks that failed")
        checks = line(judged, " pass") if cell.passed else line(failed, " of ", judged, " FAIL")
        times = [_time(cell, name) for name in _ORDER_TITLES]
        name = line(foreign(model.llm, "language model"))
        rows.append((name, line(v.tokens(model.visual_tokens, "visual tokens")), *times, checks))
    columns = ("LLM", "tokens", *_ORDER_TITLES.values(), "checks")
    caption = line("in brackets: measured over predicted")
    yield Table(caption, columns, tuple(rows), tones=tuple("" if cell.passed else "bad" for cell in grid.cells),
                names="LLM")  # fmt: skip
    for cell in grid.cells:
        if cell.failed:
            which = line(foreign(cell.measurement.model.llm, "language model"), " with ",
                         v.visual_tokens(cell.measurement.model.visual_tokens), ": ")  # fmt: skip
            yield Paragraph(line(which, joined([said(check) for check in cell.failed])), "bad", "failed")
    for order in grid.orders:
        agreeing, pairs = v.count(order.agreeing, "pairs as predicted"), v.count(order.pairs, "pairs compared")
        title = _ORDER_TITLES[order.name]
        yield Paragraph(
            line(f"{title}: ", agreeing, " of ", pairs, " pairs that clearly differ are in the predicted order")
        )
        for text in order.inverted:
            yield Paragraph((sentence(text, "pair in another order"),), "bad", "not as predicted")
    calibrate = any(check.note.startswith("not judged: ") for cell in grid.cells for check in cell.unjudged)
    if calibrate:
        told = "times are not judged: the calibration itself is too far off; calibrate again"
        yield Paragraph(line(told), "", "advice")
    if not grid.stable:
        yield from remarks("advice", merged_advice(text for cell in grid.cells for text in cell.measurement.advice))


def _time(cell: Verdict, name: str) -> Line:
    """ "10.4 ms (x 0.86)"."""
    check = cell.check(name) if name in cell.names else None
    if check is None or check.measured is None:
        return ("-",)
    measured = v.seconds(check.measured, _ORDER_TITLES[name])
    if check.ratio is None:
        return (measured,)
    return line(measured, " (x ", v.ratio(check.ratio, f"{_ORDER_TITLES[name]}, measured over predicted"), ")")
