"""Numbers as papers and spreadsheets print them: **61.9**, \\textbf{61.9}, 1,862, 64 (11%), 61.9 ± 0.3, 38.1%, -."""

from __future__ import annotations

import re
from typing import Any

_COMMANDS = re.compile(
    r"\\(?:textbf|textit|underline|mathbf|bf|emph|text|textcolor\{[^}]*\}|cellcolor\{[^}]*\}|bm)\s*\{([^{}]*)\}"
)
_DROPPED = re.compile(
    r"\\(?:cellcolor|rowcolor|color)(?:\[[^\]]*\])?\{[^}]*\}|\\(?:bf|bfseries|itshape|small|scriptsize|footnotesize)\b"
    r"|\*\*|__|<[^<>]{1,40}>|[†‡§¶†‡~$`]|\^\{[^}]*\}|_\{[^}]*\}|\^[*\w]"
)
_ASIDE = re.compile(r"^([^()\[\]]*\d[^()\[\]]*?)\s*[(\[][^()\[\]]*[)\]]$")
_SPREAD = re.compile(r"^([^±]*\d)\s*(?:±|\\pm|\+/-)\s*[\d.,]+\s*%?$")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
NOTHING = frozenset(("-", "--", "---", "–", "—", "−", "/", "n/a", "na", "none", "null", "tbd", "\\", "n.a.", "oom"))
"""What stands in a cell that has no value."""


def plain_text(cell: Any) -> Any:
    """A text without emphasis, footnote marks and LaTeX; what is no text comes back as it is."""
    if not isinstance(cell, str):
        return cell
    text = cell
    for _ in range(4):
        text, count = _COMMANDS.subn(r"\1", text)
        if not count:
            break
    text = _DROPPED.sub("", text).replace("\\%", "%").replace("\\_", "_").replace("\\&", "&").replace("\\#", "#")
    if "\\" in cell:
        text = text.replace("{", "").replace("}", "")
    text = text.strip()
    if len(text) > 2 and text[0] == text[-1] == "*":
        text = text[1:-1].strip()
    return text or None


def plain_name(cell: Any) -> Any:
    """A name without the emphasis around it; what stands inside, such as a double underscore, is part of it."""
    if isinstance(cell, str) and "\\" in cell:
        return plain_text(cell)
    if isinstance(cell, str) and len(cell) > 4 and cell.startswith("**") and cell.endswith("**"):
        return cell[2:-2].strip() or None
    return cell


def number_text(cell: Any, decimal_comma: bool = False) -> Any:
    """A cell as a text that reads as a number, with its % where it has one; None where it has no value.

    What is not understood comes back as it is, so that messages show it.
    """
    if not isinstance(cell, str):
        return cell
    if _NUMBER.fullmatch(cell.strip().removesuffix("%").strip()):
        return cell.strip()
    text = plain_text(cell)
    if text is None or text.lower() in NOTHING:
        return None
    for aside in (_SPREAD, _ASIDE):
        found = aside.match(text)
        text = found[1].strip() if found else text
    text = text.replace("\u2212", "-").replace("\u202f", "").replace("\u00a0", "").rstrip("*↑↓").strip()
    sign = "%" if text.endswith("%") else ""
    body = text.removesuffix("%").strip()
    if decimal_comma and _DECIMAL_COMMA.fullmatch(body):
        body = body.replace(",", ".")
    elif _THOUSANDS.fullmatch(body) and not decimal_comma:
        body = body.replace(",", "")
    elif _DECIMAL_COMMA.fullmatch(body) and not decimal_comma:
        body = body.replace(",", ".")
    return f"{body}{sign}" if _NUMBER.fullmatch(body) else cell


def as_float(cell: Any) -> float | None:
    """A cleaned cell as a number, percentages as they stand ("38.1%" is 38.1); None for no number."""
    if isinstance(cell, bool) or cell is None:
        return None
    try:
        value = float(str(cell).rstrip("% ") if isinstance(cell, str) else cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if value == value and abs(value) != float("inf") else None


def has_spread(cell: Any) -> bool:
    """Whether a cell is a number with another behind ±."""
    return isinstance(cell, str) and _SPREAD.match(str(plain_text(cell) or "")) is not None


def is_percent(cell: Any) -> bool:
    """Whether a cell carries a percent sign."""
    return isinstance(cell, str) and cell.rstrip().endswith("%")
