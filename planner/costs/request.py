"""All that one configuration costs: FLOPs, memory and, on known hardware, time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import format_flops, format_seconds
from planner.base.result import Result
from planner.configuration import IMAGE_FIRST, Model, Run, cannot_share
from planner.costs.flops import FULL, Flops, flops
from planner.costs.latency import Latency, latency, speed_limit_tokens
from planner.costs.memory import Memory, memory
from planner.costs.stages import STAGES, Workload, as_workload
from planner.hardware import Hardware
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_CONNECTOR, DEFAULT_VISION
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.parts.walk import Number

if TYPE_CHECKING:
    import pandas as pd

ROOFLINE = "roofline"
SILICON = "silicon"
LATENCY_SOURCES = (ROOFLINE, SILICON)


@dataclass(frozen=True, repr=False)
class RequestCost(Result):
    """One configuration and one request: what runs, and what it costs."""

    model: Model
    run: Run
    workload: Workload
    convention: str
    flops: Flops
    """Of one request."""
    memory: Memory
    """Of one device, for the whole batch."""
    latency: Latency | None
    """Of a batch; None without hardware."""
    speed_limit_tokens: int | None
    """Visual tokens below which fewer save less than 5 % of the TTFT by the roofline; None without hardware."""

    @property
    def llm(self) -> Llm:
        """The language model; so the further parts, and how they run."""
        return self.model.llm

    @property
    def visual_tokens(self) -> int:
        """Per image."""
        return int(self.model.visual_tokens)

    @property
    def vision(self) -> Tower:
        return self.model.tower

    @property
    def compressor(self) -> Compressor:
        return self.model.compressor

    @property
    def connector(self) -> Connector:
        return self.model.connector

    @property
    def prompt_order(self) -> str:
        return self.model.prompt_order

    @property
    def hardware(self) -> Hardware | None:
        return self.run.hardware

    @property
    def precision(self) -> str:
        return self.run.precision

    @property
    def batch(self) -> int:
        return int(self.run.batch)

    @property
    def tensor_parallel(self) -> int:
        return int(self.run.tensor_parallel)

    @property
    def requests_that_fit(self) -> int | None:
        """The largest batch in the memory of the hardware."""
        return None if self.hardware is None else int(self.memory.requests_that_fit(self.hardware.memory_bytes))

    def __str__(self) -> str:
        return str(self.model)

    def __repr__(self) -> str:
        times = "" if self.latency is None else f", TTFT {format_seconds(float(self.latency.ttft_s))}"
        return f"RequestCost({self}, {self.run}: {format_flops(float(self.flops.total))}{times})"

    def to_frame(self) -> pd.DataFrame:
        """The stages, a row each: FLOPs, bytes, seconds; None without hardware."""
        import pandas as pd

        return pd.DataFrame([{"stage": stage, **self._stage(stage)} for stage in STAGES])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; times are null without hardware."""
        latency = self.latency
        return {
            "llm": self.llm.name,
            "params": self.llm.params,
            "visual_tokens": self.visual_tokens,
            "vision": self.vision.name,
            "compressor": self.compressor.name,
            "connector": self.connector.name,
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


def request_cost(
    llm: str | Path | Llm,
    visual_tokens: int,
    workload: Workload | None = None,
    *,
    query_tokens: int | None = None,
    generated_tokens: int | None = None,
    cached_tokens: int = 0,
    vision: str | Tower = DEFAULT_VISION,
    compressor: str | Compressor = DEFAULT_COMPRESSOR,
    connector: str | Connector = DEFAULT_CONNECTOR,
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
        workload: the request, with all its token counts.
        query_tokens: new text tokens, instead of a workload.
        generated_tokens: answer tokens, likewise.
        cached_tokens: text tokens already in the KV cache, on top of `query_tokens`.
        vision, compressor, connector: the parts between image and language model, by name or as they are.
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
    load = as_workload(workload, query_tokens, generated_tokens, cached_tokens)
    model = Model.of(
        llm, visual_tokens, vision=vision, compressor=compressor, connector=connector, prompt_order=prompt_order
    )
    run = Run.of(hardware, precision=precision, kv_precision=kv_precision, batch=batch, tensor_parallel=tensor_parallel)
    return cost_of(model, load, run, convention=convention, latency_source=latency_source)


def cost_of(
    model: Model, workload: Workload, run: Run, *, convention: str = FULL, latency_source: str = ROOFLINE
) -> RequestCost:
    """What one request costs with one model, as it runs.

    Raises:
        InputError: GPUs that cannot share the model, a precision that the card does not compute in.
    """
    gpus = int(run.tensor_parallel)
    if not model.llm.can_share(gpus):
        raise InputError(cannot_share(model.llm, gpus))
    found = limit = None
    if run.hardware is not None:
        limit = int(speed_limit_tokens(model, workload, run))
        if latency_source == SILICON:
            from planner.costs.silicon import silicon_latency

            found = silicon_latency(model, workload, run)
        else:
            found = latency(model, workload, run)
    return RequestCost(
        model=model,
        run=run,
        workload=workload,
        convention=convention,
        flops=flops(model, workload, convention).at(),
        memory=memory(model, workload, run).at(),
        latency=found,
        speed_limit_tokens=limit,
    )


def request_flops(
    llm: Llm,
    visual_tokens: Number,
    workload: Workload,
    *,
    vision: Tower,
    compressor: Compressor,
    convention: str = FULL,
    prompt_order: str = IMAGE_FIRST,
) -> Flops:
    """FLOPs of one request, of parts that are given one by one; as `flops.flops` of their model.

    Args:
        llm: the language model.
        visual_tokens: per image, one number or an array.
        workload: the request.
        vision: the vision tower.
        compressor: what makes the visual tokens.
        convention: "full", "paper" or "torch".
        prompt_order: "image-first" or "text-first" (which makes the query pass free).

    Raises:
        UnknownNameError: no such convention or prompt order.
        InputError: a negative number of visual tokens.
    """
    return flops(Model(llm, vision, compressor, visual_tokens, prompt_order), workload, convention)
