"""GridVerdict: what came of verifying a pick and its neighbours, and whether their order is as predicted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.file_format import FileFormat
from planner.base.result import Result
from planner.base.stored import COUNT
from planner.bench.verdict import VERDICT_FILE, Verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Order:
    """Whether predictions put the cells in the order in which measurements do."""

    DERIVED: ClassVar[tuple[str, ...]] = ("passed",)

    name: str
    """"ttft_s" or "tpot_s"."""
    pairs: Annotated[int, COUNT]
    """Pairs of cells whose measurements clearly differ."""
    agreeing: Annotated[int, COUNT]
    """Those that the predictions order alike."""
    inverted: tuple[str, ...]
    """The others, in words."""

    @property
    def passed(self) -> bool:
        return not self.inverted


@dataclass(frozen=True, repr=False)
class GridVerdict(Result):
    """Verdicts of all cells, and of their order."""

    cells: tuple[Annotated[Verdict, VERDICT_FILE], ...]
    """The pick first."""
    orders: tuple[Order, ...]

    @property
    def passed(self) -> bool:
        """Whether no check of any cell failed, and no two cells stand in the wrong order."""
        return all(cell.passed for cell in self.cells) and all(order.passed for order in self.orders)

    @property
    def stable(self) -> bool:
        return all(cell.stable for cell in self.cells)

    def __repr__(self) -> str:
        verdict = "passed" if self.passed else "failed"
        failed = sum(not cell.passed for cell in self.cells)
        inverted = sum(len(order.inverted) for order in self.orders)
        return f"GridVerdict({verdict}, {len(self.cells)} cells, {failed} failed, {inverted} pairs in the wrong order)"

    def to_frame(self) -> pd.DataFrame:
        """The checks of every cell, a row each, with its model."""
        import pandas as pd

        rows = [
            {
                "llm": cell.measurement.model.llm,
                "visual_tokens": cell.measurement.model.visual_tokens,
                **check.to_dict(),
            }
            for cell in self.cells
            for check in cell.checks
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, every cell with its raw samples."""
        return GRID_FILE.to_dict(self)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the verdict") -> GridVerdict:
        """What `to_dict` wrote. Raises InputError."""
        return GRID_FILE.from_dict(content, origin)

    @classmethod
    def restored(cls, **values: Any) -> GridVerdict:
        """A verdict as its file holds it. Raises InputError where nothing was verified."""
        if not values["cells"]:
            raise InputError("cells: expected at least one, got none")
        return cls(**values)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write as JSON, atomically. Raises OutputExistsError."""
        return GRID_FILE.write(path, self, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GridVerdict:
        """Read what `save` wrote. Raises InputError."""
        return GRID_FILE.read(path)


GRID_FILE = FileFormat(
    "vlm-planner grid",
    1,
    GridVerdict,
    "a verdict on a neighbourhood",
    "vlm-planner verify --grid -o",
    derived={"passed": lambda one: one.passed, "stable": lambda one: one.stable},
)
"""The file of the verdicts of a pick and its neighbours."""
