"""Rich tables of accelerators: all of them, or one with its sources. Everything fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.base.quantities import format_bandwidth, format_bytes, format_flop_rate, format_seconds, format_significant
from planner.hardware import Hardware
from planner.hardware.efficiency import JUDGED
from planner.tell.console import plain

_TITLES = {
    "flops_per_s": "rates",
    "memory_bytes": "memory",
    "bandwidth_bytes_per_s": "memory bandwidth",
    "interconnect": "interconnect",
    "power_w": "power",
}
_REACHED = {"overlap": "overlap p"}


def print_hardware_table(console: Console, cards: Iterable[Hardware]) -> None:
    """All accelerators, a line each."""
    table = _table("accelerators", "name", "bf16", "fp8", "memory", "bandwidth", "power")
    for card in cards:
        rates = [format_flop_rate(card.flops_per_s[p]) if p in card.flops_per_s else "-" for p in ("bf16", "fp8")]
        sizes = (format_bytes(card.memory_bytes), format_bandwidth(card.bandwidth_bytes_per_s), _power(card))
        _row(table, card.name, *rates, *sizes)
    console.print(table)
    console.print(plain("rates: dense matrix products, peak; memory: GiB of 2^30 bytes, all that the driver reports"))


def print_hardware(console: Console, card: Hardware) -> None:
    """All that is known of one accelerator: numbers, their sources, how much of them kernels reach."""
    kind = ", ".join(part for part in (card.vendor, card.form_factor) if part)
    console.print(plain(f"{card.title} ({kind})" if kind else card.title), style="bold")
    table = _table("peaks", "", "peak")
    for precision, rate in card.flops_per_s.items():
        _row(table, precision, format_flop_rate(rate))
    table.add_section()
    _row(table, "memory", format_bytes(card.memory_bytes))
    _row(table, "memory bandwidth", format_bandwidth(card.bandwidth_bytes_per_s))
    if card.interconnect_bytes_per_s:
        _row(table, f"{card.interconnect}, one direction", format_bandwidth(card.interconnect_bytes_per_s))
    if card.power_w is not None:
        _row(table, "power", _power(card))
    console.print(table)
    told: dict[str, list[str]] = {}
    for number, source in card.source.items():
        told.setdefault(source, []).append(_TITLES[number])
    for source, numbers in told.items():
        console.print(Text.assemble((f"{', '.join(numbers)}: ", "yellow"), plain(source)))
    reached = card.efficiency
    table = _table(f"what kernels reach ({reached.source})", "", "value")
    for name, value in asdict(reached).items():
        if not isinstance(value, str) and name not in JUDGED:
            shown = format_seconds(value) if name.endswith("_s") else format_significant(value)
            _row(table, _REACHED.get(name, name.removesuffix("_s").replace("_", " ")), shown)
    console.print(table)
    console.print(plain("overlap p: computing C and memory traffic B together take (C^p + B^p)^(1/p)"))
    if reached.origin:
        console.print(Text.assemble(("what kernels reach: ", "yellow"), plain(reached.origin)))


def _power(card: Hardware) -> str:
    return "-" if card.power_w is None else f"{card.power_w:.4g} W"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=plain(title), title_justify="left", title_style="bold", header_style="")
    for name in columns:
        table.add_column(name, justify="left" if name in ("", "name") else "right", overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*map(plain, cells))
