"""The story of a continuous optimum: the best pair on a budget if every size could be had."""

from __future__ import annotations

from collections.abc import Iterator

from planner.planning.continuous import ContinuousOptimum
from planner.tell import values as v
from planner.tell.document import Block, Document, Paragraph, line

_SIDES = {"min": "fewest", "max": "most"}


def optimum_story(optimum: ContinuousOptimum) -> Document:
    """The optimum, its interval, and how it was found."""
    size, tokens = v.params(optimum.llm_params, "parameters of the LLM"), v.visual_tokens(optimum.visual_tokens)
    error = line(v.predicted(optimum.predicted_error, optimum.predicts))
    if optimum.score is not None:
        error = line(error, ", score ", v.score(optimum.predicted_error))
    return Document(
        kind="optimum",
        title="Continuous optimum",
        heading=line(size, " parameters with ", tokens, f", predicted {optimum.predicts} ", error),
        opening=tuple(_opening(optimum)),
        sections=(),
        opening_title="How sure it is",
        sources={"optimum": optimum.to_dict()},
    )


def _opening(optimum: ContinuousOptimum) -> Iterator[Block]:
    if optimum.limit:
        yield Paragraph(line(f"at the {_SIDES[optimum.limit]} visual tokens allowed"))
    if optimum.visual_tokens_interval is not None:
        low, high = optimum.visual_tokens_interval
        ends = line(v.tokens(low, "fewest visual tokens likely"), " to ", v.tokens(high, "most visual tokens likely"))
        yield Paragraph(line(v.interval_title(), " of the visual tokens: ", ends))
    yield Paragraph(line("closed form" if optimum.closed_form else "root of the optimality condition"))
