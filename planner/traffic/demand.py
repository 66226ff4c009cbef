"""What requests ask of an engine on average: the numbers that closed forms start from, one per candidate."""

from __future__ import annotations

import numpy as np

from planner.base.dataclass import dataclass
from planner.traffic.iteration_time import FloatArray, Number
from planner.traffic.requests import Requests


@dataclass(frozen=True)
class Demand:
    """Of one request; arrays broadcast over candidates."""

    prompt_tokens: Number
    """S: computed in the engine."""
    decodes: Number
    """G - 1: tokens that follow the first."""
    context_tokens: Number
    """c: that a decode step attends to, its new token included, as a mean over all decode steps."""
    pairs: Number
    """Of a token of the prompt and one that it attends to: S (cached + (S + 1) / 2)."""
    images: Number = 0.0
    prompt_variation: Number = 0.0
    """Variance of the prompt's length by its mean squared."""
    decodes_variation: Number = 0.0
    """The same of G - 1."""

    @classmethod
    def of(cls, requests: Requests) -> Demand:
        """Of a distribution of requests."""
        w, s, means = requests.weights, requests.prompt_tokens.astype(float), requests.means
        decodes = requests.generated_tokens.astype(float) - 1.0
        return cls(
            prompt_tokens=means.prompt_tokens,
            decodes=means.generated_tokens - 1.0,
            context_tokens=means.context_tokens,
            pairs=float(w @ (s * (requests.cached_tokens + (s + 1) / 2))),
            images=means.images,
            prompt_variation=_variation(s, w),
            decodes_variation=_variation(decodes, w),
        )

    @classmethod
    def fixed(
        cls, prompt_tokens: Number, generated_tokens: Number, *, cached_tokens: Number = 0.0, images: Number = 0.0
    ) -> Demand:
        """Of requests that are all alike; arrays broadcast."""
        s, g = np.asarray(prompt_tokens, float), np.asarray(generated_tokens, float)
        return cls(s, g - 1.0, cached_tokens + s + g / 2, s * (cached_tokens + (s + 1) / 2), images)


def _variation(values: FloatArray, weights: FloatArray) -> float:
    mean = float(weights @ values)
    return max(0.0, float(weights @ (values * values)) / mean**2 - 1.0) if mean > 0 else 0.0
