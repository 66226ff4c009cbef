"""One load test of a serving engine, as a tool measured it: the load, what a request was, and what it took.

Times are in seconds and counts per request. TPOT is (latency - TTFT) / (generated tokens - 1), for which each tool has
a name of its own; percentiles of TPOT are over requests. What a file does not say is None, never a guess.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import counted, format_significant, shown

FloatArray = NDArray[np.float64]

POISSON = "poisson"
CONSTANT = "constant"
GAMMA = "gamma"
CLOSED = "closed"
REPLAYED = "replayed"
ARRIVALS = (POISSON, CONSTANT, GAMMA, CLOSED, REPLAYED)
"""How requests arrive: at random, evenly, with gamma-distributed gaps, a new one when one ends, as in a trace."""

ALL_TOKENS = "all"
TEXT_TOKENS = "text"
INPUT_COUNTS = (ALL_TOKENS, TEXT_TOKENS)
"""What a count of input tokens holds: what the server computed, images included, or the text that the tool made."""


@dataclass(frozen=True)
class Spread:
    """One quantity over the requests that succeeded, as far as a file says it."""

    mean: float | None = None
    percentiles: Mapping[float, float] = field(default_factory=dict, hash=False)
    """Percent -> value: {50.0: .12, 95.0: .3}."""

    def __post_init__(self) -> None:
        values = [self.mean, *self.percentiles.values()]
        if any(one is not None and not (math.isfinite(one) and one >= 0) for one in values):
            raise InputError(f"expected numbers of at least 0, got {shown(values)}")

    @classmethod
    def of(cls, values: Iterable[float], percents: Iterable[float] = (50.0, 90.0, 95.0, 99.0)) -> Spread:
        """Of values of single requests; those that are not known are left out."""
        known = np.array([one for one in values if one == one], float)
        if not len(known):
            return cls()
        levels = tuple(percents)
        return cls(float(known.mean()), dict(zip(levels, map(float, np.percentile(known, levels)), strict=True)))

    @property
    def known(self) -> bool:
        return self.mean is not None or bool(self.percentiles)


@dataclass(frozen=True, eq=False)
class Rows:
    """Single requests that succeeded, in columns of equal length; NaN for what is not known of one."""

    start_s: FloatArray
    """When it was sent, since the first one of the test."""
    input_tokens: FloatArray
    generated_tokens: FloatArray
    ttft_s: FloatArray
    latency_s: FloatArray

    def __post_init__(self) -> None:
        lengths = {len(one) for one in self.columns}
        if len(lengths) > 1:
            raise InputError(f"expected columns of equal length, got {sorted(lengths)}")

    @classmethod
    def of(
        cls,
        start_s: Iterable[float | None],
        input_tokens: Iterable[float | None],
        generated_tokens: Iterable[float | None],
        ttft_s: Iterable[float | None],
        latency_s: Iterable[float | None],
    ) -> Rows:
        """Columns of numbers, None for those that are not known; in the order in which requests were sent."""
        given = (start_s, input_tokens, generated_tokens, ttft_s, latency_s)
        columns = [np.array([np.nan if one is None else one for one in column], float) for column in given]
        start = columns[0]
        if len(start) and not np.isnan(start).any():
            order = np.argsort(start, kind="stable")
            columns = [column[order] for column in columns]
            columns[0] = columns[0] - columns[0][0]
        return cls(*columns)

    @property
    def columns(self) -> tuple[FloatArray, ...]:
        return self.start_s, self.input_tokens, self.generated_tokens, self.ttft_s, self.latency_s

    @property
    def tpot_s(self) -> FloatArray:
        """Of each request; NaN where one token was generated, or something is not known."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found: FloatArray = (self.latency_s - self.ttft_s) / (self.generated_tokens - 1)
        return np.where(self.generated_tokens > 1, found, np.nan)

    def __len__(self) -> int:
        return len(self.start_s)


@dataclass(frozen=True, eq=False)
class LoadTest:
    """One load on one engine. Raises InputError for what cannot be."""

    origin: str
    """File, and place in it: "benchmarks.json, benchmark 3"."""
    tool: str
    """What measured: "GuideLLM", "AIPerf", "vllm bench serve"."""
    tool_version: str
    """"" where the file does not say it."""
    model: str
    """As the server names it."""
    arrivals: str
    """One of ARRIVALS."""
    requests_per_second: float | None
    """That were offered; None in a closed loop."""
    concurrency: int | None
    """Most requests at a time; None where there was no such bound."""
    input_tokens: float
    """Mean of a request."""
    input_counts: str | None
    """One of INPUT_COUNTS; None where the file does not say which, and it matters for requests with images."""
    generated_tokens: float
    """Mean of a request."""
    completed: int
    failed: int
    """Requests with errors; what was cut off at the end of the test is not among them."""
    duration_s: float | None
    throughput_per_s: float | None
    """Requests that ended, per second."""
    ttft_s: Spread = field(default_factory=Spread)
    tpot_s: Spread = field(default_factory=Spread)
    latency_s: Spread = field(default_factory=Spread)
    burstiness: float = 1.0
    """Shape of the gamma distribution of the gaps between arrivals; 1: Poisson."""
    images: int | None = None
    """Of a request; None where the file does not say it."""
    image: str = ""
    """Width x height: "448x448"; "" where the file does not say it."""
    visual_tokens: int | None = None
    """Per image; None where the file does not say it."""
    cached_tokens: float = 0.0
    """Of the input, from the engine's prefix cache; mean of a request."""
    engine: str = ""
    """"" where the file does not say it, as most do not."""
    engine_version: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Of the server, by the names of `SETTINGS`, as far as the file says them."""
    trimmed: bool = False
    """Whether the tool left out the requests of a warm-up before it made its numbers."""
    run: str = ""
    """What tells this run from others, where the tool says it in every file of a run."""
    rows: Rows | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.arrivals not in ARRIVALS:
            raise InputError(f"arrivals: expected one of {', '.join(ARRIVALS)}, got {shown(self.arrivals)}")
        if self.input_counts not in (*INPUT_COUNTS, None):
            raise InputError(f"input_counts: expected one of {', '.join(INPUT_COUNTS)}, got {shown(self.input_counts)}")
        for name in ("completed", "failed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected at least 0, got {shown(getattr(self, name))}")
        for name in ("requests_per_second", "concurrency", "duration_s", "burstiness"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name}: expected a number above 0, got {shown(value)}")
        if self.arrivals == CLOSED and self.concurrency is None:
            raise InputError("concurrency: expected how many requests run at a time, got nothing")
        if self.arrivals in (POISSON, CONSTANT, GAMMA) and self.requests_per_second is None:
            raise InputError("requests_per_second: expected how many requests were offered, got nothing")

    @property
    def load(self) -> str:
        """ "4 requests/s", "8 at a time"."""
        if self.requests_per_second is not None:
            bound = "" if self.concurrency is None else f", at most {self.concurrency} at a time"
            return f"{format_significant(self.requests_per_second)} requests/s{bound}"
        if self.arrivals == REPLAYED:
            return "as in its trace"
        return f"{self.concurrency} at a time"

    @property
    def tried(self) -> int:
        return self.completed + self.failed

    @property
    def measured_with(self) -> str:
        """ "vllm bench serve 0.32.0"."""
        return f"{self.tool} {self.tool_version}".strip()

    @property
    def engine_named(self) -> str:
        """ "vLLM 0.32.0"; "" where it is not known."""
        return f"{self.engine} {self.engine_version}".strip()

    def __str__(self) -> str:
        return f"{self.origin}: {self.model}, {self.load}, {counted(self.completed, 'request')}"


SETTINGS = (
    "tensor_parallel",
    "max_num_seqs",
    "max_num_batched_tokens",
    "precision",
    "kv_precision",
)
"""What files may say of the server beside its name."""
