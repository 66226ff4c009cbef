"""How likely the rows are under given standard deviations, with its gradient: what the variances are estimated by.

The effects' own values are integrated out, the level and the two slopes of the population too, under priors so wide
that this is restricted maximum likelihood. The standard deviations have half-Cauchy priors, the noise of a study and a
task's factor log-normal ones. The density is that of logarithms, whose mode is never at 0: that an effect was not seen
in eight studies does not mean that it is not there. For a standard deviation s whose columns are U = s Z, with
W = V^-1 and a = W y,

    d log p(y) / d ln s = sum over its columns of ((U' a)^2 - diag(U' W U))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.cells import FloatArray, StrArray
from planner.laws.hierarchy.design import LAYOUT, Grouping, Layout, Side
from planner.laws.hierarchy.effects import curve
from planner.laws.hierarchy.factor import Block, Factor, Frame
from planner.laws.hierarchy.noise import Noise
from planner.laws.hierarchy.rows import EvidenceRows

EFFECT_SCALE = 0.02
"""Median of the half-Cauchy prior of an effect's standard deviation, in error."""

NOISE_PRIOR = Noise({}, {}, median=0.0125, spread=0.7, task_spread=0.5)
"""Of studies' noise and tasks' factors."""

RELEASED_NOISE = Noise({}, {}, median=0.005, spread=0.3, task_spread=0.5)
"""Of released models: nothing is trained again, so that a number repeats where the evaluation is the same; what differs
from one evaluation to another is an effect of the table."""


@dataclass(frozen=True)
class Objective:
    """Log posterior density of the logarithms of what is estimated: first the standard deviations of the free effects,
    then each study's noise, then each task's factor of it.
    """

    frame: Frame
    error: FloatArray
    """(n,)."""
    error_se: FloatArray
    """(n,): each row's own standard error, nan where none was printed."""
    study: StrArray
    """(n,)."""
    task: StrArray
    """(n,)."""
    released: frozenset[str] = frozenset()
    """Studies of released models."""

    @classmethod
    def of(cls, rows: EvidenceRows, layout: Layout = LAYOUT) -> Objective:
        """Of rows of evidence."""
        released = frozenset(rows.study[rows.population == "released"].tolist())
        return cls(Frame.of(rows, layout), rows.error, rows.error_se, rows.study, rows.task, released)

    @cached_property
    def free(self) -> tuple[int, ...]:
        """Effects to estimate."""
        return tuple(e for e, effect in enumerate(self.frame.layout.effects) if effect.fixed_sd is None)

    @cached_property
    def studies(self) -> tuple[str, ...]:
        return tuple(np.unique(self.study).tolist())

    @cached_property
    def noise_priors(self) -> tuple[FloatArray, FloatArray]:
        """Means and standard deviations of the logarithm of each study's noise."""
        priors = [RELEASED_NOISE if study in self.released else NOISE_PRIOR for study in self.studies]
        return np.log([one.median for one in priors]), np.array([one.spread for one in priors])

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        return tuple(np.unique(self.task).tolist())

    @cached_property
    def parts(self) -> tuple[slice, slice, slice]:
        """Where effects, studies and tasks stand in a point."""
        ends = np.cumsum([0, len(self.free), len(self.studies), len(self.tasks)]).tolist()
        return slice(*ends[:2]), slice(*ends[1:3]), slice(*ends[2:])

    def start(self, sd: float) -> FloatArray:
        """The point with one standard deviation for all effects and studies."""
        return np.repeat([np.log(sd), 0.0], [len(self.free) + len(self.studies), len(self.tasks)])

    def split(self, point: FloatArray) -> tuple[FloatArray, Noise]:
        """(e,) standard deviations of the effects, and the noise, of a point."""
        effects, studies, tasks = (np.exp(point[part]) for part in self.parts)
        sds = np.array([effect.fixed_sd or 0.0 for effect in self.frame.layout.effects])
        sds[list(self.free)] = effects
        by_study = dict(zip(self.studies, studies.tolist(), strict=True))
        return sds, replace(NOISE_PRIOR, study=by_study, task=dict(zip(self.tasks, tasks.tolist(), strict=True)))

    def joined(self, sds: Mapping[str, float], noise: Noise) -> FloatArray:
        """The point with given standard deviations and noise, by name."""
        effects = [sds[self.frame.layout.effects[e].name] for e in self.free]
        found: FloatArray = np.log(
            [*effects, *noise.of_studies(np.array(self.studies)), *noise.of_tasks(np.array(self.tasks))]
        )
        return found

    def factor(self, point: FloatArray) -> Factor:
        """The rows factored at a point."""
        sds, noise = self.split(point)
        return Factor.of(self.frame, self.error, noise.variance(self.study, self.task, self.error_se), sds)

    def __call__(self, point: FloatArray) -> tuple[float, FloatArray]:
        """The density at a point, up to a constant, and its gradient."""
        effects, studies, tasks = self.parts
        sds, noise = self.split(point)
        factor = self.factor(point)
        by_effect, by_row = gradient(factor)
        by_row = by_row * (noise.of_studies(self.study) * noise.of_tasks(self.task)) ** 2
        free = sds[list(self.free)]
        means, spreads = self.noise_priors
        apart = (point[studies] - means) / spreads
        factors = point[tasks] / NOISE_PRIOR.task_spread
        density = factor.log_likelihood - float(np.log1p((free / EFFECT_SCALE) ** 2).sum()) + float(np.log(free).sum())
        density -= 0.5 * float(apart @ apart + factors @ factors)
        slopes = np.empty_like(point)
        slopes[effects] = by_effect[list(self.free)] - 2 * free**2 / (EFFECT_SCALE**2 + free**2) + 1
        slopes[studies] = _summed(self.study, by_row) - apart / spreads
        slopes[tasks] = _summed(self.task, by_row) - factors / NOISE_PRIOR.task_spread
        return density, slopes


def _summed(names: StrArray, values: FloatArray) -> FloatArray:
    """Sums by name, in the order of the names."""
    groups, at = np.unique(names, return_inverse=True)
    found = np.zeros(len(groups))
    np.add.at(found, at, values)
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
