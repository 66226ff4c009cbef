"""One candidate of a plan, in the words and numbers of a page."""

from __future__ import annotations

from planner.configuration import Model, Run
from planner.parts.compressors import Compressor
from planner.planning.candidate import Candidate
from planner.planning.limits import Limit
from planner.tell import values as v
from planner.tell.document import Line, Value, foreign, line

NAME_MAX = 60


def key_of(one: Candidate) -> tuple[Model, Run]:
    """What makes two candidates the same."""
    return one.model, one.run()


def name_of(one: Candidate) -> Value:
    return foreign(one.llm.name, "language model", NAME_MAX)


def title_of(one: Candidate) -> Line:
    """ "Qwen1.5-4B with 64 visual tokens"."""
    return line(name_of(one), " with ", v.visual_tokens(one.visual_tokens))


def error_of(one: Candidate) -> Value:
    return v.error(one.predicted_error, f"predicted error of {one}")


def interval_of(one: Candidate) -> Line:
    if one.interval is None:
        return ("not known",)
    return v.interval(*one.interval, "the predicted error")


def cost_of(one: Candidate, limit: Limit, what: str = "") -> Value:
    """What it takes of a limit."""
    return v.limited(limit, one.quantities[limit.column], what or f"{limit.title} of {one}")


def compressor_title(one: Compressor) -> Value:
    return foreign(one.title, "compressor", NAME_MAX)


def limit_text(limit: Limit) -> Line:
    """ "TTFT at most 30 ms"; FLOPs name themselves."""
    value = v.limited(limit, limit.value, f"limit: {limit.title}")
    if limit.kind.names_itself:
        return line(value, " for a request")
    return line(f"{limit.title} {'at least' if limit.at_least else 'at most'} ", value)
