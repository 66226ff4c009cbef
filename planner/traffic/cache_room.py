"""Room for the KV cache of a server: what weights and activations leave of a GPU, in tokens of the requests that come.

    room = min(share x memory, memory - driver) - weights - activations        bytes on each GPU
    tokens = room / (bytes / tokens of a running sequence, on average)

share         of the GPU that the engine takes: vLLM's gpu_memory_utilization
activations   of the widest pass that can come: a full token budget with logits of every sequence, or as many images as
              fill the token budget, at least one
sequence      from its first token to its last, long answers as much more often as they run longer. What layers keep of
              it is what they say themselves: all tokens, those of a window, a latent, a state of constant size, images
              beside the sequence. A token of such a model has no fixed size; its mean is over what runs.

Letters: t tokens in front of the answer, G tokens of the answer; the i-th decode step holds t + i of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, NothingFitsError
from planner.base.quantities import format_bytes, shown
from planner.configuration import Model, Run
from planner.costs.memory import CONTEXT_BYTES, kv_bytes, weights_of
from planner.hardware import Hardware
from planner.hardware.precision import wide_bytes
from planner.parts.llms import Llm
from planner.parts.walk import Cache
from planner.traffic.iteration_time import FloatArray, Number
from planner.traffic.scheduler import Scheduler

MEMORY_SHARE = 0.92
"""What vLLM takes by itself: the default of gpu_memory_utilization (vllm/config/cache.py of vLLM 0.33.0; once .9)."""


@dataclass(frozen=True)
class Sequences:
    """What running sequences hold, a column each; of equal length n."""

    context_tokens: FloatArray
    """In front of the answer, from the cache or computed."""
    generated_tokens: FloatArray
    beside_tokens: FloatArray
    """Of images that stand beside the sequence."""
    weights: FloatArray
    """Share of each among the requests."""


@dataclass(frozen=True)
class CacheRoom:
    """Room for keys and values on each GPU of a replica."""

    bytes: float
    bytes_per_token: float
    """What running sequences hold on average, on one GPU, over their tokens."""
    activations_bytes: float
    """Kept free for the widest pass."""
    weights_bytes: float

    @property
    def tokens(self) -> float:
        return self.bytes / self.bytes_per_token


def cache_room(
    model: Model, run: Run, scheduler: Scheduler, sequences: Sequences, share: float, images: bool
) -> CacheRoom:
    """The room of a server.

    Args:
        model: what runs.
        run: hardware, precisions, and the GPUs that share the language model.
        scheduler: its token budget, and sequences that run at most.
        sequences: of the requests that come.
        share: of the memory that the engine takes, above 0 and at most 1.
        images: whether tower and compressor run on these GPUs.

    Raises:
        InputError: no hardware, or a share that is none.
        NothingFitsError: GPUs that cannot hold the weights, or no request beside them.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise InputError(f"memory_share: expected a share above 0 and at most 1, got {shown(share)}")
    card = run.hardware
    if card is None:
        raise InputError("a server's room needs hardware: give the run an accelerator, such as l4")
    gpus = int(run.tensor_parallel)
    usable = usable_bytes(card, share)
    weights = float(weights_of(model, run, vision=images))
    activations = _activations(model, run, scheduler, images)
    caches = model.llm.caches(float(gpus))
    per_token, longest = _per_token(caches, sequences, kv_bytes(run)), _longest(caches, sequences, kv_bytes(run))
    room = usable - weights - activations
    if room < longest:
        raise NothingFitsError(_too_small(model.llm, run, usable, weights, activations, longest))
    return CacheRoom(room, per_token, activations, weights)


def usable_bytes(card: Hardware, share: float) -> float:
    """Of a GPU, what a server with so large a share may take."""
    return min(share * card.memory_bytes, card.memory_bytes - CONTEXT_BYTES)


def budget_bytes(llm: Llm, run: Run, scheduler: Scheduler) -> Number:
    """Bytes of the activations of a full token budget on one GPU, with logits of every sequence."""
    wide, budget = wide_bytes(run.precision), scheduler.max_num_batched_tokens
    width = llm.activation_values(np.asarray(run.tensor_parallel, float)) + llm.hidden_size
    logits = (wide + 4) * llm.vocab_size * min(scheduler.max_num_seqs, budget)  # in the model's precision, and as fp32
    return wide * budget * width + logits


def kept_sum(t: Number, steps: Number, window: Number) -> FloatArray:
    """Sum over i = 0 ... G - 1 of min(t + i, window)."""
    bounded = np.minimum(window, 1e15)  # infinity times nothing is no number
    short = np.clip(np.ceil(bounded - t), 0.0, steps)
    return np.asarray(t * short + short * (short - 1) / 2 + (steps - short) * bounded)


def check_encoder_room(model: Model, run: Run, share: float) -> None:
    """Raises NothingFitsError where tower and compressor do not fit on a GPU of their own with one image."""
    assert run.hardware is not None
    wide = wide_bytes(run.precision)
    usable = usable_bytes(run.hardware, share)
    vision = float(weights_of(model, run)) - float(weights_of(model, run, vision=False))
    needed = vision + wide * _image_values(model)
    if needed > usable:
        raise NothingFitsError(
            f"the encoder of {model} takes {format_bytes(needed)}, and a server may take {format_bytes(usable)} of "
            f"{run.hardware.title}: choose hardware with more memory"
        )


def _activations(model: Model, run: Run, scheduler: Scheduler, images: bool) -> float:
    """Bytes of the widest pass: of a token budget, or of the images that fill it."""
    found = float(budget_bytes(model.llm, run, scheduler))
    if not images:
        return found
    tokens = max(float(model.sequence_tokens), float(model.beside_tokens), 1.0)
    together = max(scheduler.max_num_batched_tokens // tokens, 1.0)
    return max(found, wide_bytes(run.precision) * together * _image_values(model))


def _image_values(model: Model) -> float:
    """Numbers that one image keeps alive at most, in the tower or behind it."""
    squeezed = model.compressor.activation_values(model.tower) + model.connector.activation_values(
        float(model.visual_tokens), model.tower.hidden_size, model.llm.hidden_size
    )
    return float(np.maximum(model.tower.activation_values(model.compressor.feature_layers), squeezed))


def _per_token(caches: Sequence[Cache], sequences: Sequences, each_bytes: float) -> float:
    """Mean bytes of running sequences over their mean tokens."""
    t, steps = sequences.context_tokens, sequences.generated_tokens
    held = _constant(caches, sequences) * steps
    for cache in caches:
        held = held + cache.values_per_token * kept_sum(t, steps, cache.window)
    tokens = t * steps + steps * (steps - 1) / 2
    shares = sequences.weights
    return float(each_bytes * (shares @ held) / (shares @ tokens))


def _longest(caches: Sequence[Cache], sequences: Sequences, each_bytes: float) -> float:
    """Bytes of the sequence that holds the most, at its end."""
    held = _constant(caches, sequences)
    for cache in caches:
        held = held + cache.values_per_token * cache.kept(sequences.context_tokens + sequences.generated_tokens)
    return float(each_bytes * np.max(held))


def _constant(caches: Sequence[Cache], sequences: Sequences) -> FloatArray:
    """Numbers that a sequence keeps whatever its length."""
    found = np.zeros(len(sequences.weights))
    for cache in caches:
        found = found + cache.constant_values + cache.values_per_image_token * sequences.beside_tokens
    return found


def _too_small(llm: Llm, run: Run, usable: float, weights: float, activations: float, longest: float) -> str:
    """Why GPUs are too small, in a sentence."""
    assert run.hardware is not None
    gpus = int(run.tensor_parallel)
    where = run.hardware.title if gpus == 1 else f"each of {gpus} {run.hardware.title}"
    more = "hardware with more memory, more GPUs that share the model, or fewer bits"
    if weights > usable:
        return (
            f"{llm.name} in {run.precision} does not fit: its weights take {format_bytes(weights)} of the "
            f"{format_bytes(usable)} that a server may take of {where}; choose {more}"
        )
    return (
        f"{llm.name} in {run.precision} has no room for a request: weights take {format_bytes(weights)}, a full token "
        f"budget {format_bytes(activations)} and the KV cache of one request {format_bytes(longest)} of the "
        f"{format_bytes(usable)} that a server may take of {where}; choose {more}, or a smaller token budget"
    )
