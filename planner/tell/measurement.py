"""Rich tables of measurements: where the time goes, what it takes. Everything fits 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from planner.base.quantities import (
    format_bandwidth,
    format_bytes,
    format_flop_rate,
    format_flops,
    format_percent,
    format_seconds,
    format_significant,
)
from planner.bench.measurement import Measurement
from planner.bench.samples import merged_advice
from planner.tell.answers import print_answers
from planner.tell.console import add_row, new_table, plain

_STAGES = ("preprocess", "encoder", "compressor", "query_pass", "prefill", "decode_step")


def print_measurements(console: Console, found: Sequence[Measurement], answers: Sequence[Any]) -> None:
    """Each measurement, or a line of each where there are several; then what they answer."""
    if len(found) == 1:
        print_measurement(console, found[0])
    else:
        first = found[0]
        console.print(plain(f"{first.model.llm} on {first.environment['device']}, {first.mode}"), style="bold")
        table = new_table("", "tokens", "batch", "TTFT", "TPOT", "requests/s", "peak memory", "stable")
        for one in found:
            times = [_time(one.ttft_s), _time(one.tpot_s)]
            rate = one.requests_per_second
            add_row(
                table,
                str(one.model.visual_tokens),
                str(one.batch),
                *times,
                "-" if rate is None else format_significant(rate),
                format_bytes(one.memory.peak_bytes),
                "yes" if one.stable else "no",
            )
        console.print(table)
        for advice in merged_advice(text for one in found for text in one.advice):
            console.print(Text.assemble(("advice: ", "yellow"), plain(advice)))
    print_answers(console, answers)


def print_measurement(console: Console, one: Measurement) -> None:
    """Stage by stage, with the spread of the samples."""
    model = one.model
    tokens = "1 visual token" if model.visual_tokens == 1 else f"{model.visual_tokens} visual tokens"
    console.print(plain(f"{model.llm} with {tokens} on {one.environment['device']}"), style="bold")
    parts = [model.precision, f"batch {one.batch}", one.mode, model.compressor, model.prompt_order]
    console.print(plain(f"{', '.join(parts)}; {one.method.text}"))
    table = new_table("a batch of requests", "stage", "median", "middle half", "FLOPs", "of peak", "samples")
    for name in _STAGES:
        if name not in one.samples:
            continue
        samples = one.samples[name]
        low, high = samples.quartiles_s
        step = name == "decode_step"
        flops = one.flops.get("decode", 0) / max(one.workload.generated_tokens, 1) if step else one.flops.get(name, 0)
        flops *= one.batch
        share = flops / (samples.median_s * one.ceilings.matmul_flops_per_s) if flops and samples.median_s else None
        add_row(
            table,
            name.replace("_", " "),
            format_seconds(samples.median_s),
            f"{format_seconds(low)} to {format_seconds(high)}",
            format_flops(flops) if flops else "-",
            "-" if share is None else format_percent(share, 1.0),
            str(len(samples.seconds)),
        )
    console.print(table)
    rate = one.requests_per_second
    said = [f"TTFT {_time(one.ttft_s)}", f"TPOT {_time(one.tpot_s)}"]
    said += [] if rate is None else [f"{format_significant(rate)} requests per second"]
    mbu = one.decode_mbu()
    said += [] if mbu is None else [f"a decode step reaches {format_percent(mbu, 1.0)} of the copy bandwidth"]
    console.print(plain(", ".join(said)))
    ceilings = one.ceilings
    console.print(
        plain(
            f"measured here: matrix product {format_flop_rate(ceilings.matmul_flops_per_s)}, copy "
            f"{format_bandwidth(ceilings.copy_bytes_per_s)}"
        )
    )
    memory = one.memory
    console.print(
        plain(
            f"memory: weights {format_bytes(memory.weights_bytes)}, KV cache {format_bytes(memory.kv_cache_bytes)}, "
            f"peak {format_bytes(memory.peak_bytes)}"
        )
    )
    if one.energy.joules is not None:
        doubt = "" if one.energy.valid else " (not reliable)"
        console.print(plain(f"energy of a request: {format_significant(one.energy.joules)} J{doubt}"))
    for note in one.notes:
        console.print(Text.assemble(("note: ", "yellow"), plain(note)))
    for advice in one.advice:
        console.print(Text.assemble(("advice: ", "yellow"), plain(advice)))


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else format_seconds(seconds)
