"""Bytes on one device: weights, KV cache, activations, and what the allocator and the driver keep.

    peak = weights + reserve + max over stages (KV cache held + activations)

Weights. Quantisers leave embeddings, output head, norms, biases, tower and compressor in 16 bits: only the matrices of
the decoder's layers take the low precision. int4 adds one 16-bit scale for a group of 128 weights; the scales of fp8
and int8, one for a row at most, are below .1 % and left out.

KV cache: every token that the LLM has seen, 2 L w_kv numbers each. Activations: the tensors that live at the same time
in the widest moment of a stage, eager PyTorch with fused attention, no gradient; each is read off the order of
operations and named in the code. Tensor parallel over n devices divides the LLM's matrices, embeddings and KV heads by
n; tower and compressor stand on every device.

Letters as in `flops`; B requests at once, m width of an MLP, w_kv key/value heads x head dimension.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from planner.costs.sizes import LlmSizes
from planner.costs.stages import STAGES, Workload, stage_tokens
from planner.hardware.precision import KV_BYTES, WEIGHT_BYTES, check_precisions, wide_bytes
from planner.models.specs import CompressorSpec, VisionSpec

FloatArray = NDArray[np.float64]

CONTEXT_BYTES = 600 * 2**20
"""What a CUDA context with loaded kernels and library workspaces takes before the first tensor."""


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
    peak_stage: FloatArray | float
    """Position in `STAGES` of the stage in which the peak is."""
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
        return Memory(*(float(np.asarray(getattr(self, item.name))[index]) for item in fields(self)))

    def to_dict(self) -> dict[str, float | str]:
        sizes = {
            f"{one.name}_bytes": float(getattr(self, one.name)) for one in fields(self) if one.name != "peak_stage"
        }
        return sizes | {"peak_stage": STAGES[int(self.peak_stage)], "owner": self.owner()}


def request_memory(
    llm: LlmSizes,
    visual_tokens: FloatArray | int,
    workload: Workload,
    *,
    vision: VisionSpec,
    compressor: CompressorSpec,
    prompt_order: str = "image-first",
    precision: str = "bf16",
    kv_precision: str | None = None,
    batch: FloatArray | int = 1,
    tensor_parallel: FloatArray | int = 1,
) -> Memory:
    """Bytes on one device for a batch of equal requests.

    Args:
        llm: one LlmSpec, or `sizes.LlmArrays` of many.
        visual_tokens: per image; broadcasts against the LLMs, as do batch and tensor_parallel.
        workload: one request.
        vision: the vision tower.
        compressor: what makes the visual tokens.
        prompt_order: "image-first" or "text-first".
        precision: of the decoder's matrices; see `planner.hardware.precision`.
        kv_precision: of the KV cache; by default that of what is not quantised.
        batch: requests at once (B).
        tensor_parallel: devices that share the LLM.

    Raises:
        UnknownNameError: no such precision or prompt order.
    """
    check_precisions(precision, kv_precision)
    wide = wide_bytes(precision)
    kv_bytes = KV_BYTES[kv_precision] if kv_precision else wide
    v = np.asarray(visual_tokens, float)
    b = np.asarray(batch, float)
    devices = np.asarray(tensor_parallel, float)
    tokens = stage_tokens(workload, v, compressor.query_aware, prompt_order)
    weights = weights_bytes(llm, precision) / devices + wide * (
        vision.params_run + compressor_params(compressor, vision, llm.hidden_size, v)
    )
    per_token = kv_bytes * llm.kv_values_per_token / np.minimum(devices, llm.num_kv_heads)
    before, after_prefill = per_token * tokens.cached, per_token * (tokens.cached + tokens.prefill)
    at_end = after_prefill + per_token * tokens.decode
    images = workload.images
    d, levels = vision.hidden_size, compressor.feature_layers
    seen = vision.patches + vision.class_token
    # kept feature levels, residual, norm; and in the MLP its hidden layer, the activation's factor and their product
    encoder = wide * images * seen * ((levels + 2) * d + 3 * vision.intermediate_size)
    # kept levels, their concatenation and the query features; of keys, values: hidden layer, its GELU, output, norm
    squeezed = wide * images * (vision.patches * d * (2 * levels + 1 + 2 * 4) + 2 * v * llm.hidden_size)
    ahead = np.maximum(tokens.query_pass, tokens.prefix)
    query_pass = wide * ahead * decoder_width(llm, devices)
    # the embedded prompt stays beside the layers; logits of one position, in the model's precision and as fp32
    prefill = wide * tokens.prefill * (decoder_width(llm, devices) + llm.hidden_size) + (wide + 4) * llm.vocab_size
    decode = wide * decoder_width(llm, devices) + (wide + 4) * llm.vocab_size
    held = (before, before, before, after_prefill, at_end)
    needed = (encoder, squeezed, query_pass, prefill, decode)
    per_stage = [np.asarray(kv + own, float) for kv, own in zip(held, needed, strict=True)]
    per_request = reduce(np.maximum, per_stage)
    peak_stage, at_peak = np.zeros(np.shape(per_request)), np.zeros(np.shape(per_request))
    for position, (kv, whole) in enumerate(zip(held, per_stage, strict=True)):
        there = whole == per_request
        peak_stage, at_peak = np.where(there, position, peak_stage), np.where(there, kv, at_peak)
    shape = np.broadcast_shapes(np.shape(per_request), np.shape(weights), b.shape, devices.shape)
    zero = np.zeros(shape)
    return Memory(
        weights=weights + zero,
        kv_cache=b * at_end + zero,
        encoder=b * encoder + zero,
        compressor=b * squeezed + zero,
        query_pass=b * query_pass + zero,
        prefill=b * prefill + zero,
        decode=b * decode + zero,
        reserve=CONTEXT_BYTES + zero,
        peak=weights + CONTEXT_BYTES + b * per_request + zero,
        per_request=per_request + zero,
        peak_stage=peak_stage + zero,
        peak_kv_cache=b * at_peak + zero,
    )


def weights_bytes(llm: LlmSizes, precision: str = "bf16") -> FloatArray | float:
    """Bytes of the LLM's weights: its matrices in `precision`, all else in 16 bits (32 with fp32)."""
    return WEIGHT_BYTES[precision] * llm.linear_params + wide_bytes(precision) * (llm.params - llm.linear_params)


def decoder_width(llm: LlmSizes, devices: FloatArray | float = 1.0) -> FloatArray | float:
    """Numbers that a new token keeps alive in the widest moment of a decoder layer.

    The MLP: residual, norm, and of the hidden layer gate, up and product (two without a gate). The attention: residual,
    norm, queries before and after the rotation, keys, values and rotated keys, output.
    """
    mlp = llm.mlp_matrices * llm.intermediate_size / devices
    attention = (3 * llm.attention_width + 3 * llm.kv_width) / devices
    return 2 * llm.hidden_size + np.maximum(mlp, attention)


def compressor_params(
    compressor: CompressorSpec, vision: VisionSpec, llm_hidden_size: FloatArray | float, visual_tokens: FloatArray | int
) -> FloatArray | float:
    """Parameters of compressor and projector, k feature layers of width d, kernel side s, LLM width H.

    Projector: d H + H + H^2 + H. QueCC: query MLP 2 d^2 + 4 d; key and value MLPs 2 ((k + 1) d^2 + 4 d); depth-wise
    convolution d s^2 + d; text feature H d + 3 d; attention 4 d^2 + 4 d. TokenPacker: the same without text feature and
    convolution, its query MLP a single layer without bias, d^2, and norm, 2 d.
    """
    d, k = float(vision.hidden_size), compressor.feature_layers
    h = np.asarray(llm_hidden_size, float)
    params: FloatArray | float = d * h + h + h * h + h
    if compressor.name in ("quecc", "tokenpacker"):
        params = params + 2 * ((k + 1) * d * d + 4 * d) + 4 * d * d + 4 * d
    if compressor.name == "quecc":
        kernel = vision.patches / np.maximum(np.asarray(visual_tokens, float), 1.0)
        params = params + 2 * d * d + 4 * d + d * kernel + d + h * d + 3 * d
    elif compressor.name == "tokenpacker":
        params = params + d * d + 2 * d
    return params
