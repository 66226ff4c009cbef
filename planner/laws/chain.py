"""The posterior by a Markov chain: lmfit's emcee on the density that `posterior` draws from exactly.

A check by other means, and the way to other priors: `minimizer(law)` gives lmfit's Minimizer with the parameters
(ln alpha, ln beta, a, b, d) of the centred problem, all priors flat within their bounds, and flat in ln sigma.
Needs the package emcee.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.laws.bootstrap import Draws
from planner.laws.engine.cloud import LOG_HIGHEST, LOG_LOWEST
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import ExactProfiler, profiler
from planner.laws.posterior import posterior

if TYPE_CHECKING:
    import lmfit

FloatArray = NDArray[np.float64]

_WALKERS = 100


def minimizer(law: FittedLaw) -> lmfit.Minimizer:
    """lmfit's Minimizer on the centred problem of a power form, ready for `emcee(is_weighted=False)`.

    Raises:
        InputError: a law without runs, or of the log-linear form, whose posterior is a t distribution.
    """
    import lmfit

    region = _region(law)
    projection, design, y = region.projection, region.design, region.data.y
    two = projection.two_terms

    def residual(params: lmfit.Parameters) -> FloatArray:
        p = params.valuesdict()
        exponents = np.exp([[p["ln_alpha"], p["ln_beta"]]])
        first, second = projection.product_columns(design, exponents)
        return np.asarray((y - p["a"] * first[0] - p["b"] * second[0] - p["d"]) * design.root_weight)

    start = _centred(region, {name: np.array([value]) for name, value in law.params.items()})
    params = lmfit.Parameters()
    for name in ("ln_alpha", "ln_beta"):
        params.add(name, value=max(float(start[name][0]), math.log(1e-5)), min=LOG_LOWEST, max=LOG_HIGHEST)
    params.add("a", value=float(start["a"][0]), min=0.0)
    params.add("b", value=float(start["b"][0]), vary=two)
    if two:
        params["b"].min = 0.0
    params.add("d", value=max(float(start["d"][0]), 1e-3), min=0.0)
    return lmfit.Minimizer(residual, params)


def chain_posterior(law: FittedLaw, *, steps: int = 2000, burn: int = 500, thin: int = 10, seed: int = 0) -> Draws:
    """Draws from the posterior of a power form by emcee, 100 walkers; ten seconds or so.

    Args:
        law: a freely fitted law of a power form.
        steps: of every walker.
        burn: first steps that are thrown away.
        thin: every how many steps a draw is kept.
        seed: the same seed gives the same chain.

    Raises:
        InputError: as `minimizer`; or emcee is not installed.
    """
    try:
        import emcee
    except ImportError:
        raise InputError("the chain needs the package emcee: pip install emcee") from None
    del emcee
    problem, region = minimizer(law), _region(law)
    names = [name for name, parameter in problem.params.items() if parameter.vary]
    found = problem.emcee(
        steps=steps,
        burn=burn,
        thin=thin,
        nwalkers=_WALKERS,
        is_weighted=False,
        seed=seed,
        progress=False,
        pos=_start(law, names, seed),
    )
    chain = {name: found.flatchain[name].to_numpy() for name in names}
    exponents = np.exp(np.stack([chain["ln_alpha"], chain["ln_beta"]], axis=1))
    b = chain.get("b", np.zeros(len(exponents)))
    return Draws(law, region.projection.params(region.design, exponents, chain["a"], b, chain["d"]), "emcee", seed)


def _start(law: FittedLaw, names: list[str], seed: int) -> FloatArray:
    """Where the walkers begin: spread like the posterior, so that the burn-in is short."""
    columns = _centred(_region(law), posterior(law, _WALKERS, seed=seed + 1).params)
    assert law.rss is not None
    sigma = np.full(_WALKERS, 0.5 * math.log(law.rss / law.n_runs))
    sigma += 0.1 * np.random.default_rng(seed).standard_normal(_WALKERS)
    return np.stack([*(columns[name] for name in names), sigma], axis=1)


def _region(law: FittedLaw) -> ExactProfiler:
    """The likelihood region of a power form. Raises InputError for another."""
    region = profiler(law)
    if not isinstance(region, ExactProfiler) or region.fixed_exponents:
        raise InputError("a chain is for free power forms: without free exponents the posterior is a t distribution")
    return region


def _centred(region: ExactProfiler, params: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Parameters (R,) of a power form -> those of the centred problem: ln_alpha, ln_beta, a, b, d."""
    projection, design = region.projection, region.design
    exponents = np.stack([params[name] for name in projection.exponents], axis=1)
    n_exponent, t_exponent = projection.exponents
    first, second = projection.bends[n_exponent], projection.bends[t_exponent]
    scales = {name: projection.parameter_weights(name, design, exponents) for name in (first, second)}
    with np.errstate(divide="ignore"):
        logs = np.log(exponents)
    return {
        "ln_alpha": logs[:, 0],
        "ln_beta": logs[:, 1],
        "a": params[first] / scales[first][0],
        "b": params[second] / scales[second][1] if projection.two_terms else np.zeros(len(exponents)),
        "d": params[projection.offset],
    }
