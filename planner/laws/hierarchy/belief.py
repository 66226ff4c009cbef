"""What the hierarchy says of the candidates of a plan: expected errors and joint draws of a mix of tasks.

With w_k the share of task k, the error of candidate i is sum_k w_k y(k, i), Gaussian as the y are, or a mixture of
Gaussians where the noise of own runs is averaged over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.laws.hierarchy.cells import Cells
from planner.laws.hierarchy.conditioning import Gaussian
from planner.laws.hierarchy.naming import cells_of, own_model, released_model
from planner.laws.hierarchy.odds import draws
from planner.laws.hierarchy.own_runs import Mixture, OwnRuns, noise_grid, predict_with
from planner.laws.hierarchy.possible import expected_possible, possible_draws, possible_spread
from planner.laws.hierarchy.shipped import shipped_posterior
from planner.laws.hierarchy.variances import shipped_variances

if TYPE_CHECKING:
    from planner.laws.hierarchy.law import EvidenceLaw
    from planner.laws.hierarchy.mix import TaskShare

FloatArray = NDArray[np.float64]
Labels = NDArray[np.str_]

AS_RELEASED = ("", "none", "resize")
"""What runs say of the compressor that are evaluations of a released model."""
AT_ONCE = 192
"""Points whose expected errors are worked out together: time and memory grow with the square."""


def expected_errors(
    law: EvidenceLaw, n: FloatArray, t: FloatArray, llm: Labels, compressor: str, released: bool
) -> FloatArray:
    """Expected errors of points, shape (points,); arguments as `EvidenceLaw.predict`, all of that shape.

    Of released models, whose errors have a level, given that none is below 0 (`possible`).
    """
    found = np.empty(len(n))
    for start in range(0, len(n), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        errors = _mixture(law, n[some], t[some], llm[some], [compressor] * len(n[some]), released)
        found[some] = errors.mean
        if released:
            found[some] = expected_possible(errors.mean, errors.sd, shipped_variances().tail)
    return found


def error_draws(
    law: EvidenceLaw,
    n: FloatArray,
    t: FloatArray,
    llm: Labels,
    compressors: Sequence[str],
    released: bool,
    count: int,
    seed: int,
) -> FloatArray:
    """(count, points) joint draws of the errors, with tails as heavy as held-out evidence has."""
    found = draws(_mixture(law, n, t, llm, compressors, released), shipped_variances().tail, count, seed)
    return possible_draws(found) if released else found


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Errors of candidates on the mix, and after them of cells on each of its tasks: what a run of a cell would show.

    Letters: K candidates, C cells, J tasks.
    """

    mean: FloatArray
    """(K + C J,), the tasks of a cell one after the other."""
    covariance: FloatArray
    """Of what is predicted of them, (K + C J, K + C J); its tails are those of held-out evidence."""
    noise: FloatArray
    """Variance of one number of each task, (K + C J,); of a candidate that of the mix of one number of each."""


def outcomes(
    law: EvidenceLaw, n: FloatArray, t: FloatArray, llm: Labels, compressors: Sequence[str], released: bool, count: int
) -> Outcomes:
    """What is predicted of `count` candidates and of the cells after them; arguments as `error_draws`."""
    tasks, cells = len(law.mix), len(n) - count
    share = np.array([one.share for one in law.mix])
    weights = np.zeros((count + cells * tasks, tasks, len(n)))
    weights[np.arange(count), :, np.arange(count)] = share
    for task in range(tasks):
        weights[count + task + tasks * np.arange(cells), task, count + np.arange(cells)] = 1.0
    found = _mixture(law, n, t, llm, compressors, released, weights.reshape(len(weights), -1))
    each = _noise_variance(law, released) * shipped_variances().noise.of_tasks(np.array(law.tasks)) ** 2
    noise = np.concatenate([np.full(count, share**2 @ each), np.tile(each, cells)])
    mean, covariance = found.mean, found.covariance
    if released:
        shrunk = possible_spread(mean, found.sd)
        mean, covariance = (
            expected_possible(mean, found.sd, shipped_variances().tail),
            covariance * np.outer(shrunk, shrunk),
        )
    return Outcomes(mean, covariance, noise)


def _noise_variance(law: EvidenceLaw, released: bool) -> float:
    """Of one number of a study of one's own, for a task of factor 1: what its runs say of it, or the population."""
    noise = shipped_variances().noise
    if law.own:
        own = _own_runs(law, released)
        known = predict_with(shipped_posterior(), own, own.cells, noise)[1]
        return float(known.weights @ known.values**2)
    values = noise_grid(noise)
    weights = np.exp(-0.5 * (np.log(values / noise.median) / noise.spread) ** 2)
    return float(weights @ values**2 / weights.sum())


def _mixture(
    law: EvidenceLaw,
    n: FloatArray,
    t: FloatArray,
    llm: Labels,
    compressors: Sequence[str],
    released: bool,
    weights: FloatArray | None = None,
) -> Mixture:
    """Of points on the mix, or of other weighted sums of their errors, given all points of one task after the other."""
    for name, values in (("llm_params", n), ("visual_tokens", t)):
        if bad := [value for value in values.tolist() if not value > 0]:
            raise InputError(f"{name}: expected a number above 0, got {shown(bad[0])}")
    names, which = np.unique(llm, return_inverse=True)
    models = [released_model(name) if released else own_model(name) for name in names.tolist()]
    seen = [t * _scales(law, one.task, names.tolist())[which] for one in law.mix]
    cells = _joined(
        [cells_of(one.asked, models, which, n, t, compressors) for one, t in zip(law.mix, seen, strict=True)]
    )
    if weights is None:
        weights = np.kron(np.array([[one.share for one in law.mix]]), np.eye(len(n)))
    posterior = shipped_posterior()
    if not law.own:
        return Mixture(np.ones(1), (_weighted(posterior.predict(cells), weights),))
    found, _ = predict_with(posterior, _own_runs(law, released), cells, shipped_variances().noise)
    return Mixture(found.weights, tuple(_weighted(part, weights) for part in found.parts))


def _scales(law: EvidenceLaw, task: str, names: Sequence[str]) -> FloatArray:
    """By what the visual tokens of models are multiplied on a task, (names,)."""
    known = {one.model: one.factor for one in law.scales if one.task == task}
    return np.array([known.get(name, 1.0) for name in names])


def _weighted(errors: Gaussian, weights: FloatArray) -> Gaussian:
    """Of a mix, given its tasks' errors, all points of one task after the other: weights of shape (points, cells)."""
    return Gaussian(weights @ errors.mean, weights @ errors.covariance @ weights.T)


def _own_runs(law: EvidenceLaw, released: bool) -> OwnRuns:
    """Of released models the runs are evaluations of them, unless they name a compressor of their own."""
    by_name: dict[str, TaskShare] = {one.task: one for one in law.mix}
    cells = []
    for one in law.own:
        evaluated = released and one.compressor in AS_RELEASED
        model = [released_model(one.llm) if evaluated else own_model(one.llm)]
        size = np.array([one.llm_params])
        tokens = one.visual_tokens * _scales(law, one.task, [one.llm] if evaluated else [""])
        cells.append(cells_of(by_name[one.task].asked, model, np.zeros(1, int), size, tokens, [one.compressor]))
    errors = np.array([one.error for one in law.own])
    se = np.array([np.nan if one.error_se is None else one.error_se for one in law.own])
    return OwnRuns(_joined(cells), errors, se)


def _joined(parts: Sequence[Cells]) -> Cells:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.then(part)
    return whole
