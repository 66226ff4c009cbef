"""Resampled fits: what the law might have been, had the noise fallen otherwise.

The design stays as it is (sizes and token counts were chosen, not drawn); residuals are resampled around the fit:

    residual   residuals drawn with replacement: too narrow, since a fit shrinks its own residuals
    leverage   residuals divided by sqrt(1 - h) first, h the leverage of the run
    wild       each run's own leverage-corrected residual with a random sign, for noise that differs between runs;
               with cluster="llm" one sign for all runs of a language model, for noise that its training shares
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import whole_number
from planner.laws.engine.optimum import best_fits
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form

FloatArray = NDArray[np.float64]

KINDS = ("leverage", "residual", "wild")


@dataclass(frozen=True)
class Draws:
    """Parameters of resampled fits."""

    law: FittedLaw
    params: dict[str, FloatArray]
    """Each parameter, shape (R,)."""
    kind: str
    seed: int

    def __len__(self) -> int:
        return len(next(iter(self.params.values())))

    def predict(self, llm_params: FloatArray, visual_tokens: FloatArray) -> FloatArray:
        """The error by every draw, shape (R, *broadcast of the points)."""
        n, t = np.broadcast_arrays(np.asarray(llm_params, float), np.asarray(visual_tokens, float))
        params = {name: value.reshape(-1, *[1] * n.ndim) for name, value in self.params.items()}
        return get_form(self.law.form).value(params, n / self.law.n_unit_params, t)  # type: ignore[arg-type]  # arrays

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """The percentile interval of a parameter."""
        low, high = np.quantile(self.params[name], [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def bootstrap(
    law: FittedLaw, replicates: int = 1000, *, kind: str = "leverage", cluster: str | None = None, seed: int = 0
) -> Draws:
    """Fit the law again to resampled errors, all replicates in one batch.

    Args:
        law: a fitted law without constraints of the user.
        replicates: how many fits.
        kind: "leverage", "residual" or "wild".
        cluster: "llm" to give all runs of one language model the same sign; with kind="wild" only.
        seed: the same seed gives the same draws.

    Raises:
        InputError: a law without runs or with constraints, or a cluster for another kind.
        UnknownNameError: no such kind or cluster.
    """
    whole_number(replicates, "replicates", 1)
    if kind not in KINDS:
        raise UnknownNameError("bootstrap", kind, KINDS)
    if cluster not in (None, "llm"):
        raise UnknownNameError("cluster", str(cluster), ("llm",))
    if cluster is not None and kind != "wild":
        raise InputError(f"cluster: needs kind='wild', got kind={kind!r}")
    if law.data is None or law.constraints:
        why = "was given, it has no runs" if law.data is None else "has constraints"
        raise InputError(f"the bootstrap needs a freely fitted law: this one {why}")
    data = law.data
    root = np.sqrt(data.weights)
    model = get_form(law.form).value(law.params, data.n, data.t)
    residual = (data.y - model) * root
    if kind != "residual":
        residual = residual / np.sqrt(np.maximum(1 - leverages(law), 1e-6))
    random = np.random.default_rng(seed)
    shape = (replicates, len(data.y))
    if kind == "wild":
        groups = data.llm_groups() if cluster else np.arange(len(data.y))
        signs = random.choice([-1.0, 1.0], size=(replicates, groups.max() + 1))
        noise = residual * signs[:, groups]
    else:
        noise = random.choice(residual - residual.mean(), size=shape)
    params = best_fits(get_form(law.form), data.n, data.t, model + noise / root, data.weights, law.params)
    return Draws(law, params, kind, seed)


def leverages(law: FittedLaw) -> FloatArray:
    """The leverage of every run, between 0 and 1: how far its own error pulls the fit there, shape (n,).

    Parameters at a bound do not move, so they take no leverage.
    """
    if law.data is None:
        raise InputError("leverages need a fitted law: this one was given, it has no runs")
    form, data = get_form(law.form), law.data
    free = [i for i, name in enumerate(form.param_names) if name not in law.at_bound]
    jacobian = form.gradient(law.params, data.n, data.t)[:, free] * np.sqrt(data.weights)[:, None]
    lengths = np.linalg.norm(jacobian, axis=0)
    basis, singular, _ = np.linalg.svd(jacobian / np.where(lengths > 0, lengths, 1.0), full_matrices=False)
    kept: FloatArray = basis[:, singular > 1e-10 * singular[0]]
    leverage: FloatArray = np.sum(kept**2, axis=1)
    return leverage
