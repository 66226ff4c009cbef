"""The story of a plan: the pick and what it rests on; what stands beside it; its cost; its limits."""

from __future__ import annotations

from collections.abc import Iterator

from planner.planning.result import Plan
from planner.planning.serving import serving, serving_room
from planner.planning.transfer.known import not_known
from planner.planning.words import rules_nothing_out
from planner.tell.document import Block, Command, Document, Paragraph, Section, foreign, line
from planner.tell.plan import sentences as say
from planner.tell.plan.forms import form_line
from planner.tell.plan.frontier import Beside, frontier_chart, has_frontier
from planner.tell.plan.load import asked_line, load_section
from planner.tell.plan.tables import best_table, each_table, limit_table, stages_of
from planner.tell.published import gain_line, level_line, published_line
from planner.tell.stages import speed_limit

_UNCUT = 10_000


def plan_story(plan: Plan) -> Document:
    """A plan as a document, as the terminal shows it."""
    beside = Beside.FITTING if plan.tried.released is None else Beside.NEAR  # all that is released makes a cloud
    pictures = [frontier_chart(plan, beside)] if not plan.by_cost and has_frontier(plan) else []
    return Document(
        kind="plan",
        title="Plan",
        heading=say.heading(plan),
        opening=tuple(_pick(plan)),
        sections=(
            Section("beside", "What stands beside it", tuple(_beside(plan))),
            Section("costs", "What it costs", tuple(_costs(plan))),
            *load_section(plan),
            Section("limits", "Its limits" if plan.by_cost else "What more would buy", (*_limits(plan), *pictures)),
            *_serving(plan),
            *_evaluating(plan),
        ),
        opening_title="The pick",
        tone="" if plan.by_cost or rules_nothing_out(plan) or not_known(plan.law, plan.tried.released) else "good",
    )


def _pick(plan: Plan) -> Iterator[Block]:
    """How it would run, its error, and where the law is used beyond what it was fitted to."""
    for told in say.released_lines(plan):
        yield Paragraph(told)
    yield from warned(plan)
    for told in (
        say.way_line(plan),
        asked_line(plan),
        say.load_line(plan.load),
        say.prediction(plan.best),
        say.parts_line(plan),
        gain_line(plan),
        say.law_line(plan),
        published_line(plan.law) if not plan.by_cost else (),
        level_line(plan),
        () if plan.by_cost else form_line(plan),
    ):
        if told:
            yield Paragraph(told)
    if rules_nothing_out(plan):  # a reader must not take the heading for more than it is
        yield Paragraph(say.tied_line(plan), "warn")
    if why := say.no_interval(plan):
        yield Paragraph(line(why))
    yield from cautions(plan)


def warned(plan: Plan) -> Iterator[Paragraph]:
    """What keeps the pick from being served as it is."""
    for text in plan.warnings:
        yield Paragraph(line(foreign(text, "warning", _UNCUT)), "warn", "warning")


def cautions(plan: Plan) -> Iterator[Paragraph]:
    """Where the pick lies outside what the law was fitted to, and what has to hold for the law to speak of this use."""
    notes = (*plan.notes, *plan.published)
    for label, texts in (("note", notes), ("extrapolates", plan.extrapolates), ("assumes", plan.assumptions)):
        for text in texts:
            yield Paragraph(line(foreign(text, label, _UNCUT)), "warn", label)


def _beside(plan: Plan) -> Iterator[Block]:
    """Why it is the pick, what cannot be told from it, what comes next."""
    yield Paragraph(say.why_line(plan))
    if (tied := say.tied_line(plan)) and not rules_nothing_out(plan):
        yield Paragraph(tied)
    yield best_table(plan)
    if plan.best_of_each:
        yield each_table(plan)


def _costs(plan: Plan) -> Iterator[Block]:
    """Its cost by stage, and its memory."""
    yield stages_of(plan)
    if plan.speed_limit_tokens is not None:
        yield speed_limit(plan.speed_limit_tokens)
    yield Paragraph(say.memory_of(plan))
    if price := say.price_line(plan):
        yield Paragraph(price)


def _limits(plan: Plan) -> Iterator[Block]:
    """Its limits, and what a little more of each would buy."""
    if len(plan.limits) > 1 or plan.budget.flops is None:
        yield limit_table(plan)
    for told in (*say.more_lines(plan), say.smaller_weights(plan)):
        if told:
            yield Paragraph(told)


def _serving(plan: Plan) -> Iterator[Section]:
    """What to type for each engine; nothing where the pick is to be trained."""
    blocks = tuple(serving_blocks(plan))
    if blocks:
        yield Section("serving", "How to serve it", blocks)


def _evaluating(plan: Plan) -> Iterator[Section]:
    """What to evaluate first; nothing where the pick is to be trained."""
    if plan.tried.released is None:
        return
    from planner.tell.plan.evaluate import evaluate_next  # only plans among released models pay for its import

    blocks = tuple(evaluate_next(plan))
    if blocks:
        yield Section("evaluating", "What to evaluate first", blocks)


def serving_blocks(plan: Plan) -> Iterator[Block]:
    """A command for each engine, or why it has none, and what each says of it."""
    commands = serving(plan)
    for one in commands:
        if one.command is None:
            yield Paragraph(line(f"{one.title}: ", foreign(str(one), "why there is no command", _UNCUT)))
            continue
        yield Command((one.command,), f"Serve it with {one.title} ({one.checked})")
        for told in (one.client, *one.notes):
            if told:
                yield Paragraph(line(f"{one.title}: ", foreign(told, "note on the command", _UNCUT)))
    room = serving_room(plan)
    if room is not None and any(one.command for one in commands):
        yield Paragraph(line(foreign(room.text, "what the context has room for", _UNCUT)))
