"""Verbs on how far a law can be trusted: compare, holdout."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

import planner
from planner.base.errors import FitError
from planner.cli.common import Json, app, json_text, make_console
from planner.laws import compare as forms_compared
from planner.laws import holdout as held
from planner.laws.baselines import BASELINES
from planner.laws.forms import DEFAULT_FORM, FORMS
from planner.laws.intervals import KINDS, LEVEL, profiler

RunsFile = Annotated[str, typer.Argument(help="CSV of measured runs: llm, llm_params, visual_tokens, error or score.")]
Task = Annotated[str | None, typer.Option(help="Use only the runs of this task.")]
Compressor = Annotated[str | None, typer.Option(help="Use only the runs of this compressor.")]
Weights = Annotated[str, typer.Option(help="auto, equal, error_se or samples.")]


@app.command()
def compare(
    runs: RunsFile,
    task: Task = None,
    compressor: Compressor = None,
    weights: Weights = "auto",
    as_json: Json = False,
) -> None:
    """Compare the forms of the law on measured runs by AICc, each also without D."""
    table = planner.read_runs(runs).select(task=task, compressor=compressor)
    rows = forms_compared.compare(table, weights=weights)
    fitted = {row.law.form for row in rows}
    not_compared = {form: _why_not(table, form, weights) for form in FORMS.names() if form not in fitted}
    if as_json:
        content: dict[str, Any] = {
            "forms": [
                {
                    "form": row.law.form,
                    "face": row.face,
                    "parameters": row.parameters_count,
                    "rss": row.rss,
                    "aicc": _number(row.aicc),
                    "delta": _number(row.delta),
                    "weight": row.weight,
                    "distinguishable": row.distinguishable,
                }
                for row in rows
            ],
            "best": rows[0].law.form if math.isfinite(rows[0].aicc) else None,
            "not_compared": not_compared,
            "remarks": list(rows[0].law.remarks),
        }
        print(json_text(content))
        return
    from planner.tell.validation import print_comparison

    print_comparison(make_console(), rows, not_compared)


@app.command()
def holdout(
    runs: RunsFile,
    form: Annotated[str, typer.Option(help="additive, multiplicative or log-linear.")] = DEFAULT_FORM,
    task: Task = None,
    compressor: Compressor = None,
    weights: Weights = "auto",
    as_json: Json = False,
) -> None:
    """Fit the law to parts of the runs and score it on the rest, beside simple baselines."""
    table = planner.read_runs(runs).select(task=task, compressor=compressor)
    result = held.hold_out(table, form, weights=weights)
    sentences = held.verdict(result.law, profiler(result.law).parameters())
    if as_json:
        print(json_text(_hold_out_dict(result, sentences)))
        return
    from planner.tell.validation import print_hold_out

    print_hold_out(make_console(), result, sentences)


def _why_not(table: planner.Runs, form: str, weights: str) -> str:
    """Why a form cannot be fitted."""
    try:
        planner.fit(table, form, weights=weights)
    except FitError as error:
        return str(error)
    return ""


def _hold_out_dict(result: held.HoldOut, sentences: tuple[str, ...]) -> dict[str, Any]:
    """Plain JSON types: every fold, then law, baselines and coverage pooled over the folds of a split."""
    folds = {split: result.folds(split) for split in held.SPLITS}
    return {
        "form": result.law.form,
        "verdict": list(sentences),
        **{split: [_fold_dict(fold) for fold in found] for split, found in folds.items()},
        "law": {split: _score_dict(held.score(found)) for split, found in folds.items()},
        "baselines": {
            split: {name: _score_dict(held.score(found, name)) for name in BASELINES} for split, found in folds.items()
        },
        "coverage": {
            "level": LEVEL,
            **{split: {kind: vars(held.coverage(found, kind)) for kind in KINDS} for split, found in folds.items()},
        },
        "skipped": list(result.skipped),
        "remarks": list(result.law.remarks),
    }


def _fold_dict(fold: held.Fold) -> dict[str, Any]:
    name = "held_out_llm_params" if fold.along == "N" else "held_out_visual_tokens"
    cells = [
        {
            "llm_params": float(fold.llm_params[i]),
            "visual_tokens": float(fold.visual_tokens[i]),
            "measured": float(fold.measured[i]),
            "predicted": float(fold.predicted[i]),
            "relative_error": _number(relative),
            "baselines": {baseline: float(fold.baselines[baseline][i]) for baseline in BASELINES},
            "intervals": {kind: [float(low[i]), float(high[i])] for kind, (low, high) in fold.intervals.items()},
            "n_distance": float(fold.n_distance[i]),
            "t_distance": float(fold.t_distance[i]),
        }
        for i, relative in enumerate(fold.relative_error())
    ]
    return {
        name: fold.held_out,
        "training_llm_params": list(fold.law.llm_params_levels),
        "training_visual_tokens": list(fold.law.visual_tokens_levels),
        "status": fold.law.status,
        "distance": fold.distance,
        **_score_dict(held.score([fold])),
        "baselines": {baseline: _score_dict(held.score([fold], baseline)) for baseline in BASELINES},
        "cells": cells,
    }


def _score_dict(found: held.Score) -> dict[str, float | None]:
    return {name: _number(value) for name, value in vars(found).items()}


def _number(value: float) -> float | None:
    """JSON has no infinities and no NaN."""
    return value if math.isfinite(value) else None
