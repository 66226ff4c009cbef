"""One iteration of a serving engine: chunks of prompts and decode steps side by side.

Their tokens are rows of the same products, so that weights are read once for all of them. Attention is of each alone.

Letters: B decode steps over c tokens in all, P tokens of prompts in chunks of P / b behind d tokens each.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.walk import Number, Part, Pass


@dataclass(frozen=True)
class Mixed(Pass):
    """Chunks as a pass has them, `sequences` of `new_tokens` behind `cached_tokens`, and decode steps beside them."""

    prefill_tokens: Number = 0.0
    """Of all chunks."""
    decodes: Number = 0.0
    """Sequences of which each has one new token."""
    context_tokens: Number = 0.0
    """That these attend to, of all of them together, their new tokens included."""
    heads: Number = 0.0
    """Tokens whose logits are computed."""

    @classmethod
    def of(
        cls,
        decodes: Number,
        context_tokens: Number,
        prefill_tokens: Number,
        pairs: Number,
        heads: Number,
        prompts: Number | None = None,
        image_tokens: Number = 0.0,
    ) -> Mixed:
        """An iteration by its sums; arrays broadcast.

        Args:
            decodes: B.
            context_tokens: c.
            prefill_tokens: P.
            pairs: of a token of a prompt and one that it attends to, without a window: sum over chunks of n tokens
                behind d of n (d + (n + 1) / 2).
            heads: B and the prompts that end.
            prompts: b, that have a chunk each; by default those that end, at least one. Chunks are taken as equal.
            image_tokens: that stand beside each sequence.
        """
        chunks = np.asarray(np.maximum(heads - decodes, 1.0) if prompts is None else prompts, float)
        there = np.asarray(prefill_tokens) > 0
        size = np.where(there, prefill_tokens / np.where(chunks > 0, chunks, 1.0), 0.0)
        before = np.where(there, pairs / np.where(there, prefill_tokens, 1.0) - (size + 1) / 2, 0.0)
        return cls(
            sequences=np.where(there, chunks, 0.0),
            new_tokens=size,
            cached_tokens=np.maximum(before, 0.0),
            logits=True,
            image_tokens=image_tokens,
            prefill_tokens=prefill_tokens,
            decodes=decodes,
            context_tokens=context_tokens,
            heads=heads,
        )

    @cached_property
    def rows(self) -> Number:
        return np.asarray(self.prefill_tokens + self.decodes, float)

    @property
    def logit_rows(self) -> Number:
        return self.heads

    @property
    def state_updates(self) -> Number:
        return self.sequences + self.decodes

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        chunks = Pass(self.sequences, self.new_tokens, self.cached_tokens, image_tokens=self.image_tokens)
        return (chunks, self.prefilling), (self.steps, self.decoding)

    @cached_property
    def steps(self) -> Pass:
        """The decode steps alone, each of the mean context."""
        some = np.asarray(self.decodes) > 0
        context = np.where(some, self.context_tokens / np.where(some, self.decodes, 1.0), 1.0)
        return Pass(self.decodes, 1.0, context - 1, logits=True, step=True, image_tokens=self.image_tokens)

    @cached_property
    def prefix(self) -> Pass:
        """A step of each prompt over what stands before its chunk: reads what the chunk has to read of the cache."""
        return Pass(self.sequences, 1.0, self.cached_tokens - 1, step=True, image_tokens=self.image_tokens)

    @cached_property
    def prefilling(self) -> Number:
        """1 where there are prompts, else 0."""
        return np.where(np.asarray(self.prefill_tokens) > 0, 1.0, 0.0)

    @cached_property
    def decoding(self) -> Number:
        """1 where there are decode steps, else 0."""
        return np.where(np.asarray(self.decodes) > 0, 1.0, 0.0)
