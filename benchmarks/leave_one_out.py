"""Are new runs where the belief over all forms expects them? Published grids, a run or a language model left out.

A series is the cells of one study, task, compressor and recipe: runs of several language models at several visual
token counts. Each cell is predicted from the other cells of its series alone, and each language model from those of
the others, if two sizes and two token counts are left. The 95 % interval is that of a run: with its noise. Beside the
belief stands what needs no law: a line in ln N through the runs of the same T or in ln T through those of the same
model, the nearest run in either direction, the mean.

    python benchmarks/leave_one_out.py

Numbers are published as they come out: root mean squares over the cells that all of them predict. Grids that the
package ships are `fitted_laws/evidence/rows.csv`, besides the measured runs of the shipped laws.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from environment import environment, say, write_result
from numpy.typing import NDArray

import planner
from planner.laws.baselines import baselines
from planner.laws.belief import Belief, Measured, Points, believe
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import FORMS, get_form
from planner.laws.hierarchy.rows import EvidenceRows, shipped_rows

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

DRAWS = 4000
LEVEL = (0.025, 0.975)
MANY = 50
"""Cells from which on a grid's own coverage is judged; smaller ones are listed."""
OWN_GRID = "runs of the shipped laws"
SERIES = ("study", "task", "population", "compressor", "recipe")


@dataclass(frozen=True, eq=False)
class Series:
    """Runs that one law is to hold for."""

    grid: str
    task: str
    runs: Measured


def all_series() -> Iterator[Series]:
    """Those of the evidence base with two sizes and two token counts, then the runs of the shipped laws."""
    rows = shipped_rows()
    keys = np.array(["\t".join(key) for key in zip(*(getattr(rows, name).tolist() for name in SERIES), strict=True)])
    for key in dict.fromkeys(keys.tolist()):
        own = rows.where(keys == key)
        if own.study[0] == "Qwen1.5 scaling" or not spans(own.llm_params, own.visual_tokens):
            continue  # the runs of the shipped laws stand below, all of them
        yield Series(grid_of(own), str(own.task[0]), measured(own.llm_params, own.visual_tokens, own.llm, own.error))
    for name in ("reasoning", "ocr"):
        law = planner.load_law(name)
        assert isinstance(law, FittedLaw)
        assert law.data is not None
        data = law.data
        yield Series(OWN_GRID, name, measured(data.n * law.n_unit_params, data.t, data.n.astype(str), data.y))


def grid_of(rows: EvidenceRows) -> str:
    """What a series is a part of: a study's models with one compressor."""
    compressor = str(rows.compressor[0])
    return str(rows.study[0]) + ("" if compressor == "none" else f", {compressor}")


def measured(llm_params: FloatArray, tokens: FloatArray, llm: NDArray[np.str_], error: FloatArray) -> Measured:
    return Measured(llm_params / 1e9, tokens, llm, error, np.ones(len(error)))


def spans(n: FloatArray, t: FloatArray) -> bool:
    """Whether there are two sizes and two token counts: fewer say nothing of others."""
    return len(set(n.tolist())) > 1 and len(set(t.tolist())) > 1


def of(runs: Measured, which: Mask) -> Measured:
    return Measured(*(getattr(runs, name)[which] for name in ("n", "t", "llm", "y", "weights")))


def belief_of(runs: Measured) -> Belief:
    return believe(runs, map(get_form, FORMS.names()))


def predicted(series: Series, held: Mask, along: tuple[str, ...]) -> list[dict[str, Any]]:
    """The held-out runs, by the belief and by what the others say without a law, along N or T."""
    runs = series.runs
    others, new = of(runs, ~held), of(runs, held)
    belief, points = belief_of(others), Points(new.n, new.t, new.llm)
    draws, noise_sd = belief.draws_of(points, DRAWS)
    low, high = np.quantile(
        draws + noise_sd[:, None] * np.random.default_rng(1).standard_normal(draws.shape), LEVEL, axis=0
    )
    columns = {"error": new.y, "expected": belief.expected(points), "low": low, "high": high}
    data = FitData(others.n, others.t, others.y, others.weights)
    for axis in along:
        simple = baselines(data, new.n, new.t, axis)
        columns |= {f"{name} in {axis}": simple[name] for name in ("nearest", "line")} | {"mean": simple["mean"]}
    named = {"grid": series.grid, "task": series.task}
    return [
        {**named, "llm": str(new.llm[i]), **{name: float(values[i]) for name, values in columns.items()}}
        for i in range(len(new))
    ]


def runs_left_out(series: Series) -> Iterator[dict[str, Any]]:
    """Each run by the others."""
    runs = series.runs
    for place in range(len(runs)):
        held = np.arange(len(runs)) == place
        if spans(runs.n[~held], runs.t[~held]):
            yield from predicted(series, held, ("N", "T"))


def models_left_out(series: Series) -> Iterator[dict[str, Any]]:
    """Each language model by the others."""
    runs = series.runs
    for name in dict.fromkeys(runs.llm.tolist()):
        held = runs.llm == name
        if spans(runs.n[~held], runs.t[~held]):
            yield from predicted(series, held, ("N",))


def largest_by_smaller(series: Series) -> Iterator[dict[str, Any]]:
    """FastVLM's Qwen2-7B by the runs of 0.5 and 1.5 billion alone: Vicuna-7B is left out too."""
    held = series.runs.llm == "Qwen2-7B"
    kept = held | (series.runs.n < 7)
    runs = of(series.runs, kept & ~held)
    if series.grid == "FastVLM" and held.any() and spans(runs.n, runs.t):
        yield from predicted(Series(series.grid, series.task, of(series.runs, kept)), held[kept], ("N",))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Coverage and errors of some predictions."""
    truth = np.array([row["error"] for row in rows])
    covered = [row["low"] <= row["error"] <= row["high"] for row in rows]

    def rms(name: str) -> float:
        return float(np.sqrt(np.mean((np.array([row[name] for row in rows]) - truth) ** 2)))

    known = {"grid", "task", "llm", "error", "expected", "low", "high"}
    simple = {name: rms(name) for name in rows[0] if name not in known}
    return {
        "runs": len(rows),
        "covered": sum(covered),
        "coverage": float(np.mean(covered)),
        "mean_width": float(np.mean([row["high"] - row["low"] for row in rows])),
        "rms_error": rms("expected"),
        "rms_error_of_baselines": simple,
        "best_baseline": min(simple, key=lambda name: simple[name]),
    }


def by(rows: list[dict[str, Any]], column: str) -> dict[str, dict[str, Any]]:
    return {key: summary([r for r in rows if r[column] == key]) for key in dict.fromkeys(row[column] for row in rows)}


def fall_of_ai2d() -> dict[str, float]:
    """By how much more tokens lower AI2D's error on PaliGemma 2's three models, as believed."""
    (own,) = (one.runs for one in all_series() if one.grid.startswith("PaliGemma 2") and one.task == "AI2D")
    few, many = float(own.t.min()), float(own.t.max())
    names = list(dict.fromkeys(own.llm.tolist()))
    n = np.array([own.n[own.llm == name][0] for name in names])
    points = Points(np.tile(n, 2), np.repeat([few, many], len(n)), np.tile(np.array(names), 2))
    draws = belief_of(own).draws(points, DRAWS)
    fall = draws[:, : len(n)] - draws[:, len(n) :]
    return {
        "from_tokens": few,
        "to_tokens": many,
        "expected_fall": float(fall.mean()),
        "probability_that_it_falls": float((fall.mean(axis=1) > 0).mean()),
    }


def tell(title: str, rows: list[dict[str, Any]]) -> None:
    for grid, one in by(rows, "grid").items():
        say(
            f"{title}, {grid}: {one['covered']}/{one['runs']} in their interval, error {one['rms_error']:.4f}, "
            f"{one['best_baseline']} {one['rms_error_of_baselines'][one['best_baseline']]:.4f}"
        )


def main() -> None:
    started = time.perf_counter()
    series = list(all_series())
    runs = [row for one in series for row in runs_left_out(one)]
    models = [row for one in series for row in models_left_out(one)]
    largest = [row for one in series for row in largest_by_smaller(one)]
    tell("a run left out", runs)
    tell("a model left out", models)
    found: dict[str, dict[str, Any]] = {
        "run_left_out": {"all": summary(runs), "by_grid": by(runs, "grid")},
        "model_left_out": {"all": summary(models), "by_grid": by(models, "grid")},
        "fastvlm_7b_from_smaller": {"all": summary(largest), "by_task": by(largest, "task")},
        "ai2d_of_paligemma2": fall_of_ai2d(),
    }
    for name in ("run_left_out", "model_left_out", "fastvlm_7b_from_smaller"):
        one = found[name]["all"]
        say(f"{name}: {one['coverage']:.3f} of {one['runs']}, error {one['rms_error']:.4f}, {one['best_baseline']}")
    say(f"AI2D: {found['ai2d_of_paligemma2']}; {time.perf_counter() - started:.0f} s")
    many = [name for name, one in found["run_left_out"]["by_grid"].items() if one["runs"] >= MANY]
    write_result(
        "leave_one_out",
        {
            "environment": environment(("numpy", "scipy")),
            "series": len(series),
            "grids_of_50_cells_or_more": many,
            **found,
        },
    )


if __name__ == "__main__":
    main()
