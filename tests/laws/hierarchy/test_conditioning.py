"""The bordered algebra against the dense one, written out effect by effect."""

from __future__ import annotations

import csv
import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from fitted_laws.make_evidence import EVIDENCE
from planner.base.errors import InputError
from planner.laws.hierarchy.cells import NAMED, Cells
from planner.laws.hierarchy.conditioning import Posterior
from planner.laws.hierarchy.effects import EFFECTS, Effect, Only
from planner.laws.hierarchy.factor import Factor, Frame, lower_inverse
from planner.laws.hierarchy.left_out import left_out
from planner.laws.hierarchy.noise import Noise
from planner.laws.hierarchy.own_runs import OwnRuns, noise_grid, predict_with

FloatArray = NDArray[np.float64]

CLASSES = ("text", "general", "knowledge", "localisation")
KINDS = {
    "none": "none",
    "pool": "trained",
    "query": "trained",
    "small": "resize",
    "own": "released",
    "drop": "pruning",
    "cut": "pruning",
}


def some_cells(count: int, seed: int, new: str = "") -> Cells:
    """Cells of a few studies, tasks and compressors, by chance; `new` makes all their names unlike others."""
    random = np.random.default_rng(seed)

    def one_of(name: str, groups: int) -> NDArray[np.str_]:
        return np.array([f"{new}{name} {i}" for i in random.integers(groups, size=count)])

    task = random.integers(9, size=count)
    compressor = np.array(list(KINDS))[random.integers(len(KINDS), size=count)]
    return Cells(
        study=one_of("study", 3),
        table=one_of("table", 5),
        task=np.array([f"{new}task {i}" for i in task]),
        task_class=np.array([CLASSES[i % len(CLASSES)] for i in task]),
        family=one_of("family", 3),
        recipe=one_of("recipe", 2),
        checkpoint=one_of("checkpoint", 6),
        compressor=np.array([new + name if name != "none" else name for name in compressor]),
        population=np.array([KINDS[name] for name in compressor]),
        llm_params=random.choice([0.5e9, 2e9, 7e9, 27e9], size=count),
        visual_tokens=random.choice([16.0, 64.0, 144.0, 576.0, 1024.0], size=count),
    )


def sds_of(seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).uniform(0.01, 0.05, size=len(EFFECTS))


def effect_value(effect: Effect, cells: Cells, i: int) -> float:
    """What one cell's effect is multiplied with, from the names of its columns alone."""
    only: Only | None = effect.only
    while only is not None:
        if (getattr(cells, only.column)[i] in only.values) == only.excluded:
            return 0.0
        only = only.among
    x, room = math.log2(cells.llm_params[i] / 7e9), math.sqrt(typical_error(str(cells.task_class[i])) / 0.25)
    return {
        "constant": 1.0,
        "in_size": x,
        "in_tokens": math.log2(cells.visual_tokens[i] / 144),
        "headroom": room,
        "headroom_in_size": room * x,
    }[effect.covariate.__name__]


@cache
def typical_error(task_class: str) -> float:
    """Of a task that has none of its own."""
    with (EVIDENCE / "tasks.csv").open(encoding="utf-8", newline="") as file:
        known = [float(row["error"]) for row in csv.DictReader(file) if row["error"] and row["class"] == task_class]
    return sum(known) / len(known) if known else 0.25


def covariance(cells: Cells, sds: FloatArray) -> FloatArray:
    """Cell by cell and effect by effect."""
    n = len(cells)
    total = np.zeros((n, n))
    for effect, sd in zip(EFFECTS, sds, strict=True):
        for i in range(n):
            for j in range(n):
                if all(getattr(cells, column)[i] == getattr(cells, column)[j] for column in effect.groups):
                    apart = math.log2(cells.visual_tokens[i] / cells.visual_tokens[j])
                    bend = (1 - 1e-6) * math.exp(-(apart**2) / 18) + 1e-6 * (apart == 0) if effect.smooth else 1.0
                    total[i, j] += sd**2 * bend * effect_value(effect, cells, i) * effect_value(effect, cells, j)
    return total


ROWS, KNOWN = 60, 45
CELLS = some_cells(ROWS - 6, seed=1).then(some_cells(6, seed=2, new="new "))
"""Of which the first `KNOWN` are rows; among the others are some of groups that no row has."""
RANDOM = np.random.default_rng(3)
ERROR = RANDOM.uniform(0.2, 0.8, size=ROWS)
NOISE = RANDOM.uniform(1e-5, 4e-4, size=ROWS)
FULL = covariance(CELLS, sds_of())


def factor() -> Factor:
    rows = CELLS.where(np.arange(KNOWN))
    return Factor.of(Frame.of(rows), ERROR[:KNOWN], NOISE[:KNOWN], sds_of())


def dense(known: NDArray[np.intp], asked: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Conditional mean and covariance, without a trick."""
    inverse = np.linalg.inv(FULL[np.ix_(known, known)] + np.diag(NOISE[known]))
    across = FULL[np.ix_(asked, known)]
    return across @ inverse @ ERROR[known], FULL[np.ix_(asked, asked)] - across @ inverse @ across.T


def test_log_likelihood_is_the_dense_one() -> None:
    known = FULL[:KNOWN, :KNOWN] + np.diag(NOISE[:KNOWN])
    sign, log_det = np.linalg.slogdet(known)
    square = ERROR[:KNOWN] @ np.linalg.solve(known, ERROR[:KNOWN])
    expected = -0.5 * (square + log_det + KNOWN * math.log(2 * math.pi))
    assert sign == 1
    assert factor().log_likelihood == pytest.approx(expected, rel=1e-9)


def test_prediction_is_the_dense_one_also_of_groups_that_no_row_has() -> None:
    asked = np.arange(KNOWN, ROWS)
    mean, spread = dense(np.arange(KNOWN), asked)
    found = Posterior(factor()).predict(CELLS.where(asked))
    np.testing.assert_allclose(found.mean, mean, atol=1e-9)
    np.testing.assert_allclose(found.covariance, spread, atol=1e-10)


def test_rows_predict_themselves() -> None:
    asked = np.arange(0, KNOWN, 4)
    mean, spread = dense(np.arange(KNOWN), asked)
    found = Posterior(factor()).predict(CELLS.where(asked))
    np.testing.assert_allclose(found.mean, mean, atol=1e-9)
    np.testing.assert_allclose(found.covariance, spread, atol=1e-10)


def test_no_rows_leave_the_prior() -> None:
    none = np.array([], dtype=int)
    empty = Factor.of(Frame.of(CELLS.where(none)), np.array([]), np.array([]), sds_of())
    found = Posterior(empty).predict(CELLS)
    np.testing.assert_allclose(found.mean, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.covariance, FULL, atol=1e-12)


@pytest.mark.parametrize("column", ["study", "task", "visual_tokens", "compressor", "checkpoint"])
def test_a_group_left_out_is_as_if_it_had_never_been_there(column: str) -> None:
    rows = CELLS.where(np.arange(KNOWN))
    values = getattr(rows, column)
    groups = [np.flatnonzero(values == value) for value in np.unique(values)]
    assert len(groups) > 2
    for group, found in zip(groups, left_out(factor(), ERROR[:KNOWN], groups), strict=True):
        mean, spread = dense(np.setdiff1d(np.arange(KNOWN), group), group)
        np.testing.assert_allclose(found.mean, mean, atol=1e-8)
        np.testing.assert_allclose(found.covariance, spread + np.diag(NOISE[group]), atol=1e-9)


def test_own_runs_are_more_rows_of_which_the_noise_is_averaged_over() -> None:
    prior = Noise({}, {"task 3": 1.7}, median=0.0125, spread=0.7, task_spread=0.5)
    asked = np.array([ROWS - 2, ROWS - 1])
    own = np.arange(KNOWN, ROWS - 2)
    runs = OwnRuns(CELLS.where(own), ERROR[own], np.full(len(own), np.nan))
    found, noise = predict_with(Posterior(factor()), runs, CELLS.where(asked), prior)

    known = np.arange(ROWS - 2)
    weights, means, seconds = [], [], []
    for value in noise_grid(prior):
        factors = np.array([prior.task.get(task, 1.0) for task in CELLS.task[own].tolist()])
        variance = np.concatenate([NOISE[:KNOWN], (value * factors) ** 2])
        total = FULL[np.ix_(known, known)] + np.diag(variance)
        square = ERROR[known] @ np.linalg.solve(total, ERROR[known])
        weights.append(-0.5 * (square + np.linalg.slogdet(total)[1]) - 0.5 * (math.log(value / 0.0125) / 0.7) ** 2)
        across = FULL[np.ix_(asked, known)]
        mean = across @ np.linalg.solve(total, ERROR[known])
        spread = FULL[np.ix_(asked, asked)] - across @ np.linalg.solve(total, across.T)
        means.append(mean)
        seconds.append(spread + np.outer(mean, mean))
    share = np.exp(np.array(weights) - max(weights))
    share /= share.sum()
    mean = share @ np.array(means)
    np.testing.assert_allclose(found.mean, mean, atol=2e-4)  # noises of a share below 1e-4 are left out
    second = np.einsum("k,kij->ij", share, np.array(seconds))
    np.testing.assert_allclose(found.covariance, second - np.outer(mean, mean), atol=2e-5)
    assert noise.mean == pytest.approx(float(share @ noise_grid(prior)), rel=1e-2)


@pytest.mark.parametrize("true", [0.003, 0.0125, 0.04])
def test_own_noise_is_found(true: float) -> None:
    random = np.random.default_rng(7)
    cells = some_cells(200, seed=8, new="own ")
    error = random.multivariate_normal(np.zeros(200), covariance_of_few(cells)) + true * random.standard_normal(200)
    runs = OwnRuns(cells, error, np.full(200, np.nan))
    prior = Factor.of(Frame.of(cells.where(np.array([], int))), np.array([]), np.array([]), FEW)
    _, noise = predict_with(Posterior(prior), runs, cells.where(np.array([0])), Noise({}, {}, 0.0125, 0.7, 0.5))
    assert noise.mean == pytest.approx(true, rel=0.35)  # the grid's step is a factor of 1.4


FEW = np.where([effect.name in ("task", "slope in T", "checkpoint") for effect in EFFECTS], 0.05, 0.0)


def covariance_of_few(cells: Cells) -> FloatArray:
    frame = Factor.of(Frame.of(cells.where(np.array([], int))), np.array([]), np.array([]), FEW)
    return Posterior(frame).predict(cells).covariance


def test_columns_are_those_of_the_cells() -> None:
    assert {name for effect in EFFECTS for name in effect.groups} <= {*NAMED, "visual_tokens"}


@pytest.mark.parametrize("size", [0, 1, 95, 97, 230])
def test_inverse_of_a_triangle(size: int) -> None:
    root = np.tril(np.random.default_rng(size).uniform(0.1, 1, size=(size, size)) / max(size, 1)) + np.eye(size)
    np.testing.assert_allclose(lower_inverse(root) @ root, np.eye(size), atol=1e-12)


def test_tokens_that_are_not_above_zero_are_refused() -> None:
    cells = some_cells(3, seed=1)
    cells.visual_tokens[1] = 0.0
    with pytest.raises(InputError, match=r"visual tokens: expected a number above 0, got 0\.0; leave the cell out"):
        Frame.of(cells)
