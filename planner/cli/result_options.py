"""Options of evaluation results, the same wherever measured runs are read: import, fit, compare, holdout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.runs.results import Imported, import_results

T = TypeVar("T")

Cell = Annotated[
    str | None,
    typer.Option(
        "--cell",
        help=r"Regular expression that finds LLM and tokens in a model's name: 'llava-(?P<llm>.+)-tp(?P<tokens>\d+)'.",
    ),
]
CellMap = Annotated[
    str | None, typer.Option("--cells", help="Instead: CSV with model, llm, llm_params, visual_tokens, compressor.")
]
Tasks = Annotated[str, typer.Option("--tasks", help="Of evaluation results: take these tasks only, by commas.")]
SuiteName = Annotated[str | None, typer.Option("--suite", help="Named set of tasks: text, tokenpacker or openvlm.")]
Metric = Annotated[
    list[str] | None, typer.Option("--metric", help="Metric of a task, as pope=f1; repeatable.", metavar="TASK=NAME")
]
Scale = Annotated[
    list[str] | None,
    typer.Option("--scale", help="Full mark of a task's metric, as my_task=100; repeatable.", metavar="TASK=MARK"),
]
Mean = Annotated[
    str | None,
    typer.Option("--mean", help="common: mean over the tasks of all cells; by-task: one row per task."),
]
Chance = Annotated[bool, typer.Option("--chance", help="Count scores from what guessing gives.")]
ChanceLevel = Annotated[
    list[str] | None,
    typer.Option(
        "--chance-level", help="What guessing gives on a task, as my_task=0.25; repeatable.", metavar="TASK=P"
    ),
]
Duplicates = Annotated[
    str, typer.Option("--duplicates", help="Several results of one cell and task: latest, mean, seed or error.")
]
FormatName = Annotated[str, typer.Option("--format", help="Format of the results; auto: each file says it itself.")]


@dataclass(frozen=True)
class ResultOptions:
    """What was said about evaluation results."""

    cell: str | None = None
    cells: str | None = None
    tasks: str = ""
    suite: str | None = None
    metric: Sequence[str] | None = None
    scale: Sequence[str] | None = None
    mean: str | None = None
    chance: bool = False
    chance_level: Sequence[str] | None = None
    duplicates: str = "latest"
    format: str = "auto"

    @property
    def names_cells(self) -> bool:
        """Whether evaluation results are meant, not a table of runs."""
        return self.cell is not None or self.cells is not None

    def read(self, paths: Sequence[str]) -> Imported:
        """Import results as the options say."""
        return import_results(
            list(paths),
            cell=self.cell,
            cells=self.cells,
            tasks=[part.strip() for part in self.tasks.split(",") if part.strip()],
            suite=self.suite,
            metric=pairs(self.metric, "--metric", "pope=f1", str),
            scale=pairs(self.scale, "--scale", "my_task=100", number),
            mean=self.mean or "common",
            chance=self.chance,
            chance_level=pairs(self.chance_level, "--chance-level", "my_task=0.25", number),
            duplicates=self.duplicates,
            format=self.format,
        )


def pairs(texts: Sequence[str] | None, option: str, example: str, convert: Callable[[str], T]) -> dict[str, T]:
    """NAME=VALUE texts as a dictionary. Raises InputError for one of another shape."""
    found: dict[str, T] = {}
    for text in texts or ():
        name, equals, value = (part.strip() for part in text.partition("="))
        try:
            if not (name and equals and value):
                raise ValueError
            found[name] = convert(value)
        except ValueError:
            raise InputError(f"{option}: expected {example} or the like, got {shown(text)}") from None
    return found


def number(text: str) -> float:
    """A plain number; "percent" stands for 100. Raises ValueError."""
    return 100.0 if text == "percent" else float(text)
