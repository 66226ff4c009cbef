"""Blocks on the terminal: what stands on lines of its own, and how what is too wide is broken."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from planner.laws.forms import forms_for, get_form
from planner.laws.shipped import load_law
from planner.tell.document import Bullets, Facts, Paragraph, Section, Table, foreign, line
from planner.tell.law import law_story
from planner.tell.render.console import print_told


def printed(*blocks: object, width: int = 80) -> list[str]:
    stream = io.StringIO()
    print_told(Console(file=stream, width=width, highlight=False), blocks)  # type: ignore[arg-type]
    return [one.rstrip() for one in stream.getvalue().splitlines()]


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_the_formula_of_a_law_is_not_broken(form: str) -> None:
    lines = printed(*law_story(load_law("reasoning", form)).opening)
    at = lines.index(f"{form}: {get_form(form).formula}")
    assert lines[at + 1].startswith("┏")


def table(caption: str, *columns: str, cells: int = 4) -> Table:
    return Table((caption,) if caption else (), columns, (tuple(line("x" * cells) for _ in columns),))


def test_a_table_without_a_caption_begins_with_its_frame() -> None:
    assert printed(table("", "name"))[0].startswith("┏")


def test_a_caption_may_be_wider_than_its_table() -> None:
    caption = "of many words, and wider by far than the table that stands under it"
    assert printed(table(caption, "name"))[0] == caption


def test_names_of_columns_are_broken_where_the_table_is_too_wide_and_cells_are_not() -> None:
    wide = table("", *["expected gain", "one"] * 3)
    assert printed(wide, width=80)[1] == "┃ expected gain ┃  one ┃ expected gain ┃  one ┃ expected gain ┃  one ┃"
    assert printed(wide, width=60)[1:3] == [
        "┃ expected ┃      ┃ expected ┃      ┃ expected ┃      ┃",
        "┃ gain     ┃  one ┃     gain ┃  one ┃     gain ┃  one ┃",
    ]
    assert "│ xxxx     │ xxxx │     xxxx │ xxxx │     xxxx │ xxxx │" in printed(wide, width=60)


def test_lines_of_an_item_stand_under_each_other() -> None:
    assert printed(Bullets((line("one two three four"), line("five"))), width=10) == [
        "- one two",
        "  three",
        "  four",
        "- five",
    ]


def test_large_figures_share_a_line_and_other_facts_do_not() -> None:
    items = (("TTFT", line("5 ms")), ("TPOT", line("1 ms")))
    assert printed(Facts(items, large=True)) == ["TTFT: 5 ms, TPOT: 1 ms"]
    assert printed(Facts(items)) == ["TTFT: 5 ms", "TPOT: 1 ms"]


def test_a_section_alone_has_its_heading() -> None:
    stream = io.StringIO()
    print_told(Console(file=stream, width=80), Section("why", "Why", (Paragraph(line("so")),)))
    assert stream.getvalue() == "\nWhy\nso\n"


def test_hostile_names_are_shown_and_not_obeyed() -> None:
    name = foreign("[bold]a[/bold]\x1b[31m:smile:", "name")
    shown = "[bold]a[/bold]\\x1b[31m:smile:"
    blocks = (
        Paragraph(line(name)),
        Bullets((line(name),)),
        Facts(((name, line(name)),)),
        Table((), (name,), ((line(name),),)),
    )
    for block in blocks:
        text = "\n".join(printed(block))
        assert shown in text and "\x1b" not in text
