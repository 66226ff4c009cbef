"""What is believed of the errors at any points: a weighted set of Gaussian processes, each with a scale of its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.belief.means import Means
from planner.laws.belief.misfit import covariances, roots

FloatArray = NDArray[np.float64]
Labels = NDArray[np.str_]

_LN_ZERO = -100.0


@dataclass(frozen=True, eq=False)
class Points:
    """Configurations that are asked about."""

    n: FloatArray
    """Sizes of language models in the law's unit, shape (points,)."""
    t: FloatArray
    """Visual tokens per image, shape (points,)."""
    llm: Labels
    """Which language model each is: two points with one label have one offset."""

    @property
    def where(self) -> tuple[FloatArray, FloatArray, Labels]:
        """ln N, ln T and the labels; T = 0 lies so far from all others that nothing smooth reaches from it to them."""
        return np.log(self.n), np.where(self.t > 0, np.log(np.where(self.t > 0, self.t, 1.0)), _LN_ZERO), self.llm

    def take(self, which: NDArray[np.bool_]) -> Points:
        """Some of them, as points."""
        return Points(self.n[which], self.t[which], self.llm[which])

    def __len__(self) -> int:
        return len(self.n)


@dataclass(frozen=True, eq=False)
class Measured(Points):
    """Runs: points with their measured errors."""

    y: FloatArray
    """Measured errors, shape (runs,)."""
    weights: FloatArray
    """Of the squared residuals, mean 1: the noise variance of a run is that of the mean run over its weight."""


@dataclass(frozen=True, eq=False)
class Components:
    """Combinations of a mean and of sizes that the runs leave possible; C of them, H combinations of sizes, n runs."""

    weights: FloatArray
    """Probability of each, (C,)."""
    mean: NDArray[np.intp]
    """Which mean, (C,)."""
    sized: NDArray[np.intp]
    """Which combination of sizes, (C,)."""
    scale: FloatArray
    """S: the noise variance is S over a chi-square, (C,)."""
    sizes: FloatArray
    """Of g, h, p, LLMs, token counts, in units of the noise, (H, 5)."""
    precision: FloatArray
    """Q of each combination of sizes, (H, n, n)."""
    ones: FloatArray
    """K^-1 1 / (1^T K^-1 1): with them the weighted mean of what is left is the offset, (H, n)."""


@dataclass(frozen=True, eq=False)
class Belief:
    """What runs and forms together say of errors."""

    measured: Measured
    means: Means
    tau: float
    """Prior standard deviation of what a column is multiplied by, in units of the noise."""
    degrees: float
    """Degrees of freedom of the noise."""
    components: Components

    def shares(self) -> dict[str, float]:
        """Probability of each form, the likeliest first."""
        found: dict[str, float] = {}
        for mean, weight in zip(self.components.mean, self.components.weights, strict=True):
            form = self.means.forms[int(mean)]
            found[form] = found.get(form, 0.0) + float(weight)
        return dict(sorted(found.items(), key=lambda one: -one[1]))

    def without(self, forms: Collection[str]) -> Belief:
        """What is believed if it is none of some forms, which are not all."""
        c = self.components
        kept = np.array([self.means.forms[mean] not in forms for mean in c.mean.tolist()])
        weights = c.weights[kept] / c.weights[kept].sum()
        some = replace(c, weights=weights, mean=c.mean[kept], sized=c.sized[kept], scale=c.scale[kept])
        return replace(self, components=some)

    def noise_sd(self) -> float:
        """Standard deviation of a run of mean weight about what is believed: the root of the mean variance."""
        c = self.components
        return float(np.sqrt(c.weights @ c.scale / max(self.degrees - 2, 1.0)))

    def expected(self, points: Points) -> FloatArray:
        """The expected errors, shape (points,): exact, no draws."""
        level, of_parts, of_columns = self._expectation
        found = np.full(len(points), level)
        for residual, block in zip(of_parts, covariances(*points.where, self.measured.where), strict=True):
            found += block @ residual
        found += self.means.at(points.n, points.t) @ of_columns
        return found

    def draws(self, points: Points, count: int, seed: int = 0) -> FloatArray:
        """Joint draws of the errors, without the noise of a run, shape (count, points); arguments as `draws_of`."""
        return self.draws_of(points, count, seed)[0]

    def draws_of(self, points: Points, count: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
        """Joint draws of the errors, shape (count, points), and of the noise of a run of mean weight, (count,).

        A draw of everything from the prior is moved by what the runs say of it (Matheron's rule), so that no
        covariance between points is ever formed. The noise is its standard deviation.

        Args:
            points: asked about.
            count: how many.
            seed: the same seed gives the same draws.
        """
        random = np.random.default_rng(seed)
        c, runs = self.components, self.measured
        which = np.repeat(np.arange(len(c.weights)), random.multinomial(count, c.weights))
        noise_sd = np.sqrt(c.scale[which] / random.chisquare(self.degrees, count))
        noise = noise_sd[:, None]
        sizes, active = c.sizes[c.sized[which]], self._active[c.mean[which]]
        multipliers = random.standard_normal(active.shape) * active
        parts: list[tuple[NDArray[np.intp], FloatArray, FloatArray]] = []
        for part, root in enumerate(roots(*_joined(runs, points))):
            drawn, rows = random.standard_normal((count, root.shape[1])), np.flatnonzero(sizes[:, part])
            parts.append((rows, sizes[rows, part, None] * drawn[rows], root))  # most draws leave most parts out
        measured = random.standard_normal((count, len(runs))) / np.sqrt(runs.weights)
        measured += multipliers @ self.means.columns.T
        for rows, weights, root in parts:
            measured[rows] += weights @ root[: len(runs)].T
        residual, offset = self._solve((runs.y - self._level) / noise - measured, which)
        multipliers += (residual @ self.means.columns) * active**2
        found = multipliers @ self.means.at(points.n, points.t).T
        found += offset[:, None]
        for part, block in enumerate(covariances(*points.where, runs.where)):
            rows, weights, root = parts[part]
            moved = np.hstack([weights, sizes[rows, part, None] ** 2 * residual[rows]])
            found[rows] += moved @ np.hstack([root[len(runs) :], block]).T
        found *= noise
        found += self._level
        return found, noise_sd

    @property
    def _level(self) -> float:
        return float(self.measured.y.mean())

    @cached_property
    def _active(self) -> FloatArray:
        """tau where a mean has a column, 0 elsewhere, (means, columns)."""
        found = np.zeros((len(self.means.members), self.means.columns.shape[1]))
        for mean, members in enumerate(self.means.members):
            found[mean, list(members)] = self.tau
        return found

    @cached_property
    def _expectation(self) -> tuple[float, FloatArray, FloatArray]:
        """What the expected error at any point is made of: a level, (5, n) for the parts, (columns,) for the means."""
        c = self.components
        which = np.arange(len(c.weights))
        y = np.broadcast_to(self.measured.y - self._level, (len(which), len(self.measured)))
        residual, offset = self._solve(y, which)
        of_parts = (c.weights[:, None] * c.sizes[c.sized] ** 2).T @ residual
        of_columns = c.weights @ ((residual @ self.means.columns) * self._active[c.mean] ** 2)
        return self._level + float(c.weights @ offset), of_parts, of_columns

    @cached_property
    def _columns_of(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """F, Q F and A^-1 F^T Q of each component, columns in units of tau, (C, n, k), (C, n, k), (C, k, n)."""
        c, members = self.components, self.means.members
        columns = self.tau * np.column_stack([self.means.columns, np.zeros(len(self.measured))])  # the last is none
        padded = np.full((len(members), max(map(len, members))), columns.shape[1] - 1)
        for mean, which in enumerate(members):
            padded[mean, : len(which)] = which
        own = padded[c.mean]
        q_columns = c.precision @ columns
        products = columns.T @ q_columns
        f = np.moveaxis(columns[:, own], 0, 1)
        qf = q_columns[c.sized[:, None], :, own].swapaxes(1, 2)
        a = np.eye(own.shape[1]) + products[c.sized[:, None, None], own[:, :, None], own[:, None, :]]
        gain: FloatArray = np.linalg.solve(a, qf.swapaxes(1, 2)).astype(float)
        return f, qf, gain

    def _solve(self, left: FloatArray, which: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """K^-1 of what each row leaves once its mean's columns and offset are fitted, and that offset.

        Args:
            left: residuals, (rows, n).
            which: component of each row.
        """
        c = self.components
        f, qf, gain = self._columns_of
        residual = np.empty_like(left)
        sized = c.sized[which]
        for one in sorted(set(sized.tolist())):
            rows = np.flatnonzero(sized == one)
            residual[rows] = left[rows] @ c.precision[one]
        fitted = np.einsum("rkn,rn->rk", gain[which], left)
        residual -= np.einsum("rnk,rk->rn", qf[which], fitted)
        offset = np.einsum("rn,rn->r", left - np.einsum("rnk,rk->rn", f[which], fitted), c.ones[sized])
        return residual, offset


def _joined(runs: Points, points: Points) -> tuple[FloatArray, FloatArray, Labels]:
    """ln N, ln T and the labels of both, the runs first."""
    log_n, log_t, llm = (np.concatenate(both) for both in zip(runs.where, points.where, strict=True))
    return log_n, log_t, llm
