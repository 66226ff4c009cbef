"""How rows of evidence are held out: each fold has positions that are hidden and those of them that are scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.laws.hierarchy.rows import EvidenceRows

Positions = NDArray[np.intp]
Mask = NDArray[np.bool_]

REPEATS = 3  # choices of the known cells of a group, by chance


@dataclass(frozen=True)
class Fold:
    """Rows that are held out together."""

    hidden: Positions
    """Not conditioned on."""
    scored: Positions
    """Of them, those predicted and compared."""


def groups(rows: EvidenceRows, columns: tuple[str, ...], among: Mask) -> list[Positions]:
    """Positions of the rows of each group, among some rows."""
    keys = list(zip(*(getattr(rows, column)[among].tolist() for column in columns), strict=True))
    found: dict[tuple[object, ...], list[int]] = {}
    for position, key in zip(np.flatnonzero(among).tolist(), keys, strict=True):
        found.setdefault(key, []).append(position)
    return [np.array(one) for one in found.values()]


def whole(rows: EvidenceRows, columns: tuple[str, ...], among: Mask, least_known: int = 1) -> Iterator[Fold]:
    """Each group as a fold, where its study has at least some other rows."""
    for group in groups(rows, columns, among):
        if (rows.study == rows.study[group[0]]).sum() - len(group) >= least_known:
            yield Fold(group, group)


CELL = ("study", "task", "checkpoint", "compressor", "visual_tokens")


def with_cells(
    rows: EvidenceRows,
    group: Positions,
    scored: Positions,
    known: int,
    random: np.random.Generator,
    repeats: int = REPEATS,
) -> Iterator[Fold]:
    """A group of which some cells of the scored ones are known, by chance, several times; none where all would be."""
    inside = np.zeros(len(rows), dtype=bool)
    inside[scored] = True
    cells = groups(rows, CELL, inside)
    if len(cells) <= known:
        return
    for _ in range(repeats if known else 1):
        chosen = random.choice(len(cells), size=known, replace=False)
        shown = np.concatenate([np.array([], dtype=np.intp), *(cells[i] for i in chosen)])
        yield Fold(np.setdiff1d(group, shown), np.setdiff1d(scored, shown))


def compressors(rows: EvidenceRows, among: Mask, known: int, random: np.random.Generator) -> Iterator[Fold]:
    """Each compressor of a study, 0 or a few of its cells known."""
    for group in groups(rows, ("study", "compressor"), among):
        if len(group) >= 6 and (rows.study == rows.study[group[0]]).sum() - len(group) >= 6:
            yield from with_cells(rows, group, group, known, random)


def tasks(rows: EvidenceRows, among: Mask, known: int, random: np.random.Generator) -> Iterator[Fold]:
    """Each task, hidden in every study; a few cells of it are known in one study, whose others are scored."""
    for scored in groups(rows, ("study", "task"), among):
        if len(scored) >= 5:
            hidden = np.flatnonzero(rows.task == rows.task[scored[0]])
            yield from with_cells(rows, hidden, scored, known, random)


def ladder_tasks(rows: EvidenceRows, study: str, third: bool, random: np.random.Generator) -> Iterator[Fold]:
    """Each task of a grid of LLMs at two T: one LLM known at both, and one cell of another where `third`."""
    for group in groups(rows, ("task",), rows.study == study):
        sizes = np.unique(rows.llm_params[group])
        for size in sizes:
            shown = group[rows.llm_params[group] == size]
            others = group[rows.llm_params[group] != size]
            if third:
                shown = np.append(shown, random.choice(others))
            hidden = np.setdiff1d(group, shown)
            yield Fold(hidden, hidden)
