"""How likely the rows are under given standard deviations, with its gradient: what the variances are estimated by.

The effects' own values are integrated out, the level and the two slopes of the population too, under priors so wide
that this is restricted maximum likelihood. The standard deviations have half-Cauchy priors, the noise of a study the
prior of a new study's. For a standard deviation s whose columns are U = s Z, with W = V^-1 and a = W y,

    d log p(y) / d ln s = sum over its columns of ((U' a)^2 - diag(U' W U)),
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planner.laws.hierarchy.cells import FloatArray, StrArray
from planner.laws.hierarchy.design import Grouping, Side
from planner.laws.hierarchy.effects import curve
from planner.laws.hierarchy.factor import Block, Factor, Frame
from planner.laws.hierarchy.variances import NewNoise

EFFECT_SCALE = 0.02
"""Median of the half-Cauchy prior of an effect's standard deviation, in error."""

NEW_NOISE = NewNoise(median=0.0125, spread=0.7)
"""Prior of a study's noise."""


@dataclass(frozen=True)
class Objective:
    """Log posterior density of the logarithms of all standard deviations: the free effects', then the studies'."""

    frame: Frame
    error: FloatArray
    """(n,)."""
    error_se: FloatArray
    """(n,): each row's own standard error, nan where none was printed."""
    study: StrArray
    """(n,)."""

    @cached_property
    def free(self) -> tuple[int, ...]:
        """Effects to estimate."""
        return tuple(e for e, effect in enumerate(self.frame.layout.effects) if effect.fixed_sd is None)

    @cached_property
    def studies(self) -> tuple[str, ...]:
        return tuple(np.unique(self.study).tolist())

    def split(self, logs: FloatArray) -> tuple[FloatArray, dict[str, float]]:
        """(e,) standard deviations of the effects, and the noise of each study, of a point."""
        sds = np.array([effect.fixed_sd or 0.0 for effect in self.frame.layout.effects])
        sds[list(self.free)] = np.exp(logs[: len(self.free)])
        noise = np.exp(logs[len(self.free) :])
        return sds, dict(zip(self.studies, noise.tolist(), strict=True))

    def joined(self, sds: Mapping[str, float], noise: Mapping[str, float]) -> FloatArray:
        """The point with given standard deviations, by name."""
        effects = [sds[self.frame.layout.effects[e].name] for e in self.free]
        found: FloatArray = np.log(np.array([*effects, *(noise[study] for study in self.studies)]))
        return found

    def factor(self, logs: FloatArray) -> Factor:
        """The rows factored at a point."""
        sds, noise = self.split(logs)
        return Factor.of(self.frame, self.error, self._noise_variance(noise), sds)

    def __call__(self, logs: FloatArray) -> tuple[float, FloatArray]:
        """The density at a point, up to a constant, and its gradient."""
        sds, noise = self.split(logs)
        factor = self.factor(logs)
        effects, rows = gradient(factor)
        by_study = [float(rows[self.study == name].sum()) * noise[name] ** 2 for name in self.studies]
        slopes = np.array([*effects[list(self.free)], *by_study])
        free = sds[list(self.free)]
        density = factor.log_likelihood - float(np.log1p((free / EFFECT_SCALE) ** 2).sum())
        slopes[: len(free)] -= 2 * free**2 / (EFFECT_SCALE**2 + free**2)
        apart = (logs[len(free) :] - np.log(NEW_NOISE.median)) / NEW_NOISE.spread
        slopes[len(free) :] -= apart / NEW_NOISE.spread
        return density - 0.5 * float(apart @ apart), slopes

    def _noise_variance(self, noise: Mapping[str, float]) -> FloatArray:
        names, at = np.unique(self.study, return_inverse=True)
        own = np.array([noise[name] for name in names.tolist()])[at]
        found: FloatArray = own**2 + np.nan_to_num(self.error_se, nan=0.0) ** 2
        return found


def gradient(factor: Factor) -> tuple[FloatArray, FloatArray]:
    """Of the log likelihood: (e,) by the logarithm of each effect's standard deviation, and (n,) by the logarithm of
    each row's noise, divided by its variance: a_i^2 - W_ii, in the rows' own order.
    """
    frame = factor.frame
    effects, rows = np.zeros(len(factor.sds)), np.zeros(len(frame.rows))
    spread = np.einsum("ij,ij->j", factor.inverse, factor.inverse)  # posterior variance of each coefficient
    start = 0
    for one in frame.columns:
        own = slice(start, start + len(one))
        effects[one.effect] = float((factor.mean[own] ** 2 - 1 + spread[own]).sum())
        start += len(one)
    for block in factor.blocks:
        excess = _excess(factor, block)
        rows[block.rows] = np.diag(excess)
        cells = frame.rows.at(block.rows)
        bends = curve(cells.t, cells.t)
        for grouping in frame.layout.within_task:
            effects += _by_grouping(grouping, cells, excess, bends, factor.sds)
    own_order = np.empty_like(rows)
    own_order[frame.order] = rows
    return effects, own_order


def _excess(factor: Factor, block: Block) -> FloatArray:
    """a a' - W of the rows of one task, (n_j, n_j)."""
    scaled = block.inverse.T @ (block.error - block.border @ factor.mean[block.used])
    half = factor.inverse[:, block.used] @ (block.border.T @ block.inverse)
    found: FloatArray = np.outer(scaled, scaled) - block.inverse.T @ block.inverse + half.T @ half
    return found


def _by_grouping(grouping: Grouping, cells: Side, excess: FloatArray, bends: FloatArray, sds: FloatArray) -> FloatArray:
    keys = cells.keys[grouping.at]
    shared = excess * (keys[:, None] == keys[None, :])
    found = np.zeros(len(sds))
    for chosen, weights in ((grouping.plain, shared), (grouping.smooth, shared * bends)):
        values = cells.values[list(chosen)]
        found[list(chosen)] = np.einsum("ei,ei->e", values @ weights, values) * sds[list(chosen)] ** 2
    return found
