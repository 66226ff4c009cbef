"""Draws of a law whose form the exact engine does not know, kept for the laws used last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.laws.engine.sampler import DRAWS, SCOUTS, Length, walk
from planner.laws.engine.trial import Trial
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form
from planner.laws.memo import remembered

FloatArray = NDArray[np.float64]

_NO_NOISE = 1e-20  # relative: sums of squares below this are rounding


@remembered
def trial_of(law: FittedLaw) -> Trial:
    """The runs of a law and what its user held. Raises InputError for a law that was given."""
    data = law.data
    if data is None:
        raise InputError("draws need a fitted law: this one was given, it has no runs")
    held = {name: law.params[name] for name, imposed in law.constraints.items() if "value" in imposed}
    return Trial(get_form(law.form), data.n, data.t, data.y, np.sqrt(data.weights), held)


@remembered
def walk_of(law: FittedLaw) -> FloatArray:
    """Draws of the free parameters of a law, (draws, p). Raises InputError for a law that was given."""
    return _walk(law, DRAWS)


@remembered
def scouts_of(law: FittedLaw) -> FloatArray:
    """Places all over the likelihood region of a law, (places, p), from a shorter walk."""
    return _walk(law, SCOUTS)


def _walk(law: FittedLaw, length: Length) -> FloatArray:
    trial = trial_of(law)
    floor = _NO_NOISE * float(np.sum((trial.root * trial.y) ** 2))
    return walk(trial, best_of(law), floor, length)


def best_of(law: FittedLaw) -> FloatArray:
    """The free parameters of a law at its optimum, (p,)."""
    return np.array([law.params[one.name] for one in trial_of(law).free])
