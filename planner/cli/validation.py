"""Verbs on how far a law can be trusted: compare, holdout."""

from __future__ import annotations

from typing import Annotated

import typer

import planner
from planner.base.errors import FitError
from planner.cli import result_options as options
from planner.cli.common import Json, app, json_text, show_story
from planner.laws import compare as forms_compared
from planner.laws import holdout as held
from planner.laws.forms import DEFAULT_FORM, forms_for, opinion_of
from planner.laws.weighting import RELATIVE

Task = Annotated[str | None, typer.Option(help="Use only the runs of this task.")]
Compressor = Annotated[str | None, typer.Option(help="Use only the runs of this compressor.")]
Weights = Annotated[str, typer.Option(help="auto, equal, error_se or samples.")]


@app.command()
@options.takes_results
def compare(
    runs: options.RunsPaths,
    task: Task = None,
    compressor: Compressor = None,
    weights: Weights = "auto",
    kind: options.Kind = None,
    map: options.ColumnMap = None,
    *,
    results: options.ResultOptions,
    as_json: Json = False,
) -> None:
    """Compare the forms of the law on measured runs by AICc, each also without D."""
    table = options.one_task(options.read_table(runs, results, map, kind).select(task=task, compressor=compressor))
    rows = forms_compared.compare(table, weights=weights)
    fitted = {row.law.form for row in rows}
    tried = [form for form in forms_for(len(set(table.llm_params))) if opinion_of(form).name not in fitted]
    not_compared = {form.name: _why_not(table, form.name, weights) for form in tried if form.name not in fitted}
    from planner.tell.comparison import comparison_dict, comparison_story

    if as_json:
        print(json_text(comparison_dict(rows, not_compared)))
        return
    show_story(comparison_story(rows, not_compared))


@app.command()
@options.takes_results
def holdout(
    runs: options.RunsPaths,
    form: Annotated[str, typer.Option(help="Form of the law; an unknown name lists them.")] = DEFAULT_FORM,
    task: Task = None,
    compressor: Compressor = None,
    weights: Weights = "auto",
    error_se: options.ErrorSe = RELATIVE,
    kind: options.Kind = None,
    map: options.ColumnMap = None,
    *,
    results: options.ResultOptions,
    as_json: Json = False,
) -> None:
    """Fit the law to parts of the runs and score it on the rest, beside simple baselines."""
    table = options.one_task(options.read_table(runs, results, map, kind).select(task=task, compressor=compressor))
    result = held.hold_out(table, form, weights=weights, error_se=error_se)
    from planner.tell.holdout import holdout_dict, holdout_story, identified_by

    identified = identified_by(result)
    if as_json:
        print(json_text(holdout_dict(result, identified)))
        return
    show_story(holdout_story(result, identified))


def _why_not(table: planner.Runs, form: str, weights: str) -> str:
    """Why a form cannot be fitted."""
    try:
        planner.fit(table, form, weights=weights)
    except FitError as error:
        return str(error)
    return ""
