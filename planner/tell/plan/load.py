"""What a plan says of the load: how the pick carries it, how much more it would carry, and how its rivals do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from planner.planning.pick_facts import idle_text
from planner.planning.result import Plan
from planner.planning.under_load.served import Carried, Served
from planner.tell import values as v
from planner.tell.document import Block, Line, Paragraph, Section, Table, foreign, line

if TYPE_CHECKING:
    from planner.traffic.scheduler import Scheduler

_NAME_MAX = 40
LEVELS = {
    "chain": "solved numerically",
    "events": "simulated request by request",
    "steady": "by the steady state in closed form",
}
"""How numbers were found, in words."""
_BOUNDS = {
    "ttft": "then the TTFT limit breaks",
    "tpot": "then the TPOT limit breaks",
    "latency": "then the latency limit breaks",
    "capacity": "beyond it waits grow fast, and only a simulation answers",
}


def load_section(plan: Plan) -> Iterator[Section]:
    """Nothing where no load was asked for."""
    served = plan.traffic
    if served is not None:
        yield Section("load", "Under the load", tuple(_blocks(plan, served)))


def _blocks(plan: Plan, served: Served) -> Iterator[Block]:
    yield Paragraph(carried_line(plan, served))
    yield times_table(served)
    yield Paragraph(headroom_line(served))
    yield Paragraph(scaled_line(served))
    if told := engine_line(plan):
        yield Paragraph(told)
    if plan.at_scale is not None:
        yield Paragraph(next_size_line(plan))
    if served.rivals:
        yield rivals_table(served)


def asked_line(plan: Plan, label: bool = True, why: bool = True) -> Line:
    """The load in a line, on top: "30 requests/s on 2 GPUs, 2 replicas, p95 TTFT 133 ms (solved numerically)"; () where
    there is none."""
    carried, traffic = plan.carried, plan.deployment.traffic
    if carried is None or traffic is None:
        return ()
    level = f"p{traffic.percentile:g}"
    tpot = (f", {level} TPOT ", v.seconds(carried.tpot_s[level], "percentile of the TPOT")) if carried.tpot_s else ()
    return line(
        "load: " if label else "", _rate(carried.requests_per_second, "requests per second that arrive"),
        _under_way(plan) or " ", "on ", _gpus(carried.gpus), ", ", _replicas(carried.replicas), *_idle(plan),
        f"; {level} TTFT ",
        v.seconds(carried.ttft_s[level], "percentile of the TTFT"), *tpot, f" ({LEVELS[carried.level]})",
        _why_so_many(plan) if why else (),
    )  # fmt: skip


def _why_so_many(plan: Plan) -> Line:
    """Where nobody said how many GPUs there are."""
    if plan.deployment.gpus_follow:
        return line("; the fewest GPUs that carry it, as neither --gpus nor --price says how many there may be")
    return ()


def _idle(plan: Plan) -> Line:
    told = idle_text(plan)
    return line(", ", foreign(told, "GPUs that are too few for another replica")) if told else ()


def _under_way(plan: Plan) -> Line:
    traffic = plan.deployment.traffic
    if traffic is None or traffic.concurrency is None:
        return ()
    return line(", ", v.count(traffic.concurrency, "requests under way"), " under way at once, ")


def carried_line(plan: Plan, served: Served) -> Line:
    """How busy the GPUs are."""
    good = () if served.goodput is None else line(
        "; ", v.share(served.goodput, 1.0, "share of the requests within every limit of time"),
        " of the requests keep every limit of time",
    )  # fmt: skip
    each = () if served.replicas == 1 else line(" in each of ", _replicas(served.replicas))
    return line(
        "load: ", _rate(served.requests_per_second, "requests per second that arrive"), _under_way(plan) or ", ",
        v.share(served.utilisation, 1.0, "rate by the rate above which it is unstable"), " of what ",
        _gpus(served.gpus - served.idle_gpus), " can keep up with", *_idle(plan), "; ",
        v.count(round(served.running), "sequences of a replica at once"),
        " sequences at once", each, good,
    )  # fmt: skip


def times_table(served: Served) -> Table:
    """TTFT, TPOT and latency at their percentiles."""
    rows = [("TTFT", served.ttft_s), ("TPOT", served.tpot_s), ("request", served.latency_s)]
    names = list(served.ttft_s)
    cells = [
        (line(title), *(line(v.seconds(times[name], f"{name} of the {title}")) for name in names))
        for title, times in rows
        if times
    ]
    return Table(
        line(f"times under the load, {LEVELS[served.level]}"), ("", *names), tuple(cells), words=frozenset({""})
    )


def headroom_line(served: Served) -> Line:
    """How much more it carries."""
    more = served.max_requests_per_second / served.requests_per_second - 1
    spare = line(", ", v.share(more, 1.0, "headroom"), " more") if more > 0 else ()
    return line(
        "headroom: up to ", _rate(served.max_requests_per_second, "most requests per second within the limits"), spare,
        f", {_BOUNDS[served.bound]} ({LEVELS[served.max_level]}); ", unstable_line(served.unstable_above),
    )  # fmt: skip


def unstable_line(rate: float) -> Line:
    """Above which rate the queue grows, and how that was found."""
    return line("unstable above ", _rate(rate, "requests per second above which it is unstable"), " (in closed form)")


def scaled_line(served: Served) -> Line:
    """What becomes of it at several times the load."""
    scaled, level = served.scaled, f"p{served.percentile:g}"
    told = line(
        "at ",
        f"{scaled.factor:g} times",
        " the load, ",
        _rate(scaled.requests_per_second, "that load"),
        ": ",
    )
    if not scaled.stable:
        there = line("unstable on these GPUs above ", _rate(served.unstable_above, "capacity"))
    elif scaled.ttft_s:
        there = line(f"{level} TTFT ", v.seconds(scaled.ttft_s[level], "TTFT at that load"), " on these GPUs")
    else:
        there = line("waits grow fast on these GPUs")
    return line(told, there, "; the pick keeps its limits on ", _gpus(scaled.gpus))


def engine_line(plan: Plan) -> Line:
    """The engine that is assumed, and how requests come."""
    card = plan.deployment.hardware
    if card is None:
        return ()
    from planner.planning.under_load.room import engine_of  # only plans with a load pay for its import

    engine = engine_of(plan.deployment)
    come = "as the log has them" if plan.load.logged else "at random"
    host = "" if card.efficiency.host.source else "; what its host adds to each iteration is not calibrated"
    return line(
        "assumes an engine that schedules as vLLM does, with ", scheduler_line(engine.scheduler, engine.source),
        f", and requests that come {come}{host}",
    )  # fmt: skip


def scheduler_line(scheduler: Scheduler, source: Mapping[str, str]) -> Line:
    """The constants of a scheduler and where they come from: "max_num_seqs 1,024 and max_num_batched_tokens 8,192
    (vLLM's defaults)"."""
    told = {"max_num_seqs": "sequences that run at once", "max_num_batched_tokens": "tokens of an iteration"}
    seats, tokens = (line(f"{name} ", v.count(getattr(scheduler, name), what)) for name, what in told.items())
    of_seats, of_tokens = (line(" (", foreign(source[name], "where a constant comes from"), ")") for name in told)
    alike = len({source[name] for name in told}) == 1
    return line(seats, *(() if alike else of_seats), " and ", tokens, of_tokens)


def next_size_line(plan: Plan) -> Line:
    """The best at the scaled load."""
    other, traffic = plan.at_scale, plan.deployment.traffic
    assert other is not None and traffic is not None
    gpus = "" if plan.deployment.gpus is None else " on as many times the GPUs"
    return line(
        "the best at ", f"{traffic.next_scale:g} times", f" the load{gpus}: ",
        foreign(str(other), "the pick at that load", 80), " in ", foreign(other.precision, "precision"), " on ",
        _gpus(int(other.quantities["gpus"])),
    )  # fmt: skip


def rivals_table(served: Served) -> Table:
    """The next best under the same load."""
    level = f"p{served.percentile:g}"
    rows = []
    for one in served.rivals:
        name = line(foreign(f"{one.name} with {one.visual_tokens}", "rival", _NAME_MAX), f" {one.precision}")
        rows.append((name, *_rival_cells(one.carried, level)))
    columns = ("rival", "GPUs", "used", f"{level} TTFT", f"{level} TPOT")
    return Table(line("rivals under the same load, simulated"), columns, tuple(rows), words=frozenset({"rival"}))


def _rival_cells(one: Carried | None, level: str) -> tuple[Line, ...]:
    if one is None:
        return (line("unstable"), (), (), ())
    return (
        line(v.count(one.gpus, "GPUs of the rival")),
        line(v.share(one.utilisation, 1.0, "rate by its capacity")),
        _time(one.ttft_s, level, "TTFT"),
        _time(one.tpot_s, level, "TPOT"),
    )


def _time(times: Mapping[str, float], level: str, what: str) -> Line:
    return line(v.seconds(times[level], f"{what} of the rival")) if level in times else ()


def _rate(value: float, what: str) -> Line:
    return line(v.significant(value, what, "requests/s"), " requests/s")


def _gpus(count: int) -> Line:
    return line(v.count(count, "GPUs"), " GPU" if count == 1 else " GPUs")


def _replicas(count: int) -> Line:
    return line(v.count(count, "replicas"), " replica" if count == 1 else " replicas")
