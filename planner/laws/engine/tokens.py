"""The best number of visual tokens on a budget of 2 N (S + V) FLOPs, S the text tokens: every token spent costs size.

With the whole budget F spent, N = F / (2 (S + V)), and the error depends on V alone. Where a form has no formula for
the V of the least error, it is searched for: over ln V the error is looked at on a fine grid, every dip of it is
followed to its bottom, and the lowest bottom is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

FloatArray = NDArray[np.float64]

_BISECTIONS = 48  # of ln V between the limits: to 1e-14
_NODES = 257
_DIPS_MAX = 4  # followed to the bottom
_ROUNDS, _SIDE = 12, 9  # of a dip: each round is four times finer, to 1e-8 of its width
_FLAT = 5  # rounds after which the error still shows where its bottom is


@dataclass(frozen=True)
class BudgetLine:
    """Sizes and token counts that spend a budget."""

    text_tokens: float
    """S: text tokens that are prefilled and generated."""
    flops: float
    """F, of one request."""
    low: float
    """Least V allowed."""
    high: float
    """Most V allowed."""
    n_unit_params: float = 1e9
    """Unit of N, in parameters."""

    def n(self, tokens: FloatArray) -> FloatArray:
        """N, in its unit, of what spends the budget at V."""
        size: FloatArray = self.flops / (2 * (self.text_tokens + tokens)) / self.n_unit_params
        return size


def by_slopes(line: BudgetLine, n_slope: FloatArray, t_slope: FloatArray) -> FloatArray:
    """V* = t S / (n - t), the least V where tokens gain nothing, the most where they gain as much as N."""
    gap = np.asarray(n_slope - t_slope)
    best = np.where(gap > 0, t_slope * line.text_tokens / np.where(gap > 0, gap, 1.0), np.inf)
    return np.clip(np.where(t_slope == 0, 0.0, best), line.low, line.high)


def by_gains(line: BudgetLine, log_gains: FloatArray, exponents: FloatArray) -> FloatArray:
    """V* (K,) of two powers for ln(B beta / (A alpha)) (K,) and exponents (K, 2), by bisection on ln V.

    It is the root of  A alpha N^-alpha / (S + V) = B beta V^-(beta + 1). The derivative of the error has the sign of
    (1 + beta) ln V + (alpha - 1) ln(S + V) - alpha ln(F / 2) less log_gains, which rises with V: there is one root, or
    V* is at a limit.
    """
    alpha, beta = exponents[:, 0], exponents[:, 1]
    offset = log_gains + alpha * math.log(line.flops / (2 * line.n_unit_params))

    def rises(log_v: FloatArray) -> NDArray[np.bool_]:
        total = np.log(line.text_tokens + np.exp(log_v))
        return (1 + beta) * log_v + (alpha - 1) * total > offset

    left = np.full(len(offset), math.log(line.low))
    right = np.full(len(offset), math.log(line.high))
    at_low, at_high = rises(left), ~rises(right)
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        up = rises(middle)
        left, right = np.where(up, left, middle), np.where(up, middle, right)
    inside = np.clip(np.exp((left + right) / 2), line.low, line.high)
    return np.where(at_low, line.low, np.where(at_high, line.high, inside))


def by_search(
    line: BudgetLine,
    error: Callable[[FloatArray, FloatArray], FloatArray],
    count: int = 1,
    slopes: Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]] | None = None,
) -> FloatArray:
    """V* (K,) of K laws, whatever their form.

    Args:
        line: the budget.
        error: (N in its unit, V), each (K, m) or (1, m) -> errors (K, m).
        count: K.
        slopes: the same -> dY / d ln N and dY / d ln V. The value of an error tells its bottom to eight digits only,
            where it is flat; with its slope all digits are found.

    Returns:
        The V of the least error on the line; of several that are equally good the smallest. Where the error is the same
        all along, it is the least V: the fewest tokens cost the least.
    """
    left, right = math.log(line.low), math.log(line.high)
    if left == right:
        return np.full(count, line.low)

    def along(log_v: FloatArray) -> FloatArray:
        tokens = np.clip(np.exp(log_v), line.low, line.high)
        return np.broadcast_to(error(line.n(tokens), tokens), (count, log_v.shape[-1]))

    axis = np.linspace(left, right, _NODES)
    step = axis[1] - axis[0]
    values = along(axis[None])
    padded = np.pad(values, ((0, 0), (1, 1)), constant_values=np.inf)
    is_dip = (values <= padded[:, :-2]) & (values <= padded[:, 2:])
    ranked = np.argsort(np.where(is_dip, values, np.inf), axis=1, kind="stable")[:, :_DIPS_MAX]
    rows = np.arange(count)
    best, least = np.full(count, left), values[:, 0].copy()
    for dip in ranked.T:
        centre, half = axis[dip], np.full(count, step)
        for _ in range(_ROUNDS):
            places = np.clip(centre[:, None] + half[:, None] * np.linspace(-1.0, 1.0, _SIDE), left, right)
            there = along(places)
            choice = there.argmin(axis=1)
            centre, half = places[rows, choice], half / 4
            lower = there[rows, choice]
            better = lower < least
            least, best = np.where(better, lower, least), np.where(better, centre, best)
    if slopes is not None:
        best = _levelled(line, slopes, best, step * 4.0**-_FLAT, left, right)
    return np.where(best == left, line.low, np.where(best == right, line.high, np.exp(best)))


def _levelled(
    line: BudgetLine,
    slopes: Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]],
    best: FloatArray,
    half: float,
    left: float,
    right: float,
) -> FloatArray:
    """Where the error is level, by bisection around the best ln V (K,); that itself where the slope keeps its sign."""

    def rises(log_v: FloatArray) -> NDArray[np.bool_]:
        tokens = np.exp(log_v)[:, None]
        in_n, in_t = slopes(line.n(tokens), tokens)  # along the budget d ln N / d ln V = -V / (S + V)
        return np.asarray((in_t - tokens / (line.text_tokens + tokens) * in_n)[:, 0] > 0)

    low, high = np.maximum(best - half, left), np.minimum(best + half, right)
    bracketed = ~rises(low) & rises(high) & (best > left) & (best < right)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        up = rises(middle)
        low, high = np.where(up, low, middle), np.where(up, middle, high)
    return np.where(bracketed, (low + high) / 2, best)
