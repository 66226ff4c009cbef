"""Sentences of a plan, their numbers as Values: the pick, what it rests on, what is near it, what more would buy."""

from __future__ import annotations

from collections.abc import Iterable

from planner.planning.candidate import Candidate, SlackOfPick
from planner.planning.limits import RELAXED_BY
from planner.planning.request import Load
from planner.planning.result import Plan
from planner.planning.words import law_title, load_text, price_text, tied_text, way_to_run
from planner.tell import values as v
from planner.tell.document import TEXT_MAX, Inline, Line, Value, foreign, joined, line
from planner.tell.memory import memory_line

_NO_GAP = 5e-5  # errors are shown to four digits
_UNCUT = 10_000
NO_INTERVAL = "no interval: the law was given by hand or has constraints"


def heading(plan: Plan) -> Line:
    """The pick in a sentence: "best under 2 TFLOPs: Qwen1.5-4B with 64 visual tokens"."""
    asked = [one.limit for one in plan.limits if one.limit.name in plan.budget.limits]
    limits = [
        line(
            "" if limit.kind.names_itself else f"{limit.title} {'at least' if limit.at_least else 'at most'} ",
            v.limited(limit, limit.value, f"limit: {limit.title}"),
        )
        for limit in asked
    ]
    return line("best under ", joined(limits, ", "), ": ", named(plan.best, strong=True))


def named(candidate: Candidate, strong: bool = False, name_max: int = TEXT_MAX) -> Line:
    """ "Qwen1.5-4B with 64 visual tokens"; a longer name is cut."""
    name = foreign(candidate.llm.name, "language model", name_max, strong)
    return line(name, " with ", v.visual_tokens(candidate.visual_tokens, strong))


def error_line(candidate: Candidate) -> Line:
    """ "error 0.5019, score 49.8 %"."""
    return line("error ", v.error(candidate.predicted_error, f"predicted error of {candidate}"), _score(candidate))


def _score(candidate: Candidate) -> Line:
    if candidate.score is None:
        return ()
    return line(", score ", v.score(candidate.predicted_error, f"predicted score of {candidate}"))


def prediction(candidate: Candidate) -> Line:
    """Its error with the interval, and its score."""
    told, between = line("predicted error ", v.error(candidate.predicted_error)), ", "
    if candidate.interval is not None:
        told = line(told, ", ", v.interval_title(), " ", v.interval(*candidate.interval, "the predicted error"))
        between = "; "
    return told if candidate.score is None else line(told, f"{between}score ", v.score(candidate.predicted_error))


def way_line(plan: Plan) -> Line:
    """Hardware, GPUs, precision and batch; () where nothing was asked of them."""
    return _told(way_to_run(plan), "how it runs")


def load_line(load: Load) -> Line:
    """What was planned for, where that is more than one request; else ()."""
    return _told(load_text(load), "the requests that were planned for")


def law_line(plan: Plan) -> Line:
    """The law in a few words."""
    return _told(law_title(plan.law), "the law")


def price_line(plan: Plan) -> Line:
    """What the GPUs cost; () without a price."""
    return line("price: ", _told(price_text(plan), "price")) if price_text(plan) else ()


def _told(text: str, what: str) -> Line:
    return line(foreign(text, what, _UNCUT)) if text else ()


def why_line(plan: Plan) -> Line:
    """Why it is the pick: among how many it has the least error, how far the next one is, how sure that is."""
    best = plan.best
    tried = v.count(plan.candidates_count, "candidates that were compared")
    fitting = v.count(plan.fitting_count, "candidates that keep every limit")
    alone = plan.fitting_count == 1
    parts = [line("why: alone fits, of ", tried) if alone else line("why: least error of the ", fitting,
                                                                    " that fit, of ", tried, " tried")]  # fmt: skip
    if plan.runners_up:
        second = plan.runners_up[0]
        gap = second.predicted_error - best.predicted_error
        far = line(v.error(gap, "error of the next above that of the pick"), " worse")
        parts.append(line("next: ", named(second), _compressor(second, best), ", ",
                          far if gap > _NO_GAP else "equal in error"))  # fmt: skip
    if best.probability_best is not None:
        parts.append(line("probability of being best: ", v.odds(best.probability_best, "probability of being best")))
    return _semicolons(parts)


def _compressor(candidate: Candidate, best: Candidate) -> Line:
    """That of a candidate, where it is not that of the pick."""
    if candidate.compressor == best.compressor:
        return ()
    return line(" (", foreign(candidate.compressor.name, "compressor"), ")")


def tied_line(plan: Plan) -> Line:
    """How many are statistically tied with the pick, and the cheapest of them; () where nothing else is."""
    if len(plan.tied) < 2:
        return ()
    return line(Value(tied_text(plan), len(plan.tied), "candidates tied, the pick among them"))


def memory_of(plan: Plan) -> Line:
    """Peak memory of the pick."""
    return memory_line(plan.best.memory, plan.best.batch)


def binding_line(plan: Plan) -> Line:
    """Which limits keep better candidates out."""
    held = [one.limit.title for one in plan.limits if one.binds]
    if held:
        return line("binds: ", ", ".join(held))
    table = plan.all_candidates
    if table is None or table.predicted_error.min() < plan.best.predicted_error:
        return line("binds: no limit alone", "" if table is None else ", several together")
    return line("binds: nothing, no better candidate was tried")


def more_lines(plan: Plan) -> tuple[Line, ...]:
    """What a little more of each limit would buy, and where the next better candidate is."""
    bought = [one for one in plan.limits if one.relaxed is not None]
    lines = [relaxed_line(one, plan.best) for one in bought]
    told = [one.relaxed for one in bought]
    following = () if plan.next_up is None or _is_among(plan.next_up, told) else _next_line(plan.next_up, plan)
    if bought:
        return (*lines, *([following] if following else []))
    return (_semicolons([_unmoved(plan), *([following] if following else [])]),)


def _is_among(one: Candidate, others: Iterable[Candidate | None]) -> bool:
    """By what is made and how it runs: costs hold arrays, which have no equality of their own."""
    return any(other is not None and (other.model, other.run()) == (one.model, one.run()) for other in others)


def relaxed_line(one: SlackOfPick, best: Candidate) -> Line:
    """What a little more of one limit would buy. Raises AssertionError where it buys nothing."""
    assert one.relaxed is not None
    limit, other, looser = one.limit, one.relaxed, one.limit.relaxed()
    before, after = limit.kind.looser.split("{}")
    share = v.share(abs(looser.value - limit.value), limit.value, "by how much a limit is loosened")
    return line(
        "with ", before, share, after, " (", v.limited(limit, looser.value, "looser limit"), "): ", named(other),
        " at ", v.limited(limit, other.quantities[limit.column], f"{limit.title} of {other}"), ", ",
        error_line(other), ", lower by ", v.error(best.predicted_error - other.predicted_error, "gain in error"),
    )  # fmt: skip


def _unmoved(plan: Plan) -> Line:
    share = v.share(RELAXED_BY, 1.0, "by how much a limit is loosened")
    which = "one limit alone" if len(plan.limits) > 1 else f"the {plan.limits[0].limit.title}"
    return line(share, f" more of {which} buys nothing")


def _next_line(other: Candidate, plan: Plan) -> Line:
    limit = plan.limits[0].limit
    cost = v.limited(limit, other.quantities[limit.column], f"{limit.title} of {other}")
    return line(f"the next better by {limit.title} is ", named(other), " at ", cost, ", ", error_line(other))


def _semicolons(parts: list[Line]) -> Line:
    found: list[Inline] = []
    for i, part in enumerate(parts):
        found += [*(["; "] if i else []), *part]
    return tuple(found)
