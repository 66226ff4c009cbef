"""Which (LLM, visual tokens) a reading belongs to: no format says it, so a pattern or a map of the user's does."""

from __future__ import annotations

import csv
import io
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, QuantityError, RunsError
from planner.base.quantities import format_params, parse_params, shown
from planner.runs.results.reading import Reading

MAP_COLUMNS = ("model", "llm", "llm_params", "visual_tokens", "compressor")
"""Columns of a map of models; compressor may be left out, "seed" may be added."""

_GROUPS = {
    "llm": "llm", "tokens": "visual_tokens", "visual_tokens": "visual_tokens", "llm_params": "llm_params",
    "params": "llm_params", "size": "llm_params", "compressor": "compressor", "seed": "seed",
}  # fmt: skip
_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:[._]\d+)?)\s*([BMbm])(?![A-Za-z0-9])")
_SMALLEST_LLM_PARAMS = 1e5


@dataclass(frozen=True)
class Cell:
    """What was trained: an LLM with a number of visual tokens."""

    llm: str
    llm_params: float
    """Size of the LLM, in parameters."""
    visual_tokens: float
    """Visual tokens per image that enter the LLM."""
    compressor: str = ""
    seed: str = ""

    @property
    def title(self) -> str:
        """How messages and tables call it."""
        more = [part for part in (self.compressor, f"seed {self.seed}" if self.seed else "") if part]
        return ", ".join([f"{self.llm} at {self.visual_tokens:g} tokens", *more])

    @property
    def order(self) -> tuple[Any, ...]:
        """By size, then tokens."""
        return (self.llm_params, self.llm, self.visual_tokens, self.compressor, self.seed)


def holes_of(cells: Sequence[Cell]) -> list[str]:
    """Pairs of an LLM and a number of visual tokens that were not evaluated, though both were; by compressor."""
    found = []
    for compressor in dict.fromkeys(one.compressor for one in cells):
        own = [one for one in cells if one.compressor == compressor]
        there = {(one.llm, one.visual_tokens) for one in own}
        counts = sorted({one.visual_tokens for one in own})
        for llm in dict.fromkeys(one.llm for one in own):
            found += [
                f"{llm} at {tokens:g} tokens{f' ({compressor})' if compressor else ''}"
                for tokens in counts
                if (llm, tokens) not in there
            ]
    return found


class Cells(ABC):
    """Finds the cell of a reading."""

    option: str
    """What messages call it."""

    @abstractmethod
    def of(self, reading: Reading) -> Cell | None:
        """The cell, None where the reading's model is not meant. Raises InputError for one that cannot be."""


class Pattern(Cells):
    """Cells by a regular expression with the groups llm and tokens, and maybe llm_params, compressor and seed.

    It is searched for in the model's name, then in its arguments, its path, and all of them in one.
    """

    option = "cell"

    def __init__(self, pattern: str) -> None:
        """Raises InputError for what is no regular expression, or names no tokens."""
        try:
            self.pattern = re.compile(pattern)
        except re.error as error:
            raise InputError(f"cell: {shown(pattern)} is not a regular expression: {error}") from None
        groups = set(self.pattern.groupindex)
        unknown = sorted(groups - set(_GROUPS))
        if unknown or not groups & {"tokens", "visual_tokens"}:
            what = f"the group {shown(unknown[0])} is not known" if unknown else "no group says the visual tokens"
            raise InputError(
                f"cell: {what}; expected (?P<llm>...) and (?P<tokens>...), and maybe llm_params, compressor and seed, "
                f"got {shown(pattern)}"
            )

    def of(self, reading: Reading) -> Cell | None:
        found = next((found for text in reading.cell_texts if (found := self.pattern.search(text))), None)
        if found is None:
            return None
        parts = {_GROUPS[name]: value for name, value in found.groupdict().items() if value is not None}
        named = parts.get("llm", "")
        llm = named or reading.llm
        if not llm:
            raise InputError(f"cell: no LLM for {shown(reading.model)}; add a group (?P<llm>...) to the pattern")
        after = found.string[found.end("llm") : found.end("llm") + 1] if named else ""
        size = parts.get("llm_params") or _size_text(reading.llm) or _size_text(named) or _size_text(named + after)
        if not size:
            raise InputError(
                f"cell: the LLM {shown(llm)} of {shown(reading.model)} does not say its size; find it with its unit as "
                "(?P<llm_params>...), or give a map of models with cells="
            )
        if named and named[-1:].isdigit() and after.lower() in ("b", "m") and _size_text(named + after):
            llm = named + after
        return Cell(
            llm=llm,
            llm_params=_params(size, f"cell: {shown(reading.model)}"),
            visual_tokens=_tokens(parts.get("visual_tokens", ""), f"cell: {shown(reading.model)}"),
            compressor=parts.get("compressor", ""),
            seed=parts.get("seed", "") or reading.seed,
        )


class Map(Cells):
    """Cells by a table: one row for each model."""

    option = "cells"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read a map of models. Raises RunsError with the line that cannot be used."""
        from planner.runs.importers import sheet_of

        sheet = sheet_of(path)
        for name in ("model", "llm", "llm_params", "visual_tokens"):
            if name not in sheet.columns:
                raise RunsError(
                    f"cells: {sheet.origin} lacks the column {name!r}; expected {', '.join(MAP_COLUMNS)}; "
                    "results_skeleton writes the table to fill in"
                )
        self.cells: dict[str, Cell] = {}
        for i, row in enumerate(sheet.rows):
            place = f"cells: {sheet.origin}, {row}"
            model = sheet.columns["model"][i]
            if model is None or all(sheet.columns[name][i] is None for name in ("llm", "llm_params", "visual_tokens")):
                continue  # a line of the skeleton that was left empty: that model is left out
            llm = sheet.columns["llm"][i]
            if llm is None:
                raise RunsError(f"{place}: the llm of {shown(model)} is empty; fill it in or empty the whole line")
            if str(model) in self.cells:
                raise RunsError(f"{place}: the model {shown(model)} stands twice; keep one line")
            compressor, seed = (sheet.columns.get(name, [None] * (i + 1))[i] for name in ("compressor", "seed"))
            self.cells[str(model)] = Cell(
                llm=str(llm),
                llm_params=_params(str(sheet.columns["llm_params"][i] or ""), place),
                visual_tokens=_tokens(str(sheet.columns["visual_tokens"][i] or ""), place),
                compressor=str(compressor or ""),
                seed=str(seed or ""),
            )
        if not self.cells:
            raise RunsError(f"cells: {sheet.origin} fills in no model; expected {', '.join(MAP_COLUMNS)}")

    def of(self, reading: Reading) -> Cell | None:
        return self.cells.get(label(reading)) or self.cells.get(reading.model)


def label(reading: Reading) -> str:
    """What a map calls a model: its name, with its other arguments where it has any."""
    arguments = reading.names[0] if len(reading.names) > 1 else ""
    others = [part for part in arguments.split(",") if part and reading.model not in part]
    return f"{reading.model} [{','.join(others)}]" if others else reading.model


def skeleton(readings: Iterable[Reading]) -> str:
    """A map of models to be filled in, as CSV: what the files name of an LLM stands there, a whole model's size not."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(MAP_COLUMNS)
    seen: dict[str, Reading] = {}
    for reading in readings:
        seen.setdefault(label(reading), reading)
    for name, reading in seen.items():
        writer.writerow([name, reading.llm, _size_text(reading.llm), "", ""])
    return text.getvalue()


def _size_text(name: str) -> str:
    """The size in the name of an LLM, "" where there is none or more than one."""
    found = {f"{number.replace('_', '.')}{unit.upper()}" for number, unit in _SIZE.findall(name.replace("_", "-"))}
    return found.pop() if len(found) == 1 else ""


def _params(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        try:
            value = parse_params(text)
        except QuantityError:
            raise InputError(f"{place}: the LLM's size {shown(text)} is no size; expected 7B or 7e9") from None
    if not _SMALLEST_LLM_PARAMS <= value < float("inf"):
        raise InputError(f"{place}: {shown(text)} is too small to be a parameter count; write 7B or 7e9")
    return value


def _tokens(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(f"{place}: expected the visual tokens per image as a number above 0, got {shown(text)}")
    return value


def size_note(reading: Reading, cell: Cell) -> str:
    """A remark where a model's name says another size than the LLM's inside it has."""
    named = _size_text(reading.model)
    if not reading.llm or not named or not abs(parse_params(named) / cell.llm_params - 1) > 0:
        return ""
    return (
        f"{reading.model}: its LLM is {reading.llm}, so N is {format_params(cell.llm_params)}, not the {named} of the "
        "whole model's name"
    )
