"""Rich tables of a built model: each part's parameters, counted and predicted. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from planner.base.quantities import format_bytes
from planner.tell.console import add_row, new_table, plain


def print_build(console: Console, built: Mapping[str, Any]) -> None:
    """What `vlm-planner build` made: whether it is what was predicted, then the parts."""
    rows = built["params"]
    totals = [sum(row[which] for row in rows.values()) for which in ("built", "predicted")]
    tokens = "1 visual token" if built["visual_tokens"] == 1 else f"{built['visual_tokens']} visual tokens"
    console.print(plain(f"{built['llm']} with {tokens}"))
    console.print(plain(f"{built['vision']}, {built['compressor']}, {built['prompt_order']}, {built['dtype']}"))
    agree = all(row["built"] == row["predicted"] for row in rows.values())
    console.print(
        plain("parameters are exactly those predicted" if agree else "parameters differ from those predicted"),
        style="green" if agree else "yellow",
    )
    table = new_table("parameters", "part", "built", "predicted", "difference")
    for part, row in rows.items():
        difference = f"{row['built'] - row['predicted']:+,}" if row["built"] != row["predicted"] else "0"
        add_row(table, part.replace("_", " "), f"{row['built']:,}", f"{row['predicted']:,}", difference)
    table.add_section()
    add_row(table, "total", *(f"{total:,}" for total in totals), f"{totals[0] - totals[1]:,}", style="bold")
    console.print(table)
    console.print(plain(f"weights: {format_bytes(built['weights_bytes'])}; {_sources(built['weights'])}"))
    for note in built["notes"]:
        console.print(plain(f"note: {note}"))


def print_export(console: Console, exported: Mapping[str, Any]) -> None:
    """What `vlm-planner export` wrote."""
    console.print(plain(f"wrote {exported['output']}: {format_bytes(exported['bytes'])}"))
    console.print(plain(", ".join(exported["files"])))


def _sources(weights: Mapping[str, str]) -> str:
    titles = {"llm": "language model", "vision": "vision tower"}
    return ", ".join(f"{titles[part]} {source}" for part, source in weights.items())
