"""Iteration times of known form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.traffic.iteration_time import FloatArray


@dataclass(frozen=True)
class Linear:
    """step + row (B + P) + token of context + pair + head + image + prompt, in seconds each; 0 where nothing runs."""

    step_s: float = 0.0
    row_s: float = 0.0
    context_s: float = 0.0
    pair_s: float = 0.0
    head_s: float = 0.0
    image_s: float = 0.0
    prefill_s: float = 0.0
    """Of an iteration with prompts."""

    def seconds(
        self,
        decodes: Any = 0.0,
        context_tokens: Any = 0.0,
        prefill_tokens: Any = 0.0,
        pairs: Any = None,
        heads: Any = None,
        *,
        prompts: Any = None,
        images: Any = 0.0,
    ) -> FloatArray:
        rows = np.asarray(decodes) + np.asarray(prefill_tokens)
        found = self.step_s + self.row_s * rows + self.context_s * np.asarray(context_tokens)
        found = found + self.pair_s * np.asarray(pairs) + self.head_s * np.asarray(heads)
        found = found + self.prefill_s * (np.asarray(prefill_tokens) > 0)
        return np.where(rows > 0, found, 0.0) + self.image_s * np.asarray(images)


@dataclass(frozen=True)
class Curved(Linear):
    """Context in a root of squares with an overhead, up to a window, as kernels that overlap and attend within one."""

    overhead_s: float = 1e-3
    window: float = 300.0

    def seconds(self, decodes: Any = 0.0, context_tokens: Any = 0.0, *rest: Any, **named: Any) -> FloatArray:
        b = np.asarray(decodes, float)
        seen = np.minimum(np.asarray(context_tokens), b * self.window)
        bent = np.sqrt((self.context_s * seen) ** 2 + self.overhead_s**2) * (b > 0)
        return super().seconds(decodes, 0.0, *rest, **named) + bent
