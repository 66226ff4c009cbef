"""Joint fits of forms without a projection: planted laws, and the built-in forms by either way of fitting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extensions.shifted_form import SHIFTED
from numpy.typing import NDArray

import planner
from planner.base.errors import FitError
from planner.laws.fitted import CONVERGED, NOT_IDENTIFIED, FitData, FittedLaw
from planner.laws.forms import FORMS, get_form
from planner.laws.joint import JointFit, joint_difference, joint_interval, joint_parameters
from planner.laws.joint.general import General
from planner.laws.student import two_sided_quantile
from planner.runs import Runs

FloatArray = NDArray[np.float64]

SIZES = (0.5, 1.8, 4.0, 7.0, 14.0)
TOKENS = (1.0, 4.0, 9.0, 16.0, 36.0, 64.0, 144.0, 256.0, 576.0)
TRUTHS = {
    "easy": {"A": 0.3, "a": 0.35, "B": 0.5, "c": 6.0, "b": 0.4, "D": 0.1},
    "hard": {"A": 0.2, "a": 0.35, "B": 0.3, "c": 2.0, "b": 0.4, "D": 0.0},
    "other": {"A": 0.4, "a": 0.35, "B": 0.2, "c": 15.0, "b": 0.4, "D": 0.2},
}
NOISE = 5e-4
BUILT_IN: dict[str, tuple[dict[str, float], dict[str, float], tuple[str, ...]]] = {
    "additive": (
        {"A": 0.3, "alpha": 0.25, "B": 0.2, "beta": 0.15, "D": 0.1}, {"B": 0.1, "beta": 0.4}, ("A", "alpha", "D")
    ),
    "multiplicative": ({"A": 0.5, "alpha": 0.15, "beta": 0.05, "D": 0.1}, {"A": 0.3, "beta": 0.2}, ("alpha", "D")),
    "log-linear": ({"c0": 0.6, "c1": 0.04, "c2": 0.01}, {"c0": 0.4, "c2": 0.02}, ("c1",)),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _forms() -> Iterator[None]:
    bare: dict[str, Any] = {"projection": None, "best_tokens": None, "derivatives": None, "slopes": None}
    added = [FORMS.register(SHIFTED)]
    added += [FORMS.register(replace(get_form(name), name=f"general-{name}", **bare)) for name in BUILT_IN]
    yield
    for form in added:
        FORMS.remove(form.name)


def table(
    form: str, truths: Mapping[str, Mapping[str, float]], noise: float, sizes: Mapping[str, Any] | None = None
) -> Runs:
    """Runs of each task at the sizes, those of one task at sizes of its own."""
    random = np.random.default_rng(0)
    parts = []
    for task, truth in truths.items():
        its_own = (sizes or {}).get(task, SIZES)
        n, t = (axis.ravel() for axis in np.meshgrid(its_own, TOKENS, indexing="ij"))
        parts.append((task, n, t, get_form(form).value(truth, n, t) + noise * random.standard_normal(len(n))))
    n, t, error = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    tasks = tuple(task for task, own, _, _ in parts for _ in own)
    return Runs(llm=tuple(f"Qwen1.5-{x:g}B" for x in n), llm_params=n * 1e9, visual_tokens=t, error=error, task=tasks)


TWO = {task: TRUTHS[task] for task in ("easy", "other")}


@pytest.fixture(scope="module")
def shifted() -> JointFit:
    return planner.fit_joint(table("shifted", TWO, NOISE), "shifted", by="task", shared=["a", "b"])


def test_planted_laws_with_common_exponents_are_recovered() -> None:
    joint = planner.fit_joint(table("shifted", TRUTHS, 0.0), "shifted", by="task", shared=["a", "b"])
    for task, truth in TRUTHS.items():
        assert joint[task].params == pytest.approx(truth, rel=1e-6, abs=1e-9), task
    assert joint.parameters_count == 2 + 3 * 4
    low, high = joint_interval(joint["easy"], 7e9, np.array([1, 100]))
    assert high - low == pytest.approx(0.0, abs=1e-9)


def test_a_group_borrows_what_it_cannot_tell() -> None:
    """One LLM size and all but the amount of what tokens do: nothing of it could be fitted alone."""
    truths = {"full": TRUTHS["easy"], "single": TRUTHS["easy"] | {"B": 0.3, "c": 12.0}}
    shared = ("A", "a", "b", "D")
    runs = table("shifted", truths, 0.0, {"single": (7.0,)})
    joint = planner.fit_joint(runs, "shifted", by="task", shared=shared)
    assert joint["single"].params == pytest.approx(truths["single"], rel=1e-6)
    assert joint.aicc_separate is None
    assert any("measured at one LLM size, 7B: a is that of full" in remark for remark in joint["single"].remarks)
    assert "a larger LLM takes as many points off the error" in joint["single"].joint["assumption"]


def test_noise_leaves_the_truth_in_the_intervals(shifted: JointFit) -> None:
    for task, truth in TWO.items():
        law = shifted[task]
        assert law.status == CONVERGED or law.at_bound == ("D",)
        for name, interval in joint_parameters(law, 0.99).items():
            assert interval.contains(truth[name]), (task, name)
        points = np.array([[5e8], [7e9], [28e9]]), np.array([1, 16, 576])
        low, high = joint_interval(law, *points, 0.99)
        there = get_form("shifted").value(truth, points[0] / 1e9, points[1])
        assert (low <= there).all()
        assert (there <= high).all()
        assert (high - low).max() < 0.02


def test_sharing_narrows_what_a_task_tells_alone(shifted: JointFit) -> None:
    runs = table("shifted", TWO, NOISE)
    alone = planner.fit(runs.select(task="other"), "shifted")
    own = planner.intervals(alone)["b"]
    together = joint_parameters(shifted["other"])["b"]
    assert together.high - together.low < 0.6 * (own.high - own.low)


def test_an_end_is_where_the_fit_with_it_held_is_barely_acceptable(shifted: JointFit) -> None:
    """The form with b held at the end is another form, fitted jointly by itself."""
    whole, interval = shifted["easy"].joint, joint_parameters(shifted["easy"])["b"]
    level = whole["rss"] + two_sided_quantile(0.95, whole["dof"]) ** 2 * whole["noise_variance"]
    columns = [np.concatenate([whole["groups"][task]["data"][name] for task in TWO]) for name in ("n", "t", "y")]
    for end in (interval.low, interval.high):
        held = replace(
            SHIFTED,
            parameters=tuple(one for one in SHIFTED.parameters if one.name != "b"),
            function=lambda p, n, t, end=end: SHIFTED.function({**p, "b": end}, n, t),
            of_t=("B", "c"),
        )
        problem = General.of(held, ("a",), [45, 45], FitData(*columns, np.ones(90)))
        assert problem.solve({}).rss == pytest.approx(level, rel=1e-5)


@pytest.mark.parametrize("form", ["additive", "log-linear", pytest.param("multiplicative", marks=pytest.mark.slow)])
def test_the_general_way_gives_what_the_exact_one_gives(form: str) -> None:
    params, other, shared = BUILT_IN[form]
    runs = table(form, {"full": params, "single": params | other}, 3e-3, {"single": (7.0,)})
    exact, general = (planner.fit_joint(runs, name, by="task", shared=shared) for name in (form, f"general-{form}"))
    assert general.rss == pytest.approx(exact.rss, rel=1e-10)
    assert general.aicc == pytest.approx(exact.aicc, abs=1e-8)
    points = np.array([[5e8], [7e9], [72e9]]), np.array([1, 16, 36, 576])
    for task in ("full", "single"):
        one, same = exact[task], general[task]
        assert same.params == pytest.approx(one.params, rel=1e-7)
        assert (same.status, same.advice, same.at_bound, same.remarks) == (
            one.status, one.advice, one.at_bound, one.remarks
        )  # fmt: skip
        for name, interval in joint_parameters(one).items():
            width = interval.high - interval.low
            again = joint_parameters(same)[name]
            assert (again.low, again.high) == pytest.approx(
                (interval.low, interval.high), abs=1e-3 * width, nan_ok=True
            )
        ends, others = joint_interval(one, *points), joint_interval(same, *points)
        assert others[1] - others[0] == pytest.approx(ends[1] - ends[0], rel=2e-3)
        differences = [joint_difference(law, *points, (7e9, 16.0)) for law in (one, same)]
        assert differences[1][0] == pytest.approx(differences[0][0], abs=1e-5)


def test_a_law_of_it_is_saved_and_plans(shifted: JointFit, tmp_path: Path) -> None:
    law = FittedLaw.load(shifted["easy"].save(tmp_path / "law.json"))
    assert law.to_dict() == shifted["easy"].to_dict()
    plan = planner.plan(law, budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
    assert plan.best.interval is not None
    assert plan.best.interval[0] < plan.best.predicted_error < plan.best.interval[1]


@pytest.mark.parametrize(
    ("sizes", "shared", "text"),
    [
        ({"hard": (7.0,)}, ["b"], "group hard was measured at one LLM size and cannot tell its own a: share a with"),
        (
            {"hard": (4.0, 7.0)}, ["b"],
            "group hard was measured at 2 LLM sizes and cannot tell its own a beside a D: share D with a group",
        ),
        (
            {"easy": (7.0,), "hard": (7.0,)}, ["a", "D"],
            "no group can lend a: the shifted form needs one measured at 3 LLM sizes",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_said_in_a_sentence(sizes: dict[str, Any], shared: list[str], text: str) -> None:
    truths = {task: TRUTHS[task] for task in ("easy", "hard")}
    with pytest.raises(FitError, match=text):
        planner.fit_joint(table("shifted", truths, NOISE, sizes), "shifted", by="task", shared=shared)


def test_too_few_token_counts_for_a_shift_are_said() -> None:
    runs = table("shifted", TRUTHS, NOISE)
    few = runs.take((np.array(runs.task) != "hard") | np.isin(runs.visual_tokens, TOKENS[:3]))
    with pytest.raises(
        FitError, match="3 visual token counts and cannot tell its own b beside a c and a D: share c or D"
    ):
        planner.fit_joint(few, "shifted", by="task", shared=["a"])


def test_a_combination_that_stays_free_is_found_in_its_group() -> None:
    truths = {"full": TRUTHS["easy"], "single": TRUTHS["easy"] | {"B": 0.3}}
    joint = planner.fit_joint(
        table("shifted", truths, NOISE, {"single": (7.0,)}), "shifted", by="task", shared=["a", "b", "c"]
    )
    assert joint["single"].status == NOT_IDENTIFIED  # A and D of one LLM size
    assert joint["full"].status != NOT_IDENTIFIED
