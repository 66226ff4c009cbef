"""Numbers of a page: each formatter of `quantities` with the number that it was given."""

from __future__ import annotations

from collections.abc import Callable

from planner.base.quantities import (
    format_bandwidth,
    format_bytes,
    format_factor,
    format_flop_rate,
    format_flops,
    format_fraction,
    format_params,
    format_percent,
    format_probability,
    format_score,
    format_seconds,
    format_significant,
    format_times,
    format_tokens,
)
from planner.planning.limits import Limit, find_limit
from planner.tell.document import Line, Value, line, visible


def flops(value: float, what: str, strong: bool = False) -> Value:
    return Value(format_flops(value), value, what, "FLOPs", strong)


def seconds(value: float, what: str, strong: bool = False) -> Value:
    return Value(format_seconds(value), value, what, "s", strong)


def size(value: float, what: str, strong: bool = False) -> Value:
    """Bytes."""
    return Value(format_bytes(value), value, what, "bytes", strong)


def share(part: float, whole: float, what: str, strong: bool = False) -> Value:
    return Value(format_percent(part, whole), part / whole if whole else 0.0, what, "share", strong)


def error(value: float, what: str = "predicted error", strong: bool = False, predicts: str = "error") -> Value:
    """An error, or a loss of a law that predicts one."""
    return Value(format_fraction(value), value, what, "error, 1 - score" if predicts == "error" else predicts, strong)


def told(value: float, what: str, predicts: str) -> Value:
    """What a law predicts, an error or a loss; `what` says more of it: "of the law"."""
    return error(value, f"{predicts} {what}", predicts=predicts)


def on_axis(value: float, predicts: str) -> Value:
    """An error or a loss beside a tick of an axis."""
    return error(value, f"on the axis: {predicts}", predicts=predicts)


def gap(value: float, predicts: str) -> Value:
    """How far the next one is from the pick."""
    return error(value, f"distance of the next one's {predicts} from that of the pick", predicts=predicts)


def gain(value: float, predicts: str) -> Value:
    """How much lower another one is than the pick."""
    return error(value, f"gain in {predicts}", predicts=predicts)


def predicted(value: float, predicts: str, of: str = "", strong: bool = False) -> Value:
    """A predicted error, or loss; `of` says of what."""
    return error(value, f"predicted {predicts}{f' of {of}' if of else ''}", strong, predicts)


def significant(value: float, what: str, unit: str = "") -> Value:
    return Value(format_significant(value), value, what, unit)


def params(value: float, what: str) -> Value:
    return Value(format_params(value), value, what, "parameters")


def tokens(value: float, what: str, strong: bool = False) -> Value:
    return Value(format_tokens(value), value, what, "tokens", strong)


def count(value: int, what: str, strong: bool = False) -> Value:
    """A number of things."""
    return Value(f"{value:,}", value, what, "", strong)


def factor(value: float, what: str) -> Value:
    return Value(format_factor(value), value, what, "ratio")


def ratio(value: float, what: str) -> Value:
    """Of two times, to a hundredth."""
    return Value(format_times(value), value, what, "ratio")


def fine_ratio(value: float, what: str) -> Value:
    """Of two measured times, to a thousandth: "1.034"."""
    return Value(f"{value:.3f}" if value < 9.9995 else format_factor(value), value, what, "ratio")


def level() -> Value:
    """Of all intervals."""
    return Value("95 %", 0.95, "level of the intervals", "share")


def interval_title() -> Value:
    """Of a column of intervals."""
    return Value("95 % interval", 0.95, "level of the intervals", "share")


def score(error: float, what: str = "predicted score", strong: bool = False) -> Value:
    """What people read beside an error: one minus it, in percent to a tenth."""
    return Value(format_score(1 - error), 1 - error, what, "score", strong)


def rate(value: float, what: str) -> Value:
    """FLOP/s."""
    return Value(format_flop_rate(value), value, what, "FLOP/s")


def bandwidth(value: float, what: str) -> Value:
    return Value(format_bandwidth(value), value, what, "bytes/s")


def gpu_hours(value: float) -> Value:
    """A number of GPU-hours to two or three digits."""
    text = f"{value:.2g}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"
    return Value(text, value, "cost of an evaluation", "GPU-hours")


def watts(value: float, what: str) -> Value:
    return Value(f"{value:.4g} W", value, what, "W")


def level_of_tail() -> Value:
    """Of the long request that times and memory are planned for."""
    return Value("95th", 0.95, "percentile of the long request", "share")


def interval(low: float, high: float, what: str) -> Line:
    """Two ends in words."""
    return line(error(low, f"lower end of the interval of {what}"), " to ", error(high, f"upper end, {what}"))


def visual_tokens(number: float, strong: bool = False) -> Line:
    """ "64 visual tokens"."""
    return line(tokens(number, "visual tokens per image", strong), " visual token" if number == 1 else " visual tokens")


def limit_kind(name: str, value: float) -> Limit:
    """A limit of that name, which knows its title and how its values are shown. Raises UnknownNameError."""
    return Limit(find_limit(name), value)


def of(limit: Limit, value: Value) -> Line:
    """ "TTFT of 30 ms"; FLOPs name themselves."""
    return line("" if limit.kind.names_itself else f"{limit.title} of ", value)


def odds(value: float, what: str, strong: bool = False) -> Value:
    """A probability that draws told: they know no nought and no one."""
    text = format_probability(value)
    return Value(text, value, what, "share", strong)


def limited(limit: Limit, value: float, what: str, strong: bool = False) -> Value:
    """A quantity that a limit holds, as the limit shows it."""
    return Value(visible(limit.show(value)), value, what, limit.kind.unit, strong)


BY_UNIT: dict[str, Callable[[float, str], Value]] = {
    "parameters": lambda value, what: Value(f"{value:,.0f}", value, what, "parameters"),
    "FLOPs": flops,
    "bytes": size,
    "s": seconds,
    "joules": lambda value, what: limited(limit_kind("energy_joules", 1.0), value, what),
}
"""How the quantities of a verdict are shown, in the order in which they stand."""
