"""The story of what one configuration costs: FLOPs and times by stage, memory by what takes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from planner.configuration import ReleasedModel
from planner.costs.request import RequestCost
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Code,
    Document,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    joined,
    line,
    sentence,
)
from planner.tell.memory import before_the_prompt, cache_at_end, memory_table
from planner.tell.stages import speed_limit, stage_table


def cost_story(cost: RequestCost) -> Document:
    """One configuration and one request as a document."""
    sections = (
        Section("time", "Computing and time" if cost.latency else "Computing", tuple(_stages(cost))),
        Section("memory", "Memory per device", tuple(_memory(cost))),
    )
    return Document(
        kind="cost",
        title="Cost of one configuration",
        heading=_heading(cost),
        opening=(_setup(cost), *_notes(cost)),
        sections=sections,
        opening_title="The configuration",
        sources={"cost": cost.to_dict()},
    )


def _heading(cost: RequestCost) -> Line:
    model, tokens = cost.model, v.visual_tokens(cost.visual_tokens)
    if not isinstance(model, ReleasedModel):
        return line(foreign(cost.llm.name, "language model"), " with ", tokens)
    name = foreign(model.checkpoint.hub_id or model.checkpoint.name, "model")
    if model.image is None:
        return line(name, " without an image")
    knobs = [line(" at ", Code(model.knob))] if model.turned else []
    return line(name, *knobs, " with ", tokens, " for ", foreign(str(model.image), "image, width x height in pixels"))


def _notes(cost: RequestCost) -> Iterator[Block]:
    """What has to be said of the numbers, before them."""
    if cost.hardware is not None and cost.requests_that_fit is not None and cost.requests_that_fit < cost.batch:
        title, have = foreign(cost.hardware.title, "hardware"), v.size(cost.hardware.memory_bytes, "memory it has")
        needed = v.size(float(cost.memory.peak), "memory per device")
        yield Paragraph(line("does not fit: it takes ", needed, ", ", title, " has ", have), "bad")
    for note in cost.notes:
        yield Paragraph(line(foreign(note, "note")), label="note")


def _setup(cost: RequestCost) -> Paragraph:
    parts = [line(v.params(cost.llm.params, "parameters of the LLM"), " parameters in the LLM")]
    if isinstance(cost.model, ReleasedModel):
        parts += list(_vision_side(cost.model))
    else:
        parts += [line(foreign(cost.compressor.title, "compressor"))]
    parts += [line(foreign(cost.prompt_order, "prompt order"))]
    parts += [] if cost.hardware is None else [line(foreign(cost.hardware.title, "hardware"))]
    gpus = v.count(cost.tensor_parallel, "GPUs that share the model")
    parts += [line(gpus, " GPUs, tensor parallel")] if cost.tensor_parallel > 1 else []
    return Paragraph(joined([*parts, line(foreign(cost.precision, "precision"))], ", "))


def _vision_side(model: ReleasedModel) -> Iterator[Line]:
    encoder, seen = model.checkpoint.encoder, model.seen
    if encoder.tower_params:
        yield line(v.params(encoder.tower_params, "parameters of the vision tower"), " in the vision tower")
    if model.image is not None:
        yield line(v.count(seen.patches, "patches that the tower sees"), " patches")
        yield line(v.count(seen.tiles, "tiles"), " tiles") if seen.tiles > 1 else line("one view")


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
    if cost.framework:
        yield Paragraph(line("kernels of the language model as ", foreign(cost.framework, "framework"), " runs them"))
    if cost.speed_limit_tokens is not None:
        yield speed_limit(cost.speed_limit_tokens)


def _memory(cost: RequestCost) -> Iterator[Block]:
    yield memory_table(cost.memory)
    if before_the_prompt(cost.memory):
        yield Paragraph(line("the ", cache_at_end(cost.memory, cost.batch)))
    if cost.hardware is None or cost.requests_that_fit is None:
        return
    yield Paragraph(line("requests that fit at once: ", v.count(cost.requests_that_fit, "requests that fit at once")))


def conventions_table(
    llm: str,
    visual_tokens: int,
    same_request: Mapping[str, float],
    meanings: Mapping[str, str],
    converted: Mapping[str, float] | None,
) -> Table:
    """One request in every way of counting, and a printed number in all of them."""
    rows = []
    for name, flops in same_request.items():
        count = v.flops(flops, f"FLOPs, {name} count")
        more = [] if converted is None else [line(v.flops(converted[name], f"printed number, {name} count"))]
        meaning = sentence(meanings[name], "what it counts")
        rows.append((line(foreign(name, "count")), line(count), *more, line(meaning)))
    caption = line(foreign(llm, "language model"), ", ", v.visual_tokens(visual_tokens))
    columns = ("count", "FLOPs", *["printed"] * (converted is not None), "")
    return Table(caption, columns, tuple(rows), words=frozenset({""}))
