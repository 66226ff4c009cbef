"""Functions of one number as straight pieces between nodes, as many as keep an error below a bound."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np

from planner.traffic.iteration_time import FloatArray

_FIRST = 9
"""Nodes to begin with."""
_NODES_MAX = 3000
_LOOKED_AT = (0.5, 0.25, 0.75)
"""Where in a piece the error is measured; the first is where it is cut."""
_NARROWEST = 1e-6
"""A piece; a function that still bends in it jumps."""


class TooManyPieces(Exception):
    """A function that jumps, or bends everywhere."""


def nodes(function: Callable[[FloatArray], FloatArray], low: float, high: float, relative_error: float) -> FloatArray:
    """Nodes between which a function is straight, but for a relative error.

    Args:
        function: takes numbers of shape (n,) and returns positive values of shape (functions, n): the same nodes serve
            several functions.
        low: the first node, above 0.
        high: the last node.
        relative_error: that the middle and the quarters of each piece keep.

    Returns:
        The nodes.

    Raises:
        TooManyPieces: thousands do not do.
    """
    x = np.unique(np.round(np.geomspace(low, max(high, low + 1), _FIRST)))
    y = function(x)
    unseen = np.ones(x.size - 1, bool)
    while unseen.any():
        left, right = x[:-1][unseen], x[1:][unseen]
        width = right - left
        parts = [left + share * width for share in _LOOKED_AT]
        parts[0] = np.where(width >= 2, np.floor(parts[0]), parts[0])  # kinks stand at whole numbers
        seen = function(np.concatenate(parts)).reshape(len(y), len(parts), -1)
        first, last = y[:, :-1][:, unseen], y[:, 1:][:, unseen]
        wrong = np.zeros(left.size)
        for j, part in enumerate(parts):
            straight = first + (last - first) * ((part - left) / width)
            wrong = np.maximum(wrong, np.max(np.abs(straight - seen[:, j]) / seen[:, j], axis=0))
        bad = wrong > relative_error
        if np.any(bad & (width <= _NARROWEST)) or x.size + bad.sum() > _NODES_MAX:
            raise TooManyPieces
        position = np.flatnonzero(unseen)[bad] + 1
        x = np.insert(x, position, parts[0][bad])
        y = np.insert(y, position, seen[:, 0, bad], axis=1)
        cut = position + np.arange(position.size)
        unseen = np.zeros(x.size - 1, bool)
        unseen[cut - 1] = unseen[cut] = True
    return x


class Pieces:
    """A function of one number: straight between nodes, and beyond the last two as between them."""

    def __init__(self, x: Sequence[float], y: Sequence[float]) -> None:
        """Values `y` at the nodes `x`, at least two."""
        self._x, self._y, self._last = x, y, len(x) - 2
        self._slopes = [(y[i + 1] - y[i]) / (x[i + 1] - x[i]) for i in range(len(x) - 1)]

    def at(self, x: float) -> float:
        """The value there."""
        i = min(max(bisect_right(self._x, x) - 1, 0), self._last)
        return self._y[i] + self._slopes[i] * (x - self._x[i])

    def sum(self, x: float, count: int) -> float:
        """Over x, x + 1, ..., so many of them."""
        return self.until(x, count, float("inf"))[1]

    def until(self, x: float, count: int, limit: float) -> tuple[int, float]:
        """How many of x, x + 1, ... it takes until their sum reaches the limit, at most `count`, at least 1; and the
        sum."""
        nodes, i = self._x, min(max(bisect_right(self._x, x) - 1, 0), self._last)
        done, total = 0, 0.0
        while True:
            steps = count - done
            if i < self._last:
                steps = min(steps, int(nodes[i + 1] - x) + 1)
            value, slope = self._y[i] + self._slopes[i] * (x - nodes[i]), self._slopes[i]
            summed = steps * value + slope * (steps * (steps - 1) / 2)
            if total + summed >= limit:
                return _reached(done, total, value, slope, steps, limit)
            done, total, x = done + steps, total + summed, x + steps
            if done >= count:
                return done, total
            i += 1
            while i < self._last and nodes[i + 1] < x:
                i += 1


def _reached(done: int, total: float, value: float, slope: float, most: int, limit: float) -> tuple[int, float]:
    """Within one piece: the fewest steps j with total + j value + slope j (j - 1) / 2 >= limit."""

    def after(steps: int) -> float:
        return total + (steps * value + slope * (steps * (steps - 1) / 2))

    rest = limit - total
    half = value - slope / 2
    root = max(half * half + 2 * slope * rest, 0.0) ** 0.5
    guess = rest / half if half + root <= 0 else 2 * rest / (half + root)
    least = 1 if done == 0 else 0
    steps = min(max(int(guess), least), most)
    while steps > least and after(steps - 1) >= limit:
        steps -= 1
    while steps < most and after(steps) < limit:
        steps += 1
    return done + steps, after(steps)
