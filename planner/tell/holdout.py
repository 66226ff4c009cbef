"""The story of a hold-out: what the runs identify, how the law did beside simple baselines, then every fold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from planner.base.quantities import format_params, format_significant, format_tokens
from planner.laws.baselines import BASELINES
from planner.laws.fitted import FittedLaw
from planner.laws.folds import Fold, Score, coverage, score
from planner.laws.holdout import HoldOut
from planner.laws.identified import verdict
from planner.laws.intervals import KINDS, LEVEL, profiler
from planner.runs.table import ERROR
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Bullets,
    Document,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    joined,
    line,
    remarks,
    sentence,
)

_KINDS = ("new-run", "mean")
_PREDICTORS = {
    "nearest": "nearest run",
    "line": "line at each level",
    "one_line": "one line",
    "mean": "mean of all",
}


def holdout_story(result: HoldOut, identified: Sequence[str] | None = None) -> Document:
    """The hold-out of one form as a document.

    Args:
        result: as `hold_out` gives it.
        identified: sentences on what the runs identify; by default those of `verdict`.
    """
    said = identified_by(result) if identified is None else identified
    form = foreign(result.law.form, "form")
    notes = (*result.law.remarks, *result.notes, *result.skipped, *_impossible(result))
    return Document(
        kind="holdout",
        title="Hold-out",
        heading=line("how well the ", form, " law predicts runs that it has not seen"),
        opening=(
            Bullets((*(line(sentence(one, "verdict")) for one in said), *_verdict(result))),
            *remarks("note", notes),
        ),
        sections=(
            Section("baselines", "Beside simple baselines", (_baselines(result),)),
            Section("folds", "Fold by fold", tuple(_folds(result))),
        ),
        opening_title="The verdict",
        sources={"holdout": holdout_dict(result, said)},
    )


def identified_by(result: HoldOut) -> tuple[str, ...]:
    """What the runs identify, in sentences."""
    return verdict(result.law, profiler(result.law).parameters())


def _verdict(result: HoldOut) -> Iterator[Line]:
    splits = result.splits
    for split, title in splits.items():
        folds = result.folds(split)
        law, best = score(folds), min(BASELINES, key=lambda name: score(folds, name).mean_relative_error)
        if not law.runs_count:
            continue
        baseline = score(folds, best)
        better = law.mean_relative_error < baseline.mean_relative_error
        than = "less than the best baseline: " if better else "and a baseline does as well or better: "
        own = _percent(law.mean_relative_error, f"mean relative error, {title}")
        other = _percent(baseline.mean_relative_error, f"mean relative error of {_PREDICTORS[best]}, {title}")
        yield line(f"{title}: mean error ", own, f", {than}{_PREDICTORS[best]}, ", other)
    for kind in _KINDS:
        counts = ((title, coverage(result.folds(split), kind)) for split, title in splits.items())
        shares = [
            line(_inside(found.inside_count, found.runs_count, f"{kind}, {title}"), f" ({title})")
            for title, found in counts
            if found.runs_count
        ]
        if shares:
            without = " (without a run's own noise)" if kind == "mean" else ""
            yield line(_level(), f" {kind} intervals{without} hold ", joined(shares, ", "))


def _impossible(result: HoldOut) -> list[str]:
    """Sentences on folds whose law predicts errors that no model can have."""
    found: list[str] = []
    for split in result.splits:
        for fold in result.folds(split):
            outside = fold.impossible
            if len(outside):
                level = format_params(fold.held_out) if fold.along == "N" else format_tokens(fold.held_out)
                found.append(
                    f"trained on {''.join(map(str, _trained_on(fold, split)))}, the law predicts {_a(fold.law)} of "
                    f"{format_significant(float(outside[0]))} at {fold.llm or f'{fold.along} = {level}'}, which no "
                    "model has"
                )
    return found


def _a(law: FittedLaw) -> str:
    return "an error" if law.predicts == ERROR else f"a {law.predicts}"


def _baselines(result: HoldOut) -> Table:
    splits = {split: title for split, title in result.splits.items() if result.folds(split)}
    rows = tuple(
        (
            line(title),
            *(_errors(score(result.folds(split), name), f"{title}, {whole}") for split, whole in splits.items()),
        )
        for name, title in {"law": "the law", **_PREDICTORS}.items()
    )
    caption = line(foreign(result.law.form, "form"), ": mean / worst relative error")
    return Table(caption, ("predictor", *splits.values()), rows)


def _folds(result: HoldOut) -> Iterator[Block]:
    rows: list[tuple[Line, ...]] = []
    breaks = set()
    for split in result.splits:
        breaks.add(len(rows))
        rows += [_fold_cells(fold, split) for fold in result.folds(split)]
    caption = line("held-out runs, and how many lie in their ", _level(), " interval")
    columns = ("trained on", "held out", "beyond", "mean error", "worst", "new run", "mean")
    yield Table(caption, columns, tuple(rows), breaks=frozenset(breaks - {0, len(rows)}))
    yield Paragraph(line("beyond: extrapolation in units of the training range of ln N or ln T"))


def _fold_cells(fold: Fold, split: str) -> tuple[Line, ...]:
    """One row of the table of folds."""
    errors = score([fold])
    shown = v.params if fold.along == "N" else v.tokens
    out = shown(fold.held_out, f"level of {fold.along} held out")
    inside = [coverage([fold], kind) for kind in _KINDS]
    return (
        _trained_on(fold, split),
        line(foreign(fold.llm, "LLM held out")) if fold.llm else line(f"{fold.along} = ", out),
        line(Value(f"{fold.distance:.2f}", fold.distance, "extrapolation") if fold.distance else "-"),
        _percent(errors.mean_relative_error, "mean relative error of the fold"),
        _percent(errors.max_relative_error, "worst relative error of the fold"),
        *(_inside(one.inside_count, one.runs_count, "the fold") if one.runs_count else ("-",) for one in inside),
    )


def _trained_on(fold: Fold, split: str) -> Line:
    sizes = fold.law.llm_params_levels
    if split != "rollout":
        return ("all others",)
    return line(v.params(sizes[0], "smallest size trained on"), " to ", v.params(sizes[-1], "largest size trained on"))


def _errors(found: Score, what: str) -> Line:
    if not found.runs_count:
        return ("-",)
    mean = Value(f"{100 * found.mean_relative_error:.2f}", found.mean_relative_error, f"mean error of {what}", "share")
    return line(mean, " / ", _percent(found.max_relative_error, f"worst error of {what}"))


def _inside(count: int, runs: int, where: str) -> Line:
    return line(
        v.count(count, f"runs inside their interval, {where}"), " of ", v.count(runs, f"held-out runs, {where}")
    )


def _percent(fraction: float, what: str) -> Line:
    """An error to the digits in which forms differ: "0.35 %"."""
    return ("-",) if math.isnan(fraction) else (Value(f"{100 * fraction:.2f} %", fraction, what, "share"),)


def _level() -> Value:
    return Value(f"{100 * LEVEL:g} %", LEVEL, "level of the intervals", "share")


def holdout_dict(result: HoldOut, identified: Sequence[str]) -> dict[str, Any]:
    """Plain JSON types: every fold, then law, baselines and coverage pooled over the folds of a split."""
    folds = {split: result.folds(split) for split in result.splits}
    return {
        "form": result.law.form,
        "verdict": list(identified),
        **{split: [_fold_dict(fold) for fold in found] for split, found in folds.items()},
        "law": {split: _score_dict(score(found)) for split, found in folds.items()},
        "baselines": {
            split: {name: _score_dict(score(found, name)) for name in BASELINES} for split, found in folds.items()
        },
        "coverage": {
            "level": LEVEL,
            **{split: {kind: vars(coverage(found, kind)) for kind in KINDS} for split, found in folds.items()},
        },
        "skipped": list(result.skipped),
        "notes": list(result.notes),
        "remarks": list(result.law.remarks),
    }


def _fold_dict(fold: Fold) -> dict[str, Any]:
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
        **({"held_out_llm": fold.llm} if fold.llm else {}),
        name: fold.held_out,
        "training_llm_params": list(fold.law.llm_params_levels),
        "training_visual_tokens": list(fold.law.visual_tokens_levels),
        "status": fold.law.status,
        "distance": fold.distance,
        **_score_dict(score([fold])),
        "baselines": {baseline: _score_dict(score([fold], baseline)) for baseline in BASELINES},
        "cells": cells,
    }


def _score_dict(found: Score) -> dict[str, float | None]:
    return {name: _number(value) for name, value in vars(found).items()}


def _number(value: float) -> float | None:
    """JSON has no infinities and no NaN."""
    return value if math.isfinite(value) else None
