"""What runs identify, in words: which parameters of a law, and whether its predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from planner.base.quantities import format_percent, format_significant
from planner.laws.fitted import NOT_IDENTIFIED, FittedLaw
from planner.laws.intervals import LEVEL, Interval, identifiable, profiler


def verdict(law: FittedLaw, intervals: Mapping[str, Interval], level: float = LEVEL) -> tuple[str, ...]:
    """What the runs identify, in words: parameters first, then predictions at every measured size and token count.

    Predictions count as identified where their widest interval is narrower than what the law moves inside the data:
    else it does not even tell the best cell from the worst.

    Args:
        law: a fitted law.
        intervals: of its parameters, as `profiler(law).parameters()` gives them.
        level: of the intervals.

    Raises:
        InputError: the law was given, not fitted.
        FitError: too few runs for an interval, or constraints that intervals are not made for.
    """
    region = profiler(law, level)
    share = f"{100 * level:g} %"
    sentences = [law.advice] if law.status == NOT_IDENTIFIED else []
    lost = [name for name, closed in identifiable(dict(intervals)).items() if not closed]
    for name in lost:
        low, high = intervals[name].low, intervals[name].high
        if math.isnan(low) and math.isnan(high):
            bound = f"the {share} interval is open on both sides"
        elif math.isnan(low):
            bound = f"{share} upper bound {format_significant(high)}"
        else:
            bound = f"{share} lower bound {format_significant(low)}"
        sentences.append(f"{name} is not identified: {bound}")
    if not lost:
        sentences.append(f"every parameter is identified: the data close all {share} intervals")
    data = region.data
    sizes, counts = np.unique(data.n)[:, None] * law.n_unit_params, np.unique(data.with_tokens.t)
    error = np.asarray(law.predict(sizes, counts))
    low_error, high_error = region.predictions(sizes, counts)
    half = (high_error - low_error) / 2
    positive = error > 0  # a straight line in ln N can fall below
    widest = float((half[positive] / error[positive]).max(initial=0.0))
    width = f"{share} half-width at most {format_percent(widest, 1)} of the {law.predicts} inside the data"
    moved = error.max() - error.min()
    if 2 * half.max() < moved:
        sentences.append(f"predictions are identified: {width}")
    else:
        sentences.append(f"predictions are not identified: {width}, where the law moves by {format_significant(moved)}")
    return tuple(sentences)
