"""Which column of anybody's table is which of ours: synonyms of headers, and what the user maps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from planner.base.dataclass import dataclass
from planner.base.errors import RunsError, UnknownNameError
from planner.base.quantities import shown
from planner.runs.table import COLUMNS, ERROR, LOSS, in_words

VALUES = "values"
"""What a map calls the cells of a wide table, which have no header of their own: error=values."""

FAMILIES = ("family", "llm_family", "model_family")
"""Headers of the names of families, which with the sizes beside them name language models."""

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "llm": (
        "llm", "language_model", "llm_name", "backbone", "base_llm", "lm", "model", "model_name", "name", *FAMILIES,
    ),
    "llm_params": (
        "llm_params", "params", "parameters", "n_params", "num_params", "llm_size", "model_size", "size",
        "n_parameters", "llm_parameters", "parameter_count", "n",
    ),
    "visual_tokens": (
        "visual_tokens", "vision_tokens", "image_tokens", "img_tokens", "vis_tokens", "n_visual_tokens",
        "num_visual_tokens", "num_vision_tokens", "num_image_tokens", "visual_token_count", "vtokens", "tokens",
        "n_tokens", "num_tokens", "token_count", "tokens_per_image", "visual_token", "token", "t", "v",
    ),
    "error": ("error", "err", "error_rate", "test_error", "mean_error"),
    "score": ("score", "accuracy", "acc", "exact_match", "em", "performance", "top_1", "result", "metric_value"),
    "error_se": (
        "error_se", "standard_error", "std_error", "stderr", "std_err", "se", "sem", "score_se", "acc_se", "acc_stderr",
    ),
    "samples": ("samples", "n_samples", "num_samples", "questions", "n_questions", "n_items"),
    "task": ("task", "benchmark", "dataset", "eval", "task_name"),
    "compressor": ("compressor", "compression", "compression_method", "method", "token_compressor"),
    "seed": ("seed", "random_seed", "repetition"),
}  # fmt: skip
"""Headers by our column, the surest first; letters without regard to case, blanks and hyphens as underscores."""

LOSSES = (
    "loss", "val_loss", "valid_loss", "validation_loss", "eval_loss", "test_loss", "heldout_loss", "nll", "log_loss",
    "cross_entropy", "ce_loss", "lm_loss",
)  # fmt: skip
"""Headers of a loss, which has no full mark and no score beside it."""

_BILLIONS = re.compile(r"(?:_in)?_(?:b|bn|billions?|billion_params|1e9)$")
_MILLIONS = re.compile(r"(?:_in)?_(?:m|millions?)$")
_PERCENT = re.compile(r"(?:_in)?_(?:pct|percent|percentage)$")
_ASIDE = re.compile(r"[\(\[]([^)\]]*)[)\]]")


@dataclass(frozen=True)
class Header:
    """A header without its unit."""

    key: str
    """In small letters, with underscores."""
    unit: str = ""
    """"%" for percentages, "B" or "M" for billions or millions of parameters."""


@dataclass(frozen=True)
class Mapped:
    """How the columns of a table are read."""

    columns: Mapping[str, str]
    """Header by our column."""
    units: Mapping[str, str]
    """Unit by our column, where a header says one."""
    renamed: tuple[str, ...]
    """Those that are read under another name, in words: "N as llm_params"."""


def header_of(name: str) -> Header:
    """A header's words and unit."""
    text, unit = str(name).strip(), ""
    aside = _ASIDE.search(text)
    if aside is not None:
        inside = aside[1].strip().lower()
        unit = (
            "%"
            if inside in ("%", "percent", "pct")
            else "B"
            if inside in ("b", "bn", "billion", "billions")
            else ("M" if inside in ("m", "million", "millions") else "")
        )
        text = _ASIDE.sub("", text)
    if "%" in text:
        text, unit = text.replace("%", " "), "%"
    key = re.sub(r"[\s\-./:]+", "_", text.replace("#", " n ").strip().lower()).strip("_*↑↓ ")
    for pattern, named in ((_BILLIONS, "B"), (_MILLIONS, "M"), (_PERCENT, "%")):
        if not unit and pattern.search(key):
            key, unit = pattern.sub("", key), named
    return Header(key, unit)


def loss_header(names: Sequence[str]) -> str | None:
    """The header that says that the column holds a loss, if one does."""
    return next((name for name in names if name and header_of(name).key in LOSSES), None)


def mapped(names: Sequence[str], given: Mapping[str, str], origin: str, kind: str = ERROR) -> Mapped:
    """Our columns in a table of any headers.

    Args:
        names: the headers.
        given: header by our column, as the user maps them.
        origin: what messages call the table.
        kind: "error" or "loss": what the table holds.

    Raises:
        UnknownNameError: a mapped column that is none of ours.
        RunsError: a mapped header that is not there, or two headers that may mean the same column.
    """
    columns: dict[str, str] = {}
    for ours, header in given.items():
        if ours not in COLUMNS:
            raise UnknownNameError("column of runs (map=)", ours, COLUMNS)
        if header != VALUES and header not in names:
            raise RunsError(f"{origin}: map names the column {shown(header)}, there are: {', '.join(names)}")
        columns[ours] = header
    taken = set(columns.values())
    own_loss = loss_header([name for name in names if name not in taken]) if kind == LOSS else None
    if own_loss is not None and "error" not in columns:
        columns["error"] = own_loss
        taken.add(own_loss)
    columns |= {ours: ours for ours in COLUMNS if ours in names and ours not in columns and ours not in taken}
    parsed = {name: header_of(name) for name in names if name and name not in columns.values()}
    for ours, synonyms in SYNONYMS.items():
        if ours in columns or (ours in ("error", "score") and {"error", "score"} & set(columns)):
            continue
        near = [name for name, header in parsed.items() if header.key in synonyms and name not in columns.values()]
        if ours == "llm":
            near = sorted(near, key=lambda name: synonyms.index(parsed[name].key))[:1]
        if len(near) > 1:
            raise RunsError(f"{origin}: {' and '.join(map(shown, near))} may both be {ours}; name one with map=")
        if near:
            columns[ours] = near[0]
    units = {ours: header_of(name).unit for ours, name in columns.items() if name != VALUES and header_of(name).unit}
    renamed = tuple(
        f"{name} as {in_words(ours, kind)}" + (f" in {_UNITS[units[ours]]}" if ours in units else "")
        for ours, name in columns.items()
        if name not in (ours, VALUES)
    )
    return Mapped({ours: name for ours, name in columns.items() if name != VALUES}, units, renamed)


_UNITS = {"B": "billions", "M": "millions", "%": "percent"}
