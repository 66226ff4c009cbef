"""The story of a built model: whether it is what was predicted, then each part's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planner.tell import values as v
from planner.tell.document import (
    Block,
    Document,
    Inline,
    Line,
    Paragraph,
    Table,
    Value,
    foreign,
    joined,
    line,
    remarks,
    sentence,
)

_CLIENT = "prompt_embeds_client.py, beside the weights"
_QUERIES = 'mm_processor_kwargs = {"queries": QUESTION}, see SERVE.md beside the weights'
_WEIGHTS = {"llm": "language model", "vision": "vision tower"}


def build_story(built: Mapping[str, Any]) -> Document:
    """What `vlm-planner build` made."""
    rows = built["params"]
    agree = all(row["built"] == row["predicted"] for row in rows.values())
    said = "parameters are exactly those predicted" if agree else "parameters differ from those predicted"
    kinds = ("vision", "compressor", "prompt_order", "dtype")
    setup = joined([foreign(built[name], name.replace("_", " ")) for name in kinds], ", ")
    return Document(
        kind="build",
        title="Built model",
        heading=line(foreign(built["llm"], "language model"), " with ", v.visual_tokens(built["visual_tokens"])),
        opening=(
            Paragraph(setup),
            Paragraph(line(said), "good" if agree else "warn"),
            _parameters(rows),
            Paragraph(line("weights: ", v.size(built["weights_bytes"], "weights"), "; ", _sources(built["weights"]))),
            *remarks("note", built["notes"]),
        ),
        sections=(),
        opening_title="What was built",
        sources={"build": dict(built)},
    )


def released_story(built: Mapping[str, Any]) -> Document:
    """What `vlm-planner build --model` made."""
    rows = built["params"]
    agree = all(row["built"] == row["predicted"] for row in rows.values())
    said = "parameters are exactly those predicted" if agree else "parameters differ from those predicted"
    size = v.size(built["weights_bytes"], "weights")
    return Document(
        kind="build",
        title="Built model",
        heading=line(foreign(built["model"], "model"), f", {built['counted'] or 'as released'}"),
        opening=(
            Paragraph(line(said), "good" if agree else "warn"),
            _parameters(rows),
            Paragraph(
                line("weights: ", size, " in ", foreign(built["dtype"], "dtype"), ", ",
                     sentence(built["weights"], "weights"))
            ),
            *remarks("note", built["notes"]),
        ),
        sections=(),
        opening_title="What was built",
        sources={"build": dict(built)},
    )  # fmt: skip


def export_blocks(exported: Mapping[str, Any]) -> Iterator[Block]:
    """What `vlm-planner export` wrote."""
    yield Paragraph(
        line("wrote ", sentence(exported["output"], "folder"), ": ", v.size(exported["bytes"], "all files"))
    )
    yield Paragraph(joined([foreign(name, "file") for name in exported["files"]], ", "))
    serving = exported.get("serving")
    if serving is None:
        return
    yield Paragraph(line("serve it with: ", sentence(serving["command"], "command")))
    if serving["by_rows"]:
        yield Paragraph(
            line("the compressor asks the language model itself: prompts go as embeddings, sent by ", _CLIENT)
        )
    elif serving["asks"]:
        yield Paragraph(line("each request says its question to the compressor too: ", _QUERIES))


def _parameters(rows: Mapping[str, Mapping[str, int]]) -> Table:
    cells = tuple(_cells(part.replace("_", " "), row["built"], row["predicted"]) for part, row in rows.items())
    totals = (sum(row[which] for row in rows.values()) for which in ("built", "predicted"))
    return Table(line("parameters"), ("part", "built", "predicted", "difference"), cells, (_cells("total", *totals),))


def _cells(part: str, built: int, predicted: int) -> tuple[Line, ...]:
    difference = built - predicted
    numbers: tuple[Inline, ...] = (
        v.count(built, f"parameters of {part}, built"),
        v.count(predicted, f"parameters of {part}, predicted"),
        Value(f"{difference:+,}" if difference else "0", difference, f"difference in {part}"),
    )
    return (line(foreign(part, "part")), *((number,) for number in numbers))


def _sources(weights: Mapping[str, str]) -> Line:
    return joined([line(f"{_WEIGHTS[part]} ", sentence(source, "weights")) for part, source in weights.items()], ", ")
