"""Laws made of laws: averages of forms, mixes of tasks, and their files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import planner
from planner.base.errors import InputError, LawFileError
from planner.laws.averaging import averaged, fit_average, mix
from planner.laws.combined import CombinedLaw, read_law
from planner.laws.fitted import FittedLaw
from planner.laws.runs_belief import belief_of, points_of
from planner.laws.shipped import as_law, load_law, load_mix
from planner.runs import Runs

AT = (np.array([[0.5e9], [7e9], [72e9]]), np.array([1.0, 16.0, 576.0]))


def test_auto_is_the_belief_over_all_forms(reasoning: Runs) -> None:
    law = fit_average(reasoning, name="mine")
    assert law.form == "auto"
    shares = dict(zip((member.form for member in law.members), law.weights, strict=True))
    belief = belief_of(planner.fit(reasoning, "additive"))
    assert shares == pytest.approx({form: share for form, share in belief.shares().items() if share > 1e-3}, abs=1e-3)
    assert next(iter(shares)) == "log-linear"
    assert shares["log-linear"] > 0.7
    points = points_of(law.runs_of, *AT, None)
    np.testing.assert_allclose(np.ravel(law.predict(*AT)), belief.expected(points), rtol=1e-9)


def test_auto_knows_a_measured_model_by_its_name(reasoning: Runs) -> None:
    law = fit_average(reasoning)
    of_runs, another = law.predict(7e9, 16, np.array(["Qwen1.5-7B", "another-7B"]))
    assert law.predict(7e9, 16) == pytest.approx(another, rel=1e-12)
    measured = float(reasoning.error[(reasoning.llm_params == 7e9) & (reasoning.visual_tokens == 16)][0])
    assert abs(of_runs - measured) <= abs(another - measured)


def test_the_average_of_all_forms(reasoning: Runs) -> None:
    law = planner.fit_average(reasoning, name="mine")
    assert law.name == "mine"
    assert law.advice == (
        "weighted mean of log-linear 79 %, log-power 8 %, interaction 8 %, log-shifted 3 %, additive 2 %, "
        "saturating 1 %"
    )


def test_fit_names_the_functions_that_do_what_it_did(reasoning: Runs) -> None:
    with pytest.raises(InputError, match=r"call planner\.fit_average\(runs\) for the average of all forms$"):
        planner.fit(reasoning, "auto")
    for options in ({"by": "compressor"}, {"shared": ["alpha"]}):
        with pytest.raises(InputError, match=r"call planner\.fit_joint\(runs, form, by=\.\.\., shared="):
            planner.fit(reasoning, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["additive", "multiplicative", "log-linear"])
def test_averaging_starts_from_any_form(reasoning: Runs, form: str) -> None:
    one, other = averaged(planner.fit(reasoning, form)), fit_average(reasoning)
    np.testing.assert_allclose(one.predict(*AT), other.predict(*AT), rtol=1e-9)


def test_a_mix_weights_the_tasks() -> None:
    law = load_mix("reasoning=3, ocr=1")
    expected = 0.75 * load_law("reasoning").predict(*AT) + 0.25 * load_law("ocr").predict(*AT)
    np.testing.assert_allclose(law.predict(*AT), expected, rtol=1e-14)
    assert law.form == "mix"
    assert law.tasks == (*load_law("reasoning").tasks, *load_law("ocr").tasks)
    assert law.n_runs == 55
    assert law.vision == "CLIP-ViT-L/14-336"


def test_a_mix_of_one_task_with_itself_is_that_task() -> None:
    law = load_law("reasoning")
    same = mix({"a": (law, 0.2), "b": (law, 0.8)})
    np.testing.assert_allclose(same.predict(*AT), law.predict(*AT), rtol=1e-14)


@pytest.mark.parametrize("law", [load_mix("reasoning=0.7,ocr=0.3"), load_law("reasoning", "auto")], ids=["mix", "auto"])
def test_a_combined_law_survives_its_file(law: CombinedLaw, tmp_path: Path) -> None:
    loaded = read_law(law.save(tmp_path / "law.json"))
    assert loaded.to_dict() == law.to_dict()
    assert load_law(tmp_path / "law.json").predict(7e9, 16) == law.predict(7e9, 16)


def test_a_mix_of_averages_survives_its_file(tmp_path: Path) -> None:
    law = load_mix("reasoning=0.7,ocr=0.3", "auto")
    assert isinstance(law, CombinedLaw)
    assert read_law(law.save(tmp_path / "law.json")).to_dict() == law.to_dict()


@pytest.mark.parametrize(
    "text", ["", "reasoning", "reasoning=0", "reasoning=-1", "reasoning=x", "ocr=nan", "=1", "ocr=1,ocr=2"]
)
def test_a_mix_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^--mix: expected NAME=SHARE,NAME=SHARE such as reasoning=0\.7,ocr=0\.3 or "):
        load_mix(text)


def test_auto_needs_runs() -> None:
    given = FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01})
    with pytest.raises(InputError, match="form 'auto' needs a law that was fitted freely to runs"):
        as_law(given, "auto")


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 2},
        {"kind": "sum"},
        {"weights": [1.0]},
        {"weights": [0.5, -0.5]},
        {"weights": "ab"},
        {"members": [{"format": "other"}, {}]},
        {"members": None},
        {"name": 3},
    ],
    ids=str,
)
def test_a_damaged_file_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    content = load_mix("reasoning=0.7,ocr=0.3").to_dict() | change
    (tmp_path / "law.json").write_text(json.dumps(content))
    with pytest.raises(LawFileError, match=r"^law\.json"):
        read_law(tmp_path / "law.json")
