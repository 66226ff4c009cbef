"""What the host of a serving engine adds to the time of its kernels: seconds that no card explains."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import ClassVar

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown


@dataclass(frozen=True)
class HostCosts:
    """Seconds of the host, each 0 unless it was calibrated. Raises InputError for what is no time, and for a time
    without a source."""

    BY_HAND: ClassVar[str] = "entry of the host's costs"

    step_s: float = 0.0
    """Added to each iteration of the engine: scheduling, launching, sampling."""
    prefill_s: float = 0.0
    """Added to each iteration in which a prompt is prefilled: the card waits for its inputs."""
    request_s: float = 0.0
    """Added to the time to the first token of each request, and to no iteration: HTTP, tokenizer, image processor."""
    source: str = ""
    """What they were fitted to; "" where they are not calibrated."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "source":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise InputError(f"{item.name}: expected seconds from 0 on, got {shown(value)}")
        if not isinstance(self.source, str):
            raise InputError(f"source: expected a text, got {shown(self.source)}")
        if not self.source and (self.step_s or self.prefill_s or self.request_s):
            raise InputError("source: expected what the host's costs were fitted to, got nothing")
