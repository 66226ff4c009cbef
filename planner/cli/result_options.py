"""Options of evaluation results, the same wherever measured runs are read: import, fit, compare, holdout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, TypeVar, get_type_hints

import typer

import planner
from planner.base.dataclass import dataclass
from planner.base.errors import InputError, RunsError
from planner.base.quantities import shown
from planner.cli.added_options import added_option, with_options
from planner.runs.read import full_marks
from planner.runs.results import Imported, import_results
from planner.runs.results.combine import COMMON, MEANS, check_choice
from planner.runs.results.importing import suggest
from planner.runs.table import LOSS
from planner.runs.tasks import mixed, task_names

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
    typer.Option(
        "--scale",
        help="Full mark of a task, as my_task=100; of a table's scores: percent, mme, 100.",
        metavar="TASK=MARK",
    ),
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
RunsPaths = Annotated[
    list[str],
    typer.Argument(metavar="RUNS...", help="Table of measured runs; with --cell or --cells: evaluation results."),
]
ErrorSe = Annotated[
    str, typer.Option(help="relative (residuals tell the noise), or absolute (standard errors as they stand).")
]
Kind = Annotated[
    str | None,
    typer.Option(help="error (0 to 1), or loss (of any size, no score); default: loss where a header says so."),
]
ColumnMap = Annotated[
    list[str] | None,
    typer.Option("--map", help="Header of a column, as visual_tokens=budget; repeatable.", metavar="COLUMN=HEADER"),
]


PARAMETER = "results"


@dataclass(frozen=True)
class ResultOptions:
    """What was said about evaluation results; each field is an option of the verbs that `takes_results`."""

    cell: Cell = None
    cells: CellMap = None
    tasks: Tasks = ""
    suite: SuiteName = None
    metric: Metric = None
    scale: Scale = None
    mean: Mean = None
    chance: Chance = False
    chance_level: ChanceLevel = None
    duplicates: Duplicates = "latest"
    format: FormatName = "auto"

    @property
    def names_cells(self) -> bool:
        """Whether evaluation results are meant, not a table of runs."""
        return self.cell is not None or self.cells is not None

    def marks(self) -> dict[str, float]:
        """Full marks by task; under "" that of all scores of a table. Raises InputError."""
        named = [text for text in self.scale or () if "=" in text]
        bare = dict.fromkeys([""], next((text for text in self.scale or () if "=" not in text), ""))
        bare = {task: text for task, text in bare.items() if text}
        if bare and self.names_cells:
            raise InputError(f"--scale: expected my_task=100 or the like, got {shown(bare[''])}")
        return full_marks(pairs(named, "--scale", "my_task=100", str) | bare)

    def read(self, paths: Sequence[str]) -> Imported:
        """Import results as the options say."""
        return import_results(
            list(paths),
            cell=self.cell,
            cells=self.cells,
            tasks=[part.strip() for part in self.tasks.split(",") if part.strip()],
            suite=self.suite,
            metric=pairs(self.metric, "--metric", "pope=f1", str),
            scale=self.marks(),
            mean=self.mean or "common",
            chance=self.chance,
            chance_level=pairs(self.chance_level, "--chance-level", "my_task=0.25", number),
            duplicates=self.duplicates,
            format=self.format,
        )


def takes_results(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the options of evaluation results in the place of its parameter `results`, which gets them all."""
    hints = get_type_hints(ResultOptions, include_extras=True)
    options = [added_option(one.name, hints[one.name], one.default) for one in fields(ResultOptions)]
    return with_options(verb, PARAMETER, options, lambda given: ResultOptions(**given))


def read_table(
    paths: Sequence[str], said: ResultOptions, map: Sequence[str] | None, kind: str | None = None
) -> planner.Runs:
    """Measured runs from one table, or from evaluation results where the options name their cells.

    Raises:
        InputError: options of results with a table, or results without --cell and --cells.
        RunsError: as `read_runs` and `import_results`.
    """
    if said.names_cells:
        if kind == LOSS:
            raise InputError("--kind loss: evaluation results are scores; leave out --kind, or give a table of losses")
        return said.read(paths).runs
    given = {
        "--suite": said.suite,
        "--metric": said.metric,
        "--chance": said.chance,
        "--chance-level": said.chance_level,
    }
    given["--duplicates"], given["--format"] = said.duplicates != "latest", said.format != "auto"
    wrong = next((option for option, value in given.items() if value), None)
    results = wrong is None and (len(paths) > 1 or Path(paths[0]).is_dir() or bool(suggest(paths)))
    if wrong or results:
        what = f"{wrong} is for evaluation results, so" if wrong else f"{paths[0]}: evaluation results"
        raise InputError(
            f"{what} need --cell or --cells, which say the LLM and visual tokens of each model, as "
            r"--cell 'llava-(?P<llm>.+)-tp(?P<tokens>\d+)'"
        )
    if said.mean is not None:
        check_choice("mean of tasks", said.mean, MEANS)
    marks = said.marks()
    table = planner.read_runs(paths[0], map=pairs(map, "--map", "visual_tokens=budget", str), scale=marks, kind=kind)
    wanted = [part.strip() for part in said.tasks.split(",") if part.strip()]
    if wanted:
        there = [name.lower() for name in table.task or ()]
        for name in wanted:
            table.select(task=name)  # says which tasks there are
        table = table.take([i for i, name in enumerate(there) if name in {one.lower() for one in wanted}])
    return planner.mean_over_tasks(table) if said.mean == COMMON else table


def one_task(table: planner.Runs, by: str | None = None) -> planner.Runs:
    """The same runs. Raises RunsError where they are of several tasks and no option says what to do with them."""
    names = task_names(table)
    if len(names) > 1 and by is None:
        raise RunsError(
            f"the runs are of {mixed(names)}, which are not pooled: choose one with --task, their mean "
            "with --mean common, or fit them apart with fit --by task"
        )
    return table


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
    """A plain number. Raises ValueError."""
    return float(text)
