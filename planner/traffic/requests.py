"""Requests as a joint distribution of their lengths: what an engine computes, reads and generates for each."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import positive_number, shown, whole_number
from planner.traffic.iteration_time import FloatArray, IntArray

_COLUMNS = {"prompt_tokens": 1, "generated_tokens": 1, "cached_tokens": 0, "images": 0}
"""And the least number of each."""
_SUM_TOLERANCE = 1e-9
"""By which weights may miss 1: rounding of a million of them."""
_DEVIATIONS = 4.0
"""As far as lengths are spread out, in standard deviations of their logarithm; beyond it stand 6e-5 of the requests."""
_STEP = 0.25
"""Of a bin, in the same: within bins a 190th of the variance is lost at most."""


@dataclass(frozen=True)
class Means:
    """Of the requests: numbers of one request, and of a sequence that runs."""

    prompt_tokens: float
    """S."""
    generated_tokens: float
    """G."""
    cached_tokens: float
    images: float
    context_tokens: float
    """That a decode step attends to, its new token included, over all decode steps: requests that generate more are
    met more often. Of requests without decode steps, what their prompts leave."""


@dataclass(frozen=True, eq=False)
class Requests:
    """Kinds of requests, one per row, and the share of each.

    Raises InputError for columns of unlike lengths, numbers that are not whole, prompts or answers without a token, and
    weights that do not sum to 1.
    """

    prompt_tokens: IntArray
    """S: prefilled in this engine, visual tokens included and cached ones not; shape (rows,)."""
    generated_tokens: IntArray
    """G, at least 1: the first comes with the prefill."""
    cached_tokens: IntArray
    """In front of S, from the prefix cache: read, never computed; they take room in the KV cache."""
    images: IntArray
    """That are encoded for the request, those from a cache of images left out; they stand evenly over its prompt."""
    weights: FloatArray
    """Share of each row; they sum to 1."""

    def __post_init__(self) -> None:
        rows = np.size(self.prompt_tokens)
        for name, least in _COLUMNS.items():
            object.__setattr__(self, name, _whole(getattr(self, name), name, least, rows))
        weights = np.asarray(self.weights, float)
        if weights.shape != (rows,) or not np.all(weights >= 0) or abs(weights.sum() - 1) > _SUM_TOLERANCE:
            raise InputError(f"weights: expected {rows} shares from 0 on that sum to 1, got {shown(self.weights)}")
        object.__setattr__(self, "weights", weights)

    def __len__(self) -> int:
        return self.prompt_tokens.size

    # ---- how they are made -------------------------------------------------------------------------------------------

    @classmethod
    def fixed(cls, prompt_tokens: int, generated_tokens: int, *, cached_tokens: int = 0, images: int = 0) -> Requests:
        """All alike."""
        return cls.of_rows(prompt_tokens, generated_tokens, cached_tokens, images)

    @classmethod
    def of_rows(cls, prompt_tokens: Any, generated_tokens: Any, cached_tokens: Any = 0, images: Any = 0) -> Requests:
        """Every row as often as the others; numbers stand for all rows."""
        s, g, c, i = np.broadcast_arrays(*map(np.atleast_1d, (prompt_tokens, generated_tokens, cached_tokens, images)))
        if s.size == 0:
            raise InputError("requests: expected at least one, got none")
        return cls(s, g, c, i, np.full(s.size, 1.0 / s.size))

    @classmethod
    def spread(
        cls,
        prompt_tokens: float,
        generated_tokens: float,
        *,
        prompt_cv: float = 0.0,
        generated_cv: float = 0.0,
        cached_tokens: int = 0,
        images: int = 0,
    ) -> Requests:
        """Lengths that are spread as a lognormal, the prompt's and the answer's independently.

        Args:
            prompt_tokens: their mean.
            generated_tokens: their mean.
            prompt_cv: coefficient of variation, standard deviation by mean; 0: all alike.
            generated_cv: the same of the generated tokens.
            cached_tokens: of each request.
            images: of each request.
        """
        prompts, prompt_shares = _lognormal(prompt_tokens, prompt_cv, "prompt")
        answers, answer_shares = _lognormal(generated_tokens, generated_cv, "generated")
        s, g = (one.ravel() for one in np.meshgrid(prompts, answers, indexing="ij"))
        weights = np.outer(prompt_shares, answer_shares).ravel()
        return cls(s, g, np.full(s.size, cached_tokens), np.full(s.size, images), weights / weights.sum())

    # ---- caches ------------------------------------------------------------------------------------------------------

    def with_cached_prefix(self, tokens: int, share: float = 1.0) -> Requests:
        """A share of the requests finds the first `tokens` of its prompt in the prefix cache, all but the last token
        where the prompt is not longer."""
        tokens, share = whole_number(tokens, "tokens"), _share(share)
        found = np.minimum(tokens, self.prompt_tokens - 1)
        hits = replace(self, prompt_tokens=self.prompt_tokens - found, cached_tokens=self.cached_tokens + found)
        return _mixed([(share, hits), (1 - share, self)])

    def with_cached_images(self, share: float) -> Requests:
        """Each image is found in the cache of encoded images with that probability, independently of the others."""
        share, most = _share(share), int(self.images.max())
        parts = []
        for found in range(most + 1):
            chance = [math.comb(n, found) * share**found * (1 - share) ** (n - found) for n in self.images.tolist()]
            parts.append((np.array(chance), replace(self, images=np.maximum(self.images - found, 0))))
        return _mixed(parts)

    # ---- what is asked of them ---------------------------------------------------------------------------------------

    @cached_property
    def means(self) -> Means:
        """What a closed form starts from."""
        w, decodes, before = self.weights, self.generated_tokens - 1.0, self.cached_tokens + self.prompt_tokens
        steps = float(w @ decodes)
        if steps > 0:
            context = float(w @ (decodes * before + decodes * (decodes + 1) / 2)) / steps
        else:
            context = float(w @ before)
        return Means(
            prompt_tokens=float(w @ self.prompt_tokens),
            generated_tokens=float(w @ self.generated_tokens),
            cached_tokens=float(w @ self.cached_tokens),
            images=float(w @ self.images),
            context_tokens=context,
        )

    def draw(self, generator: np.random.Generator, count: int) -> IntArray:
        """Rows of so many requests, each drawn with its weight. Shape (count,)."""
        if len(self) == 1:
            return np.zeros(count, np.int64)
        edges = np.cumsum(self.weights)
        found = np.searchsorted(edges / edges[-1], generator.random(count), side="right")
        return np.minimum(found, len(self) - 1).astype(np.int64)


def _whole(values: Any, name: str, least: int, rows: int) -> IntArray:
    column = np.asarray(values)
    whole = column.shape == (rows,) and rows > 0 and column.dtype.kind in "iuf"
    if not whole or not np.all(np.isfinite(column) & (column == np.floor(column)) & (column >= least)):
        wanted = f"{rows} whole numbers" if rows else "at least one whole number"
        raise InputError(f"{name}: expected {wanted} from {least} on, one per row, got {shown(values)}")
    return column.astype(np.int64)


def _share(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"share: expected a number from 0 to 1, got {shown(value)}")
    return float(value)


def _mixed(parts: list[tuple[Any, Requests]]) -> Requests:
    """Shares of several distributions; rows that nobody has are left out."""
    weights = np.concatenate([share * one.weights for share, one in parts])
    there = weights > 0
    columns = {name: np.concatenate([getattr(one, name) for _, one in parts])[there] for name in _COLUMNS}
    return Requests(**columns, weights=weights[there] / weights[there].sum())


def _lognormal(mean: float, cv: float, what: str) -> tuple[IntArray, FloatArray]:
    """Whole lengths from 1 on and their shares: bins of the logarithm, each at its mean."""
    mean = positive_number(mean, f"{what}_tokens")
    if isinstance(cv, bool) or not isinstance(cv, int | float) or not 0 <= cv < math.inf:
        raise InputError(f"{what}_cv: expected a number from 0 on, got {shown(cv)}")
    if cv == 0:
        return np.array([max(1, round(mean))]), np.ones(1)
    sigma = math.sqrt(math.log1p(cv * cv))
    steps = round(2 * _DEVIATIONS / _STEP)
    edges = [-math.inf, *(-_DEVIATIONS + _STEP * i for i in range(steps + 1)), math.inf]
    below = np.array([_normal(one) for one in edges])
    partial = np.array([_normal(one - sigma) for one in edges])  # of the mean, by bins
    shares = np.diff(below)
    lengths = np.maximum(np.rint(mean * np.diff(partial) / shares), 1).astype(np.int64)
    found, which = np.unique(lengths, return_inverse=True)
    return found, np.bincount(which, weights=shares).astype(float)


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
