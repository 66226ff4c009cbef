"""Where a quantity leaves the likelihood region of a joint fit that is linear altogether: exactly, along a path.

The best coefficients c >= 0 under a force F on the quantity q = w . c fulfil  X^T (X c - y) = F w  on the face of those
that are not zero. So as the force grows they move on straight lines, by (X^T X)^-1 w of the face for each unit of it,
until one of them turns zero or the slope at one that is zero changes sign; there the face changes (a parametric
quadratic programme, as in least angle regression: Efron et al. 2004). Between, RSS is a parabola in the force.

Letters: n runs, C coefficients, L levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_NOTHING = 1e-12  # relative: a change of a slope below this is rounding
_TURNS_MAX = 20  # changes of the face for each coefficient


@dataclass(frozen=True)
class Path:
    """A linear least squares at its optimum."""

    columns: FloatArray
    """X, weighted, (n, C)."""
    bounded: BoolArray
    """Coefficients that are at least zero, (C,)."""
    best: FloatArray
    """Coefficients at the optimum, (C,)."""
    slope: FloatArray
    """Half the slope of RSS there, (C,): above zero at coefficients that are held at zero."""
    _faces: dict[bytes, FloatArray] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def at(cls, columns: FloatArray, y: FloatArray, bounded: BoolArray, best: FloatArray) -> Path:
        """From columns (n, C), errors (n,) and the best coefficients (C,)."""
        return cls(columns, bounded, best, columns.T @ (columns @ best - y))

    @cached_property
    def _upper(self) -> FloatArray:
        """R of X = Q R, (C, C): it has all that faces need."""
        return np.asarray(np.linalg.qr(self.columns, mode="r"))

    def _root(self, face: BoolArray) -> FloatArray:
        """A root B of the inverse normal matrix of a face, (X^T X)^-1 = B B^T there and zero elsewhere, (C, C)."""
        key = face.tobytes()
        if key not in self._faces:
            upper = self._upper[:, face]
            length = np.linalg.norm(upper, axis=0)
            length = np.where(length > 0, length, 1.0)
            root = np.zeros((len(face), int(face.sum())))
            root[face] = np.linalg.pinv(np.linalg.qr(upper / length, mode="r"), rcond=1e-13) / length[:, None]
            self._faces[key] = root
        return self._faces[key]

    def edge(
        self, weights: FloatArray, side: float, noise: float, t_values: Sequence[float]
    ) -> list[tuple[FloatArray, bool]]:
        """Coefficients (C,) where weights . c leaves the region at each t, and whether it does: a bound may stop it.

        Args:
            weights: of the quantity, (C,).
            side: 1 for its upper end, -1 for its lower.
            noise: the variance of a run.
            t_values: where RSS = RSS_min + t^2 noise, ascending, (L,).
        """
        w = side * weights
        c, force, gained = self.best.copy(), 0.0, 0.0  # gained: RSS - RSS_min
        slope = np.where(self.bounded & (c <= 0), np.maximum(self.slope, 0.0), 0.0)  # less force times w
        face = ~self.bounded | (c > 0)
        found: list[tuple[FloatArray, bool]] = []
        for _ in range(_TURNS_MAX * len(c)):
            root = self._root(face)
            step = root @ (root.T @ w)
            reach = float(w @ step)  # of the quantity, for a unit of force
            turn = self._upper.T @ (self._upper @ step) - w
            falls = face & self.bounded & (step < 0)
            rises = ~face & (turn < -_NOTHING * np.abs(w).max())
            way = np.full(len(c), math.inf)
            way[falls] = -c[falls] / step[falls]
            way[rises] = -slope[rises] / turn[rises]
            way = np.maximum(way, 0.0)
            event = int(np.argmin(way))
            ahead = float(way[event])
            while len(found) < len(t_values):
                wanted = t_values[len(found)] ** 2 * noise - gained  # = 2 force reach x + reach x^2
                if reach <= 0 or 2 * force * reach * ahead + reach * ahead**2 < wanted:
                    break
                x = wanted / (reach * (force + math.sqrt(force**2 + wanted / reach)))
                there = c + x * step
                found.append((np.where(self.bounded, np.maximum(there, 0.0), there), True))
            if len(found) == len(t_values):
                return found
            if not math.isfinite(ahead):
                break
            gained += 2 * force * reach * ahead + reach * ahead**2
            force += ahead
            c = c + ahead * step
            slope = np.where(face, 0.0, np.maximum(slope + ahead * turn, 0.0))
            face = face.copy()
            face[event] = not face[event]
            if not face[event]:
                c[event] = 0.0
            slope[event] = 0.0
        return found + [(c, False)] * (len(t_values) - len(found))
