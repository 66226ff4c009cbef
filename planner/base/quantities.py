"""Numbers with units: "2 TFLOPs", "7B", "100 ms" <-> plain numbers. The only place that parses, scales or rounds.

Inside the package every quantity is a plain number in its base unit (FLOPs, parameters, tokens, seconds, bytes), with
the unit in its name; money is a plain number, in the currency of its prices. One convention for all counts: a
multiply-add is 2 FLOPs.
"""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal
from numbers import Integral, Real
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import QuantityError, nearest_name

_NUMBER_AND_UNIT = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)", re.DOTALL)
_DECIMAL = Context(prec=50, traps=[])  # what no number can hold becomes infinite or no number, and is refused as such
_SHOWN_MAX = 60  # characters of a foreign text that an error repeats


@dataclass(frozen=True)
class Dimension:
    """One kind of quantity: how its units scale, and how to ask for it."""

    name: str
    """What it is, in the plural ("FLOPs")."""
    scale_by_unit: dict[str, float]
    """Lower-case unit -> factor to the base unit; "" is the bare number."""
    example: str
    """How a good value looks, for error texts."""
    units: tuple[str, ...]
    """Units as they are written, for suggestions."""


_SI = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18}

FLOPS = Dimension(
    "FLOPs",
    {prefix + unit: scale for prefix, scale in _SI.items() for unit in ("flops", "flop", "")},
    '"2 TFLOPs" or 2e12',
    ("FLOPs", "kFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs", "EFLOPs"),
)
PARAMS = Dimension(
    "parameters",
    {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
    | {"params": 1.0, "kparams": 1e3, "mparams": 1e6, "bparams": 1e9},
    '"7B" or 7e9',
    ("K", "M", "B", "T", "params"),
)
TIME = Dimension(
    "seconds",
    {"": 1.0, "ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ms": 1e-3}
    | dict.fromkeys(("s", "sec", "second", "seconds"), 1.0)
    | dict.fromkeys(("min", "minute", "minutes"), 60.0)
    | dict.fromkeys(("h", "hour", "hours"), 3600.0),
    '"100 ms" or 0.1',
    ("ns", "us", "ms", "s", "seconds", "min", "minutes", "h", "hours"),
)
BYTES = Dimension(
    "bytes",
    dict.fromkeys(("", "b", "byte", "bytes"), 1.0)
    | {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}
    | {"kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40},
    '"24 GiB" or 24e9',
    ("bytes", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"),
)
JOULES = Dimension(
    "joules",
    dict.fromkeys(("", "j", "joule", "joules"), 1.0) | {"kj": 1e3, "wh": 3.6e3, "kwh": 3.6e6},
    '"50 J" or 50',
    ("J", "joules", "kJ", "Wh", "kWh"),
)
PER_SECOND = Dimension(
    "requests per second",
    dict.fromkeys(("", "/s", "per second", "requests/s", "requests per second", "rps", "qps"), 1.0),
    '"20/s" or 20',
    ("/s", "per second", "requests/s", "rps"),
)


def parse(value: Any, dimension: Dimension, name: str) -> float:
    """Read a positive quantity, given as a plain number or as text with a unit, into its base unit.

    Units are read without regard to case: nobody means milli-FLOPs.

    Raises:
        QuantityError: not a number, not positive, not finite, or an unknown unit.
    """
    expected = f"{name}: expected a positive number of {dimension.name} such as {dimension.example}"
    if isinstance(value, (int, float, Real)) and value is not True and value is not False:
        number = _as_float(value)
    else:
        match = _NUMBER_AND_UNIT.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise QuantityError(f"{expected}, got {shown(value)}", value)
        digits, unit = match.groups()
        scale = dimension.scale_by_unit.get(unit.lower())
        if scale is None:
            raise QuantityError(f"{expected}, got {shown(value)}{_unit_hint(unit, dimension)}", value)
        exact = _DECIMAL.create_decimal(digits.replace("_", ""))
        number = float(_DECIMAL.multiply(exact, Decimal(repr(scale))))  # "4.1B" is 4100000000, not 4099999999
    if not (math.isfinite(number) and number > 0):
        raise QuantityError(f"{expected}, got {shown(value)}", value)
    return number


def _as_float(value: Any) -> float:
    """A number as a float; one beyond all floats is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def parse_flops(value: Any, name: str = "budget") -> float:
    """FLOPs of one request from "2 TFLOPs", "500 GFLOPs" or 2e12. Raises QuantityError."""
    return parse(value, FLOPS, name)


def parse_params(value: Any, name: str = "llm_params") -> float:
    """A parameter count from "7B", "500M" or 7e9. Raises QuantityError."""
    return parse(value, PARAMS, name)


def parse_seconds(value: Any, name: str = "time") -> float:
    """Seconds from "100 ms", "2 min" or 0.1. Raises QuantityError."""
    return parse(value, TIME, name)


def parse_bytes(value: Any, name: str = "memory") -> float:
    """Bytes from "24 GiB" (2^30 each), "24 GB" (10^9 each) or 24e9. Raises QuantityError."""
    return parse(value, BYTES, name)


def parse_joules(value: Any, name: str = "energy") -> float:
    """Joules from "50 J", "0.1 Wh" or 50. Raises QuantityError."""
    return parse(value, JOULES, name)


def parse_per_second(value: Any, name: str = "requests_per_second") -> float:
    """Requests per second from "20/s" or 20. Raises QuantityError."""
    return parse(value, PER_SECOND, name)


def parse_plain(value: Any, name: str) -> float:
    """A number that has no unit (a price), as a number or as text. Raises QuantityError."""
    if not isinstance(value, str):
        return positive_number(value, name)
    try:
        return positive_number(float(value), name)
    except ValueError:
        raise QuantityError(f"{name}: expected a positive number, got {shown(value)}", value) from None


def positive_number(value: Any, name: str) -> float:
    """Check a plain number without a unit (a price, joules, a rate): finite and above 0. Raises QuantityError."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not (math.isfinite(_as_float(value)) and value > 0):
        raise QuantityError(f"{name}: expected a positive number, got {shown(value)}", value)
    return _as_float(value)


def whole_number(value: Any, name: str, minimum: int = 0) -> int:
    """Check a count (tokens, images): a whole number of at least `minimum`. Raises QuantityError."""
    whole = isinstance(value, Integral) or (isinstance(value, Real) and _as_float(value).is_integer())
    if isinstance(value, bool) or not whole or int(value) < minimum:
        raise QuantityError(f"{name}: expected a whole number of at least {minimum}, got {shown(value)}", value)
    return int(value)


def format_flops(flops: float) -> str:
    """FLOPs to three digits with the prefix that fits: "1.94 TFLOPs"."""
    prefix, scaled = _scaled(flops, (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)))
    return f"{scaled} {prefix}FLOPs"


def format_params(params: float) -> str:
    """A parameter count to three digits: "7B", "0.5B", "135M"."""
    prefix, scaled = _scaled(params, (("T", 1e12), ("B", 0.5e9), ("M", 1e6), ("k", 1e3)), {"B": 1e9})
    return f"{scaled}{prefix}"


def format_seconds(seconds: float) -> str:
    """A time to three digits with the unit that fits: "8.51 ms", "120 s"; minutes from 1000 s on."""
    steps = (("h", 60e3), ("min", 1e3), ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 0.0))
    unit, scaled = _scaled(seconds, steps, {"h": 3600.0, "min": 60.0, "ns": 1e-9}) if seconds else ("s", "0")
    return f"{scaled} {unit}"


def format_bytes(count: float) -> str:
    """A size of memory to three digits in binary units, as memory is sold and budgeted: "79.6 GiB", "1010 MiB"."""
    unit, size = "B", 1.0
    for prefix, power in (("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)):
        if abs(count) >= 2.0**power * 0.9995:
            unit, size = f"{prefix}B", 2.0**power
            break
    scaled = count / size
    return f"{scaled:.3g} {unit}" if abs(scaled) < 999.5 else f"{scaled:.0f} {unit}"


def format_flop_rate(flops_per_s: float) -> str:
    """A computing rate to three digits: "989 TFLOP/s"."""
    return format_flops(flops_per_s).removesuffix("s") + "/s"


def format_bandwidth(bytes_per_s: float) -> str:
    """A bandwidth to three digits in decimal units, as datasheets print it: "3.35 TB/s"."""
    prefix, scaled = _scaled(bytes_per_s, (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)))
    return f"{scaled} {prefix}B/s"


def format_tokens(tokens: float) -> str:
    """Tokens: whole as they are, fractions to one digit: "576", "12.1"."""
    return f"{tokens:.0f}" if float(tokens).is_integer() else f"{tokens:.1f}"


def format_fraction(fraction: float) -> str:
    """An error or score between 0 and 1, to four digits after the point: "0.4793"."""
    return f"{fraction:.4f}"


def score_of(error: float, predicts: str = "error") -> float | None:
    """One minus an error; None for an error outside 0 to 1, which is that of no score, and for a loss."""
    return 1.0 - error if predicts == "error" and 0 <= error <= 1 else None


def format_score(score: float) -> str:
    """A score between 0 and 1 as benchmarks print it, in per cent to a tenth: "49.8 %"."""
    return f"{100 * score:.1f} %"


def format_significant(number: float) -> str:
    """A fitted parameter or a residual, to four significant digits: "0.1011", "3.168e-04"."""
    return f"{number:.3e}" if number and abs(number) < 1e-3 else f"{number:.4g}"


def format_percent(part: float, whole: float) -> str:
    """A share in per cent, to the digit that a reader needs: "12 %", "0.4 %"."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.1f} %" if 0 < percent < 1 else f"{percent:.0f} %"


def format_probability(probability: float) -> str:
    """A probability that draws told, which know neither nought nor one: "83 %", "> 99 %", "< 1 %"."""
    return "> 99 %" if probability > 0.99 else "< 1 %" if probability < 0.01 else format_percent(probability, 1.0)


def format_factor(ratio: float) -> str:
    """How many times: "4.6", "29", "1.03" where one digit would say nothing."""
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.1f}" if ratio >= 1.1 else f"{ratio:.3g}"


def format_times(ratio: float) -> str:
    """A ratio of two times to a hundredth, "1.50"; where they hardly compare, as format_factor."""
    return f"{ratio:.2f}" if ratio < 9.995 else format_factor(ratio)


def counted(count: int, what: str) -> str:
    """ "1 run", "2 runs": what takes an s where it is not one."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def shown(value: Any) -> str:
    """A foreign value as an error shows it: quoted, on one line, cut where it is long."""
    try:
        text = repr(value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        text = f"{type(value).__name__} of too many digits to show"
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "..."


def _scaled(
    number: float, steps: tuple[tuple[str, float], ...], divisors: dict[str, float] | None = None
) -> tuple[str, str]:
    """(prefix, text): the first prefix whose threshold the number reaches, and the number under it to three digits."""
    for prefix, threshold in steps:
        if abs(number) >= threshold * 0.9995:  # 999.7 G shows as 1 T, not as 1e+03 G
            return prefix, f"{number / (divisors or {}).get(prefix, threshold):.3g}"
    return "", f"{number:.3g}"


def _unit_hint(unit: str, dimension: Dimension) -> str:
    """What to do about an unknown unit: a rate is not a count, a slip of the keyboard gets the nearest unit."""
    if re.fullmatch(r"\w?flops?/s|\w?flops?ps", unit.lower()):
        return f": {unit!r} is a rate, a budget is a count of FLOPs for one request"
    if dimension is BYTES and unit.endswith("/s"):
        return f": {unit!r} is a rate, memory is a number of bytes"
    near = nearest_name(unit, dimension.units)
    return f": the unit {unit!r} is not known" + (f", did you mean {near!r}?" if near else "")
