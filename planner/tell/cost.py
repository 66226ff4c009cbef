"""Rich tables of what one configuration costs, stage by stage. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from planner.base.quantities import format_bytes, format_flops, format_params, format_percent, format_seconds
from planner.costs.flops import Flops
from planner.costs.latency import Latency
from planner.costs.request import RequestCost
from planner.costs.stages import STAGES
from planner.tell.console import add_row, new_table, plain

STAGE_TITLES = {
    "encoder": "vision encoder",
    "compressor": "compressor and projector",
    "query_pass": "query pass",
    "prefill": "prefill",
    "decode": "decode",
}


def stage_table(
    flops: Flops,
    latency: Latency | None,
    batch: int,
    convention: str,
    budget_flops: float | None = None,
    of_many: bool = False,
) -> Table:
    """FLOPs of each stage with its share; where the hardware is known the time too, what bounds it, and its source.

    `of_many`: the FLOPs are those of the mean of many requests, the times those of the long one.
    """
    timed = ["time", "bound", "source"] if latency is not None else []
    head = f"{'mean' if of_many else 'one'} request, {convention} count"
    times_of = ["95th percentile"] * of_many + [f"a batch of {batch}"] * (batch > 1)
    if latency is not None and times_of:
        head += f"; times of {', '.join(times_of)}"
    table = new_table(head, "stage", "FLOPs", "share", *timed)
    whole = float(flops.total)
    for stage in STAGES:
        counted = float(getattr(flops, stage))
        times = _stage_times(latency, stage)
        if counted == 0 and (not times or times[0] == "-"):
            continue  # it does not run, or is not counted
        title = STAGE_TITLES[stage] if latency is None else stage.replace("_", " ")
        add_row(table, title, format_flops(counted), format_percent(counted, whole), *times)
    table.add_section()
    share = f"{format_percent(whole, budget_flops)} of budget" if budget_flops and latency is None else ""
    times = [] if latency is None else [format_seconds(float(latency.request_s)), "", latency.source]
    add_row(table, "total", format_flops(whole), share, *times, style="bold")
    return table


def _stage_times(latency: Latency | None, stage: str) -> list[str]:
    if latency is None:
        return []
    steps, name = 1, stage
    if stage == "decode":
        steps, name = max(latency.generated_tokens - 1, 0), "decode_step"
    seconds = steps * float(getattr(latency, name).seconds)
    if seconds == 0:
        return ["-", "", ""]
    return [format_seconds(seconds), str(getattr(latency, name).bound), latency.sources[name]]


def print_cost(console: Console, cost: RequestCost) -> None:
    """What one configuration costs: FLOPs and times by stage, memory by what takes it."""
    console.print(plain(str(cost)), style="bold")
    card = [] if cost.hardware is None else [cost.hardware.title]
    many = [f"{cost.tensor_parallel} GPUs, tensor parallel"] if cost.tensor_parallel > 1 else []
    parts = [f"{format_params(cost.llm.params)} parameters in the LLM", cost.compressor.title, cost.prompt_order]
    console.print(plain(", ".join([*parts, *card, *many, cost.precision])))
    console.print(stage_table(cost.flops, cost.latency, cost.batch, cost.convention))
    latency = cost.latency
    if latency is not None:
        ttft, tpot = format_seconds(float(latency.ttft_s)), format_seconds(float(latency.tpot_s))
        rate = f"{float(latency.throughput_requests_per_s):.3g}"
        light = format_percent(float(latency.speed_of_light_share), 1.0)
        console.print(plain(f"TTFT {ttft}, TPOT {tpot}, {rate} requests per second, {light} of the speed of light"))
        if cost.speed_limit_tokens is not None:
            console.print(plain(speed_limit_text(cost.speed_limit_tokens)))
    memory = cost.memory
    peak = STAGES[int(memory.peak_stage)].replace("_", " ")
    table = new_table(f"memory at the peak: {peak}", "", "bytes", "share")
    rows = {"weights": memory.weights, "KV cache": memory.peak_kv_cache, "activations": memory.peak_activations}
    for name, count in (rows | {"reserve": memory.reserve}).items():
        add_row(table, name, format_bytes(float(count)), format_percent(float(count), float(memory.peak)))
    table.add_section()
    add_row(table, "peak", format_bytes(float(memory.peak)), "", style="bold")
    console.print(table)
    if cost.hardware is not None:
        console.print(plain(f"requests that fit at once: {cost.requests_that_fit}"))
        if cost.requests_that_fit is not None and cost.requests_that_fit < cost.batch:
            have = format_bytes(cost.hardware.memory_bytes)
            console.print(plain(f"does not fit: {cost.hardware.title} has {have}"), style="bold red")


def print_conventions(
    console: Console,
    title: str,
    same_request: Mapping[str, float],
    meanings: Mapping[str, str],
    converted: Mapping[str, float] | None,
) -> None:
    """One request in every way of counting, and a printed number in all of them."""
    table = new_table(title, "count", "FLOPs", *["printed"] * (converted is not None), "")
    for name, flops in same_request.items():
        more = [] if converted is None else [format_flops(converted[name])]
        add_row(table, name, format_flops(flops), *more, meanings[name])
    console.print(table)


def speed_limit_text(tokens: int) -> str:
    """From which number of visual tokens on fewer of them save no time."""
    if tokens <= 1:
        return "every visual token less saves time to the first token here"
    return f"below {tokens} visual tokens, fewer of them save less than 5 % of the TTFT here"
