"""How sure the law of a joint fit is: extremes over the parameters that the fit met at the edge of its region.

Letters: M parameter sets met at a level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.errors import FitError, InputError, LawFileError
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form
from planner.laws.intervals import KINDS, LEVEL, Interval
from planner.laws.joint.profile import LEVELS, quantile_of

FloatArray = NDArray[np.float64]


def joint_interval(
    law: FittedLaw, llm_params: ArrayLike, visual_tokens: ArrayLike, level: float = LEVEL, kind: str = "mean"
) -> tuple[FloatArray, FloatArray]:
    """Profile intervals of the error at many points, from the parameters kept in the law of a joint fit.

    Args:
        law: the law of one group of a joint fit.
        llm_params: in parameters.
        visual_tokens: broadcasts against `llm_params`.
        level: up to 0.99.
        kind: "mean" for the law itself, "new-run" for one more run of mean weight, with its own noise.

    Returns:
        low and high, each of the broadcast shape.

    Raises:
        InputError: a law of no joint fit, or a level outside what was kept.
        FitError: the joint fit could keep no intervals.
    """
    if kind not in KINDS:
        raise InputError(f"kind: expected {' or '.join(KINDS)}, got {kind!r}")
    centre = np.asarray(law.predict(llm_params, visual_tokens))
    low, high = _extremes(law, level, lambda at: at(llm_params, visual_tokens), centre)
    if kind == "mean":
        return low, high
    noise = quantile_of(level, law.joint["dof"], law.error_se) ** 2 * law.joint["noise_variance"]
    return centre - np.sqrt((centre - low) ** 2 + noise), centre + np.sqrt((high - centre) ** 2 + noise)


def joint_difference(
    law: FittedLaw,
    llm_params: ArrayLike,
    visual_tokens: ArrayLike,
    reference: tuple[float, float],
    level: float = LEVEL,
) -> tuple[FloatArray, FloatArray]:
    """Profile intervals of the error at many points less the error at one reference (llm_params, visual_tokens).

    Raises:
        InputError, FitError: as `joint_interval`.
    """
    n, t = np.broadcast_arrays(np.asarray(llm_params, float), np.asarray(visual_tokens, float))
    at_reference = (np.full(n.shape, reference[0]), np.full(n.shape, reference[1]))
    centre = np.asarray(law.predict(n, t)) - np.asarray(law.predict(*at_reference))
    return _extremes(law, level, lambda at: at(n, t) - at(*at_reference), centre)


def joint_parameters(law: FittedLaw, level: float = LEVEL) -> dict[str, Interval]:
    """Profile intervals of the parameters of one group of a joint fit; an end that a bound cuts off is open (NaN).

    Raises:
        InputError, FitError: as `joint_interval`.
    """
    kept, around = _kept(law)["ends"], _levels_around(law, level)

    def end(name: str, side: str) -> float:
        values = [(math.nan if kept[name][side][k] is None else kept[name][side][k], share) for k, share in around]
        return law.params[name] + math.fsum(share * (value - law.params[name]) for value, share in values)

    return {name: Interval(end(name, "low"), end(name, "high")) for name in law.params}


def _extremes(
    law: FittedLaw, level: float, quantity: Callable[[Callable[..., FloatArray]], FloatArray], centre: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Least and greatest of a function of the law over the parameters kept at a level."""
    kept, ends = _kept(law)["params"], []
    for k, share in _levels_around(law, level):
        sets = {name: np.array(values[k], float) for name, values in kept.items()}  # each (M,)

        def at(llm_params: ArrayLike, visual_tokens: ArrayLike, sets: dict[str, FloatArray] = sets) -> FloatArray:
            """The error by every set, (M, *broadcast of the points)."""
            n, t = np.broadcast_arrays(np.asarray(llm_params, float), np.asarray(visual_tokens, float))
            params: Any = {name: value.reshape(-1, *[1] * n.ndim) for name, value in sets.items()}
            return get_form(law.form).value(params, n / law.n_unit_params, t)

        off = quantity(at) - centre
        ends.append((share * np.minimum(off.min(axis=0), 0.0), share * np.maximum(off.max(axis=0), 0.0)))
    low, high = (centre + np.sum(sides, axis=0) for sides in zip(*ends, strict=True))
    return low, high


def _levels_around(law: FittedLaw, level: float) -> list[tuple[int, float]]:
    """(kept level, share) with which offsets from the optimum add up to those at a level.

    They are interpolated in Student's t, in which those of a regular profile are a straight line through 0.
    """
    if not 0 < level <= LEVELS[-1]:
        raise InputError(f"level: expected a number above 0 and up to {LEVELS[-1]}, got {level!r}")
    if level in LEVELS:
        return [(LEVELS.index(level), 1.0)]
    t = np.array([0.0, *(quantile_of(kept, law.joint["dof"], law.error_se) for kept in LEVELS)])
    here = quantile_of(level, law.joint["dof"], law.error_se)
    k = int(np.searchsorted(t, here))
    share = float((here - t[k - 1]) / (t[k] - t[k - 1]))
    return [(k - 1, share)] if k == 1 else [(k - 2, 1 - share), (k - 1, share)]


def _kept(law: FittedLaw) -> Mapping[str, Any]:
    """What the fit kept of its region. Raises InputError, FitError, LawFileError."""
    if not law.joint:
        raise InputError("this law comes from no joint fit: its intervals are those of profiler(law)")
    kept = law.joint.get("profile", {})
    if kept is None:
        raise FitError(
            "the joint fit kept no intervals: its runs leave parameters free, or none to spare for the noise"
        )
    try:
        shapes = {np.array(kept["params"][name], float).shape for name in law.params}
        good = len(shapes) == 1 and shapes.pop()[0] == len(LEVELS)
        good &= all(len(kept["ends"][name][side]) == len(LEVELS) for name in law.params for side in ("low", "high"))
        good &= int(law.joint["dof"]) > 0 and float(law.joint["noise_variance"]) >= 0
    except (KeyError, TypeError, ValueError, AttributeError):
        good = False
    if not good:
        raise LawFileError(f"the law {law.name} is damaged: its field 'joint' holds no profile; fit it again")
    content: Mapping[str, Any] = kept
    return content
