"""A Document as JSON: its texts, every number that they show at full precision, and what it was told of."""

from __future__ import annotations

from typing import Any

from planner.base.files import file_text
from planner.tell.document import (
    Block,
    Bullets,
    Command,
    Document,
    Facts,
    Paragraph,
    Section,
    Table,
    plain,
    values_of,
)


def json(document: Document) -> str:
    """The text of the file."""
    return file_text(as_json(document))


def as_json(document: Document) -> dict[str, Any]:
    """The page as plain JSON types: plan and verdict as they were given, the page's texts, and what each number is."""
    shown = {(v.text, repr(v.raw), v.what): v for v in values_of(document)}
    return {
        "format": f"vlm-planner {document.kind}",
        "format_version": 1,
        "heading": plain(document.heading),
        document.kind: plain(document.heading),
        "sections": [
            {"key": section.key, "title": section.title, "blocks": [_block_json(block) for block in section.blocks]}
            for section in (Section("pick", document.title, document.opening), *document.sections)
        ],
        "shown": [{"text": v.text, "value": v.raw, "unit": v.unit, "what": v.what} for v in shown.values()],
        **document.sources,
    }


def _block_json(block: Block) -> dict[str, Any]:
    if isinstance(block, Paragraph):
        told = {"text": plain(block.line), "tone": block.tone}
        return told | ({"label": block.label} if block.label else {})
    if isinstance(block, Bullets):
        return {"list": [plain(item) for item in block.items]}
    if isinstance(block, Facts):
        return {"facts": {str(name): plain(content) for name, content in block.items}}
    if isinstance(block, Table):
        rows = [[plain(cell) for cell in row] for row in (*block.rows, *block.foot)]
        return {"table": plain(block.caption), "columns": [str(name) for name in block.columns], "rows": rows}
    if isinstance(block, Command):
        return {"commands": list(block.lines), "title": block.title}
    return {"chart": plain(block.caption), "alt": plain(block.alt)}
