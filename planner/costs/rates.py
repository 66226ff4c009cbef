"""What a card does in one precision: peaks, and bytes of a value."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.hardware import Hardware
from planner.hardware.few_rows import FewRows, table_of
from planner.hardware.precision import KV_BYTES, WEIGHT_BYTES, WEIGHT_ONLY, WEIGHT_PRECISIONS
from planner.parts.walk import Number

_INPUT_BYTES = {"fp32": 4.0, "fp8": 1.0, "int8": 1.0}
_COMPUTED_AS = dict.fromkeys(WEIGHT_ONLY, "bf16")
"""w8a16, int4 and GGUF are weight-only; fp8 and int8 quantise what is multiplied too (w8a8)."""


@dataclass(frozen=True)
class Rates:
    """What a card does in one precision: peaks, and bytes of a value."""

    hardware: Hardware
    flops_per_s: float
    """Dense peak of the weights' precision."""
    attention_flops_per_s: float
    """Of attention, which stays in 16 bits (fp32 with fp32 weights)."""
    weight_bytes: Number
    """Of one weight; a column for many models whose GGUF files differ."""
    input_bytes: float
    output_bytes: float
    kv_bytes: float
    few_rows: FewRows | None = None
    """How the time of products grows with few rows, where that was measured in the weights' precision."""

    @classmethod
    def of(cls, hardware: Hardware, precision: str, kv_precision: str | None = None) -> Rates:
        """Raises UnknownNameError for no such precision, InputError for one that the card does not compute in."""
        if precision not in WEIGHT_BYTES:
            raise UnknownNameError("precision", precision, WEIGHT_BYTES)
        output = "fp32" if precision == "fp32" else "bf16"
        if kv_precision is not None and kv_precision not in KV_BYTES:
            raise UnknownNameError("precision of a KV cache", kv_precision, KV_BYTES)
        return cls(
            hardware,
            _peak(hardware, precision),
            _peak(hardware, output),
            WEIGHT_BYTES[precision],
            _INPUT_BYTES.get(precision, 2.0),
            WEIGHT_BYTES[output],
            KV_BYTES[kv_precision or output],
            table_of(hardware.efficiency.few_rows, precision),
        )


def _peak(hardware: Hardware, precision: str) -> float:
    peak = _known_peak(hardware, precision)
    if peak is None:
        able = ", ".join(name for name in WEIGHT_PRECISIONS if _known_peak(hardware, name))
        raise InputError(f"{hardware.title} does not compute in {precision}; it does in: {able}")
    return peak


def _known_peak(hardware: Hardware, precision: str) -> float | None:
    """Of the precision that products run in; one 16-bit format stands for the other."""
    computed_as = _COMPUTED_AS.get(precision, precision)
    alike = {"bf16": "fp16", "fp16": "bf16"}.get(computed_as, computed_as)
    return hardware.flops_per_s.get(computed_as) or hardware.flops_per_s.get(alike)
