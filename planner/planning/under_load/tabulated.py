"""Iterations of many candidates from tables, so that a steady state of all of them costs a few array operations.

    t(n, P) = iteration of n decode steps over n c tokens, and of P tokens of prompts, P / S of which end

Every sequence is a mean one: its decode steps attend to c tokens, its prompt has S behind C that are cached. The time
is piecewise linear between nodes: n up to the seats, P from a prompt, or what is left beside full seats, to the
token budget. Between two nodes, which are a factor of 1.5 apart, kernels go at most from one bound to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.configuration import Run
from planner.costs.iteration import Iterations

if TYPE_CHECKING:
    from planner.planning.together import Together
    from planner.planning.under_load.mean_request import MeanRequest

FloatArray = NDArray[np.float64]
Number = FloatArray | float

_STEP = 1.5
"""Between nodes of the decode steps, from 1 on."""
_HARDLY = 1e-6
"""Decode steps."""
_CHUNKS = 7
"""Nodes of the tokens of prompts."""


def decode_nodes(seats: int) -> FloatArray:
    """Numbers of decode steps at which iterations are timed: from hardly any, which launch kernels, to the seats."""
    found = [_HARDLY, 1.0, 2.0]
    while found[-1] * _STEP < seats:
        found.append(float(round(found[-1] * _STEP)))
    return np.array([*(one for one in found if one < seats), float(seats)])


@dataclass(frozen=True, eq=False)
class Tabulated:
    """Iterations of candidates in a row, timed at nodes. An `IterationTime` for mean sequences alone: what they attend
    to, and how many prompts end, follows from the number of tokens."""

    nodes: FloatArray
    """Decode steps, (nodes,)."""
    decoding: FloatArray
    """Seconds without prompts, (nodes, candidates)."""
    mixed: FloatArray
    """Seconds with prompts, (nodes, chunks, candidates)."""
    least: FloatArray
    """Tokens of prompts at the first node, (candidates,)."""
    most: FloatArray
    """At the last."""

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
        """Seconds of an iteration of each candidate; arguments broadcast to (..., candidates)."""
        n, p = np.broadcast_arrays(np.asarray(decodes, float), np.asarray(prefill_tokens, float), self.least)[:2]
        place = np.arange(len(self.least))
        i = np.clip(np.searchsorted(self.nodes, n, side="right") - 1, 0, len(self.nodes) - 2)
        low, high = self.nodes[i], self.nodes[i + 1]
        share = np.maximum(n - low, 0.0) / (high - low)
        alone = (1 - share) * self.decoding[i, place] + share * self.decoding[i + 1, place]
        alone = np.where(n > 0, alone, 0.0)
        if not np.any(p > 0):
            return np.asarray(alone)
        chunks = self.mixed.shape[1]
        step = np.maximum(np.log(self.most / self.least), 1e-9) / (chunks - 1)
        safe = np.where(p > 0, p, self.least)
        j = np.clip(np.floor(np.log(safe / self.least) / step), 0, chunks - 2).astype(np.intp)
        first, second = self.least * np.exp(j * step), self.least * np.exp((j + 1) * step)
        part = (safe - first) / (second - first)
        at, above = self.mixed[i, j, place], self.mixed[i, j + 1, place]
        found = (1 - share) * (at + part * (above - at))
        at, above = self.mixed[i + 1, j, place], self.mixed[i + 1, j + 1, place]
        found = found + share * (at + part * (above - at))
        return np.where(p > 0, found, alone)

    def only(self, rows: NDArray[np.intp]) -> Tabulated:
        """Of some of the candidates."""
        return Tabulated(self.nodes, self.decoding[:, rows], self.mixed[:, :, rows], self.least[rows], self.most[rows])


@dataclass(frozen=True, eq=False)
class Beside:
    """What an iteration does for its prompts beside the language model's part: images, and passes over queries."""

    requests: FloatArray
    """That are served together, ascending from 1, (nodes,)."""
    together_s: FloatArray
    """Seconds for them, (nodes, candidates)."""

    def seconds(self, prompts: FloatArray) -> FloatArray:
        """For so many prompts, (..., candidates); of less than one its share."""
        count, place = np.maximum(prompts, 1.0), np.arange(self.together_s.shape[1])
        i = np.clip(np.searchsorted(self.requests, count, side="right") - 1, 0, len(self.requests) - 2)
        part = (count - self.requests[i]) / (self.requests[i + 1] - self.requests[i])
        found = self.together_s[i, place] + part * (self.together_s[i + 1, place] - self.together_s[i, place])
        return np.asarray(np.minimum(prompts, 1.0) * found)


def tabulated(
    groups: Sequence[Together],
    requests: Sequence[MeanRequest],
    run: Run,
    beside: Beside,
    images: int,
    seats: int,
    budget: int,
    shape: tuple[int, int, int],
    joined: Callable[[Sequence[FloatArray]], FloatArray],
) -> Tabulated:
    """The tables of a block.

    Args:
        groups: of language models, whose members together are those of the block.
        requests: to each group.
        run: hardware, precision and GPUs that share a model, (GPUs, 1, 1).
        beside: what comes in front of prompts.
        images: of a request, for models whose images stand beside the sequence.
        seats: sequences that run at once, at most.
        budget: tokens of an iteration.
        shape: of the block: (GPUs, models, visual tokens).
        joined: values of the groups, (..., own models, visual tokens) -> in the order of the block.
    """
    nodes = decode_nodes(seats)
    n = nodes.reshape(-1, 1, 1, 1, 1)
    least, most, alone, mixed = [], [], [], []
    for (members, model, _), one in zip(groups, requests, strict=True):
        own = (shape[0], len(members), shape[2])
        time = Iterations(model, run, images)
        s, c = one.prompt_tokens, one.context_tokens
        low = np.minimum(s, max(budget - seats, 1))
        ratio = (budget / low) ** (np.arange(_CHUNKS) / (_CHUNKS - 1)).reshape(-1, 1, 1, 1)
        p = low * ratio
        pairs = p * one.pairs / s
        alone.append(_whole(time.seconds(n[:, 0], n[:, 0] * c), (len(nodes), *own)))
        found = time.seconds(n, n * c, p, pairs, n + p / s)
        mixed.append(_whole(found, (len(nodes), _CHUNKS, *own)))
        least.append(_whole(low, own))
        most.append(_whole(s, own))
    count = int(np.prod(shape))
    low, prompt = joined(least).reshape(count), joined(most).reshape(count)
    p = low * (budget / low) ** (np.arange(_CHUNKS) / (_CHUNKS - 1)).reshape(-1, 1)
    encoded = beside.seconds(p / prompt)
    return Tabulated(
        nodes=nodes,
        decoding=joined(alone).reshape(len(nodes), count),
        mixed=joined(mixed).reshape(len(nodes), _CHUNKS, count) + encoded,
        least=low,
        most=np.full(count, float(budget)),
    )


def _whole(values: Number, shape: tuple[int, ...]) -> FloatArray:
    return np.broadcast_to(np.asarray(values, float), shape)
