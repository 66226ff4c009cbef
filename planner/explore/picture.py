"""A Chart as the page's script takes it: places in base units, texts as people read them.

The script turns places into pixels, so that the picture follows its width.
"""

from __future__ import annotations

from typing import Any

from planner.tell.document import Axis, Chart, Mark, plain

KINDS = {"pick": "pick", "tied": "tied", "over": "over", "next": "over"}
"""Ring or standing of a mark -> the class of its dot; all others keep every limit."""
FITS = "fits"


def as_json(chart: Chart) -> dict[str, Any]:
    """Plain JSON types."""
    return {
        "x": _axis(chart.x),
        "y": _axis(chart.y),
        "curves": [curve.points for curve in chart.curves],
        "marks": [
            {"x": mark.x, "y": mark.y, "kind": kind_of(mark), "text": plain(mark.tip), "bar": _bar(mark)}
            for mark in chart.marks
        ],
        "rules": [{"at": rule.at, "text": plain(rule.label)} for rule in chart.rules],
    }


def kind_of(mark: Mark) -> str:
    """Class of its dot."""
    return KINDS.get(mark.ring) or KINDS.get(mark.standing) or FITS


def _bar(mark: Mark) -> list[float]:
    """Ends of its bar; those beside the frontier would hide it."""
    if mark.standing or mark.low is None or mark.high is None:
        return []
    return [mark.low, mark.high]


def _axis(axis: Axis) -> dict[str, Any]:
    ticks = [{"at": tick.at, "text": tick.value.text} for tick in axis.ticks]
    return {"title": plain(axis.label), "low": axis.low, "high": axis.high, "log": axis.log, "ticks": ticks}
