"""plan() against brute force: own loops over models and token counts, own law, FLOPs of one candidate at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from costs.loose import request_flops
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planner.base.errors import InputError, NothingFitsError, QuantityError, UnknownNameError
from planner.configuration import PROMPT_ORDERS
from planner.costs.flops import CONVENTIONS
from planner.costs.stages import Workload
from planner.laws.fitted import FittedLaw
from planner.laws.forms import forms_for, get_form
from planner.parts.catalog import compressor_catalog, find_compressor, find_vision, llm_catalog, vision_catalog
from planner.parts.llms import Llm
from planner.planning.candidate import Candidate
from planner.planning.frontier import pareto
from planner.planning.request import Budget
from planner.planning.result import Plan
from planner.planning.search import plan

FAMILIES = sorted({spec.family for spec in llm_catalog().values()})
TOWER = "CLIP-ViT-L/14-336"


@dataclass(frozen=True)
class Row:
    """One candidate of the brute force."""

    index: int
    llm: str
    visual_tokens: int
    error: float
    flops: float

    @property
    def key(self) -> tuple[str, int]:
        return self.llm, self.visual_tokens


@dataclass(frozen=True)
class Setting:
    """What is planned, but for the budget."""

    law: FittedLaw
    families: tuple[str, ...]
    workload: Workload
    vision: str = TOWER
    compressor: str = "quecc"
    prompt_order: str = "image-first"
    convention: str = "full"

    def plan(self, budget: float) -> Plan:
        return plan(
            self.law,
            budget=budget,
            workload=self.workload,
            llms=self.families,
            vision=self.vision,
            compressor=self.compressor,
            prompt_order=self.prompt_order,
            convention=self.convention,
        )


def law_error(law: FittedLaw, llm_params: float, visual_tokens: int) -> float:
    n, t, p = llm_params / law.n_unit_params, visual_tokens, law.params
    if law.form in ("additive", "additive-d0"):
        return p["A"] / math.pow(n, p["alpha"]) + p["B"] / math.pow(t, p["beta"]) + p.get("D", 0.0)
    if law.form == "multiplicative":
        return p["A"] / (math.pow(n, p["alpha"]) * math.pow(t, p["beta"])) + p["D"]
    of_n = p["c0"] - p["c1"] * math.log(n)
    of_t = {
        "log-linear": lambda: p["c2"] * math.log(t),
        "log-power": lambda: -p["B"] / math.pow(t, p["beta"]),
        "log-shifted": lambda: p["c2"] * math.log(t + p["T0"]),
        "interaction": lambda: p["c2"] * math.log(t) + p["c3"] * math.log(n) * math.log(t),
        "saturating": lambda: p["c2"] * math.log(min(t, p["Tmax"])),
    }
    return of_n - of_t[law.form]()


def llm_specs(families: Iterable[str]) -> list[Llm]:
    return [spec for family in families for spec in llm_catalog().values() if spec.family == family]


def admissible(compressor: str, vision: str) -> list[int]:
    tower = vision_catalog()[vision]
    side = tower.image_size // tower.patch_size
    if compressor == "none":
        return [side * side]
    return [s * s for s in range(1, side + 1) if side % s == 0]


def brute_force(setting: Setting) -> list[Row]:
    """Every candidate, in no order of merit."""
    rows, workload = [], setting.workload
    for spec in llm_specs(setting.families):
        for v in admissible(setting.compressor, setting.vision):
            if setting.convention == "paper":
                text = workload.system_tokens + workload.query_tokens + workload.generated_tokens
                cost = 2 * spec.nominal_params * (text + workload.images * v)
            else:
                flops = request_flops(
                    spec,
                    v,
                    workload,
                    vision=find_vision(setting.vision),
                    compressor=find_compressor(setting.compressor),
                    convention=setting.convention,
                    prompt_order=setting.prompt_order,
                )
                cost = float(flops.total)
            rows.append(Row(len(rows), spec.name, v, law_error(setting.law, spec.nominal_params, v), cost))
    return rows


def not_dominated(rows: Sequence[Row]) -> list[Row]:
    """Rows that no other equals or beats in both FLOPs and error; of exact twins the first stays."""
    kept = []
    for row in rows:
        for other in rows:
            no_worse = other.flops <= row.flops and other.error <= row.error
            twin = other.flops == row.flops and other.error == row.error
            if no_worse and (not twin or other.index < row.index):
                break
        else:
            kept.append(row)
    return sorted(kept, key=lambda row: row.flops)


def keys(candidates: Iterable[Candidate]) -> list[tuple[str, int]]:
    return [(candidate.llm.name, candidate.visual_tokens) for candidate in candidates]


def clear_ranking(rows: Sequence[Row]) -> bool:
    """Whether different sizes and counts differ in error by more than rounding."""
    by_size = {(llm_catalog()[row.llm].nominal_params, row.visual_tokens): row.error for row in rows}
    errors = sorted(by_size.values())
    return all(b - a > 1e-12 for a, b in pairwise(errors))


exponents = st.floats(0.01, 1.0)
factors = st.floats(0.01, 2.0)
floors = st.floats(0.0, 0.5)
laws = st.builds(
    lambda form, params, unit: FittedLaw.given(
        form, {name: params[name] for name in get_form(form).param_names}, n_unit_params=unit
    ),
    st.sampled_from(sorted([one.name for one in forms_for(2)])),
    st.fixed_dictionaries(
        {"A": factors, "B": factors, "D": floors, "alpha": exponents, "beta": exponents}
        | {"c0": st.floats(0.3, 2.0), "c1": st.floats(0.001, 0.1), "c2": st.floats(0.001, 0.1)}
        | {"c3": st.floats(-0.002, 0.01), "T0": st.floats(0.0, 100.0), "Tmax": st.floats(1.0, 1000.0)}
    ),
    st.sampled_from([1e9, 1e6]),
)
workloads = st.builds(
    Workload,
    query_tokens=st.integers(0, 2000),
    generated_tokens=st.integers(0, 1000),
    cached_tokens=st.integers(0, 2000),
    system_tokens=st.integers(0, 300),
    images=st.integers(1, 4),
)
situations = st.builds(
    Setting,
    law=laws,
    families=st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=3, unique=True).map(tuple),
    workload=workloads,
    vision=st.sampled_from(["CLIP-ViT-L/14-336", "CLIP-ViT-B/16-224", "SigLIP-so400m/14-384"]),
    compressor=st.sampled_from(sorted(compressor_catalog())),
    prompt_order=st.sampled_from(PROMPT_ORDERS),
    convention=st.sampled_from(CONVENTIONS),
)


@settings(deadline=None, max_examples=300)
@given(situations, st.data())
def test_plan_equals_brute_force(setting: Setting, data: st.DataObject) -> None:
    rows = brute_force(setting)
    assume(clear_ranking(rows))
    costs = sorted(row.flops for row in rows)
    exactly_one = st.sampled_from(costs)
    anywhere = st.floats(math.log(costs[0]) + 1e-9, math.log(2 * costs[-1])).map(math.exp)
    budget = data.draw(exactly_one | anywhere, label="budget")

    fitting = [row for row in rows if row.flops <= budget]
    ranking = sorted(fitting, key=lambda row: (row.error, row.flops, row.index))
    best = ranking[0]
    beyond = [row for row in rows if row.flops > budget and row.error < best.error]
    next_up = min(beyond, key=lambda row: (row.flops, row.error, row.index), default=None)

    result = setting.plan(budget)
    assert keys([result.best]) == [best.key]
    assert result.best.predicted_error == pytest.approx(best.error, rel=1e-12)
    assert result.best.total_flops == best.flops
    assert (result.candidates_count, result.fitting_count) == (len(rows), len(fitting))
    assert keys(result.runners_up) == [row.key for row in ranking[1:6]]
    assert keys(result.frontier) == [row.key for row in not_dominated(fitting)]
    assert keys([result.next_up] if result.next_up else []) == ([next_up.key] if next_up else [])
    assert result.frontier[-1] == result.best


@settings(deadline=None, max_examples=100)
@given(situations, st.floats(1e-6, 0.999999))
def test_below_the_cheapest_nothing_fits_and_the_cheapest_is_named(setting: Setting, share: float) -> None:
    cheapest = min(brute_force(setting), key=lambda row: (row.flops, row.index))
    budget = cheapest.flops * share
    with pytest.raises(NothingFitsError) as caught:
        setting.plan(budget)
    tokens = "1 visual token" if cheapest.visual_tokens == 1 else f"{cheapest.visual_tokens} visual tokens"
    assert caught.value.cheapest == f"{cheapest.llm} with {tokens}"
    assert (caught.value.cheapest_flops, caught.value.budget_flops) == (cheapest.flops, budget)
    assert keys([setting.plan(cheapest.flops).best]) == [cheapest.key]


@settings(deadline=None, max_examples=100)
@given(situations, st.lists(st.floats(1.0, 1000.0), min_size=2, max_size=5))
def test_more_budget_never_gives_a_worse_error(setting: Setting, factors_above: list[float]) -> None:
    cheapest = min(row.flops for row in brute_force(setting))
    plans = [setting.plan(cheapest * factor) for factor in sorted(factors_above)]
    for smaller, larger in pairwise(plans):
        assert larger.best.predicted_error <= smaller.best.predicted_error
        assert larger.fitting_count >= smaller.fitting_count


@settings(deadline=None, max_examples=60)
@given(situations)
def test_next_up_is_what_its_own_cost_buys(setting: Setting) -> None:
    cheapest = min(row.flops for row in brute_force(setting))
    result = setting.plan(2 * cheapest)
    if result.next_up is None:
        assert setting.plan(1e30).best.predicted_error == result.best.predicted_error
    else:
        assert setting.plan(result.next_up.total_flops).best == result.next_up


# ---- known answers in the paper's count --------------------------------------------------------------------------


def paper_pick(law: str, form: str, budget: str, query_tokens: int) -> Candidate:
    result = plan(law, form=form, budget=budget, query_tokens=query_tokens, generated_tokens=0, convention="paper")
    assert result.best.llm.family == "Qwen1.5"
    return result.best


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_with_cached_text_one_visual_token_is_best(form: str) -> None:
    assert paper_pick("reasoning", form, "0.1 TFLOPs", 0).visual_tokens == 1


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_with_50_query_tokens_16_visual_tokens_are_best(form: str) -> None:
    best = paper_pick("reasoning", form, "1 TFLOPs", 50)
    assert (best.llm.name, best.visual_tokens) == ("Qwen1.5-7B", 16)
    assert best.total_flops == 2 * 7e9 * 66


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_longer_queries_take_more_visual_tokens(form: str) -> None:
    tokens = [paper_pick("reasoning", form, "1 TFLOPs", q).visual_tokens for q in (50, 100, 200, 400)]
    assert tokens == sorted(tokens)
    assert tokens[-1] > tokens[0]


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_reading_text_takes_all_visual_tokens(form: str) -> None:
    assert paper_pick("ocr", form, "20 TFLOPs", 50).visual_tokens == 576


def test_text_first_affords_more_than_image_first() -> None:
    image_first, text_first = (
        plan(budget="2 TFLOPs", query_tokens=100, generated_tokens=8, prompt_order=order).best
        for order in PROMPT_ORDERS
    )
    assert text_first.predicted_error < image_first.predicted_error
    assert (text_first.prompt_order, text_first.flops.query_pass) == ("text-first", 0)


# ---- ties --------------------------------------------------------------------------------------------------------


def test_visual_tokens_that_gain_nothing_are_not_bought() -> None:
    law = FittedLaw.given("additive", {"A": 0.4, "alpha": 0.1, "B": 0.2, "beta": 0.0, "D": 0.0})
    result = plan(law, budget="100 TFLOPs", query_tokens=50, generated_tokens=0, llms="qwen1.5", compressor="quecc")
    assert result.best.visual_tokens == 1
    assert {candidate.visual_tokens for candidate in result.frontier} == {1}
    assert keys(result.runners_up)[0] == (result.best.llm.name, 4)


def test_parameters_that_gain_nothing_are_not_bought() -> None:
    law = FittedLaw.given("multiplicative", {"A": 0.4, "alpha": 0.0, "beta": 0.1, "D": 0.0})
    result = plan(law, budget="100 TFLOPs", query_tokens=50, generated_tokens=0, llms="qwen2.5")
    assert keys([result.best]) == [("Qwen2.5-0.5B", 576)]
    assert {candidate.llm.name for candidate in result.frontier} == {"Qwen2.5-0.5B"}
    assert result.next_up is None


def test_equal_errors_go_to_the_cheaper_model() -> None:
    law = FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01})
    ascending = ["Vicuna-7B-v1.5", "Qwen1.5-7B", "Qwen2-7B"]  # by FLOPs; all are 7B in the law
    result = plan(law, budget="9 PFLOPs", query_tokens=9, generated_tokens=9, llms=ascending[::-1], visual_tokens=[9])
    assert keys([result.best, *result.runners_up]) == [(name, 9) for name in ascending]
    assert len({candidate.predicted_error for candidate in (result.best, *result.runners_up)}) == 1


def test_pareto_keeps_the_first_of_twins_and_drops_the_equally_cheap() -> None:
    costs = np.array([2.0, 1.0, 1.0, 3.0, 2.0, 4.0, 4.0])
    errors = np.array([0.4, 0.5, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert pareto(costs, errors).tolist() == [1, 4, 6]


# ---- candidates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", ["reasoning", "ocr", "paper"])
def test_default_candidates_are_the_family_of_the_law(law: str) -> None:
    result = plan(law, budget="1 EFLOPs", query_tokens=50, generated_tokens=0)
    assert result.candidates_count == 7 * 8
    assert keys([result.best]) == [("Qwen1.5-72B", 576)]


def test_law_of_named_models_plans_their_families() -> None:
    law = FittedLaw.given(
        "log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}, llms=("vicuna-7b-v1.5", "Llama-3.2-1B-Instruct", "Mine-3B")
    )
    result = plan(law, budget="1 EFLOPs", query_tokens=50, generated_tokens=0, visual_tokens=[1])
    ranked = ["Vicuna-13B-v1.5", "Vicuna-7B-v1.5", "Llama-3.2-3B", "Llama-3.2-1B"]
    assert keys([result.best, *result.runners_up]) == [(name, 1) for name in ranked]


@pytest.mark.parametrize(
    ("llms", "measured"),
    [
        ((), "on no named models"),
        (("Mine-1B", "Mine-3B"), "on Mine-1B, Mine-3B, which the catalogue does not know"),
    ],
)
def test_law_of_unknown_models_asks_for_candidates(llms: tuple[str, ...], measured: str) -> None:
    law = FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}, llms=llms)
    with pytest.raises(InputError) as caught:
        plan(law, budget="1 TFLOPs", query_tokens=50, generated_tokens=0)
    assert str(caught.value) == (
        f"the law was measured {measured}: name the candidates with llms=, as models, families, 'all', "
        "or config.json paths"
    )
    assert plan(law, budget="1 TFLOPs", query_tokens=50, generated_tokens=0, llms="qwen3").best.llm.family == "Qwen3"


def test_visual_tokens_may_be_chosen() -> None:
    result = plan(budget="1 PFLOPs", query_tokens=50, generated_tokens=0, llms="Qwen1.5-4B", visual_tokens=[16, 4, 16])
    assert keys([result.best, *result.runners_up]) == [("Qwen1.5-4B", 16), ("Qwen1.5-4B", 4)]
    assert result.candidates_count == 2


def test_count_that_the_compressor_cannot_make_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        plan(budget="1 PFLOPs", query_tokens=50, generated_tokens=0, visual_tokens=[4, 25])
    assert str(caught.value) == (
        "QueCC cannot make 25 visual tokens from the 24 x 24 patches of CLIP-ViT-L/14-336; "
        "it can make 1, 4, 9, 16, 36, 64, 144, 576"
    )


def test_without_compressor_there_is_one_count() -> None:
    assert plan(budget="1 PFLOPs", query_tokens=50, generated_tokens=0, compressor="none").candidates_count == 7
    with pytest.raises(InputError, match=r"cannot make 36 visual tokens .*; it can make 576$"):
        plan(budget="1 PFLOPs", query_tokens=50, generated_tokens=0, compressor="none", visual_tokens=[36])


@pytest.mark.parametrize("wanted", [[0], [1.5], [-4], ["4"], [True]])
def test_visual_tokens_have_to_be_counts(wanted: list[int]) -> None:
    with pytest.raises(QuantityError, match=r"^visual_tokens: expected a whole number of at least 1, got "):
        plan(budget="1 PFLOPs", query_tokens=50, generated_tokens=0, visual_tokens=wanted)


def test_empty_choice_of_visual_tokens_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        plan(budget="1 PFLOPs", query_tokens=50, generated_tokens=0, visual_tokens=[], vision="CLIP-ViT-B/32-224")
    assert str(caught.value) == "visual_tokens: expected at least one of 1, 49, got none"


# ---- what a user may pass ----------------------------------------------------------------------------------------


def test_budget_and_workload_objects_are_the_same_as_plain_values() -> None:
    plain = plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32, cached_tokens=8, convention="paper")
    objects = plan(budget=Budget(2e12, "paper"), workload=Workload(50, 32, cached_tokens=8))
    assert objects.to_dict() == plain.to_dict()
    assert (objects.workload, objects.budget) == (Workload(50, 32, 8), Budget(2e12, "paper"))


def test_default_law_is_that_of_reasoning_over_all_forms() -> None:
    result = plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
    assert (result.law.name, result.law.form, result.budget.convention) == ("reasoning", "auto", "full")
    assert result.to_dict() == plan("reasoning", budget=2e12, query_tokens=50, generated_tokens=32).to_dict()
    assert result.to_dict() == plan(form="auto", budget=2e12, query_tokens=50, generated_tokens=32).to_dict()


def test_law_may_be_a_file(tmp_path: Path) -> None:
    law = FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}, llms=("Qwen2.5-7B",), name="mine")
    path = law.save(tmp_path / "mine.json")
    for named in (path, str(path)):
        result = plan(named, budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
        assert result.law == law
        assert result.best.llm.family == "Qwen2.5"


def test_form_of_a_shipped_law() -> None:
    result = plan("ocr", form="log-linear", budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
    assert result.law.form == "log-linear"
    with pytest.raises(InputError, match=r"^the law has the log-linear form, additive was asked for; leave out form=$"):
        plan(result.law, form="additive", budget="2 TFLOPs", query_tokens=50, generated_tokens=32)


def test_message_where_nothing_fits() -> None:
    with pytest.raises(NothingFitsError) as caught:
        plan(budget="50 GFLOPs", query_tokens=50, generated_tokens=0, convention="paper")
    assert str(caught.value) == (
        "nothing fits 50 GFLOPs (paper count): the cheapest candidate is Qwen1.5-0.5B with 1 visual token "
        "at 51 GFLOPs; raise the budget or name smaller models"
    )
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    "option",
    [
        {"llms": "Qwen9-7B"},
        {"vision": "CLIP"},
        {"compressor": "zip"},
        {"prompt_order": "text"},
        {"convention": "pytorch"},
        {"form": "cubic"},
        {"law": "reasonin"},
    ],
)
def test_unknown_names_are_refused(option: dict[str, str]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32, **option)
    assert caught.value.name in option.values()


def test_request_without_tokens_is_refused() -> None:
    with pytest.raises(QuantityError, match=r"^generated_tokens: expected how many tokens a request has, got nothing$"):
        plan(budget="2 TFLOPs", query_tokens=50)
