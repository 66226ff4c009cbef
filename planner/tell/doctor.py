"""What is here and what is missing, on the terminal. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from planner.base.quantities import format_bytes
from planner.tell.console import add_row, new_table, plain


def print_doctor(console: Console, content: Mapping[str, Any]) -> None:
    """Versions by what they are for, the device, and what to install."""
    head = f"vlm-planner {content['vlm_planner']}, Python {content['python']}, {content['system']}"
    console.print(plain(head), style="bold")
    table = new_table("", "for", "")
    for use, found in content["packages"].items():
        texts = [f"{name} {version}" if version else f"{name} MISSING" for name, version in found.items()]
        add_row(table, use, ", ".join(texts))
    console.print(table)
    device = content["device"]
    if device is None:
        console.print(plain(f"{content['processor']}, {content['cores']} cores; no PyTorch: nothing can be measured"))
    else:
        parts = [f"{device['device']}"]
        parts += [f"{device['devices']} of them"] if device["devices"] > 1 else []
        parts += [f"{format_bytes(device['device_memory_bytes'])} of memory"]
        parts += [] if device["free_bytes"] is None else [f"{format_bytes(device['free_bytes'])} free"]
        known = (
            f"{device['catalogue']} in the catalogue" if device["catalogue"] else "not in the catalogue: calibrate it"
        )
        console.print(plain(f"measured would be: {', '.join(parts)}; {known}"))
        if device["device_type"] == "cuda" and not device["counters"]:
            console.print(plain("its energy counter cannot be read"))
    for advice in content["advice"]:
        console.print(Text.assemble(("missing: ", "yellow"), plain(advice)))
