"""Evaluation results as measured runs: import."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from planner.base.errors import InputError
from planner.base.files import check_target, write_text
from planner.base.suffix import has_suffix, wrong_suffix
from planner.cli import result_options as options
from planner.cli.common import Force, Json, app, json_text, show_story
from planner.runs.recognise import is_run_table
from planner.runs.results import results_skeleton


@app.command("import")
@options.takes_results
def import_(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, or folders, searched with subfolders.")],
    *,
    results: options.ResultOptions,
    list_models: Annotated[
        bool, typer.Option("--list", help="Write a map of the models, to be filled in and given as --cells.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Show cells x tasks, and each number's metric, full mark and file.")
    ] = False,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Write the runs to this CSV file.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Read what evaluation tools wrote as a table of measured runs, for fit, compare and holdout."""
    if output is not None:
        _check_table(output, force)
    if list_models:
        text = results_skeleton(paths, format=results.format)
        if output is None:
            print(text, end="")
            return
        write_text(Path(output), text, overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
        return
    if not results.names_cells:
        _check_paths(paths)
        raise InputError(
            "--cell or --cells: no file says how many visual tokens a model has; give a pattern such as "
            r"--cell 'llava-(?P<llm>.+)-tp(?P<tokens>\d+)', or a map of models, which --list writes"
        )
    found = results.read(paths)
    if output is not None:
        found.write(output, overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    if as_json:
        print(json_text(found.to_dict()))
        return
    from planner.tell.imported import imported_story

    show_story(imported_story(found, report))


def _check_paths(paths: list[str]) -> None:
    """Refuse what no pattern of models would help: a path that is none, a table of runs. Raises InputError."""
    for path in paths:
        if not Path(path).exists():
            raise InputError(f"cannot read {path}: no such file or folder; expected evaluation results")
        if Path(path).is_file() and is_run_table(path):
            raise InputError(
                f"{path} is a table of runs already, with the visual tokens in a column: vlm-planner fit {path} reads "
                "it as it is, without import"
            )


def _check_table(output: str, force: bool) -> None:
    """Refuse, before any work, a CSV file that could not be written in the end. Raises InputError."""
    if has_suffix(output) and Path(output).suffix.lower() != ".csv":
        raise wrong_suffix("a run table", output, (".csv",))
    check_target(Path(output), force)
