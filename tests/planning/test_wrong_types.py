"""Values of the wrong type: one sentence that names the argument, never Python's own error."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Sequence
from typing import Any

import pytest

import planner
from planner.base.errors import InputError, UnknownArgumentError
from planner.costs.request import request_cost
from planner.laws.forms import FORMS
from planner.planning import search

REQUEST: dict[str, Any] = {"budget": "2 TFLOPs", "query_tokens": 50, "generated_tokens": 32}
WRONG: tuple[Any, ...] = (5, 1.5, b"l4", object(), [5], [[]], [{}], (None,), {3: 4}, True)
NAMES = ("hardware", "vision", "compressor", "llms", "precision", "kv_precision", "prompt_order", "form", "convention")
COUNTS = ("visual_tokens", "tensor_parallel", "batch", "gpus", "price_per_hour", "query_tokens", "cached_tokens")


def shape(value: Any) -> str:
    """A name for a value that does not change from process to process."""
    return type(value).__name__ if type(value) is object else repr(value)


def refused(**given: Any) -> str:
    """The sentence that a plan with these arguments ends with."""
    with pytest.raises(InputError) as caught:
        planner.plan(**{**REQUEST, **given})
    return str(caught.value)


def all_refused(name: str, values: Sequence[Any]) -> dict[str, str]:
    """The sentence for each value of an argument; of a value that is taken or ends in another error, what happened."""
    found = {}
    for value in values:
        try:
            planner.plan(**{**REQUEST, name: value})
            found[shape(value)] = "\n taken"
        except InputError as error:
            found[shape(value)] = str(error)
        except Exception as error:
            found[shape(value)] = f"\n {error!r}"
    assert len(found) == len(values), "two values have the same shape()"
    return found


@pytest.mark.parametrize("name", [*NAMES, "latency_source", "law"])
def test_a_name_of_the_wrong_type_is_refused(name: str) -> None:
    found = all_refused(name, WRONG)
    assert {value: text for value, text in found.items() if "\n" in text or len(text) >= 700} == {}


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_of_the_wrong_type_is_refused(name: str) -> None:
    wrong = ["x", b"1", object(), [[]], [None], {"a": 1}, -1]
    found = all_refused(name, wrong if name == "price_per_hour" else [*wrong, 1.5])
    assert {value: text for value, text in found.items() if not text.startswith(f"{name}: expected ")} == {}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"hardware": 5}, "hardware: expected the name of a card, a profile's path or a Hardware, got 5"),
        ({"vision": 5}, "vision: expected the name of a tower, a config.json or a Tower, got 5"),
        ({"llms": 5}, "llms: expected names, families, paths of config.json or Llm objects, got 5"),
        ({"law": 5}, "law: expected the name of a shipped law, a law file's path or a law, got 5"),
        ({"compressor": 5}, "no compressor is called 5; there are: quecc, tokenpacker, average-pool, none"),
        ({"prompt_order": 5}, "no prompt order is called 5; there are: image-first, text-first"),
        ({"convention": 5}, "no convention is called 5; there are: full, paper, torch"),
        ({"convention": ""}, "no convention is called ''; there are: full, paper, torch"),
        ({"form": []}, f"no form is called []; there are: {', '.join(FORMS.names())}"),
        (
            {"workload": 5, "query_tokens": None, "generated_tokens": None},
            "workload: expected a Workload or a CSV's path, got 5",
        ),
    ],
    ids=repr,
)
def test_the_sentence_names_what_was_expected_and_what_came(given: dict[str, Any], text: str) -> None:
    assert refused(**given) == text


def test_a_cost_refuses_them_too() -> None:
    for name in ("hardware", "vision", "compressor", "llm"):
        with pytest.raises(InputError):
            request_cost(
                **{"llm": "Qwen2.5-7B", "visual_tokens": 16, "workload": planner.Workload(50, 32), name: 5}  # type: ignore[arg-type]
            )


def test_an_unknown_column_of_a_pareto_front_is_named() -> None:
    table = planner.plan(**REQUEST).table
    with pytest.raises(InputError, match=r"^no quantity of these candidates is called 'ttft_s'; there are: total_flo"):
        table.pareto("ttft_s")
    with pytest.raises(InputError, match=r"did you mean 'total_flops'\?$"):
        table.pareto("flops")
    with pytest.raises(InputError, match="is called 5; there are: total_flops, peak_memory_bytes"):
        table.pareto(5)  # type: ignore[arg-type]


def test_a_limit_beside_the_budget_is_said_to_stand_in_it() -> None:
    wrong: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32, "ttft": "150 ms"}
    with pytest.raises(TypeError) as caught:
        planner.plan(**wrong)
    said = "no argument of plan is called 'ttft'; a limit stands in the budget: say budget=Budget(ttft='150 ms')"
    assert str(caught.value) == said and isinstance(caught.value, InputError)


@pytest.mark.parametrize(
    ("budget", "way_out"),
    [
        ("150 ms", "say budget=Budget(ttft='150 ms') (or tpot= or latency=)"),
        ("24 GiB", "say budget=Budget(memory='24 GiB')"),
        ("20/s", "say budget=Budget(requests_per_second='20/s')"),
    ],
)
def test_a_budget_in_another_unit_is_led_to_its_limit(budget: str, way_out: str) -> None:
    assert refused(budget=budget) == f"budget: a value alone is FLOPs of one request, got {budget!r}; {way_out}"


@pytest.mark.parametrize("budget", ["2 TFLOP/s", "fast", "", None, "-3"])
def test_a_budget_that_no_limit_reads_is_no_count_of_flops(budget: str | None) -> None:
    said = f'budget: expected a positive number of FLOPs such as "2 TFLOPs" or 2e12, got {budget!r}'
    assert refused(budget=budget).startswith(said)


@pytest.mark.parametrize(
    ("function", "argument", "said"),
    [
        ("plan", "query_token", "no argument of plan is called 'query_token'; did you mean 'query_tokens'?"),
        ("cost", "precison", "no argument of cost is called 'precison'; did you mean 'precision'?"),
        (
            "cost",
            "image",
            "no argument of cost is called 'image'; planner.released_cost costs a released model: say "
            "planner.released_cost(hub_id, image=...)",
        ),
        ("fit", "frm", "no argument of fit is called 'frm'; did you mean 'form'?"),
        ("write_report", "overwite", "no argument of write_report is called 'overwite'; did you mean 'overwrite'?"),
        ("load_law", "ttft", "no argument of load_law is called 'ttft'; there are: name, form"),
    ],
)
def test_an_argument_that_a_function_does_not_have_is_led_to_the_nearest(
    function: str, argument: str, said: str
) -> None:
    with pytest.raises(UnknownArgumentError) as caught:
        getattr(planner, function)(**{argument: 1})
    assert str(caught.value) == said


def test_public_functions_keep_their_signature_and_can_be_pickled() -> None:
    assert inspect.signature(planner.plan) == inspect.signature(search.plan)
    assert pickle.loads(pickle.dumps(planner.plan)) is planner.plan
    assert planner.plan.__doc__ == search.plan.__doc__
