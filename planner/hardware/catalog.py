"""The accelerators that have a name: the shipped ones, of hardware.json, and those registered from outside."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown
from planner.base.registry import Registry
from planner.hardware.card import Hardware
from planner.hardware.host import CPU, host_cpu

_VENDORS = re.compile(
    r"^(?:nvidia|amd|apple|intel|qualcomm|mediatek|geforce|tesla|instinct|jetson|radeon)(?=[\s_-])[\s_-]*",
    re.IGNORECASE,
)


@cache
def _tables() -> tuple[dict[str, Any], ...]:
    """hardware.json, then edge.json."""
    files = ("hardware.json", "edge.json")
    return tuple(json.loads(resources.files(__package__).joinpath(file).read_text("utf-8")) for file in files)


@cache
def shipped_cards() -> tuple[Hardware, ...]:
    """The accelerators of hardware.json, then the devices of edge.json."""
    cards = {name: card for table in _tables() for name, card in table["cards"].items()}
    return tuple(Hardware.from_dict({"name": name, **card}, name) for name, card in cards.items())


@cache
def hardware_aliases() -> Mapping[str, str]:
    """Other names of shipped accelerators, of the GPU, the chip or a device around it -> the name."""
    return {alias: name for table in _tables() for alias, name in table.get("aliases", {}).items()}


def _register_shipped() -> None:
    for card in shipped_cards():
        HARDWARE.register(card)


HARDWARE: Registry[Hardware] = Registry("accelerator", Hardware, fill=_register_shipped)
"""Accelerators by name; the shipped ones first, of the data centre before others, newest first."""


def hardware_catalog() -> Mapping[str, Hardware]:
    """The registered accelerators by name."""
    return {card.name: card for card in HARDWARE}


def find_hardware(name: str | os.PathLike[str] | Hardware) -> Hardware:
    """An accelerator: as it is, by its name in the catalogue, by the path of a profile (.json), or "cpu" for this host.

    Names are read without regard to case, blanks, hyphens and the vendor: "NVIDIA H100 SXM" is h100-sxm. A few devices
    have other names too: "iPhone 16 Pro" is apple-a18-pro.

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
    aliases = {_key(alias): HARDWARE.find(meant) for alias, meant in hardware_aliases().items()}
    if key in aliases:
        return aliases[key]
    several = _fitting(key)
    if len(several) > 1:
        one_of = f"{', '.join(several[:-1])} or {several[-1]}"
        raise InputError(f"{name!r} fits several accelerators; did you mean {one_of}?")
    known = [*hardware_catalog(), CPU]
    told = f"there are {', '.join(known)}, and the path of any profile"
    raise UnknownNameError("accelerator", name, [*known, *hardware_aliases()], told, tuple(several) or None)


def _fitting(key: str) -> list[str]:
    """Accelerators of which a name, another name or the title goes on so from one of its words: of "orin" all Orin."""
    written = [(text, card.name) for card in HARDWARE for text in (card.name, card.title)]
    written += hardware_aliases().items()
    fitting = {name for text, name in written if key and any(rest.startswith(key) for rest in _rests(text))}
    return [name for name in hardware_catalog() if name in fitting]


def _rests(text: str) -> Iterator[str]:
    """What follows from each word of a text on, in the form of `_key`."""
    words = [word.lower() for word in re.findall(r"[^\W_]+", text)]
    return ("".join(words[at:]) for at in range(len(words)))


def default_precision(card: Hardware | None) -> str:
    """Of an LLM where none is asked for: bf16, or what stands in for it on cards that have none (T4)."""
    if card is None or "bf16" in card.flops_per_s:
        return "bf16"
    return "fp16" if "fp16" in card.flops_per_s else "fp32"


def released_precision(card: Hardware | None, dtype: str) -> str:
    """Of a released model where none is asked for: the dtype that its files name, or what stands in for bf16 on cards
    that have none."""
    return default_precision(card) if dtype == "bf16" else dtype


def check_bf16(card: Hardware | None, precisions: Iterable[str]) -> None:
    """Raises InputError where a released model is to run in bf16 on a card that has none: no engine serves it there."""
    if card is not None and "bf16" in precisions:
        card.rate("bf16")


@lru_cache
def _key(name: str) -> str:
    """A name without what may be written in several ways."""
    name = name.strip()
    while _VENDORS.match(name):
        name = _VENDORS.sub("", name)
    return re.sub(r"[\s_-]+", "", name).lower()
