"""What the page is set to: plain numbers and names from the fixed lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from planner.base.dataclass import dataclass
from planner.configuration import IMAGE_FIRST
from planner.parts.catalog import DEFAULT_COMPRESSOR


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
    batch: int | None = 1
    """Requests that run together; None: 1 to 64 are tried."""
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
