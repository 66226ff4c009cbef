"""The story of measurements: whether to trust them, where the time goes, what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.base.errors import InputError
from planner.bench.answers import answers_of
from planner.bench.measurement import TIMED, WAITED_FOR, Measurement, ProcessUse
from planner.bench.samples import PERCENTILES, merged_advice
from planner.tell import values as v
from planner.tell.answers import answer_blocks
from planner.tell.document import (
    Block,
    Document,
    Facts,
    Inline,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    joined,
    line,
    remarks,
    sentence,
)

_WAITED_TITLES = {"ttft": "TTFT", "tpot": "TPOT", "itl": "between tokens (ITL)", "request": "request"}
_STAGES = TIMED[: TIMED.index("decode_step") + 1]


def measurement_story(one: Measurement) -> Document:
    """One model, one request shape, one device: stage by stage, with the spread of the samples."""
    answers = answers_of([one])
    return Document(
        kind="measurement",
        title="Measurement",
        heading=line(_model(one), " with ", v.visual_tokens(one.model.visual_tokens), " on ", _device(one)),
        opening=(
            _setup(one),
            *remarks("note", one.notes),
            *remarks("advice", one.advice),
            Facts(tuple(_figures(one)), large=True),
        ),
        sections=(
            Section("stages", "Where the time goes", tuple(_stages(one))),
            Section("device", "What it takes", tuple(_taken(one))),
            Section("answers", "What it answers", answer_blocks(answers)),
        ),
        tone="" if one.stable else "warn",
        sources={"measurement": one.to_dict(), "answers": [answer.to_dict() for answer in answers]},
    )


def measurements_story(found: Sequence[Measurement]) -> Document:
    """Several shapes: a line of each, then what they answer together. Raises InputError where there are none."""
    if not found:
        raise InputError("no measurements to report; take some with vlm-planner measure -o")
    if len(found) == 1:
        return measurement_story(found[0])
    first, answers = found[0], answers_of(found)
    advice = merged_advice(text for one in found for text in one.advice)
    return Document(
        kind="measurements",
        title="Measurements",
        heading=line(_names(found), " on ", _device(first), ", ", foreign(first.mode, "mode")),
        opening=(*remarks("advice", advice), _shapes(found)),
        sections=(Section("answers", "What they answer", answer_blocks(answers)),),
        opening_title="The shapes",
        tone="" if all(one.stable for one in found) else "warn",
        sources={
            "measurements": [one.to_dict() for one in found],
            "answers": [answer.to_dict() for answer in answers],
        },
    )


def _model(one: Measurement) -> Value:
    return foreign(one.model.llm, "language model")


def _names(found: Sequence[Measurement]) -> Line:
    return joined([_model(one) for one in {one.model.llm: one for one in found}.values()])


def _device(one: Measurement) -> Value:
    return foreign(str(one.environment["device"]), "device")


def _setup(one: Measurement) -> Paragraph:
    model = one.model
    batch = line("batch ", v.count(one.batch, "requests that ran together"))
    parts = [(model.compressor, "compressor"), (model.prompt_order, "prompt order")]
    names: list[Line | Inline] = [foreign(text, what) for text, what in parts]
    kinds: list[Line | Inline] = [foreign(model.precision, "precision"), batch, foreign(one.mode, "mode")]
    how = sentence(one.method.text, "how it was measured")
    return Paragraph(line(joined([*kinds, *names], ", "), "; ", how))


def _figures(one: Measurement) -> Iterator[tuple[Inline, Line]]:
    for title, seconds in (("TTFT", one.ttft_s), ("TPOT", one.tpot_s)):
        yield title, _seconds(seconds, title)
    rate = one.requests_per_second
    if rate is not None:
        yield "requests per second", line(v.significant(rate, "requests per second", "1/s"))
    yield "peak memory", line(v.size(one.memory.peak_bytes, "peak memory"))


def _stages(one: Measurement) -> Iterator[Block]:
    rows = []
    for name in _STAGES:
        if name not in one.samples:
            continue
        samples, title = one.samples[name], name.replace("_", " ")
        low, high = samples.quartiles_s
        flops, reached = _flops(one, name)
        ends = line(v.seconds(low, f"{title}, lower quartile"), " to ", v.seconds(high, f"{title}, upper quartile"))
        count = v.count(len(samples.seconds), f"samples of {title}")
        rows.append((line(title), _seconds(samples.median_s, f"median of {title}"), ends, flops, reached, line(count)))
    columns = ("stage", "median", "middle half", "FLOPs", "of peak", "samples")
    yield Table(line("a batch of requests, stage by stage"), columns, tuple(rows))
    yield from _percentiles(one)
    mbu = one.decode_mbu()
    if mbu is not None:
        share = v.share(mbu, 1.0, "decode step's bytes over what the copy would move")
        yield Paragraph(line("a decode step reaches ", share, " of the copy bandwidth"))


def _percentiles(one: Measurement) -> Iterator[Block]:
    """What a user waits for, as services state it."""
    rows = []
    for name in WAITED_FOR:
        if name in one.samples:
            samples, title = one.samples[name], _WAITED_TITLES[name]
            cells = [_seconds(seconds, f"{title}, {which}") for which, seconds in samples.percentiles_s.items()]
            rows.append((line(title), *cells, line(v.count(len(samples.seconds), f"samples of {title}"))))
    if rows:
        few = Value("10", 10, "samples that a 90th percentile takes", "")
        many = Value("100", 100, "samples that a 99th percentile takes", "")
        caption = line("what users wait for; the second percentile takes ", few, " samples, the third ", many)
        shares = (Value(name, share, "percentile", "share") for name, share in PERCENTILES.items())
        columns: tuple[str | Value, ...] = ("", *shares, "samples")
        yield Table(caption, columns, tuple(rows))


def _flops(one: Measurement, stage: str) -> tuple[Line, Line]:
    """FLOPs of a batch in a stage, and their share of the matrix rate; of decoding, those of one step."""
    whole: float = one.flops.get(stage, 0)
    if stage == "decode_step":
        whole = one.flops.get("decode", 0) / max(one.workload.generated_tokens, 1)
    flops, seconds = whole * one.batch, one.samples[stage].median_s
    title = stage.replace("_", " ")
    if not flops:
        return ("-",), ("-",)
    reached = flops / (seconds * one.ceilings.matmul_flops_per_s) if seconds else None
    share = "-" if reached is None else v.share(reached, 1.0, f"FLOP/s of {title} over those of the matrix product")
    return line(v.flops(flops, f"FLOPs of {title}")), line(share)


def _taken(one: Measurement) -> Iterator[Block]:
    ceilings, memory, energy = one.ceilings, one.memory, one.energy
    matmul = v.rate(ceilings.matmul_flops_per_s, "measured rate of a matrix product")
    copy = v.bandwidth(ceilings.copy_bytes_per_s, "measured bandwidth of a copy")
    yield Paragraph(line("measured here: matrix product ", matmul, ", copy ", copy))
    weights, peak = v.size(memory.weights_bytes, "weights"), v.size(memory.peak_bytes, "peak memory")
    cache = v.size(memory.kv_cache_bytes, "KV cache after the prefill")
    yield Paragraph(line("memory: weights ", weights, ", KV cache ", cache, ", peak ", peak))
    if one.process is not None:
        yield from _process(one.process)
    if energy.joules is not None:
        joules = Value(f"{v.significant(energy.joules, '')} J", energy.joules, "energy of a request", "joules")
        yield Paragraph(line("energy of a request: ", joules, "" if energy.valid else " (not reliable)"))
    elif energy.note:
        yield Paragraph(line("energy of a request: ", foreign(energy.note, "why no energy is known")))


def _process(process: ProcessUse) -> Iterator[Block]:
    parts: list[Line] = []
    if process.build_s is not None:
        parts.append(line("model built in ", v.seconds(process.build_s, "building the model")))
    if process.peak_bytes is not None:
        peak = v.size(process.peak_bytes, "peak memory of the process on the host")
        parts.append(line("peak memory of the process on the host ", peak))
    if parts:
        yield Paragraph(joined(parts, ", "))


def _shapes(found: Sequence[Measurement]) -> Table:
    several = len({one.model.llm for one in found}) > 1
    rows = []
    for one in found:
        model: list[Line] = [line(_model(one))] * several
        rate = one.requests_per_second
        rows.append(
            (
                *model,
                line(v.tokens(one.model.visual_tokens, "visual tokens per image")),
                line(v.count(one.batch, "requests that ran together")),
                _seconds(one.ttft_s, "TTFT"),
                _seconds(one.tpot_s, "TPOT"),
                line("-" if rate is None else v.significant(rate, "requests per second", "1/s")),
                line(v.size(one.memory.peak_bytes, "peak memory")),
                line("yes" if one.stable else "no"),
            )
        )
    columns = ("tokens", "batch", "TTFT", "TPOT", "requests/s", "peak memory", "stable")
    return Table(line("measured shapes"), (*["LLM"] * several, *columns), tuple(rows))


def _seconds(seconds: float | None, what: str) -> Line:
    return ("-",) if seconds is None else (v.seconds(seconds, what),)
