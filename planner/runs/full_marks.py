"""Scores of a table as fractions: percentages by sign, header or a whole column above 1; other marks are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import RunsError
from planner.runs.clean import as_float, is_percent
from planner.runs.headers import header_of

MARKS: Mapping[str, float] = {
    "fraction": 1.0, "percent": 100.0, "mme": 2800.0, "mme_perception": 2000.0, "mme_cognition": 800.0,
    "ocrbench": 1000.0,
}  # fmt: skip
"""Full marks that have a name."""
_LOSS_MAX = 15.0  # nats per token: a guess among 160,000 tokens costs 12
_UNBOUNDED = ("coco", "nocaps", "flickr30k", "textcaps")
_PARTS = {
    "mme_p": 2000.0,
    "mmep": 2000.0,
    "mme_perception": 2000.0,
    "mme_c": 800.0,
    "mmec": 800.0,
    "mme_cognition": 800.0,
    "mme_sum": 2800.0,
    "mmesum": 2800.0,
}


@dataclass(frozen=True)
class Fractions:
    """Cells as fractions."""

    cells: list[Any]
    full_mark: float = 1.0
    note: str = ""


def fractions(
    cells: Sequence[Any], metric: str, task: str, unit: str, scale: Mapping[str, float], origin: str
) -> Fractions:
    """Scores or errors of one task as fractions; cells that cannot be read stay as they are.

    Args:
        cells: numbers or texts, cleaned.
        metric: "error" or "score".
        task: whose they are, "" where no column says it.
        unit: "%" where the header says it.
        scale: full mark by task, or under "" of all.
        origin: what messages call the table.

    Raises:
        RunsError: a value above its full mark, or values whose full mark has to be named.
    """
    numbers = [as_float(cell) for cell in cells]
    known = [number for number in numbers if number is not None]
    named = f"{task} {metric}s" if task else f"{metric}s"
    key = header_of(task).key
    mark = next((scale[name] for name in scale if name.lower() == task.lower()), scale.get("")) if scale else None
    if not known:
        return Fractions(list(cells))
    if mark is None and key in _UNBOUNDED and max(known) > 1:
        raise RunsError(f"{origin}: {task} is scored by CIDEr, which has no full mark, so no error is 1 minus it")
    if mark is None and key in _PARTS and max(known) > 100:
        mark = _PARTS[key]
    if mark is not None:
        return _divided(cells, numbers, mark, f"{named} are read as of {mark:g}", f"{origin}, {named}")
    signs = [is_percent(cell) for cell, number in zip(cells, numbers, strict=True) if number is not None]
    if all(signs) or unit == "%":
        return _divided(cells, numbers, 100.0, f"{named} are percentages", f"{origin}, {named}")
    top, above = max(known), all(number > 1 or number == 0 for number in known)
    if any(signs) or top <= 1 or not above:
        return Fractions(list(cells))
    if metric == "error" and top <= _LOSS_MAX:
        raise RunsError(
            f"{origin}: errors from {min(known):g} to {top:g} are above 1: a loss has no full mark and is not read "
            "as an error; say kind='loss', or name the full mark of errors with scale=, such as percent",
            column=metric,
        )
    if top > 100 or (key.startswith(("ocrbench", "ocr_bench", "mme")) and "realworld" not in key):
        raise RunsError(
            f"{origin}: {named} go up to {top:g}; name their full mark with scale=, such as 2800 for MME, 2000 for its "
            "perception or 1000 for OCRBench",
            column=metric,
        )
    return _divided(cells, numbers, 100.0, f"{named} from {min(known):g} to {top:g} are read as percent", origin)


def _divided(cells: Sequence[Any], numbers: Sequence[float | None], mark: float, note: str, where: str) -> Fractions:
    out: list[Any] = []
    for cell, number in zip(cells, numbers, strict=True):
        if number is not None and number > mark * (1 + 1e-9):
            raise RunsError(f"{where}: {cell} is above the full mark {mark:g}")
        out.append(cell if number is None else number / mark)
    return Fractions(out, mark, note if mark != 1 else "")
