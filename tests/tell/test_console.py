"""A law on the terminal: its formula has a line of its own, however narrow the table under it is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from planner.laws.forms import FORMS, get_form
from planner.laws.shipped import load_law
from planner.tell.console import new_table
from planner.tell.law import print_law


def printed(what: object, width: int = 80) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False).print(what)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("form", FORMS.names())
def test_the_formula_of_a_law_is_not_broken(form: str) -> None:
    stream = io.StringIO()
    print_law(Console(file=stream, width=80, highlight=False), load_law("reasoning", form))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    at = lines.index(f"{form}: {get_form(form).formula}")
    assert lines[at + 1].startswith("┏")


def test_a_table_without_a_title_begins_with_its_frame() -> None:
    assert printed(new_table("", "name"))[0].startswith("┏")
    assert printed(new_table("names", "name"))[0].strip() == "names"
