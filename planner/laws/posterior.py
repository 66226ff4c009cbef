"""Draws of the law from its posterior, exact and in milliseconds: no chain, no burn-in.

Gaussian noise of unknown variance. Priors, stated: flat in ln alpha and ln beta, flat in the coefficients (A, B of the
centred problem, where powers are 1 at the geometric mean of the runs, and D) on A, B, D >= 0, flat in ln sigma. Then

    given exponents, the coefficients have a multivariate t around their least squares with n - k degrees of freedom,
    and the exponents themselves have the weight  |C|^(-1/2) RSS^(-(n - k) / 2),  C the k x k normal matrix;
    of a known noise variance s^2 (absolute standard errors) a normal, and  |C|^(-1/2) exp(-RSS / 2 s^2);

so exponents are drawn from a fine grid that fills the likelihood region, coefficients from their t, and draws with a
negative coefficient are thrown away. The log-linear form has no exponents and one such t. Should the signs hold for
less than one proposal in a thousand (errors that hardly fall), what was kept is drawn again to make up the number.

A form that the exact engine does not know is walked through instead (`engine.sampler`, with the priors that it states).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError
from planner.base.quantities import whole_number
from planner.laws.bootstrap import Draws
from planner.laws.engine.cloud import Cloud, make_cloud
from planner.laws.engine.region import Products, products
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import ExactProfiler, profiler
from planner.laws.known import known
from planner.laws.memo import remembered
from planner.laws.walks import trial_of, walk_of
from planner.laws.weighting import ABSOLUTE

FloatArray = NDArray[np.float64]

_REGION_LEVEL = 0.9999  # of the region whose exponents are drawn from; what lies outside has no weight to speak of
_SIDE = 64
_PROPOSALS = 8  # times the draws still wanted, in one round
_PROPOSALS_MAX = 1_000_000


@remembered
def posterior(law: FittedLaw, draws: int = 1000, *, seed: int = 0) -> Draws:
    """Draws from the posterior of a fitted law under the priors above.

    Args:
        law: a fitted law without constraints, or with both exponents fixed.
        draws: how many.
        seed: the same seed gives the same draws.

    Raises:
        InputError, FitError: as `profiler`; or no draw that respects the signs.
    """
    whole_number(draws, "draws", 1)
    region = profiler(law, _REGION_LEVEL)
    if isinstance(region, ExactProfiler):
        exact = known(law, f"draws {draws} {seed}", lambda: _exact(region, draws, seed))
        return Draws(law, dict(exact), "posterior", seed)
    if law.error_se == ABSOLUTE:
        raise FitError(f"draws of the {law.form} form estimate the noise: fit with error_se='relative' for them")
    walked = walk_of(law)
    values = walked[np.random.default_rng(seed).choice(len(walked), draws, replace=draws > len(walked))]
    params = trial_of(law).params(values)
    return Draws(law, {name: params[name][:, 0] for name in law.params}, "posterior", seed)


def _exact(region: ExactProfiler, draws: int, seed: int) -> dict[str, FloatArray]:
    """Parameters, each (draws,). Raises FitError."""
    cloud = _cloud(region)
    p = products(region.projection, region.design, region.data.y, cloud.exponents)
    random = np.random.default_rng(seed)
    parts: list[tuple[FloatArray, FloatArray, FloatArray, FloatArray]] = []
    kept = proposed = 0
    weights = _node_weights(p, region) * cloud.areas
    weights /= weights.sum()
    while kept < draws and proposed < _PROPOSALS_MAX:
        nodes = random.choice(len(weights), size=_PROPOSALS * (draws - kept) + 64, p=weights)
        a, b, d = _coefficients(p, nodes, region, random)
        good = (a >= 0) & (b >= 0) & ((d >= 0) | (not p.bounded_offset))
        parts.append((a[good], b[good], d[good], cloud.exponents[nodes[good]]))
        kept += int(good.sum())
        proposed += len(nodes)
    if not kept:
        raise FitError(
            "no draw of the law respects the signs of its parameters: the errors do not fall as the form says"
        )
    chosen = np.arange(draws) if kept >= draws else random.choice(kept, size=draws)
    a, b, d, exponents = (np.concatenate([part[i] for part in parts])[chosen] for i in range(4))
    return region.projection.params(region.design, exponents, a, b, d)


def _cloud(region: ExactProfiler) -> Cloud:
    if region.fixed_exponents:
        return region.coarse
    return make_cloud(region.problem, region.best, _SIDE)


def _free_count(p: Products) -> int:
    return 3 if p.two_powers else 2


def _node_weights(p: Products, region: ExactProfiler) -> FloatArray:
    """Posterior density at every node, the signs of the coefficients aside, (K,)."""
    k = _free_count(p)
    determinant = (p.c11 * p.c22 - p.c12**2 if p.two_powers else p.c11) * p.weight
    a, b = _centre(p)
    rss = np.maximum(p.yy - a * p.y1 - b * p.y2, 1e-300)
    if region.law.error_se == ABSOLUTE:
        likelihood = -0.5 * rss / region.noise_variance
    else:
        likelihood = -0.5 * (len(region.data.y) - k) * np.log(rss)
    log_weight = -0.5 * np.log(np.maximum(determinant, 1e-300)) + likelihood
    weight: FloatArray = np.exp(log_weight - log_weight.max())
    return weight


def _centre(p: Products) -> tuple[FloatArray, FloatArray]:
    """Least squares of the powers with D free, signs aside, each (K,)."""
    if not p.two_powers:
        return p.y1 / np.maximum(p.c11, 1e-300), np.zeros_like(p.c11)
    determinant = np.maximum(p.c11 * p.c22 - p.c12**2, 1e-300)
    return (p.c22 * p.y1 - p.c12 * p.y2) / determinant, (p.c11 * p.y2 - p.c12 * p.y1) / determinant


def _coefficients(
    p: Products, nodes: NDArray[np.intp], region: ExactProfiler, random: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A, B and D from the multivariate t of each node, normal where the noise is known, (M,) each."""
    dof = len(region.data.y) - _free_count(p)
    a, b = _centre(p)
    rss = np.maximum(p.yy - a * p.y1 - b * p.y2, 1e-300)[nodes]
    if region.law.error_se == ABSOLUTE:
        sigma = np.full(len(nodes), np.sqrt(region.noise_variance))
    else:
        sigma = np.sqrt(rss / random.chisquare(dof, size=len(nodes)))
    z = random.standard_normal((3, len(nodes)))
    c11, c12, c22 = p.c11[nodes], p.c12[nodes], p.c22[nodes]
    # Cholesky of the normal matrix C = L L^T; a draw is the centre + sigma L^-T z
    l11 = np.sqrt(np.maximum(c11, 1e-300))
    if p.two_powers:
        l21 = c12 / l11
        l22 = np.sqrt(np.maximum(c22 - l21**2, 1e-300))
        db = sigma * z[1] / l22
        da = (sigma * z[0] - l21 * db) / l11
    else:
        da, db = sigma * z[0] / l11, np.zeros(len(nodes))
    a, b = a[nodes] + da, b[nodes] + db
    mean = p.y_mean + sigma * z[2] / np.sqrt(p.weight)
    return a, b, mean - a * p.m1[nodes] - b * p.m2[nodes]
