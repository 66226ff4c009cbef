"""Joint fits of forms that the exact engine knows: by projection onto the exponents, or linear altogether."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

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
    """A joint fit without exponents."""

    @cached_property
    def _columns(self) -> FloatArray:
        places = self.projected.places
        columns = self.projected.columns(self.projected.terms(np.zeros(0), places), places)
        return np.asarray(columns * self.projected.root_weight[:, None])

    def edges(
        self, best: Point, quantities: Iterable[Quantity], noise: float, t_values: Sequence[float]
    ) -> list[tuple[Edge[Point], Edge[Point]]]:
        problem = self.projected
        bounded = np.ones(problem.coefficients_count, bool)
        if not problem.projection.bounded_offset:
            bounded[problem.slots[problem.projection.offset]] = False
        path = Path.at(self._columns, problem.y, bounded, best.coefficients)
        found = []
        for quantity in quantities:
            pull = pull_of(problem, quantity)
            weights = pull.signs @ problem.columns(problem.terms(best.exponents, pull.places), pull.places)
            weights = weights + pull.coefficients
            edges: list[Edge[Point]] = []
            for side in (-1.0, 1.0):
                if best.rss <= rounding(problem.data):  # runs without noise leave nothing open
                    edges.append([(float(weights @ best.coefficients), best)] * len(t_values))
                    continue
                ends = path.edge(weights, side, noise, t_values)
                edges.append(
                    [(float(weights @ c) if left else None, replace(best, coefficients=c)) for c, left in ends]
                )
            found.append((edges[0], edges[1]))
        return found
