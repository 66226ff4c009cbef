"""Errors that are jointly Gaussian once the size of a tail is known: what runs are expected to gain.

    error = m + g + s e,   g ~ N(0, G), e ~ N(0, E), s the tail's: scale sqrt(dof / chi^2_dof), or 1 without a tail

g is what a law leaves open, e what candidates share beyond it. Runs R show y = error_R + noise, N its variance. Given s
all is Gaussian, so that Bayes' rule is exact:

    E[error_k | y] = m_k + sum over s of P(s | y) (G_kR + s^2 E_kR) V^-1 (y - m_R),   V = G_RR + s^2 E_RR + N

The least of these is picked: the gain is min m - E min E[error | y], an integral over y: over a fine grid for one
outcome, over samples in opposite pairs for several. Both leave the mean of each error where it was, so that no gain is
negative.

Letters: K candidates, P rows (the candidates, then what runs show), R outcomes, S values of s, Y of y.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.student_tail import Tail
from planner.laws.steady_root import steady_root

FloatArray = NDArray[np.float64]

_END, _STEP = 8.0, 0.02
"""Of y in its standard deviations, without a tail: the odds beyond are 1e-15."""
_END_OF_TAIL, _STEP_IN_TAIL = 6.0, 0.04
"""Of arsinh y in them, with one: y reaches 200, as its step grows with it."""
_STEP_OF_TAIL, _LEAST_WEIGHT = 0.5, 1e-6
"""Of ln chi^2: sums over it converge faster than any power of the step."""
_AT_ONCE = 16
_FEW, _COARSE = 40, 3
"""Of more candidates, those are kept that are the least at some of every so many outcomes."""
_ROUNDING = 1e-12
_SAMPLES = 2048
_REGRET_SAMPLES = 8192


@dataclass(frozen=True, eq=False)
class TailedBeliefs:
    """What is believed of the errors of candidates, the first rows, and of what runs would show, the rows after."""

    errors: FloatArray
    """m, (P,)."""
    law: FloatArray
    """G, (P, P)."""
    effects: FloatArray
    """E, (P, P)."""
    tail: Tail | None
    noise: FloatArray
    """Variance of what a run shows about its error, (P,)."""
    bounded: bool = True
    """Whether errors lie between 0 and 1; not where only their differences are known."""

    def gains(self, count: int, rows: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Expected fall of the true error of what is picked, and the probability that something else is picked.

        Args:
            count: K: how many of the rows are candidates.
            rows: positions of the outcomes, of which one is seen, (C,).

        Returns:
            Both for each outcome, (C,).
        """
        gain, changes = np.empty(len(rows)), np.empty(len(rows))
        s, share = self._sizes
        z, width = _grid(len(s) > 1)
        for start in range(0, len(rows), _AT_ONCE):
            where = rows[start : start + _AT_ONCE]
            law, effects = self.law[where, where], self.effects[where, where]
            v = law[:, None] + s**2 * effects[:, None] + self.noise[where, None]
            y = np.sqrt(v @ share)[:, None] * z
            density = -0.5 * (y[:, :, None] ** 2 / v[:, None] + np.log(v)[:, None])  # its logarithm
            largest = density.max(axis=2, keepdims=True)
            density -= largest
            np.exp(density, out=density)
            density *= share
            density_of_y = density.sum(axis=2)
            of_law = _both_signs(y * np.einsum("cys,cs->cy", density, 1 / v) / density_of_y, -1)
            of_effects = _both_signs(y * np.einsum("cys,cs->cy", density, s**2 / v) / density_of_y, -1)
            odds = _both_signs(density_of_y * np.exp(largest[:, :, 0]) * width, 1)
            odds /= odds.sum(axis=1, keepdims=True)
            for i, one in enumerate(where.tolist()):
                moves = np.stack([self.law[one, :count], self.effects[one, :count]])
                gain[start + i], changes[start + i] = self._judged(
                    np.stack([of_law[i], of_effects[i]], axis=1), moves, odds[i]
                )
        return gain, changes

    def gain_of(self, count: int, rows: Sequence[int], seed: int = 0) -> tuple[float, float]:
        """The same of several outcomes that are seen together, R positions, by samples."""
        where = np.asarray(rows, int)
        s, share = self._sizes
        law, effects = self.law[where[:, None], where], self.effects[where[:, None], where]
        v = law + s[:, None, None] ** 2 * effects + np.diag(self.noise[where])
        root = np.linalg.cholesky(v)
        half = np.random.default_rng(seed).standard_normal((_SAMPLES // 2, len(where)))
        pairs = np.maximum(np.round(share * len(half)).astype(int), 1)
        size = np.repeat(np.arange(len(s)), pairs)
        y = np.einsum("yrq,yq->yr", root[size], half[np.arange(len(size)) % len(half)])
        y, odds = np.concatenate([y, -y]), np.tile((share / pairs / 2)[size], 2)
        scaled = np.einsum("srq,yq->ysr", np.linalg.inv(root), y)
        log_density = -0.5 * np.einsum("ysr,ysr->ys", scaled, scaled)
        log_density -= np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        posterior = np.exp(log_density - log_density.max(axis=1, keepdims=True)) * share
        posterior /= posterior.sum(axis=1, keepdims=True)
        each = np.einsum("srq,yq->ysr", np.linalg.inv(v), y)
        seen = [np.einsum("ys,ysr->yr", weight, each) for weight in (posterior, posterior * s**2)]
        moves = np.vstack([self.law[where, :count], self.effects[where, :count]])
        return self._judged(np.hstack(seen), moves, odds)

    def _judged(self, seen: FloatArray, moves: FloatArray, odds: FloatArray) -> tuple[float, float]:
        """Gain and probability, where each outcome of odds (Y,) moves the candidates by seen @ moves, (Y, K)."""
        count = moves.shape[1]
        pick = int(np.argmin(self.errors[:count]))
        rivals = np.arange(count)
        if count > _FEW:
            least_at = self._after(seen[::_COARSE], moves, rivals).argmin(axis=1)
            rivals = np.array(sorted({pick, *least_at.tolist()}))  # np.unique loads masked arrays
        after = self._after(seen, moves, rivals)
        same, least = after[:, int(np.searchsorted(rivals, pick))], after.min(axis=1)
        changes = odds @ (least < same - _ROUNDING)
        return max(float(odds @ (same - least)), 0.0), float(min(changes, 1.0))

    def _after(self, seen: FloatArray, moves: FloatArray, candidates: NDArray[np.intp]) -> FloatArray:
        """Expected errors of some candidates once an outcome is seen, (Y, some)."""
        found: FloatArray = self.errors[candidates] + seen @ moves[:, candidates]
        return np.clip(found, 0.0, 1.0) if self.bounded else found

    def expected_regret(self, count: int, seed: int = 0) -> float:
        """Expected true error of the pick above that of the best of the first `count` rows, by samples."""
        random = np.random.default_rng(seed)
        half = [
            random.standard_normal((_REGRET_SAMPLES // 2, count)) @ steady_root(one[:count, :count]).T
            for one in (self.law, self.effects)
        ]
        g, e = (np.concatenate([one, -one]) for one in half)
        if self.tail is not None:
            e *= np.tile(_drawn_sizes(self.tail, _REGRET_SAMPLES // 2, random), 2)[:, None]
        drawn = self.errors[:count] + g + e
        if self.bounded:
            drawn = np.clip(drawn, 0.0, 1.0)
        return float(np.mean(drawn[:, np.argmin(self.errors[:count])] - drawn.min(axis=1)))

    @cached_property
    def _sizes(self) -> tuple[FloatArray, FloatArray]:
        """Values of s and how likely each is, (S,) each."""
        if self.tail is None:
            return np.ones(1), np.ones(1)
        dof = self.tail.dof
        u = np.arange(-10.0, 6.0, _STEP_OF_TAIL)  # ln chi^2, whose density is e^(u dof / 2 - e^u / 2) up to a factor
        log_weight = u * dof / 2 - np.exp(u) / 2
        weight = np.exp(log_weight - log_weight.max())
        kept = weight > _LEAST_WEIGHT * weight.max()
        return self.tail.scale * np.sqrt(dof / np.exp(u[kept])), weight[kept] / weight[kept].sum()


@cache
def _grid(tailed: bool) -> tuple[FloatArray, FloatArray]:
    """Values of a standardised outcome from 0 on, and how wide an interval each stands for."""
    if not tailed:
        z = np.arange(0.0, _END + _STEP / 2, _STEP)
        return z, np.full(len(z), _STEP)
    u = np.arange(0.0, _END_OF_TAIL + _STEP_IN_TAIL / 2, _STEP_IN_TAIL)
    return np.sinh(u), np.cosh(u)


def _both_signs(values: FloatArray, sign: int) -> FloatArray:
    """Of outcomes below 0 too, where the values are those above times a sign: (C, Y) -> (C, 2 Y - 1)."""
    return np.concatenate([sign * values[:, :0:-1], values], axis=1)


def _drawn_sizes(tail: Tail, count: int, random: np.random.Generator) -> FloatArray:
    found: FloatArray = tail.scale * np.sqrt(tail.dof / random.chisquare(tail.dof, count))
    return found
