"""The story of the evidence base: what rests on what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from planner.laws.hierarchy.listing import Evidence
from planner.laws.hierarchy.tasks import CLASSES
from planner.tell import values as v
from planner.tell.document import Document, Line, Paragraph, Section, Table, Value, foreign, joined, line, sentence

T = TypeVar("T")

_NAMES_MAX = 4
_ALL = 1000


def evidence_story(found: Evidence) -> Document:
    """The evidence as a document: by study, by task, by compressor, and its sources."""
    studies = len({one.study for one in found.groups})
    of = () if found.task is None else line(" of ", foreign(found.task, "task"))
    heading = line(
        v.count(found.rows_count, "measured cells"), " published results", of, " from ",
        v.count(studies, "studies"), " studies, ", v.count(found.checked_count, "checked cells"),
        " of them compared with a published copy",
    )  # fmt: skip
    parts = [Section("studies", "Studies", (_studies(found),))]
    if found.task is None:
        parts.append(Section("tasks", "Tasks", (_tasks(found), Paragraph(line(_HOW_TO_ASK)))))
        parts.append(Section("compressors", "Ways to few tokens", (_compressors(found),)))
    else:
        parts.append(Section("rows", "What was measured", (_groups(found),)))
    parts.append(Section("sources", "Sources", (_sources(found),)))
    return Document("evidence", "Evidence", heading, (), tuple(parts))


_HOW_TO_ASK = (
    "vlm-planner plan --task TASK chooses by these results; a task that is not listed is asked for by its class"
)


def _studies(found: Evidence) -> Table:
    rows = tuple(
        (
            line(foreign(study, "study")),
            line(v.count(len({one.task for one in own}), "tasks")),
            _names(dict.fromkeys(llm for one in own for llm in one.llms), "language model"),
            _range([one.llm_params for one in own], v.params, "nominal parameters"),
            _range([(one.visual_tokens[0], one.visual_tokens[-1]) for one in own], v.tokens, "visual tokens"),
            line(v.count(sum(one.rows for one in own), "rows")),
            line(v.count(sum(one.checked for one in own), "checked rows")),
            line(v.error(found.noise[study], "noise of one printed number")),
        )
        for study, own in _by(found.groups, lambda one: one.study).items()
    )
    columns = ("study", "tasks", "language models", "N", "T", "rows", "checked", "noise")
    return Table(
        line("who measured, with the noise of one printed number"),
        columns,
        rows,
        words=frozenset({"language models"}),
        spare=("noise", "checked"),
    )


def _tasks(found: Evidence) -> Table:
    rows = tuple(
        (
            line(foreign(task, "task")),
            line(foreign(own[0].task_class, "class")),
            line(v.count(len({one.study for one in own}), "studies")),
            line(v.count(len({llm for one in own for llm in one.llms}), "language models")),
            line(v.count(len({one.compressor for one in own} - {"none"}), "compressors")),
            _range([(one.visual_tokens[0], one.visual_tokens[-1]) for one in own], v.tokens, "visual tokens"),
            line(v.count(sum(one.rows for one in own), "rows")),
            line(v.count(sum(one.checked for one in own), "checked rows")),
        )
        for task, own in sorted(
            _by(found.groups, lambda one: one.task).items(), key=lambda item: CLASSES.index(item[1][0].task_class)
        )
    )
    columns = ("task", "class", "studies", "models", "compressors", "T", "rows", "checked")
    return Table(line("by class"), columns, rows, words=frozenset({"class"}), spare=("checked", "compressors"))


def _compressors(found: Evidence) -> Table:
    rows = tuple(
        (
            line(foreign(compressor, "compressor")),
            line(foreign(own[0].population, "population")),
            line(v.count(len({one.study for one in own}), "studies")),
            line(v.count(len({one.task for one in own}), "tasks")),
            _range([(one.visual_tokens[0], one.visual_tokens[-1]) for one in own], v.tokens, "visual tokens"),
            line(v.count(sum(one.rows for one in own), "rows")),
        )
        for compressor, own in sorted(
            _by(found.groups, lambda one: one.compressor).items(), key=lambda item: item[1][0].population
        )
    )
    columns = ("compressor", "kind", "studies", "tasks", "T", "rows")
    return Table(line("by kind"), columns, rows, words=frozenset({"kind"}))


def _groups(found: Evidence) -> Table:
    several = len({one.task for one in found.groups}) > 1
    rows = tuple(
        (
            line(foreign(one.study, "study")),
            *([line(foreign(one.task, "task"))] if several else []),
            line(foreign(one.compressor, "compressor")),
            _names(one.llms, "language model"),
            _few(one.visual_tokens),
            _range([one.error], v.error, "error"),
            line(v.count(one.rows, "rows")),
            line(v.count(one.checked, "checked rows")),
        )
        for one in found.groups
    )
    columns = (
        "study",
        *(["task"] if several else []),
        "compressor",
        "language models",
        "T",
        "error",
        "rows",
        "checked",
    )
    words = frozenset({"task", "compressor", "language models"})
    return Table(line("by study and compressor"), columns, rows, words=words, spare=("checked", "rows"))


def _sources(found: Evidence) -> Table:
    rows = tuple(
        (line(foreign(table.source, "source", _ALL)), line(sentence(table.note, "note on the table")))
        for table in found.tables
    )
    return Table(line("where the numbers were printed"), ("table", "note"), rows, words=frozenset({"note"}))


def _by(things: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for one in things:
        found.setdefault(key(one), []).append(one)
    return found


def _range(ends: Sequence[tuple[float, float]], show: Callable[[float, str], Value], what: str) -> Line:
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if low == high:
        return line(show(low, what))
    return line(show(low, f"least {what}"), " to ", show(high, f"largest {what}"))


def _names(names: Iterable[str], what: str) -> Line:
    listed = list(names)
    shown = joined([foreign(name, what) for name in listed[:_NAMES_MAX]], ", ")
    more = len(listed) - _NAMES_MAX
    return line(shown, " and ", v.count(more, f"{what}s that are not shown"), " more") if more > 0 else shown


def _few(tokens: Sequence[float]) -> Line:
    if len(tokens) <= _NAMES_MAX + 2:
        return joined([v.tokens(one, "visual tokens") for one in tokens], ", ")
    return line(
        v.count(len(tokens), "numbers of visual tokens"), " from ", v.tokens(tokens[0], "least visual tokens"), " to ",
        v.tokens(tokens[-1], "most visual tokens"),
    )  # fmt: skip
