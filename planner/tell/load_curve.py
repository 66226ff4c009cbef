"""The load curve in two charts and a table: times to the first token and throughput against the rate of requests."""

from __future__ import annotations

import math

from planner.base.dataclass import dataclass
from planner.planning.capacity_result import Capacity
from planner.planning.result import Plan
from planner.planning.under_load.pictures import curve_of, curve_of_capacity
from planner.tell import values as v
from planner.tell.axes import linear_axis, log_axis
from planner.tell.chart import Axis, Chart, Curve, Mark, Rule
from planner.tell.document import Line, Table, Value, foreign, line
from planner.tell.plan.load import LEVELS
from planner.traffic.curve import CurvePoint, LoadCurve

_ROOM = 1.3
"""Above the highest point, for the labels of rules."""
_RATE, _TOKENS = "requests per second", "answer tokens per second"


@dataclass(frozen=True)
class Loaded:
    """A curve, and where on it a server is to run."""

    curve: LoadCurve
    """Of one replica."""
    replicas: int
    percentile: float
    """Of the requests that keep the limits."""
    ttft_limit_s: float | None
    rate: float
    """Requests per second of all replicas."""
    ttft_s: float
    """At the percentile."""
    level: str
    generated_tokens: float
    """Of a request, on average."""
    largest: float | None = None
    """Requests per second of all replicas within the limits, where that is not the rate itself."""

    @property
    def asked(self) -> str:
        """ "p95"."""
        return f"p{self.percentile:g}"

    @property
    def unstable_above(self) -> float:
        """Requests per second of all replicas."""
        return self.curve.unstable_above * self.replicas


def of_plan(plan: Plan) -> Loaded:
    """The pick of a plan under its load. Raises InputError for a plan without a load."""
    curve, served, traffic = curve_of(plan), plan.traffic, plan.deployment.traffic
    assert served is not None and traffic is not None
    return Loaded(
        curve=curve,
        replicas=served.replicas,
        percentile=served.percentile,
        ttft_limit_s=traffic.limits.get("ttft_s"),
        rate=served.requests_per_second,
        ttft_s=served.ttft_s[f"p{served.percentile:g}"],
        level=served.level,
        generated_tokens=sum(
            share * kind.generated_tokens for kind, share in zip(plan.load.kinds, plan.load.shares, strict=True)
        ),
        largest=served.max_requests_per_second,
    )


def of_capacity(found: Capacity) -> Loaded:
    """A server at the highest rate within its limits. Raises InputError for a closed loop and for static batches."""
    curve, service, times = curve_of_capacity(found), found.service, found.at.ttft_s
    assert service is not None and times is not None
    return Loaded(
        curve=curve,
        replicas=1,
        percentile=found.percentile,
        ttft_limit_s=found.limits.get("ttft_s"),
        rate=found.requests_per_second,
        ttft_s=times.asked,
        level=found.level,
        generated_tokens=service.requests.means.generated_tokens,
    )


def ttft_chart(told: Loaded) -> Chart:
    """A curve for each percentile, the limit, and where the server is to run."""
    points = told.curve.stable
    names = list(points[0].ttft_s)
    curves = tuple(
        Curve(
            tuple((told.replicas * point.requests_per_second, point.ttft_s[name]) for point in points),
            "pick" if name == told.asked else "law",
            Value(name, name, "percentile of the TTFT"),
        )
        for name in names
    )
    marks = [_mark(told, point, name) for point in points for name in names]
    limit = told.ttft_limit_s
    heights = [*(mark.y for mark in marks), told.ttft_s, *([] if limit is None else [limit])]
    heights.append(_ROOM * max(heights))
    level = [] if limit is None else [_limit(points, limit)]
    first = line(foreign(told.asked, "percentile"), " TTFT ", v.seconds(told.ttft_s, f"{told.asked} of the TTFT"))
    return Chart(
        key="load-ttft",
        caption=line("Time to the first token against the rate of requests"),
        alt=_told(told),
        x=_rates(told),
        y=log_axis(line("TTFT"), heights, lambda value: v.seconds(value, "on the axis: TTFT")),
        curves=curves,
        marks=(*marks, _pick(told, told.ttft_s, first)),
        rules=(*level, *_rules(told)),
        legend=_legend(told, points),
    )


def throughput_chart(told: Loaded) -> Chart:
    """What is generated, up to where it saturates."""
    points = told.curve.points
    places = tuple((told.replicas * one.requests_per_second, told.replicas * one.tokens_per_second) for one in points)
    marks = [
        Mark(x, y, "circle" if _simulated(one) else "dot", _tip(told, one, y), _simulated(one), series=_TOKENS)
        for (x, y), one in zip(places, points, strict=True)
    ]
    now, most = told.rate * told.generated_tokens, places[-1][1]
    return Chart(
        key="load-throughput",
        caption=line("Throughput against the rate of requests"),
        alt=line(
            "Throughput follows the rate up to ", _per_second(told.unstable_above), " requests per second; beyond, ",
            _tokens(most), " answer tokens per second are generated and the queue grows. Here it is ", _tokens(now),
            " at ", _per_second(told.rate), " requests per second.",
        ),
        x=_rates(told),
        y=linear_axis(line(_TOKENS), [0.0, _ROOM * most], _tokens),
        curves=(Curve(places, "pick", Value("tokens", _TOKENS, "what the curve shows")),),
        marks=(*marks, _pick(told, now, line(_tokens(now), " tokens/s"))),
        rules=_rules(told),
        legend=_legend(told, points),
    )  # fmt: skip


def curve_table(told: Loaded) -> Table:
    """The numbers of both charts, each with how it was found."""
    names = list(told.curve.stable[0].ttft_s)
    columns: list[str | Value] = ["requests/s", "load"]
    columns += [Value(f"TTFT {name}", name, "percentile of the TTFT") for name in names]
    columns += [Value(f"TPOT {told.asked}", told.asked, "percentile of the TPOT"), "tokens/s", "how"]
    rows = []
    for one in told.curve.points:
        first = [_time(one.ttft_s.get(name), f"{name} of the TTFT") for name in names]
        rows.append((
            line(_per_second(told.replicas * one.requests_per_second)),
            line(v.share(one.requests_per_second, told.curve.unstable_above, "rate by the capacity")),
            *(first if one.stable else [line("unstable"), *[line("-")] * (len(names) - 1)]),
            _time(one.tpot_s.get(told.asked), f"{told.asked} of the TPOT"),
            line(_tokens(told.replicas * one.tokens_per_second)),
            line(LEVELS[one.level]),
        ))  # fmt: skip
    return Table(line("The load curve"), tuple(columns), tuple(rows), words=frozenset({"how"}), spare=("load", "how"))


def _rates(told: Loaded) -> Axis:
    last = told.replicas * told.curve.points[-1].requests_per_second
    return linear_axis(line(_RATE), [0.0, last], lambda value: v.significant(value, f"on the axis: {_RATE}", "1/s"))


def _rules(told: Loaded) -> tuple[Rule, ...]:
    found = [Rule(told.unstable_above, line("unstable above ", _per_second(told.unstable_above)))]
    if told.largest is not None:
        found.insert(0, Rule(told.largest, line("limits hold up to ", _per_second(told.largest))))
    return tuple(found)


def _limit(points: tuple[CurvePoint, ...], limit: float) -> Rule:
    """With its label at the end that is farther from the curves."""
    first, last = (min(abs(math.log(one / limit)) for one in points[i].ttft_s.values()) for i in (0, -1))
    return Rule(limit, line("TTFT limit ", v.seconds(limit, "limit of the TTFT")), "y", first > last)


def _mark(told: Loaded, point: CurvePoint, name: str) -> Mark:
    """A number of the curve; hollow where it is simulated."""
    x, y, simulated = told.replicas * point.requests_per_second, point.ttft_s[name], _simulated(point)
    tip = line(
        foreign(name, "percentile"), " TTFT ", v.seconds(y, f"{name} of the TTFT"), " at ", _per_second(x),
        f" requests per second, {LEVELS[point.level]}",
    )  # fmt: skip
    return Mark(x, y, "circle" if simulated else "dot", tip, simulated, series=name)


def _pick(told: Loaded, y: float, what: Line) -> Mark:
    return Mark(told.rate, y, "circle", line("planned: ", _per_second(told.rate), " requests/s, ", what), ring="pick")


def _tip(told: Loaded, point: CurvePoint, tokens: float) -> Line:
    rate = _per_second(told.replicas * point.requests_per_second)
    return line(_tokens(tokens), f" {_TOKENS} at ", rate, f" requests per second, {LEVELS[point.level]}")


def _told(told: Loaded) -> Line:
    first, last = told.curve.stable[0], told.curve.stable[-1]
    ends = [
        line(v.seconds(one.ttft_s[told.asked], "TTFT"), " at ", _per_second(told.replicas * one.requests_per_second))
        for one in (first, last)
    ]
    return line(
        "The ", foreign(told.asked, "percentile"), " of the TTFT goes from ", ends[0], " to ", ends[1],
        " requests per second; planned are ", _per_second(told.rate), " with ",
        v.seconds(told.ttft_s, f"{told.asked} of the TTFT"), f" ({LEVELS[told.level]}).",
    )  # fmt: skip


def _legend(told: Loaded, points: tuple[CurvePoint, ...]) -> tuple[tuple[str, Line], ...]:
    levels = {point.level for point in points}
    found = [("ring", line("planned, ", LEVELS[told.level]))]
    found += [("dot", line(LEVELS["chain"]))] * ("chain" in levels)
    found += [("hollow", line(LEVELS["events"]))] * ("events" in levels)
    return tuple(found)


def _simulated(point: CurvePoint) -> bool:
    return point.level == "events"


def _time(value: float | None, what: str) -> Line:
    return line("-") if value is None else line(v.seconds(value, what))


def _per_second(value: float) -> Value:
    return v.significant(value, _RATE, "1/s")


def _tokens(value: float) -> Value:
    return Value(f"{value:,.3g}" if value < 1000 else f"{value:,.0f}", value, _TOKENS, "1/s")
