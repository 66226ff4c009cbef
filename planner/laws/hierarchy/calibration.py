"""Are stated odds right? Differences between held-out cells of one study and task, predicted and measured.

The tail of what is predicted is estimated from them: Student's t of the misses in standard deviations without the noise
of a measurement, as plans state odds, its scale widened until odds of "98 %" or more were right in 98 of 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.cells import FloatArray
from planner.laws.hierarchy.conditioning import Gaussian
from planner.laws.hierarchy.rows import EvidenceRows
from planner.laws.hierarchy.student_tail import Tail

DOFS, STEP = range(3, 31), 0.02  # of the search
TOP = 0.98
MARGIN = 1.1
"""On the scale: studies that the variances have not seen are missed by about that much more than the rows are that they
were estimated from."""
CELL = ("checkpoint", "compressor", "visual_tokens")
"""What cells of one study and task differ in: two tables may print the same cell."""


@dataclass(frozen=True)
class Differences:
    """Pairs of held-out cells."""

    predicted: FloatArray
    """(p,) of the second less the first."""
    measured: FloatArray
    """(p,)."""
    sd: FloatArray
    """(p,) of what is predicted, without the noise of the two measurements."""
    noise_sd: FloatArray
    """(p,) of that noise."""

    @property
    def total_sd(self) -> FloatArray:
        """(p,) of the measured difference."""
        return np.hypot(self.sd, self.noise_sd)

    @property
    def right(self) -> NDArray[np.bool_]:
        """(p,): whether the cell predicted to be better was."""
        found: NDArray[np.bool_] = np.sign(self.predicted) == np.sign(self.measured)
        return found

    @classmethod
    def joined(cls, parts: Iterable[Differences]) -> Differences:
        """Of several folds."""
        columns = zip(*((one.predicted, one.measured, one.sd, one.noise_sd) for one in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


def differences(
    rows: EvidenceRows, held: NDArray[np.intp], errors: Gaussian, noise_variance: FloatArray
) -> Differences:
    """All pairs of different cells among held-out rows that share study and task and differ in what was measured.

    Args:
        rows: the evidence.
        held: (h,) positions of the rows.
        errors: what is predicted of them, with or without noise: see `noise_variance`.
        noise_variance: (h,) what the covariance has of their noise on its diagonal.
    """
    first, second = np.triu_indices(len(held), 1)
    study, task, error = rows.study[held], rows.task[held], rows.error[held]
    kept = (study[first] == study[second]) & (task[first] == task[second]) & (error[first] != error[second])
    kept &= np.any([column[first] != column[second] for column in (getattr(rows, name)[held] for name in CELL)], axis=0)
    first, second = first[kept], second[kept]
    covariance, noise = errors.covariance, noise_variance[first] + noise_variance[second]
    total = covariance[first, first] + covariance[second, second] - 2 * covariance[first, second]
    return Differences(
        errors.mean[second] - errors.mean[first],
        error[second] - error[first],
        np.sqrt(np.maximum(total - noise, 1e-12)),
        np.sqrt(noise),
    )


def tail_of(found: Differences) -> Tail:
    """The tail that some differences show, in standard deviations without the noise of a measurement."""
    misses = (found.measured - found.predicted) / found.sd
    scales = np.arange(STEP, 3.0, STEP)
    likely = {(dof, scale): _log_density(misses / scale, dof) - math.log(scale) for dof in DOFS for scale in scales}
    dof, scale = max(likely, key=lambda one: likely[one])
    while not _right_at_the_top(found, Tail(dof, scale)):
        scale += STEP
    return Tail(dof, round(float(MARGIN * scale), 2))


def _log_density(z: FloatArray, dof: int) -> float:
    constant = math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2) - 0.5 * math.log(dof * math.pi)
    return constant - (dof + 1) / 2 * float(np.log1p(z**2 / dof).mean())


def _right_at_the_top(found: Differences, tail: Tail) -> bool:
    top = abs(found.predicted) / found.sd >= tail.quantile(TOP)
    return not top.any() or bool(found.right[top].mean() >= TOP)
