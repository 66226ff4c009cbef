"""Which effects a candidate has that is other than what its law was measured on: variances by hand."""

from __future__ import annotations

import numpy as np
import pytest

from planner.base.errors import InputError, UnknownNameError
from planner.laws.combined import CombinedLaw
from planner.laws.hierarchy.effects import curve
from planner.planning.transfer.effects import Effects
from planner.planning.transfer.spreads import Measured, Spreads, shipped_spreads
from planner.planning.transfer.transfer import AXES, Transfer, axes_of
from tests.planning.transfer.planted import law, spreads, targets

S = 0.03


def effects(laws: list, transfer: Transfer, index: list[int] | None = None) -> Effects:  # type: ignore[type-arg]
    count = len(transfer.targets.family)
    return transfer.effects(laws, np.array(index or [0] * count))


def covariance(found: Effects) -> np.ndarray:  # type: ignore[type-arg]
    return found.loadings @ found.loadings.T


def test_what_was_measured_has_none() -> None:
    candidates = targets(["Qwen1.5", "Qwen1.5"], ["tokenpacker", "none"])
    everything = spreads(**dict.fromkeys(("family", "family_slope", "compressor", "compressor_slope"), S))
    assert not effects([law()], Transfer(candidates, everything))
    assert not effects([law()], Transfer(candidates, shipped_spreads()))


def test_another_family_is_off_by_its_own_draw_less_that_of_the_law() -> None:
    found = effects([law()], Transfer(targets(["Qwen1.5", "Qwen2.5", "Qwen2.5", "Gemma"]), spreads(family=S)))
    assert covariance(found) / S**2 == pytest.approx(np.array([[0, 0, 0, 0], [0, 2, 2, 1], [0, 2, 2, 1], [0, 1, 1, 2]]))
    assert set(found.axes) == {"family"}


def test_a_law_of_several_families_has_their_mean() -> None:
    both = law(llms=("Qwen1.5-4B", "Vicuna-1.5-7B"))
    found = effects([both], Transfer(targets(["Vicuna", "Qwen1.5", "Gemma"]), spreads(family=S)))
    assert covariance(found) / S**2 == pytest.approx(np.diag([0, 0, 1 + 1 / 2]))


def test_slopes_count_doublings_from_the_middle() -> None:
    sizes = [7e9, 14e9, 1.75e9]  # x = 0, 1, -2
    found = effects([law()], Transfer(targets(["Gemma"] * 3, llm_params=sizes), spreads(family_slope=S)))
    x = np.array([0.0, 1.0, -2.0])
    assert covariance(found) / S**2 == pytest.approx(2 * np.outer(x, x))
    counts = [144, 36, 576]  # t = 0, -2, 2
    made = targets(["Qwen1.5"] * 3, ["other"] * 3, visual_tokens=counts)
    t = np.array([0.0, -2.0, 2.0])
    found = effects([law()], Transfer(made, spreads(compressor_slope=S)))
    assert covariance(found) / S**2 == pytest.approx(2 * np.outer(t, t))
    assert found.sd_of_difference(1)[2] == pytest.approx(np.sqrt(2) * S * 4)


@pytest.mark.parametrize(
    ("tasks", "count"), [(("GQA",), 1), (("GQA", "DocVQA"), 2), (("nine",), 9), (("x", "nine"), 10), ((), 1)]
)
def test_effects_on_tasks_are_those_of_the_mean(tasks: tuple[str, ...], count: int) -> None:
    candidates = targets(["Gemma"], ["other"])
    of_family = effects([law(tasks=tasks)], Transfer(candidates, spreads(family_task=S)))
    assert of_family.sd[0] == pytest.approx(S * np.sqrt(2 / count))
    of_compressor = effects([law(tasks=tasks)], Transfer(candidates, spreads(compressor_task=S)))
    assert of_compressor.sd[0] == pytest.approx(S * np.sqrt(2 / count))


def test_curves_of_compressors_have_the_covariance_of_the_hierarchy() -> None:
    counts = [4, 16, 16, 400]
    made = targets(["Qwen1.5"] * 4, ["a", "a", "b", "a"], visual_tokens=counts)
    found = effects([law()], Transfer(made, spreads(compressor_class_curve=S)))
    t = np.log2(np.array(counts) / 144)
    same = np.array([[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 1, 0], [1, 1, 0, 1]])
    assert covariance(found) / S**2 == pytest.approx((1 + same) * curve(t, t), abs=1e-9)
    half = effects([law(tasks=("GQA", "DocVQA"))], Transfer(made, spreads(compressor_class_curve=S)))
    assert half.sd == pytest.approx(found.sd / np.sqrt(2))  # half of each of two classes


def test_tasks_of_a_mix_share_what_is_no_task_s() -> None:
    mix = CombinedLaw("mix", (law(), law(tasks=("DocVQA",))), (0.25, 0.75))
    candidates = targets(["Gemma", "Qwen1.5"])
    shared = effects([mix], Transfer(candidates, spreads(family=S)))
    assert shared.sd == pytest.approx([S * np.sqrt(2), 0])
    apart = effects([mix], Transfer(candidates, spreads(family_task=S)))
    assert apart.sd == pytest.approx([S * np.sqrt(2) * np.hypot(0.25, 0.75), 0])
    one_knows = CombinedLaw("mix", (law(), law(llms=("gemma-7b", "Gemma-2b"), tasks=("DocVQA",))), (0.25, 0.75))
    gemma = targets(["Gemma"])
    assert effects([one_knows], Transfer(gemma, spreads(family=S))).sd[0] <= S * np.sqrt(2)


def test_laws_of_two_compressors_share_the_family() -> None:
    laws = [law(), law(compressors=("quecc",))]
    candidates = targets(["Gemma", "Gemma"], ["tokenpacker", "quecc"])
    found = effects(laws, Transfer(candidates, spreads(family=S)), [0, 1])
    assert found.sd_of_difference(0) == pytest.approx([0, 0], abs=1e-15)
    assert found.sd == pytest.approx([S * np.sqrt(2)] * 2)


def test_a_released_model_has_a_recipe_and_an_offset_of_its_own() -> None:
    names = ["qwen3-vl-2b", "qwen3-vl-8b", "gemma-3-4b"]
    candidates = targets(["qwen3-vl", "qwen3-vl", "gemma-3"], ["qwen3-vl", "qwen3-vl", "gemma-3"], checkpoint=names)
    recipe = effects([law()], Transfer(candidates, spreads(recipe=S)))
    assert covariance(recipe) / S**2 == pytest.approx(np.array([[2, 2, 1], [2, 2, 1], [1, 1, 2]]))
    own = effects([law(tasks=("nine",))], Transfer(candidates, spreads(checkpoint=S, checkpoint_task=S)))
    assert covariance(own) / S**2 == pytest.approx((1 + 1 / 9) * np.eye(3))
    on_task = effects([law(tasks=("GQA", "DocVQA"))], Transfer(candidates, spreads(recipe_text_task=S)))
    assert on_task.sd == pytest.approx([np.sqrt(2) * S / 2] * 3)  # one of two tasks is one of reading
    assert on_task.sd_of_difference(0)[1] == pytest.approx(0, abs=1e-12)
    far = targets(["qwen3-vl"] * 2, checkpoint=["qwen3-vl-2b"] * 2, visual_tokens=[144, 576])
    slope = effects([law(tasks=("DocVQA",))], Transfer(far, spreads(checkpoint_text_slope=S)))
    assert slope.sd == pytest.approx([0, 2 * S])
    assert not effects([law()], Transfer(far, spreads(checkpoint_text_slope=S)))  # of no task of reading
    measured = law(llms=("Qwen3-VL-2B", "Qwen1.5-4B"))  # a run of the first model
    found = effects([measured], Transfer(candidates, spreads(recipe=S, family=S, compressor=S, checkpoint=0.01)))
    assert found.sd[0] == 0
    assert found.sd[1] == pytest.approx(0.01)  # its family was measured
    assert found.sd[2] > S


def test_axes_that_count_as_measured_are_left_out() -> None:
    candidates = targets(["Gemma"], ["other"])
    everything = spreads(family=S, compressor=S)
    assert set(effects([law()], Transfer(candidates, everything)).axes) == {"family", "compressor"}
    assert set(effects([law()], Transfer(candidates, everything, ("family",))).axes) == {"compressor"}
    assert not effects([law()], Transfer(candidates, everything, AXES))


def test_what_a_law_does_not_say_has_no_effect() -> None:
    candidates = targets(["Gemma"], ["other"])
    assert not effects([law(llms=(), compressors=())], Transfer(candidates, spreads(family=S, compressor=S)))


def test_names_of_axes() -> None:
    assert axes_of("recipe, Family") == ("family", "recipe")
    assert axes_of(["compressor", "family,recipe"]) == AXES
    assert axes_of(()) == axes_of("") == ()
    with pytest.raises(UnknownNameError, match=r"'families'.*did you mean 'family'"):
        axes_of("families")
    with pytest.raises(InputError, match="as_measured: expected some of compressor, family, recipe, got 3"):
        axes_of([3])  # type: ignore[list-item]


def test_compressors_that_were_measured_stand_where_the_evidence_has_them() -> None:
    random = np.random.default_rng(1)
    t = np.log2(np.array([1, 4, 16, 64, 256]) / 144)
    known = Measured(
        t, ("general", ""), ("quecc", "tokenpacker"), random.normal(size=(2, 2, 5)), random.normal(size=(2, 2, 5, 3))
    )
    planted: Spreads = spreads(measured=known, compressor_task=S)
    counts = [1, 4, 16, 64, 256]
    made = targets(["Qwen1.5"] * 5, ["quecc"] * 5, visual_tokens=counts)
    found = covariance(effects([law()], Transfer(made, planted)))
    mean, root = known.mean[0, 0] - known.mean[0, 1], known.root[0, 0] - known.root[0, 1]
    assert found == pytest.approx(np.outer(mean, mean) + root @ root.T + 2 * S**2, abs=1e-9)
    other = covariance(effects([law(tasks=("unheard of",))], Transfer(made, planted)))
    mean, root = known.mean[1, 0] - known.mean[1, 1], known.root[1, 0] - known.root[1, 1]
    assert other == pytest.approx(np.outer(mean, mean) + root @ root.T + 2 * S**2, abs=1e-9)


def test_between_token_counts_lines_are_kept_and_curves_are_smooth() -> None:
    t = np.log2(np.array([1.0, 4, 16, 64, 256, 1024]) / 144)
    line = 0.01 + 0.002 * t
    bent = np.sin(t / 3)
    known = Measured(t, ("",), ("quecc",), line[None, None], bent[None, None, :, None])
    asked = np.linspace(t[0], t[-1], 41)
    found = known.at("quecc", asked, {"general": 1.0})
    assert found[:, 0] == pytest.approx(0.01 + 0.002 * asked, abs=1e-9)
    # a squared exponential of length 3 knows a sine of period 6 pi between levels 2 apart to two hundredths at the ends
    assert found[:, 1] == pytest.approx(np.sin(asked / 3), abs=0.02)
    beyond = known.at("quecc", np.array([t[0] - 3, t[-1] + 2]), {"text": 1.0})
    assert beyond == pytest.approx(known.at("quecc", t[[0, -1]], {"text": 1.0}))


def test_pruning_is_a_population_of_its_own() -> None:
    planted = spreads(
        compressor=S, compressor_slope=S / 2, pruning=7 * S, pruning_slope=6 * S, pruning_task=5 * S, compressor_task=S
    )
    counts = [144, 288]
    made = targets(["Qwen1.5"] * 2, ["quecc"] * 2, visual_tokens=counts)
    t = np.array([0.0, 1.0])
    trained = np.full((2, 2), 2 * S**2) + 0.25 * S**2 * np.outer(t, t)
    pruned = np.full((2, 2), 49 * S**2 + 25 * S**2) + 36 * S**2 * np.outer(t, t)
    found = covariance(effects([law(compressors=("VisionZip", "none"))], Transfer(made, planted)))
    assert found == pytest.approx(trained + pruned, abs=1e-9)
    of_trained = covariance(effects([law(compressors=("tokenpacker", "none"))], Transfer(made, planted)))
    assert of_trained == pytest.approx(2 * trained, abs=1e-9)


def test_the_evidence_says_that_pruning_methods_differ_by_far_more() -> None:
    shipped = shipped_spreads()
    assert shipped.pruning > 5 * shipped.compressor and shipped.pruning_slope > 5 * shipped.compressor_slope
