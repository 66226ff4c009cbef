"""A Document on the terminal: its sentences and tables, in colours where there are any. Tables fit 80 columns.

Names of columns are broken between words where the table would be too wide otherwise.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from planner.tell.document import (
    Block,
    Bullets,
    Command,
    Document,
    Facts,
    Line,
    Paragraph,
    Section,
    Table,
)
from planner.tell.render.characters import ASCII, UNICODE, WIDTH_MIN, draw
from planner.tell.render.fitted import Fitted, cells, fitted, literal, shown, table_width

WIDTH = 80
"""Columns of a text file."""
_NAME_MAX = 28
"""Characters of a name or a number that stay on one line where words beside it can be folded."""
_TONES = {"good": "green", "warn": "yellow", "bad": "red", "faint": "dim", "": ""}


def print_document(console: Console, document: Document, headings: bool = True) -> None:
    """The whole story: the heading, what it opens with, its sections; without their headings if it shall be short."""
    console.print(Text(shown(document.heading), style=f"bold {_TONES[document.tone]}".strip()))
    print_blocks(console, document.opening)
    for section in document.sections:
        if headings:
            print_section(console, section)
        else:
            print_blocks(console, section.blocks)


def print_told(console: Console, told: Document | Section | Sequence[Block]) -> None:
    """A story, a part of one, or blocks alone."""
    if isinstance(told, Document):
        print_document(console, told)
    elif isinstance(told, Section):
        print_section(console, told)
    else:
        print_blocks(console, told)


def text(document: Document) -> str:
    """The same as plain text, 80 columns wide, of which a table may need more."""
    stream = io.StringIO()
    print_document(Console(file=stream, width=WIDTH, highlight=False, color_system=None), document)
    return "\n".join(one.rstrip() for one in stream.getvalue().splitlines()) + "\n"


def print_section(console: Console, section: Section) -> None:
    """The heading of a section and its blocks."""
    console.print()
    console.print(Text(section.title, style="bold"))
    print_blocks(console, section.blocks)


def print_blocks(console: Console, blocks: Sequence[Block]) -> None:
    """Blocks, one under the other."""
    for block in blocks:
        print_block(console, block)


def print_block(console: Console, block: Block) -> None:
    """One block; a chart for which there is no room is told in words."""
    if isinstance(block, Paragraph):
        console.print(_paragraph(block))
    elif isinstance(block, Bullets):
        for item in block.items:
            _print_item(console, shown(item))
    elif isinstance(block, Facts):
        facts = [f"{shown((name,))}: {shown(content)}" for name, content in block.items]
        for one in [", ".join(facts)] if block.large else facts:
            console.print(Text(one))
    elif isinstance(block, Table):
        if block.caption:  # it may be wider than the table
            console.print(Text(shown(block.caption), style="bold"))
        console.print(table(replace(block, caption=()), console.width))
    elif isinstance(block, Command):
        console.print(Text(f"{block.title}:"))
        for one in block.lines:
            console.print(Text(f"  {literal(one)}"), soft_wrap=True)
    elif console.width < WIDTH_MIN:
        console.print(Text(f"{shown(block.caption).rstrip('.')}. {shown(block.alt)}"))
    else:
        console.print(Text(shown(block.caption), style="bold"))
        for drawn in draw(block, console.width, ASCII if console.options.ascii_only else UNICODE):
            console.print(drawn)


def _print_item(console: Console, words: str) -> None:
    """An item of a list: its lines stand under each other, beside the mark."""
    first, *others = Text(words).wrap(console, console.width - 2)
    console.print(Text("- ").append(first))
    for one in others:
        console.print(Padding(one, (0, 0, 0, 2), expand=False))


def _paragraph(block: Paragraph) -> Text:
    said = Text(shown(block.line), style="bold" if block.strong else "")
    if block.label:
        return Text.assemble((f"{block.label}: ", _TONES[block.tone] or "yellow"), said)
    said.stylize(_TONES[block.tone])
    return said


def table(block: Table, width: int = WIDTH) -> RichTable:
    """A table of so many columns at most; its first column and its words stand to the left, numbers to the right."""
    title = Text(shown(block.caption))
    drawn = RichTable(title=title or None, title_justify="left", title_style="bold", header_style="")
    laid = fitted(block, width)
    block, narrow = laid.table, table_width(block) > width
    for i, name in enumerate(block.columns):
        left, named = i == 0 or name in block.words, block.is_named_by(name)
        longest = max(map(cell_len, cells(block, i)), default=0)
        head = shown((name,)) if not named else laid.head
        head = _broken(head, longest) if narrow and not named else head
        whole = narrow and (named or (bool(block.words) and name not in block.words and longest <= _NAME_MAX))
        drawn.add_column(Text(head), justify="left" if left else "right", overflow="fold", no_wrap=whole)
    tones = block.tones or ("",) * len(block.rows)
    for i, (row, tone) in enumerate(zip(block.rows, tones, strict=True)):
        if i in block.breaks:
            drawn.add_section()
        drawn.add_row(*_row(laid, i, row), style=_TONES[tone])
    if block.foot:
        drawn.add_section()
    for row in block.foot:
        drawn.add_row(*(Text(shown(cell)) for cell in row), style="bold")
    return drawn


def _row(laid: Fitted, row: int, parts: tuple[Line, ...]) -> Iterator[Text]:
    """Cells of a row; its name in as many lines as it takes."""
    for name, cell in zip(laid.table.columns, parts, strict=True):
        if laid.table.is_named_by(name):
            yield Text("\n".join(laid.name(row, shown(cell))))
        else:
            yield Text(shown(cell))


def _broken(name: str, width: int) -> str:
    """The name of a column in two lines, as even as its words allow, where it is wider than its cells."""
    words = name.split()
    if cell_len(name) <= width or len(words) == 1:
        return name
    halves = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    return "\n".join(min(halves, key=lambda pair: max(map(cell_len, pair))))


__all__ = ["literal", "print_block", "print_blocks", "print_document", "print_section", "print_told", "table", "text"]
