"""Effects that candidates share: one draw each, with a loading for every candidate.

    error of a candidate = what the law says + sum of its effects

so that the covariance of the candidates is L L^T, never formed. What two candidates share widens both their intervals
and leaves their difference alone. Effects are normal, or together one multivariate t where their tails are longer.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.profile.base import LEVEL
from planner.laws.steady_root import steady_root
from planner.laws.student import two_sided_quantile

if TYPE_CHECKING:
    from collections.abc import Hashable

    from planner.laws.hierarchy.student_tail import Tail

FloatArray = NDArray[np.float64]

_NORMAL_95 = 1.959963984540054
_MANY = 200  # effects: fewer are drawn one by one in less time than they are combined


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects on the errors of P candidates; K of them."""

    loadings: FloatArray
    """L: what each does to the error of each candidate, its standard deviation in it, (P, K)."""
    axes: tuple[str, ...]
    """What each is of, K of `AXES`."""
    tail: Tail | None = None
    """None: they are normal."""

    @classmethod
    def none(cls, candidates: int) -> Effects:
        """No effect on so many candidates."""
        return cls(np.zeros((candidates, 0)), ())

    def __bool__(self) -> bool:
        return bool(self.axes)

    def touched(self, axis: str) -> NDArray[np.bool_]:
        """The candidates that have an effect of an axis, (P,)."""
        mine = [k for k, own in enumerate(self.axes) if own == axis]
        found: NDArray[np.bool_] = np.any(self.loadings[:, mine] != 0, axis=1)
        return found

    def at(self, candidates: NDArray[np.intp]) -> Effects:
        """Those of some of the candidates, effects that touch none of them left out; the same of all in their order."""
        if len(candidates) == len(self.loadings) and (candidates == np.arange(len(candidates))).all():
            return self
        loadings = self.loadings[candidates]
        touching = np.flatnonzero(loadings.any(axis=0))
        return Effects(loadings[:, touching], tuple(self.axes[k] for k in touching), self.tail)

    @cached_property
    def half_width_95(self) -> float:
        """Of the 95 % interval of an effect of standard deviation 1."""
        if self.tail is None:
            return _NORMAL_95
        return self.tail.scale * two_sided_quantile(LEVEL, max(int(self.tail.dof), 1))

    @cached_property
    def sd(self) -> FloatArray:
        """Of each candidate's error, (P,)."""
        return _norm(self.loadings)

    @cached_property
    def sd_by_axis(self) -> dict[str, FloatArray]:
        """The same by what it is of, (P,) each: their squares add up to that of `sd`."""
        found: dict[str, FloatArray] = {}
        for axis in dict.fromkeys(self.axes):
            mine = [k for k, own in enumerate(self.axes) if own == axis]
            found[axis] = _norm(self.loadings[:, mine])
        return found

    def sd_of_difference(self, reference: int) -> FloatArray:
        """Of each candidate's error minus that of one of them, (P,)."""
        return _norm(self.loadings - self.loadings[reference])

    def draws(self, count: int, seed: int) -> FloatArray:
        """Joint draws of what is to be added to the errors, (count, P).

        Of many effects, more than candidates, as few combinations are drawn as give the same covariance.
        """
        random, loadings = np.random.default_rng(seed), self.loadings
        if loadings.shape[1] > max(_MANY, len(loadings)):
            loadings = _combined(loadings)
        drawn: FloatArray = random.standard_normal((count, loadings.shape[1])) @ loadings.T
        if self.tail is not None:
            dof = max(int(self.tail.dof), 1)
            drawn *= self.tail.scale * np.sqrt(dof / random.chisquare(dof, (count, 1)))
        return drawn


def _combined(loadings: FloatArray) -> FloatArray:
    """R with R R^T = L L^T, as many columns as L has rank: (P, K) -> (P, rank)."""
    root = steady_root(loadings @ loadings.T)
    new: FloatArray = root[:, np.diag(root) != 0]
    return new


def _norm(loadings: FloatArray) -> FloatArray:
    found: FloatArray = np.sqrt((loadings**2).sum(axis=1))
    return found


class Gathered:
    """Effects while they are gathered: loadings of one effect that several laws or groups touch are added up."""

    def __init__(self, candidates: int) -> None:
        self._candidates = candidates
        self._first_column: dict[Hashable, int] = {}
        self._axes: list[str] = []
        self._added: list[tuple[NDArray[np.intp], int, FloatArray]] = []

    def add(self, axis: str, effects: Hashable, rows: NDArray[np.intp], loadings: FloatArray) -> None:
        """Add to the loadings of some effects, which are known together by their axis and a name.

        Args:
            axis: what they are of.
            effects: their name.
            rows: the candidates that they touch, each once, (R,).
            loadings: of those candidates, (R, K); K is the same whenever these effects are added to.
        """
        key = axis, effects
        if key not in self._first_column:
            self._first_column[key] = len(self._axes)
            self._axes += [axis] * loadings.shape[1]
        self._added.append((rows, self._first_column[key], loadings))

    def effects(self, tail: Tail | None = None) -> Effects:
        """All of them that touch a candidate."""
        whole = np.zeros((self._candidates, len(self._axes)))
        for rows, first, loadings in self._added:
            whole[rows, first : first + loadings.shape[1]] += loadings
        kept = np.flatnonzero(whole.any(axis=0))
        return Effects(whole[:, kept], tuple(self._axes[k] for k in kept.tolist()), tail)
