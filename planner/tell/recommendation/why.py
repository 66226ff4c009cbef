"""Why this pick: the law, the data it rests on, how sure it is, and what cannot be told from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from planner.laws.combined import AVERAGE, CombinedLaw, Law, single_laws
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.runs_belief import can_be_believed
from planner.planning.candidate import Candidate
from planner.planning.result import Plan
from planner.planning.transfer.known import not_known
from planner.planning.words import much_worse, parts_text, rules_nothing_out
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Code,
    Facts,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    joined,
    line,
)
from planner.tell.parameters import known_intervals, not_identified, parameter_table
from planner.tell.plan.forms import LeftOut, shares_line
from planner.tell.plan.sentences import named, why_line
from planner.tell.plan.tables import best_table, candidate_table, each_table
from planner.tell.published import level_line, points, published_blocks, published_line
from planner.tell.recommendation.wording import capital

_CHEAPER_MAX = 6  # rows of what is tied and cheaper
_LEVELS_MAX = 12  # sizes or counts that are listed


def why(plan: Plan) -> Section:
    """The section."""
    if plan.by_cost:
        return Section("why", "Why this one", (Paragraph(capital(why_line(plan))), best_table(plan)))
    notes = (Paragraph(line(foreign(text, "note", 400)), "warn", "note") for text in (*plan.notes, *plan.published))
    return Section("why", "Why this one", (*_law(plan.law), *notes, *_doubt(plan), *_tied(plan), *_beside(plan)))


def _law(law: Law) -> tuple[Block, ...]:
    if isinstance(law, EvidenceLaw):
        return (Paragraph(published_line(law)), *published_blocks(law))
    head = line(
        f"The {law.predicts} is predicted by a law fitted to measured runs. ",
        "N is the nominal size of the language model in ",
        _unit(law), ", T the number of visual tokens per image.",
    )  # fmt: skip
    if isinstance(law, CombinedLaw):
        kind = "form of the law" if law.kind == AVERAGE else "task"
        names = [one.form if law.kind == AVERAGE else one.name or one.form for one in law.members]
        rows: list[tuple[Line, ...]] = [
            ((foreign(name, kind),), (_formula(member),), (v.share(weight, 1.0, f"weight of {kind}"),))
            for name, member, weight in zip(names, law.members, law.weights, strict=True)
        ]
        caption = line("The law is a weighted mean")
        table = Table(caption, (kind, "formula", "weight"), tuple(rows), words=frozenset({"formula"}))
        return Paragraph(head), table, Facts(tuple(_data(law)))
    known = known_intervals(law)
    unknown = tuple(Paragraph(said, "warn") for said in not_identified(known))
    return (
        Paragraph(head),
        *unknown,
        parameter_table(law, known, line(_formula(law))),
        Facts(tuple(_data(law))),
    )


def _unit(law: Law) -> Value:
    unit = law.n_unit_params if isinstance(law, FittedLaw) else 1e9
    return Value("billions" if unit == 1e9 else v.params(unit, "").text, unit, "unit of N", "parameters")


def _formula(law: Law) -> Value:
    return foreign(get_form(law.form).formula if isinstance(law, FittedLaw) else law.form, "form of the law")


def _data(law: Law) -> list[tuple[str, Line]]:
    """What was measured."""
    found: list[tuple[str, Line]] = [
        (
            "Law",
            line(
                foreign(law.name or "without a name", "name of the law"), ", ", foreign(law.status, "status of the law")
            ),
        )
    ]
    if not law.n_runs:
        found.append(("Runs", ("none: the law was given, not fitted here",)))
    else:
        found.append(("Runs", (v.count(law.n_runs, "runs that the law was fitted to"),)))
    singles = single_laws(law)
    sizes = sorted({size for one in singles for size in one.llm_params_levels})
    counts = sorted({number for one in singles for number in one.visual_tokens_levels})
    if sizes:
        found.append(("Measured sizes, N", _listed([v.params(one, "measured size") for one in sizes])))
    if counts:
        found.append(
            ("Measured visual tokens, T", _listed([v.tokens(one, "measured visual tokens") for one in counts]))
        )
    for title, what, names in (
        ("Language models", "measured language model", law.llms),
        ("Tasks", "task of the runs", law.tasks),
        ("Compressors", "compressor of the runs", law.compressors),
        ("Vision tower", "vision tower of the runs", (law.vision,) if law.vision else ()),
        ("Source", "source of the runs", tuple(dict.fromkeys(s for one in singles for s in one.sources))),
    ):
        if names:
            found.append((title, _listed([foreign(name, what) for name in names])))
    if isinstance(law, FittedLaw) and law.rmse is not None:
        found.append(
            ("Typical miss of a run", (v.significant(law.rmse, "root mean square of the residuals", law.predicts),))
        )
    if law.advice:
        found.append(("What the fit says", (foreign(law.advice, "advice of the fit", 400),)))
    for remark in (remark for one in singles for remark in one.remarks):
        found.append(("Note", (foreign(remark, "remark on the runs", 400),)))
    return found


def _listed(parts: list[Value]) -> Line:
    if len(parts) <= _LEVELS_MAX:
        return joined(parts, ", ")
    more = v.count(len(parts) - _LEVELS_MAX, "further entries")
    return line(joined(parts[:_LEVELS_MAX], ", "), " and ", more, " more")


def _doubt(plan: Plan) -> tuple[Block, ...]:
    best = plan.best
    blocks: list[Block] = []
    parts: list[Line] = []
    if best.interval is not None:
        parts.append(
            line(f"The predicted {best.predicts} of the pick is ", v.predicted(best.error, best.predicts), ", with a ",
                 v.level(), " interval from ", v.interval(*best.interval, f"the predicted {best.predicts}"), ".")
        )  # fmt: skip
        if told := parts_text(plan):
            parts.append(line(" ", foreign(f"{told[0].upper()}{told[1:]}.", "what the interval is made of", 400)))
    elif not_known(plan.law, plan.tried.released):
        text = (
            "How sure the pick is, is not known: the runs of the law say how sure it is of models like theirs, not how "
            "far these models stand from them. No interval and no tie is given."
        )
        blocks.append(Paragraph(line(text), "warn"))
    elif not plan.level_known:
        blocks.append(Paragraph(level_line(plan)))
    else:
        blocks.append(Paragraph(line("No interval: the law was given by hand, or has constraints."), "warn"))
    parts.append(_forms(plan))
    if best.probability_best is not None and plan.fitting_count > 1:
        odds = v.odds(best.probability_best, "probability that nothing that fits is better")
        parts.append(line(" Its probability of being best is ", odds))
        if best.expected_regret is not None and best.expected_regret >= 5e-5:
            regret = v.told(best.expected_regret, "above that of the best, to be expected", best.predicts)
            parts.append(line("; on average the best of them is lower by ", regret))
        parts.append(line("."))
    return (*blocks, Paragraph(line(*parts))) if parts else tuple(blocks)


def _forms(plan: Plan) -> Line:
    """What interval and odds rest on; () where nothing is known of other forms."""
    law = plan.law
    if isinstance(law, CombinedLaw) and law.kind == AVERAGE:
        return line(
            " It rests on every form of the law that the runs allow (", shares_line(law), "), and on what all of them "
            "leave out: how far language models and token counts stand from a smooth law, as the runs show it."
        )  # fmt: skip
    if not isinstance(law, FittedLaw) or not can_be_believed(law):
        return ()
    other, likelier = LeftOut.of(plan), line()
    if other is not None:
        share = v.share(other.share, 1.0, "probability of the form, given the runs")
        likelier = line(" (", foreign(other.form, "form of the law"), " has ", share, " of the probability)")
    return line(
        " It is that of the ", foreign(law.form, "form of the law"), " form alone, which was asked for: other forms",
        likelier, " and what all of them leave out are not in it; a plan without ", Code("--form"),
        " reckons with them.",
    )  # fmt: skip


def _tied(plan: Plan) -> tuple[Block, ...]:
    best = plan.best
    tied = [one for one in plan.tied if one != best]
    if best.interval is None and plan.level_known:
        return ()
    plural, are = ("", "is") if len(tied) == 1 else ("s", "are")
    cheaper = [one for one in tied if one.total_flops < best.total_flops]
    if not tied:
        return (Paragraph(line("Nothing else that fits is tied with it: every other configuration is worse."), "good"),)
    if not cheaper:
        number = v.count(len(tied), "candidates tied with the pick")
        text = line(
            number,
            f" other configuration{plural} {are} statistically tied with it at ",
            v.level(),
            "; none is cheaper.",
        )
        return (Paragraph(text),)
    first = cheaper[0]
    saved = v.share(
        best.total_flops - first.total_flops, best.total_flops, "FLOPs saved by the cheapest tied candidate"
    )
    text = line(
        v.count(len(tied), "candidates tied with the pick"),
        f" other configuration{plural} {are} statistically tied with it at ", v.level(),
        ". The cheapest, ", named(first), ", takes ", saved, " fewer FLOPs", *_worse(first, best),
    )  # fmt: skip
    if rules_nothing_out(plan):
        text = line("Nothing that fits can be ruled out. ", text)
    number = v.count(min(len(cheaper), _CHEAPER_MAX), "rows shown")
    of = line(" (", number, " of ", v.count(len(cheaper), "candidates tied and cheaper"), ")")
    caption = line("Tied with the pick and cheaper", of if len(cheaper) > _CHEAPER_MAX else ())
    return Paragraph(text, "warn"), candidate_table(caption, cheaper[:_CHEAPER_MAX], plan)


def _worse(first: Candidate, best: Candidate) -> Line:
    """By how much the cheapest of the tied is expected to be worse, and what follows."""
    above = "of the cheapest above that of the pick"
    if much_worse(first, best):
        apart = points(100 * (first.error - best.error), f"expected error {above}")
        return line(": it cannot be ruled out, but is expected to be ", apart, " worse.")
    return line(
        f", and its {best.predicts} is expected to be higher by ",
        v.told(first.error - best.error, above, best.predicts),
        ": take it if FLOPs matter more to you than that.",
    )  # fmt: skip


def _beside(plan: Plan) -> Iterator[Table]:
    tables = [best_table(plan)] * bool(plan.runners_up) + [each_table(plan)] * bool(plan.best_of_each)
    for table in tables:
        yield replace(table, caption=capital(table.caption))
