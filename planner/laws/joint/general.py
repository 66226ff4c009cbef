"""Joint fits of any form: bounded least squares in the parameters of all groups at once, from many starts.

Starts are the laws of the groups that can be fitted alone, each group's values tried for what is shared, and points
spread over the ranges of the form's parameters, the same for all groups. The edge of the likelihood region is searched
for all quantities together (`engine.edge`), from the optimum and from level to level.

Letters: n runs, G groups, p parameters of all groups, P searches at once, k parameters of the form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.descent import LeastSquares, best_of, ranked, spread
from planner.laws.engine.edge import farthest
from planner.laws.engine.trial import Trial
from planner.laws.fitted import FitData
from planner.laws.forms import Form, Parameter
from planner.laws.joint.problem import Edge, Problem, Quantity, rounding, slots_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

_HINTS_MAX = 12  # groups whose values are tried for what is shared
_AT_BOUND = 1e-6  # of the usual size: an end this near to a bound is cut off by it
_AT_UPPER = 1e-3  # relative: the same of an upper bound
_ARRIVED = (1e-6, 2)  # rounds that gain less, relative, and how many: what is kept of an edge has seven digits
_NOWHERE = (0.0, 1.0, 1.0)  # the sign of an error that is not in a quantity, and any place
_ENTRIES_MAX = 20_000_000  # of the largest array of a batch of searches


@dataclass(frozen=True)
class Groups:
    """Parameters of all groups in one vector, and where those of each run stand in it."""

    parameters: tuple[Parameter, ...]
    """(p,), each with a name of its own."""
    of_run: Mapping[str, IntArray]
    """Position of the parameter that holds for each run, (n,), by its name in the form."""


@dataclass(frozen=True)
class _JointLeastSquares(LeastSquares):
    """One least squares in the parameters of all groups."""

    groups: Groups

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.groups.parameters

    def model(self, params: Mapping[str, float]) -> FloatArray:
        return self.form.value(self._of_runs(params), self.n, self.t)  # type: ignore[arg-type]  # arrays

    def gradient(self, params: Mapping[str, float]) -> FloatArray:
        each = self.form.gradient(self._of_runs(params), self.n, self.t)[None]  # type: ignore[arg-type]
        scattered: FloatArray = _scattered(each, self.form, self.groups.of_run, len(self.parameters))[0]
        return scattered

    def _of_runs(self, params: Mapping[str, float]) -> dict[str, FloatArray]:
        values = np.array([params[one.name] for one in self.parameters])
        return {name: values[at] for name, at in self.groups.of_run.items()}


@dataclass(frozen=True)
class _JointTrial(Trial):
    """The runs of all groups and the parameters of all, at many sets at once."""

    groups: Groups

    @property
    def free(self) -> tuple[Parameter, ...]:
        return self.groups.parameters

    def params(self, values: FloatArray) -> dict[str, FloatArray]:
        return {name: values[:, at] for name, at in self.groups.of_run.items()}

    def jacobian(self, values: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            each = self.form.gradient(self.params(values), self.n, self.t)  # type: ignore[arg-type]  # arrays
        each = np.nan_to_num(each, nan=0.0, posinf=1e100, neginf=-1e100)
        return _scattered(each, self.form, self.groups.of_run, values.shape[1]) * self.root[:, None]


@dataclass(frozen=True)
class Solved:
    """Parameters of all groups."""

    values: FloatArray
    """(p,)"""
    rss: float
    converged: bool


@dataclass(frozen=True)
class General(Problem[Solved]):
    """A joint fit of any form."""

    groups: Groups

    @classmethod
    def of(cls, form: Form, shared: tuple[str, ...], sizes: Sequence[int], data: FitData) -> General:
        """`sizes` are the runs of each group, which stand one after the other in the data."""
        positions, count = slots_of(form.param_names, shared, len(sizes))
        group = np.repeat(np.arange(len(sizes)), sizes)
        parameters = tuple(
            replace(one, name=f"{one.name} {k}")
            for one in form.parameters
            for k in range(1 if one.name in shared else len(sizes))
        )
        groups = Groups(parameters, {name: at[group] for name, at in positions.items()})
        return cls(form, data, group, positions, count, groups)

    @property
    def _root(self) -> FloatArray:
        return np.sqrt(self.data.weights)

    @property
    def trial(self) -> _JointTrial:
        data = self.data
        return _JointTrial(self.form, data.n, data.t, data.y, self._root, {}, self.groups)

    def solve(self, hints: Mapping[int, Mapping[str, float]]) -> Solved:
        data, groups_count = self.data, int(self.group[-1]) + 1
        problem = _JointLeastSquares(self.form, data.n, data.t, data.y, self._root, {}, self.groups)
        starts = [self._start([one] * groups_count, 0) for one in self._filled(spread(self.form, {}))]
        if hints:
            each = [hints[g] if g in hints else hints[min(hints)] for g in range(groups_count)]
            starts += [self._start(each, g) for g in list(hints)[:_HINTS_MAX]]
        found = best_of(problem, ranked(problem, starts))
        values = np.array([found.params[one.name] for one in self.groups.parameters])
        return Solved(values, found.weighted_rss, found.converged)

    def params(self, solution: Solved, group: int) -> dict[str, float]:
        return {name: float(solution.values[self.positions[name][group]]) for name in self.form.param_names}

    def edges(
        self, best: Solved, quantities: Iterable[Quantity], noise: float, t_values: Sequence[float]
    ) -> list[tuple[Edge[Solved], Edge[Solved]]]:
        listed = list(quantities)
        search = _Search(self, [(one, side) for one in listed for side in (-1.0, 1.0)])
        origin = search.value(np.tile(best.values, (len(search), 1)), np.arange(len(search)))
        if best.rss <= rounding(self.data):  # runs without noise leave nothing open
            edges: list[Edge[Solved]] = [[(search.end(i, v), best)] * len(t_values) for i, v in enumerate(origin)]
            return list(zip(edges[::2], edges[1::2], strict=True))
        edges = [[] for _ in range(len(search))]
        at = np.tile(best.values, (len(search), 1))
        for t in t_values:
            reached, at = search.farthest(best.rss + t**2 * noise, at)
            rss = self.trial.rss(at)
            for i, edge in enumerate(edges):
                cut = search.is_cut(i, at[i])
                edge.append((None if cut else search.end(i, reached[i]), Solved(at[i], float(rss[i]), True)))
        return list(zip(edges[::2], edges[1::2], strict=True))

    def _filled(self, starts: Iterable[Mapping[str, float]]) -> list[dict[str, float]]:
        """With anything for the linear parameters, which are solved for."""
        return [{one.name: start.get(one.name, one.starts[0]) for one in self.form.parameters} for start in starts]

    def _start(self, each: Sequence[Mapping[str, float]], lender: int) -> dict[str, float]:
        """All parameters from those of each group (G,), what is shared from the lender's."""
        values = np.zeros(self.parameters_count)
        for name, at in self.positions.items():
            values[at] = [one[name] for one in each]
            if (at == at[0]).all():
                values[at] = each[lender][name]
        return {one.name: float(value) for one, value in zip(self.groups.parameters, values, strict=True)}


@dataclass(frozen=True)
class _Search:
    """Quantities driven up or down, each by a search of its own, S in all."""

    problem: General
    wanted: list[tuple[Quantity, float]]
    """With the sign of the side."""

    def __len__(self) -> int:
        return len(self.wanted)

    def farthest(self, level: float, starts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The signed quantities at their ends, (S,), and the parameters there, (S, p)."""
        batch = max(1, _ENTRIES_MAX // (5 * len(self.problem.data.y) * starts.shape[1]))
        reached, at = [], []
        for first in range(0, len(self), batch):
            part = replace(self, wanted=self.wanted[first : first + batch])
            ends = farthest(
                self.problem.trial, level, starts[first : first + batch], part.value, part.gradient, *_ARRIVED
            )
            reached.append(ends[0])
            at.append(ends[1])
        return np.concatenate(reached), np.concatenate(at)

    @cached_property
    def _own(self) -> IntArray:
        """Positions of the parameters of the group that each search is about, (S, k)."""
        names, positions = self.problem.form.param_names, self.problem.positions
        return np.array([[positions[name][quantity.group] for name in names] for quantity, _ in self.wanted])

    @cached_property
    def _weights(self) -> FloatArray:
        """Of the parameters in the signed quantity, (S, p)."""
        out = np.zeros((len(self), self.problem.parameters_count))
        for i, (quantity, side) in enumerate(self.wanted):
            if quantity.parameter:
                out[i, self.problem.positions[quantity.parameter][quantity.group]] = side
        return out

    @cached_property
    def _places(self) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
        """Of the first and of the second places: the sign of the error there (zero for none), N and T, (S,) each."""
        found = []
        for k, sign in enumerate((1.0, -1.0)):
            there = [(sign * side, *one.places[k]) if len(one.places) > k else _NOWHERE for one, side in self.wanted]
            signs, n, t = np.array(there).T
            found.append((signs, n, t))
        return found

    def _at(self, values: FloatArray, which: IntArray) -> Iterator[tuple[IntArray, FloatArray, Any]]:
        """Of the first and of the second places: the rows that have them, the signs, and (parameters, N, T) there."""
        for sign, n, t in self._places:
            rows = np.flatnonzero(sign[which])
            search = which[rows]
            own = values[rows[:, None], self._own[search]]
            params = dict(zip(self.problem.form.param_names, own.T, strict=True))
            yield rows, sign[search], (params, n[search], t[search])

    def value(self, values: FloatArray, which: IntArray) -> FloatArray:
        """The signed quantities, (P,), of parameters (P, p)."""
        out: FloatArray = np.einsum("pk,pk->p", self._weights[which], values)
        for rows, sign, there in self._at(values, which):
            with np.errstate(all="ignore"):
                out[rows] += sign * self.problem.form.value(*there)
        return out

    def gradient(self, values: FloatArray, which: IntArray) -> FloatArray:
        """Their gradient, (P, p)."""
        out: FloatArray = self._weights[which]
        for rows, sign, there in self._at(values, which):
            with np.errstate(all="ignore"):
                slopes = sign[:, None] * self.problem.form.gradient(*there)
            out[rows[:, None], self._own[which[rows]]] += np.nan_to_num(slopes, nan=0.0, posinf=1e100, neginf=-1e100)
        return out

    def end(self, i: int, reached: float) -> float:
        """The quantity itself."""
        return float(self.wanted[i][1] * reached)

    def is_cut(self, i: int, values: FloatArray) -> bool:
        """Whether it is a parameter that a bound stopped."""
        quantity, side = self.wanted[i]
        if not quantity.parameter:
            return False
        one = self.problem.form.parameter(quantity.parameter)
        value = float(values[self.problem.positions[one.name][quantity.group]])
        if side < 0:
            return value - one.low <= _AT_BOUND * one.size
        return value >= one.high - _AT_UPPER * (one.high - max(one.low, 0.0))


def _scattered(each: FloatArray, form: Form, of_run: Mapping[str, IntArray], count: int) -> FloatArray:
    """Derivatives in the parameters of each run, (P, n, k), as derivatives in all, (P, n, p)."""
    out = np.zeros((*each.shape[:2], count))
    rows = np.arange(each.shape[1])
    for k, name in enumerate(form.param_names):
        out[:, rows, of_run[name]] = each[..., k]
    return out
