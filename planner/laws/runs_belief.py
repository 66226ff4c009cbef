"""The belief that a fitted law's runs support, and what it is asked in the law's own terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.errors import FitError, InputError
from planner.laws.belief import KNOWN_RUNS, Belief, Measured, MixedBelief, NoisePrior, Points, believe
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import Form, get_form, opinions
from planner.laws.known import known
from planner.laws.memo import remembered
from planner.laws.weighting import ABSOLUTE

FloatArray = NDArray[np.float64]

_NEGLIGIBLE = 1e-6  # a share below this moves no digit that anyone reads


def can_be_believed(law: object) -> TypeGuard[FittedLaw]:
    """Whether a law has runs of its own, of several sizes, and no constraints: else other forms say nothing of them."""
    if not isinstance(law, FittedLaw) or law.data is None or law.constraints or law.joint:
        return False
    return bool(get_form(law.form).of_n)


@remembered
def belief_of(law: FittedLaw) -> Belief | MixedBelief:
    """What the runs of a law support, over every registered form; one without visual tokens only where a form takes it.

    Absolute standard errors are the noise of its runs; else the runs tell it.

    Raises:
        InputError: a law that was given or has constraints.
        FitError: runs of one size or one token count.
    """
    if law.data is None or not can_be_believed(law):
        raise InputError("a belief over all forms needs a law that was fitted freely to runs of its own")
    data = law.data
    forms = opinions()
    stated = law.stated_sd if law.error_se == ABSOLUTE else None
    noise = None if stated is None else NoisePrior(stated, KNOWN_RUNS)
    if noise is not None or not data.t.all():
        return _without_tokens_too(data, forms, noise)
    measured = _measured(data)
    names = " ".join(form.name for form in forms)
    return believe(measured, forms, lambda work_out: known(law, f"belief {names}", work_out))


def _measured(data: FitData) -> Measured:
    return Measured(data.n, data.t, data.llm_labels(), data.y, data.weights)


def _without_tokens_too(data: FitData, forms: Sequence[Form], noise: NoisePrior | None) -> Belief | MixedBelief:
    """The belief of runs of which some may have no visual tokens."""
    common = believe(_measured(data.with_tokens), forms, noise=noise)
    if data.t.all():
        return common
    able = [form for form in forms if form.finite_without_tokens]
    shares = common.shares()
    share = sum(shares.get(form.name, 0.0) for form in able)
    if not share:
        return common
    whole = believe(_measured(data), able, noise=noise)
    if share > 1 - _NEGLIGIBLE:
        return MixedBelief((whole,), (1.0,))
    return MixedBelief((common.without([form.name for form in able]), whole), (1 - share, share))


def points_of(law: FittedLaw, llm_params: ArrayLike, visual_tokens: ArrayLike, llm: ArrayLike | None) -> Points:
    """Points in the law's unit. A language model is one of the runs if it has its name and its size.

    Two models of one size are two, each known by its name; a size without a name is then neither of them.

    Args:
        law: whose runs.
        llm_params: nominal sizes in parameters, any shape.
        visual_tokens: above zero, broadcasting against `llm_params`.
        llm: names of the language models, likewise; None for one that no run has.

    Raises:
        InputError: a size or a count that is not positive.
    """
    law.check_points(llm_params, visual_tokens)
    n, t, names = np.broadcast_arrays(
        np.asarray(llm_params, float) / law.n_unit_params,
        np.asarray(visual_tokens, float),
        np.asarray("" if llm is None else llm, str),
    )
    n, data = n.ravel(), _data(law)
    kinds, which = _distinct(names.ravel(), n)
    labels = [_label(law, data, name, size) for name, size in kinds]
    return Points(n, t.ravel(), np.array(labels, dtype=str)[which])


def sized_points(
    law: FittedLaw, llm_params: FloatArray, visual_tokens: FloatArray, llm: Sequence[str] | None = None
) -> Points:
    """Points of sizes, of shape (points,): a size is one language model, measured if runs of one model have it.

    Args:
        llm: names of the first points, as `points_of` takes them: all points of a size are the model named there.
    """
    n = llm_params / law.n_unit_params
    labels = np.array([f"{size:.9g}" for size in n.tolist()], dtype=str)
    if llm is not None:
        named = points_of(law, llm_params[: len(llm)], visual_tokens[: len(llm)], np.array(llm, dtype=str)).llm
        by_size = dict(zip(labels.tolist(), named.tolist(), strict=False))
        labels = np.array([by_size.get(label, label) for label in labels.tolist()], dtype=str)
    return Points(n, visual_tokens, labels)


def expected_error(
    law: FittedLaw, llm_params: ArrayLike, visual_tokens: ArrayLike, llm: ArrayLike | None
) -> float | FloatArray:
    """The expected error at points; arguments as `points_of`, result as `FittedLaw.predict`."""
    shape = np.broadcast_shapes(np.shape(llm_params), np.shape(visual_tokens), () if llm is None else np.shape(llm))
    found = belief_of(law).expected(points_of(law, llm_params, visual_tokens, llm)).reshape(shape)
    return float(found) if not shape else found


def _data(law: FittedLaw) -> FitData:
    if law.data is None:
        raise FitError("the law has no runs")
    return law.data


def _label(law: FittedLaw, data: FitData, name: str, size: float) -> str:
    """What a language model is called: as the runs call it, or another one by its name."""
    if data.llm:
        measured = data.measured(size, name)
    else:  # nobody named the model of each run: those of the law, by size
        measured = name in law.llms and bool(np.isclose(size, data.n, rtol=1e-9, atol=0.0).any())
    return data.llm_label(size, name) if measured else f"not measured: {name}"


def _distinct(names: NDArray[np.str_], n: FloatArray) -> tuple[list[tuple[str, float]], NDArray[np.intp]]:
    """Distinct pairs of a name and a size, and which of them each point has."""
    kinds, name = np.unique(names, return_inverse=True)
    sizes, size = np.unique(n, return_inverse=True)
    pairs, which = np.unique(name.ravel() * len(sizes) + size.ravel(), return_inverse=True)
    return [(str(kinds[one // len(sizes)]), float(sizes[one % len(sizes)])) for one in pairs.tolist()], which.ravel()
