"""The story of accelerators: all of them, or one with its sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from planner.hardware import Hardware, hardware_aliases
from planner.hardware.efficiency import JUDGED, NO_NUMBERS, Efficiency
from planner.tell import values as v
from planner.tell.document import Block, Document, Line, Paragraph, Section, Table, Value, foreign, line, sentence

_TITLES = {
    "flops_per_s": "rates",
    "memory_bytes": "memory",
    "bandwidth_bytes_per_s": "memory bandwidth",
    "interconnect": "interconnect",
    "power_w": "power",
}
_REACHED = {"overlap": "overlap p", "cache_tile_tokens": "cache tile, tokens"}


def hardware_table(cards: Iterable[Hardware]) -> tuple[Block, ...]:
    """All accelerators, one line per card."""
    rows = []
    for card in cards:
        rates: list[Line] = [
            (v.rate(card.flops_per_s[p], f"{p} peak"),) if p in card.flops_per_s else ("-",) for p in ("bf16", "fp8")
        ]
        memory, bandwidth = v.size(card.memory_bytes, "memory"), v.bandwidth(card.bandwidth_bytes_per_s, "bandwidth")
        rows.append((line(foreign(card.name, "accelerator")), *rates, line(memory), line(bandwidth), _power(card)))
    columns = ("name", foreign("bf16", "precision"), foreign("fp8", "precision"), "memory", "bandwidth", "power")
    unit = foreign("GiB of 2^30 bytes", "unit of memory")
    note = line("rates: dense matrix products, peak; memory: ", unit, ", all that the driver reports")
    return Table(line("accelerators"), columns, tuple(rows)), Paragraph(note)


def hardware_story(card: Hardware) -> Document:
    """All that is known of one accelerator: numbers, their sources, how much of them kernels reach."""
    kind = ", ".join(part for part in (card.vendor, card.form_factor) if part)
    title = foreign(f"{card.title} ({kind})" if kind else card.title, "accelerator")
    return Document(
        kind="hardware",
        title="Accelerator",
        heading=line(title),
        opening=tuple(_peaks(card)),
        sections=(Section("reached", "Efficiencies", tuple(_reached(card))),),
        opening_title="Peaks",
        sources={"hardware": card.to_dict()},
    )


def _peaks(card: Hardware) -> Iterator[Block]:
    rows: list[tuple[Line, ...]] = [
        (line(foreign(precision, "precision")), line(v.rate(rate, f"{precision} peak")))
        for precision, rate in card.flops_per_s.items()
    ]
    first = len(rows)
    rows.append((line("memory"), line(v.size(card.memory_bytes, "memory"))))
    rows.append((line("memory bandwidth"), line(v.bandwidth(card.bandwidth_bytes_per_s, "memory bandwidth"))))
    if card.interconnect_bytes_per_s:
        link = line(foreign(card.interconnect, "interconnect"), ", one direction")
        rows.append((link, line(v.bandwidth(card.interconnect_bytes_per_s, "bandwidth between GPUs"))))
    if card.power_w is not None:
        rows.append((line("power"), _power(card)))
    yield Table(line("peaks"), ("", "peak"), tuple(rows), breaks=frozenset({first}))
    others = [alias for alias, name in hardware_aliases().items() if name == card.name]
    if others:
        yield Paragraph(line(foreign(", ".join(others), "other names")), label="also called")
    told: dict[str, list[str]] = {}
    for number, source in card.source.items():
        told.setdefault(source, []).append(_TITLES[number])
    for source, numbers in told.items():
        yield Paragraph((sentence(source, "source"),), label=", ".join(numbers))


def _reached(card: Hardware) -> Iterator[Block]:
    reached, other = card.efficiency, card.efficiency.multi_head
    sets = [reached] if other is None else [reached, other]
    rows: list[tuple[Line, ...]] = []
    for name in asdict(reached):
        if name not in NO_NUMBERS and name not in JUDGED:
            title = _REACHED.get(name, name.removesuffix("_s").replace("_", " "))
            rows.append((line(title), *(line(_number(name, title, getattr(one, name))) for one in sets)))
    caption = line("what kernels reach (", foreign(reached.source, "source of the efficiencies"), ")")
    yield Table(caption, ("", *(_framework(one, len(sets)) for one in sets)), tuple(rows))
    formula = foreign("(C^p + B^p)^(1/p)", "formula")
    yield Paragraph(line("overlap p: computing C and memory traffic B together take ", formula))
    if other is not None:
        kinds = line(
            foreign(reached.framework, "framework"), " stands for models with grouped queries, ",
            foreign(other.framework, "framework"), " for those whose query heads have keys and values of their own",
        )  # fmt: skip
        yield Paragraph(kinds)
    yield from _few_rows(reached)
    if reached.host.source:
        spent = {name: seconds for name, seconds in asdict(reached.host).items() if name != "source"}
        own = [(line(f"each {name.removesuffix('_s')}"), line(v.seconds(one, name))) for name, one in spent.items()]
        yield Table(line("what the host of an engine adds"), ("", "value"), tuple(own))
        yield Paragraph((sentence(reached.host.source, "source"),), label="what the host of an engine adds")
    for one in sets:
        if one.origin:
            label = "what kernels reach" if one is reached else "without grouped queries"
            yield Paragraph((sentence(one.origin, "origin of the efficiencies"),), label=label)


def _number(name: str, title: str, value: float) -> Value:
    return v.seconds(value, title) if name.endswith("_s") else v.significant(value, title)


def _framework(one: Efficiency, sets: int) -> str | Value:
    return foreign(one.framework, "framework") if sets > 1 else "value"


def _few_rows(reached: Efficiency) -> Iterator[Block]:
    for precision, table in reached.few_rows.items():
        grown = zip(table.rows, table.times, strict=True)
        own = [(line(v.significant(rows, "rows")), line(v.significant(time, "time"))) for rows, time in grown]
        caption = line("matrix products of few rows, one row = 1 (", foreign(precision, "precision"), ")")
        yield Table(caption, ("rows", "time"), tuple(own))


def _power(card: Hardware) -> Line:
    return line("-") if card.power_w is None else line(v.watts(card.power_w, "power"))
