"""How a model runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown, whole_number
from planner.configuration.checked import checked
from planner.hardware import Hardware, default_precision, find_hardware, released_precision
from planner.hardware.precision import check_precisions
from planner.parts.walk import Number


@dataclass(frozen=True, repr=False)
class Run:
    """How a model runs. In the search batch and tensor parallel are arrays."""

    hardware: Hardware | None = None
    """None: no times."""
    precision: str = "bf16"
    """Of the LLM's matrices: fp32, bf16, fp16, fp8 and int8 (w8a8: inputs are quantised too, products run in that
    precision), w8a16 and int4 (8 and 4 bits, weight-only: groups of 128, products in bf16), or the type of a GGUF file
    (Q4_K_M, Q8_0, ...: weight-only too)."""
    kv_precision: str | None = None
    """Of the KV cache; None: that of what is not quantised."""
    batch: Number = 1
    """Requests that run together."""
    tensor_parallel: Number = 1
    """GPUs that share the LLM."""

    def __post_init__(self) -> None:
        check_precisions(self.precision, self.kv_precision)
        for name in ("batch", "tensor_parallel"):
            value = getattr(self, name)
            if not (np.asarray(value) >= 1).all():
                raise InputError(f"{name}: expected at least 1, got {shown(np.min(value))}")

    @classmethod
    def of(
        cls,
        hardware: str | os.PathLike[str] | Hardware | None = None,
        *,
        precision: str | None = None,
        kv_precision: str | None = None,
        batch: int = 1,
        tensor_parallel: int = 1,
    ) -> Run:
        """A run by names; precision by default bf16, or fp16 on a card that has no bf16. Raises InputError."""
        card = None if hardware is None else find_hardware(hardware)
        return cls(
            card,
            default_precision(card) if precision is None else precision,
            kv_precision,
            whole_number(batch, "batch", 1),
            whole_number(tensor_parallel, "tensor_parallel", 1),
        )

    def stands_in(self, dtype: str) -> str:
        """That its precision stands in for the dtype that a model's files name, as the card has none; else ""."""
        card = self.hardware
        if card is None or self.precision == dtype or self.precision != released_precision(card, dtype):
            return ""
        return f"{self.precision} in place of the {dtype} that its files name: {card.title} has no {dtype}"

    def __str__(self) -> str:
        gpus = f"{self.tensor_parallel} x " if self.tensor_parallel != 1 else ""
        where = "" if self.hardware is None else f" on {gpus}{self.hardware.name}"
        cache = "" if self.kv_precision is None else f", KV cache in {self.kv_precision}"
        return f"{self.precision}{where}, batch {self.batch}{cache}"

    def __repr__(self) -> str:
        return f"Run({self})"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with the whole profile of the hardware."""
        return {
            "hardware": None if self.hardware is None else self.hardware.to_dict(),
            "precision": self.precision,
            "kv_precision": self.kv_precision,
            "batch": int(self.batch),
            "tensor_parallel": int(self.tensor_parallel),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Run:
        """The run of a dictionary that `to_dict` made. Raises InputError."""
        values = checked(content, "run", ("precision",))
        profile = values.get("hardware")
        return cls.of(
            Hardware.from_dict(profile) if isinstance(profile, Mapping) else profile,
            precision=values["precision"],
            kv_precision=values.get("kv_precision"),
            batch=values.get("batch", 1),
            tensor_parallel=values.get("tensor_parallel", 1),
        )
