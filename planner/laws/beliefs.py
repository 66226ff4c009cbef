"""How sure is a law of the errors of configurations, and what would a run there change?

Around a fit, the errors of any configurations are taken as jointly Gaussian, in standard units u ~ N(0, 1) each:

    errors = predictions + L u,   L (points, columns)

Of an average of forms the columns of L are draws of its belief (`planner.laws.belief`). Of one form's law, for every
form that the runs allow, with its Akaike weight w, L holds sqrt(w) times (i) the gradient in its parameters times their
standard errors (those at a bound stay there) and (ii) how far its prediction lies from the law's own: where forms drift
apart, nobody knows.

Models that others made lie above or below a law that was fitted to some: each by its own N(0, sd^2), the same for all
of its points. That is a column of L for each model, sd at its points.

Letters: P points, C cells, K candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.errors import FitError, InputError, UnknownNameError
from planner.base.quantities import shown
from planner.laws.combined import MIX, CombinedLaw, Law
from planner.laws.compare import evidence, other_forms
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import get_form
from planner.laws.runs_belief import belief_of, can_be_believed, sized_points

FloatArray = NDArray[np.float64]
Points = tuple[ArrayLike, ArrayLike]
"""(llm_params, visual_tokens), each of one entry a point."""

FORMS_TRUSTED = ("all", "own")

_PRIOR_SD = 1.0  # of every parameter, in its usual size: it keeps flat directions finite
_DRAWS = 1000  # of the belief over all forms
_NEGLIGIBLE = 1e-3  # an Akaike weight below this moves no digit that anyone reads


@dataclass(frozen=True, eq=False)
class Spread:
    """How far models lie off a law."""

    sd: float
    """Standard deviation of a model's own offset in error; 0: all of them follow the law."""
    model_of_point: NDArray[np.intp]
    """Which model each point belongs to, shape (P,); points of one model share its offset. -1: one that the law was
    fitted to, which has none."""

    def columns(self) -> FloatArray:
        """What it adds to L, shape (P, models)."""
        models = np.unique(self.model_of_point[self.model_of_point >= 0])
        found: FloatArray = self.sd * (self.model_of_point[:, None] == models)
        return found


@dataclass(frozen=True, eq=False)
class Beliefs:
    """Jointly Gaussian errors of some points, and the noise of a run."""

    errors: FloatArray
    """The law's own predictions, shape (P,)."""
    loadings: FloatArray
    """L: the covariance of the errors is L L^T, shape (P, columns)."""
    noise_variance: float
    """Of the measured error of one run of mean weight, about its expectation."""
    log_det_gain: FloatArray
    """By how much a run at each point raises log det of the information matrix, shape (P,)."""
    sampling_variance: FloatArray | float = 0.0
    """What the noise of a run at each point has more, as it is evaluated on few questions, shape (P,)."""

    @property
    def noise(self) -> FloatArray:
        """Variance of a run's measured error at each point, (P,)."""
        return np.broadcast_to(np.asarray(self.noise_variance + self.sampling_variance), self.errors.shape)

    @property
    def sd(self) -> FloatArray:
        """Standard deviation of each error, shape (P,)."""
        found: FloatArray = np.sqrt(np.einsum("pr,pr->p", self.loadings, self.loadings))
        return found

    def steps(self, candidates: slice, cells: slice) -> FloatArray:
        """b: by how much a run at each cell moves each candidate, per unit of z, shape (C, K)."""
        there = self.loadings[cells]
        spread = np.sqrt(np.einsum("cr,cr->c", there, there) + self.noise[cells])
        b: FloatArray = there @ self.loadings[candidates].T / spread[:, None]
        return b

    def only(self, positions: NDArray[np.intp]) -> Beliefs:
        """The beliefs of some of the points."""
        return replace(
            self,
            errors=self.errors[positions],
            loadings=self.loadings[positions],
            log_det_gain=self.log_det_gain[positions],
            sampling_variance=np.broadcast_to(self.sampling_variance, self.errors.shape)[positions],
        )

    def after(self, position: int) -> Beliefs:
        """The beliefs once a run at a point is known; what it shows moves the errors, and is not known yet."""
        there = self.loadings[position]
        variance = float(there @ there)
        if variance == 0:
            return self
        noise = float(self.noise[position])
        shrink = (1 - np.sqrt(noise / (variance + noise))) / variance
        return replace(self, loadings=self.loadings - shrink * np.outer(self.loadings @ there, there))


def believe(
    law: Law,
    points: Points,
    *,
    forms: str = "all",
    noise_sd: float | None = None,
    spread: Spread | None = None,
    questions: int | None = None,
) -> Beliefs:
    """What a law says of the errors of points, and how sure it is. Arguments and errors as `design.gains`."""
    found = _believe(law, points, forms, noise_sd)
    if questions is not None and noise_sd is None:
        error = np.clip(found.errors, 0.0, 1.0)
        found = replace(found, sampling_variance=error * (1 - error) / questions)
    if spread is None or not spread.sd:
        return found
    return replace(found, loadings=np.hstack([found.loadings, spread.columns()]))


def _believe(law: Law, points: Points, forms: str, noise_sd: float | None) -> Beliefs:
    if forms not in FORMS_TRUSTED:
        raise UnknownNameError("choice of forms", forms, FORMS_TRUSTED)
    if noise_sd is not None and not (np.isfinite(noise_sd) and noise_sd > 0):
        raise InputError(f"noise_sd: expected a number above 0, got {shown(noise_sd)}")
    n, t = np.asarray(points[0], float), np.asarray(points[1], float)
    if isinstance(law, CombinedLaw) and law.kind == MIX:
        # one model is evaluated on all tasks; what is known of them was measured independently
        tasks = [_believe(member, points, forms, None) for member in law.members]
        return Beliefs(
            errors=np.asarray(law.predict(n, t)),
            loadings=np.hstack([w * task.loadings for w, task in zip(law.weights, tasks, strict=True)]),
            noise_variance=noise_sd**2
            if noise_sd is not None
            else sum(w**2 * task.noise_variance for w, task in zip(law.weights, tasks, strict=True)),
            log_det_gain=np.sum([task.log_det_gain for task in tasks], axis=0),
        )
    if isinstance(law, CombinedLaw) and can_be_believed(law.runs_of):
        return _of_all_forms(law, n, t, noise_sd)
    own = np.atleast_1d(law.predict(n, t))
    shares = _shares(law, forms)
    noises = {one.form: _noise_variance(one) if noise_sd is None else noise_sd**2 for one, _ in shares}
    blocks = []
    for one, share in shares:
        apart = np.atleast_1d(one.predict(n, t)) - own
        sure = _loadings(one, n, t, noises[one.form], hold_bounds=True)
        blocks.append(np.sqrt(share) * np.column_stack([sure, apart]))
    weights = shares if isinstance(law, CombinedLaw) else [(law, 1.0)]
    noise_variance = sum(share * noises[one.form] for one, share in shares)
    return Beliefs(own, np.hstack(blocks), noise_variance, _information(weights, noises, n, t))


def _of_all_forms(law: CombinedLaw, n: FloatArray, t: FloatArray, noise_sd: float | None) -> Beliefs:
    """What the belief over all forms says: its draws are the columns. A size that was measured is that model."""
    known, runs = belief_of(law.runs_of), law.runs_of
    points = sized_points(runs, n, t)
    draws = known.draws(points, _DRAWS)
    noise_variance = (known.noise_sd() if noise_sd is None else noise_sd) ** 2
    shares = _shares(law, "all")
    noises = {one.form: noise_variance for one, _ in shares}
    return Beliefs(
        errors=known.expected(points),
        loadings=(draws - draws.mean(axis=0)).T / np.sqrt(_DRAWS - 1),
        noise_variance=noise_variance,
        log_det_gain=_information(shares, noises, n, t),
    )


def _information(
    shares: list[tuple[FittedLaw, float]], noises: Mapping[str, float], n: FloatArray, t: FloatArray
) -> FloatArray:
    """By how much a run at each point raises log det of the information matrix, shape (P,)."""
    found = np.zeros(len(n))
    for one, share in shares:
        noise = noises.get(one.form) or _noise_variance(one)
        free = _loadings(one, n, t, noise, hold_bounds=False)
        found += share * np.log1p(np.einsum("pr,pr->p", free, free) / noise)
    return found


def _loadings(law: FittedLaw, n: FloatArray, t: FloatArray, noise_variance: float, hold_bounds: bool) -> FloatArray:
    """Gradient of the error times a root of the parameters' covariance, shape (P, free parameters)."""
    form, data = get_form(law.form), run_data(law)
    held = {name for name, imposed in law.constraints.items() if "value" in imposed}
    held |= set(law.at_bound) if hold_bounds else set()
    free = [i for i, name in enumerate(form.param_names) if name not in held]
    sizes = np.array([form.parameters[i].size for i in free])
    jacobian = form.gradient(law.params, data.n, data.t)[:, free] * np.sqrt(data.weights / noise_variance)[:, None]
    # the root of (J^T J + 1 / prior variance)^-1, from singular values: nothing is squared
    _, singular, rotation = np.linalg.svd(np.vstack([jacobian, np.diag(1 / (_PRIOR_SD * sizes))]), full_matrices=False)
    gradient = form.gradient(law.params, n / law.n_unit_params, t)[:, free]
    loadings: FloatArray = gradient @ rotation.T / singular
    return loadings


def _noise_variance(law: FittedLaw) -> float:
    """Weighted residual sum over degrees of freedom: the variance of a run of mean weight. Raises FitError."""
    form, data = get_form(law.form), run_data(law)
    dof = len(data.y) - (len(form.param_names) - sum("value" in imposed for imposed in law.constraints.values()))
    if dof < 1:
        raise FitError(
            f"{len(data.y)} runs and as many parameters leave no residual that tells the noise: measure more, or say "
            "how noisy a run is (noise_sd)"
        )
    residual = data.y - form.value(law.params, data.n, data.t)
    rounding = (8 * np.finfo(float).eps) ** 2 * float(data.weights @ data.y**2)
    return max(float(data.weights @ residual**2), rounding) / dof


def _shares(law: Law, forms: str) -> list[tuple[FittedLaw, float]]:
    """The forms to believe in, with their shares of the evidence."""
    if isinstance(law, CombinedLaw):
        members = zip(law.members, law.weights, strict=True)
        return [(one, weight) for one, weight in members if isinstance(one, FittedLaw)]
    run_data(law)
    if any("expr" in imposed for imposed in law.constraints.values()):
        raise InputError("next runs need free or fixed parameters: this law has tied ones; fit it without")
    laws = other_forms(law) if forms == "all" else [law]
    weights = {one.form: 0.0 for one in laws}
    for row in evidence(laws) if len(laws) > 1 else ():
        weights[row.law.form] += row.weight
    kept = [(one, weights[one.form]) for one in laws if weights[one.form] > _NEGLIGIBLE]
    total = sum(weight for _, weight in kept)
    return [(one, weight / total) for one, weight in kept] or [(law, 1.0)]  # too few runs to compare forms


def run_data(law: FittedLaw) -> FitData:
    """The runs of a law. Raises InputError for one that was given."""
    if law.data is None:
        raise InputError(
            "next runs need a fitted law: this one was given, it has no runs that would say how sure it is"
        )
    return law.data
