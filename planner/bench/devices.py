"""Which card of the catalogue a device is, by what the driver calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from planner.hardware import CPU, Hardware, hardware_catalog

_MEMORY_SLACK = 0.15
"""The driver's count of a card's memory and the catalogue's differ by what it keeps for itself."""


def recognise(environment: Mapping[str, Any]) -> Hardware | None:
    """The card of the catalogue that a measurement was made on; None for one that it does not know, and for a CPU."""
    fitting = [card for card in hardware_catalog().values() if _is_card(card, environment)]
    return fitting[0] if fitting else None


def is_device(card: Hardware, environment: Mapping[str, Any]) -> bool:
    """Whether a profile speaks of the device that a measurement was made on."""
    device = str(environment.get("device", ""))
    if device and re.search(rf"(?<!\w){re.escape(device)}(?!\w)", card.title, re.IGNORECASE):
        return True
    if environment.get("device_type") == CPU:
        return False  # profiles of hosts carry the processor's name
    return _is_card(card, environment)


def _is_card(card: Hardware, environment: Mapping[str, Any]) -> bool:
    device = str(environment.get("device", ""))
    words = set(re.findall(r"[a-z0-9]+", device.lower()))
    model = [part for part in card.name.split("-") if re.search(r"\d", part) and not re.fullmatch(r"\d+gb", part)]
    if environment.get("device_type") == CPU or not set(model) <= words:
        return False
    if ("pcie" in words) != (card.form_factor.lower().startswith("pcie")) and _has_both_forms(model):
        return False
    memory = environment.get("device_memory_bytes")
    return memory is None or abs(float(memory) / card.memory_bytes - 1) <= _MEMORY_SLACK


def _has_both_forms(model: list[str]) -> bool:
    """Whether the catalogue has this model as a PCIe card and as another."""
    alike = [card for card in hardware_catalog().values() if set(model) <= set(card.name.split("-"))]
    return len({card.form_factor.lower().startswith("pcie") for card in alike}) > 1
