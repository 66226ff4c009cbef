"""How a model may run: defaults, what several values mean, and every sentence about what cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.base.errors import InputError, QuantityError, UnknownNameError
from planner.hardware import Hardware, hardware_catalog
from planner.planning.deployment import BATCHES_TRIED, Deployment, as_deployment, several
from planner.planning.request import Budget
from planner.planning.search import plan

FLOPS = Budget(1e12)


def deployment(budget: Budget = FLOPS, **options: Any) -> Deployment:
    asked: dict[str, Any] = {
        "hardware": None,
        "precision": None,
        "kv_precision": None,
        "tensor_parallel": 1,
        "batch": None,
        "gpus": None,
        "price_per_hour": None,
    }
    return as_deployment(budget, **(asked | options))


# ---- defaults ----------------------------------------------------------------------------------------------------


def test_plain_budget_runs_one_request_in_bf16_on_one_gpu() -> None:
    assert deployment() == Deployment(
        hardware=None,
        precisions=("bf16",),
        kv_precision=None,
        tensor_parallel=(1,),
        batches=(1,),
        gpus=None,
        price_per_hour=None,
        latency_source="roofline",
    )


@pytest.mark.parametrize(
    ("limit", "batches"),
    [
        ({"ttft_s": 0.1}, (1,)),
        ({"tpot_s": 0.1}, (1,)),
        ({"request_s": 0.1}, (1,)),
        ({"memory_bytes": 1e10}, (1,)),
        ({"requests_per_second": 1.0}, BATCHES_TRIED),
        ({"energy_joules": 1.0}, BATCHES_TRIED),
        ({"price_per_million_requests": 1.0}, BATCHES_TRIED),
    ],
)
def test_batches_are_tried_where_they_help(limit: dict[str, float], batches: tuple[int, ...]) -> None:
    way = {"hardware": "l4", "price_per_hour": 1.0, "scheduler": "static"}
    assert deployment(Budget(**limit), **way).batches == batches
    assert deployment(Budget(**limit), **way, batch=[4, 2]).batches == (4, 2)


def test_card_without_bf16_runs_what_stands_in_for_it() -> None:
    def precision(card: Hardware) -> tuple[str, ...]:
        return deployment(hardware=card).precisions

    t4 = hardware_catalog()["t4"]
    assert precision(hardware_catalog()["l4"]) == ("bf16",)
    assert precision(t4) == ("fp16",)
    assert precision(replace(t4, flops_per_s={"fp32": 1e13})) == ("fp32",)
    assert deployment(hardware="t4", precision="int8").precisions == ("int8",)


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (None, ()),
        (4, (4,)),
        ("bf16", ("bf16",)),
        ([4, 2, 4], (4, 2)),
        (("bf16", "int4"), ("bf16", "int4")),
        (range(1, 4), (1, 2, 3)),
        ([], ()),
    ],
)
def test_one_value_or_several(value: Any, values: tuple[Any, ...]) -> None:
    assert several(value) == values


def test_hardware_may_be_a_name_a_card_or_a_profile(tmp_path: Any) -> None:
    card = hardware_catalog()["l4"]
    file = card.save(tmp_path / "mine.json")
    for named in ("l4", "NVIDIA L4", card, file, str(file)):
        assert deployment(hardware=named).hardware == card


def test_gpus_that_are_not_there_are_not_tried() -> None:
    assert deployment(tensor_parallel=[1, 2, 4, 8], gpus=4, hardware="l4").tensor_parallel == (1, 2, 4)
    assert deployment(tensor_parallel=[1, 2, 4, 8]).tensor_parallel == (1, 2, 4, 8)
    assert deployment(tensor_parallel=4, gpus=4, hardware="l4").tensor_parallel == (4,)


@pytest.mark.parametrize(
    ("gpus", "tensor_parallel", "replicas", "used"), [(None, 1, 1, 1), (None, 4, 1, 4), (4, 2, 2, 4), (7, 4, 1, 4)]
)
def test_gpus_that_work(gpus: int | None, tensor_parallel: int, replicas: int, used: int) -> None:
    found = deployment(tensor_parallel=tensor_parallel, gpus=gpus, hardware="l4")
    assert found.replicas(tensor_parallel) == replicas
    assert found.gpus_used(tensor_parallel) == used


# ---- what cannot be ----------------------------------------------------------------------------------------------

SHORT = {
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "request_s": "latency",
    "energy_joules": "energy",
    "price_per_million_requests": "price",
    "requests_per_second": "throughput",
}


@pytest.mark.parametrize("limit", SHORT)
def test_limits_that_the_hardware_decides_need_it(limit: str) -> None:
    with pytest.raises(InputError) as caught:
        deployment(Budget(**{limit: 1.0}), price_per_hour=1.0)
    called = f"{'an' if limit[0] == 'e' else 'a'} {SHORT[limit]} limit"
    assert str(caught.value) == f"{called} needs hardware=, such as hardware='l4'"


def test_flops_and_memory_need_no_hardware() -> None:
    assert deployment(Budget(1e12, memory_bytes=1e10)).hardware is None


def test_power_that_is_not_known() -> None:
    card = replace(hardware_catalog()["l4"], power_w=None)
    with pytest.raises(InputError) as caught:
        deployment(Budget(energy_joules=9.0), hardware=card)
    assert str(caught.value) == (
        "an energy limit needs the power of NVIDIA L4 24 GB, which is not known: give power_w in a hardware profile"
    )
    result = plan(budget=Budget(ttft_s=1.0), query_tokens=50, generated_tokens=32, hardware=card)
    assert "energy_joules" not in result.best.quantities


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"budget": Budget(price_per_million_requests=9.0), "hardware": "l4"},
            InputError,
            "a price limit needs price_per_hour=, what one GPU costs an hour: no prices are shipped",
        ),
        ({"hardware": "h100-smx"}, UnknownNameError, "no accelerator is called 'h100-smx'; did you mean 'h100-sxm'?"),
        (
            {"hardware": "h100"},
            InputError,
            "'h100' fits several accelerators; did you mean h100-sxm or h100-pcie?",
        ),
        ({"precision": "bf61"}, UnknownNameError, "no precision is called 'bf61'; did you mean 'bf16'?"),
        (
            {"precision": ["bf16", "4bit"]},
            UnknownNameError,
            "no precision is called '4bit'; there are: fp32, bf16, fp16, fp8, int8, int4",
        ),
        (
            {"kv_precision": "int4"},
            UnknownNameError,
            "no precision of a KV cache is called 'int4'; did you mean 'int8'?",
        ),
        (
            {"latency_source": "silicone"},
            UnknownNameError,
            "no latency source is called 'silicone'; did you mean 'silicon'?",
        ),
        ({"tensor_parallel": 0}, QuantityError, "tensor_parallel: expected a whole number of at least 1, got 0"),
        (
            {"tensor_parallel": [1, "2"]},
            QuantityError,
            "tensor_parallel: expected a whole number of at least 1, got '2'",
        ),
        ({"batch": [8, 0]}, QuantityError, "batch: expected a whole number of at least 1, got 0"),
        ({"batch": 1.5}, QuantityError, "batch: expected a whole number of at least 1, got 1.5"),
        ({"gpus": 0}, QuantityError, "gpus: expected a whole number of at least 1, got 0"),
        ({"price_per_hour": -1}, QuantityError, "price_per_hour: expected a positive number, got -1"),
        ({"price_per_hour": 5.7e299}, QuantityError, "price_per_hour: expected at most 1e+12, got 5.7e+299"),
        (
            {"tensor_parallel": [4, 8], "gpus": 2},
            InputError,
            "tensor_parallel: 4 GPUs for one model, but gpus=2",
        ),
        (
            {"gpus": 2},
            InputError,
            "gpus: GPUs in all decide the throughput, and that needs hardware=, such as hardware='l4'; or leave "
            "gpus= out",
        ),
    ],
)
def test_bad_input_ends_in_one_sentence(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(InputError) as caught:
        deployment(**options)
    assert type(caught.value) is kind
    assert str(caught.value) == message


def test_precision_that_the_card_does_not_compute_in() -> None:
    with pytest.raises(InputError) as caught:
        plan(budget=FLOPS, query_tokens=50, generated_tokens=32, hardware="a100-80gb", precision=["bf16", "fp8"])
    assert str(caught.value) == (
        "NVIDIA A100 SXM4 80 GB does not compute in fp8; it does in: fp32, bf16, fp16, int8, int4"
    )


@pytest.mark.parametrize("gpus", [None, 2])
def test_an_empty_choice_of_gpus_is_refused(gpus: int | None) -> None:
    with pytest.raises(InputError, match=r"^tensor_parallel: expected at least one "):
        plan(budget=FLOPS, query_tokens=50, generated_tokens=32, tensor_parallel=[], gpus=gpus)
