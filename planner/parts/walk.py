"""A walk: what a part runs, as kernels with their shapes. FLOPs, bytes and seconds are read from it by `planner.costs`.

Every number may be an array that broadcasts over candidates. Letters: r rows (tokens of all sequences), S new tokens of
a sequence, C cached before them, W a window in tokens.

What stands in a walk is one GPU's share of the work; with one GPU, all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

FloatArray = NDArray[np.float64]
Number: TypeAlias = FloatArray | float

UNLIMITED = float("inf")
"""The window of attention that has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Matmul:
    """Rows times a matrix of weights, k inputs to n outputs: 2 r k n FLOPs."""

    rows: Number
    k: Number
    n: Number
    times: Number = 1.0
    """How many matrices of this shape, one after the other."""
    quantised: bool = False
    """Whether the weights take the run's precision; embeddings, heads, towers and connectors stay in 16 bits."""
    stored: Number | None = None
    """Weights in memory, of one of the `times`; None: k n. More for a mixture of experts, 0 for borrowed ones."""
    touched: Number | None = None
    """Weights that are read for all rows together, of one of the `times`; None: k n."""
    unmasked_rows: Number | None = None
    """Rows that the implementation of transformers computes, where they are others."""
    groups: Number | None = None
    """Matrices of this shape that share the rows in one kernel, each with a part of them: the experts that are met."""
    inputs: Number | None = None
    """Values that are read for a row; None: k. Others for a convolution, whose windows overlap or skip."""
    head: bool = False
    """Whether it is the output head, which stays in 16 bits with the embeddings, in GGUF files alone it does not."""
    depthwise: bool = False
    """Whether each output has inputs of its own, so that no matrix unit can multiply them."""

    @property
    def plain(self) -> bool:
        """Whether it is one dense matrix product."""
        return self.groups is None and self.inputs is None and not self.depthwise

    @property
    def stored_weights(self) -> Number:
        """Of all `times`."""
        return self.times * (self.k * self.n if self.stored is None else self.stored)


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """Scores and mixes of many new tokens: 4 x width x pairs FLOPs, a pair being a query and a key that it sees."""

    times: Number
    """Layers."""
    rows: Number
    """Queries."""
    pairs: Number
    """That the mask leaves."""
    unmasked_pairs: Number
    """As a kernel without use of the mask computes them."""
    width: Number
    """Query heads x head size."""
    kv_width: Number
    """Key/value heads x head size."""
    qk_norm: Number = 0.0
    """1 where queries and keys are normalised."""
    head_size: Number | None = None
    """Of a head, where kernels are to be timed with the width that they round it up to; None: as it is."""

    @classmethod
    def causal(
        cls,
        times: Number,
        sequences: Number,
        new_tokens: Number,
        cached_tokens: Number,
        width: Number,
        kv_width: Number,
        *,
        window: Number = UNLIMITED,
        qk_norm: Number = 0.0,
        chunked: bool = False,
        both_ways: bool = False,
    ) -> Attention:
        """A token sees itself and what stands before it, with a window itself and the W - 1 before it.

        Where the window is `chunked` it starts anew every W tokens; `both_ways`: a token sees those behind it too.
        """
        kept = cached_tokens
        if window is not UNLIMITED:
            kept = np.minimum(cached_tokens, np.maximum(window - 1, 0))
        pairs = chunked_pairs if chunked else causal_pairs
        unmasked = sequences * (new_tokens * kept + new_tokens * new_tokens)
        return cls(
            times,
            sequences * new_tokens,
            unmasked if both_ways else sequences * pairs(new_tokens, cached_tokens, window),
            unmasked,
            width,
            kv_width,
            qk_norm,
        )

    @classmethod
    def bidirectional(
        cls, times: Number, sequences: Number, tokens: Number, width: Number, head_size: Number | None = None
    ) -> Attention:
        """Every token sees every token of its sequence: S^2 pairs."""
        pairs = sequences * tokens * tokens
        return cls(times, sequences * tokens, pairs, pairs, width, width, head_size=head_size)


@dataclass(frozen=True, slots=True, eq=False)
class CacheRead:
    """The attention of one new token of each sequence over what is cached: bound by reading it."""

    times: Number
    """Layers."""
    tokens: Number
    """That are seen, of all sequences together."""
    width: Number
    """Query heads x head size."""
    kv_width: Number
    """Key/value heads x head size."""
    unmasked_tokens: Number | None = None
    """Tokens that the implementation of transformers attends to, where they are others."""
    unmasked_width: Number | None = None
    """The width that it computes with, where it is another."""
    reads: Number = 0.0
    """How often a sequence is read: once for each of its new tokens, of all sequences together."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A recurrent layer's state in place of a cache: read and written once a step."""

    times: Number
    """Layers."""
    rows: Number
    """New tokens."""
    updates: Number
    """How often a state is read and written: once for each sequence and pass."""
    values: Number
    """Numbers of one layer's state of one sequence."""
    flops_per_row: Number
    """Of one layer."""
    unmasked_flops: Number | None = None
    """FLOPs of one layer over all rows as the implementation of transformers computes them, where they are others."""


@dataclass(frozen=True, slots=True, eq=False)
class Elementwise:
    """Norms, activations, residual sums: kernels that move `values` numbers for each row, all together; no FLOPs."""

    rows: Number
    values: Number
    launches: Number = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Gather:
    """Rows of a table, such as token embeddings: read and written."""

    rows: Number
    width: Number
    times: Number = 1.0
    """How many tables, one after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class AllReduce:
    """Sums over n GPUs of `width` numbers for each row; nothing on one GPU."""

    rows: Number
    width: Number
    gpus: Number
    times: Number = 1.0


Kernel: TypeAlias = Matmul | Attention | CacheRead | State | Elementwise | Gather | AllReduce
Walk: TypeAlias = Iterable[Kernel]


def causal_pairs(new_tokens: Number, cached_tokens: Number, window: Number = UNLIMITED) -> Number:
    """Pairs of S new tokens behind C cached ones: sum over i = 1 .. S of min(C + i, W), S C + S (S + 1) / 2 without a
    window."""
    s = new_tokens
    full: Number = s * cached_tokens + s * (s + 1) / 2
    if window is UNLIMITED or np.all(np.isinf(window)):
        return full
    beyond = np.clip(cached_tokens + s - window, 0, s)  # queries that see less than everything
    past = np.maximum(cached_tokens - window, 0)  # how far the first of them stands beyond its window
    return full - np.where(beyond > 0, beyond * past + beyond * (beyond + 1) / 2, 0.0)


def chunked_pairs(new_tokens: Number, cached_tokens: Number, chunk: Number) -> Number:
    """The same where a token sees what stands before it in its own chunk of W tokens only."""

    def first(tokens: Number) -> Number:
        whole, rest = np.divmod(tokens, chunk)
        found: Number = whole * (chunk * (chunk + 1) / 2) + rest * (rest + 1) / 2
        return found

    return first(cached_tokens + new_tokens) - first(cached_tokens)


@dataclass(frozen=True)
class Pass:
    """What a language model is to compute: S new tokens of each sequence, behind C cached ones."""

    sequences: Number
    new_tokens: Number
    cached_tokens: Number = 0.0
    logits: bool = False
    """Whether the output head runs: for the last token of each sequence, in decode for every token."""
    step: bool = False
    """Decode: the new tokens of a sequence come one by one, each in a step of its own."""
    image_tokens: Number = 0.0
    """Tokens of images that stand beside each sequence, for the layers that attend to them; new unless this is a
    `step`."""

    @property
    def rows(self) -> Number:
        """New tokens of all sequences."""
        return self.sequences * self.new_tokens

    @property
    def logit_rows(self) -> Number:
        """Tokens whose logits are computed, where `logits` are."""
        return self.rows if self.step else self.sequences

    @property
    def state_updates(self) -> Number:
        """How often a recurrent state is read and written."""
        return self.rows if self.step else self.sequences

    @property
    def parts(self) -> tuple[Part, ...]:
        """What attends apart from each other, each with 1 where it is there, else 0: the pass itself, or chunks of
        prompts and the decode steps beside them (`planner.parts.mixed`)."""
        return ((self, 1.0),)

    def seen(self, window: Number = UNLIMITED, *, chunked: bool = False) -> Number:
        """Tokens that the new ones attend to, themselves included, of all sequences together."""
        pairs = chunked_pairs if chunked else causal_pairs
        return self.sequences * pairs(self.new_tokens, self.cached_tokens, window)


Part: TypeAlias = tuple[Pass, Number]


@dataclass(frozen=True)
class Cache:
    """What the tokens of one sequence leave behind in the layers of one kind, on one GPU, in numbers."""

    values_per_token: Number
    window: Number = UNLIMITED
    """Tokens that are kept at most."""
    constant_values: Number = 0.0
    """State that does not grow with the tokens."""
    values_per_image_token: Number = 0.0
    """Of each token of an image that stands beside the sequence."""

    def kept(self, tokens: Number) -> Number:
        """Of so many tokens, those in the cache."""
        return np.minimum(tokens, self.window)


def stored_weights(walk: Walk, *, quantised: bool) -> Number:
    """Weights in memory of a walk's matrices that take the run's precision, or of those that do not."""
    found: Number = 0.0
    for kernel in walk:
        if isinstance(kernel, Matmul) and kernel.quantised == quantised:
            found = found + kernel.stored_weights
    return found
