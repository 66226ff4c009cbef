"""Bytes on one device: weights, KV cache, activations, and what the allocator and the driver keep.

    peak = weights + reserve + max over stages (KV cache held + activations)

Weights. Quantisers leave embeddings, output head, norms, biases, tower and compressor in 16 bits: only the matrices of
the decoder's layers take the low precision; GGUF files quantise embeddings and head too. int4 adds one 16-bit scale for
a group of 128 weights; the scales of fp8 and int8, one for a row at most, are below .1 % and left out.

KV cache: every token that the LLM has seen, 2 L w_kv numbers each. Activations: the tensors that live at the same time
in the widest moment of a stage, eager PyTorch with fused attention, no gradient; each is read off the order of
operations and named in the code. Tensor parallel over n devices divides the LLM's matrices, embeddings and KV heads by
n; tower and compressor stand on every device.

Letters as in `flops`; B requests at once, m width of an MLP, w_kv key/value heads x head dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import reduce
from operator import attrgetter
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.place import Place
from planner.configuration import Model, Run
from planner.costs.stages import STAGES, StageTokens, Workload, passes
from planner.hardware.gguf import GGUF_TYPES
from planner.hardware.precision import KV_BYTES, WEIGHT_BYTES, wide_bytes
from planner.parts.llms import Llm
from planner.parts.walk import Cache, Number

FloatArray = NDArray[np.float64]

CONTEXT_BYTES = 600 * 2**20
"""What a CUDA context with loaded kernels and library workspaces takes before the first tensor."""


class StageName:
    """A stage by its position in `STAGES`, a name in files; of arrays the positions."""

    def encode(self, value: Any, place: Place) -> Any:
        if np.ndim(value):
            return np.asarray(value).tolist()
        position = float(value)
        if not (position.is_integer() and 0 <= position < len(STAGES)):
            raise place.wrong(f"a position in {', '.join(STAGES)}", value)
        return STAGES[int(position)]

    def decode(self, content: Any, place: Place) -> float:
        if content not in STAGES:
            raise place.wrong(f"one of {', '.join(STAGES)}", content)
        return float(STAGES.index(content))


@dataclass(frozen=True)
class Memory:
    """Bytes on one device; each a float, or an array over candidates."""

    weights: FloatArray | float
    kv_cache: FloatArray | float
    """At the end of the answer, all requests of the batch."""
    encoder: FloatArray | float
    """Activations of the stage; so with the four below."""
    compressor: FloatArray | float
    query_pass: FloatArray | float
    prefill: FloatArray | float
    decode: FloatArray | float
    reserve: FloatArray | float
    peak: FloatArray | float
    per_request: FloatArray | float
    """What one more request in the batch adds at the peak."""
    peak_stage: Annotated[FloatArray | float, StageName()]
    """Position in `STAGES` of the stage in which the peak is; its name in files."""
    peak_kv_cache: FloatArray | float
    """KV cache held in that stage."""

    @property
    def activations(self) -> FloatArray | float:
        """Of the stage that needs the most."""
        return reduce(np.maximum, [np.asarray(getattr(self, stage)) for stage in STAGES])

    @property
    def peak_activations(self) -> float:
        """Of the stage in which the peak of a single candidate is."""
        return float(getattr(self, STAGES[int(self.peak_stage)]))

    def fixed(self) -> FloatArray | float:
        """What does not grow with the batch."""
        return self.weights + self.reserve

    def requests_that_fit(self, memory_bytes: float) -> NDArray[np.intp]:
        """The largest batch in so many bytes, 0 where not even the weights fit."""
        room = np.floor((memory_bytes - np.asarray(self.fixed())) / np.asarray(self.per_request))
        fitting: NDArray[np.intp] = np.maximum(room, 0).astype(np.intp)
        return fitting

    def owner(self) -> str:
        """What takes the most at the peak of a single candidate: weights, KV cache, or the stage's activations."""
        stage = STAGES[int(self.peak_stage)]
        shares = {
            "weights": float(self.weights),
            "KV cache": float(self.peak_kv_cache),
            f"activations of {stage.replace('_', ' ')}": float(getattr(self, stage)),
        }
        return max(shares, key=shares.__getitem__)

    def at(self, *index: int) -> Memory:
        """The numbers of one candidate."""
        return Memory(*(float(sizes[index]) for sizes in _sizes(self)))

    def to_dict(self) -> dict[str, float | str]:
        sizes = {
            f"{one.name}_bytes": float(getattr(self, one.name)) for one in fields(self) if one.name != "peak_stage"
        }
        return sizes | {"peak_stage": STAGES[int(self.peak_stage)], "owner": self.owner()}


_sizes = attrgetter(*(item.name for item in fields(Memory)))


def memory(model: Model, workload: Workload, run: Run) -> Memory:
    """Bytes on one device for a batch of equal requests.

    Args:
        model: what runs.
        workload: one request.
        run: precision, batch (B), and the devices that share the LLM.
    """
    wide = wide_bytes(run.precision)
    b, devices = np.asarray(run.batch, float), np.asarray(run.tensor_parallel, float)
    llm, images = model.llm, workload.images if model.has_images else 0
    tokens = passes(model, workload).tokens
    v = np.asarray(model.visual_tokens, float)
    weights = weights_of(model, run)
    before, after_prefill, at_end = _held(llm.caches(devices), tokens, kv_bytes(run))
    encoder = wide * images * model.tower.activation_values(model.compressor.feature_layers)
    beside = model.connector.activation_values(v, model.tower.hidden_size, llm.hidden_size)
    squeezed = wide * images * (model.compressor.activation_values(model.tower) + beside)
    per_token = llm.activation_values(devices)
    query_pass = wide * np.maximum(tokens.query_pass, tokens.prefix) * per_token
    # the embedded prompt stays beside the layers; logits of one position, in the model's precision and as fp32
    prefill = wide * tokens.prefill * (per_token + llm.hidden_size) + (wide + 4) * llm.vocab_size
    decode = wide * per_token + (wide + 4) * llm.vocab_size
    held = (before, before, before, after_prefill, at_end)
    needed = (encoder, squeezed, query_pass, prefill, decode)
    per_stage = [np.asarray(kv + own, float) for kv, own in zip(held, needed, strict=True)]
    per_request = reduce(np.maximum, per_stage)
    peak_stage, at_peak = np.zeros(np.shape(per_request)), np.zeros(np.shape(per_request))
    for position, (kv, whole) in enumerate(zip(held, per_stage, strict=True)):
        there = whole == per_request
        peak_stage, at_peak = np.where(there, position, peak_stage), np.where(there, kv, at_peak)
    shape = np.broadcast_shapes(np.shape(per_request), np.shape(weights), b.shape, devices.shape)

    def full(bytes_: Number) -> Number:
        """Of the shape of all candidates, without a copy for each."""
        return np.broadcast_to(np.asarray(bytes_, float), shape) if shape else np.float64(bytes_)

    return Memory(
        weights=full(weights),
        kv_cache=full(b * at_end),
        encoder=full(b * encoder),
        compressor=full(b * squeezed),
        query_pass=full(b * query_pass),
        prefill=full(b * prefill),
        decode=full(b * decode),
        reserve=full(CONTEXT_BYTES),
        peak=full(weights + CONTEXT_BYTES + b * per_request),
        per_request=full(per_request),
        peak_stage=full(peak_stage),
        peak_kv_cache=full(b * at_peak),
    )


def weights_of(model: Model, run: Run, *, vision: bool = True) -> Number:
    """Bytes of the weights on one device: its share of the language model, and with `vision` tower and compressor."""
    found = _llm_bytes(model, run.precision) / np.asarray(run.tensor_parallel, float)
    return found + wide_bytes(run.precision) * (model.tower.params_run + model.beside_params) if vision else found


def _llm_bytes(model: Model, precision: str) -> Number:
    """Of the language model's weights: as its checkpoint stores them, else by the precision."""
    stored = model.stored_llm_bytes(precision)
    if stored is None:
        return weights_bytes(model.llm, precision)
    if not np.isnan(stored).any():
        return stored
    found: Number = np.where(np.isnan(stored), weights_bytes(model.llm, precision), stored)
    return found


def kv_bytes(run: Run) -> float:
    """Bytes of one number of the KV cache."""
    return KV_BYTES[run.kv_precision] if run.kv_precision else wide_bytes(run.precision)


def _held(caches: Sequence[Cache], tokens: StageTokens, each_bytes: float) -> tuple[Number, Number, Number]:
    """Bytes that a request keeps before the prefill, after it, and at the end of the answer."""
    before: Number = 0.0
    after: Number = 0.0
    end: Number = 0.0
    prompt = tokens.cached + tokens.prefill
    for cache in caches:
        per_token, state = each_bytes * cache.values_per_token, each_bytes * cache.constant_values
        held = cache.kept(prompt)
        if np.any(tokens.beside):  # the keys and values of images come with the prompt
            images = each_bytes * cache.values_per_image_token * tokens.beside
            after, end = after + images, end + images
        before = before + (per_token * cache.kept(float(tokens.cached)) + state)
        after = after + (per_token * held + state)
        end = end + (per_token * held + per_token * (cache.kept(prompt + tokens.decode) - held) + state)
    return before, after, end


def weights_bytes(llm: Llm, precision: str = "bf16") -> Number:
    """Bytes of the LLM's weights: its matrices in `precision`, all else in 16 bits (32 with fp32).

    In a GGUF file embeddings and head are quantised as well (`planner.hardware.gguf`).
    """
    file = GGUF_TYPES.get(precision)
    if file is not None:
        return file.weights_bytes(llm)
    linear = llm.linear_params
    return WEIGHT_BYTES[precision] * linear + wide_bytes(precision) * (llm.params - linear)
