"""The columns of a log of requests, by the names that engines, traces and load tests give them.

    timestamp           seconds, or ISO 8601; in milliseconds as timestamp_ms
    query_tokens        new text tokens of the prompt; or prompt_tokens, all of its text, cached and system tokens too
    generated_tokens    of the answer
    cached_tokens       text tokens that are in the KV cache already
    system_tokens       text tokens that come with every request
    images

Names are taken without regard to case, spaces, hyphens and underscores: "ContextTokens" and "Request tokens" are the
prompt's in public traces.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown

TIME, TIME_MS, QUERY, PROMPT = "timestamp", "timestamp_ms", "query_tokens", "prompt_tokens"
GENERATED, CACHED, SYSTEM, IMAGES = "generated_tokens", "cached_tokens", "system_tokens", "images"

_NAMES = {
    TIME: "timestamp timestamp_s time time_s ts arrival arrival_s arrival_time arrived_at start_time created "
    "created_at",
    TIME_MS: "timestamp_ms time_ms ts_ms arrival_ms arrival_time_ms",
    QUERY: "query_tokens query_length query_len",
    PROMPT: "prompt_tokens input_tokens context_tokens request_tokens num_prompt_tokens prompt_length prompt_len "
    "input_length input_len",
    GENERATED: "generated_tokens completion_tokens output_tokens response_tokens num_generated_tokens decode_tokens "
    "output_length output_len",
    CACHED: "cached_tokens num_cached_tokens",
    SYSTEM: "system_tokens",
    IMAGES: "images num_images image_count",
}
_MEANT = {name.replace("_", ""): column for column, names in _NAMES.items() for name in names.split()}
_LEAST = {PROMPT: 1, GENERATED: 1}
_MOST = 2**53
_AGES_S = 1e11
"""Later than the year 5000, as seconds since 1970: those are milliseconds or less."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Columns:
    """Which columns a log has, by what they mean: their names there."""

    names: dict[str, str]

    @classmethod
    def of(cls, names: Iterable[str], where: str) -> Columns:
        """Of the names of a file. Raises InputError where one is missing, or two mean the same."""
        found: dict[str, str] = {}
        listed = list(names)
        for name in listed:
            column = _MEANT.get(name.strip().lower().replace("_", "").replace(" ", "").replace("-", ""))
            if column is None:
                continue
            if column in found:
                raise InputError(f"{where}: the columns {found[column]!r} and {name!r} mean the same; leave one out")
            found[column] = name
        for one, other in ((QUERY, PROMPT), (TIME, TIME_MS)):
            if one in found and other in found:
                raise InputError(
                    f"{where}: expected one of the columns {found[one]!r} and {found[other]!r}, got both; leave one out"
                )
        there = ", ".join(listed) or "none"
        if QUERY not in found and PROMPT not in found:
            raise InputError(f"{where}: the column {QUERY!r} (or {PROMPT!r}) is missing; got {there}")
        if GENERATED not in found:
            raise InputError(f"{where}: the column {GENERATED!r} is missing; got {there}")
        return cls(found)

    @property
    def stamp(self) -> tuple[str, float]:
        """The name of the time stamps, "" where there are none, and the seconds of one of their units."""
        if TIME_MS in self.names:
            return self.names[TIME_MS], 1e-3
        return self.names.get(TIME, ""), 1.0

    @property
    def counts(self) -> dict[str, str]:
        """Those that hold whole numbers."""
        return {column: name for column, name in self.names.items() if column not in (TIME, TIME_MS)}


def seconds_of(value: object, scale: float, file: str, line: int, name: str) -> float:
    """Seconds of a time stamp: a number, in so many seconds each, or a date and time, which is UTC unless it says
    otherwise. Raises InputError."""
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = _seconds_of_date(value) / scale
    seconds = number * scale
    if not math.isfinite(seconds):
        raise InputError(
            f"{file}, line {line}: expected {name} to be seconds or a date and time as ISO 8601, got {shown(value)}"
        )
    if abs(seconds) > _AGES_S:
        raise InputError(
            f"{file}, line {line}: expected {name} to be seconds, got {shown(value)}, which lies beyond the year 5000; "
            f"name the column {TIME_MS} if they are milliseconds"
        )
    return seconds


def _seconds_of_date(value: object) -> float:
    """Since 1970; not a number where it is no date."""
    try:
        found = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return math.nan
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH).total_seconds()


def count_of(value: object, file: str, line: int, column: str, name: str) -> int:
    """A whole number of a column. Raises InputError."""
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    least = _LEAST.get(column, 0)
    if not (number.is_integer() and least <= number < _MOST):
        raise InputError(
            f"{file}, line {line}: expected {name} to be a whole number of at least {least}, got {shown(value)}"
        )
    return int(number)
