"""JUnit XML of what passes or fails: a verdict's checks, a comparison's changes; what CI servers read.

The elements and attributes are those that all of them take: testsuites, testsuite (tests, failures, errors, skipped,
time, timestamp), properties, testcase (classname, name, time), failure, skipped, system-out.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import singledispatch
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import format_percent, format_times, shown
from planner.bench.comparison import Change, MeasurementComparison
from planner.bench.grid_verdict import GridVerdict
from planner.bench.verdict import Check, Verdict

_NOT_OF_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One thing that passes or fails."""

    name: str
    failure: str = ""
    """Why it failed; "" where it did not."""
    error: str = ""
    """Why it could not be measured, so that it neither passed nor failed; "" where it could."""
    skipped: str = ""
    """Why it was not judged; "" where it was."""
    said: str = ""
    """Its numbers in words."""


@dataclass(frozen=True)
class Suite:
    """Things that were judged together."""

    name: str
    cases: tuple[Case, ...]
    properties: Mapping[str, str] = field(default_factory=dict)
    """The environment."""
    said: tuple[str, ...] = ()
    """Advice."""
    measured_at: str = ""
    """ISO 8601; "" where it is not known."""


def junit(suites: Sequence[Suite]) -> str:
    """The XML document, with a line break at the end."""
    root = ElementTree.Element("testsuites", {"name": "vlm-planner", **_counts(c for one in suites for c in one.cases)})
    for suite in suites:
        head = {"name": _clean(suite.name), **_counts(suite.cases), "time": "0"}
        if suite.measured_at:
            head["timestamp"] = _clean(suite.measured_at.partition("+")[0])
        element = ElementTree.SubElement(root, "testsuite", head)
        if suite.properties:
            properties = ElementTree.SubElement(element, "properties")
            for name, value in suite.properties.items():
                ElementTree.SubElement(properties, "property", {"name": _clean(name), "value": _clean(value)})
        for case in suite.cases:
            of = {"classname": _clean(suite.name), "name": _clean(case.name), "time": "0"}
            one = ElementTree.SubElement(element, "testcase", of)
            if case.failure:
                failure = ElementTree.SubElement(one, "failure", {"message": _clean(case.failure), "type": "failed"})
                failure.text = _clean(case.said or case.failure)
            elif case.error:
                ElementTree.SubElement(one, "error", {"message": _clean(case.error), "type": "not measured"})
            elif case.skipped:
                ElementTree.SubElement(one, "skipped", {"message": _clean(case.skipped)})
            if case.said:
                ElementTree.SubElement(one, "system-out").text = _clean(case.said)
        if suite.said:
            ElementTree.SubElement(element, "system-out").text = _clean("\n".join(suite.said))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _counts(cases: Iterable[Case]) -> dict[str, str]:
    found = list(cases)
    told = {
        "failures": [one.failure for one in found],
        "errors": [one.error for one in found],
        "skipped": [one.skipped for one in found],
    }
    return {"tests": str(len(found))} | {name: str(sum(map(bool, texts))) for name, texts in told.items()}


def _clean(text: str) -> str:
    """A text without characters that XML cannot hold."""
    return _NOT_OF_XML.sub("\ufffd", text)


@singledispatch
def suites_of(thing: Any, fail_above: float | None = None) -> tuple[Suite, ...]:
    """What a JUnit file says of a verdict, a verdict on a neighbourhood, or a comparison.

    Args:
        thing: one of them.
        fail_above: of a comparison: a quantity fails that takes more than so much more beyond doubt; None: none fails.

    Raises:
        InputError: anything else.
    """
    raise InputError(f"JUnit: expected a verdict or a comparison of measurements, got {shown(thing)}")


@suites_of.register
def _of_verdict(verdict: Verdict, fail_above: float | None = None) -> tuple[Suite, ...]:
    where = verdict.measurement.environment
    facts = {name: str(value) for name, value in where.items() if isinstance(value, str | int | float | bool)}
    cases = tuple(_case_of_check(check, verdict.disturbed(check)) for check in verdict.checks)
    return (Suite(verdict.subject, cases, facts, verdict.advice, str(where.get("measured_at", ""))),)


@suites_of.register
def _of_grid(grid: GridVerdict, fail_above: float | None = None) -> tuple[Suite, ...]:
    cells = [suite for cell in grid.cells for suite in _of_verdict(cell)]
    orders = tuple(
        Case(
            f"order by {one.name}",
            failure="; ".join(one.inverted),
            said=f"{one.agreeing} of {one.pairs} pairs that clearly differ are in the predicted order",
        )
        for one in grid.orders
    )
    return (*cells, Suite("order of the neighbours", orders))


@suites_of.register
def _of_comparison(found: MeasurementComparison, fail_above: float | None = None) -> tuple[Suite, ...]:
    facts = {one.name: f"{one.before} -> {one.after}" for one in found.unlike}
    return tuple(
        Suite(
            shape.title,
            tuple(_case_of_change(one, fail_above, shape.disturbed(one)) for one in shape.changes),
            facts,
            shape.unstable,
        )
        for shape in found.shapes
    )


def _case_of_check(check: Check, disturbed: bool) -> Case:
    numbers = "" if check.predicted is None or check.measured is None else (
        f"predicted {check.predicted:.6g} {check.unit}, measured {check.measured:.6g} {check.unit}"
    )  # fmt: skip
    note = f" ({check.note})" if check.note else ""
    failure = f"{check.said}{note}" if check.passed is False else ""
    skipped = (check.note or "not judged") if check.passed is None else ""
    said = f"{check.said}: {numbers}" if numbers else ""
    return _missed(check.name, failure, disturbed, said) if failure else Case(check.name, skipped=skipped, said=said)


def _case_of_change(one: Change, fail_above: float | None, disturbed: bool) -> Case:
    interval = "" if one.low is None else f", interval {format_times(one.low)} to {format_times(one.sure[1])}"
    said = f"{one.title} x {format_times(one.ratio)}{interval}: {one.before:.6g} to {one.after:.6g} {one.unit}"
    failed = fail_above is not None and one.above(fail_above)
    limit = "" if fail_above is None else format_percent(fail_above, 1.0)
    return _missed(one.name, f"{said}; more than {limit} {one.word}", disturbed, said) if failed else Case(
        one.name, said=said
    )  # fmt: skip


def _missed(name: str, failure: str, disturbed: bool, said: str) -> Case:
    """A miss is a failure, or nothing is known where something disturbed the machine: as the exit code has it."""
    return Case(name, error=f"{failure}; not measured steadily", said=said) if disturbed else Case(
        name, failure, said=said
    )  # fmt: skip
