"""Joint fits of forms that the exact engine knows: by projection onto the exponents, or linear altogether."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.projection import Projection
from planner.laws.fitted import FitData
from planner.laws.forms import Form
from planner.laws.joint.descent import solve
from planner.laws.joint.follow import follow, pull_of
from planner.laws.joint.path import Path
from planner.laws.joint.problem import Edge, Problem, Quantity, rounding
from planner.laws.joint.projected import Point, Projected

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Exact(Problem[Point]):
    """A joint fit whose coefficients are solved for at given exponents."""

    projected: Projected

    @classmethod
    def of(
        cls, form: Form, projection: Projection, shared: tuple[str, ...], sizes: Sequence[int], data: FitData
    ) -> Exact:
        """`sizes` are the runs of each group, which stand one after the other in the data."""
        projected = Projected.of(form, projection, shared, sizes, data)
        exponents, bends = projected.exponents_count, projection.bends
        positions = {name: slots + (0 if name in bends else exponents) for name, slots in projected.slots.items()}
        count = exponents + projected.coefficients_count
        kind = Exact if projection.exponents else Linear
        return kind(form, data, projected.places.group, positions, count, projected)

    def solve(self, hints: Mapping[int, Mapping[str, float]]) -> Point:
        return solve(self.projected, hints.values())

    def params(self, solution: Point, group: int) -> dict[str, float]:
        return self.projected.params(solution, group)

    def edges(
        self, best: Point, quantities: Iterable[Quantity], noise: float, t_values: Sequence[float]
    ) -> list[tuple[Edge[Point], Edge[Point]]]:
        found = []
        for quantity in quantities:
            pull = pull_of(self.projected, quantity)
            low, high = (follow(self.projected, best, pull, side, noise, t_values) for side in (-1.0, 1.0))
            found.append((low, high))
        return found


@dataclass(frozen=True)
class Linear(Exact):
    """A joint fit without exponents: bounded linear least squares."""

    def solve(self, hints: Mapping[int, Mapping[str, float]]) -> Point:
        return replace(self.projected.at(np.zeros(0)), converged=True)

    @cached_property
    def _columns(self) -> FloatArray:
        places = self.projected.places
        columns = self.projected.columns(self.projected.terms(np.zeros(0), places), places)
        return np.asarray(columns * self.projected.root_weight[:, None])

    @cached_property
    def _last(self) -> list[tuple[Point, Path]]:
        """The optimum asked about last, and the paths from it, which keep the faces that they met."""
        return []

    def _path(self, best: Point) -> Path:
        if not self._last or self._last[0][0] is not best:
            path = Path.at(self._columns, self.projected.y, self.projected.bounded, best.coefficients)
            self._last[:] = [(best, path)]
        return self._last[0][1]

    def _ends(
        self, best: Point, quantities: Sequence[Quantity], noise: float, t_values: Sequence[float]
    ) -> tuple[FloatArray, FloatArray]:
        """Both ends of Q quantities: values (2, Q, L), NaN where a bound stops them; coefficients (2, Q, L, C)."""
        problem = self.projected
        weights = np.array([self._weights(quantity) for quantity in quantities])
        if best.rss <= rounding(problem.data):  # runs without noise leave nothing open
            shape = (2, len(weights), len(t_values))
            same = np.broadcast_to(best.coefficients, (*shape, len(best.coefficients)))
            return np.broadcast_to((weights @ best.coefficients)[:, None], shape), same
        found, leaves = self._path(best).edges(np.concatenate([-weights, weights]), noise, t_values)
        found = found.reshape(2, len(weights), len(t_values), -1)
        values = np.einsum("sqlc,qc->sql", found, weights)
        return np.where(leaves.reshape(values.shape), values, np.nan), found

    def _weights(self, quantity: Quantity) -> FloatArray:
        """What each coefficient counts for in a quantity, (C,)."""
        pull = pull_of(self.projected, quantity)
        terms = self.projected.terms(np.zeros(0), pull.places)
        return np.asarray(pull.signs @ self.projected.columns(terms, pull.places) + pull.coefficients)

    def edges(
        self, best: Point, quantities: Iterable[Quantity], noise: float, t_values: Sequence[float]
    ) -> list[tuple[Edge[Point], Edge[Point]]]:
        values, found = self._ends(best, list(quantities), noise, t_values)

        def edge(side: int, k: int) -> Edge[Point]:
            ends = zip(values[side, k].tolist(), found[side, k], strict=True)
            return [(None if math.isnan(v) else v, replace(best, coefficients=c)) for v, c in ends]

        return [(edge(0, k), edge(1, k)) for k in range(values.shape[1])]

    def met(
        self, best: Point, group: int, quantities: Sequence[Quantity], noise: float, t_values: Sequence[float]
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        values, found = self._ends(best, quantities, noise, t_values)
        sets = np.moveaxis(found, 0, 1).reshape(2 * len(quantities), len(t_values), -1)
        slots = self.projected.slots
        return np.moveaxis(values, 0, 1), {
            name: sets[:, :, slots[name][group]].T for name in self.projected.form.param_names
        }
