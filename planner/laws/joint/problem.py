"""What a joint fit asks of whoever solves it: the optimum, and where quantities leave the likelihood region.

Letters: n runs, G groups, P parameters of all groups, L levels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.fitted import FitData
from planner.laws.forms import Form

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


class Solution(Protocol):
    """Parameters of all groups, in whatever shape their solver likes."""

    @property
    def rss(self) -> float:
        """Weighted, of the runs alone."""

    @property
    def converged(self) -> bool:
        """Whether the search ended because nothing improved any more."""


S = TypeVar("S", bound=Solution)

Edge = list[tuple[float | None, S]]
"""Where a quantity leaves the region at each level, (L,): its value there, None where a bound stops it; and the
parameters."""


@dataclass(frozen=True)
class Quantity:
    """Of one group: a parameter, its error at a place, or that at the first of two places less that at the second."""

    group: int
    parameter: str = ""
    places: tuple[tuple[float, float], ...] = ()
    """(N in the law's unit, T)."""


@dataclass(frozen=True)
class Problem(ABC, Generic[S]):
    """A joint fit: the runs, and where the parameters of each group stand among all."""

    form: Form
    data: FitData
    """Group after group; the mean weight is 1."""
    group: IntArray
    """Of each run, (n,)."""
    positions: Mapping[str, IntArray]
    """Where each parameter of each group stands among all, (G,)."""
    parameters_count: int
    """P"""

    @abstractmethod
    def solve(self, hints: Mapping[int, Mapping[str, float]]) -> S:
        """The optimum. `hints` are the parameters of groups that can be fitted alone."""

    @abstractmethod
    def params(self, solution: S, group: int) -> dict[str, float]:
        """The parameters of one group."""

    @abstractmethod
    def edges(
        self, best: S, quantities: Iterable[Quantity], noise: float, t_values: Sequence[float]
    ) -> list[tuple[Edge[S], Edge[S]]]:
        """The lower and the upper edge of each quantity at each t, where RSS = RSS_min + t^2 noise."""

    def met(
        self, best: S, group: int, quantities: Sequence[Quantity], noise: float, t_values: Sequence[float]
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """The same for one group, as arrays.

        Returns:
            Low and high end of each of Q quantities, NaN where a bound stops it, (Q, 2, L); and the group's parameters
            there, by name, (L, 2 Q), low before high.
        """
        ends = [edge for both in self.edges(best, quantities, noise, t_values) for edge in both]
        values = np.array([[np.nan if value is None else value for value, _ in edge] for edge in ends])
        sets = [[self.params(solution, group) for _, solution in edge] for edge in ends]
        params = {name: np.array([[one[name] for one in edge] for edge in sets]).T for name in self.form.param_names}
        return values.reshape(len(quantities), 2, -1), params


@dataclass(frozen=True)
class Whole:
    """What is true of the joint fit, not of one group; it stands in the field `joint` of every law."""

    by: str
    shared: list[str]
    n_runs: int
    parameters_count: int
    dof: int
    rss: float
    """Weighted."""
    noise_variance: float
    """Of a run of mean weight, as the residuals or absolute standard errors say; 0 where no degree of freedom is
    left."""

    @classmethod
    def of(
        cls,
        problem: Problem[S],
        best: S,
        by: str,
        shared: tuple[str, ...],
        n_runs: int,
        stated_sd: float | None,
    ) -> Whole:
        """Of a solved problem; `stated_sd` is the noise of a run of mean weight, where standard errors say it."""
        count = problem.parameters_count
        dof = n_runs - count
        left = best.rss / dof if dof > 0 else 0.0
        return cls(by, list(shared), n_runs, count, dof, best.rss, left if stated_sd is None else stated_sd**2)


def slots_of(names: Iterable[str], shared: Iterable[str], groups_count: int) -> tuple[dict[str, IntArray], int]:
    """Where parameters of each group stand among all of these names, (G,) each, and how many there are."""
    slots: dict[str, IntArray] = {}
    count, common = 0, set(shared)
    for name in names:
        own = 1 if name in common else groups_count
        slots[name] = count + np.arange(groups_count) % own
        count += own
    return slots, count


def rounding(data: FitData) -> float:
    """The sum of squares that rounding alone leaves on errors of this size."""
    return (8 * np.finfo(float).eps) ** 2 * float(data.weights @ data.y**2)
