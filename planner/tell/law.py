"""The story of a law: whether to trust it, then its formula, its parameters and the runs behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from planner.base.deferred import Deferred
from planner.laws.combined import AUTO, AVERAGE, CombinedLaw, Law, single_laws
from planner.laws.fitted import CONVERGED, FittedLaw
from planner.laws.forms import get_form
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.intervals import Interval
from planner.laws.joint import JointFit
from planner.laws.lack_of_fit import lack_of_fit
from planner.laws.zero_tokens import how_forms_differ
from planner.planning.transfer.query_blind import query_blind_runs
from planner.runs.table import LOSS
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Document,
    Facts,
    Inline,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    joined,
    line,
    remarks,
    sentence,
)
from planner.tell.parameters import not_identified, parameter_table
from planner.tell.published import published_blocks


def law_story(law: Law, intervals: Mapping[str, Interval] | None = None) -> Document:
    """A law as a document; an average or a mix has a section for each law in it.

    Args:
        law: the law.
        intervals: 95 % intervals of its parameters by name, where they are known.
    """
    tone = "good" if law.status == CONVERGED else "warn"
    if isinstance(law, CombinedLaw):
        advice = Paragraph((sentence(law.advice, "what the status means"),))
        differ = how_forms_differ(single_laws(law)) if law.kind == AVERAGE else ""
        noted = remarks("note", (differ,) if differ else ())
        opening: tuple[Block, ...] = (advice, *_misfits(law), *noted, _weights(law))
        sections = tuple(
            Section(f"part-{i}", one.name or one.form, (Paragraph(_status(one), strong=True), *_blocks(one, None)))
            for i, one in enumerate(single_laws(law))
        )
    elif isinstance(law, EvidenceLaw):
        opening, sections = published_blocks(law), ()
    else:
        opening, sections = (*_misfits(law), *_blocks(law, intervals)), ()
    sources = Deferred({}, law=law.to_dict)
    return Document("law", "Scaling law", _status(law), opening, sections, "The law", tone, sources)


def joint_story(joint: JointFit, intervals: Mapping[str, Mapping[str, Interval]] | None = None) -> Document:
    """A joint fit as a document: its evidence, then a section for each group.

    Args:
        joint: the fit.
        intervals: 95 % intervals of the parameters of each group, where they are known.
    """
    groups = v.count(len(joint.laws), "groups")
    heading = line(foreign(joint.form, "form of the law"), " law fitted jointly to ", groups, f" groups by {joint.by}")
    sections = tuple(
        Section(
            f"group-{i}",
            f"{joint.by} {name}",
            (Paragraph(_status(law), strong=True), *_misfits(law), *_blocks(law, (intervals or {}).get(name))),
        )
        for i, (name, law) in enumerate(joint.laws.items())
    )
    return Document(
        kind="joint",
        title="Joint fit",
        heading=heading,
        opening=(_evidence(joint), *remarks("note", joint.remarks)),
        sections=sections,
        opening_title="The fit",
        tone="good" if all(law.status == CONVERGED for law in joint.laws.values()) else "warn",
        sources=Deferred({}, joint=joint.to_dict),  # what takes time in it are the intervals that a file keeps
    )


def _misfits(law: Law) -> Iterator[Block]:
    """What the law cannot follow in its runs."""
    for tested in lack_of_fit(law):
        if tested.found:
            yield Paragraph((sentence(tested.sentence, "lack of fit"),), "warn")
        if tested.note:
            yield from remarks("note", (tested.note,))


def _status(law: Law) -> Line:
    """Its name, and whether to trust it."""
    head = line(foreign(law.name, "name of the law"), ": ") if law.name else line(foreign(law.form, "form"), " law: ")
    limits = line(" (", joined([foreign(name, "parameter at its bound") for name in law.at_bound], ", "), ")")
    return line(head, foreign(law.status, "status of the law", strong=True), limits if law.at_bound else ())


def _evidence(joint: JointFit) -> Paragraph:
    said = line(
        v.count(joint.n_runs, "runs"), " runs, ", v.count(joint.parameters_count, "free parameters"), " parameters"
    )
    scores = [
        line(f"{what} ", v.significant(aicc, f"AICc of {what}"))
        for what, aicc in (("this fit", joint.aicc), ("separate fits", joint.aicc_separate))
        if aicc is not None
    ]
    return Paragraph(line(said, "; AICc, lower is better: ", joined(scores, ", ")) if scores else said)


def _weights(law: CombinedLaw) -> Table:
    """Of an average how likely each form is, its misfit taken into account; of a mix the shares that were asked for."""
    rows = tuple(
        (
            line(foreign(one.form if law.form == AUTO else one.name or one.form, "member")),
            line(v.share(weight, 1.0, "weight")),
        )
        for one, weight in zip(law.members, law.weights, strict=True)
    )
    by = ", by how likely each form is with its misfit (compare weighs by AICc)" if law.form == AUTO else ""
    return Table(line("a weighted mean of", by), ("law", "weight"), rows)


def _blocks(law: FittedLaw, intervals: Mapping[str, Interval] | None) -> Iterator[Block]:
    if law.advice:
        yield Paragraph((sentence(law.advice, "what the status means"),))
    for said in not_identified(intervals):
        yield Paragraph(said, "warn")
    yield from remarks("note", (*law.remarks, *query_blind_runs(law)))
    formula = sentence(f"{law.form}: {get_form(law.form).formula}", "form of the law")
    yield Paragraph((formula,), strong=True)  # wider than the table is
    yield parameter_table(law, intervals)
    if law.rss is not None and law.rmse is not None:
        rss, rmse = v.significant(law.rss, "sum of squared residuals"), v.significant(law.rmse, "RMSE", law.predicts)
        taken = f", {law.error_se}" if law.weighting == "error_se" else ""
        how = foreign(f"{law.loss}, weights: {law.weighting}{taken}", "how it was fitted")
        yield Paragraph(line(v.count(law.n_runs, "runs"), " runs, RSS ", rss, ", RMSE ", rmse, ", ", how))
    if law.llm_params_levels:
        sizes = joined([v.params(size, "measured size") for size in law.llm_params_levels], ", ")
        none = () if law.data is None or law.data.t.all() else (0.0,)
        levels = (*none, *law.visual_tokens_levels)
        counts = joined([v.tokens(count, "measured visual tokens") for count in levels], ", ")
        yield Paragraph(line("measured at N = ", sizes, " and T = ", counts))
    yield Facts(tuple(_facts(law)))


def _facts(law: FittedLaw) -> Iterator[tuple[Inline, Line]]:
    unit = Value("billion", 1e9, "unit of N", "parameters")
    if law.n_unit_params != 1e9:
        unit = Value(f"{law.n_unit_params:g}", law.n_unit_params, "unit of N", "parameters")
    yield "N", line(foreign(law.n_basis, "what N counts"), " LLM parameters in units of one ", unit)
    yield "T", line(foreign(law.t_convention, "what T counts"))
    if law.predicts == LOSS:
        yield "Y", line("a loss, of any size: no score stands beside it")
    for title, names in (("LLMs", law.llms), ("task", law.tasks), ("compressor", law.compressors)):
        if names:
            yield title, joined([foreign(name, title) for name in names], ", ")
