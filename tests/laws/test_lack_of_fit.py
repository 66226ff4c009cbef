"""The tests of lack of fit: calibrated on planted laws, and loud on planted misfits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

import planner
from planner.laws.averaging import fit_average
from planner.laws.forms import get_form
from planner.laws.lack_of_fit import LEVEL, lack_of_fit
from planner.runs import Runs

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0, 14.0), (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
GRID = np.array([(n, t) for n in SIZES for t in TOKENS])
TRUTHS = {
    "additive": {"A": 0.2, "alpha": 0.3, "B": 0.3, "beta": 0.5, "D": 0.15},
    "multiplicative": {"A": 0.6, "alpha": 0.07, "beta": 0.03, "D": 0.05},
    "log-linear": {"c0": 0.59, "c1": 0.038, "c2": 0.008},
}


def runs_at(grid: np.ndarray, error: np.ndarray, **more: object) -> Runs:
    names = tuple(f"m-{n:g}B" for n in grid[:, 0])
    return Runs(names, grid[:, 0] * 1e9, grid[:, 1], error, **more)  # type: ignore[arg-type]


def planted(form: str, params: Mapping[str, float], grid: np.ndarray, seed: int, sd: float = 0.004) -> Runs:
    noise = sd * np.random.default_rng(seed).standard_normal(len(grid))
    return runs_at(grid, get_form(form).value(params, grid[:, 0], grid[:, 1]) + noise)


def rate(form: str, grid: np.ndarray, count: int) -> float:
    """How often the form that is the truth is said to lack fit."""
    spoke = [
        bool(lack_of_fit(planner.fit(planted(form, TRUTHS[form], grid, seed), form))[0].found) for seed in range(count)
    ]
    return float(np.mean(spoke))


@pytest.mark.slow
@pytest.mark.parametrize("form", TRUTHS)
@pytest.mark.parametrize("design", ["full", "with holes", "repeated"])
def test_the_truth_is_blamed_at_most_at_the_nominal_rate(form: str, design: str) -> None:
    keep = [i for i in range(len(GRID)) if (i * 3) % 11]
    grid = {"full": GRID, "with holes": GRID[keep], "repeated": np.vstack([GRID[::3], GRID[::3]])}[design]
    count = 300
    assert rate(form, grid, count) <= LEVEL + 2.5 * np.sqrt(LEVEL * (1 - LEVEL) / count)  # 2.5 sd of the count


def test_a_few_true_laws_are_not_blamed() -> None:
    assert rate("log-linear", GRID, 25) <= 0.08  # 2 % of 25: three or more in one of 70 draws


@pytest.mark.parametrize("letter", ["N", "T"])
def test_misfit_in_one_letter_is_named(letter: str) -> None:
    """A bump at one level, of three times the noise, that no form of the law has."""
    runs = planted("additive", TRUTHS["additive"], GRID, 3)
    there = GRID[:, 1] == 36 if letter == "T" else GRID[:, 0] == 4
    law = planner.fit(runs_at(GRID, runs.error + 0.02 * there))
    (tested,) = planner.lack_of_fit(law)
    assert tested.found[0].of == letter
    assert tested.found[0].where == ((36, 36) if letter == "T" else (4e9, 4e9))
    assert 0.008 < tested.found[0].largest < 0.02
    level = "36" if letter == "T" else "4B"
    assert f"lack of fit of the additive form: the residuals are systematic in {letter} (F = " in tested.sentence
    assert f"at {letter} = {level} it is too low by 0.0" in tested.sentence


def test_the_shipped_ocr_law_cannot_follow_the_tokens() -> None:
    (ocr,) = lack_of_fit(planner.load_law("ocr", "additive"))
    (reasoning,) = lack_of_fit(planner.load_law("reasoning", "additive"))
    assert [one.of for one in ocr.found] == ["T"]
    assert not reasoning.found
    f = {one.of: one.statistic for one in ocr.tests + reasoning.tests[:0]}["T"]
    assert f == pytest.approx(4.57, abs=0.01)
    assert next(one for one in reasoning.tests if one.of == "T").statistic < 1


def test_levels_are_those_of_a_linear_model() -> None:
    """Of the log-linear form the test is the textbook one: free levels against a slope."""
    runs = planted("log-linear", TRUTHS["log-linear"], GRID, 5)
    tested = next(one for one in lack_of_fit(planner.fit(runs, "log-linear"))[0].tests if one.of == "T")
    ones, log_n, log_t = np.ones(len(GRID)), np.log(GRID[:, 0]), np.log(GRID[:, 1])
    small = np.column_stack([ones, log_n, log_t])
    large = np.column_stack([log_n, GRID[:, 1][:, None] == np.array(TOKENS)])
    rss = [float(np.linalg.lstsq(x, runs.error, rcond=None)[1][0]) for x in (small, large)]
    dof = (len(TOKENS) - 2, len(GRID) - len(TOKENS) - 1)
    assert tested.dof == pytest.approx(dof)
    assert tested.statistic == pytest.approx((rss[0] - rss[1]) / dof[0] / (rss[1] / dof[1]))


def test_repeated_runs_tell_the_noise() -> None:
    """An interaction moves no level, but runs differ more between cells than within them."""
    grid = np.vstack([GRID[GRID[:, 1] > 4], GRID[GRID[:, 1] > 4]])
    runs = planted("log-linear", TRUTHS["log-linear"], grid, 2, sd=0.001)
    checks = np.where((np.searchsorted(SIZES, grid[:, 0]) + np.searchsorted(TOKENS, grid[:, 1])) % 2, 0.004, -0.004)
    (quiet,) = lack_of_fit(planner.fit(runs, "log-linear"))
    (loud,) = lack_of_fit(planner.fit(runs_at(grid, runs.error + checks), "log-linear"))
    assert not quiet.found
    assert loud.found[0].of == "replicates"
    assert "farther off than repeated runs differ among themselves" in loud.sentence


def test_nothing_is_said_of_exact_runs_or_where_nothing_is_left() -> None:
    exact = runs_at(GRID, get_form("additive").value(TRUTHS["additive"], GRID[:, 0], GRID[:, 1]))
    assert lack_of_fit(planner.fit(exact))[0].tests == ()
    assert lack_of_fit(planner.FittedLaw.given("log-linear", TRUTHS["log-linear"])) == ()
    few = planted("log-linear", TRUTHS["log-linear"], GRID[[0, 6, 7, 13]], 0)
    assert lack_of_fit(planner.fit(few, "log-linear"))[0].found == ()


def test_an_average_follows_what_no_form_does() -> None:
    log_t = np.log(GRID[:, 1])
    error = 0.4 - 0.03 * np.log(GRID[:, 0]) + 0.004 * (log_t - 3) ** 2
    law = fit_average(runs_at(GRID, error + 0.002 * np.random.default_rng(0).standard_normal(len(GRID))))
    (tested,) = lack_of_fit(law)
    assert tested.followed
    assert "the average reckons with such misfit" in tested.sentence
    good = fit_average(planted("additive", TRUTHS["additive"], GRID, 1))
    assert not lack_of_fit(good)[0].found
