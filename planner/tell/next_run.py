"""The story of the runs that could be made next: what is picked now, how much error that may cost, what would help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.laws.design import NextRun
from planner.laws.fitted import NOT_IDENTIFIED
from planner.planning.next_run import NextMeasurement
from planner.planning.run_cost import PRUNED, TRAINING, run_cost
from planner.planning.words import law_title, parts_text
from planner.tell import values as v
from planner.tell.document import Block, Document, Line, Paragraph, Table, Value, foreign, joined, line, sentence

_NO_DIFFERENCE = 1e-5  # errors are shown to four digits after the point: a gain below this shows in none
_TITLES = {"regret": "next runs by expected gain", "d-optimal": "next runs by what they tell of the parameters"}
_PAIRS = "next pairs of runs by expected gain"
TOP = 5
"""Runs that are shown where nothing else is said."""


def next_run_story(found: NextMeasurement, top: int = TOP) -> Document:
    """The best runs as a document.

    Args:
        found: the ranked runs, and the plan whose pick they would better.
        top: how many of them to show.
    """
    best = found.plan.best
    picked = line(foreign(best.llm.name, "language model"), " with ", v.visual_tokens(best.visual_tokens))
    unsure = found.plan.law.status == NOT_IDENTIFIED
    return Document(
        kind="next_run",
        title="Next runs",
        heading=line("picked now: ", picked),
        opening=(*_now(found), *_ranked(found, found.ranked.runs[:top])),
        sections=(),
        opening_title="What to measure next",
        tone="warn" if unsure else "",
        sources={"next_run": found.to_dict(top)},
    )


def _now(found: NextMeasurement) -> Iterator[Block]:
    law, ranked = found.plan.law, found.ranked
    if law.status == NOT_IDENTIFIED:
        yield Paragraph(line("the law is not identified: ", sentence(law.advice, "what the status means")), "warn")
    yield Paragraph(line(sentence(law_title(law), "law")))
    for text in found.plan.notes:
        yield Paragraph(line(foreign(text, "note", 400)), "warn", "note")
    if parts := parts_text(found.plan):
        yield Paragraph(line(sentence(parts, "what its interval is made of")))
    if not found.plan.level_known:
        yield Paragraph(line("one run alone tells the level that all candidates share: runs are ranked in pairs"))
    regret = v.significant(ranked.expected_regret_now, "expected regret of the pick", "error")
    noise = v.significant(ranked.noise_sd, "noise of a run", "error")
    yield Paragraph(line("expected regret of the pick: ", regret, " in error; noise of a run: ", noise))
    if max(run.expected_gain for run in ranked.runs) < _NO_DIFFERENCE:
        yield Paragraph(line("no run is expected to better the pick: it is as good as certain among these candidates"))


def _ranked(found: NextMeasurement, runs: Sequence[NextRun]) -> Iterator[Block]:
    information, cost = found.ranked.criterion == "d-optimal", run_cost(found.plan.law)
    measured = any(run.measured for run in runs)
    rows = []
    for rank, run in enumerate(runs, start=1):
        cells: list[Line] = [
            line(v.count(rank, "rank")),
            line(v.params(run.llm_params, "size of the LLM")),
            line(v.tokens(run.visual_tokens, "visual tokens per image")),
            *beside_cells([run]),
            line(_gain(run.expected_gain)),
            line(v.share(run.probability_pick_changes, 1.0, "probability that the pick changes")),
        ]
        cells += [line(v.significant(run.log_det_gain, "rise of log det of the information"))] if information else []
        cells += [line(v.flops(run.cost, cost.unit.partition(",")[0]))]
        cells += [line("measured" if run.measured else "")] if measured else []
        rows.append(tuple(cells))
    told = ["log det rises by"] * information
    columns = ("LLM", "tokens", *beside_columns(runs), "expected gain", "pick changes", *told, cost.what)
    title = line(_TITLES[found.ranked.criterion] if found.plan.level_known else _PAIRS)
    yield Table(title, ("", *columns, *["status"] * measured), tuple(rows), words=frozenset({"status"}))
    each = float(cost.flops_per_param)
    factor = Value(f"{each:g} N", each, f"FLOPs per parameter and token of a {cost.sample}", "FLOPs")
    text = v.tokens(found.text_tokens, f"text tokens of a {cost.sample}")
    per = cost.sample.removeprefix(f"{cost.what} ")
    yield Paragraph(
        line(f"{cost.what}: FLOPs per {per}, ", factor, " (V + ", text, " text tokens), encoder not counted")
    )
    if cost != TRAINING:
        yield Paragraph(line(PRUNED))
    if measured:
        yield Paragraph(line("measured: the law has this cell; another run shows what another seed would"))
    if found.together is not None:
        yield _together(found)


def beside_columns(runs: Sequence[NextRun]) -> tuple[str, ...]:
    """The column of what each run is made together with, where they are pairs."""
    return ("and",) if any(run.beside is not None for run in runs) else ()


def beside_cells(runs: Sequence[NextRun]) -> tuple[Line, ...]:
    """Its cells: the tokens of the other run, and its size where that differs."""
    return tuple(_beside(run, *run.beside) for run in runs if run.beside is not None)


def _beside(run: NextRun, size: float, tokens: float) -> Line:
    told = v.tokens(tokens, "visual tokens of the other run")
    if size == run.llm_params:
        return line(told, " tokens")
    return line(v.params(size, "size of the other run"), " with ", told)


def _together(found: NextMeasurement) -> Paragraph:
    batch = found.together
    assert batch is not None
    runs = [
        line(v.params(size, "size of the LLM"), " with ", v.tokens(tokens, "visual tokens per image"))
        for size, tokens in batch.runs
    ]
    gain = _gain(batch.expected_gains[-1])
    count = v.count(len(batch.runs), "runs at once")
    return Paragraph(line(count, " runs at once: ", joined(runs, ", "), " (expected gain ", gain, ")"))


def _gain(gain: float) -> Value:
    """An expected gain; one that no digit of an error shows is none."""
    shown = v.significant(gain, "expected gain", "error")
    return shown if gain >= _NO_DIFFERENCE else Value("none", gain, "expected gain", "error")
