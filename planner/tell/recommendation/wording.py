"""How the page words what other media say too: in whole sentences, names cut where they are long."""

from __future__ import annotations

from planner.parts.compressors import Compressor
from planner.planning.limits import Limit
from planner.tell import values as v
from planner.tell.document import Line, Value, foreign, line

NAME_MAX = 60


def capital(parts: Line) -> Line:
    """A line that begins as a sentence does; one that begins with a name stays as it is."""
    first, *others = parts or ("",)
    return (first[:1].upper() + first[1:], *others) if isinstance(first, str) and first else parts


def compressor_title(one: Compressor) -> Value:
    return foreign(one.title, "compressor", NAME_MAX)


def limit_text(limit: Limit) -> Line:
    """ "TTFT at most 30 ms"; FLOPs name themselves."""
    value = v.limited(limit, limit.value, f"limit: {limit.title}")
    if limit.kind.names_itself:
        return line(value, " for a request")
    return line(f"{limit.title} {'at least' if limit.at_least else 'at most'} ", value)
