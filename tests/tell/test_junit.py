"""JUnit XML of verdicts: counts agree, failures say by how much, what XML cannot hold is replaced."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from bench.made import made
from tell.told import grid, measurement, unsteady, verdict

import planner
from planner.base.errors import InputError
from planner.tell.junit import junit, suites_of


def test_checks_of_a_verdict_are_cases() -> None:
    found = verdict(unsteady(), "ttft_s")
    root = ElementTree.fromstring(junit(suites_of(found)))
    (suite,) = root.findall("testsuite")
    cases = {one.get("name"): one for one in suite.findall("testcase")}
    assert suite.get("tests") == str(len(found.checks)) and len(found.failed) == 2
    assert suite.get("failures") == suite.get("errors") == "1"  # of a disturbed time nothing is known; bytes are exact
    assert suite.get("skipped") == "1" and cases["energy_joules"].find("skipped") is not None
    error = cases["ttft_s"].find("error")
    assert error is not None and error.get("message") == "TTFT x 1.16 faster, at most x 1.15; not measured steadily"
    assert "predicted 0.0121 s, measured 0.0104 s" in str(cases["ttft_s"].findtext("system-out"))
    steady = replace(found, measurement=made(llms=("Qwen2.5-0.5B",), visual_tokens=(36,), batches=(8,))[0])
    assert steady.stable
    failures = {one.name: one.failure for one in suites_of(steady)[0].cases if one.failure}
    assert failures["ttft_s"] == "TTFT x 1.16 faster, at most x 1.15" and len(failures) == 2
    assert cases["params"].find("failure") is None and cases["params"].find("system-out") is not None
    assert "other programs use the cores" in str(suite.findall("system-out")[-1].text)


def test_cells_and_their_order_are_suites() -> None:
    suites = suites_of(grid())
    assert len(suites) == 3 and suites[-1].name == "order of the neighbours"
    failed = [one for one in suites[-1].cases if one.failure]
    assert len(failed) == 1 and "predicted the other way" in failed[0].failure
    root = ElementTree.fromstring(junit(suites))
    assert root.get("failures") == str(sum(bool(case.failure) for suite in suites for case in suite.cases))


def test_what_xml_cannot_hold_is_replaced_and_other_things_are_refused() -> None:
    found = verdict(measurement())
    bad = replace(found, checks=(replace(found.checks[0], title="a\x00<b>&\ud800", passed=False), *found.checks[1:]))
    text = junit(suites_of(bad))
    text.encode("utf-8")
    (failure,) = ElementTree.fromstring(text).iter("failure")
    assert "a\ufffd<b>&\ufffd" in str(failure.get("message"))
    with pytest.raises(InputError, match="JUnit: expected a verdict or a comparison of measurements, got "):
        suites_of(planner.load_law("reasoning"))
