"""What is the hierarchy over tasks, models and compressors worth? Published cells predicted without having seen them.

    python benchmarks/hierarchy.py [--speed]        a few minutes on one core

Each split hides rows of the shipped evidence and predicts them from all others, at the shipped variances (exactly,
from the inverse covariance), beside the simple predictions of `hierarchy_baselines.py` from the same rows. Of a new
study the variances are estimated again without it, and its noise from its own runs. Intervals and odds have the
shipped tail.

    rmse        of the measured error; over all scored cells of a split
    coverage    of intervals of 95 %, the noise of the measurement included
    choices     of two hidden cells of one study and task, how often the one predicted to be better was; sure ones are
                those with odds of 98 % or more

Odds are stated without the noise of a measurement, as plans state them, and compared with what was measured.
Training-free pruning is conditioned on but scored in its own row only.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import hierarchy_baselines as simple
import numpy as np
import pandas as pd
from environment import RESULTS, environment, say, write_result
from hierarchy_splits import CELL, Fold, compressors, groups, ladder_tasks, tasks, whole, with_cells
from numpy.typing import NDArray

import planner
from fitted_laws.make_variances import estimated
from planner.laws.hierarchy.calibration import TOP, Differences, differences
from planner.laws.hierarchy.cells import Cells
from planner.laws.hierarchy.conditioning import Gaussian
from planner.laws.hierarchy.left_out import left_out
from planner.laws.hierarchy.noise import noise_variance
from planner.laws.hierarchy.own_runs import OwnRuns, predict_with
from planner.laws.hierarchy.rows import EvidenceRows, shipped_rows
from planner.laws.hierarchy.shipped import posterior_of, shipped_posterior
from planner.laws.hierarchy.student_tail import Tail
from planner.laws.hierarchy.variances import Variances, shipped_variances

FloatArray = NDArray[np.float64]
Positions = NDArray[np.intp]
Mask = NDArray[np.bool_]

SEED = 0
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0001)
OWN_RUNS, REPEATS = (0, 3, 30), 10
QWEN, QWEN_TASK = "Qwen1.5 scaling", "visual reasoning (mean)"
FEW = {"least squares": simple.least_squares, "line in ln T": simple.line_in_tokens, "copy": simple.copy}
SLOPES = {"class slopes": simple.class_slopes, "ridge": simple.ridge}
SIZES = {"line in ln N": simple.line_in_size, "copy": simple.copy, "class slopes": simple.class_slopes}
OWN = {"mean": simple.own_mean, **SLOPES}


@dataclass(frozen=True)
class Scored:
    """Predictions of the hidden cells of a fold beside what was measured."""

    miss: FloatArray
    """(m,) measured less predicted."""
    sd: FloatArray
    """(m,) predicted, noise included."""
    pairs: Differences
    simple: dict[str, FloatArray]
    """(m,) measured less predicted, by baseline."""


def scored(rows: EvidenceRows, fold: Fold, errors: Gaussian, noise: FloatArray, baselines: dict[str, Any]) -> Scored:
    """Of one fold: `errors` of its scored rows, with `noise` on the diagonal of their covariance."""
    known = np.setdiff1d(np.arange(len(rows)), fold.hidden)
    measured = rows.error[fold.scored]
    return Scored(
        measured - errors.mean,
        errors.sd,
        differences(rows, fold.scored, errors, noise),
        {name: measured - predict(rows, known, fold.scored) for name, predict in baselines.items()},
    )


def of_evidence(rows: EvidenceRows, folds: Iterable[Fold], baselines: dict[str, Any]) -> Iterator[Scored]:
    """Folds of the shipped evidence at the shipped variances."""
    noise = shipped_variances().noise.variance(rows.study, rows.task, rows.error_se)
    folds = list(folds)
    predicted = left_out(shipped_posterior().factor, rows.error, [fold.hidden for fold in folds])
    for fold, errors in zip(folds, predicted, strict=True):
        at = np.flatnonzero(np.isin(fold.hidden, fold.scored))
        errors = Gaussian(errors.mean[at], errors.covariance[np.ix_(at, at)])
        yield scored(rows, Fold(fold.hidden, fold.hidden[at]), errors, noise[fold.hidden[at]], baselines)


def of_new_study(
    rows: EvidenceRows, own: Mask, variances: Variances, count: int, random: np.random.Generator
) -> Iterator[Scored]:
    """Cells of a study that is not in the evidence, with a few runs among them: the rest of these cells."""
    study = rows.study == rows.study[own][0]
    posterior = posterior_of(rows.where(~study), variances)
    for fold in with_cells(rows, np.flatnonzero(study), np.flatnonzero(own), count, random, REPEATS):
        known = np.setdiff1d(np.flatnonzero(own), fold.hidden)
        fold = Fold(np.flatnonzero(study & ~np.isin(np.arange(len(rows)), known)), fold.scored)
        runs = OwnRuns(Cells.of(rows.where(known)), rows.error[known], rows.error_se[known])
        mixture, noise = predict_with(posterior, runs, Cells.of(rows.where(fold.scored)), variances.noise)
        factors = variances.noise.of_tasks(rows.task[fold.scored])
        added = noise_variance(np.sqrt(noise.weights @ noise.values**2) * factors, rows.error_se[fold.scored])
        errors = Gaussian(mixture.mean, mixture.covariance + np.diag(added))
        yield scored(rows, fold, errors, added, OWN)


def summary(parts: Iterable[Scored], tail: Tail) -> tuple[dict[str, Any], Differences]:
    """One row of the table, and its pairs."""
    found = list(parts)
    miss, sd = (np.concatenate([getattr(part, name) for part in found]) for name in ("miss", "sd"))
    pairs = Differences.joined(part.pairs for part in found)
    by_baseline = {name: _rms(np.concatenate([part.simple[name] for part in found])) for name in found[0].simple}
    best = min(by_baseline, key=lambda name: by_baseline[name]) if by_baseline else ""
    sure = pairs.right[abs(pairs.predicted) / pairs.sd >= tail.quantile(TOP)]
    row = {
        "cells": len(miss),
        "rmse": _rms(miss),
        "coverage": round(float((abs(miss) <= tail.quantile(0.975) * sd).mean()), 3),
        "choices_right": round(float(pairs.right.mean()), 3) if len(pairs.right) else None,
        "sure_choices": len(sure),
        "sure_choices_right": round(float(sure.mean()), 3) if len(sure) else None,
        "baselines": by_baseline,
        "best_baseline": best,
        "ratio_to_best": round(_rms(miss) / by_baseline[best], 2) if best else None,
    }
    return row, pairs


def own_law(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """The planner's additive law, fitted to the known runs of the same study and task."""
    first = asked[0]
    own = known[(rows.study[known] == rows.study[first]) & (rows.task[known] == rows.task[first])]
    columns = {name: getattr(rows, name)[own] for name in ("llm", "llm_params", "visual_tokens", "error")}
    law = planner.fit(pd.DataFrame(columns), "additive")
    return np.asarray(law.predict(rows.llm_params[asked], rows.visual_tokens[asked]), float)


def splits(rows: EvidenceRows) -> dict[str, Callable[[], Iterator[Scored]]]:
    """Every row of the table."""
    random = np.random.default_rng(SEED)
    plain, trained = rows.population != "pruning", rows.population == "trained"
    reasoning = (rows.study == QWEN) & (rows.task == QWEN_TASK)
    score = partial(of_evidence, rows)

    def later(folds: Callable[[], Iterable[Fold]], baselines: dict[str, Any]) -> Callable[[], Iterator[Scored]]:
        return lambda: score(folds(), baselines)

    found: dict[str, Callable[[], Iterator[Scored]]] = {
        "a cell": lambda: score(whole(rows, CELL, plain), FEW),
        "a T of a study": lambda: score(whole(rows, ("study", "visual_tokens"), plain, 5), FEW),
        "an LLM of a study": lambda: score(whole(rows, ("study", "llm"), plain, 10), SIZES),
    }
    for k in (0, 1, 3):
        found[f"a compressor with {k} of its cells"] = later(
            partial(compressors, rows, trained, k, random), {**FEW, **SLOPES}
        )
    for k in (0, 1, 2, 3):
        found[f"a task with {k} cells"] = later(
            partial(tasks, rows, plain, k, random), {"least squares": simple.least_squares, "copy": simple.copy, **OWN}
        )
    found["a pruned cell"] = lambda: score(whole(rows, CELL, ~plain), FEW)
    for third in (False, True):
        name = "PaliGemma 2: a task with 3 cells" if third else "PaliGemma 2: a task with 2 cells at both T"
        found[name] = later(
            partial(ladder_tasks, rows, "PaliGemma 2", third, random), {"least squares": simple.least_squares, **SIZES}
        )
    for size in ("2B", "9B", "27B"):
        hidden = np.flatnonzero(rows.llm == f"Gemma2-{size}")
        found[f"PaliGemma 2: {size}"] = later(partial(list, [Fold(hidden, hidden)]), SIZES)
    law = {"own law": own_law, "least squares": simple.least_squares, "line in ln T": simple.line_in_tokens}
    found["Qwen1.5 reasoning: an LLM"] = lambda: score(whole(rows, ("llm",), reasoning), law)
    found["Qwen1.5 reasoning: a T"] = lambda: score(whole(rows, ("visual_tokens",), reasoning), law)
    return found


def new_studies(rows: EvidenceRows) -> dict[int, dict[str, list[Scored]]]:
    """By number of own runs, every study with at least ten cells more."""
    random = np.random.default_rng(SEED)
    found: dict[int, dict[str, list[Scored]]] = {count: {} for count in OWN_RUNS}
    for study in np.unique(rows.study).tolist():
        own = (rows.study == study) & (rows.population != "pruning")
        variances = estimated(rows.where(rows.study != study))
        for count in OWN_RUNS:
            if len(groups(rows, CELL, own)) >= count + 10:
                found[count][study] = list(of_new_study(rows, own, variances, count, random))
        if study == QWEN:
            reasoning = own & (rows.task == QWEN_TASK)
            found[3]["Qwen1.5 reasoning"] = list(of_new_study(rows, reasoning, variances, 3, random))
    return found


def odds(pairs: Differences, tail: Tail) -> list[dict[str, Any]]:
    """Stated odds of the better of two cells, against how often it was."""
    stated = np.array([tail.below(z) for z in np.minimum(abs(pairs.predicted) / pairs.sd, 1e3)])
    found = []
    for low, high in pairwise(BINS):
        inside = (stated >= low) & (stated < high)
        if inside.any():
            right = round(float(pairs.right[inside].mean()), 3)
            found.append({"pairs": int(inside.sum()), "stated": round(float(stated[inside].mean()), 3), "right": right})
    return found


def transfer(rows: EvidenceRows, tail: Tail) -> dict[str, Any]:
    """Swaps that were published: a compressor, or a family, that the evidence of its study lacks."""
    several = [
        study
        for study in np.unique(rows.study).tolist()
        if len(np.unique(rows.family[(rows.study == study) & (rows.llm != "")])) > 1
    ]
    trained = rows.population == "trained"
    swaps = {
        "compressor": whole(rows, ("study", "compressor"), trained, 6),
        "family": whole(rows, ("study", "family"), np.isin(rows.study, several), 50),
    }
    found = {name: list(of_evidence(rows, folds, {})) for name, folds in swaps.items()}
    found["pooled"] = [part for parts in found.values() for part in parts]
    return {name: summary(parts, tail)[0] for name, parts in found.items()}


def speed(rows: EvidenceRows) -> dict[str, float]:
    """Milliseconds of one core, the best of several: other processes do not count."""
    variances, posterior = shipped_variances(), shipped_posterior()
    cells = Cells.of(rows.where(np.arange(0, len(rows), len(rows) // 49)[:49]))
    known = np.flatnonzero(rows.study == QWEN)[:30]
    own = OwnRuns(Cells.of(rows.where(known)), rows.error[known], rows.error_se[known])
    return {
        "conditioning_ms": _best_ms(lambda: posterior_of(rows, variances)),
        "predicting_49_cells_ms": _best_ms(lambda: posterior.predict(cells)),
        "predicting_49_cells_with_30_own_runs_ms": _best_ms(
            lambda: predict_with(posterior, own, cells, variances.noise)
        ),
    }


def _best_ms(what: Callable[[], object], repeats: int = 15) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.thread_time()
        what()
        seconds.append(time.thread_time() - start)
    return round(1e3 * min(seconds), 1)


def _rms(values: FloatArray) -> float:
    return round(float(np.sqrt((values**2).mean())), 4)


def measure() -> dict[str, Any]:
    """The whole of it."""
    rows, tail = shipped_rows(), shipped_variances().tail
    table: dict[str, Any] = {}
    by_study: dict[str, Any] = {}
    pairs: list[Differences] = []

    def add(name: str, parts: Iterable[Scored]) -> None:
        table[name], found = summary(parts, tail)
        pairs.append(found)
        say(f"{name}: {table[name]}")

    for name, parts in splits(rows).items():
        add(name, parts())
    for count, studies in new_studies(rows).items():
        each = f"a new study with {count} runs of its own"
        add(each, [part for name, parts in studies.items() if name in rows.study for part in parts])
        by_study |= {f"{each}: {study}": summary(parts, tail)[0] for study, parts in studies.items()}
    return {
        "rows": len(rows),
        "tail": {"dof": tail.dof, "scale": tail.scale},
        "table": table,
        "new_studies": by_study,
        "odds": odds(Differences.joined(pairs), tail),
        "transfer": transfer(rows, tail),
        "speed": speed(rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", action="store_true", help="only the times again; the rest stays as recorded")
    if parser.parse_args().speed:
        recorded = json.loads((RESULTS / "hierarchy.json").read_text(encoding="utf-8"))
        write_result("hierarchy", {**recorded, "speed": speed(shipped_rows())})
    else:
        write_result("hierarchy", {"environment": environment(("numpy",)), **measure()})


if __name__ == "__main__":
    main()
