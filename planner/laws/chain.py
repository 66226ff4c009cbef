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
from planner.laws.cloud import LOG_HIGHEST, LOG_LOWEST
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import profiler
from planner.laws.posterior import posterior
from planner.laws.solve import in_units

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

    region = profiler(law)
    if region.fixed_exponents:
        raise InputError("a chain is for free power forms: without free exponents the posterior is a t distribution")
    design, y, two = region.design, region.data.y, law.form == "additive"

    def residual(params: lmfit.Parameters) -> FloatArray:
        p = params.valuesdict()
        n_part, t_part = math.exp(p["ln_alpha"]) * design.x, math.exp(p["ln_beta"]) * design.t
        model = p["a"] * np.exp(-n_part) + p["b"] * np.exp(-t_part) if two else p["a"] * np.exp(-n_part - t_part)
        return np.asarray((y - model - p["d"]) * design.root_weight)

    params = lmfit.Parameters()
    for name in ("ln_alpha", "ln_beta"):
        exponent = max(law.params[name[3:]], 1e-5)
        params.add(name, value=math.log(exponent), min=LOG_LOWEST, max=LOG_HIGHEST)
    n_scale = math.exp(-law.params["alpha"] * design.x_mean)
    t_scale = math.exp(-law.params["beta"] * design.t_mean)
    params.add("a", value=law.params["A"] * (n_scale if two else n_scale * t_scale), min=0.0)
    params.add("b", value=law.params["B"] * t_scale if two else 0.0, vary=two)
    if two:
        params["b"].min = 0.0
    params.add("d", value=max(law.params["D"], 1e-3), min=0.0)
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
    problem = minimizer(law)
    region = profiler(law)
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
    return Draws(law, in_units(law.form, region.design, exponents, chain["a"], b, chain["d"]), "emcee", seed)


def _start(law: FittedLaw, names: list[str], seed: int) -> FloatArray:
    """Where the walkers begin: spread like the posterior, so that the burn-in is short."""
    design = profiler(law).design
    draws = posterior(law, _WALKERS, seed=seed + 1).params
    n_scale, t_scale = np.exp(-draws["alpha"] * design.x_mean), np.exp(-draws["beta"] * design.t_mean)
    two = law.form == "additive"
    columns = {
        "ln_alpha": np.log(draws["alpha"]),
        "ln_beta": np.log(draws["beta"]),
        "a": draws["A"] * (n_scale if two else n_scale * t_scale),
        "b": draws["B"] * t_scale if two else None,
        "d": draws["D"],
    }
    assert law.rss is not None
    sigma = np.full(_WALKERS, 0.5 * math.log(law.rss / law.n_runs))
    sigma += 0.1 * np.random.default_rng(seed).standard_normal(_WALKERS)
    parts = [column for name in names if (column := columns[name]) is not None]
    return np.stack([*parts, sigma], axis=1)
