"""The posterior by a Markov chain: lmfit's emcee on the density that `posterior` draws from by other means.

A check, and the way to other priors: `minimizer(law)` gives lmfit's Minimizer with all priors flat within their bounds,
and flat in ln sigma. Its parameters are

    (ln alpha, ln beta, a, b, d) of the centred problem      for a form that the exact engine knows
    those of the form, ln_NAME for one whose prior is flat in its logarithm      for any other

Needs the package emcee.

Letters: R draws, n runs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.laws.bootstrap import Draws
from planner.laws.engine.cloud import LOG_HIGHEST, LOG_LOWEST
from planner.laws.engine.sampler import LOWEST
from planner.laws.engine.trial import Trial
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import ExactProfiler, profiler
from planner.laws.posterior import posterior
from planner.laws.walks import trial_of

if TYPE_CHECKING:
    import lmfit

FloatArray = NDArray[np.float64]
Columns = Mapping[str, FloatArray]
"""Draws of some parameters, each (R,)."""

_WALKERS = 100
_LOWEST_START = 1e-3  # of a parameter's usual size: emcee wants a start inside the bounds


def minimizer(law: FittedLaw) -> lmfit.Minimizer:
    """lmfit's Minimizer on the parameters above, ready for `emcee(is_weighted=False)`.

    Raises:
        InputError: a law without runs, or of a form without exponents, whose posterior is a t distribution.
        FitError: as `profiler`.
    """
    return _chart_of(law).minimizer()


def chain_posterior(law: FittedLaw, *, steps: int = 2000, burn: int = 500, thin: int = 10, seed: int = 0) -> Draws:
    """Draws from the posterior by emcee, 100 walkers; ten seconds or so.

    Args:
        law: a freely fitted law.
        steps: of every walker.
        burn: first steps that are thrown away.
        thin: every how many steps a draw is kept.
        seed: the same seed gives the same chain.

    Raises:
        InputError: as `minimizer`; or emcee is not installed.
        FitError: as `profiler`.
    """
    try:
        import emcee
    except ImportError:
        raise InputError("the chain needs the package emcee: pip install emcee") from None
    del emcee
    chart = _chart_of(law)
    problem = chart.minimizer()
    names = [name for name, parameter in problem.params.items() if parameter.vary]
    found = problem.emcee(
        steps=steps,
        burn=burn,
        thin=thin,
        nwalkers=_WALKERS,
        is_weighted=False,
        seed=seed,
        progress=False,
        pos=_start(law, chart, names, seed),
    )
    chain = {name: found.flatchain[name].to_numpy() for name in names}
    return Draws(law, chart.of_form(chain), "emcee", seed)


def _start(law: FittedLaw, chart: _Chart, names: list[str], seed: int) -> FloatArray:
    """Where the walkers begin: spread like the posterior, so that the burn-in is short."""
    columns = chart.of_chain(posterior(law, _WALKERS, seed=seed + 1).params)
    assert law.rss is not None
    sigma = np.full(_WALKERS, 0.5 * math.log(law.rss / law.n_runs))
    sigma += 0.1 * np.random.default_rng(seed).standard_normal(_WALKERS)
    return np.stack([*(columns[name] for name in names), sigma], axis=1)


def _chart_of(law: FittedLaw) -> _Chart:
    """The parameters in which a law is walked. Raises InputError, FitError."""
    region = profiler(law)
    if not isinstance(region, ExactProfiler):
        return _General(law, trial_of(law))
    if region.fixed_exponents:
        raise InputError("a chain is for free power forms: without free exponents the posterior is a t distribution")
    return _Centred(law, region)


@dataclass(frozen=True)
class _Chart(ABC):
    """Parameters of the chain, and how they and those of the form follow from each other."""

    law: FittedLaw

    @abstractmethod
    def minimizer(self) -> lmfit.Minimizer:
        """The parameters with their bounds, begun at the optimum, and the weighted residuals."""

    @abstractmethod
    def of_form(self, chain: Columns) -> dict[str, FloatArray]:
        """Parameters of the form, (R,) each."""

    @abstractmethod
    def of_chain(self, params: Columns) -> dict[str, FloatArray]:
        """Parameters of the chain, (R,) each."""


@dataclass(frozen=True)
class _Centred(_Chart):
    """Of a power form: ln_alpha, ln_beta, a, b, d."""

    region: ExactProfiler

    def minimizer(self) -> lmfit.Minimizer:
        import lmfit

        projection, design, y = self.region.projection, self.region.design, self.region.data.y
        two = projection.two_terms

        def residual(params: lmfit.Parameters) -> FloatArray:
            p = params.valuesdict()
            exponents = np.exp([[p["ln_alpha"], p["ln_beta"]]])
            first, second = projection.product_columns(design, exponents)
            return np.asarray((y - p["a"] * first[0] - p["b"] * second[0] - p["d"]) * design.root_weight)

        start = self.of_chain({name: np.array([value]) for name, value in self.law.params.items()})
        params = lmfit.Parameters()
        for name in ("ln_alpha", "ln_beta"):
            params.add(name, value=max(float(start[name][0]), math.log(1e-5)), min=LOG_LOWEST, max=LOG_HIGHEST)
        params.add("a", value=float(start["a"][0]), min=0.0)
        params.add("b", value=float(start["b"][0]), vary=two)
        if two:
            params["b"].min = 0.0
        params.add("d", value=max(float(start["d"][0]), 1e-3), min=0.0)
        return lmfit.Minimizer(residual, params)

    def of_form(self, chain: Columns) -> dict[str, FloatArray]:
        exponents = np.exp(np.stack([chain["ln_alpha"], chain["ln_beta"]], axis=1))
        b = chain.get("b", np.zeros(len(exponents)))
        return self.region.projection.params(self.region.design, exponents, chain["a"], b, chain["d"])

    def of_chain(self, params: Columns) -> dict[str, FloatArray]:
        projection, design = self.region.projection, self.region.design
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


@dataclass(frozen=True)
class _General(_Chart):
    """Of any form: its free parameters, ln_NAME for one whose prior is flat in its logarithm."""

    trial: Trial

    def minimizer(self) -> lmfit.Minimizer:
        import lmfit

        trial = self.trial

        def residual(params: lmfit.Parameters) -> FloatArray:
            chain = {name: np.array([value]) for name, value in params.valuesdict().items() if name != "__lnsigma"}
            values = self.of_form(chain)
            out: FloatArray = trial.residual(np.array([[values[one.name][0] for one in trial.free]]))[0]
            return out

        params = lmfit.Parameters()
        for one in trial.free:
            margin = min(_LOWEST_START * one.size, 1e-3 * (one.high - one.low))
            inside = min(max(self.law.params[one.name], one.low + margin), one.high - margin)
            low, high = (max(one.low, LOWEST), one.high) if one.log else (one.low, one.high)
            if one.log:
                params.add(f"ln_{one.name}", value=math.log(inside), min=math.log(low), max=float(np.log(high)))
            else:
                params.add(one.name, value=inside, min=low, max=high)
        return lmfit.Minimizer(residual, params)

    def of_form(self, chain: Columns) -> dict[str, FloatArray]:
        draws = len(next(iter(chain.values())))
        held: Mapping[str, Any] = {name: np.full(draws, value) for name, value in self.trial.fixed.items()}
        free = {one.name: np.exp(chain[f"ln_{one.name}"]) if one.log else chain[one.name] for one in self.trial.free}
        return {name: free[name] if name in free else held[name] for name in self.law.params}

    def of_chain(self, params: Columns) -> dict[str, FloatArray]:
        logs = {f"ln_{one.name}": np.log(params[one.name]) for one in self.trial.free if one.log}
        return logs | {one.name: params[one.name] for one in self.trial.free if not one.log}
