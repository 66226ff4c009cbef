"""A Document as one HTML file that needs nothing else: style and pictures stand in it, and there is no script.

What it looks like stands in `templates/`: the page, and a file for each kind of block. Every text is escaped, by the
engine, and made visible: no markup, no control characters, no change of direction.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from planner.tell.document import Block, Chart, Code, Document, Line, Table, Value, plain, raw_of, visible
from planner.tell.render.svg import draw, symbol

if TYPE_CHECKING:
    from jinja2 import Environment

_TONES = {"": "", "good": "Good", "warn": "Note", "bad": "Attention"}
_UNCUT = 10**9
_TILES_MAX = 5


def html(document: Document) -> str:
    """The page."""
    return _engine().get_template("page.html").render(document=document)


@cache
def _engine() -> Environment:
    """The templates, with what they ask of a document."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only a page needs them

    engine = Environment(
        loader=PackageLoader("planner.tell.render", "templates"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    engine.globals |= {"style": style.strip(), "tones": _TONES, "picture": draw, "symbol": symbol}
    engine.filters |= {
        "template": _template,
        "plain": plain,
        "capital": _capital,
        "tiles": _tiles,
        "ranks": _ranks,
        "under": _under,
        "raw": raw_of,
        "groups": _groups,
    }
    engine.tests |= {
        "chart": lambda block: isinstance(block, Chart),
        "code": lambda part: isinstance(part, Code),
        "value": lambda part: isinstance(part, Value),
    }
    return engine


def _shown(told: Any) -> Any:
    """What a template puts out: texts made visible, before the engine escapes them; its own markup as it is."""
    return told if hasattr(told, "__html__") or not isinstance(told, str) else visible(told, _UNCUT)


def _capital(told: Line) -> Line:
    """The same line with a capital; names and numbers at its beginning stay as they are."""
    first = told[0] if told else ""
    if not isinstance(first, str):
        return told
    return (first[:1].upper() + first[1:], *told[1:])


def _template(block: Block) -> str:
    """File of a kind of block: "blocks/table.html"."""
    return f"blocks/{type(block).__name__.lower()}.html"


def _tiles(count: int) -> int:
    """Tiles in a row: one row of up to five, else two rows that differ by one at most."""
    return count if count <= _TILES_MAX else -(-count // 2)


def _ranks(table: Table) -> tuple[str, ...]:
    """Class of the cells of each column: numbers stand to the right."""
    return tuple("" if i == 0 or name in table.words else "n" for i, name in enumerate(table.columns))


def _under(table: Table) -> int:
    """The column whose words stand under the names where the page is narrow; 0 where there is none."""
    names = list(map(str, table.columns))
    return names.index(table.beneath) if table.beneath and table.is_named_by(names[0]) else 0


def _groups(table: Table) -> list[list[tuple[tuple[Line, ...], str, bool]]]:
    """Rows with their tone and whether they are the pick, in the groups that are set apart."""
    groups: list[list[tuple[tuple[Line, ...], str, bool]]] = [[]]
    for i, row in enumerate(table.rows):
        if i in table.breaks and groups[-1]:
            groups.append([])
        picked = i == table.marked
        groups[-1].append((row, "pick" if picked else table.tones[i] if table.tones else "", picked))
    return groups
