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
from dataclasses import field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

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
        found, leaves = self.edges(side * weights[None], noise, t_values)
        return list(zip(found[0], leaves[0].tolist(), strict=True))

    def edges(self, w: FloatArray, noise: float, t_values: Sequence[float]) -> tuple[FloatArray, BoolArray]:
        """Upper ends of Q quantities w . c, followed together: coefficients (Q, L, C), and which end leaves, (Q, L).

        Args:
            w: weights of the quantities, (Q, C); a lower end is the upper one of -w.
            noise: the variance of a run.
            t_values: where RSS = RSS_min + t^2 noise, ascending, (L,).
        """
        count, coefficients = w.shape
        wanted_t = np.asarray(t_values, float) ** 2 * noise
        c, force, gained = np.tile(self.best, (count, 1)), np.zeros(count), np.zeros(count)  # gained: RSS - RSS_min
        slope = np.tile(np.where(self.bounded & (self.best <= 0), np.maximum(self.slope, 0.0), 0.0), (count, 1))
        face = np.tile(~self.bounded | (self.best > 0), (count, 1))  # slope: less force times w
        found, leaves = np.zeros((count, len(wanted_t), coefficients)), np.zeros((count, len(wanted_t)), bool)
        done, going = np.zeros(count, int), np.arange(count)
        for _ in range(_TURNS_MAX * coefficients):
            step = self._steps(face[going], w[going])
            reach = np.einsum("qc,qc->q", w[going], step)  # of the quantity, for a unit of force
            turn = step @ self._upper.T @ self._upper - w[going]
            falls = face[going] & self.bounded & (step < 0)
            rises = ~face[going] & (turn < -_NOTHING * np.abs(w[going]).max(axis=1, keepdims=True))
            way = np.full(step.shape, math.inf)
            way[falls] = -c[going][falls] / step[falls]
            way[rises] = -slope[going][rises] / turn[rises]
            way = np.maximum(way, 0.0)
            event = way.argmin(axis=1)
            ahead = way[np.arange(len(going)), event]
            with np.errstate(invalid="ignore"):  # where nothing ends a path on which nothing moves
                beyond = 2 * force[going] * reach * ahead + reach * ahead**2
            for level, more in enumerate(wanted_t):
                left = more - gained[going]  # = 2 force reach x + reach x^2
                at = np.flatnonzero((done[going] == level) & (reach > 0) & ~(beyond < left))
                paths, left, pace = going[at], left[at], reach[at]
                x = left / (pace * (force[paths] + np.sqrt(force[paths] ** 2 + left / pace)))
                there = c[paths] + x[:, None] * step[at]
                found[paths, level] = np.where(self.bounded, np.maximum(there, 0.0), there)
                leaves[paths, level] = True
                done[paths] += 1
            stay = np.isfinite(ahead) & (done[going] < len(wanted_t))
            going, step, turn, event, ahead, beyond = (one[stay] for one in (going, step, turn, event, ahead, beyond))
            if not len(going):
                break
            gained[going] += beyond
            force[going] += ahead
            c[going] += ahead[:, None] * step
            slope[going] = np.where(face[going], 0.0, np.maximum(slope[going] + ahead[:, None] * turn, 0.0))
            face[going, event] = ~face[going, event]
            c[going, event] = np.where(face[going, event], c[going, event], 0.0)
            slope[going, event] = 0.0
        return np.where(leaves[..., None], found, c[:, None]), leaves

    def _steps(self, faces: BoolArray, w: FloatArray) -> FloatArray:
        """How coefficients move with a unit of force, (Q, C), each quantity on its face."""
        alike: dict[bytes, list[int]] = {}
        for i, face in enumerate(faces):
            alike.setdefault(face.tobytes(), []).append(i)
        steps = np.empty(w.shape)
        for members in alike.values():
            root = self._root(faces[members[0]])
            steps[members] = w[members] @ root @ root.T
        return steps
