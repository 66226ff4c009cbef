"""An accelerator: what a card can do at most, and where each number comes from.

Rates are dense: vendors like to print them with structured sparsity, twice as high. Memory is all that the driver
reports, which is the most a program can have. Interconnects count one direction.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from planner.base.codec import SPARSE, AsGiven, codec_of
from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.file_format import FileFormat
from planner.base.place import Place
from planner.base.quantities import format_bytes, parse_bytes, shown
from planner.base.result import Result
from planner.base.stored import NOT_NEGATIVE, POSITIVE
from planner.hardware.efficiency import Efficiency, efficiency_of

PRECISIONS = ("bf16", "fp16", "fp8", "int8", "fp32")
HOST = "host"
"""Form factor of a processor that computes without a GPU."""
FILE_FORMAT = "vlm-planner hardware"
FORMAT_VERSION = 1

_NUMBERS = ("flops_per_s", "memory_bytes", "bandwidth_bytes_per_s", "interconnect", "power_w")
"""What has a source each."""


@dataclass(frozen=True, repr=False)
class Hardware(Result):
    """One accelerator. Raises InputError, naming the field, for a value that cannot be."""

    BY_HAND: ClassVar[str] = "field of an accelerator"

    name: str
    """As it is named on the command line: "h100-sxm"."""
    title: str
    """As it is named in full: "NVIDIA H100 SXM5 80 GB"."""
    flops_per_s: Annotated[Mapping[str, float], AsGiven(Mapping[str, float])] = field(hash=False)
    """Precision -> dense peak of matrix products, FLOPs per second; what it does not compute in is left out."""
    memory_bytes: Annotated[float, AsGiven(float)]
    """All memory that the driver reports."""
    bandwidth_bytes_per_s: Annotated[float, POSITIVE]
    """Peak of the memory, bytes per second."""
    interconnect_bytes_per_s: Annotated[float, NOT_NEGATIVE] = 0.0
    """To the other GPUs of a machine, of one GPU in one direction, bytes per second; 0 where there is none."""
    interconnect: str = "none"
    """Its kind: "NVLink 4", "PCIe gen4 x16"."""
    power_w: float | None = None
    """Limit of the board, watts; None where it is not known."""
    source: Annotated[Mapping[str, str], AsGiven(Mapping[str, str])] = field(default_factory=dict, hash=False)
    """Field -> where its number was published or how it was measured."""
    efficiency: Annotated[Efficiency, _EFFICIENCY] = field(default_factory=Efficiency)
    """How much of the peaks its kernels reach."""
    vendor: str = ""
    """Who makes it."""
    form_factor: str = ""
    """How it is built: "SXM5", "PCIe card"."""
    shared_memory: bool = field(default=False, metadata=SPARSE)
    """Whether the processor and the system have their share of the memory too, which leaves less of it to a model."""
    conditions: Mapping[str, Any] = field(default_factory=dict, hash=False, metadata=SPARSE)
    """Of a profile that was calibrated on a device: what it was measured under, by name: "threads", "torch", "mode".
    Predictions hold under the same; {} for a card of the catalogue."""

    def __post_init__(self) -> None:
        for name in ("name", "title"):
            _text(getattr(self, name), name, required=True)
        for name in ("interconnect", "vendor", "form_factor"):
            _text(getattr(self, name), name)
        object.__setattr__(self, "flops_per_s", _rates(self.flops_per_s))
        object.__setattr__(self, "memory_bytes", parse_bytes(self.memory_bytes, "memory_bytes"))
        for name in ("bandwidth_bytes_per_s", "interconnect_bytes_per_s", "power_w"):
            number = getattr(self, name)
            if name != "power_w" or number is not None:
                object.__setattr__(self, name, _number(number, name, zero=name == "interconnect_bytes_per_s"))
        if not isinstance(self.shared_memory, bool):
            raise InputError(f"shared_memory: expected true or false, got {shown(self.shared_memory)}")
        object.__setattr__(self, "source", _sources(self.source))
        if not isinstance(self.efficiency, Efficiency):
            raise InputError(f"efficiency: expected an Efficiency, got {shown(self.efficiency)}")

    def rate(self, precision: str) -> float:
        """Peak of matrix products in a precision, FLOPs per second.

        Raises:
            UnknownNameError: no such precision.
            InputError: this accelerator does not compute in it.
        """
        if precision not in PRECISIONS:
            raise UnknownNameError("precision", precision, PRECISIONS)
        if precision not in self.flops_per_s:
            raise InputError(f"{self.title} has no {precision}; it has {', '.join(self.flops_per_s)}")
        return self.flops_per_s[precision]

    @property
    def is_host(self) -> bool:
        """Whether it is a machine's processor, without a GPU."""
        return self.form_factor == HOST

    @property
    def memory_note(self) -> str:
        """What has to be said of its memory, in a sentence; "" where a model may have all of it."""
        if not self.shared_memory:
            return ""
        whole = format_bytes(self.memory_bytes)
        return f"the {whole} of {self.title} are shared with the processor and the system, which leave less to a model"

    def __repr__(self) -> str:
        return f"Hardware({self.name!r}, {self.title!r})"

    def to_dict(self) -> dict[str, Any]:
        """All that `from_dict` needs, for JSON."""
        return HARDWARE_FILE.to_dict(self)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the profile") -> Hardware:
        """The accelerator of a dictionary made by `to_dict`, or of one written by hand.

        What has a default may be left out; an `efficiency` that is left out is the shipped one of that name. `source`
        may be one text for all numbers, and memory may have a unit: "80 GiB".

        Raises:
            InputError: the field that is missing, unknown or wrong.
        """
        return HARDWARE_FILE.from_dict(content, origin)

    @classmethod
    def restored(cls, **values: Any) -> Hardware:
        """An accelerator as its file holds it, with the shipped efficiency of its name where it says none."""
        given = values.pop("efficiency", None)
        return cls(**values, efficiency=efficiency_of(values["name"]) if given is None else given)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write a profile as JSON at full precision, atomically.

        Raises:
            OutputExistsError: the file exists and `overwrite` is false.
        """
        return HARDWARE_FILE.write(path, self, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Hardware:
        """Read a profile, written by `save` or by hand. Raises InputError."""
        return HARDWARE_FILE.read(path)


class _MayBeNull:
    """An efficiency; null is none, as if it were left out."""

    def encode(self, value: Efficiency, place: Place) -> Any:
        return codec_of(Efficiency).encode(value, place)

    def decode(self, content: Any, place: Place) -> Efficiency | None:
        found: Efficiency | None = codec_of(Efficiency | None).decode(content, place)
        return found


_EFFICIENCY = _MayBeNull()


def _rates(rates: object) -> dict[str, float]:
    if not isinstance(rates, Mapping) or not rates:
        raise InputError(f'flops_per_s: expected rates by precision such as {{"bf16": 1e14}}, got {shown(rates)}')
    for precision in rates:
        if precision not in PRECISIONS:
            raise InputError(f"flops_per_s: {UnknownNameError('precision', str(precision), PRECISIONS)}")
    return {name: _number(rates[name], f"flops_per_s: {name}") for name in PRECISIONS if name in rates}


def _sources(source: object) -> dict[str, str]:
    if isinstance(source, str):
        return dict.fromkeys(_NUMBERS, source)
    if not isinstance(source, Mapping) or not all(isinstance(text, str) for text in source.values()):
        raise InputError(f"source: expected a text, or texts by field, got {shown(source)}")
    for name in source:
        if name not in _NUMBERS:
            raise InputError(f"source: {UnknownNameError('number with a source', str(name), _NUMBERS)}")
    return dict(source)


def _number(value: object, name: str, *, zero: bool = False) -> float:
    """A finite number above 0, or from 0 on."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if 0 < number < float("inf") or (zero and number == 0):
            return number
    raise InputError(f"{name}: expected a number {'from 0 on' if zero else 'above 0'}, got {shown(value)}")


def _text(value: object, name: str, *, required: bool = False) -> None:
    if not isinstance(value, str) or (required and not value.strip()):
        raise InputError(f"{name}: expected a text, got {shown(value)}")


HARDWARE_FILE = FileFormat(
    FILE_FORMAT,
    FORMAT_VERSION,
    Hardware,
    "the profile of a card",
    "vlm-planner hardware NAME -o FILE",
    by_hand=True,
)
"""The file of one accelerator, which people write too."""
