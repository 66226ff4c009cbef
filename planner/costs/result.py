"""What one configuration costs: FLOPs, memory and, on known hardware, time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.quantities import format_flops, format_seconds
from planner.base.result import Result
from planner.configuration import Model, ReleasedModel, Run
from planner.costs.flops import Flops
from planner.costs.frameworks import framework_of
from planner.costs.latency import Latency
from planner.costs.memory import Memory, kv_bytes, memory
from planner.costs.stages import STAGES, Workload
from planner.hardware import Hardware
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.parts.walk import Cache

if TYPE_CHECKING:
    import pandas as pd


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
        """Per image; of a released model those that carry features, without start, end and row tokens; 0 without
        images."""
        if not self.workload.images:
            return 0
        return self.model.seen.visual_tokens if isinstance(self.model, ReleasedModel) else int(self.model.visual_tokens)

    @property
    def context_tokens(self) -> int | None:
        """Longest sequence of the model, None where it is not known."""
        return self.model.checkpoint.context_tokens if isinstance(self.model, ReleasedModel) else None

    @property
    def sequence_tokens(self) -> int:
        """Tokens that the request comes to at its end."""
        load = self.workload
        prompt = load.cached_tokens + load.prefilled_text_tokens + load.images * int(self.model.visual_tokens)
        return prompt + load.generated_tokens

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be said of these numbers."""
        longest, told = self.context_tokens, self.model.notes
        if isinstance(self.model, ReleasedModel) and (said := self.run.stands_in(self.model.checkpoint.dtype)):
            told = (*told, f"it runs in {said}")
        if self.hardware is not None and (shared := self.hardware.memory_note):
            told = (*told, shared)
        if longest is None or self.sequence_tokens <= longest:
            return told
        said = f"the request comes to {self.sequence_tokens:,} tokens, more than the {longest:,} of the model's context"
        return (*told, said)

    @property
    def kv_bytes_per_token(self) -> float:
        """Of all layers, on all devices together, while no window is full."""
        return self._kv_bytes(lambda cache: True)

    @property
    def kv_bytes_per_token_full(self) -> float:
        """Of the layers whose cache grows with the context."""
        return self._kv_bytes(lambda cache: bool(np.all(np.isinf(cache.window))))

    def _kv_bytes(self, counts: Callable[[Cache], bool]) -> float:
        each = kv_bytes(self.run)
        return float(sum(each * cache.values_per_token for cache in self.llm.caches() if counts(cache)))

    @property
    def whole_memory(self) -> Memory:
        """As if one device held it all."""
        return memory(self.model, self.workload, replace(self.run, tensor_parallel=1, batch=1)).at()

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
    def framework(self) -> str:
        """Whose kernels the times of the language model stand for, "vLLM 0.24.0"; "" where that is not known."""
        source = "" if self.latency is None else self.latency.sources["decode_step"]
        return framework_of(self.hardware, self.llm, source)

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
            "params": self.model.params_by_part(),
            **self._released(),
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
            "weights_bytes": float(self.whole_memory.weights),
            "kv_bytes_per_token": self.kv_bytes_per_token,
            "kv_bytes_per_token_full": self.kv_bytes_per_token_full,
            "kv_cache_bytes": float(self.whole_memory.kv_cache),
            "context_tokens": self.context_tokens,
            "peak_memory_bytes": float(self.memory.peak),
            "memory": self.memory.to_dict(),
            "hardware": None if self.hardware is None else self.hardware.name,
            "framework": self.framework or None,
            "requests_that_fit": self.requests_that_fit,
            "speed_limit_tokens": self.speed_limit_tokens,
            "notes": list(self.notes),
        }

    def _released(self) -> dict[str, Any]:
        """What only a released model has."""
        model = self.model
        if not isinstance(model, ReleasedModel):
            return {}
        return {
            "model": model.checkpoint.name,
            "hub_id": model.checkpoint.hub_id or None,
            "licence": model.checkpoint.licence,
            "revision": model.checkpoint.revision,
            "counted": model.checkpoint.counted or None,
            "image": None if model.image is None else str(model.image),
            "knobs": model.rule.to_dict(),
            "patches": model.seen.patches,
            "tiles": model.seen.tiles,
            "extra_tokens": model.seen.extra_tokens,
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
