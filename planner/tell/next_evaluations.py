"""The story of the evaluations of released models that could be made next: what is picked now, what would help, at what
cost, and what to type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.laws.fitted import NOT_IDENTIFIED
from planner.laws.hierarchy.law import EVIDENCE
from planner.planning.evaluating.lmms_eval import NOT_RUN
from planner.planning.evaluating.result import Evaluation, NextEvaluations, Picked
from planner.planning.words import in_points
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Code,
    Command,
    Document,
    Inline,
    Line,
    Paragraph,
    Table,
    Value,
    foreign,
    joined,
    line,
    sentence,
)

_NO_DIFFERENCE = 1e-5  # errors are shown to four digits after the point: a gain below this shows in none
_COMMANDS_MAX = 3
_AS_PUBLISHED = "as published"


def next_evaluations_story(found: NextEvaluations, top: int = 5) -> Document:
    """The best evaluations as a document.

    Args:
        found: the ranked evaluations.
        top: how many of them to show.
    """
    shown = _one_each(found.next)[:top]
    return Document(
        kind="next_evaluations",
        title="Next evaluations",
        heading=line("picked now: ", named(found.pick)),
        opening=(*_now(found), *_ranked(found, shown), *_commands(found, shown)),
        sections=(),
        opening_title="What to evaluate next",
        tone="warn",
        sources={"next_evaluations": found.to_dict(top)},
    )


def _one_each(ranked: Sequence[Evaluation]) -> tuple[Evaluation, ...]:
    """The first of each model, as values of one knob tell nearly the same; all of them where there is one model."""
    firsts: dict[tuple[str, str | None], Evaluation] = {}
    for one in ranked:
        firsts.setdefault((one.model, one.hub_id), one)
    return tuple(ranked) if len(firsts) == 1 else tuple(firsts.values())


def named(one: Evaluation | Picked) -> Line:
    """A model with its knob and its visual tokens."""
    name = foreign(one.model, "released model")
    turned = line(" at ", foreign(one.setting, "knob")) if one.setting else ()
    return line(name, turned, " with ", v.visual_tokens(one.visual_tokens))


def cost_of(found: NextEvaluations, one: Evaluation) -> Line:
    """What an evaluation costs, with its unit."""
    if one.gpu_hours is None:
        return line(v.flops(one.flops, "FLOPs of an evaluation"), f" ({found.asked.convention} count)")
    return line(v.gpu_hours(one.gpu_hours), " GPU-hours")


def _now(found: NextEvaluations) -> Iterator[Block]:
    if found.law.status == NOT_IDENTIFIED:
        yield Paragraph(
            line("the law is not identified: ", sentence(found.law.advice, "what the status means")), "warn"
        )
    yield Paragraph(line(sentence(found.law.title, "law")))
    for text in () if found.plan is None else found.plan.notes:
        yield Paragraph(line(foreign(text, "note", 400)), "warn", "note")
    for text in found.extrapolates:
        yield Paragraph(line(sentence(text, "extrapolates")), "warn", "extrapolates")
    yield Paragraph(_spread(found), "warn", "assumes")
    regret = v.significant(found.expected_regret_now, "expected regret of the pick", "error")
    noise = v.significant(max(one.noise_sd for one in found.next), "noise of an evaluation", "error")
    alone: Line = ()
    if found.expected_regret_by_law is not None and found.model_sd != 0:
        by_law = v.significant(found.expected_regret_by_law, "expected regret of the pick by the law alone", "error")
        alone = line(", ", by_law, " if all models followed the law")
    yield Paragraph(
        line("expected regret of the pick: ", regret, " in error", alone, "; noise of an evaluation: ", noise)
    )
    yield Paragraph(_evaluation(found))
    if max(one.expected_gain for one in found.next) < _NO_DIFFERENCE:
        yield Paragraph(
            line("no evaluation is expected to better the pick: by what the law believes, it is as good as certain")
        )


def _spread(found: NextEvaluations) -> Line:
    """How far models are taken to lie off the law."""
    if found.model_sd is None:
        return _as_planned(found)
    if not found.model_sd:
        return line("all released models follow the law: how far each lies off it is not known before it is evaluated")
    sd = v.significant(found.model_sd, "standard deviation of a model's offset from the law", "error")
    return line("each released model lies off the law by an offset of its own, with standard deviation ", sd,
                " in error (as given); it is not known before the model is evaluated")  # fmt: skip


def _as_planned(found: NextEvaluations) -> Line:
    if found.law.status == EVIDENCE:
        return line("what published studies have in common holds for these models")
    if len(found.interval_parts) < 2:
        return line("other models lie off the law as published grids say of other families, recipes and connectors")
    parts = [
        line(
            "the ",
            foreign(axis, "what an interval is of"),
            " ",
            Value(in_points(half), half, f"half-width of the {axis}", "error"),
        )
        for axis, half in found.interval_parts.items()
    ]
    return line("other models lie off the law as published grids say; half-width of the pick's ", v.interval_title(),
                ", in points: ", joined(parts, ", "))  # fmt: skip


def _evaluation(found: NextEvaluations) -> Line:
    asked = found.asked
    of: Line = ()
    if asked.benchmarks:
        of = line(" of ", joined([foreign(name, "benchmark") for name in asked.benchmarks], " and "))
    text = v.tokens(asked.query_tokens, "text tokens of a question")
    answer = v.tokens(asked.generated_tokens, "tokens of an answer")
    images = foreign(asked.images, "sizes of the images")
    each = ", one after the other, each like the plan's request: "
    return line("an evaluation: ", v.count(asked.questions, "questions"), " questions", of, each, text,
                " text tokens, ", images, ", ", answer, " generated")  # fmt: skip


def _ranked(found: NextEvaluations, shown: Sequence[Evaluation]) -> Iterator[Block]:
    columns = [
        "model",
        "knob",
        "tokens",
        "gain",
        "pick changes",
        "FLOPs" if found.asked.hardware is None else "GPU-hours",
    ]
    priced = any(one.price is not None for one in shown)
    rows = []
    for one in shown:
        cells: list[Inline] = [
            foreign(one.model, "released model", 40),
            foreign(one.setting, "knob", 40) if one.knob is not None else Value(_AS_PUBLISHED, "", "knob"),
            v.tokens(one.visual_tokens, "visual tokens per image"),
            _gain(one.expected_gain),
            v.share(one.probability_pick_changes, 1.0, "probability that the pick changes"),
            v.flops(one.flops, "FLOPs of an evaluation") if one.gpu_hours is None else v.gpu_hours(one.gpu_hours),
        ]
        if priced and one.price is not None:
            cells.append(v.significant(one.price, "price of an evaluation"))
        rows.append(tuple(line(cell) for cell in cells))
    by = "expected gain for the cost" if found.asked.per_cost else "expected gain"
    each = ", the best value of each model's knob" if len({one.model for one in shown}) > 1 else ""
    names = (*columns, *["price"] * priced)
    yield Table(
        line(f"next evaluations by {by}{each}"),
        names,
        tuple(rows),
        words=frozenset({"model", "knob"}),
        spare=("pick changes",),
        names="model",
        beneath="knob",
    )
    if beyond := [foreign(one.model, "released model") for one in shown if not one.fits]:
        told = joined(list(dict.fromkeys(beyond)), " and ")
        yield Paragraph(line("outside the plan's limits, but informative about those within: ", told))
    if len({one.model for one in found.next}) == 1 and found.next[0].predicted_error is None and not found.together:
        yield Paragraph(
            line("one evaluation tells the level that all settings of the model share; ", Code("--together 2"),
                 " names two that tell which is best")
        )  # fmt: skip
    yield from _left_out(found)
    if found.together:
        gain = _gain(found.together_gain or 0.0)
        count = v.count(len(found.together), "evaluations at once")
        models = joined([named(one) for one in found.together], ", ")
        yield Paragraph(line(count, " evaluations at once: ", models, " (expected gain ", gain, ")"))


def _left_out(found: NextEvaluations) -> Iterator[Block]:
    parts = []
    if found.left_out.measured:
        number = v.count(found.left_out.measured, "evaluations that the law has")
        parts.append(line(number, " that the law has a run of"))
    if found.left_out.too_large:
        number = v.count(found.left_out.too_large, "evaluations that cannot run")
        parts.append(line(number, " of models that do not fit into the memory, or whose context is too short"))
    if parts:
        yield Paragraph(line("left out: ", joined(parts, "; ")))


def _commands(found: NextEvaluations, shown: Sequence[Evaluation]) -> Iterator[Block]:
    """What to type for the first of them, and what to do with the score."""
    if not found.asked.benchmarks:
        yield Paragraph(line("no command: the benchmark has no name; name one of lmms-eval's tasks"))
    for one in shown[:_COMMANDS_MAX] if found.asked.benchmarks else ():
        if one.command is None:
            yield Paragraph(line(named(one), ": no command, as ", sentence(one.refusal, "why there is no command")))
        else:
            yield Command((one.command,), f"Evaluate {one.model} with lmms-eval ({NOT_RUN})")
    if found.law.status == EVIDENCE:
        yield Paragraph(line("then give what it scores to the plan as runs (llm, llm_params, visual_tokens, score, "
                             "task): ", Code("--law RUNS.csv"), " beside the task"))  # fmt: skip
        return
    yield Paragraph(
        line("then add what it scores to the runs (model, size, visual tokens, score) and fit the law again")
    )


def _gain(gain: float) -> Value:
    """An expected gain; one that no digit of an error shows is none."""
    shown = v.significant(gain, "expected gain", "error")
    return shown if gain >= _NO_DIFFERENCE else Value("none", gain, "expected gain", "error")
