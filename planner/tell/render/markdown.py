"""A Document as Markdown: the same words, tables for tables, and what the pictures tell in words."""

from __future__ import annotations

import re

from planner.tell.document import (
    Block,
    Bullets,
    Code,
    Command,
    Document,
    Facts,
    Inline,
    Line,
    Paragraph,
    Table,
    Value,
    visible,
)

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$])")
_LINK = re.compile(r"(?i)(https?|ftp|mailto)(:)|(www)(\.)|(@)")
_TONES = {"good": "**Good.** ", "warn": "**Note.** ", "bad": "**Attention.** ", "": ""}
_UNCUT = 10**9


def markdown(document: Document) -> str:
    """The page."""
    parts = [f"# {_line(document.heading)}", f"*{document.title}*", *map(_block, document.opening)]
    for section in document.sections:
        parts += [f"## {section.title}", *map(_block, section.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        tag = f"**{literal(block.label.capitalize())}.** " if block.label else _TONES[block.tone]
        text = f"{tag}{_line(block.line)}"
        return f"> {text}" if block.tone else text
    if isinstance(block, Bullets):
        return "\n".join(f"- {_line(item)}" for item in block.items)
    if isinstance(block, Facts):
        return "\n".join(f"- {_inline(name)}: {_line(value)}" for name, value in block.items)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Command):
        text = "\n".join(visible(one, _UNCUT) for one in block.lines)
        longest = max((len(found) for found in re.findall("`+", text)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"{block.title}:\n\n{fence}sh\n{text}\n{fence}"
    return f"**{_line(block.caption)}** {_line(block.alt)}"


def _table(table: Table) -> str:
    left = [i == 0 or name in table.words for i, name in enumerate(table.columns)]
    lines = [
        f"| {' | '.join(str(name) or ' ' for name in table.columns)} |",
        f"|{'|'.join(' --- ' if one else ' ---: ' for one in left)}|",
    ]
    for i, row in enumerate((*table.rows, *table.foot)):
        strong = "**" if i == table.marked or i >= len(table.rows) else ""
        cells = [f"{strong}{text}{strong}" if text else " " for text in map(_line, row)]
        lines.append(f"| {' | '.join(cells)} |")
    return f"**{_line(table.caption)}**\n\n" + "\n".join(lines)


def _line(parts: Line) -> str:
    return "".join(map(_inline, parts)).strip()


def _inline(part: Inline) -> str:
    if isinstance(part, Code):
        return f"`{part.text}`"
    text = literal(str(part))
    return f"**{text}**" if isinstance(part, Value) and part.strong else text


def literal(text: str) -> str:
    """A text as text: no markup, no links, no control characters."""
    shown = _SPECIAL.sub(r"\\\1", visible(text, _UNCUT))
    return _LINK.sub(
        lambda found: "".join(g if g not in (":", ".", "@") else f"\\{g}" for g in found.groups() if g), shown
    )
