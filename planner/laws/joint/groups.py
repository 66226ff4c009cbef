"""The groups of a table of runs, and what each can tell.

A group is the runs with the same value of a column. A group measured on several tasks is fitted to the mean over them,
if every one of its cells has them all. By compressor, uncompressed runs ("none") are the end of every series: they
belong to each compressor measured with the same LLM on the same task, and count once in the degrees of freedom.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import FitError, UnknownNameError
from planner.base.quantities import format_tokens
from planner.laws.fitted import FitData
from planner.laws.forms import Form
from planner.laws.levels import needed_levels
from planner.laws.remarks import distinct
from planner.laws.weighting import run_weights
from planner.runs import Runs

FloatArray = NDArray[np.float64]

COLUMNS = ("compressor", "task", "family", "llm", "source")
"""What runs can be grouped by; the family is an LLM's name without its size."""

_SIZE = re.compile(r"[-_ ]?(?<![\d.])\d+(?:\.\d+)?[BbMm](?![A-Za-z0-9])")


@dataclass(frozen=True)
class Group:
    """The runs of one group, one row a cell: errors are means over its tasks."""

    name: str
    runs: Runs
    tasks: tuple[str, ...]
    cells: tuple[tuple[Any, ...], ...]
    """What each row measured: the same cell in two groups is the same run."""
    remarks: tuple[str, ...]


def groups_of(table: Runs, by: str) -> tuple[list[Group], tuple[str, ...]]:
    """The groups in alphabetical order, and remarks on what belongs to none. Raises UnknownNameError, FitError."""
    if by not in COLUMNS:
        raise UnknownNameError("column to group runs by", by, COLUMNS)
    labels = [family_of(llm) for llm in table.llm] if by == "family" else list(getattr(table, by) or ())
    if not labels or not all(labels):
        raise FitError(f"by={by!r} needs a column {by!r} with a value in every run; fill it, or group by another")
    members = {label: [i for i, own in enumerate(labels) if own == label] for label in sorted(set(labels))}
    plain = members.pop("none", []) if by == "compressor" else []
    if not members:
        raise FitError("by='compressor' needs compressed runs; all runs here have the compressor 'none'")
    beside = list(zip(table.llm, table.task or ("",) * len(table), strict=True))
    for label, rows in members.items():
        measured = {beside[i] for i in rows}
        members[label] = rows + [i for i in plain if beside[i] in measured]
    alone = len(set(plain).difference(*members.values()))
    remarks = (f"{alone} uncompressed runs left out: no compressor has the same LLM on the same task",) if alone else ()
    return [_mean_over_tasks(label, table.take(rows)) for label, rows in members.items()], table.remarks + remarks


def _mean_over_tasks(name: str, runs: Runs) -> Group:
    """One row a cell. Raises FitError where cells have unlike tasks, whose means could not be compared."""
    columns = (runs.compressor, runs.seed, runs.text_tokens)
    tasks = runs.task or ("",) * len(runs)
    cells: dict[tuple[Any, ...], dict[str, int]] = {}
    for i, task in enumerate(tasks):
        key = (runs.llm[i], float(runs.visual_tokens[i]), *(None if c is None else c[i] for c in columns))
        cells.setdefault(key, {})[task] = i
    everything = sorted(set(tasks))
    for key, found in cells.items():
        missing = [task for task in everything if task not in found]
        if missing:
            raise FitError(
                f"group {name}: {key[0]} at {format_tokens(key[1])} visual tokens has no run of {', '.join(missing)}, "
                "which other cells have, so means over tasks cannot be compared; remove those tasks, or fit by='task'"
            )
    facts = tuple((*key, *everything) for key in cells)
    if len(everything) == 1:
        return Group(name, runs, distinct(runs.task), facts, ())
    rows = [list(found.values()) for found in cells.values()]
    count = len(everything)

    def means(column: FloatArray, scale: Callable[[FloatArray], float]) -> FloatArray:
        return np.array([scale(column[index]) for index in rows])

    averaged = replace(
        runs.take([index[0] for index in rows]),
        error=means(runs.error, lambda e: math.fsum(e) / count),
        error_se=None if runs.error_se is None else means(runs.error_se, lambda s: math.sqrt(math.fsum(s**2)) / count),
        samples=None if runs.samples is None else means(runs.samples, lambda n: count**2 / math.fsum(1 / n)),
        task=None,
    )
    return Group(name, averaged, tuple(everything), facts, (f"errors are means over {count} tasks",))


def check_levels(groups: Sequence[Group], form: Form, shared: tuple[str, ...]) -> None:
    """Say before fitting what a group cannot tell and does not borrow. Raises FitError."""
    own = needed_levels(form, set(form.param_names) - set(shared))
    for letter, what, column, all_levels, needed in (
        ("N", "LLM size", "llm_params", form.levels[0], own[0]),
        ("T", "visual token count", "visual_tokens", form.levels[1], own[1]),
    ):
        slope = form.slope_of(letter)
        values = {group.name: np.unique(getattr(group.runs, column)) for group in groups}
        levels = {group: len(its_own) for group, its_own in values.items()}
        if slope in shared:
            together = len(np.unique(np.concatenate(list(values.values()))))
            one_curve = _curve(form, letter) <= set(shared)
            steps = together - 1 if one_curve else sum(count - 1 for count in levels.values())
            if steps < all_levels - 1:
                raise FitError(
                    f"no group can lend {slope}: the {form.name} form needs one measured at {all_levels} {what}s; "
                    "measure more"
                )
            continue
        beside = [one.name for one in form.parameters if letter in one.takes_level_of and one.name not in shared]
        for group, count in levels.items():
            if count < needed:
                has, lacks = (f"one {what}", slope) if count == 1 else (f"{count} {what}s", _beside(slope, beside))
                raise FitError(
                    f"group {group} was measured at {has} and cannot tell its own {lacks}: share "
                    f"{' or '.join(beside) if count > 1 and beside else slope} with a group that can, or measure more"
                )


def _curve(form: Form, letter: str) -> set[str]:
    """Parameters that, where they are shared, put all groups on one curve in N or T, but for a step up or down."""
    effect = form.effect_of(letter)
    return (
        set(effect) if len(effect) > 1 else set(form.param_names) - set(form.effect_of("T" if letter == "N" else "N"))
    )


def _beside(slope: str, others: Sequence[str]) -> str:
    """ "beta beside a D"."""
    return f"{slope} beside a {' and a '.join(others)}" if others else slope


def data_of(groups: Sequence[Group], weights: str, n_unit_params: float) -> tuple[FitData, str]:
    """All runs, group after group, in an order that the table's rows do not change; and which weights they have."""
    parts, weighting = [], weights
    names: list[str] = []
    for group in groups:
        weighting, base = run_weights(group.runs, weights)
        n, t, y = group.runs.llm_params / n_unit_params, group.runs.visual_tokens, group.runs.error
        order = np.lexsort((np.array(group.runs.llm, dtype=str), base, y, t, n))
        parts.append([column[order] for column in (n, t, y, base)])
        names += [group.runs.llm[i] for i in order.tolist()]
    n, t, y, base = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return FitData(n, t, y, base / base.mean(), tuple(names)), weighting


def family_of(llm: str) -> str:
    """An LLM's name without its size: "Qwen1.5" of "Qwen1.5-0.5B"."""
    return _SIZE.sub("", llm)
