"""Roots of covariances: they are roots, and the last digits of a covariance do not turn them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from planner.laws.steady_root import steady_root


def covariance(rows: int, rank: int, seed: int = 0) -> np.ndarray:
    loadings = np.random.default_rng(seed).standard_normal((rows, rank))
    return loadings @ loadings.T


@pytest.mark.parametrize(("rows", "rank"), [(1, 1), (12, 12), (12, 4), (40, 39)])
def test_its_square_is_the_covariance(rows: int, rank: int) -> None:
    wanted = covariance(rows, rank)
    root = steady_root(wanted)
    assert np.abs(root @ root.T - wanted).max() < 1e-9 * wanted.max()
    assert np.array_equal(root, np.tril(root)) and root.any(axis=0).sum() == rank


@pytest.mark.parametrize("wanted", [np.eye(9), covariance(20, 5), np.full((4, 4), 0.3)], ids=["equal", "low", "one"])
def test_last_digits_of_the_covariance_do_not_turn_it(wanted: np.ndarray) -> None:
    """The eigenvectors of the same two matrices lie anywhere."""
    noise = np.random.default_rng(1).standard_normal(wanted.shape) * 1e-15
    assert np.abs(steady_root(wanted + noise + noise.T) - steady_root(wanted)).max() < 1e-6


def test_a_covariance_that_rounding_left_indefinite() -> None:
    wanted = covariance(12, 4)
    turned = wanted - 1e-11 * np.eye(12)
    root = steady_root(turned)
    assert np.linalg.eigvalsh(turned)[0] < 0 and np.abs(root @ root.T - wanted).max() < 1e-6


def test_nothing_uncertain_has_no_root_and_no_covariance_is_an_error() -> None:
    assert not steady_root(np.zeros((3, 3))).any()
    with pytest.raises(np.linalg.LinAlgError):
        steady_root(np.array([[1.0, 2.0], [2.0, 1.0]]))


PLANS = """
import json, planner
asked = dict(query_tokens=50, generated_tokens=32)
trained = planner.plan(task="docvqa", budget="20TFLOPs", **asked)
fast = planner.Budget(ttft_s=0.2)
released = planner.plan(
    task="docvqa", models="released", image="1024x768", hardware="h100-sxm", budget=fast, **asked
)
print(json.dumps([trained.to_dict(), released.to_dict()]))
"""
HASHES = frozenset({"sha256"})


def test_a_plan_on_a_task_does_not_depend_on_the_number_of_threads() -> None:
    """All of it but the rounding of the last digits, which products of matrices have of their own."""

    def planned(threads: int) -> list[dict[str, Any]]:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, str(threads))}
        told = [sys.executable, "-c", PLANS]
        done = subprocess.run(told, env=environment, capture_output=True, text=True, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    one, two = planned(1), planned(2)
    assert one[0]["best"]["probability_best"] is not None
    assert_same(one, two)


def assert_same(one: Any, two: Any, where: str = "") -> None:
    """Same in everything but hashes, numbers to 1e-9."""
    assert type(one) is type(two), where
    if isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for key in one.keys() - HASHES:
            assert_same(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(two), where
        for i, (first, second) in enumerate(zip(one, two, strict=True)):
            assert_same(first, second, f"{where}[{i}]")
    else:
        assert one == (pytest.approx(two, rel=1e-9) if isinstance(one, float) else two), where
