"""The table: every limit that is built in, an entry each."""

from __future__ import annotations

from planner.base.quantities import (
    format_bytes,
    format_flops,
    format_seconds,
    parse_bytes,
    parse_flops,
    parse_joules,
    parse_per_second,
    parse_plain,
    parse_seconds,
)
from planner.base.typed import typed_bytes, typed_flops, typed_seconds
from planner.planning.limits.kinds import LIMITS, LimitKind, Slider
from planner.planning.limits.needs import HARDWARE, POWER, PRICE_PER_HOUR


def show_plain(number: float) -> str:
    """A rate or a price to four digits, without powers of ten: "20.03", "20000"."""
    return f"{number:.4g}" if number < 1e4 else f"{number:.0f}"


def show_price(price: float) -> str:
    """Money, in the currency of the price per hour: "0.80", "12.76"; to four digits above 100 and below 1."""
    cents, digits = f"{price:.2f}", show_plain(price)
    return cents if 1 <= price < 100 or (price < 1 and float(cents) == float(digits)) else digits


def _show_joules(joules: float) -> str:
    return f"{joules:.3g} J"


BUILT_IN = (
    LimitKind(
        name="flops",
        title="FLOPs",
        unit="FLOPs",
        parse=parse_flops,
        typed=typed_flops,
        example=2e12,
        show=format_flops,
        help="FLOPs of one request, such as 2TFLOPs or 5e11.",
        keyword="budget",
        heading="FLOPs of one request",
        column="total_flops",
        looser="{} more FLOPs",
        names_itself=True,
        slider=Slider(0.1, 1000, "TFLOPs", 1e12),
    ),
    LimitKind(
        name="ttft_s",
        title="TTFT",
        unit="s",
        parse=parse_seconds,
        typed=typed_seconds,
        example=0.15,
        show=format_seconds,
        help="Time to first token on the card, without decoding and resizing images on the CPU, at most: 100ms.",
        keyword="ttft",
        heading="Time to first token",
        looser="a {} longer TTFT",
        needs=(HARDWARE,),
        of_each_request=True,
        slider=Slider(3, 10_000, "ms", 1e-3),
    ),
    LimitKind(
        name="tpot_s",
        title="TPOT",
        unit="s",
        parse=parse_seconds,
        typed=typed_seconds,
        example=0.03,
        show=format_seconds,
        help="Time per output token, at most: 20ms.",
        keyword="tpot",
        looser="a {} longer TPOT",
        needs=(HARDWARE,),
        of_each_request=True,
    ),
    LimitKind(
        name="request_s",
        title="request latency",
        unit="s",
        parse=parse_seconds,
        typed=typed_seconds,
        example=2.0,
        show=format_seconds,
        help="Time of a whole request, at most: 1s.",
        keyword="latency",
        short="latency",
        looser="a {} longer request latency",
        needs=(HARDWARE,),
        of_each_request=True,
    ),
    LimitKind(
        name="memory_bytes",
        title="memory per device",
        unit="bytes",
        parse=parse_bytes,
        typed=typed_bytes,
        example=24 * 2.0**30,
        show=format_bytes,
        help="Memory per device, at most: 24GiB.",
        keyword="memory",
        short="memory",
        heading="Memory of a GPU",
        column="peak_memory_bytes",
        of_hardware=lambda card: card.memory_bytes,
        slider=Slider(1, 256, "GiB", 2.0**30),
    ),
    LimitKind(
        name="energy_joules",
        title="energy of a request",
        unit="joules",
        parse=parse_joules,
        show=_show_joules,
        help="Joules of a request, at most.",
        keyword="energy",
        short="energy",
        needs=(HARDWARE, POWER),
        batching_helps=True,
    ),
    LimitKind(
        name="price_per_million_requests",
        title="price of a million requests",
        parse=parse_plain,
        show=show_plain,
        help="Price of a million requests, at most.",
        keyword="price",
        short="price",
        heading="Price of a million requests",
        looser="a {} higher price",
        needs=(HARDWARE, PRICE_PER_HOUR),
        batching_helps=True,
        slider=Slider(1, 10_000),
    ),
    LimitKind(
        name="requests_per_second",
        title="requests per second",
        parse=parse_per_second,
        show=show_plain,
        help="Throughput of all GPUs, at least.",
        short="throughput",
        heading="Requests per second",
        at_least=True,
        looser="{} fewer requests per second",
        needs=(HARDWARE,),
        batching_helps=True,
        of_all_gpus=True,
        slider=Slider(0.1, 1000),
    ),
)
"""In the order in which limits are listed."""

for _kind in BUILT_IN:
    LIMITS.register(_kind)


def as_option(kind: LimitKind, value: float) -> tuple[str, str]:
    """Option and value on a command line; what was registered from outside may have no option of its own there."""
    text = kind.exact_text(value)
    return (kind.option, text) if kind in BUILT_IN else ("--limit", f"{kind.keyword}={text}")
