"""The gradient against finite differences, planted hierarchies found again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from planner.laws.hierarchy.cells import Cells, in_tokens
from planner.laws.hierarchy.design import Layout, side
from planner.laws.hierarchy.effects import EFFECTS, Effect
from planner.laws.hierarchy.estimation import Objective
from planner.laws.hierarchy.factor import Frame
from planner.laws.hierarchy.noise import Noise

FloatArray = NDArray[np.float64]


def grid(tasks: int = 30, compressors: int = 8) -> Cells:
    """Every task with every compressor at four token counts: two studies of one model each."""
    cells = [
        (f"study {s}", f"task {k}", f"compressor {c}", tokens)
        for s in range(2)
        for k in range(tasks)
        for c in range(compressors)
        for tokens in (16.0, 64.0, 144.0, 576.0)
    ]
    study, task, compressor, tokens = zip(*cells, strict=True)
    n = len(cells)
    classes = np.where([int(name.split()[1]) % 2 for name in task], "text", "general")
    return Cells(
        study=np.array(study),
        table=np.array(study),
        task=np.array(task),
        task_class=classes,
        family=np.full(n, "family"),
        recipe=np.full(n, ""),
        checkpoint=np.array(study),
        compressor=np.array(compressor),
        population=np.full(n, "trained"),
        llm_params=np.full(n, 7e9),
        visual_tokens=np.array(tokens),
    )


def test_gradient_is_that_of_finite_differences() -> None:
    cells = grid(tasks=5, compressors=3)
    random = np.random.default_rng(0)
    n = len(cells)
    error = random.uniform(0.2, 0.7, size=n)
    error_se = np.where(random.uniform(size=n) < 0.5, np.nan, 0.01)
    objective = Objective(Frame.of(cells), error, error_se, cells.study, cells.task)
    point = objective.start(0.02) + random.uniform(-1, 1, size=len(objective.start(0.02)))
    _, slopes = objective(point)
    step = 1e-5
    for i in range(len(point)):
        there = np.zeros_like(point)
        there[i] = step
        expected = (objective(point + there)[0] - objective(point - there)[0]) / (2 * step)
        assert slopes[i] == pytest.approx(expected, rel=1e-5, abs=1e-4), i


def test_planted_standard_deviations_are_found() -> None:
    planted = {
        "task": 0.12,
        "slope in T: task": 0.015,
        "compressor": 0.03,
        "compressor x task": 0.02,
        "curve": 0.01,
    }
    table = (
        Effect("level", (), fixed_sd=1.0),
        Effect("task", ("task",)),
        Effect("slope in T: task", ("task",), in_tokens),
        Effect("compressor", ("compressor",)),
        Effect("compressor x task", ("compressor", "task")),
        Effect("curve", ("study", "task"), smooth=True),
    )
    noise = {"study 0": 0.004, "study 1": 0.012}
    cells = grid()
    error = drawn(cells, table, planted, noise, seed=4)
    frame = Frame.of(cells, Layout(table))
    objective = Objective(frame, error, np.full(len(cells), np.nan), cells.study, cells.task)
    sds, estimated = most_probable(objective)
    for effect, sd in zip(table[1:], sds[1:], strict=True):
        tolerance = 0.5 if effect.name == "compressor" else 0.25  # 8 compressors, 30 tasks
        assert sd == pytest.approx(planted[effect.name], rel=tolerance), effect.name
    for name, value in noise.items():
        assert estimated.study[name] == pytest.approx(
            value, rel=0.15
        )  # 960 rows each; the tasks' factors take their share


def test_an_effect_that_is_not_there_is_small() -> None:
    table = (Effect("level", (), fixed_sd=1.0), Effect("task", ("task",)), Effect("compressor", ("compressor",)))
    cells = grid()
    error = drawn(cells, table[:2], {"task": 0.1}, {"study 0": 0.01, "study 1": 0.01}, seed=5)
    objective = Objective(Frame.of(cells, Layout(table)), error, np.full(len(cells), np.nan), cells.study, cells.task)
    sds, _ = most_probable(objective)
    assert sds[2] < 0.003


def test_a_task_s_factor_of_the_noise_is_found() -> None:
    table = (Effect("level", (), fixed_sd=1.0), Effect("task", ("task",)))
    cells = grid()
    factor = np.where(cells.task == "task 5", 4.0, 1.0)
    error = 0.4 + 0.01 * factor * np.random.default_rng(6).standard_normal(len(cells))
    _, noise = most_probable(
        Objective(Frame.of(cells, Layout(table)), error, np.full(len(cells), np.nan), cells.study, cells.task)
    )
    others = [value for name, value in noise.task.items() if name != "task 5"]
    assert noise.task["task 5"] / float(np.mean(others)) == pytest.approx(4.0, rel=0.25)  # 64 rows, and the prior


def most_probable(objective: Objective) -> tuple[FloatArray, Noise]:
    found = minimize(lambda x: tuple(-part for part in objective(x)), objective.start(0.02), jac=True)
    return objective.split(found.x)


def drawn(
    cells: Cells, table: tuple[Effect, ...], sds: dict[str, float], noise: dict[str, float], seed: int
) -> FloatArray:
    """Errors of a planted hierarchy, each effect's values drawn one by one."""
    random = np.random.default_rng(seed)
    error = 0.4 + np.array([noise[name] for name in cells.study]) * random.standard_normal(len(cells))
    rows, _ = side(Layout(table), cells, {})
    for e, effect in enumerate(table):
        if effect.fixed_sd is not None:
            continue
        columns = [getattr(cells, column).tolist() for column in effect.groups]
        groups = list(zip(*columns, strict=True))
        for group in dict.fromkeys(groups):
            own = np.array([one == group for one in groups])
            levels, at = np.unique(rows.t[own], return_inverse=True)
            bend = np.exp(-((levels[:, None] - levels) ** 2) / 18)
            drawn = random.multivariate_normal(np.zeros(len(levels)), bend) if effect.smooth else random.normal()
            error[own] += sds[effect.name] * rows.values[e][own] * (drawn[at] if effect.smooth else drawn)
    return error


def test_effects_are_named_once() -> None:
    assert len({effect.name for effect in EFFECTS}) == len(EFFECTS)
