"""Accelerators: what a card can do at most, where each number comes from, and the host's CPU as one more.

The shipped table is hardware.json. Rates are dense: vendors like to print them with structured sparsity, twice as high.
Memory is all that the driver reports, which is the most a program can have. Interconnects count one direction.
"""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from planner.base.errors import InputError, UnknownNameError
from planner.base.files import read_json, write_json
from planner.base.quantities import parse_bytes, shown
from planner.costs.efficiency import SHARES, Efficiency, efficiency_of

PRECISIONS = ("bf16", "fp16", "fp8", "int8", "fp32")
CPU = "cpu"
FILE_FORMAT = "vlm-planner hardware"
FORMAT_VERSION = 1

_NUMBERS = ("flops_per_s", "memory_bytes", "bandwidth_bytes_per_s", "interconnect", "power_w")
"""What has a source each."""
_VENDORS = re.compile(r"^(?:nvidia|amd|geforce|tesla|instinct)(?=[\s_-])[\s_-]*", re.IGNORECASE)
_MATRIX_SIDE = 1024
_COPIED_BYTES = 64 * 2**20  # beyond the caches; more costs time where memory comes slowly
_REPEATS = 5
_MEASURED_S = 0.25  # a slow host repeats less


@dataclass(frozen=True)
class Hardware:
    """One accelerator. Raises InputError, naming the field, for a value that cannot be."""

    name: str
    """As it is named on the command line: "h100-sxm"."""
    title: str
    """As it is named in full: "NVIDIA H100 SXM5 80 GB"."""
    flops_per_s: Mapping[str, float] = field(hash=False)
    """Precision -> dense peak of matrix products, FLOPs per second; what it does not compute in is left out."""
    memory_bytes: float
    """All memory that the driver reports."""
    bandwidth_bytes_per_s: float
    """Peak of the memory, bytes per second."""
    interconnect_bytes_per_s: float = 0.0
    """To the other GPUs of a machine, of one GPU in one direction, bytes per second; 0 where there is none."""
    interconnect: str = "none"
    """Its kind: "NVLink 4", "PCIe gen4 x16"."""
    power_w: float | None = None
    """Limit of the board, watts; None where it is not known."""
    source: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Field -> where its number was published or how it was measured."""
    efficiency: Efficiency = field(default_factory=Efficiency)
    """How much of the peaks its kernels reach."""
    vendor: str = ""
    """Who makes it."""
    form_factor: str = ""
    """How it is built: "SXM5", "PCIe card"."""

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

    def to_dict(self) -> dict[str, Any]:
        """All that `from_dict` needs, for JSON."""
        return {"format": FILE_FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the profile") -> Hardware:
        """The accelerator of a dictionary made by `to_dict`, or of one written by hand.

        What has a default may be left out; an `efficiency` that is left out is the shipped one of that name. `source`
        may be one text for all numbers, and memory may have a unit: "80 GiB".

        Raises:
            InputError: the field that is missing, unknown or wrong.
        """
        if not isinstance(content, Mapping):
            raise InputError(f"{origin} is no accelerator: expected a JSON object, got {shown(content)}")
        if content.get("format", FILE_FORMAT) != FILE_FORMAT:
            raise InputError(f'{origin} is no accelerator: "format" is {shown(content["format"])}, not "{FILE_FORMAT}"')
        version = content.get("format_version", FORMAT_VERSION)
        if version != FORMAT_VERSION:
            raise InputError(f"{origin}: format_version: expected {FORMAT_VERSION}, got {shown(version)}")
        values = {key: value for key, value in content.items() if key not in ("format", "format_version")}
        known = [item.name for item in fields(cls)]
        for key in values:
            if key not in known:
                raise InputError(f"{origin}: {UnknownNameError('field of an accelerator', str(key), known)}")
        for name in ("name", "title", "flops_per_s", "memory_bytes", "bandwidth_bytes_per_s"):
            if name not in values:
                raise InputError(f"{origin}: {name} is missing")
        try:
            values["efficiency"] = _efficiency(values)
            return cls(**values)
        except InputError as error:
            raise InputError(f"{origin}: {error}") from None

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write a profile as JSON at full precision, atomically.

        Raises:
            OutputExistsError: the file exists and `overwrite` is false.
        """
        return write_json(path, self.to_dict(), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Hardware:
        """Read a profile, written by `save` or by hand. Raises InputError."""
        expected = "the profile of a card; vlm-planner hardware NAME -o FILE writes one"
        return cls.from_dict(read_json(path, expected), Path(path).name)


@cache
def hardware_catalog() -> Mapping[str, Hardware]:
    """The shipped accelerators by name, of the data centre first, newest first."""
    content = json.loads(resources.files(__package__).joinpath("hardware.json").read_text("utf-8"))
    return {name: Hardware.from_dict({"name": name, **card}, name) for name, card in content["cards"].items()}


def find_hardware(name: str | os.PathLike[str] | Hardware) -> Hardware:
    """An accelerator: as it is, by its name in the catalogue, by the path of a profile (.json), or "cpu" for this host.

    Names are read without regard to case, blanks, hyphens and the vendor: "NVIDIA H100 SXM" is h100-sxm.

    Raises:
        UnknownNameError: no such name.
        InputError: a name that fits several, or a profile that cannot be used.
    """
    if isinstance(name, Hardware):
        return name
    if not isinstance(name, str | os.PathLike):
        raise InputError(f"hardware: expected the name of a card, a profile's path or a Hardware, got {shown(name)}")
    if isinstance(name, os.PathLike) or name.lower().endswith(".json"):
        return Hardware.load(name)
    if name.strip().lower() == CPU:
        return host_cpu()
    catalog = {_key(known): card for known, card in hardware_catalog().items()}
    key = _key(name)
    if key in catalog:
        return catalog[key]
    several = [card.name for known, card in catalog.items() if key and known.startswith(key)]
    if len(several) > 1:
        one_of = f"{', '.join(several[:-1])} or {several[-1]}"
        raise InputError(f"{name!r} fits several accelerators; did you mean {one_of}?")
    known = [*hardware_catalog(), CPU]
    raise UnknownNameError("accelerator", name, known, f"there are {', '.join(known)}, and the path of any profile")


def default_precision(card: Hardware | None) -> str:
    """Of an LLM where none is asked for: bf16, or what stands in for it on cards that have none (T4)."""
    if card is None or "bf16" in card.flops_per_s:
        return "bf16"
    return "fp16" if "fp16" in card.flops_per_s else "fp32"


@cache
def host_cpu() -> Hardware:
    """The processor of this host, with peaks measured once, in less than a second, by numpy.

    The rate is that of the best single-precision matrix product; it stands for bf16 too, since few processors are
    faster in it. The bandwidth is that of the best copy, what is read plus what is written.
    """
    import numpy as np

    side = np.ones((_MATRIX_SIDE, _MATRIX_SIDE), np.float32)
    product = np.empty_like(side)
    rate = 2 * _MATRIX_SIDE**3 / _best_seconds(lambda: np.matmul(side, side, out=product))
    source = np.ones(_COPIED_BYTES // 8)
    copy = np.empty_like(source)
    bandwidth = 2 * _COPIED_BYTES / _best_seconds(lambda: np.copyto(copy, source))
    measured = "measured here with numpy"
    return Hardware(
        name=CPU,
        title=f"{host_name()}, {os.cpu_count()} cores",
        flops_per_s={"bf16": rate, "fp32": rate},
        memory_bytes=_host_memory_bytes(),
        bandwidth_bytes_per_s=bandwidth,
        source={
            "flops_per_s": f"{measured}: a float32 product of {_MATRIX_SIDE} x {_MATRIX_SIDE}; taken for bf16 too",
            "memory_bytes": "read from the operating system",
            "bandwidth_bytes_per_s": f"{measured}: a copy of {_COPIED_BYTES // 2**20} MiB, read plus written",
        },
        # the peaks are measured: what is reached, not promised; a core computes or waits for memory, not both
        efficiency=Efficiency.from_dict(dict.fromkeys(SHARES, 1.0) | {"overlap": 1.0}),
        form_factor="host",
    )


def _best_seconds(work: Callable[[], object]) -> float:
    """The shortest of a few runs, after one that warms up."""
    work()
    taken: list[float] = []
    while len(taken) < _REPEATS and sum(taken) < _MEASURED_S:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def host_name() -> str:
    """The name of this host's processor."""
    described = ""
    with suppress(OSError):
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(\S.*)$", described, re.MULTILINE)
    return " ".join(found[1].split()) if found else platform.processor() or platform.machine() or "this processor"


def _host_memory_bytes() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        raise InputError("cannot read how much memory this host has; name the path of a profile") from None


def _key(name: str) -> str:
    """A name without what may be written in several ways."""
    name = name.strip()
    while _VENDORS.match(name):
        name = _VENDORS.sub("", name)
    return re.sub(r"[\s_-]+", "", name).lower()


def _efficiency(values: Mapping[str, Any]) -> Efficiency:
    given = values.get("efficiency")
    if isinstance(given, Mapping):
        return Efficiency.from_dict(given)
    if given is not None:
        raise InputError(f"efficiency: expected an object, got {shown(given)}")
    return efficiency_of(values["name"]) if isinstance(values["name"], str) else Efficiency()


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
