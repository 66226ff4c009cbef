"""Everything that can be named on the command line, as tables."""

from __future__ import annotations

from collections.abc import Iterable

from planner.laws.fitted import FittedLaw
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.released import Checkpoint, Selection
from planner.parts.towers import Tower
from planner.tell import values as v
from planner.tell.document import Line, Table, foreign, joined, line, sentence


def catalog_tables(
    llms: Iterable[Llm], towers: Iterable[Tower], compressors: Iterable[Compressor], laws: Iterable[FittedLaw]
) -> tuple[Table, ...]:
    """Language models, vision towers, compressors, shipped laws."""
    known = tuple(compressors)
    return (_llms(llms), _towers(towers, known[0]), _compressors(known), _laws(laws))


def _llms(llms: Iterable[Llm]) -> Table:
    rows = tuple(
        (
            line(foreign(llm.name, "language model")),
            line(foreign(llm.family, "family")),
            line(v.params(llm.nominal_params, "nominal parameters")),
            line(v.params(llm.params, "exact parameters")),
            line(v.count(llm.num_layers, "layers")),
            line(v.tokens(llm.hidden_size, "width")),
            line(foreign(llm.heads_text, "attention heads (KV heads)")),
        )
        for llm in llms
    )
    columns = ("name", "family", "nominal", "exact", "layers", "width", "heads (KV)")
    return Table(line("language models"), columns, rows, words=frozenset({"family"}))


def _towers(towers: Iterable[Tower], compressor: Compressor) -> Table:
    rows = tuple(
        (
            line(foreign(tower.name, "vision tower")),
            line(foreign(tower.grid_text, "patches")),
            joined([v.tokens(count, "visual tokens") for count in compressor.visual_tokens(tower)], ", "),
        )
        for tower in towers
    )
    title = foreign(compressor.title, "compressor")
    return Table(
        line("vision towers, and the visual tokens that ", title, " makes"), ("name", "patches", "tokens"), rows
    )


def _compressors(compressors: Iterable[Compressor]) -> Table:
    rows = tuple(
        (
            line(foreign(one.name, "compressor")),
            line(foreign(one.title, "compressor in words")),
            line("yes" if one.query_aware else "no"),
        )
        for one in compressors
    )
    return Table(line("compressors"), ("name", "", "query-aware"), rows, words=frozenset({""}))


def _laws(laws: Iterable[FittedLaw]) -> Table:
    rows = tuple(
        (
            line(foreign(law.name, "law")),
            line(foreign(law.form, "form")),
            line(v.count(law.n_runs, "runs")),
            line(foreign(law.status, "status")),
            line(sentence(", ".join(law.tasks), "tasks")),
        )
        for law in laws
    )
    columns = ("name", "form", "runs", "status", "task")
    return Table(line("shipped laws"), columns, rows, words=frozenset({"form", "status", "task"}))


def released_tables(found: Selection) -> tuple[Table, ...]:
    """Released models; and those of which something is not known, with the reason, where there are any."""
    rows = tuple(map(_released, found.checkpoints))
    columns = ("hub id", "total", "active", "context", "knob", "licence")
    words = frozenset({"knob", "licence"})
    models = Table(line("released models"), columns, rows, words=words, names="hub id", beneath="knob")
    if not found.refused:
        return (models,)
    refused = tuple(
        (line(foreign(name, "released model")), line(foreign(reason, "why it is refused", 400)))
        for name, reason in found.refused
    )
    return models, Table(line("refused"), ("hub id", "why"), refused, words=frozenset({"why"}))


def _released(one: Checkpoint) -> tuple[Line, ...]:
    knob = one.rule.knobs()[0]
    values = joined([foreign(str(value), "value of the knob", 24) for value in knob.values], ", ")
    context = one.context_tokens
    return (
        line(foreign(one.hub_id, "hub id")),
        line(v.params(one.params, "parameters")),
        line(v.params(one.active_params, "parameters that a token passes")),
        () if context is None else line(v.tokens(context, "tokens of the longest sequence")),
        line(foreign(knob.name, "knob"), ": ", values),
        ("not known",) if one.licence is None else line(foreign(one.licence, "licence")),
    )
