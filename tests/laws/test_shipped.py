"""The shipped laws are what their script makes of the shipped runs, to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planner
from fitted_laws import make_laws as make_laws_module
from fitted_laws.make_laws import make_laws
from planner.base.errors import InputError, UnknownNameError
from planner.laws.fitted import FittedLaw
from planner.laws.joint import joint_interval


def test_the_script_makes_every_shipped_law_again() -> None:
    made = make_laws()
    folder = resources.files("fitted_laws")
    assert {entry.name for entry in folder.iterdir() if entry.name.endswith(".json")} == set(made)
    for name, law in made.items():
        shipped = FittedLaw.load(Path(str(folder / name)))
        # The last bits of a sum depend on the processor's vector width, so digits are compared, not bytes.
        assert shipped.params == pytest.approx(dict(law.params), rel=1e-9, abs=1e-12), name
        assert shipped.rss == pytest.approx(law.rss, rel=1e-9)
        rest = {key for key in law.to_dict() if key not in ("params", "rss", "rmse", "constraints", "joint")}
        assert {key: shipped.to_dict()[key] for key in rest} == {key: law.to_dict()[key] for key in rest}
        assert same_numbers(shipped.constraints, law.constraints)
        assert same_numbers({**shipped.joint, "profile": None}, {**law.joint, "profile": None})
        if law.joint:  # the edge of a region is met to 1e-4 of its width
            points = np.array([[5e8], [7e9], [72e9]]), np.array([1, 16, 36, 576])
            low, high = joint_interval(law, *points)
            for end, again in zip((low, high), joint_interval(shipped, *points), strict=True):
                assert np.abs(end - again).max() < 1e-3 * (high - low).min()


def same_numbers(one: Any, other: Any) -> bool:
    """Whether two nested JSON values are equal, numbers to nine digits."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same_numbers(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_numbers, one, other))
    return one == pytest.approx(other, rel=1e-9, abs=1e-12) if isinstance(one, float) else one == other


def test_the_check_sees_a_changed_digit_and_overlooks_rounding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    law = FittedLaw.load(make_laws_module.HERE / "quecc.additive.json")
    for change, code in ((1e-13, 0), (1e-7, 1)):
        moved = replace(law, params={**law.params, "A": law.params["A"] * (1 + change)})
        monkeypatch.setattr(make_laws_module, "make_laws", lambda moved=moved: {"quecc.additive.json": moved})
        assert make_laws_module.main(check=True) == code
    assert capsys.readouterr().err == "stale: quecc.additive.json; run python -m fitted_laws.make_laws\n"
    another = replace(law, remarks=("another",))
    monkeypatch.setattr(make_laws_module, "make_laws", lambda: {"quecc.additive.json": another})
    assert make_laws_module.main(check=True) == 1


def test_names_and_forms() -> None:
    assert planner.shipped_names() == (
        ("ocr", "additive"),
        ("ocr", "additive-d0"),
        ("ocr", "interaction"),
        ("ocr", "log-linear"),
        ("ocr", "log-power"),
        ("ocr", "log-shifted"),
        ("ocr", "multiplicative"),
        ("ocr", "saturating"),
        ("paper", "multiplicative"),
        ("quecc", "additive"),
        ("quecc", "log-linear"),
        ("quecc", "multiplicative"),
        ("reasoning", "additive"),
        ("reasoning", "additive-d0"),
        ("reasoning", "interaction"),
        ("reasoning", "log-linear"),
        ("reasoning", "log-power"),
        ("reasoning", "log-shifted"),
        ("reasoning", "multiplicative"),
        ("reasoning", "saturating"),
        ("tokenpacker", "additive"),
        ("tokenpacker", "log-linear"),
        ("tokenpacker", "multiplicative"),
    )
    assert planner.load_law("reasoning").form == "additive"
    assert planner.load_law("reasoning", "log-linear").form == "log-linear"
    assert planner.load_law("paper").params["alpha"] == 0.077


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'reasoning'"):
        planner.load_law("resoning")
    with pytest.raises(InputError, match="'paper' has no additive form; there are: multiplicative"):
        planner.load_law("paper", "additive")


def test_every_row_of_the_shipped_runs_names_its_source() -> None:
    for entry in (resources.files("fitted_laws") / "runs").iterdir():
        runs = planner.read_runs(Path(str(entry)))
        assert runs.source is not None
        assert all("arXiv 2411.03312" in source for source in runs.source)


def test_a_form_that_nobody_named_and_the_runs_reject_says_so() -> None:
    law = planner.load_law("ocr")
    assert isinstance(law, FittedLaw)
    assert law.form == "additive"
    assert law.remarks[-1].startswith("no form was named, and this is the additive one, for which the residuals are ")
    assert law.remarks[-1].endswith("plans rest on the average of all forms, load_law('ocr', form='auto')")
    assert planner.load_law("ocr") is law
    named = planner.load_law("ocr", "additive")
    assert isinstance(named, FittedLaw)
    assert named.remarks == law.remarks[:-1]
    assert named.params == law.params


@pytest.mark.parametrize("name", ["reasoning", "paper", "quecc", "tokenpacker"])
def test_a_form_that_nobody_rejects_stays_as_it_is(name: str) -> None:
    law = planner.load_law(name)
    assert law is planner.load_law(name, law.form)


def test_a_plan_by_that_law_rests_on_the_average_of_the_shipped_one() -> None:
    made, named = (planner.plan(law, budget="2TFLOPs", query_tokens=50, generated_tokens=32) for law in
                   (planner.load_law("ocr"), "ocr"))  # fmt: skip
    assert made.to_dict() == named.to_dict()
