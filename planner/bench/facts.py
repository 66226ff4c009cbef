"""What a measurement holds beside its samples: the model, the device's ceilings, memory, energy, how it was taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from planner.base.codec import SPARSE
from planner.base.stored import COUNT, NOT_NEGATIVE, POSITIVE, Choice
from planner.hardware.few_rows import FewRows

WHOLE = "whole"
SLICES = "slices"


@dataclass(frozen=True)
class ModelFacts:
    """Which model was measured, read off the model itself."""

    llm: str
    visual_tokens: Annotated[int, COUNT]
    """Per image."""
    vision: str
    compressor: str
    prompt_order: str
    precision: str
    """Of the LLM's weights: "bf16", "fp16", "fp32"."""
    params: Annotated[int, COUNT]
    """Of the whole model, tied ones once."""
    tensor_parallel: Annotated[int, COUNT] = 1
    """Devices that share the LLM."""
    image: str = field(default="", metadata=SPARSE)
    """Of a released model: size of the images and knobs that were turned, "1024x768, max_pixels=401408"; else ""."""
    source: str = field(default="", metadata=SPARSE)
    """Of a released model: its hub id, or the folder or config.json that it was read from; else ""."""


@dataclass(frozen=True)
class Ceilings:
    """What the device reached there and then in a few short tests."""

    matmul_flops_per_s: Annotated[float, POSITIVE]
    """Of a large matrix product in the model's precision."""
    copy_bytes_per_s: Annotated[float, NOT_NEGATIVE]
    """Of a large copy, read plus written."""
    read_bytes_per_s: Annotated[float, NOT_NEGATIVE]
    """Of a large sum, read only."""
    few_rows: FewRows | None = field(default=None, metadata=SPARSE)
    """How the time of matrix products grows with few rows in the model's precision; None where it was not measured."""


@dataclass(frozen=True)
class MemoryUse:
    """Bytes on the device."""

    weights_bytes: Annotated[int, COUNT]
    """Of all parameters of the model."""
    kv_cache_bytes: Annotated[int, COUNT]
    """After the prefill."""
    peak_bytes: Annotated[int, COUNT]
    """Most that tensors took at once in a request: the allocator's count, on the CPU the sum over live tensors."""
    decode_read_bytes: Annotated[int, COUNT]
    """What a decode step cannot but read: the decoder's and the head's weights, and the KV cache at its mean length."""
    generated_tokens: Annotated[int, COUNT]
    """Of the request in which the peak was taken."""
    reserved_bytes: Annotated[int, COUNT] | None = None
    """Most that the allocator held."""
    driver_bytes: Annotated[int, COUNT] | None = None
    """What the driver says is in use on the device at the peak, other programs included."""


@dataclass(frozen=True)
class Energy:
    """Of one request of the batch, by the device's own counter."""

    joules: Annotated[float, NOT_NEGATIVE] | None
    """None where there is no counter."""
    valid: bool
    """Whether the region was long enough for the counter's steps, and nothing else ran."""
    note: str = ""


@dataclass(frozen=True)
class ProcessUse:
    """What the process took on the host, beside the times and the memory of the device."""

    peak_bytes: Annotated[int, COUNT] | None = None
    """Most that was resident at once (RSS) until the measurement was done: Python, its libraries and whatever else ran
    in the process included; None where the system does not tell."""
    build_s: Annotated[float, NOT_NEGATIVE] | None = None
    """Seconds in which the model was built, its weights drawn or loaded; None where that was not watched."""


@dataclass(frozen=True)
class Method:
    """Whether the whole model ran, or slices of it."""

    DERIVED: ClassVar[tuple[str, ...]] = ("text",)

    kind: Annotated[str, Choice((WHOLE, SLICES))] = WHOLE
    """"whole", or "slices": the exact model with fewer decoder layers, extrapolated linearly to all."""
    layers: Annotated[int, COUNT] = 0
    """Decoder layers of the model."""
    layers_measured: tuple[Annotated[int, COUNT], ...] = ()
    """Of the models that ran."""

    @property
    def text(self) -> str:
        if self.kind == WHOLE:
            return f"the whole model, {self.layers} decoder layers, ran"
        ran = " and ".join(map(str, self.layers_measured))
        return f"models of {ran} decoder layers ran; times and bytes are extrapolated linearly to all {self.layers}"
