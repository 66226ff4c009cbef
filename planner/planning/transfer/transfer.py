"""What a candidate adds to the doubt about its error by being other than what its law was measured on.

A law that was measured on the families F takes the mean of their effects for its own. A candidate of another family g
is off it by

    u_g - mean over F of u_f,    u ~ N(0, s^2), with a second such pair for the slope in x = log2(N / 7e9)

and so for compressors, with the slope in t = log2(T / 144), a smooth curve in t, and a draw for each cell, those that
prune a trained model being a population of their own, which differs by far more; for recipes
and checkpoints of released models; and for a family or a compressor on each task, of which a law's error is the mean.
u_f is shared by all candidates that leave the law, u_g by those of one family.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown
from planner.laws.combined import Law
from planner.laws.hierarchy.effects import curve
from planner.laws.hierarchy.naming import trains
from planner.planning.deployment import several
from planner.planning.transfer.effects import Effects, Gathered
from planner.planning.transfer.origin import Labels, Origin, Targets, measured_with, origins_of
from planner.planning.transfer.spreads import MIDDLE_PARAMS, MIDDLE_TOKENS, Spreads
from planner.runs.table import ERROR

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

FAMILY, COMPRESSOR, RECIPE = "family", "compressor", "recipe"
AXES = (COMPRESSOR, FAMILY, RECIPE)
"""What a candidate may leave, of which a size is known."""

EffectsOf: TypeAlias = "Callable[[str], Mapping[Hashable, FloatArray]]"
"""Effects of a family, a recipe or a compressor, several under one name: what they do to every candidate, (rows, K)."""


def axes_of(names: str | Iterable[str]) -> tuple[str, ...]:
    """Axes by name, each once, in the order of `AXES`; a text may name several, separated by commas.

    Raises:
        UnknownNameError: no such axis is known.
        InputError: something else than names.
    """
    wanted: set[str] = set()
    for entry in several(names):
        if not isinstance(entry, str):
            raise InputError(f"as_measured: expected some of {', '.join(AXES)}, got {shown(entry)}")
        wanted |= {part.strip().lower() for part in entry.split(",") if part.strip()}
    for name in sorted(wanted - set(AXES)):
        raise UnknownNameError("part of a model that can count as measured", name, AXES)
    return tuple(axis for axis in AXES if axis in wanted)


@dataclass(frozen=True, eq=False)
class Transfer:
    """The candidates of a plan, beside what their laws were measured on."""

    targets: Targets
    spreads: Spreads
    """How large effects are."""
    as_measured: tuple[str, ...] = ()
    """Axes along which all candidates count as what their law was measured on."""

    def at(self, rows: NDArray[np.intp]) -> Transfer:
        """Of some of the candidates."""
        return replace(self, targets=self.targets.at(rows))

    def kinds(self) -> NDArray[np.intp]:
        """A number for each candidate, the same of those whose effects have the same sizes at one N and T, (rows,)."""
        _, family = np.unique(self.targets.family, return_inverse=True)
        _, compressor = np.unique(self.targets.compressor, return_inverse=True)
        return np.asarray(family * (compressor.max(initial=0) + 1) + compressor, np.intp)

    def effects(self, laws: Sequence[Law], law_index: NDArray[np.intp]) -> Effects:
        """The effects on the errors of the candidates; none on losses, of which nobody has published how far they lie.

        Args:
            laws: each once.
            law_index: which of them a candidate rests on, shape (rows,).
        """
        gathered = Gathered(len(law_index))
        axes = set(AXES) - set(self.as_measured)
        for index, law in enumerate(laws):
            if law.predicts != ERROR:
                continue
            mine = law_index == index
            for task, origin in enumerate(origins_of(law, self.targets.released)):
                _Leaving(gathered, self.targets, origin, self.spreads, mine, (index, task)).gather(axes)
        return gathered.effects(self.spreads.tail)


class _Leaving:
    """Gathers the effects on the candidates of one law's one task."""

    def __init__(
        self,
        gathered: Gathered,
        targets: Targets,
        origin: Origin,
        spreads: Spreads,
        mine: Mask,
        name: tuple[int, int],
    ) -> None:
        self._to, self._targets, self._origin, self._spreads, self._name = gathered, targets, origin, spreads, name
        self._new = mine & ~targets.named_in(origin.models)
        """Candidates of this law that are none of its own released models."""
        self._x = np.log2(targets.llm_params / MIDDLE_PARAMS)
        self._t = np.log2(targets.visual_tokens / MIDDLE_TOKENS)
        self._one = np.ones(len(self._x))
        self._in_mean = spreads.count(origin.tasks) ** -0.5
        """Share of a task's own effect that is left in the mean over the law's tasks."""
        self._shares = spreads.shares(origin.tasks)
        self._reading = spreads.reading(origin.tasks)

    def gather(self, axes: set[str]) -> None:
        """Along some axes."""
        origin, targets, s = self._origin, self._targets, self._spreads
        other_family = self._new & ~np.isin(targets.family, origin.families)
        if FAMILY in axes and origin.families:
            sizes = np.column_stack([s.family * self._one, s.family_slope * self._x])
            effects = self._sized({"line": sizes}, s.family_task * self._one[:, None])
            self._pair(FAMILY, targets.family, origin.families, other_family, effects)
        if RECIPE in axes and targets.released:
            on_tasks = self._mixed(s.recipe_text_task, s.recipe_other_task) * self._one[:, None]
            effects = self._sized({"offset": s.recipe * self._one[:, None]}, on_tasks)
            self._pair(RECIPE, targets.family, origin.families, other_family, effects)
            self._gather_checkpoints()
        if COMPRESSOR in axes:
            self._gather_compressors(other_family)

    def _gather_checkpoints(self) -> None:
        """What each released model is off its recipe."""
        s, weight = self._spreads, self._origin.weight
        slope = self._mixed(s.checkpoint_text_slope, 0.0) * self._in_mean * self._t * weight
        for which, rows in _rows_of(self._targets.checkpoint, self._new):
            one = self._one[rows, None]
            self._to.add(RECIPE, ("checkpoint", which), rows, s.checkpoint * weight * one)
            on_task = s.checkpoint_task * self._in_mean * weight * one
            self._to.add(RECIPE, ("checkpoint", which, self._name), rows, on_task)
            self._to.add(RECIPE, ("slope of checkpoint", which, self._name), rows, slope[rows, None])

    def _mixed(self, on_reading: float, on_others: float) -> float:
        """Standard deviation of an effect on a task, of the mean variance over the law's tasks."""
        share = self._reading
        return float(np.sqrt(share * on_reading**2 + (1 - share) * on_others**2))

    def _gather_compressors(self, other_family: Mask) -> None:
        named, kinds = self._origin.compressors, self._targets.compressor
        measured, effects = measured_with(named), self._of_compressors()
        if self._targets.released:  # each family has its own way of making tokens
            self._pair(COMPRESSOR, kinds, measured or (f"that of {self._name}",), other_family, effects)
        elif named:
            self._pair(COMPRESSOR, kinds, measured, self._new & ~np.isin(kinds, named), effects)

    def _of_compressors(self) -> EffectsOf:
        """The effects of compressors: of a measured one what the evidence says, else those of the population."""
        s, t = self._spreads, self._t
        of_measured = self._sized({}, self._straight(s.compressor_task, s.compressor_task_slope))

        @cache
        def of_others() -> EffectsOf:
            line = self._straight(s.compressor, s.compressor_slope)
            on_tasks = self._straight(s.compressor_task, s.compressor_task_slope)
            return self._sized(self._bent(line, s.compressor_class_slope, s.compressor_class_curve), on_tasks)

        @cache
        def of_pruning() -> EffectsOf:
            line = self._straight(s.pruning, s.pruning_slope)
            on_tasks = self._straight(s.pruning_task, s.pruning_task_slope)
            return self._sized(self._bent(line, 0.0, s.pruning_class_curve), on_tasks)

        def found(label: str) -> Mapping[Hashable, FloatArray]:
            if s.measured is None or label not in s.measured.compressors:
                return of_others()(label) if trains(label) else of_pruning()(label)
            return {"measured": s.measured.at(label, t, self._shares), **of_measured(label)}

        return found

    def _straight(self, offset: float, slope: float) -> FloatArray:
        """An offset and a slope in t, (rows, 2)."""
        return np.column_stack([offset * self._one, slope * self._t])

    def _bent(self, line: FloatArray, class_slope: float, class_curve: float) -> dict[str, FloatArray]:
        """A line in t, and what compressors do on each class of tasks beside it."""
        levels, place = np.unique(self._t, return_inverse=True)
        bends = class_curve * np.linalg.cholesky(curve(levels, levels))[place]
        sizes = {"line": line}
        for kind, share in self._shares.items():
            sizes[f"on {kind}"] = share * np.column_stack([class_slope * self._t, bends])
        return sizes

    def _sized(self, sizes: Mapping[str, FloatArray], on_tasks: FloatArray) -> EffectsOf:
        """Effects that are those of a population: draws for each label, and on tasks for each of the law's tasks."""
        tasks = on_tasks * self._in_mean

        def found(label: str) -> Mapping[Hashable, FloatArray]:
            own: dict[Hashable, FloatArray] = {(label, name): size for name, size in sizes.items()}
            return {**own, (label, self._name): tasks}

        return found

    def _pair(self, axis: str, labels: Labels, measured: tuple[str, ...], other: Mask, effects: EffectsOf) -> None:
        """The effects of what each candidate is, less the mean of those that the law was measured on."""
        weight, everybody = self._origin.weight, np.flatnonzero(other)
        for label in measured:
            for name, sizes in effects(label).items():
                self._to.add(axis, name, everybody, -sizes[everybody] * weight / len(measured))
        for label, rows in _rows_of(labels, other):
            for name, sizes in effects(label).items():
                self._to.add(axis, name, rows, sizes[rows] * weight)


def _rows_of(labels: Labels, among: Mask) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Each label of some candidates, ascending, with those that have it."""
    rows = np.flatnonzero(among)
    names, which = np.unique(labels[rows], return_inverse=True)
    for k, name in enumerate(names.tolist()):
        yield name, rows[which == k]
