"""The story of what a server carries: the rate, its times there, and what other loads do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from planner.configuration import ReleasedModel
from planner.planning.capacity_result import Capacity, LoadPoint, Times
from planner.tell import values as v
from planner.tell.document import Block, Document, Line, Paragraph, Section, Table, Value, foreign, joined, line
from planner.tell.load_curve import of_capacity, ttft_chart
from planner.tell.plan.load import LEVELS, scheduler_line

_ENDS = {
    "ttft": "the TTFT limit ends it",
    "tpot": "the TPOT limit ends it",
    "latency": "the latency limit ends it",
    "compute": "the GPU is busy all the time there",
    "seats": "all seats (max_num_seqs) are taken there",
    "kv": "the KV cache is full there",
    "encoder": "the encoder is busy all the time there",
    "memory": "memory has no room for a larger batch",
    "concurrency": "as many users as were asked for wait for their answers",
    "batch": "no larger batch serves more",
}
_TITLES = {"ttft_s": "TTFT", "tpot_s": "TPOT", "latency_s": "latency"}


def capacity_story(found: Capacity, picture: bool = False) -> Document:
    """One configuration under load as a document.

    Args:
        found: the server.
        picture: whether its load curve, which takes some 400 ms, is drawn too, where it has one.
    """
    return Document(
        kind="capacity",
        title="Load that a server carries",
        heading=_heading(found),
        opening=(_setup(found), Paragraph(_carried(found), strong=True), Paragraph(_times(found)), *_notes(found)),
        sections=(Section("loads", "Loads", (*_loads(found), *(_curve(found) if picture else ()))),)
        if found.others
        else (),
        opening_title="The server",
        sources={"capacity": found.to_dict()},
    )


def _heading(found: Capacity) -> Line:
    gpus = v.count(found.gpus, "GPUs of one server")
    where = foreign("" if found.run.hardware is None else found.run.hardware.title, "hardware")
    return line(_model(found), " on ", gpus, " ", where, ", ", foreign(found.run.precision, "precision"))


def _model(found: Capacity) -> Line:
    model = found.model
    if isinstance(model, ReleasedModel):
        name = foreign(model.checkpoint.hub_id or model.checkpoint.name, "model")
        return line(name) if model.image is None else line(name, " with ", foreign(str(model.image), "image"))
    name = foreign(model.llm.name, "language model")
    return line(name, " with ", v.visual_tokens(int(model.visual_tokens))) if model.has_images else line(name)


def _setup(found: Capacity) -> Paragraph:
    load = found.workload
    parts = [line(v.tokens(load.prefilled_text_tokens, "text tokens that are prefilled"), " text tokens in")]
    if load.cached_tokens:
        parts.append(line(v.tokens(load.cached_tokens, "cached tokens"), " cached"))
    if load.images:
        parts.append(line(v.count(load.images, "images of a request"), " image" if load.images == 1 else " images"))
    parts.append(line(v.tokens(load.generated_tokens, "generated tokens"), " out"))
    engine = found.scheduler
    if found.requests > 1:
        many = v.count(found.requests, "requests of the file")
        comes = ", as the log has them" if found.log is not None else ", at random"
        asked = line(many, f" requests{comes}; a mean one: ")
    else:
        asked = line("a request: ")
    if engine is None:
        return Paragraph(line(asked, joined(parts), "; static batches, one after the other"))
    room = line(
        "" if found.kv_tokens is None else v.count(round(found.kv_tokens), "tokens that the KV cache has room for")
    )
    return Paragraph(
        line(asked, joined(parts), "; the engine: ", scheduler_line(engine, found.constants),
             ", KV cache for ", room, " tokens")
    )  # fmt: skip


def _carried(found: Capacity) -> Line:
    """The answer in a sentence."""
    rate = _rate(found.requests_per_second, strong=True)
    of = [line("in a closed loop of ", v.count(round(found.at.concurrency or 0), "users"))] if not found.limits else []
    limits = [
        line(_TITLES[name], " at most ", v.seconds(most, f"limit of {_TITLES[name]}"))
        for name, most in found.limits.items()
    ]
    kept = line(" with ", joined(limits), " for ", _percentile(found), " of the requests") if limits else line(" ", *of)
    if found.scheduler is None and limits:
        kept = line(" with ", joined(limits), " and no queue")
    return line(rate, " requests per second", kept, ": ", foreign(_ENDS[found.bound], "what ends the rate"))


def _times(found: Capacity) -> Line:
    """At that load."""
    asked = (("TTFT", found.at.ttft_s), ("TPOT", found.at.tpot_s), ("latency", found.at.latency_s))
    percentile = "" if found.scheduler is None else line(foreign(f"p{found.percentile:g}", "percentile"), " ")
    parts = [line(name, " ", v.seconds(one.asked, name)) for name, one in asked if one is not None]
    batch = (
        line() if found.at.batch is None else line("; ", v.significant(found.at.batch, "batch"), " sequences at once")
    )
    return line(percentile, "of ", joined(parts), batch) if percentile else line(joined(parts), batch)


def _notes(found: Capacity) -> Iterator[Block]:
    if found.unstable_above is not None:
        yield Paragraph(
            line("above ", _rate(found.unstable_above), " requests per second the queue grows without end (",
                 LEVELS[found.level], ")")
        )  # fmt: skip
    for note in found.notes:
        yield Paragraph(line(foreign(note, "note")), label="note")


def _loads(found: Capacity) -> Iterator[Block]:
    points = sorted((found.at, *found.others), key=lambda one: one.requests_per_second)
    asked = f"p{found.percentile:g}"
    shown: list[tuple[str, Callable[[Times], float]]] = [("p50", lambda one: one.p50), (asked, lambda one: one.asked)]
    if found.percentile < 99:
        shown.append(("p99", lambda one: one.p99))
    columns: list[str | Value] = ["rate", "load", "running"]
    columns += [foreign(f"TTFT {name}", "percentile of TTFT") for name, _ in shown]
    columns += [foreign(f"TPOT {asked}", "percentile of TPOT"), foreign(f"latency {asked}", "percentile of latency")]
    rows = [_row(point, shown) for point in points]
    caption = line("rates in requests per second; times ", LEVELS[found.level])
    yield Table(caption, tuple(columns), tuple(rows))


def _curve(found: Capacity) -> Iterator[Block]:
    """Nothing for static batches and a closed loop."""
    if found.service is not None and found.limits:
        yield ttft_chart(of_capacity(found))


def _row(point: LoadPoint, shown: list[tuple[str, Callable[[Times], float]]]) -> tuple[Line, ...]:
    rate, load = _rate(point.requests_per_second), v.share(point.utilisation, 1.0, "share of the stable rate")
    running = line("-") if point.batch is None else line(v.significant(point.batch, "sequences that run"))
    times = [_time(point.ttft_s, of, f"TTFT {name}") for name, of in shown]
    times += [_time(one, shown[1][1], what) for one, what in ((point.tpot_s, "TPOT"), (point.latency_s, "latency"))]
    return line(rate), line(load), running, *times


def _time(times: Times | None, of: Callable[[Times], float], what: str) -> Line:
    return line("-") if times is None else line(v.seconds(of(times), what))


def _rate(value: float, strong: bool = False) -> Value:
    return Value(f"{value:.3g}", value, "requests per second", "1/s", strong)


def _percentile(found: Capacity) -> Value:
    return Value(f"{found.percentile:g} %", found.percentile / 100, "share of requests that keep the limits", "share")
