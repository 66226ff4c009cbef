"""Seconds of one request on one kind of GPU, stage by stage: the sum over kernels of `planner.costs.kernels`.

    TTFT     encoder + compressor + query pass + prefill: the time to the first token
    TPOT     one decode step at the mean length of the cache: the time of each further token
    request  TTFT + (G - 1) TPOT; the prefill yields the first of G tokens

How far the computing and the memory traffic of a kernel overlap is a number of the card, `Efficiency.overlap`.

A batch of requests runs together, with equal tokens each: every time is that of the whole batch. With tensor parallel n
the decoder and the output head are split over n GPUs, with two all-reduces a layer and one behind the embedding; tower
and compressor run on one GPU. Tower, compressor and output head stay in 16 bits when the decoder's weights are
quantised (fp32 with fp32 weights).

Letters: M rows, S new tokens of a request, C cached before them, L layers, H width of the LLM, w query heads x head
dimension, u key/value heads x head dimension, f width of the MLP; d width of the tower, V visual tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.costs.kernels import Number, Rates, StageClock, StageTime
from planner.costs.sizes import LlmSizes
from planner.costs.stages import IMAGE_FIRST, StageTokens, Workload, stage_tokens
from planner.costs.vision_latency import compressor_time, encoder_time
from planner.hardware import Hardware
from planner.models.specs import CompressorSpec, VisionSpec

FloatArray = NDArray[np.float64]

LATENCY_STAGES = ("encoder", "compressor", "query_pass", "prefill", "decode_step")
ROOFLINE = "roofline"
MIXED = "mixed"


@dataclass(frozen=True)
class Latency:
    """Times of one batch of requests, stage by stage; each a float, or an array over candidates."""

    encoder: StageTime
    compressor: StageTime
    query_pass: StageTime
    prefill: StageTime
    decode_step: StageTime
    generated_tokens: int
    batch: Number
    sources: Mapping[str, str]
    """Where each stage's numbers come from: "roofline" (typical efficiencies), "calibrated" (fitted to this card),
    "transferred" (fitted to a similar one), or a tag of `planner.costs.silicon`."""
    shape: tuple[int, ...] = ()
    """Of the candidates; () for one."""

    @property
    def source(self) -> str:
        """The source of all stages, "mixed" if they differ."""
        found = set(self.sources.values())
        return found.pop() if len(found) == 1 else MIXED

    @property
    def ttft_s(self) -> Number:
        """Seconds to the first token."""
        return self.encoder.seconds + self.compressor.seconds + self.query_pass.seconds + self.prefill.seconds

    @property
    def tpot_s(self) -> Number:
        """Seconds of each further token."""
        return self.decode_step.seconds

    @property
    def request_s(self) -> Number:
        """Seconds to the last token."""
        return self.ttft_s + self._steps * self.decode_step.seconds

    @property
    def throughput_requests_per_s(self) -> Number:
        """Of batches of this size, one after the other."""
        return self.batch / self.request_s

    @property
    def speed_of_light_share(self) -> Number:
        """Ideal over predicted seconds of the request: what perfect kernels without launch costs would take."""
        before = self.encoder.ideal_s + self.compressor.ideal_s + self.query_pass.ideal_s + self.prefill.ideal_s
        return (before + self._steps * self.decode_step.ideal_s) / self.request_s

    @property
    def _steps(self) -> int:
        return max(self.generated_tokens - 1, 0)

    def at(self, *index: int) -> Latency:
        """The numbers of one candidate."""
        stages = {name: getattr(self, name).at(self.shape, index) for name in LATENCY_STAGES}
        return replace(self, **stages, batch=float(np.broadcast_to(self.batch, self.shape)[index]), shape=())

    def to_dict(self) -> dict[str, float | str | dict[str, float | str]]:
        """Totals and stages, for a single candidate."""
        totals = ("ttft_s", "tpot_s", "request_s", "throughput_requests_per_s", "speed_of_light_share")
        stages: dict[str, float | str | dict[str, float | str]] = {}
        for name in LATENCY_STAGES:
            stage: StageTime = getattr(self, name)
            stages[name] = {
                "seconds": float(stage.seconds),
                "bytes": float(stage.bytes),
                "bound": str(stage.bound),
                "source": self.sources[name],
            }
        return {**{name: float(getattr(self, name)) for name in totals}, "source": self.source, **stages}


def request_latency(
    llm: LlmSizes,
    visual_tokens: FloatArray | int,
    workload: Workload,
    *,
    vision: VisionSpec,
    compressor: CompressorSpec,
    hardware: Hardware,
    prompt_order: str = IMAGE_FIRST,
    precision: str = "bf16",
    kv_precision: str | None = None,
    batch: FloatArray | int = 1,
    tensor_parallel: FloatArray | int = 1,
) -> Latency:
    """Seconds of a batch of requests.

    Args:
        llm: one LlmSpec, or `sizes.LlmArrays` of many.
        visual_tokens: per image; an array broadcasts against the LLMs.
        workload: each request.
        vision: the vision tower.
        compressor: what makes the visual tokens.
        hardware: the GPU.
        prompt_order: "image-first" or "text-first" (which runs the text ahead, as a pass within the prefill).
        precision: of the decoder's weights: fp32, bf16, fp16, fp8 and int8 (w8a8: inputs are quantised too,
            products run in that precision), or int4 (weight-only, groups of 128, products in bf16).
        kv_precision: of the KV cache; by default 16 bits (fp32 with fp32 weights).
        batch: requests that run together; an array broadcasts.
        tensor_parallel: GPUs that share the LLM; an array broadcasts.

    Returns:
        Latency whose entries broadcast to the shape of LLMs, visual tokens, batch and tensor_parallel.

    Raises:
        UnknownNameError: no such precision or prompt order.
        InputError: a negative number of visual tokens, a batch or a number of GPUs below 1, or a precision that the
            card does not compute in.
    """
    v = np.asarray(visual_tokens, float)
    if not (v >= 0).all():
        raise InputError(f"visual_tokens: expected counts of at least 0, got {shown(v.min())}")
    for name, value in (("batch", batch), ("tensor_parallel", tensor_parallel)):
        if not (np.asarray(value) >= 1).all():
            raise InputError(f"{name}: expected at least 1, got {shown(np.min(value))}")
    tokens = stage_tokens(workload, v, compressor.query_aware, prompt_order)
    rates = Rates.of(hardware, precision, kv_precision)
    wide = Rates.of(hardware, "fp32" if precision == "fp32" else "bf16", kv_precision)
    images = workload.images * np.asarray(batch, float)
    decoder = _Decoder(llm, rates, wide, np.asarray(batch, float), np.asarray(tensor_parallel, float))
    source = ROOFLINE if hardware.efficiency.source == "default" else hardware.efficiency.source
    return Latency(
        encoder=encoder_time(vision, wide, images),
        compressor=compressor_time(compressor, vision, llm.hidden_size, v, wide, images),
        query_pass=decoder.new_tokens(tokens.query_pass, 0, head=False) if tokens.query_pass else StageTime(),
        prefill=decoder.prefill(tokens),
        decode_step=decoder.step(_mean_attended(tokens)),
        generated_tokens=workload.generated_tokens,
        batch=batch if np.ndim(batch) else float(batch),
        sources=dict.fromkeys(LATENCY_STAGES, source),
        shape=np.broadcast_shapes(np.shape(llm.nominal_params), v.shape, np.shape(batch), np.shape(tensor_parallel)),
    )


def _mean_attended(tokens: StageTokens) -> FloatArray:
    """Tokens that a decode step attends to, itself included, on average over the G - 1 steps: C + S + G / 2."""
    return tokens.cached + tokens.prefill + max(tokens.decode, 1) / 2


@dataclass(frozen=True)
class _Decoder:
    """The decoder layers and the output head, split over n GPUs; what stands here is one GPU's part."""

    llm: LlmSizes
    rates: Rates
    wide: Rates
    batch: FloatArray
    gpus: FloatArray

    def new_tokens(self, tokens: FloatArray | int, cached: int, *, head: bool) -> StageTime:
        """A pass over S new tokens behind C cached ones, and the logits of the last one."""
        llm, n = self.llm, self.gpus
        rows = self.batch * np.asarray(tokens, float)
        pairs = rows * (cached + (np.asarray(tokens, float) + 1) / 2)
        clock = StageClock(self.rates)
        clock.attention(
            llm.num_layers, rows, pairs, llm.attention_width / n, self._kv_width, has_qk_norm(llm).astype(float)
        )
        return self._with_matmuls(clock, rows, head)

    def prefill(self, tokens: StageTokens) -> StageTime:
        """The prefill; text that runs ahead of it (text-first) is a pass of its own, which reads all weights."""
        behind = self.new_tokens(tokens.prefill - tokens.prefix, tokens.cached + tokens.prefix, head=True)
        if not tokens.prefix:
            return behind
        return summed([self.new_tokens(tokens.prefix, tokens.cached, head=False), behind])

    def step(self, attended_tokens: FloatArray) -> StageTime:
        """One token of each request, attending to so many."""
        clock = StageClock(self.rates)
        clock.cache_read(self.llm.num_layers, self.batch * attended_tokens, self._kv_width)
        return self._with_matmuls(clock, self.batch, head=True)

    @property
    def _kv_width(self) -> Number:
        """A GPU holds at least one key/value head."""
        llm = self.llm
        return np.maximum(llm.kv_width / self.gpus, llm.attention_width / llm.num_heads)

    def _with_matmuls(self, clock: StageClock, rows: FloatArray, head: bool) -> StageTime:
        llm, n, layers = self.llm, self.gpus, self.llm.num_layers
        h, w, f = llm.hidden_size, llm.attention_width / n, llm.intermediate_size / n
        up = (llm.mlp_matrices - 1) * f  # gate and up in one product
        clock.matmuls(rows, [(layers, h, w + 2 * self._kv_width), (layers, w, h), (layers, h, up), (layers, f, h)])
        # two norms with the residual sum, and the activation; the embedding
        clock.elementwise(3.0 * layers + 1, rows, layers * (2 * 4.0 * h + up + f) + 2.0 * h)
        clock.all_reduces(2.0 * layers + 1, rows, h, n)
        stages = [clock.stage()]
        if head:
            logits = StageClock(self.wide)
            logits.matmuls(self.batch, [(1.0, h, llm.vocab_size / n)])
            stages.append(logits.stage())
        return summed(stages)


def has_qk_norm(llm: LlmSizes) -> NDArray[np.bool_]:
    """Whether queries and keys are normalised (Qwen3), by what a layer has beside its matrices: 2 or 4 norms of width
    H, and two of the head dimension. Counts are exact, so the test is too."""
    layers, h = np.asarray(llm.num_layers, float), np.asarray(llm.hidden_size, float)
    rest = np.asarray(llm.params, float) - llm.linear_params - llm.embedding_params
    rest = np.where(rest >= llm.lm_head_params, rest - llm.lm_head_params, rest) - h
    qk = 2 * np.asarray(llm.attention_width, float) / llm.num_heads
    found: NDArray[np.bool_] = (rest == layers * (2 * h + qk)) | (rest == layers * (4 * h + qk))
    return found


def summed(stages: list[StageTime]) -> StageTime:
    """Stages one after the other."""
    total = stages[0]
    for stage in stages[1:]:
        total = StageTime(*(getattr(total, name) + getattr(stage, name) for name in total.__dataclass_fields__))
    return total


def speed_limit_tokens(
    llm: LlmSizes,
    workload: Workload,
    *,
    vision: VisionSpec,
    compressor: CompressorSpec,
    hardware: Hardware,
    prompt_order: str = IMAGE_FIRST,
    precision: str = "bf16",
    kv_precision: str | None = None,
    batch: int = 1,
    tensor_parallel: int = 1,
    saving: float = 0.05,
) -> NDArray[np.int64] | int:
    """Visual tokens below which fewer save next to nothing: the most at which a single token would save less than
    `saving` of the TTFT, up to the tower's patches. One number, or one for each LLM."""
    tokens = np.arange(1.0, vision.patches + 1)
    ttft_s = request_latency(
        llm,
        tokens,
        workload,
        vision=vision,
        compressor=compressor,
        hardware=hardware,
        prompt_order=prompt_order,
        precision=precision,
        kv_precision=kv_precision,
        batch=batch,
        tensor_parallel=tensor_parallel,
    ).ttft_s
    found = np.count_nonzero(np.asarray(ttft_s) * (1 - saving) <= np.asarray(ttft_s)[..., :1], axis=-1)
    return found if np.ndim(found) else int(found)
