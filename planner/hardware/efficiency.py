"""How much of a card's peak its kernels reach, and what a launch costs: fitted numbers, a set for a card and framework.

The numbers stand in efficiency.json, which `benchmarks/latency.py --fit` writes. No framework's tables measure every
kind of attention, so a card may hold two sets, `Efficiency.multi_head` within the other; `planner.costs.frameworks`
chooses between them by the model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import field, fields
from functools import cache
from importlib import resources
from typing import Any, ClassVar

from planner.base.codec import SPARSE, decode, encode
from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.place import Place
from planner.base.quantities import shown
from planner.hardware.few_rows import FewRows, checked_tables
from planner.hardware.host_costs import HostCosts
from planner.hardware.precision import WEIGHT_BYTES

DEFAULT = "default"
CALIBRATED = "calibrated"
TRANSFERRED = "transferred"
SOURCES = (DEFAULT, CALIBRATED, TRANSFERRED)
SHARES = (
    "matmul_compute",
    "quantised_compute",
    "matmul_bandwidth",
    "attention_compute",
    "attention_bandwidth",
    "cache_bandwidth",
    "elementwise_bandwidth",
    "interconnect",
)


JUDGED = ("ttft_error", "tpot_error")
"""Fields that say how well the others predict; None where that was not judged."""
EXPONENTS_FROM_1 = ("overlap", "cache_overlap")
NO_NUMBERS = ("source", "origin", "few_rows", "host", "framework", "multi_head")
"""Fields that are neither shares nor exponents nor seconds."""


@dataclass(frozen=True)
class Efficiency:
    """Shares of the peak, in (0, 1], and seconds that no peak explains. The defaults are typical of server cards."""

    BY_HAND: ClassVar[str] = "entry of an efficiency"

    matmul_compute: float = 0.8
    """Of the tensor cores' peak, in large matrix products."""
    quantised_compute: float = 0.55
    """Of the tensor cores' peak in fp8 or int8, in the same."""
    matmul_bandwidth: float = 0.85
    """Of the memory bandwidth, reading weights."""
    attention_compute: float = 0.5
    """Of the tensor cores' peak, in the attention of many new tokens."""
    attention_bandwidth: float = 0.35
    """Of the memory bandwidth, in the same. Low: rotary embeddings and cache writes pass over the tokens again."""
    cache_bandwidth: float = 0.85
    """Of the memory bandwidth, reading the KV cache in a decode step."""
    elementwise_bandwidth: float = 0.8
    """Of the memory bandwidth, in norms, activations and residual sums."""
    interconnect: float = 0.7
    """Of the interconnect's bandwidth, in an all-reduce of two GPUs."""
    interconnect_falloff: float = 0.0
    """Exponent: n GPUs reach (2 / n) ** this of that share."""
    matmul_overhead_s: float = 3.5e-6
    """Added to each matrix product."""
    quantised_overhead_s: float = 3.5e-6
    """Added to it in fp8 and int8, whose inputs must be quantised first."""
    attention_overhead_s: float = 25e-6
    """Added to each layer's attention of many new tokens."""
    qk_norm_overhead_s: float = 0.0
    """Added to the same where queries and keys are normalised (Qwen3)."""
    cache_overhead_s: float = 12e-6
    """Added to each layer's attention in a decode step."""
    elementwise_overhead_s: float = 3e-6
    """Added to each element-wise kernel."""
    all_reduce_overhead_s: float = 6e-6
    """Added to each all-reduce of two GPUs."""
    all_reduce_growth: float = 0.2
    """Exponent: n GPUs take (n / 2) ** this of that time."""
    overlap: float = 2.0
    """Exponent p of (C^p + B^p)^(1/p), with C computing and B memory traffic of a kernel: 1 where one waits for the
    other, as on a CPU; without end where the longer hides the shorter."""
    source: str = DEFAULT
    """"default", "calibrated" (fitted to data of this card) or "transferred" (fitted to data of a similar one)."""
    origin: str = ""
    """Where the numbers come from, in words."""
    ttft_error: float | None = None
    """Median relative error of the TTFT of shapes that the fit did not see; None where it was not judged."""
    tpot_error: float | None = None
    """The same of the TPOT."""
    few_rows: Mapping[str, FewRows] = field(default_factory=dict, hash=False, metadata=SPARSE)
    """Precision of the weights -> how the time of a matrix product grows with few rows, in place of the roofline;
    `matmul_bandwidth` is then what one row reaches. {}: the roofline for any number of rows."""
    host: HostCosts = field(default=HostCosts(), metadata=SPARSE)
    """What a serving engine's host adds to its iterations."""
    cache_overlap: float = field(default=1.0, metadata=SPARSE)
    """As `overlap`, of `cache_overhead_s` and the reading of the cache in a decode step: 1 where the one is added to
    the other, without end where the longer hides the shorter."""
    cache_tile_tokens: float = field(default=0.0, metadata=SPARSE)
    """Tokens of a sequence that reading its cache takes the time of at least: kernels work in whole tiles."""
    framework: str = field(default="", metadata=SPARSE)
    """Whose kernels the numbers were fitted to: "vLLM 0.24.0"; "" where that is not known."""
    multi_head: Efficiency | None = field(default=None, metadata=SPARSE)
    """The numbers for models whose query heads have keys and values of their own each (multi-head attention, without
    grouped queries), where another framework's kernels stand for them; None: these numbers serve them too."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in NO_NUMBERS or (value is None and item.name in JUDGED):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise InputError(f"{item.name}: expected a number of at least 0, got {shown(value)}")
            if item.name in SHARES and not 0 < value <= 1:
                raise InputError(f"{item.name}: expected a share above 0 and up to 1, got {shown(value)}")
        for name in EXPONENTS_FROM_1:
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected a number of at least 1, got {shown(getattr(self, name))}")
        if self.source not in SOURCES:
            raise InputError(f"source: expected one of {', '.join(SOURCES)}, got {shown(self.source)}")
        object.__setattr__(self, "few_rows", checked_tables(self.few_rows, WEIGHT_BYTES))
        if not isinstance(self.host, HostCosts):
            raise InputError(f"host: expected HostCosts, got {shown(self.host)}")
        other = self.multi_head
        if other is not None and not (isinstance(other, Efficiency) and other.multi_head is None):
            raise InputError(f"multi_head: expected an efficiency without another in it, got {shown(other)}")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Efficiency:
        """From the entries of a JSON object; what is left out has its default. Raises InputError."""
        return decode(cls, content, Place("efficiency", advice="", by_hand=True))

    def to_dict(self) -> dict[str, Any]:
        """All that `from_dict` needs, as plain JSON types."""
        found: dict[str, Any] = encode(self, "the efficiency")
        return found


def efficiency_of(name: str) -> Efficiency:
    """The shipped numbers of a card of the hardware catalogue; the defaults for a card without any."""
    return _shipped().get(name, Efficiency())


@cache
def _shipped() -> dict[str, Efficiency]:
    file = resources.files(__package__) / "efficiency.json"
    if not file.is_file():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    return {name: Efficiency.from_dict(numbers) for name, numbers in content["cards"].items()}
