"""Rich tables on how far laws can be trusted: the comparison of forms, and hold-out. Everything fits 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.base.quantities import format_params, format_percent, format_significant, format_tokens
from planner.laws.baselines import BASELINES
from planner.laws.compare import DISTINGUISHABLE, FormEvidence
from planner.laws.holdout import SPLITS, Fold, HoldOut, Score, coverage, score

_PREDICTORS = {
    "nearest": "nearest run",
    "line": "line at each level",
    "one_line": "one line",
    "mean": "mean of all",
}


def print_comparison(console: Console, rows: Sequence[FormEvidence], not_compared: Mapping[str, str]) -> None:
    """Forms by their evidence: what the runs tell apart, then the numbers.

    Args:
        console: where to print.
        rows: as `compare` gives them, best first.
        not_compared: forms that could not be fitted, with the reason.
    """
    for sentence in _comparison_verdict(rows):
        console.print(Text(sentence))
    _notes(console, (*rows[0].law.remarks, *(f"{form} is not compared: {why}" for form, why in not_compared.items())))
    table = _table("forms, best first", "form", "free\nparams", "RSS", "AICc", "from\nbest", "weight", "\nworse")
    for row in rows:
        table.add_row(
            Text(_title(row)),
            str(row.parameters_count),
            format_significant(row.rss),
            _one_digit(row.aicc),
            _one_digit(row.delta),
            format_percent(row.weight, 1) if row.weight else "-",
            "yes" if row.distinguishable else "-" if row is rows[0] else "no",
        )
    console.print(table)
    console.print(Text("of a form and its row with D = 0, only the better one is weighted"))
    weighting = rows[0].law.weighting
    if weighting != "equal":
        console.print(Text(f"residuals are weighted by {weighting}, mean weight 1"))


def print_hold_out(console: Console, result: HoldOut, verdict: Iterable[str]) -> None:
    """Hold-out of one form: what the runs identify, how the law did against simple baselines, then every fold.

    Args:
        console: where to print.
        result: as `hold_out` gives it.
        verdict: sentences on what the runs identify.
    """
    for sentence in (*verdict, *_hold_out_verdict(result)):
        console.print(Text(sentence))
    _notes(console, (*result.law.remarks, *result.skipped, *_impossible(result)))
    splits = [split for split in SPLITS if result.folds(split)]
    table = _table(f"{result.law.form}: mean / worst relative error", "predictor", *(SPLITS[split] for split in splits))
    for name, title in {"law": "the law", **_PREDICTORS}.items():
        scores = (score(result.folds(split), name) for split in splits)
        table.add_row(title, *map(_errors, scores), style="bold" if name == "law" else "")
    console.print(table)
    table = _table(
        "held-out runs, and how many lie in their 95 % interval",
        "trained on", "held out", "beyond", "mean error", "worst", "new run", "mean",
    )  # fmt: skip
    for split in splits:
        for fold in result.folds(split):
            table.add_row(*_fold_cells(fold, split))
        table.add_section()
    console.print(table)
    console.print(Text("beyond: extrapolation in units of the training range of ln N or ln T"))


def _comparison_verdict(rows: Sequence[FormEvidence]) -> list[str]:
    best = rows[0]
    if not math.isfinite(best.aicc):
        return [f"too few runs to compare forms: {best.law.n_runs} runs, {best.parameters_count} parameters and more"]
    by_form: dict[str, FormEvidence] = {}
    for row in rows:
        by_form.setdefault(row.law.form, row)  # of each form, its better face
    leaders = list(by_form.values())
    told = [row for row in leaders if row.distinguishable]
    tied = [_title(row) for row in leaders[1:] if not row.distinguishable]
    sentences = [f"best: {_title(best)} ({best.law.status}), with {format_percent(best.weight, 1)} of the weight"]
    if tied:
        sentences.append(f"not clearly worse than the best: {'; '.join(tied)}")
    if told:
        names = "; ".join(map(_title, told))
        sentences.append(f"clearly worse than the best (AICc difference >= {DISTINGUISHABLE:g}): {names}")
    for one, other in pairwise(told):
        apart = other.aicc - one.aicc
        if apart < DISTINGUISHABLE:
            sentences.append(
                f"no clear difference between {_title(one)} and {_title(other)} (AICc {_one_digit(apart)})"
            )
    return sentences


def _hold_out_verdict(result: HoldOut) -> list[str]:
    sentences = []
    for split, title in SPLITS.items():
        folds = result.folds(split)
        law, best = score(folds), min(BASELINES, key=lambda name: score(folds, name).mean_relative_error)
        if not law.runs_count:
            continue
        baseline = score(folds, best)
        better = law.mean_relative_error < baseline.mean_relative_error
        sentences.append(
            f"{title}: mean error {_percent(law.mean_relative_error)}, "
            + ("less than the best baseline: " if better else "and a baseline does as well or better: ")
            + f"{_PREDICTORS[best]}, {_percent(baseline.mean_relative_error)}"
        )
    for kind in ("new-run", "mean"):
        counts = ((title, coverage(result.folds(split), kind)) for split, title in SPLITS.items())
        shares = [
            f"{found.inside_count} of {found.runs_count} ({title})" for title, found in counts if found.runs_count
        ]
        if shares:
            without = " (without a run's own noise)" if kind == "mean" else ""
            sentences.append(f"95 % {kind} intervals{without} hold {', '.join(shares)}")
    return sentences


def _impossible(result: HoldOut) -> list[str]:
    """Sentences on folds whose law predicts errors that no model can have."""
    found: list[str] = []
    for split in SPLITS:
        for fold in result.folds(split):
            outside = fold.predicted[(fold.predicted > 1) | (fold.predicted < 0)]
            if len(outside):
                found.append(
                    f"trained on {_trained_on(fold, split)}, the law predicts an error of "
                    f"{format_significant(float(outside[0]))} at {_level(fold)}, which no model has"
                )
    return found


def _fold_cells(fold: Fold, split: str) -> list[str]:
    """One row of the table of folds."""
    errors = score([fold])
    held = [coverage([fold], kind) for kind in ("new-run", "mean")]
    return [
        _trained_on(fold, split),
        _level(fold),
        f"{fold.distance:.2f}" if fold.distance else "-",
        _percent(errors.mean_relative_error),
        _percent(errors.max_relative_error),
        *(f"{found.inside_count} of {found.runs_count}" if found.runs_count else "-" for found in held),
    ]


def _trained_on(fold: Fold, split: str) -> str:
    sizes = fold.law.llm_params_levels
    if split == "rollout":
        return f"{format_params(sizes[0])} to {format_params(sizes[-1])}"
    return "all others"


def _level(fold: Fold) -> str:
    return f"N = {format_params(fold.held_out)}" if fold.along == "N" else f"T = {format_tokens(fold.held_out)}"


def _title(row: FormEvidence) -> str:
    return f"{row.law.form}, {row.face}" if row.face else row.law.form


def _errors(found: Score) -> str:
    if not found.runs_count:
        return "-"
    return f"{100 * found.mean_relative_error:.2f} / {_percent(found.max_relative_error)}"


def _percent(fraction: float) -> str:
    """An error to the digits in which forms differ: "0.35 %"."""
    return "-" if math.isnan(fraction) else f"{100 * fraction:.2f} %"


def _one_digit(number: float) -> str:
    return f"{number:.1f}" if math.isfinite(number) else "-"


def _notes(console: Console, sentences: Iterable[str]) -> None:
    """Remarks repeat names from files: no markup, and nothing that would steer the terminal."""
    for sentence in sentences:
        plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in sentence)
        console.print(Text(f"note: {plain}", style="yellow"))


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold", header_style="")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
