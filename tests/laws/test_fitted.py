"""FittedLaw: predict, save and load, and the way to lmfit."""

from __future__ import annotations

import json
from pathlib import Path

import lmfit
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import planner
from planner.base.errors import InputError, LawFileError
from planner.laws.fitted import LAW_FILE, FittedLaw
from planner.laws.forms import forms_for, get_form
from planner.runs import Runs


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_a_saved_law_is_the_same_law(reasoning: Runs, form: str, tmp_path: Path) -> None:
    law = planner.fit(reasoning, form, name="mine")
    loaded = FittedLaw.load(law.save(tmp_path / "law.json"))
    assert loaded.to_dict() == law.to_dict()
    assert loaded.predict(3e9, 20) == law.predict(3e9, 20)


@given(
    values=st.tuples(*[st.floats(0, 1e6, allow_subnormal=False)] * 5),
    unit=st.floats(1e-3, 1e15),
    name=st.text(max_size=20),
)
def test_any_law_survives_the_file(values: tuple[float, ...], unit: float, name: str) -> None:
    params = dict(zip(get_form("additive").param_names, values, strict=True))
    law = FittedLaw.given("additive", params, n_unit_params=unit, name=name, llm_params_levels=(1e9, 7e9))
    assert FittedLaw.from_dict(json.loads(law.to_json())).to_dict() == law.to_dict()


def test_predict_takes_scalars_and_arrays(reasoning: Runs) -> None:
    law = planner.fit(reasoning)
    table = law.predict(np.array([[5e8], [7e9]]), np.array([1, 16, 576]))
    assert isinstance(table, np.ndarray)
    assert table.shape == (2, 3)
    one = law.predict(7e9, 16)
    assert type(one) is float
    assert one == table[1, 1]


@pytest.mark.parametrize(("size", "tokens"), [(7e9, 0), (0, 16), (-1, 16), (7e9, float("nan")), (float("inf"), 1)])
def test_predict_refuses_what_a_power_law_cannot_say(reasoning: Runs, size: float, tokens: float) -> None:
    with pytest.raises(InputError, match="expected finite numbers above 0"):
        planner.fit(reasoning).predict(size, tokens)


def test_outside_names_the_nearest_measured_value(reasoning: Runs) -> None:
    law = planner.fit(reasoning)
    assert law.outside(7e9, 576) == []
    assert law.outside(14e9, 0.5) == [("llm_params", 7e9, 2.0), ("visual_tokens", 1.0, 2.0)]


def test_a_newer_file_asks_for_an_update(reasoning: Runs) -> None:
    content = planner.fit(reasoning).to_dict() | {"format_version": LAW_FILE.version + 1}
    with pytest.raises(LawFileError, match="update vlm-planner"):
        FittedLaw.from_dict(content)


@pytest.mark.parametrize("field", sorted(FittedLaw.given("log-linear", {"c0": 1, "c1": 0, "c2": 0}).to_dict()))
def test_a_file_without_a_field_or_with_a_wrong_one_is_damaged(reasoning: Runs, field: str) -> None:
    content = planner.fit(reasoning).to_dict()
    with pytest.raises(LawFileError):
        FittedLaw.from_dict({name: value for name, value in content.items() if name != field})
    with pytest.raises(LawFileError):
        FittedLaw.from_dict(
            content | {field: {"wrong": ["kind"]} if field not in ("params", "constraints") else "text"}
        )


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
@pytest.mark.parametrize("loss", ["least-squares", "huber"])
def test_lmfit_agrees_with_the_optimum(reasoning: Runs, form: str, loss: str) -> None:
    law = planner.fit(reasoning, form, loss=loss)
    result = law.to_lmfit()
    assert isinstance(result, lmfit.model.ModelResult)
    assert result.best_values == pytest.approx(dict(law.params), rel=1e-6, abs=1e-9)
    if loss == "least-squares":
        assert result.chisqr == pytest.approx(law.rss, rel=1e-12)
    assert {name for name, parameter in result.params.items() if not parameter.vary} == set(law.at_bound)


def test_a_loaded_law_goes_to_lmfit_with_its_constraints(reasoning: Runs) -> None:
    params = lmfit.Parameters()
    params.add("beta", value=0.1)
    params.add("alpha", expr="beta")
    law = planner.fit(reasoning, "additive", params=params, loss="huber")
    result = FittedLaw.from_dict(json.loads(law.to_json())).to_lmfit()
    assert result.params["alpha"].expr == "beta"
    assert result.best_values == pytest.approx(dict(law.params), rel=1e-5, abs=1e-9)


def test_a_given_law_has_nothing_for_lmfit() -> None:
    with pytest.raises(InputError, match="this one was given, it has no runs"):
        FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}).to_lmfit()


def test_a_law_of_no_joint_fit_has_no_such_field_and_reads_without_it(reasoning: Runs) -> None:
    law = planner.fit(reasoning)
    assert "joint" not in law.to_dict()
    assert FittedLaw.from_dict(law.to_dict()).joint == {}
    with pytest.raises(LawFileError, match="joint: expected an object, got 'text'"):
        FittedLaw.from_dict(law.to_dict() | {"joint": "text"})
