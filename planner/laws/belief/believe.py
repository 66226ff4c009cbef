"""How likely is each combination of a mean and of sizes of misfit, given runs?

Given both, errors are Gaussian with a scale of their own: the noise has a scaled inverse chi-square prior, the columns
of the mean normal ones, the offset a flat one. What is left is the marginal likelihood, in closed form:

    K  = I / weights + sum of size^2 covariance           of the runs, in units of the noise variance
    Q  = K^-1 - K^-1 1 1^T K^-1 / (1^T K^-1 1)            the offset is gone
    A  = I + tau^2 F^T Q F                                F: the columns of the mean, tau: their prior size
    S  = nu0 s0^2 + y^T Q y - tau^2 y^T Q F A^-1 F^T Q y
    log evidence = -1/2 (log |K| + log 1^T K^-1 1 + log |A| + (nu0 + n - 1) log S)

(Rasmussen and Williams 2006, 2.7; Patterson and Thompson 1971 for the offset.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import FitError
from planner.laws.belief.belief import Belief, Components, Measured
from planner.laws.belief.means import Means, means_of
from planner.laws.belief.misfit import covariances, sizes
from planner.laws.forms import Form

FloatArray = NDArray[np.float64]

PRIOR_RUNS = 1.0
"""nu0: the prior of the noise counts like so many runs."""
PRIOR_NOISE = 0.005
"""s0: the noise of a run before any is seen: means of several tasks have about this much."""

KNOWN_RUNS = 1e6
"""The prior of a noise that standard errors state as it stands counts like so many: no runs move it."""

_KEPT = 1 - 1e-5  # of the probability: combinations beyond it move no digit
_FLOOR = 1e-4  # the noise is taken to be at least this share of the spread of the errors


Weighing = Callable[[Callable[[], Mapping[str, FloatArray]]], Mapping[str, FloatArray]]
"""Whoever may have the weights of all combinations at hand: takes what works them out."""


@dataclass(frozen=True)
class NoisePrior:
    """What is known of the noise of a run of mean weight before any is seen."""

    sd: float = PRIOR_NOISE
    runs: float = PRIOR_RUNS
    """How many runs it counts like: nu0."""


def believe(
    measured: Measured,
    forms: Iterable[Form],
    weighing: Weighing = lambda work_out: work_out(),
    noise: NoisePrior | None = None,
) -> Belief:
    """The belief that runs support.

    Args:
        measured: the runs, at two LLM sizes and two visual token counts or more.
        forms: that take part.
        weighing: asked for the weights, which depend on the runs, the forms and the noise alone.
        noise: what is known of it beforehand; None: next to nothing.

    Raises:
        FitError: one level of either says nothing of others.
    """
    for what, levels in (("LLM sizes", measured.n), ("visual token counts", measured.t)):
        if levels.min() == levels.max():
            raise FitError(f"too few {what}: what is expected at others needs 2 levels or more; measure another")
    means = means_of(forms, measured.n, measured.t)
    table, log_odds = sizes()
    blocks = covariances(*measured.where, measured.where)
    prior = noise or NoisePrior()
    found = weighing(lambda: _weigh(measured, means, _Sized.of(measured, blocks, table), log_odds, prior))
    mean, sized = np.divmod(found["combination"].astype(np.intp), len(table))
    (used_means, which_mean), (used, which_sizes) = (np.unique(one, return_inverse=True) for one in (mean, sized))
    few = _Sized.of(measured, blocks, table[used])
    components = Components(
        weights=found["weight"],
        mean=which_mean,
        sized=which_sizes,
        scale=found["scale"],
        sizes=table[used],
        precision=few.precision,
        ones=few.ones,
    )
    return Belief(measured, means.only(used_means), float(found["tau"][0]), prior.runs + len(measured) - 1, components)


@dataclass(frozen=True, eq=False)
class _Sized:
    """What depends on the sizes of misfit alone, of H combinations of them."""

    precision: FloatArray
    """Q, (H, n, n)."""
    ones: FloatArray
    """K^-1 1 / (1^T K^-1 1), (H, n)."""
    log_determinant: FloatArray
    """log |K| + log 1^T K^-1 1, (H,)."""

    @classmethod
    def of(cls, measured: Measured, blocks: FloatArray, table: FloatArray) -> _Sized:
        """Of the covariances of the runs, (5, n, n), and sizes, (H, 5)."""
        k = np.tensordot(table**2, blocks, 1) + np.diag(1 / measured.weights)
        inverse = np.linalg.inv(k)
        ones = inverse.sum(axis=2)
        total = ones.sum(axis=1)
        q = inverse - ones[:, :, None] * ones[:, None, :] / total[:, None, None]
        return cls(q, ones / total[:, None], np.linalg.slogdet(k)[1] + np.log(total))


def _weigh(
    measured: Measured, means: Means, by_size: _Sized, log_odds: FloatArray, noise: NoisePrior
) -> dict[str, FloatArray]:
    """Combinations that the runs leave possible, as mean * H + combination of sizes, their weights and scales, and tau.

    Args:
        measured: the runs.
        means: of M means.
        by_size: of each of H combinations of sizes.
        log_odds: prior ones of each combination of sizes, (H,).
        noise: its prior.
    """
    q = by_size.precision
    y = measured.y - measured.y.mean()
    tau = _prior_size(means, y, measured.weights)
    sides = np.column_stack([means.columns, y])
    products = sides.T @ (q @ sides)
    scale = np.empty((len(means.members), len(q)))
    log_evidence = np.empty_like(scale)
    degrees = noise.runs + len(y) - 1
    for size in sorted({len(which) for which in means.members}):
        rows = np.array([i for i, which in enumerate(means.members) if len(which) == size])
        which = np.array([means.members[i] for i in rows])
        a = np.eye(size) + tau**2 * products[:, which[:, :, None], which[:, None, :]]
        right = tau * products[:, which, -1]
        solved = np.linalg.solve(a, right[..., None])[..., 0]
        quadratic = products[:, None, -1, -1] - np.einsum("hmi,hmi->hm", right, solved)
        s = noise.runs * noise.sd**2 + np.maximum(quadratic, 0.0)
        scale[rows] = s.T
        log_evidence[rows] = -0.5 * (np.linalg.slogdet(a)[1] + degrees * np.log(s)).T
    log_evidence += log_odds - 0.5 * by_size.log_determinant + np.log(means.prior_shares())[:, None]
    weights = np.exp(log_evidence - log_evidence.max()).ravel()
    weights /= weights.sum()
    order = np.argsort(-weights, kind="stable")
    kept = np.sort(order[: int(np.searchsorted(np.cumsum(weights[order]), _KEPT)) + 1])
    return {
        "combination": kept.astype(float),
        "weight": weights[kept] / weights[kept].sum(),
        "scale": scale.ravel()[kept],
        "tau": np.array([tau]),
    }


def _prior_size(means: Means, y: FloatArray, weights: FloatArray) -> float:
    """tau: columns may explain the whole spread of the errors, in units of the noise that the best mean leaves."""
    spread = float(np.sqrt(np.average(y**2, weights=weights)))
    if not spread:
        return 1.0
    root = np.sqrt(weights)
    left = [spread]
    for which in means.members:
        columns = np.column_stack([np.ones(len(y)), means.columns[:, which]])
        free = len(y) - columns.shape[1]
        if free > 0:
            found = np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)[0]
            left.append(float(np.sqrt(weights @ (y - columns @ found) ** 2 / free)))
    return spread / max(min(left), _FLOOR * spread)
