"""The exact path of a linear joint fit, against pulls that are refitted one by one and against brute force."""

from __future__ import annotations

import math
import pickle
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

import planner
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import LOG_LINEAR
from planner.laws.joint.exact import Exact
from planner.laws.joint.path import Path
from planner.laws.joint.problem import Quantity
from planner.runs import Runs

FloatArray = NDArray[np.float64]

N = np.repeat([0.5, 1.8, 4.0, 7.0], 7)
T = np.tile([1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0], 4)
T_VALUES = (1.3, 2.05, 2.7)  # of Student's t, about 80, 95 and 99 %


def groups_of(slopes: list[float], noise: float, seed: int = 0) -> FitData:
    """Groups whose errors fall with T by these slopes; at zero a bound is active at every other seed or so."""
    random = np.random.default_rng(seed)
    y = [0.6 - 0.04 * np.log(N) - slope * np.log(T) + noise * random.standard_normal(28) for slope in slopes]
    count = len(slopes)
    return FitData(np.tile(N, count), np.tile(T, count), np.concatenate(y), np.ones(28 * count))


def problem_of(data: FitData, shared: tuple[str, ...] = ("c1",)) -> Exact:
    assert LOG_LINEAR.projection is not None
    return Exact.of(LOG_LINEAR, LOG_LINEAR.projection, shared, [28] * (len(data.y) // 28), data)


QUANTITIES = [
    *(Quantity(group, parameter=name) for group in (0, 2) for name in ("c0", "c1", "c2")),
    *(Quantity(group, places=((n, t),)) for group in (0, 1) for n, t in ((0.2, 1.0), (7.0, 144.0), (100.0, 576.0))),
    Quantity(1, places=((7.0, 16.0), (7.0, 144.0))),
    Quantity(2, places=((70.0, 16.0), (1.0, 16.0))),
]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shared", [("c1",), ("c0", "c2"), ("c2",)])
def test_edges_are_those_of_pulls_that_are_refitted(seed: int, shared: tuple[str, ...]) -> None:
    """Groups without any gain from tokens, so that bounds are met on the way; pulls meet an edge to 1e-4."""
    problem = problem_of(groups_of([0.0, 0.01, 0.0002], 0.004, seed), shared)
    best = problem.solve({})
    noise = best.rss / 70
    exact = problem.edges(best, QUANTITIES, noise, T_VALUES)
    pulled = Exact.edges(problem, best, QUANTITIES, noise, T_VALUES)
    for quantity, both, others in zip(QUANTITIES, exact, pulled, strict=True):
        width = np.ptp([value for edge in both for value, _ in edge if value is not None])
        for edge, other in zip(both, others, strict=True):
            for t, (value, point), (its_value, its_point) in zip(T_VALUES, edge, other, strict=True):
                assert (value is None) == (its_value is None), quantity
                if value is None or its_value is None:
                    assert point.rss <= best.rss + t**2 * noise * (1 + 1e-9)
                    continue
                assert value == pytest.approx(its_value, abs=3e-4 * width), quantity
                assert np.abs(point.coefficients - its_point.coefficients).max() < 1e-4
                x = problem.projected.columns(
                    problem.projected.terms(np.zeros(0), problem.projected.places), problem.projected.places
                )
                rss = float(np.sum((problem.data.y - x @ point.coefficients) ** 2))
                assert rss == pytest.approx(best.rss + t**2 * noise, rel=1e-9)
                bounded = np.ones(len(point.coefficients), bool)
                bounded[problem.projected.slots["c0"]] = False
                assert (point.coefficients[bounded] >= 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_no_coefficients_in_the_region_reach_farther(seed: int) -> None:
    """The end on a random problem against bounded least squares with a heavy pull on the quantity."""
    random = np.random.default_rng(seed)
    x, w = random.standard_normal((40, 8)), random.standard_normal(8)
    y = x @ np.maximum(random.standard_normal(8), 0.0) + random.standard_normal(40)
    bounded = np.arange(8) > 1
    low = np.where(bounded, 0.0, -math.inf)
    best = lsq_linear(x, y, (low, np.inf), method="bvls", tol=1e-15).x
    rss = float(np.sum((y - x @ best) ** 2))
    noise = rss / 32
    path = Path.at(x, y, bounded, best)
    for side in (-1.0, 1.0):
        for t, (c, leaves) in zip(T_VALUES, path.edge(w, side, noise, T_VALUES), strict=True):
            assert leaves
            assert (c[bounded] >= 0).all()
            level = rss + t**2 * noise
            assert float(np.sum((y - x @ c) ** 2)) == pytest.approx(level, rel=1e-9)
            stiff = 1e3  # holds the quantity where the path has it: no other coefficients there have a smaller sum
            held = lsq_linear(
                np.vstack([x, stiff * w]), np.append(y, stiff * (w @ c)), (low, np.inf), method="bvls", tol=1e-15
            ).x
            assert float(np.sum((y - x @ held) ** 2)) == pytest.approx(level, rel=1e-4)


def test_a_bound_that_is_met_on_the_way_bends_the_path_and_one_that_stops_it_leaves_the_end_open() -> None:
    problem = problem_of(groups_of([0.0002, 0.01, 0.01], 0.004))
    best = problem.solve({})
    assert (best.coefficients > 0).all()
    (low, high), (error_low, _) = problem.edges(
        best, [Quantity(0, parameter="c2"), Quantity(0, places=((7.0, 576.0), (7.0, 1.0)))], best.rss / 70, T_VALUES
    )
    assert [value for value, _ in low] == [None] * 3
    assert all(problem.params(point, 0)["c2"] == 0.0 for _, point in low)
    assert all(value is not None and value > 0 for value, _ in high)
    assert error_low[0][0] == pytest.approx(-problem.params(error_low[0][1], 0)["c2"] * math.log(576.0))


def tasks_of(count: int) -> tuple[FitData, Runs]:
    random = np.random.default_rng(0)
    data = groups_of([0.02 * random.random() - 0.002 for _ in range(count)], 0.003)
    tasks = tuple(f"task {k:02d}" for k in range(count) for _ in range(28))
    runs = Runs(
        llm=tuple(f"M-{n:g}B" for n in data.n), llm_params=data.n * 1e9, visual_tokens=data.t, error=data.y, task=tasks
    )
    return data, runs


def test_thirty_two_tasks_are_bounded_least_squares_and_take_a_moment() -> None:
    """Equal to scipy's on the whole table; some tasks gain nothing from tokens, so that their bound is active."""
    data, runs = tasks_of(32)
    planner.fit_joint(tasks_of(2)[1], "log-linear", by="task", shared=["c1"])  # imports
    before = time.process_time()
    joint = planner.fit_joint(runs, "log-linear", by="task", shared=["c1"])
    assert time.process_time() - before < 0.5  # about .03 s
    group = np.repeat(np.arange(32), 28)
    x = np.zeros((len(group), 65))
    x[np.arange(len(group)), group] = 1.0
    x[np.arange(len(group)), 32 + group] = -np.log(data.t)
    x[:, 64] = -np.log(data.n)
    low = np.where(np.arange(65) < 32, -np.inf, 0.0)
    want = lsq_linear(x, data.y, (low, np.inf), method="bvls", tol=1e-15).x
    found = [law.params for law in joint.laws.values()]
    assert [one["c1"] for one in found] == pytest.approx([want[64]] * 32, rel=1e-12)
    assert [one["c0"] for one in found] == pytest.approx(want[:32], rel=1e-12)
    assert [one["c2"] for one in found] == pytest.approx(want[32:64], rel=1e-9, abs=1e-15)
    assert any(one["c2"] == 0.0 for one in found)


def test_intervals_are_followed_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    followed = []
    edges = Path.edges

    def counted(path: Path, *arguments: Any) -> Any:
        followed.append(path)
        return edges(path, *arguments)

    monkeypatch.setattr(Path, "edges", counted)
    joint = planner.fit_joint(tasks_of(3)[1], "log-linear", by="task", shared=["c1"])
    assert not followed
    law = joint["task 01"]
    first = planner.intervals(law)
    assert len(followed) == 1
    assert planner.intervals(law) == first
    assert FittedLaw.from_dict(law.to_dict()) == law
    assert len(followed) == 1
    assert pickle.loads(pickle.dumps(joint["task 02"])) == joint["task 02"]
    assert len(followed) == 2
    assert followed[0] is followed[1]  # all laws of a fit share the faces that were met
