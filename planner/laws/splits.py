"""Which levels of N or T a hold-out leaves out: near-equal values are one level, and of many levels some are chosen.

A law that is trained on a size within a few percent of the one left out is not asked to predict anything, and tables
with as many sizes as models (parameters counted with and without embeddings, tokens of images of any shape) would be
split as many times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

FloatArray = NDArray[np.float64]

NEAR = 0.05
"""Values of N, or of T, less than this above the smallest of their level, relative, belong to it."""
LEVELS_MAX = 12
"""Levels that are held out along N, and along T: folds beyond add time, not knowledge."""
_NAMED_MAX = 4  # merged levels that a note names


@dataclass(frozen=True)
class Levels:
    """Levels of N or T, ascending."""

    members: tuple[FloatArray, ...]
    """The distinct values of each level, ascending."""

    @classmethod
    def of(cls, values: FloatArray) -> Levels:
        """The levels of some runs' values."""
        distinct = np.unique(values)
        members, start = [], 0
        for end in range(1, len(distinct) + 1):
            if end == len(distinct) or distinct[end] >= distinct[start] * (1 + NEAR):
                members.append(distinct[start:end])
                start = end
        return cls(tuple(members))

    @property
    def tops(self) -> FloatArray:
        """The largest value of each level."""
        return np.array([values[-1] for values in self.members])

    def snapped(self, values: FloatArray) -> FloatArray:
        """Values, each as the largest one of its level."""
        return np.asarray(self.tops[np.searchsorted(self.tops, values)])

    def chosen(self) -> FloatArray:
        """The tops of the levels that are held out: all, or LEVELS_MAX of them, spread evenly."""
        count = len(self.members)
        if count <= LEVELS_MAX:
            return self.tops
        return np.asarray(self.tops[np.linspace(0, count - 1, LEVELS_MAX).round().astype(int)])

    def notes(self, what: str, text: Callable[[float], str]) -> list[str]:
        """What was merged, and what is not held out, in sentences.

        Args:
            what: the values, in words: "LLM sizes".
            text: how one of them is written.
        """
        out = []
        merged = [f"{text(float(own[0]))} to {text(float(own[-1]))}" for own in self.members if len(own) > 1]
        if merged:
            out.append(f"{what} less than {100 * NEAR:g} % apart are one level, held out together: {_some(merged)}")
        if len(self.members) > LEVELS_MAX:
            out.append(
                f"{LEVELS_MAX} of {len(self.members)} levels of the {what} are held out, spread evenly; the others are "
                "trained on only"
            )
        return out


@dataclass(frozen=True)
class Left:
    """Runs that are held out together."""

    level: float
    """Their level of N or T."""
    runs: NDArray[np.bool_]
    """Which they are, of all runs, (n,)."""
    llm: str = ""
    """Their language model, where one is held out for itself."""

    @classmethod
    def of(cls, values: FloatArray, levels: Iterable[float]) -> list[Left]:
        """Each of some levels of N or T, of values (n,)."""
        return [cls(float(level), values == level) for level in levels]


def models_beside_others(llm: Sequence[str], n: FloatArray, levels: Iterable[float]) -> list[Left]:
    """The language models that share a level of N with others, by level and name.

    A level says nothing of an LLM's name, and a name nothing of a level: what a law of other sizes says is asked of all
    models of a level together, what it says of another model of a size it knows, of each of them.

    Args:
        llm: of the runs, (n,).
        n: their levels, (n,).
        levels: that are held out.
    """
    names, out = np.array(llm, dtype=str), []
    for level in levels:
        own = sorted(set(names[n == level].tolist()))
        out += [Left(float(level), (n == level) & (names == name), name) for name in own if len(own) > 1]
    return out


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def distance(values: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """ln(value / nearest level) / ln(largest / smallest level) outside the levels, 0 inside, (m,)."""
    x, low, high = np.log(values), math.log(levels[0]), math.log(levels[-1])
    span = high - low if high > low else 1.0  # of one LLM, whose size no run leaves
    return np.asarray(np.maximum(np.maximum(x - high, low - x), 0.0) / span)
