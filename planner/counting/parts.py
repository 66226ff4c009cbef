"""A counted model in the places of a known one: its language model, its vision side, its image rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field, replace

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.counting.count import Count, Growth
from planner.parts.encoders import Encoder
from planner.parts.encoders.base import Bridge
from planner.parts.images import ImageRule, Seen
from planner.parts.images.base import Knob
from planner.parts.llms import Llm
from planner.parts.walk import (
    UNLIMITED,
    Attention,
    Cache,
    CacheRead,
    Gather,
    Kernel,
    Matmul,
    Number,
    Pass,
    State,
)


@dataclass(frozen=True, kw_only=True)
class CountedLlm(Llm):
    """A language model by what a run of it was seen to compute.

    Attention is charged for all pairs, as FlopCounterMode does: nothing is known of its mask.
    """

    count: Count

    @property
    def params(self) -> int:
        return self.count.llm_params

    @property
    def active_params(self) -> int:
        return (
            self.params
            - self.expert_params
            + sum(round(one.layers * one.params * one.active_share) for one in self.count.routed)
        )

    @property
    def expert_params(self) -> int:
        return sum(one.layers * one.params for one in self.count.routed)

    def walk(self, todo: Pass, gpus: Number = 1.0) -> Iterator[Kernel]:
        """Raises InputError for a sequence longer than any that was counted."""
        longest = float(np.max(np.asarray(todo.cached_tokens + todo.new_tokens)))
        if longest > self.count.tokens_max:
            raise InputError(
                f"{self.name}: its FLOPs were counted up to {self.count.tokens_max:,} tokens, and this request comes "
                f"to {int(longest):,}; give fewer tokens"
            )
        rows = todo.rows
        yield Gather(rows, self.hidden_size)
        growth = self.count.step if todo.step else self.count.prefill
        for one in self.count.products:
            stored = one.stored * one.k * one.n / one.times
            yield Matmul(rows, one.k, one.n, times=one.times, quantised=True, stored=stored)
        for group in self.count.routed:
            missed = (1.0 - group.active_share) ** np.asarray(rows, float)
            yield Matmul(
                rows,
                self.hidden_size,
                group.active_weights / self.hidden_size,
                times=group.layers,
                quantised=True,
                stored=group.weights,
                touched=group.weights * (1.0 - missed),
            )
        yield from self._beside_matrices(todo, growth)
        if todo.logits:
            yield Matmul(todo.logit_rows, self.hidden_size, self.vocab_size, head=True)

    def _beside_matrices(self, todo: Pass, growth: Growth) -> Iterator[Kernel]:
        """Attention, and what else a token costs: states, convolutions."""
        beside = growth.linear - in_matrices(self.count)
        state = sum(one.constant_values for one in self.count.kept)
        if beside or state:
            yield State(1.0, todo.rows, todo.state_updates, state, beside)
        for four_widths, window in ((growth.quadratic, None), (growth.windowed, self.count.window)):
            if not four_widths:
                continue
            far = UNLIMITED if window is None else window
            kv_width = sum(one.values_per_token for one in self.count.kept if one.window == window) / 2
            if todo.step:
                yield CacheRead(1.0, todo.seen(far), four_widths / 4, kv_width, reads=todo.rows)
            else:
                one = Attention.causal(
                    1.0, todo.sequences, todo.new_tokens, todo.cached_tokens, four_widths / 4, kv_width, window=far
                )
                yield replace(one, pairs=one.unmasked_pairs)

    def caches(self, gpus: Number = 1.0) -> Sequence[Cache]:
        return tuple(
            Cache(one.values_per_token, UNLIMITED if one.window is None else one.window, one.constant_values)
            for one in self.count.kept
        )

    def activation_values(self, gpus: Number = 1.0) -> Number:
        """Residual stream, and the input and output of the widest matrix."""
        return self.hidden_size + max((one.k + one.n for one in self.count.products), default=0)

    def can_share(self, gpus: int) -> bool:
        """How several GPUs would divide it is not known."""
        return gpus == 1


def in_matrices(count: Count) -> int:
    """FLOPs of one token in the matrices that are known by their shapes."""
    plain = sum(2 * one.times * one.k * one.n for one in count.products)
    return plain + sum(2 * one.layers * one.active_weights for one in count.routed)


@dataclass(frozen=True, kw_only=True)
class CountedVision(Encoder):
    """A vision side of which the parameters are known, and nothing of what it computes."""

    bridge: Bridge = field(default_factory=Bridge)
    vision_params: int

    @property
    def tower_params(self) -> int:
        return self.vision_params

    def tower_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        yield from ()

    def activation_values(self, seen: Seen) -> int:
        return 0


@dataclass(frozen=True, kw_only=True)
class UnknownImages(ImageRule):
    """Refuses every image: nobody knows how they are cut."""

    model: str

    def own_knobs(self) -> tuple[Knob, ...]:
        return ()

    def cut(self, width: int, height: int) -> Seen:
        raise InputError(
            f"{self.model}: nothing is known of how it cuts images, and transformers counts no image processor; give "
            "no image (--images 0) for its language model alone"
        )
