"""What is told of a law of published results, and of plans that rest on one: margins in points instead of errors."""

from __future__ import annotations

import shlex

from planner.laws.combined import CombinedLaw, Law
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.hierarchy.mix import TaskShare
from planner.planning.candidate import Candidate
from planner.planning.margin import Margin
from planner.planning.result import Plan
from planner.planning.words import expected_worse, tenths
from planner.tell import values as v
from planner.tell.document import TEXT_MAX, Block, Code, Line, Paragraph, Table, Value, foreign, joined, line, sentence


def published_blocks(law: EvidenceLaw) -> tuple[Block, ...]:
    """Its tasks, what its rows cover, and what it cannot say."""
    rows = law.rows
    table = Table(
        line("tasks of the mix"),
        ("task", "class", "share", "published results"),
        tuple(
            (
                line(foreign(one.task, "task")),
                line(foreign(one.task_class, "class")),
                line(v.share(one.share, 1.0, "share of the workload")),
                line(v.count(int((rows.task == one.task).sum()), "rows of the task")),
            )
            for one in law.mix
        ),
        words=frozenset({"class"}),
    )
    return Paragraph((sentence(law.advice, "what it can say"),)), table


def published_line(law: Law) -> Line:
    """What a plan on published results rests on; () of other laws."""
    if not isinstance(law, EvidenceLaw):
        return ()
    rows = law.rows
    runs = " run" if len(law.own) == 1 else " runs"
    own = line(" and ", v.count(len(law.own), "runs of one's own"), f"{runs} of your own") if law.own else ()
    count = len(set(rows.study.tolist()))
    listed = joined([Code(evidence_command(one)) for one in law.mix], " and ")
    return line(
        v.count(len(rows), "rows of the tasks"), " published results of ", v.count(count, "studies"),
        " study" if count == 1 else " studies", own, ": ", listed, " list" if len(law.mix) > 1 else " lists", " them",
    )  # fmt: skip


def evidence_command(one: TaskShare) -> str:
    """What lists the results that a task of a mix rests on."""
    return f"vlm-planner evidence --task {shlex.quote(one.task)}"


def level_line(plan: Plan) -> Line:
    """Why no error is predicted; () where one is."""
    if plan.by_cost or plan.level_known:
        return ()
    return line(
        "published results tell by how much candidates differ, not the error of any: runs of your own, with ",
        Code("--law RUNS.csv"), ", give the level",
    )  # fmt: skip


def own_runs_line(plan: Plan) -> Line:
    """What tells most of a plan on published results."""
    law = plan.law
    told = line("Runs of your own tell most, even a few: one model at two numbers of visual tokens first.")
    if not isinstance(law, EvidenceLaw) or len(law.mix) > 1:
        return told
    command = Code(f"vlm-planner plan --task {shlex.quote(law.mix[0].task)} --law RUNS.csv")
    return line(*told, " ", command, " reckons with them.")


def gain_line(plan: Plan) -> Line:
    """By how much the pick is better than the next, and than the next other model where the next is the pick's own
    with another knob; that it is likelier to be the best where it is not expected to be better; () where errors
    are predicted or nothing else fits."""
    gain = plan.gain_over_next
    if gain is None:
        return ()
    if expected_worse(plan):
        worse = points(-gain.points, "expected distance of the pick's error from that of the next best")
        odds = joined([_best(one) for one in (plan.best, plan.runners_up[0])], " against ")
        return line("expected ", worse, " worse than ", _called(plan.runners_up[0]),
                    ", but likelier to be the best (", odds, ")")  # fmt: skip
    told = line("gain over the next best: ", points(gain.points, "gain over the next best"), _between(gain))
    other = plan.next_other_model
    if other is None or other.above_pick is None:
        return told
    over = points(other.above_pick.points, "gain over the next other model")
    return line(told, "; over the next other model, ", _called(other), ": ", over, _between(other.above_pick))


def _called(candidate: Candidate) -> Value:
    return foreign(str(candidate), "candidate", TEXT_MAX)


def _best(candidate: Candidate) -> Value:
    assert candidate.probability_best is not None  # the pick was chosen by it
    return v.odds(candidate.probability_best, f"probability that {candidate} is the best")


def margin_words(candidate: Candidate) -> Line:
    """ "1.9 points worse than the pick"; "the pick" of itself."""
    margin = candidate.above_pick
    assert margin is not None
    if margin.points == 0 and margin.interval is None:
        return line("the pick")
    worse = "worse" if margin.points >= 0 else "better"
    return line(points(abs(margin.points), f"difference of {candidate} from the pick"), f" {worse} than the pick")


def margin_cell(candidate: Candidate) -> Line:
    """In a column of what is worse by so many points."""
    margin = candidate.above_pick
    return () if margin is None else line(_bare(margin.points, f"points that {candidate} is worse by"))


def margin_interval(candidate: Candidate) -> Line:
    """ "-0.4 to 4.1"; () of the pick."""
    margin = candidate.above_pick
    if margin is None or margin.interval is None:
        return ()
    low, high = margin.interval
    return line(_bare(low, "lower end of the interval"), " to ", _bare(high, "upper end of the interval"))


def points(value: float, what: str) -> Value:
    """Percentage points."""
    return Value(f"{tenths(value)} points", value, what, "percentage points of error")


def rests_on_published(law: Law) -> bool:
    """Whether a law, or a task of a mix, is one of published results."""
    if isinstance(law, CombinedLaw):
        return any(rests_on_published(member) for member in law.members)
    return isinstance(law, EvidenceLaw)


def _bare(value: float, what: str) -> Value:
    return Value(tenths(value), value, what, "percentage points of error")


def _between(margin: Margin) -> Line:
    if margin.interval is None:
        return ()
    low, high = margin.interval
    return line(
        ", ", v.interval_title(), " ", _bare(low, "lower end of the interval"), " to ", _bare(high, "upper end")
    )
