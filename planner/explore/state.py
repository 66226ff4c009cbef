"""What the page is set to: plain numbers and names from the fixed lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from planner.base.dataclass import dataclass
from planner.configuration import IMAGE_FIRST
from planner.parts.catalog import DEFAULT_COMPRESSOR
from planner.planning.under_load.asked import CONTINUOUS, PERCENTILE, RATE, STATIC

NO_LOAD = "none"


@dataclass(frozen=True)
class State:
    """One setting of every control; the defaults are those of a fresh page."""

    limits: Mapping[str, float] = field(default_factory=lambda: {"flops": 2e12})
    """By name with unit, in the base unit; FLOPs in the full count. What is not there is not limited."""
    price_per_hour: float | None = None
    """Of one GPU."""
    query_tokens: int = 50
    generated_tokens: int = 32
    cached_tokens: int = 0
    """Text tokens already in the KV cache."""
    hardware: str | None = None
    """Card of the catalogue; None: FLOPs and memory only."""
    gpus: int | None = None
    """In all; None: those of one replica, or as many as the load needs."""
    concurrency: int | None = None
    """The load as requests under way at once; None where it is a rate, or none."""
    scheduler: str = CONTINUOUS
    """Of a load."""
    percentile: float = PERCENTILE
    """Of the requests that keep each limit of time under a load."""
    batch: int | None = 1
    """Requests that run together in static batches; None: 1 to 64 are tried."""
    compressors: tuple[str, ...] = (DEFAULT_COMPRESSOR,)
    prompt_orders: tuple[str, ...] = (IMAGE_FIRST,)
    llms: tuple[str, ...] = ()
    """Families; none: those that the law was measured on."""
    precisions: tuple[str, ...] = ()
    """Of the LLM; none: the one that the hardware has by default."""
    law: str = "reasoning"
    """Name in the offer."""
    ocr_percent: int = 30
    """Share of reading tasks, where the law is the mix."""

    @property
    def hourly_price(self) -> float | None:
        """Price per hour of the GPU that is chosen; None without one, where it would have no effect."""
        return None if self.hardware is None else self.price_per_hour

    @property
    def gpus_in_all(self) -> int | None:
        """Likewise."""
        return None if self.hardware is None else self.gpus

    @property
    def load(self) -> str:
        """How what arrives is served: "continuous", "static", or "none" where nothing is said of it."""
        if RATE not in self.limits and self.concurrency is None:
            return NO_LOAD
        return self.scheduler

    @property
    def carries_load(self) -> bool:
        """Whether requests join a running batch, so that percentiles of their times are planned for."""
        return self.load not in (NO_LOAD, STATIC)
