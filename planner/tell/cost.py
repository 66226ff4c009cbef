"""The story of what one configuration costs: FLOPs and times by stage, memory by what takes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console

from planner.base.quantities import format_flops
from planner.costs.request import RequestCost
from planner.tell import values as v
from planner.tell.console import add_row, new_table
from planner.tell.document import Block, Document, Paragraph, Section, Value, foreign, joined, line
from planner.tell.memory import memory_table
from planner.tell.render.console import print_document
from planner.tell.stages import stage_table


def cost_story(cost: RequestCost) -> Document:
    """One configuration and one request as a document."""
    tokens = v.visual_tokens(cost.visual_tokens)
    sections = (
        Section("time", "Computing and time" if cost.latency else "Computing", tuple(_stages(cost))),
        Section("memory", "Memory per device", tuple(_memory(cost))),
    )
    return Document(
        kind="cost",
        title="Cost of one configuration",
        heading=line(foreign(cost.llm.name, "language model"), " with ", tokens),
        opening=(_setup(cost),),
        sections=sections,
        opening_title="The configuration",
        sources={"cost": cost.to_dict()},
    )


def print_cost(console: Console, cost: RequestCost) -> None:
    """The story on the terminal."""
    print_document(console, cost_story(cost))


def _setup(cost: RequestCost) -> Paragraph:
    parts = [
        line(v.params(cost.llm.params, "parameters of the LLM"), " parameters in the LLM"),
        line(foreign(cost.compressor.title, "compressor")),
        line(foreign(cost.prompt_order, "prompt order")),
    ]
    parts += [] if cost.hardware is None else [line(foreign(cost.hardware.title, "hardware"))]
    gpus = v.count(cost.tensor_parallel, "GPUs that share the model")
    parts += [line(gpus, " GPUs, tensor parallel")] if cost.tensor_parallel > 1 else []
    return Paragraph(joined([*parts, line(foreign(cost.precision, "precision"))], ", "))


def _stages(cost: RequestCost) -> Iterator[Block]:
    yield stage_table(cost.flops, cost.latency, cost.batch, cost.convention)
    latency = cost.latency
    if latency is None:
        return
    yield Paragraph(
        line(
            "TTFT ", v.seconds(float(latency.ttft_s), "TTFT"), ", TPOT ", v.seconds(float(latency.tpot_s), "TPOT"),
            ", ", Value(f"{float(latency.throughput_requests_per_s):.3g}", float(latency.throughput_requests_per_s),
                        "requests per second", "1/s"),
            " requests per second, ",
            v.share(float(latency.speed_of_light_share), 1.0, "ideal time over predicted time"),
            " of the speed of light",
        )
    )  # fmt: skip
    if cost.speed_limit_tokens is not None:
        yield speed_limit(cost.speed_limit_tokens)


def _memory(cost: RequestCost) -> Iterator[Block]:
    yield memory_table(cost.memory)
    if cost.hardware is None or cost.requests_that_fit is None:
        return
    yield Paragraph(line("requests that fit at once: ", v.count(cost.requests_that_fit, "requests that fit at once")))
    if cost.requests_that_fit < cost.batch:
        title, have = foreign(cost.hardware.title, "hardware"), v.size(cost.hardware.memory_bytes, "memory it has")
        yield Paragraph(line("does not fit: ", title, " has ", have), "bad", strong=True)


def speed_limit(tokens: int) -> Paragraph:
    """From which number of visual tokens on fewer of them save no time."""
    if tokens <= 1:
        return Paragraph(line("every visual token less saves time to the first token here"))
    fewest = v.tokens(tokens, "visual tokens below which fewer save no time")
    part = Value("5 %", 0.05, "saving that does not count", "share")
    return Paragraph(line("below ", fewest, " visual tokens, fewer of them save less than ", part, " of the TTFT here"))


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
