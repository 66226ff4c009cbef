"""Iterations whose seconds are a line in what they do: the queues of textbooks are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Line:
    """Seconds of each; where `weights_s` is given, rows up to its time are free, as on a card."""

    step_s: float = 0.0
    """Of every iteration."""
    decode_s: float = 0.0
    context_s: float = 0.0
    prompt_token_s: float = 0.0
    pair_s: float = 0.0
    image_s: float = 0.0
    prefill_s: float = 0.0
    weights_s: float = 0.0

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
    ) -> np.ndarray:
        tokens = np.asarray(prefill_tokens, float)
        pairs = tokens * (tokens + 1) / 2 if pairs is None else pairs
        rows = decodes + tokens
        products = np.maximum(self.weights_s, self.decode_s * np.asarray(decodes) + self.prompt_token_s * tokens)
        found = self.step_s + products + self.context_s * np.asarray(context_tokens) + self.pair_s * np.asarray(pairs)
        found = found + self.prefill_s * (tokens > 0)
        return np.where(rows > 0, found, 0.0) + self.image_s * np.asarray(images)


CARD = Line(step_s=1e-3, weights_s=8e-3, decode_s=3e-5, prompt_token_s=3e-5, context_s=5e-8, pair_s=1e-10)
"""Weights that are read while some rows are computed, as on a card."""
