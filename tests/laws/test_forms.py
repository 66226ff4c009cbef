"""Forms: value and gradient; nothing else knows their names."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import planner
from planner.base.errors import UnknownNameError
from planner.laws.forms import FORMS, forms_for, get_form

POINTS = (np.array([0.5, 1.0, 7.0]), np.array([1.0, 16.0, 576.0]))
PARAMS = {
    "additive": {"A": 0.4, "alpha": 0.1, "B": 0.2, "beta": 0.05, "D": 0.03},
    "multiplicative": {"A": 0.55, "alpha": 0.08, "beta": 0.015, "D": 0.03},
    "log-linear": {"c0": 0.59, "c1": 0.04, "c2": 0.008},
    "log-power": {"c0": 0.4, "c1": 0.04, "B": 0.2, "beta": 0.6},
    "log-shifted": {"c0": 0.6, "c1": 0.04, "c2": 0.03, "T0": 8.0},
    "interaction": {"c0": 0.59, "c1": 0.03, "c2": 0.012, "c3": 0.004},
    "saturating": {"c0": 0.59, "c1": 0.038, "c2": 0.02, "Tmax": 100.0},
    "additive-d0": {"A": 0.4, "alpha": 0.1, "B": 0.2, "beta": 0.05},
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("additive", 0.4 / 2**0.1 + 0.2 / 9**0.05 + 0.03),
        ("multiplicative", 0.55 / (2**0.08 * 9**0.015) + 0.03),
        ("log-linear", 0.59 - 0.04 * np.log(2) - 0.008 * np.log(9)),
        ("log-power", 0.4 - 0.04 * np.log(2) + 0.2 / 9**0.6),
        ("log-shifted", 0.6 - 0.04 * np.log(2) - 0.03 * np.log(17)),
        ("interaction", 0.59 - 0.03 * np.log(2) - 0.012 * np.log(9) - 0.004 * np.log(2) * np.log(9)),
        ("saturating", 0.59 - 0.038 * np.log(2) - 0.02 * np.log(9)),
        ("additive-d0", 0.4 / 2**0.1 + 0.2 / 9**0.05),
    ],
)
def test_value_is_the_formula(name: str, expected: float) -> None:
    assert get_form(name).value(PARAMS[name], 2.0, 9.0) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("name", [one.name for one in forms_for(2)])
def test_gradient_equals_central_differences(name: str) -> None:
    form, params = get_form(name), PARAMS[name]
    gradient = form.gradient(params, *POINTS)
    assert gradient.shape == (3, len(form.param_names))
    for i, parameter in enumerate(form.param_names):
        h = 1e-6
        up, down = (form.value({**params, parameter: params[parameter] + sign * h}, *POINTS) for sign in (1, -1))
        np.testing.assert_allclose(gradient[:, i], (up - down) / (2 * h), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", [one.name for one in forms_for(2)])
def test_sizes_and_tokens_broadcast(name: str) -> None:
    table = get_form(name).value(PARAMS[name], POINTS[0][:, None], POINTS[1])
    assert table.shape == (3, 3)
    assert table[2, 1] == get_form(name).value(PARAMS[name], 7.0, 16.0)
    assert get_form(name).gradient(PARAMS[name], POINTS[0][:, None], POINTS[1]).shape[:2] == (3, 3)


@pytest.mark.parametrize("name", [one.name for one in forms_for(2)])
def test_many_sets_of_parameters_broadcast(name: str) -> None:
    sets = {one: np.array([[value], [1.1 * value]]) for one, value in PARAMS[name].items()}
    gradient = get_form(name).gradient(sets, *POINTS)  # type: ignore[arg-type]  # arrays
    assert gradient.shape == (2, 3, len(sets))
    np.testing.assert_array_equal(gradient[0], get_form(name).gradient(PARAMS[name], *POINTS))


def test_a_mistyped_form_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'additive'"):
        get_form("aditive")


def test_no_code_outside_the_forms_names_one() -> None:
    """A form carries its behaviour: no other module holds the name of one, but in words for people."""
    package = Path(planner.__file__).parent
    found = []
    for path in sorted(package.rglob("*.py")):
        if path.is_relative_to(package / "laws" / "forms"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [
            f"{path.relative_to(package)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and node.value in FORMS.names()
        ]
    assert found == []


def test_a_form_is_found_whatever_the_case() -> None:
    assert get_form("Additive").name == "additive"
    assert planner.FittedLaw.given("Log-Linear", PARAMS["log-linear"]).form == "log-linear"
