"""Runs: a checked table of measured runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import RunsError
from planner.base.quantities import shown

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

REQUIRED = ("llm", "llm_params", "visual_tokens")
OPTIONAL_NUMBERS = ("error_se", "samples", "text_tokens")
OPTIONAL_TEXTS = ("task", "compressor", "source", "note", "seed")
ERROR, LOSS = "error", "loss"
KINDS = (ERROR, LOSS)
"""What the column `error` may hold: fractions, of which a score is the rest, or losses, of any size."""
COLUMNS = (*REQUIRED, "error", "score", *OPTIONAL_NUMBERS, *OPTIONAL_TEXTS)

_ERROR_WORD = re.compile(r"(?<!standard )\berror(s?)\b")


def in_words(text: str, kind: str) -> str:
    """A sentence about errors as it is said of what was measured: "the loss falls" of losses."""
    if kind == ERROR:
        return text
    return _ERROR_WORD.sub(lambda found: f"{kind}{'es' if found[1] else ''}", text)


@dataclass(frozen=True, eq=False)
class Runs:
    """A checked table of measured runs; every array has one entry a run. Make it with `read_runs`."""

    llm: tuple[str, ...]
    """Name of the language model."""
    llm_params: FloatArray
    """Nominal size of the language model, in parameters."""
    visual_tokens: FloatArray
    """Visual tokens per image that enter the LLM; 0 for a run without an image."""
    error: FloatArray
    """Average downstream error, 0 to 1; of kind "loss", a loss."""
    error_se: FloatArray | None = None
    """Standard error of `error`."""
    samples: FloatArray | None = None
    """Evaluated samples behind `error`."""
    text_tokens: FloatArray | None = None
    """Text tokens of a prompt."""
    task: tuple[str, ...] | None = None
    compressor: tuple[str, ...] | None = None
    source: tuple[str, ...] | None = None
    note: tuple[str, ...] | None = None
    seed: tuple[str, ...] | None = None
    kind: str = ERROR
    """"error" or "loss"."""
    remarks: tuple[str, ...] = ()
    """What reading the table left out or merged, in sentences."""

    def __len__(self) -> int:
        return len(self.llm)

    def sha256(self) -> str:
        """Fingerprint of everything that a fit reads, whatever the order of the rows."""
        import hashlib  # loads OpenSSL, which most runs do without

        numbers = {
            name: getattr(self, name) for name in ("llm_params", "visual_tokens", "error", "error_se", "samples")
        }
        columns = {"llm": self.llm} | {name: column.tolist() for name, column in numbers.items() if column is not None}
        kind = [] if self.kind == ERROR else [self.kind]
        rows = [*kind, repr(tuple(columns)), *sorted(map(repr, zip(*columns.values(), strict=True)))]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def take(self, keep: Sequence[int] | NDArray[Any]) -> Runs:
        """The rows of the given positions, or those where a mask is true."""
        wanted = np.asarray(keep)
        index = np.arange(len(self))[wanted if wanted.size else wanted.astype(int)]
        changes: dict[str, Any] = {}
        for name in COLUMNS:
            column = getattr(self, name, None)
            if isinstance(column, tuple):
                changes[name] = tuple(column[i] for i in index)
            elif column is not None:
                changes[name] = column[index]
        return replace(self, **changes)

    def select(self, *, task: str | None = None, compressor: str | None = None, llm: str | None = None) -> Runs:
        """The rows of one task, compressor or LLM.

        Raises:
            RunsError: no such rows; the text lists what there is.
        """
        chosen = self
        for column, wanted in (("task", task), ("compressor", compressor), ("llm", llm)):
            if wanted is None:
                continue
            values: tuple[str, ...] = getattr(chosen, column) or ()
            mask = [value.lower() == wanted.lower() for value in values]
            if not any(mask):
                there = f"there are: {', '.join(dict.fromkeys(values))}" if values else "the table has no such column"
                raise RunsError(f"no run has {column} {shown(wanted)}; {there}", column=column)
            chosen = chosen.take(np.array(mask))
        return chosen

    def to_frame(self) -> pd.DataFrame:
        """The table as a pandas DataFrame, in the columns that `read_runs` reads."""
        import pandas as pd

        return pd.DataFrame(self.columns())

    def columns(self) -> dict[str, Any]:
        """The columns that the table has, by name."""
        named = ((field.name, getattr(self, field.name)) for field in fields(self) if field.name in COLUMNS)
        return {name: column for name, column in named if column is not None}
