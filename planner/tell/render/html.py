"""A Document as one HTML file that needs nothing else: style and pictures stand in it, and there is no script."""

from __future__ import annotations

from html import escape
from importlib import resources

from planner.tell.document import (
    Block,
    Bullets,
    Chart,
    Code,
    Command,
    Document,
    Facts,
    Inline,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    plain,
    visible,
)
from planner.tell.render.svg import draw, symbol

_WORDS = {"": "", "good": "Good", "warn": "Note", "bad": "Attention"}
_UNCUT = 10**9
_TILES_MAX = 5


def html(document: Document) -> str:
    """The page."""
    style = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    links = "".join(f'<li><a href="#{section.key}">{_safe(section.title)}</a></li>' for section in document.sections)
    opening = "\n".join(map(_block, document.opening))
    sections = "\n".join(map(_section, document.sections))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="generator" content="vlm-planner">
<title>{_safe(document.title)}: {_safe(plain(document.heading))}</title>
<link rel="icon" href="data:,">
<style>
{style.strip()}
</style>
</head>
<body>
<header>
<p class="kind">{_safe(document.title)}</p>
<h1>{_line(document.heading)}</h1>
</header>
<main>
<section class="opening" aria-label="{_safe(document.opening_title)}">
{opening}
</section>
<nav aria-label="Contents"><ul>{links}</ul></nav>
{sections}
</main>
<footer><p>Written by vlm-planner. The same page as .json holds every number at full precision.</p></footer>
</body>
</html>
"""


def _section(section: Section) -> str:
    blocks = [_block(block) for block in section.blocks if not isinstance(block, Chart)]
    figures = [_chart(block) for block in section.blocks if isinstance(block, Chart)]
    if figures:
        blocks.append(f'<div class="figures">\n{"".join(figures)}</div>')
    body = "\n".join(blocks)
    return f"""<section id="{section.key}" aria-labelledby="{section.key}-title">
<h2 id="{section.key}-title">{_safe(section.title)}</h2>
{body}
</section>"""


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        word = block.label.capitalize() or _WORDS[block.tone]
        tag = f'<strong class="tag">{_safe(word)}.</strong> ' if word else ""
        kind = f' class="box {block.tone}"' if block.tone else ' class="strong"' if block.strong else ""
        return f"<p{kind}>{tag}{_line(block.line)}</p>"
    if isinstance(block, Bullets):
        items = "".join(f"<li>{_line(item)}</li>\n" for item in block.items)
        return f"<ul>\n{items}</ul>"
    if isinstance(block, Facts):
        kind = f"figures-large in-{_columns(len(block.items))}" if block.large else "facts"
        items = "".join(f"<div><dt>{_inline(name)}</dt><dd>{_line(value)}</dd></div>\n" for name, value in block.items)
        return f'<dl class="{kind}">\n{items}</dl>'
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Command):
        text = "\n".join(map(_safe, block.lines))
        caption = f"<figcaption>{_safe(block.title)}</figcaption>"
        return f'<figure class="command">{caption}<pre tabindex="0"><code>{text}</code></pre></figure>'
    return _chart(block)


def _columns(tiles: int) -> int:
    """Tiles in a row: one row of up to five, else two rows that differ by one at most."""
    return tiles if tiles <= _TILES_MAX else -(-tiles // 2)


def _table(table: Table) -> str:
    left = [i == 0 or name in table.words for i, name in enumerate(table.columns)]
    kinds = ["" if one else ' class="n"' for one in left]
    head = "".join(
        f'<th scope="col"{kind}>{_safe(str(name))}</th>' if str(name) else f"<td{kind}></td>"
        for name, kind in zip(table.columns, kinds, strict=True)
    )

    def rows(which: tuple[tuple[Line, ...], ...], marked: int | None) -> str:
        found = []
        for i, row in enumerate(which):
            first = f'<th scope="row">{_line(row[0])}{" <em>(the pick)</em>" if i == marked else ""}</th>'
            cells = "".join(f"<td{kind}>{_line(cell)}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True))
            mark = ' class="pick"' if i == marked else ""
            found.append(f"<tr{mark}>{first}{cells}</tr>\n")
        return "".join(found)

    foot = f"<tfoot>\n{rows(table.foot, None)}</tfoot>\n" if table.foot else ""
    caption = _line(table.caption)
    label = escape(visible(plain(table.caption), _UNCUT), quote=True)
    return f"""<div class="table" role="region" tabindex="0" aria-label="{label}"><table>
<caption><span>{caption}</span></caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows(table.rows, table.marked)}</tbody>
{foot}</table></div>"""


def _chart(chart: Chart) -> str:
    entries = "".join(f"<li>{symbol(shape)} {_line(meaning)}</li>" for shape, meaning in chart.legend)
    return f"""<figure class="chart">
<figcaption>{_line(chart.caption)}</figcaption>
{draw(chart)}
<ul class="legend">{entries}</ul>
<p class="told">{_line(chart.alt)}</p>
</figure>
"""


def _line(parts: Line) -> str:
    return "".join(map(_inline, parts))


def _inline(part: Inline) -> str:
    if isinstance(part, Code):
        return f"<code>{_safe(part.text)}</code>"
    text = _safe(str(part))
    if isinstance(part, Value):
        number = isinstance(part.raw, int | float)
        kinds = " ".join(["v", *["number"] * number, *["strong"] * part.strong])
        return f'<bdi class="{kinds}">{text}</bdi>'
    return text


def _safe(text: str) -> str:
    """A text as text: no markup, no control characters, no change of direction."""
    return escape(visible(text, _UNCUT), quote=True)
