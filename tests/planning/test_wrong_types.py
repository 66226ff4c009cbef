"""Values of the wrong type: one sentence that names the argument, never Python's own error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import planner
from planner.base.errors import InputError
from planner.costs.request import request_cost

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
        ({"form": []}, "no form is called []; there are: additive, multiplicative, log-linear"),
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
