"""Measurement: one model on one device, raw samples with their circumstances, and what follows from them.

TTFT         seconds from the pixels and token ids on the device to the first token of all requests of the batch
TPOT         seconds of the G - 1 further tokens of a request, over G - 1
throughput   batch / seconds of the whole request
MFU          FLOPs of a stage / (seconds x peak FLOPs per second), FLOPs as FlopCounterMode counts them
MBU          bytes that a decode step must read (weights, KV cache) / (seconds x bandwidth)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from planner.base.codec import SPARSE
from planner.base.errors import InputError
from planner.base.file_format import FileFormat
from planner.base.quantities import format_seconds, shown
from planner.base.result import Result
from planner.base.stored import COUNT, Whole
from planner.bench.crosschecks import BEFORE_TOKEN, Probe, disagreements, joined_complaints
from planner.bench.facts import SLICES as SLICES
from planner.bench.facts import WHOLE as WHOLE
from planner.bench.facts import Ceilings as Ceilings
from planner.bench.facts import Energy as Energy
from planner.bench.facts import MemoryUse as MemoryUse
from planner.bench.facts import Method as Method
from planner.bench.facts import ModelFacts as ModelFacts
from planner.bench.facts import ProcessUse as ProcessUse
from planner.bench.samples import Samples, advice_for
from planner.costs.stages import Workload

if TYPE_CHECKING:
    import pandas as pd

WAITED_FOR = ("ttft", "tpot", "itl", "request")
"""What users wait for: the first token, further ones on average, each by itself (inter-token latency), everything."""
TIMED = ("preprocess", "encoder", "compressor", "query_pass", "prefill", "decode_step", *WAITED_FOR)
"""What is timed; a stage that a model does not run is left out."""
EAGER, STATIC, COMPILE = "eager", "static", "compile"
_NOT_JUDGED = ("preprocess", "itl")
MODES = (EAGER, STATIC, COMPILE)


@dataclass(frozen=True, repr=False)
class Measurement(Result):
    """One model, one request shape, one device."""

    model: ModelFacts
    workload: Workload
    batch: Annotated[int, Whole(1)]
    mode: str
    """"eager", "static" (static cache, CUDA graphs on a GPU) or "compile"."""
    samples: Mapping[str, Samples] = field(hash=False)
    """By name in TIMED."""
    flops: Mapping[str, Annotated[int, COUNT]] = field(hash=False)
    """Of one request by stage, as FlopCounterMode counts; decode of all G steps."""
    memory: MemoryUse
    energy: Energy
    ceilings: Ceilings
    method: Method
    environment: Mapping[str, Any] = field(hash=False)
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    slices: tuple[Annotated[Measurement, MEASUREMENT_FILE], ...] = ()
    """Of the smaller models that this one is extrapolated from."""
    probes: tuple[Probe, ...] = field(default=(), metadata=SPARSE)
    """Two short tests of the device, before the stages and after them."""
    doubts: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False, metadata=SPARSE)
    """What contradicts other measurements of the device, in words, by what is doubted."""
    takes: Annotated[int, Whole(1)] = field(default=1, metadata=SPARSE)
    """How often it was measured, unstable before, until this one."""
    process: ProcessUse | None = field(default=None, metadata=SPARSE)
    """None of extrapolated models, which were never in memory, and in files that do not tell."""

    def seconds(self, name: str) -> float | None:
        """Median seconds of something in TIMED, None where it did not run."""
        return self.samples[name].median_s if name in self.samples else None

    @property
    def of_its_mode(self) -> bool:
        """Whether whole requests and memory are of its mode; once they were always of the eager one."""
        return self.mode == EAGER or "ttft" in self.samples

    @property
    def ttft_s(self) -> float | None:
        """The median; where whole requests are of another mode, the sum of the stages' medians."""
        if self.of_its_mode:
            return self.seconds("ttft")
        return sum(self.samples[name].median_s for name in BEFORE_TOKEN if name in self.samples) or None

    @property
    def tpot_s(self) -> float | None:
        return self.seconds("tpot") if "tpot" in self.samples else self.seconds("decode_step")

    @property
    def requests_per_second(self) -> float | None:
        """Of batches of this size, one after the other."""
        return self.batch / self.request_s if self.request_s else None

    @property
    def request_s(self) -> float | None:
        """The median of whole requests; where those are of another mode, by TTFT and TPOT."""
        if self.of_its_mode:
            return self.seconds("request")
        further = max(self.workload.generated_tokens - 1, 0) * (self.tpot_s or 0.0)
        return None if self.ttft_s is None else self.ttft_s + further

    def with_ttft(self) -> Measurement:
        """The same with TTFT as the sum of its stages, for modes in which whole requests run otherwise."""
        if "ttft" in self.samples:
            return self
        before = [self.samples[name].seconds for name in BEFORE_TOKEN if name in self.samples]
        summed = Samples(tuple(map(sum, zip(*before, strict=False))))
        return replace(self, samples={**self.samples, "ttft": summed})

    @property
    def complaints(self) -> dict[str, tuple[str, ...]]:
        """Why its times may not be trusted, by name in TIMED or by what else is doubted. Not judged:
        preprocessing; single tokens, but as TPOT."""
        found = {name: one.complaints() for name, one in self.samples.items() if name not in _NOT_JUDGED}
        return joined_complaints(found, disagreements(self.samples, self.probes), self.doubts)

    @property
    def stable(self) -> bool:
        return not self.complaints

    @property
    def advice(self) -> tuple[str, ...]:
        return advice_for(self.complaints)

    def mfu(self, name: str, peak_flops_per_s: float | None = None) -> float | None:
        """Share of a peak that a stage reached, by default of the measured matrix rate; None if it did not run."""
        seconds = self.seconds(name)
        if not seconds:
            return None
        flops = self.batch * self.flops.get(name, 0)
        return flops / (seconds * (peak_flops_per_s or self.ceilings.matmul_flops_per_s))

    def decode_mbu(self, bandwidth_bytes_per_s: float | None = None) -> float | None:
        """Share of a bandwidth that a decode step reached, by default of the measured copy."""
        seconds, bandwidth = self.seconds("decode_step"), bandwidth_bytes_per_s or self.ceilings.copy_bytes_per_s
        if not seconds or not bandwidth:
            return None
        return self.memory.decode_read_bytes / (seconds * bandwidth)

    def __repr__(self) -> str:
        facts = self.model
        tokens = "1 visual token" if facts.visual_tokens == 1 else f"{facts.visual_tokens} visual tokens"
        timed = {"TTFT": self.ttft_s, "TPOT": self.tpot_s}
        times = ", ".join(f"{title} {format_seconds(seconds)}" for title, seconds in timed.items() if seconds)
        return f"Measurement({facts.llm!r} with {tokens}, {facts.precision}, batch {self.batch}, {self.mode}: {times})"

    def to_frame(self) -> pd.DataFrame:
        """What was timed, a row each: median, quartiles and percentiles of its samples."""
        import pandas as pd

        rows = []
        for name, one in self.samples.items():
            low, high = one.quartiles_s
            row = {"stage": name, "median_s": one.median_s, "low_quartile_s": low, "high_quartile_s": high}
            rows.append(row | {f"{p}_s": s for p, s in one.percentiles_s.items()} | {"samples": len(one.seconds)})
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """All that `from_dict` needs and what people read first, as plain JSON types."""
        return MEASUREMENT_FILE.to_dict(self)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the measurement") -> Measurement:
        """What `to_dict` wrote. Raises InputError."""
        return MEASUREMENT_FILE.from_dict(content, origin)

    @classmethod
    def restored(cls, **values: Any) -> Measurement:
        """A measurement as its file holds it. Raises InputError where nothing was measured, or nobody knows on what."""
        if not values["samples"]:
            raise InputError("samples: expected those of at least one stage, got none")
        if not isinstance(device := values["environment"].get("device"), str):
            raise InputError(f"environment.device: expected the name of the device, got {shown(device)}")
        return cls(**values)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write as JSON, atomically. Raises OutputExistsError."""
        return MEASUREMENT_FILE.write(path, self, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Measurement:
        """Read what `save` wrote. Raises InputError."""
        return MEASUREMENT_FILE.read(path)


def _summary(one: Measurement) -> dict[str, Any]:
    """What people read first."""
    return {
        "ttft_s": one.ttft_s,
        "tpot_s": one.tpot_s,
        "requests_per_second": one.requests_per_second,
        "median_s": {name: samples.median_s for name, samples in one.samples.items()},
        "percentiles_s": {name: one.samples[name].percentiles_s for name in WAITED_FOR if name in one.samples},
        "mfu_prefill": one.mfu("prefill"),
        "mbu_decode": one.decode_mbu(),
        "stable": one.stable,
        "advice": list(one.advice),
    }


MEASUREMENT_FILE = FileFormat(
    "vlm-planner measurement",
    1,
    Measurement,
    "a measurement",
    "vlm-planner measure -o",
    derived={"summary": _summary},
)
"""The file of one measurement."""
