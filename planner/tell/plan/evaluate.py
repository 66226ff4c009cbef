"""What to evaluate before a released model is chosen: the most informative, and the command that ranks all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.base.errors import FitError, InputError
from planner.planning.evaluating.benchmarks import Benchmark, default_benchmarks, questions_of
from planner.planning.evaluating.first import First, cheapest_evaluations, first_evaluations
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.asked import rank_command
from planner.tell.document import Block, Command, Line, Paragraph, foreign, joined, line

COUNT = 3
_NO_DIFFERENCE = 1e-5  # errors are shown to four digits after the point


def evaluate_next(plan: Plan) -> Iterator[Block]:
    """A sentence and a command; nothing where the pick is to be trained, or the law cannot say what is gained."""
    if plan.tried.released is None:
        return
    if plan.by_cost:
        yield from _cheapest(plan)
        return
    try:
        found = first_evaluations(plan, COUNT)
    except (FitError, InputError):
        return
    told = [_evaluation(one) for one in found if one.expected_gain is not None and one.expected_gain >= _NO_DIFFERENCE]
    if told:
        per = _questions(default_benchmarks(plan.law))
        yield Paragraph(line("most informative for their cost (", per, "): evaluating ", joined(told)))
    if plan.law.n_runs:
        yield from ranking(plan, "Rank all evaluations")


def _cheapest(plan: Plan) -> Iterator[Block]:
    """The evaluations that would tell how good the cheapest are, and the command that ranks all by a law."""
    told = [_evaluation(one) for one in cheapest_evaluations(plan, COUNT)]
    if told:
        per = _questions(default_benchmarks())
        yield Paragraph(
            line("which of them is good enough, no cost tells; evaluate the cheapest first (", per, "): ", joined(told))
        )
    yield from ranking(plan, "Rank all evaluations by what a law expects of them")


def ranking(plan: Plan, title: str) -> Iterator[Block]:
    """The command that ranks what to measure next, with where the files of it come from; nothing where there is
    none."""
    if (found := rank_command(plan)) is None:
        return
    yield Command((found.command,), title)
    for name in found.files:
        yield Paragraph(line(foreign(name, "file"), " is written by vlm-planner report --artefacts."))


def _questions(asked: Sequence[Benchmark]) -> Line:
    """ "900 questions of mmmu_val"."""
    names = joined([foreign(one.name, "benchmark") for one in asked], " and ")
    return line(v.count(questions_of(asked), "questions of an evaluation"), " questions of ", names)


def _evaluation(one: First) -> Line:
    name = foreign(one.model, "released model")
    turned = line(" at ", foreign(one.knob, "knob")) if one.knob else ()
    if one.gpu_hours is None:
        cost = line(v.flops(one.flops, "FLOPs of an evaluation"))
    else:
        cost = line(v.gpu_hours(one.gpu_hours), " GPU-hours")
    return line(name, turned, " (", cost, ")")
