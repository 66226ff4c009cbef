"""What rests on what, and tasks by name."""

from __future__ import annotations

import pytest

import planner
from planner.base.errors import UnknownNameError
from planner.laws.hierarchy.rows import shipped_rows, task_classes
from planner.laws.hierarchy.tasks import CLASSES, find_task


def test_groups_count_every_row_once() -> None:
    found = planner.evidence()
    assert found.rows_count == len(shipped_rows())
    assert found.checked_count == int(shipped_rows().checked.sum())
    keys = [(one.study, one.task, one.compressor) for one in found.groups]
    assert len(set(keys)) == len(keys)
    assert set(found.noise) == {one.study for one in found.groups}


def test_a_class_lists_its_tasks() -> None:
    parts = [planner.evidence(name) for name in CLASSES]
    assert sum(one.rows_count for one in parts) == len(shipped_rows())
    assert {one.task for one in parts[0].groups} == {name for name, kind in task_classes().items() if kind == "text"}


def test_the_rows_come_as_a_frame() -> None:
    frame = planner.evidence("AI2D").to_frame()
    assert set(frame["task"]) == {"AI2D"}
    assert {"error", "error_se", "source", "checked"} <= set(frame.columns)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("docvqa", "DocVQA"),
        ("Chart QA", "ChartQA"),
        ("scienceqa", "SQA"),
        ("refcoco+", "RefCOCO+"),
        ("mm-vet", "MMVet"),
    ],
)
def test_tasks_are_found_whatever_the_spelling(typed: str, name: str) -> None:
    assert find_task(typed).name == name
    assert find_task(typed).measured


def test_a_class_is_a_task_that_nobody_has_measured() -> None:
    found = find_task("Text")
    assert (found.name, found.task_class, found.measured) == ("text", "text", False)
    with pytest.raises(UnknownNameError, match="did you mean 'InfoVQA'"):
        find_task("infovq")
