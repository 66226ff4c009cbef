"""Any table of measured runs -> one row for each run under our headers, with what was done to it in sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import QuantityError
from planner.base.quantities import format_params, parse_params
from planner.runs.benchmarks import is_average, is_benchmark
from planner.runs.clean import as_float, has_spread, is_percent, number_text, plain_name
from planner.runs.full_marks import fractions
from planner.runs.headers import FAMILIES, VALUES, header_of, mapped
from planner.runs.importers.sheet import Sheet
from planner.runs.table import ERROR, LOSS, OPTIONAL_NUMBERS, REQUIRED

_TOKENS_HEADER = re.compile(
    r"(?:(?:t|v|n|tok|tokens?|vis\w*|visual_tokens)_?=?_?)?(\d+(?:_\d+)?)(?:_?(?:tok|tokens?|visual_tokens))?"
)
_FAMILY_MIN = 3  # sizes under one name; two are rather a slip
_AVERAGE_ROW = re.compile(r"(?i)^(avg\.?|average|mean|overall|total|Δ|delta|diff\w*|improvement)\b")
_NUMBERS = (*REQUIRED[1:], "error", "score", *OPTIONAL_NUMBERS)


@dataclass
class RawTable:
    """Columns of raw cells, while they are put in order."""

    columns: dict[str, list[Any]]
    rows: list[str]
    notes: list[str] = field(default_factory=list)

    def keep(self, wanted: Sequence[bool]) -> None:
        """Drop the other rows."""
        for name, cells in self.columns.items():
            self.columns[name] = [cell for cell, keep in zip(cells, wanted, strict=True) if keep]
        self.rows = [row for row, keep in zip(self.rows, wanted, strict=True) if keep]


def arranged(
    sheet: Sheet,
    given: Mapping[str, str] | None = None,
    scale: Mapping[str, float] | None = None,
    kind: str = ERROR,
) -> tuple[Sheet, tuple[str, ...]]:
    """A sheet under our headers, its scores as fractions where their scale is sure, and remarks on what was done.

    Args:
        sheet: raw cells.
        given: header by our column, as the user maps them.
        scale: full mark by task, or under "" of all scores.
        kind: "error" or "loss"; a loss is taken as it stands.

    Raises:
        RunsError: a mapped header that is not there, two headers for one column, scores of unknown scale.
    """
    table = RawTable({name: list(cells) for name, cells in sheet.columns.items()}, list(sheet.rows))
    found = mapped(list(table.columns), given or {}, sheet.origin, kind)
    as_error = kind == LOSS or (given or {}).get("error") == VALUES
    used = dict(found.columns)
    others = [name for name in table.columns if name not in used.values()]
    if found.renamed:
        table.notes.append(f"columns read: {', '.join(found.renamed)}")
    ours: dict[str, list[Any]] = {}
    for name, header in used.items():
        clean = [
            number_text(cell, sheet.decimal_comma) if name in _NUMBERS else plain_name(cell)
            for cell in table.columns[header]
        ]
        ours[name] = _parameters(clean, found.units.get(name, "")) if name == "llm_params" else clean
    spread = [name for name, cells in sheet.columns.items() if any(map(has_spread, cells))]
    if spread:
        table.notes.append(
            f"what stands behind ± in {', '.join(spread[:4])} is not read, for it may be a deviation or an error: give "
            "standard errors as a column error_se"
        )
    rest = {name: table.columns[name] for name in others}
    table.columns = ours | rest
    drop_averages(table, "llm" if "llm" in ours else None)
    if "llm" not in table.columns and used.get("llm_params", "llm_params") != "llm_params":
        table.columns["llm"] = [_named(cell) for cell in table.columns["llm_params"]]
        table.notes.append("no column names the LLM: runs of one size count as one LLM")
    metric = next((name for name in ("error", "score") if name in table.columns), None)
    if metric is None:
        _melt(table, others, kind if kind == LOSS else ERROR if as_error else "score", scale or {}, sheet)
    else:
        drop_relative(table, [metric])
        if kind == ERROR:
            _scaled(table, metric, found.units.get(metric, ""), scale or {}, sheet.origin)
    if "llm" in found.columns and header_of(found.columns["llm"]).key in FAMILIES:
        _name_family(table)
    _name_sizes(table)
    return Sheet(table.columns, sheet.origin, table.rows, sheet.decimal_comma), tuple(table.notes)


def _parameters(cells: list[Any], unit: str) -> list[Any]:
    """Sizes with the unit of their header: 7 under "params (B)" is 7B; a decimal comma is read before a unit too."""
    out = []
    for cell in cells:
        text = cell
        if isinstance(cell, str) and re.fullmatch(r"\d+,\d+\s*[BbMm]", cell.strip()):
            text = cell.replace(",", ".")
        if unit and as_float(text) is not None and not is_percent(text):
            text = f"{text}{unit}"
        out.append(text)
    return out


def _name_family(table: RawTable) -> None:
    """Names of families with the sizes beside them: "Qwen2" of 7B is Qwen2-7B."""
    names, sizes = table.columns["llm"], table.columns.get("llm_params")
    if not sizes:
        return
    named = []
    for name, size in zip(names, sizes, strict=True):
        said = str(_named(size) or "")
        named.append(f"{name}-{said}" if name and said and said.lower() not in str(name).lower() else name)
    if named != names:
        table.columns["llm"] = named
        table.notes.append("language models are named by their family and their size")


def _name_sizes(table: RawTable) -> None:
    """Where one name stands for many sizes it is that of a family: the size becomes part of the name."""
    names, sizes = table.columns.get("llm"), table.columns.get("llm_params")
    if not names or not sizes or len(set(names)) > 1 or names[0] is None or len(set(map(_named, sizes))) < _FAMILY_MIN:
        return
    table.columns["llm"] = [f"{name}-{_named(size)}" for name, size in zip(names, sizes, strict=True)]
    table.notes.append(f"{names[0]} stands for all sizes: each size counts as an LLM of its own")


def _named(size: Any) -> Any:
    try:
        value = as_float(size)
        return format_params(value if value is not None else parse_params(str(size)))
    except (QuantityError, TypeError):
        return None


def drop_averages(table: RawTable, label: str | None) -> None:
    """Rows that are averages or differences of others."""
    if label is None:
        return
    cells = [str(cell) if cell is not None else "" for cell in table.columns[label]]
    wanted = [not _AVERAGE_ROW.match(cell) for cell in cells]
    if all(wanted):
        return
    dropped = [cell for cell, keep in zip(cells, wanted, strict=True) if not keep]
    table.keep(wanted)
    table.notes.append(f"rows of averages left out: {', '.join(dict.fromkeys(dropped))}")


def drop_relative(table: RawTable, names: Sequence[str]) -> None:
    """Rows of percentages among rows without: shares of another row's scores, such as a "100 %" row."""
    signs = [[is_percent(number_text(table.columns[name][i])) for name in names] for i in range(len(table.rows))]
    share = [all(row) for row in signs]
    if not len(table.rows) or all(share) or not any(share):
        return
    if len(names) == 1 and sum(share) * 2 >= len(share):
        return
    if len(names) == 1 and not all(
        str(table.columns[names[0]][i]).replace(" ", "").startswith("100") for i, one in enumerate(share) if one
    ):
        return
    dropped = [row for row, one in zip(table.rows, share, strict=True) if one]
    table.keep([not one for one in share])
    table.notes.append(f"rows of percentages of another row left out: {', '.join(dropped[:6])}")


def _melt(table: RawTable, others: Sequence[str], held: str, scale: Mapping[str, float], sheet: Sheet) -> None:
    """A wide table: one column for each number of tokens, or for each task."""
    tokens = {
        name: found[1].replace("_", ".") for name in others if (found := _TOKENS_HEADER.fullmatch(header_of(name).key))
    }
    if "visual_tokens" not in table.columns and len(tokens) > 1:
        value = "score" if held == "score" else "error"
        table.notes.append(
            f"columns {', '.join(list(tokens)[:4])}{', ...' if len(tokens) > 4 else ''} read as visual_tokens, their "
            f"cells as {'losses' if held == LOSS else f'{held}s'}"
            + (" (map error=values for errors)" if held == "score" else "")
        )
        _stack(table, tokens, "visual_tokens", value, sheet)
        if held != LOSS:
            _scaled(table, value, "", scale, sheet.origin)
        return
    averages = [name for name in others if is_average(name)]
    tasks = {name: name for name in others if is_benchmark(header_of(name).key) and name not in averages}
    if not tasks or held == LOSS:
        return
    if averages:
        table.notes.append(f"averages left out: {', '.join(averages)}")
        for name in averages:
            del table.columns[name]
    drop_relative(table, list(tasks))
    for name in tasks:
        unit = header_of(name).unit
        read = fractions(
            [number_text(cell, sheet.decimal_comma) for cell in table.columns[name]],
            "score",
            name,
            unit,
            scale,
            sheet.origin,
        )
        table.columns[name] = read.cells
        if read.note:
            table.notes.append(read.note)
    _stack(table, tasks, "task", "score", sheet)


def _stack(table: RawTable, titles: Mapping[str, str], under: str, value: str, sheet: Sheet) -> None:
    """Several columns as one, with their titles in another; cells without a value make no row, and are named."""
    kept = [name for name in table.columns if name not in titles]
    columns: dict[str, list[Any]] = {name: [] for name in (*kept, under, value)}
    rows: list[str] = []
    gaps: list[str] = []
    for name, title in titles.items():
        for i, row in enumerate(table.rows):
            cell = number_text(table.columns[name][i], sheet.decimal_comma)
            if cell is None:
                gaps.append(f"{row}, {name}")
                continue
            for one in kept:
                columns[one].append(table.columns[one][i])
            columns[under].append(title)
            columns[value].append(cell)
            rows.append(f"{row}, {name}")
    table.columns, table.rows = columns, rows
    if gaps:
        table.notes.append(f"no result in {'; '.join(gaps[:6])}{f' and {len(gaps) - 6} more' if len(gaps) > 6 else ''}")


def _scaled(table: RawTable, metric: str, unit: str, scale: Mapping[str, float], origin: str) -> None:
    """Scores or errors as fractions, task by task where a column names tasks."""
    tasks = table.columns.get("task") or [None] * len(table.rows)
    cells = table.columns[metric]
    for task in dict.fromkeys(tasks):
        where = [i for i, one in enumerate(tasks) if one == task]
        read = fractions([cells[i] for i in where], metric, str(task or ""), unit, scale, origin)
        for i, cell in zip(where, read.cells, strict=True):
            cells[i] = cell
        if read.note and read.note not in table.notes:
            table.notes.append(read.note)
        if read.full_mark != 1.0 and "error_se" in table.columns:
            own = table.columns["error_se"]
            for i in where:
                number = as_float(own[i])
                own[i] = own[i] if number is None else number / read.full_mark
