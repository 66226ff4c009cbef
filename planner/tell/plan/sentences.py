"""Sentences of a plan, their numbers as Values: the pick, what it rests on, what is near it, what more would buy."""

from __future__ import annotations

from collections.abc import Iterable

from planner.planning.candidate import Candidate, SlackOfPick
from planner.planning.limits import RELAXED_BY
from planner.planning.nothing_fits import WIDE
from planner.planning.pick_facts import weights_text
from planner.planning.request import Load
from planner.planning.result import Plan
from planner.planning.transfer.known import not_known
from planner.planning.words import (
    binding_text,
    cost_order_text,
    law_title,
    load_text,
    parts_text,
    price_text,
    tied_text,
    way_to_run,
)
from planner.tell import values as v
from planner.tell.document import TEXT_MAX, Inline, Line, Value, foreign, joined, line
from planner.tell.memory import memory_line
from planner.tell.published import margin_words, points

NO_GAP = 5e-5  # errors are shown to four digits
_EQUAL = 1e-12  # what rounding of sums may leave between equal errors
_UNCUT = 10_000
_NAMES_MAX = 3
_NO_INTERVAL = "no interval: the law was given by hand or has constraints"


def heading(plan: Plan) -> Line:
    """Which of the two questions is answered, and the answer.

    "Recommended: Qwen3-VL-8B-Instruct at max_pixels=401408 (about 384 visual tokens for 1024x768)": its weights exist;
    "Train: Qwen1.5-4B with 64 visual tokens, best under 2 TFLOPs; no trained weights exist".
    """
    if plan.tried.released is None:
        return line(
            "Train: ", named(plan.best, strong=True), ", best under ", asked(plan), "; no trained weights exist"
        )
    return line("Cheapest that fits: " if plan.by_cost else "Recommended: ", released_pick(plan))


def released_pick(plan: Plan) -> Line:
    """ "Qwen3-VL-8B-Instruct at max_pixels=401408 (about 384 visual tokens for 1024x768)"."""
    best, released = plan.best, plan.tried.released
    images = foreign("" if released is None else str(released.images), "sizes of the images", TEXT_MAX)
    tokens = v.visual_tokens(best.visual_tokens, strong=True)
    return line(_model(best, strong=True), " (about ", tokens, " for ", images, ")")


def best_line(plan: Plan) -> Line:
    """The pick in a sentence: "best under 2 TFLOPs: Qwen1.5-4B with 64 visual tokens"."""
    return line("best under ", asked(plan), ": ", named(plan.best, strong=True))


def asked(plan: Plan) -> Line:
    """The limits that were asked for: "TTFT at most 150 ms, 2 TFLOPs"."""
    limits = [
        line(
            "" if limit.kind.names_itself else f"{limit.title} {'at least' if limit.at_least else 'at most'} ",
            v.limited(limit, limit.value, f"limit: {limit.title}"),
        )
        for limit in (one.limit for one in plan.limits if one.limit.name in plan.budget.limits)
    ]
    return joined(limits, ", ")


def released_lines(plan: Plan) -> tuple[Line, ...]:
    """Where the weights of a released model are, and what was left out; () where the plan is for a training."""
    best, released = plan.best, plan.tried.released
    if best.released is None or released is None:
        return ()
    where = line("weights: ", foreign(weights_text(plan), "repository and licence of the weights", _UNCUT))
    lines = [line(where, "; under " if plan.by_cost else "; best under ", asked(plan))]
    if released.refused:
        count = v.count(len(released.refused), "released models that were left out")
        lines.append(
            line("left out: ", count, f" model{'s' * (len(released.refused) != 1)} of which something is not known, "
                 "that take no such image, or whose tokens no law counts")
        )  # fmt: skip
    if released.beyond_context:
        names = [foreign(name, "released model", TEXT_MAX) for name, _ in released.beyond_context]
        more = f", and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else ""
        lines.append(
            line("left out, as the request is longer than their context: ", joined(names[:_NAMES_MAX], ", "), more)
        )
    return tuple(lines)


def named(candidate: Candidate, strong: bool = False, name_max: int = TEXT_MAX) -> Line:
    """ "Qwen1.5-4B with 64 visual tokens"; a longer name is cut."""
    return line(_model(candidate, strong, name_max), " with ", v.visual_tokens(candidate.visual_tokens, strong))


def _model(candidate: Candidate, strong: bool = False, name_max: int = TEXT_MAX) -> Line:
    """Its name, and the knob of a released model if it is turned."""
    name = foreign(candidate.llm.name, "language model" if candidate.released is None else "model", name_max, strong)
    return line(name, " at ", foreign(candidate.knob, "knob", name_max, strong)) if candidate.knob else line(name)


def error_line(candidate: Candidate) -> Line:
    """ "error 0.5019, score 49.8 %"; "1.9 points worse than the pick" where only differences are known."""
    if candidate.above_pick is not None:
        return margin_words(candidate)
    return line(
        f"{candidate.predicts} ",
        v.predicted(candidate.error, candidate.predicts, str(candidate)),
        _score(candidate),
    )


def _score(candidate: Candidate) -> Line:
    if candidate.score is None:
        return ()
    return line(", score ", v.score(candidate.error, f"predicted score of {candidate}"))


def prediction(candidate: Candidate) -> Line:
    """Its error with the interval, and its score; () where none is predicted."""
    if candidate.predicted_error is None:
        return ()
    told, between = (
        line(
            f"predicted {candidate.predicts} ",
            v.predicted(candidate.error, candidate.predicts),
        ),
        ", ",
    )
    if candidate.interval is not None:
        told = line(
            told, ", ", v.interval_title(), " ", v.interval(*candidate.interval, f"the predicted {candidate.predicts}")
        )
        between = "; "
    return told if candidate.score is None else line(told, f"{between}score ", v.score(candidate.error))


def parts_line(plan: Plan) -> Line:
    """What the interval of the pick is made of; () where the law is all."""
    return _told(parts_text(plan), "what the interval is made of")


def no_interval(plan: Plan) -> str:
    """Why there is no interval; "" where there is one, or where something else says why there is none."""
    if plan.by_cost or not plan.level_known:
        return ""
    unknown = plan.best.interval is None and not not_known(plan.law, plan.tried.released)
    return _NO_INTERVAL if unknown else ""


def way_line(plan: Plan) -> Line:
    """Hardware, GPUs, precision and batch; () where nothing was asked of them."""
    return _told(way_to_run(plan), "how it runs")


def load_line(load: Load) -> Line:
    """What was planned for, where that is more than one request; else ()."""
    return _told(load_text(load), "the requests that were planned for")


def law_line(plan: Plan) -> Line:
    """The law in a few words, or that there is none."""
    if plan.by_cost:
        return _told(cost_order_text(plan), "by what candidates are ordered")
    return _told(law_title(plan.law), "the law")


def price_line(plan: Plan) -> Line:
    """What the GPUs cost; () without a price."""
    return line("price: ", _told(price_text(plan), "price")) if price_text(plan) else ()


def _told(text: str, what: str) -> Line:
    return line(foreign(text, what, _UNCUT)) if text else ()


def why_line(plan: Plan) -> Line:
    """Why it is the pick: among how many it has the least error, how far the next one is, how sure that is; or among
    how many it costs least."""
    best, kind = plan.best, plan.cost_kind
    least = f"{'most' if kind.at_least else 'least'} {kind.title}" if plan.by_cost else f"least {plan.best.predicts}"
    tried = v.count(plan.candidates_count, "candidates that were compared")
    fitting = v.count(plan.fitting_count, "candidates that keep every limit")
    alone = plan.fitting_count == 1
    gap = 0.0 if plan.by_cost or not plan.runners_up else plan.runners_up[0].error - best.error
    chosen = "likeliest to be best" if gap < -NO_GAP else least
    parts = [line("why: alone fits, of ", tried) if alone else line(f"why: {chosen} of the ", fitting,
                                                                    " that fit, of ", tried, " tried")]  # fmt: skip
    if plan.runners_up:
        second = plan.runners_up[0]
    if plan.runners_up and plan.by_cost:
        limit, column = v.limit_kind(kind.name, 1.0), kind.column
        costs = [v.limited(limit, one.quantities[column], f"{kind.title} of {one}") for one in (best, second)]
        parts = [line(*parts[0], ", ", costs[0]), line("next: ", named(second), " at ", costs[1])]
    elif plan.runners_up:
        apart = v.gap(abs(gap), best.predicts)
        if second.above_pick is not None:
            apart = points(abs(second.above_pick.points), "distance of the next one's error from that of the pick")
        far = line(apart, " worse") if gap > 0 else line(apart, " better, which is too little to tell")
        near = f"equal in {best.predicts}" if gap <= _EQUAL else "less than 0.0001 worse"
        parts.append(line("next: ", named(second), _compressor(second, best), ", ",
                          far if abs(gap) > NO_GAP else near))  # fmt: skip
    if best.probability_best is not None:
        parts.append(line("probability of being best: ", v.odds(best.probability_best, "probability of being best")))
    return _semicolons(parts)


def _compressor(candidate: Candidate, best: Candidate) -> Line:
    """That of a candidate, where it is not that of the pick."""
    if candidate.compressor.name == best.compressor.name:
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
    if told := binding_text(plan.limits):
        return line(foreign(told, "which limit holds the pick", _UNCUT))
    table = plan.all_candidates
    if table is None or table.predicted_error.min() < table.predicted_error[table.fits].min():
        return line("binds: no limit alone", "" if table is None else ", several together")
    return line("binds: nothing, no better candidate was tried")


def more_lines(plan: Plan) -> tuple[Line, ...]:
    """What a little more of each limit would buy, and where the next better candidate is; () of costs alone, which no
    looser limit makes less."""
    if plan.by_cost:
        return ()
    bought = [one for one in plan.limits if one.relaxed is not None]
    lines = [relaxed_line(one, plan.best) for one in bought]
    told = [one.relaxed for one in bought]
    following = () if plan.next_up is None or _is_among(plan.next_up, told) else _next_line(plan.next_up, plan)
    if bought:
        return (*lines, *([following] if following else []))
    return (_semicolons([_unmoved(plan), *([following] if following else [])]),)


def smaller_weights(plan: Plan) -> Line:
    """Where memory holds a released model that was tried in 16 bits alone: what lets larger ones in; else ()."""
    held = any(one.binds and one.limit.column == "peak_memory_bytes" for one in plan.limits)
    if plan.tried.released is None or not held or any(one not in WIDE for one in plan.deployment.precisions):
        return ()
    ways = "as with --precision fp8 or Q4_K_M, at a quality that no law knows"
    return line(f"larger models fit with smaller weights, {ways}")


def _is_among(one: Candidate, others: Iterable[Candidate | None]) -> bool:
    """By what is made and how it runs: costs hold arrays, which have no equality of their own."""
    return any(other is not None and (other.model, other.run()) == (one.model, one.run()) for other in others)


def relaxed_line(one: SlackOfPick, best: Candidate) -> Line:
    """What a little more of one limit would buy. Raises AssertionError where it buys nothing."""
    assert one.relaxed is not None
    limit, other, looser = one.limit, one.relaxed, one.limit.relaxed()
    before, after = limit.kind.looser.split("{}")
    share = v.share(abs(looser.value - limit.value), limit.value, "by how much a limit is loosened")
    gain = line(", lower by ", v.gain(best.error - other.error, best.predicts)) if other.above_pick is None else ()
    return line(
        "with ", before, share, after, " (", v.limited(limit, looser.value, "looser limit"), "): ", named(other),
        " at ", v.limited(limit, other.quantities[limit.column], f"{limit.title} of {other}"), ", ",
        error_line(other), gain,
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
