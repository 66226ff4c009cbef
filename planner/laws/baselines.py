"""What needs no law: predictions of held-out runs from the runs beside them.

| name | prediction of a held-out run |
|---|---|
| nearest | the run nearest in ln N at the same T (leave one T out: nearest in ln T at the same N); ties are averaged |
| line | least-squares line in ln N through the runs at the same T (in ln T at the same N) |
| one_line | least-squares line in ln N (in ln T) through all training runs |
| mean | mean error of the training runs |

Of several language models of one N the run's own is meant, by its name. Where the training rows hold no such T (N),
`nearest` takes the nearest one that they hold and `line` is `one_line`.

Letters: m held-out runs of a fold, n training runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planner.laws.fitted import FitData

FloatArray = NDArray[np.float64]

BASELINES = ("nearest", "line", "one_line", "mean")

_SAME = 1e-9  # logarithms of N or T nearer than this are one level
_OTHER = 1e-6  # of N, for another model of that size: nearer than any other size


def baselines(
    data: FitData, n: FloatArray, t: FloatArray, along: str, llm: Sequence[str] = ()
) -> dict[str, FloatArray]:
    """What each of BASELINES, fitted to training runs, says of runs at n (m,) and t (m,), in the units of `data`.

    Args:
        llm: names of the language models, (m,).
    """
    logs = [(np.log(data.n), np.log(n)), (np.log(data.t), np.log(t))]
    (x, x_held), (group, group_held) = logs if along == "N" else logs[::-1]
    gap, group_gap = np.abs(x_held[:, None] - x), np.abs(group_held[:, None] - group)  # (m, n)
    if along == "T" and data.llm and len(llm):
        other = np.array(llm, dtype=str)[:, None] != np.array(data.llm, dtype=str)
        group_gap = group_gap + _OTHER * other
    in_group = group_gap <= group_gap.min(axis=1, keepdims=True) + _SAME
    gap = np.where(in_group, gap, np.inf)
    nearest = (gap <= gap.min(axis=1, keepdims=True) + _SAME) * data.weights
    everything = np.broadcast_to(data.weights, gap.shape)
    one_line, _ = _line(x, data.y, everything, x_held)
    line, determined = _line(x, data.y, (group_gap <= _SAME) * data.weights, x_held)
    return {
        "nearest": nearest @ data.y / nearest.sum(axis=1),
        "line": np.where(determined, line, one_line),
        "one_line": one_line,
        "mean": everything @ data.y / everything.sum(axis=1),
    }


def _line(
    x: FloatArray, y: FloatArray, weights: FloatArray, x_held: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """m weighted least-squares lines through x, y (n,), weights (m, n), read off at x_held (m,).

    Returns:
        The values, and whether each line has two levels to go through.
    """
    total = np.maximum(weights.sum(axis=1), 1e-300)
    x_mean, y_mean = weights @ x / total, weights @ y / total
    away = x - x_mean[:, None]
    spread = np.einsum("mn,mn->m", weights, away**2)
    determined = spread > total * _SAME**2
    slope = np.einsum("mn,mn,n->m", weights, away, y) / np.where(determined, spread, 1.0)
    return y_mean + slope * (x_held - x_mean), determined
