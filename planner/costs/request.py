"""All that one configuration costs: FLOPs, memory and, on known hardware, time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import whole_number
from planner.costs.flops import FULL, Flops, request_flops
from planner.costs.latency import Latency, request_latency, speed_limit_tokens
from planner.costs.memory import Memory, request_memory
from planner.costs.stages import IMAGE_FIRST, STAGES, Workload
from planner.hardware import Hardware, default_precision, find_hardware
from planner.models.catalog import DEFAULT_COMPRESSOR, DEFAULT_VISION, find_compressor, find_llms, find_vision
from planner.models.specs import CompressorSpec, LlmSpec, VisionSpec

ROOFLINE = "roofline"
SILICON = "silicon"
LATENCY_SOURCES = (ROOFLINE, SILICON)


@dataclass(frozen=True)
class RequestCost:
    """One configuration and one request: what runs, and what it costs."""

    llm: LlmSpec
    visual_tokens: int
    """Per image."""
    workload: Workload
    vision: VisionSpec
    compressor: CompressorSpec
    prompt_order: str
    precision: str
    tensor_parallel: int
    batch: int
    convention: str
    flops: Flops
    """Of one request."""
    memory: Memory
    """Of one device, for the whole batch."""
    hardware: Hardware | None
    latency: Latency | None
    """Of a batch; None without hardware."""
    speed_limit_tokens: int | None
    """Visual tokens below which fewer save less than 5 % of the TTFT by the roofline; None without hardware."""

    @property
    def requests_that_fit(self) -> int | None:
        """The largest batch in the memory of the hardware."""
        return None if self.hardware is None else int(self.memory.requests_that_fit(self.hardware.memory_bytes))

    def __str__(self) -> str:
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{self.visual_tokens} visual tokens"
        return f"{self.llm.name} with {tokens}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; times are null without hardware."""
        latency = self.latency
        return {
            "llm": self.llm.name,
            "params": self.llm.params,
            "visual_tokens": self.visual_tokens,
            "vision": self.vision.name,
            "compressor": self.compressor.name,
            "prompt_order": self.prompt_order,
            "precision": self.precision,
            "tensor_parallel": self.tensor_parallel,
            "batch": self.batch,
            "workload": {**vars(self.workload)},
            "convention": self.convention,
            "stages": {stage: self._stage(stage) for stage in STAGES},
            "total_flops": float(self.flops.total),
            "ttft_s": None if latency is None else float(latency.ttft_s),
            "tpot_s": None if latency is None else float(latency.tpot_s),
            "request_s": None if latency is None else float(latency.request_s),
            "requests_per_second": None if latency is None else float(latency.throughput_requests_per_s),
            "peak_memory_bytes": float(self.memory.peak),
            "memory": self.memory.to_dict(),
            "hardware": None if self.hardware is None else self.hardware.name,
            "requests_that_fit": self.requests_that_fit,
            "speed_limit_tokens": self.speed_limit_tokens,
        }

    def _stage(self, stage: str) -> dict[str, Any]:
        """Decode counts all its steps, of which there are one fewer in time: the prefill yields the first token."""
        found: dict[str, Any] = {"flops": float(getattr(self.flops, stage))}
        latency = self.latency
        if latency is None:
            return found | {"bytes": None, "seconds": None, "bound": None, "source": None}
        name = "decode_step" if stage == "decode" else stage
        steps = max(latency.generated_tokens - 1, 0) if stage == "decode" else 1
        time = getattr(latency, name)
        return found | {
            "bytes": steps * float(time.bytes),
            "seconds": steps * float(time.seconds),
            "bound": str(time.bound),
            "source": latency.sources[name],
        }


def cannot_make(compressor: CompressorSpec, vision: VisionSpec, visual_tokens: int) -> str:
    """Why a compressor cannot make a number of visual tokens, and which it can, in a sentence."""
    side, listed = vision.grid_side, ", ".join(map(str, compressor.visual_tokens(vision)))
    return (
        f"{compressor.title} cannot make {visual_tokens} visual tokens from the {side} x {side} patches of "
        f"{vision.name}; it can make {listed}"
    )


def request_cost(
    llm: str | Path | LlmSpec,
    visual_tokens: int,
    workload: Workload,
    *,
    vision: str | VisionSpec = DEFAULT_VISION,
    compressor: str | CompressorSpec = DEFAULT_COMPRESSOR,
    convention: str = FULL,
    prompt_order: str = IMAGE_FIRST,
    precision: str | None = None,
    kv_precision: str | None = None,
    batch: int = 1,
    tensor_parallel: int = 1,
    hardware: str | Path | Hardware | None = None,
    latency_source: str = ROOFLINE,
) -> RequestCost:
    """What one request costs with one configuration.

    Args:
        llm: name, config.json path or spec of one language model.
        visual_tokens: per image, a number that the compressor can make from the tower's patches; 0: no image.
        workload: the request.
        vision, compressor: tower and compressor.
        convention: how FLOPs are counted.
        prompt_order: "image-first" or "text-first".
        precision: of the LLM's matrices; by default bf16, or fp16 on a card that has no bf16.
        kv_precision: of the KV cache; by default that of what is not quantised.
        batch: requests that run together.
        tensor_parallel: GPUs that share the LLM.
        hardware: a card; without one there are no times.
        latency_source: "roofline", or "silicon": measured kernels of aiconfigurator (extra `[silicon]`).

    Raises:
        InputError: a name, count or file that cannot be used, in one sentence.
    """
    if latency_source not in LATENCY_SOURCES:
        raise UnknownNameError("latency source", latency_source, LATENCY_SOURCES)
    found = find_llms(llm)
    if len(found) > 1:
        raise InputError(f"{llm} names {len(found)} language models, expected one, such as {found[0].name}")
    spec = found[0]
    tower, squeezer = find_vision(vision), find_compressor(compressor)
    tokens = whole_number(visual_tokens, "visual_tokens", 0)
    if tokens and tokens not in squeezer.visual_tokens(tower):
        raise InputError(cannot_make(squeezer, tower, tokens))
    card = None if hardware is None else find_hardware(hardware)
    precision = default_precision(card) if precision is None else precision
    parts: dict[str, Any] = {"vision": tower, "compressor": squeezer, "prompt_order": prompt_order}
    run: dict[str, Any] = {
        "precision": precision,
        "kv_precision": kv_precision,
        "batch": whole_number(batch, "batch", 1),
        "tensor_parallel": whole_number(tensor_parallel, "tensor_parallel", 1),
    }
    if spec.num_heads % run["tensor_parallel"]:
        raise InputError(
            f"{spec.name} has {spec.num_heads} heads, which {run['tensor_parallel']} GPUs cannot share evenly; "
            "expected tensor_parallel to divide them"
        )
    latency = limit = None
    if card is not None:
        limit = int(speed_limit_tokens(spec, workload, hardware=card, **parts, **run))
        if latency_source == SILICON:
            from planner.costs.silicon import silicon_latency

            latency = silicon_latency(spec, tokens, workload, hardware=card, **parts, **run)
        else:
            latency = request_latency(spec, tokens, workload, hardware=card, **parts, **run)
    return RequestCost(
        llm=spec,
        visual_tokens=tokens,
        workload=workload,
        **parts,
        precision=precision,
        tensor_parallel=run["tensor_parallel"],
        batch=run["batch"],
        convention=convention,
        flops=request_flops(spec, tokens, workload, convention=convention, **parts).at(),
        memory=request_memory(spec, tokens, workload, **parts, **run).at(),
        hardware=card,
        latency=latency,
        speed_limit_tokens=limit,
    )
