"""How sure is a law of the errors of configurations, and what would a run there change?

An average of forms is asked through its belief (`planner.laws.belief`), whose tails are long: joint draws say it
(`planner.laws.drawn`). Around the fit of one form, the errors of any configurations are taken as jointly Gaussian, in
standard units u ~ N(0, 1) each (`planner.laws.gaussian`):

    errors = predictions + L u,   L (points, columns)

For every form that the runs allow, with its Akaike weight w, L holds sqrt(w) times (i) the gradient in its parameters
times their standard errors (those at a bound stay there) and (ii) how far its prediction lies from the law's own: where
forms drift apart, nobody knows.

Models that others made lie above or below a law that was fitted to some: each by its own N(0, sd^2), the same for all
of its points. That is a column of L for each model, sd at its points. As these offsets are Gaussian and larger than
what runs leave open of a law, an average of forms is taken as Gaussian beside them: draws of its belief are columns.

Letters: P points, C cells, K candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import FitError, InputError, UnknownNameError
from planner.base.quantities import shown
from planner.laws.combined import MIX, CombinedLaw, Law
from planner.laws.compare import evidence, other_forms
from planner.laws.drawn import DRAWS, DrawnBeliefs
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import get_form
from planner.laws.gaussian import GaussianBeliefs
from planner.laws.runs_belief import belief_of, can_be_believed, points_of, sized_points
from planner.laws.spread import Spread
from planner.laws.weighting import ABSOLUTE
from planner.runs.table import ERROR

FloatArray = NDArray[np.float64]
Points = tuple[ArrayLike, ArrayLike]
"""(llm_params, visual_tokens), each of one entry a point."""
Beliefs: TypeAlias = GaussianBeliefs | DrawnBeliefs

FORMS_TRUSTED = ("all", "own")

_PRIOR_SD = 1.0  # of every parameter, in its usual size: it keeps flat directions finite
_COLUMNS = 1000  # draws of an average's belief, where its covariance is asked for
_NEGLIGIBLE = 1e-3  # an Akaike weight below this moves no digit that anyone reads


def believe(
    law: Law,
    points: Points,
    *,
    forms: str = "all",
    noise_sd: float | None = None,
    spread: Spread | None = None,
    questions: int | None = None,
    llm: Sequence[str] | None = None,
    seed: int = 0,
) -> Beliefs:
    """What a law says of the errors of points, and how sure it is. Arguments and errors as `run_gains.gains`.

    Args:
        llm: names of the language models of the first points; a further point of one of their sizes is that model,
            and one of another size the measured model of it, if there is one. None: a size is one model.
    """
    _of_errors(law)
    if forms not in FORMS_TRUSTED:
        raise UnknownNameError("choice of forms", forms, FORMS_TRUSTED)
    if noise_sd is not None and not (np.isfinite(noise_sd) and noise_sd > 0):
        raise InputError(f"noise_sd: expected a number above 0, got {shown(noise_sd)}")
    n, t = np.asarray(points[0], float), np.asarray(points[1], float)
    sampling = np.zeros(n.shape)
    offsets = np.zeros((len(n), 0)) if spread is None or not spread.sd else spread.columns()
    if not offsets.shape[1] and _has_draws(law):
        drawn = _draws(law, n, t, forms, noise_sd, llm, seed)
        if questions is not None and noise_sd is None:
            sampling = of_questions(drawn.expected, questions)
        moved = drawn.errors - drawn.errors.mean(axis=0) + drawn.expected
        return DrawnBeliefs(drawn.expected, moved, drawn.noise_sd, drawn.log_det_gain, sampling)
    found = _gaussian(law, n, t, forms, noise_sd)
    if questions is not None and noise_sd is None:
        sampling = of_questions(found.errors, questions)
    loadings = np.hstack([found.loadings, offsets])
    return replace(found, loadings=loadings, sampling_variance=sampling, pruned=spread is not None)


@dataclass(frozen=True, eq=False)
class _Draws:
    expected: FloatArray
    """(P,)."""
    errors: FloatArray
    """(DRAWS, P)."""
    noise_sd: FloatArray
    """(DRAWS,)."""
    log_det_gain: FloatArray
    """(P,)."""


def _has_draws(law: Law) -> bool:
    """Whether any part of a law is an average with a belief of its own."""
    if not isinstance(law, CombinedLaw):
        return False
    return any(map(_has_draws, law.members)) if law.kind == MIX else can_be_believed(law.runs_of)


def _draws(
    law: Law, n: FloatArray, t: FloatArray, forms: str, noise_sd: float | None, llm: Sequence[str] | None, seed: int
) -> _Draws:
    noise = None if noise_sd is None else np.full(DRAWS, noise_sd)
    if not isinstance(law, CombinedLaw) or not _has_draws(law):
        one = _gaussian(law, n, t, forms, noise_sd)
        u = np.random.default_rng([seed, 1]).standard_normal((DRAWS, one.loadings.shape[1]))
        own_noise = np.full(DRAWS, np.sqrt(one.noise_variance))
        return _Draws(one.errors, one.errors + u @ one.loadings.T, own_noise, one.log_det_gain)
    if law.kind == MIX:
        # one model is evaluated on all tasks; what is known of them was measured independently
        tasks = [_draws(member, n, t, forms, None, llm, seed + i) for i, member in enumerate(law.members)]
        pairs = [np.random.default_rng([seed, i]).permutation(DRAWS) for i in range(len(tasks))]
        parts = list(zip(law.weights, tasks, pairs, strict=True))
        return _Draws(
            expected=np.asarray(sum(w * task.expected for w, task, _ in parts)),
            errors=np.asarray(sum(w * task.errors[pair] for w, task, pair in parts)),
            noise_sd=np.sqrt(sum((w * task.noise_sd[pair]) ** 2 for w, task, pair in parts))
            if noise is None
            else noise,
            log_det_gain=np.sum([task.log_det_gain for task in tasks], axis=0),
        )
    known, asked = belief_of(law.runs_of), sized_points(law.runs_of, n, t, llm)
    errors, own_noise = known.draws_of(asked, DRAWS, seed)
    shares = _shares(law, "all")
    variance = known.noise_sd() ** 2 if noise_sd is None else noise_sd**2
    information = _information(shares, {one.form: variance for one, _ in shares}, n, t)
    return _Draws(known.expected(asked), errors, own_noise if noise is None else noise, information)


def _of_errors(law: Law) -> None:
    """Raises InputError for a law of losses."""
    if law.predicts != ERROR:
        raise InputError(
            f"next runs are ranked by errors between 0 and 1: this law predicts a {law.predicts}; fit errors or scores"
        )


def of_questions(errors: FloatArray, questions: int) -> FloatArray:
    """Variance of a share of right answers to so many questions."""
    error = np.clip(errors, 0.0, 1.0)
    return error * (1 - error) / questions


def gaussian_belief(
    law: Law, llm_params: FloatArray, visual_tokens: FloatArray, llm: NDArray[np.str_]
) -> GaussianBeliefs:
    """What a law says of points, taken as Gaussian: of an average over all forms, of any other in its own form alone.

    Args:
        law: fitted, or an average.
        llm_params: nominal sizes, shape (P,).
        visual_tokens: (P,).
        llm: names of the language models, (P,): where models may differ, each name is one.

    Raises:
        InputError: a law without runs, with tied parameters, or of losses.
        FitError: too few runs to know the noise.
    """
    _of_errors(law)
    return _gaussian(law, llm_params, visual_tokens, "own", None, llm)


def _gaussian(
    law: Law, n: FloatArray, t: FloatArray, forms: str, noise_sd: float | None, llm: NDArray[np.str_] | None = None
) -> GaussianBeliefs:
    if isinstance(law, CombinedLaw) and law.kind == MIX:
        # one model is evaluated on all tasks; what is known of them was measured independently
        tasks = [_gaussian(member, n, t, forms, None) for member in law.members]
        return GaussianBeliefs(
            errors=np.asarray(law.predict(n, t)),
            loadings=np.hstack([w * task.loadings for w, task in zip(law.weights, tasks, strict=True)]),
            noise_variance=noise_sd**2
            if noise_sd is not None
            else sum(w**2 * task.noise_variance for w, task in zip(law.weights, tasks, strict=True)),
            log_det_gain=np.sum([task.log_det_gain for task in tasks], axis=0),
        )
    if isinstance(law, CombinedLaw) and can_be_believed(law.runs_of):
        return _of_all_forms(law, n, t, noise_sd, llm)
    own = np.atleast_1d(law.predict(n, t))
    shares = _shares(law, forms)
    noises = {one.form: _noise_variance(one) if noise_sd is None else noise_sd**2 for one, _ in shares}
    blocks = []
    for one, share in shares:
        apart = np.atleast_1d(one.predict(n, t)) - own
        sure = _loadings(one, n, t, noises[one.form], hold_bounds=True)
        blocks.append(np.sqrt(share) * np.column_stack([sure, apart]))
    weights = shares if isinstance(law, CombinedLaw) else [(fitted_law(law, "what to measure next"), 1.0)]
    noise_variance = sum(share * noises[one.form] for one, share in shares)
    return GaussianBeliefs(own, np.hstack(blocks), noise_variance, _information(weights, noises, n, t))


def _of_all_forms(
    law: CombinedLaw, n: FloatArray, t: FloatArray, noise_sd: float | None, llm: NDArray[np.str_] | None
) -> GaussianBeliefs:
    """The covariance of the belief over all forms: its draws are the columns, of named models cut to what errors can
    be."""
    known = belief_of(law.runs_of)
    points = sized_points(law.runs_of, n, t) if llm is None else points_of(law.runs_of, n, t, llm)
    draws = known.draws(points, _COLUMNS)
    if llm is not None:
        draws = np.clip(draws, 0.0, 1.0)
    noise_variance = (known.noise_sd() if noise_sd is None else noise_sd) ** 2
    shares = _shares(law, "all")
    return GaussianBeliefs(
        errors=known.expected(points),
        loadings=(draws - draws.mean(axis=0)).T / np.sqrt(_COLUMNS - 1),
        noise_variance=noise_variance,
        log_det_gain=_information(shares, {one.form: noise_variance for one, _ in shares}, n, t),
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
    if law.error_se == ABSOLUTE and law.stated_sd is not None:
        return law.stated_sd**2
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
    law = fitted_law(law, "what to measure next")
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


def fitted_law(law: Law, what: str) -> FittedLaw:
    """The law itself, where it is one of fitted parameters. Raises InputError, in which `what` needs such a law."""
    if not isinstance(law, FittedLaw):
        raise InputError(f"{what} needs a law that was fitted to runs; this one is of the {law.form} form")
    return law


def run_data(law: FittedLaw) -> FitData:
    """The runs of a law. Raises InputError for one that was given."""
    if law.data is None:
        raise InputError(
            "next runs need a fitted law: this one was given, it has no runs that would say how sure it is"
        )
    return law.data
