"""Seconds of one iteration of a serving engine: prompts, whole or in chunks, and decode steps in one batch.

    t = products(B + P) + attention(P, pairs) + cache(c) + head(h) + images + host

    products   matrix products, element-wise kernels and all-reduces of the B + P tokens together: weights are read once
    attention  of the prompts' tokens, and keys and values of what stands before their chunks, which are read again
    cache      keys and values that the decode steps attend to; where prompts run too, in the launch of their attention
    head       the output head on h tokens
    images     tower, compressor and connector, where they run in the engine's process
    host       `planner.hardware.host_costs`: a constant of each iteration, and one of those with prompts

Without decode steps it is the prefill of `planner.costs.latency`, without prompts its decode step. Letters: B decode
steps over c tokens in all, P tokens of prompts, h tokens whose logits are computed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import whole_number
from planner.configuration import Model, Run, cannot_share
from planner.costs.seconds import Clocks
from planner.costs.stage_time import FloatArray, Number
from planner.hardware import Hardware
from planner.hardware.host_costs import HostCosts
from planner.parts.llms import Llm
from planner.parts.mixed import Mixed
from planner.parts.walk import Attention, CacheRead, Kernel

_BLOCK = 16384
"""Iterations that are timed in one go: their columns stay in the processor's cache."""
_HALF_A_TOKEN = 0.5
"""Before a chunk; less is a rounding error."""


@dataclass(frozen=True)
class Iterations:
    """The iterations of one engine: a model, how it runs, and how many images a request has."""

    model: Model
    run: Run
    images: int = 1
    """Of a request, for models whose images stand beside the sequence."""

    def __post_init__(self) -> None:
        Clocks.of(self._card, self.run)  # what cannot be timed is refused here, not at the first iteration
        self._check_attention()

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
        """Seconds of iterations; all numbers broadcast.

        Args:
            decodes: sequences that get one more token each.
            context_tokens: that these attend to, of all of them together, their new tokens included.
            prefill_tokens: of the prompts that are computed in the iteration.
            pairs: of such a token and one that it attends to: the sum over chunks of n tokens behind d others of
                n (d + (n + 1) / 2); by default those of one whole prompt. Windows are taken off it here.
            heads: tokens whose logits are computed: the decode steps and the prompts that end; by default one prompt
                ends where there are any.
            prompts: that have a chunk in the iteration, taken as equally long; by default those that end, at least one.
            images: that are encoded in the iteration.

        Returns:
            Seconds, 0 where nothing runs.
        """
        if pairs is None:
            pairs = prefill_tokens * (np.asarray(prefill_tokens) + 1.0) / 2
        if heads is None:
            heads = decodes + np.where(np.asarray(prefill_tokens) > 0, 1.0, 0.0)
        given = [decodes, context_tokens, prefill_tokens, pairs, heads, images]
        arrays = [np.asarray(one, float) for one in (given if prompts is None else [*given, prompts])]
        shape = np.broadcast_shapes(*(one.shape for one in arrays))
        if self._has_columns or np.prod(shape, dtype=int) <= _BLOCK:
            return np.asarray(self._seconds(*arrays))
        flat = [np.broadcast_to(one, shape).ravel() for one in arrays]
        found = np.empty(flat[0].size)
        for start in range(0, found.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            found[block] = self._seconds(*(one[block] for one in flat))
        return found.reshape(shape)

    @property
    def host(self) -> HostCosts:
        """What the host adds to iterations and requests; zero, without a source, where it is not calibrated."""
        return self._card.efficiency.host

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be said of these times."""
        found = []
        if not self.host.source:
            found.append("the costs of the engine's host are not calibrated: iterations take what their kernels take")
        if self.model.compressor.query_aware and self.model.has_images:
            found.append(f"{self.model.compressor.name} looks at the query: its query pass is a prefill of its own")
        return tuple(found)

    # ---- how ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _card(self) -> Hardware:
        if self.run.hardware is None:
            raise InputError("times need hardware: give the run an accelerator, such as l4")
        return self.run.hardware

    @cached_property
    def _clocks(self) -> Clocks:
        return Clocks.of(self._card, self.run, self.model.llm)

    @cached_property
    def _beside(self) -> Clocks:
        return Clocks.of(self._card, self.run)

    @property
    def _has_columns(self) -> bool:
        return np.ndim(self.model.llm.nominal_params) > 0 or np.ndim(self.model.visual_tokens) > 0

    @property
    def _image_tokens(self) -> Number:
        """Beside each sequence."""
        return self.images * self.model.beside_tokens

    def _check_attention(self) -> None:
        """Raises InputError for a language model that leaves out the attention of decode steps beside prompts."""
        mixed = Mixed.of(1.0, 2.0, 2.0, 3.0, 2.0, image_tokens=self._image_tokens)
        prompts, steps = _attention(self.model.llm.walk(mixed, 1.0))
        alone = _attention(self.model.llm.walk(mixed.steps, 1.0))[1]
        if len(steps) != len(alone) or len(prompts) != len(steps):
            raise InputError(
                f"{self.model.llm.name} times prompts and decode steps each alone: expected a walk that yields the "
                "attention of each of `todo.parts`"
            )

    def _seconds(
        self,
        decodes: Number,
        context_tokens: Number,
        prefill_tokens: Number,
        pairs: Number,
        heads: Number,
        images: Number,
        prompts: Number | None = None,
    ) -> Number:
        mixed = Mixed.of(decodes, context_tokens, prefill_tokens, pairs, heads, prompts, self._image_tokens)
        gpus = np.asarray(self.run.tensor_parallel, float)
        kernels = list(self.model.llm.walk(mixed, gpus))
        found = self._clocks.time(kernels).seconds - self._shared_launches(kernels, mixed)
        behind = np.asarray(mixed.cached_tokens) > _HALF_A_TOKEN
        if np.any(behind):
            _, reads = _attention(self.model.llm.walk(mixed.prefix, gpus))
            found = found + np.where(behind, self._read(reads), 0.0)
        found = found + self.host.step_s + self.host.prefill_s * mixed.prefilling
        found = np.where(mixed.rows > 0, found, 0.0)
        return found + self._encode(images) if np.any(images) else found

    def _shared_launches(self, kernels: Iterable[Kernel], mixed: Mixed) -> Number:
        """Seconds of the launches that are saved where one kernel attends for prompts and decode steps."""
        e = self._card.efficiency
        saved: Number = 0.0
        for prompt in _attention(kernels)[0]:
            launch = e.attention_overhead_s + prompt.qk_norm * e.qk_norm_overhead_s
            saved = saved + prompt.times * np.minimum(launch, e.cache_overhead_s)
        return saved * mixed.decoding

    def _read(self, reads: Iterable[CacheRead]) -> Number:
        """Seconds in which keys and values are read, without a launch."""
        values: Number = 0.0
        for one in reads:
            values = values + one.times * 2 * one.kv_width * one.tokens
        card = self._card
        rate = card.bandwidth_bytes_per_s * card.efficiency.cache_bandwidth
        return values * (self._clocks.quantised.kv_bytes / rate)

    def _encode(self, images: Number) -> Number:
        walks = (self.model.encode(images), self.model.compress(images))
        return np.where(np.asarray(images) > 0, sum(self._beside.time(walk).seconds for walk in walks), 0.0)


def iterations(
    model: str | os.PathLike[str] | Llm | Model,
    hardware: str | os.PathLike[str] | Hardware,
    *,
    visual_tokens: int = 0,
    precision: str | None = None,
    kv_precision: str | None = None,
    tensor_parallel: int = 1,
    images: int = 1,
) -> Iterations:
    """The iterations of a serving engine; `seconds` of what it returns times any number of them at once.

    Args:
        model: a language model by name or config.json, to which images come from elsewhere; or a whole model, such as a
            `ReleasedModel`.
        hardware: name or profile of an accelerator.
        visual_tokens: per image, of a language model with the usual tower and compressor; 0: no images.
        precision: of the language model's matrices; by default bf16, or fp16 on a card that has no bf16.
        kv_precision: of the KV cache; by default that of what is not quantised.
        tensor_parallel: GPUs that share the language model.
        images: of a request, for models whose images stand beside the sequence.

    Raises:
        InputError: a name that is not known, GPUs that cannot share the model, a precision that the card has not.
    """
    whole = model if isinstance(model, Model) else Model.of(model, visual_tokens)
    run = Run.of(hardware, precision=precision, kv_precision=kv_precision, tensor_parallel=tensor_parallel)
    if not whole.llm.can_share(tensor_parallel):
        raise InputError(cannot_share(whole.llm, tensor_parallel))
    return Iterations(whole, run, whole_number(images, "images", 0))


def _attention(kernels: Iterable[Kernel]) -> tuple[list[Attention], list[CacheRead]]:
    """The kernels that attend: of prompts, and of decode steps."""
    found = list(kernels)
    prompts = [one for one in found if isinstance(one, Attention)]
    return prompts, [one for one in found if isinstance(one, CacheRead)]
