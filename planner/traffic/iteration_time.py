"""What traffic asks of costs: the seconds of an engine's iterations."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Number: TypeAlias = FloatArray | float


class IterationTime(Protocol):
    """Times iterations; `planner.costs.iteration.Iterations` does, for a model on a card."""

    def seconds(
        self,
        decodes: Number = 0.0,
        context_tokens: Number = 0.0,
        prefill_tokens: Number = 0.0,
        pairs: Number | None = None,
        heads: Number | None = None,
        *,
        prompts: Number | None = None,
        images: Number = 0.0,
    ) -> FloatArray:
        """Seconds of iterations, 0 where nothing runs; all numbers broadcast.

        Args:
            decodes: sequences that get one more token each.
            context_tokens: that these attend to, of all of them together, their new tokens included.
            prefill_tokens: of the prompts that are computed in the iteration.
            pairs: of such a token and one that it attends to: the sum over chunks of n tokens behind d others of
                n (d + (n + 1) / 2).
            heads: tokens whose logits are computed: the decode steps and the prompts that end.
            prompts: that have a chunk in the iteration.
            images: that one GPU encodes in the iteration.
        """
        ...
