"""Plans under any combination of limits against brute force, and the limits themselves against literal loops."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from planning.one_at_a_time import AT_LEAST, COLUMNS, Row, Setting, best_first, way_of, ways_of_table

from planner.base.errors import NothingFitsError, QuantityError
from planner.base.quantities import parse_plain
from planner.configuration import PROMPT_ORDERS
from planner.costs.stages import Workload
from planner.hardware import hardware_catalog
from planner.laws.fitted import FittedLaw
from planner.planning.candidate import SlackOfPick
from planner.planning.limits import (
    RELAXED_BY,
    Limit,
    LimitKind,
    all_met,
    conflict,
    find_limit,
    gpus_that_do,
    limits_of,
    slacks,
)
from planner.planning.request import Budget
from planner.planning.result import Plan
from planner.planning.search import plan
from planner.planning.words import binding_text, limit_words

# ---- limits of a budget ------------------------------------------------------------------------------------------


def test_limits_stand_in_the_order_of_the_budget() -> None:
    budget = Budget(
        flops=2e12,
        ttft_s="100 ms",
        tpot_s="20 ms",
        request_s="1 s",
        memory_bytes="16 GiB",
        energy_joules=30.0,
        price_per_million_requests=12.5,
        requests_per_second=4,
    )
    found = limits_of(budget, hardware_catalog()["l4"])
    assert [one.name for one in found] == list(COLUMNS)
    assert [one.column for one in found] == list(COLUMNS.values())
    assert [str(one) for one in found] == [
        "FLOPs at most 2 TFLOPs",
        "TTFT at most 100 ms",
        "TPOT at most 20 ms",
        "request latency at most 1 s",
        "memory per device at most 16 GiB",
        "energy of a request at most 30 J",
        "price of a million requests at most 12.5",
        "requests per second at least 4",
    ]
    assert [one.at_least for one in found] == [False] * 7 + [True]


def test_memory_of_the_hardware_is_a_limit() -> None:
    card = hardware_catalog()["l4"]

    def memory(asked: str | None) -> float:
        (limit,) = [one for one in limits_of(Budget(1e12, memory_bytes=asked), card) if one.name == "memory_bytes"]
        return limit.value

    assert memory(None) == card.memory_bytes
    assert memory("1 TiB") == card.memory_bytes
    assert memory("10 GiB") == 10 * 2.0**30
    assert [one.name for one in limits_of(Budget(1e12), None)] == ["flops"]


def test_share_and_relaxed() -> None:
    most = Limit(find_limit("ttft"), 0.1)
    least = Limit(find_limit("requests_per_second"), 11.0)
    assert (most.share(0.05), least.share(22.0)) == (0.5, 0.5)
    assert most.relaxed().value == pytest.approx(0.1 * (1 + RELAXED_BY))
    assert least.relaxed().value == pytest.approx(10.0)
    assert replace(most.relaxed(), value=0.1) == most
    columns = {"ttft_s": np.array([0.05, 0.1, 0.2]), "requests_per_second": np.array([10.0, 11.0, 12.0])}
    assert most.met(columns).tolist() == [True, True, False]
    assert least.met(columns).tolist() == [False, True, True]
    assert all_met([most, least], columns).tolist() == [False, True, False]
    assert all_met([], columns).all()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("ttft_s", "100 msec", "seconds such as \"100 ms\" or 0.1, got '100 msec': the unit 'msec' is not known"),
        ("tpot_s", 0, 'seconds such as "100 ms" or 0.1, got 0'),
        ("request_s", "soon", "seconds such as \"100 ms\" or 0.1, got 'soon'"),
        ("memory_bytes", "24 GiB/s", "'GiB/s' is a rate, memory is a number of bytes"),
        ("memory_bytes", True, 'bytes such as "24 GiB" or 24e9, got True'),
    ],
)
def test_limits_with_a_unit(field: str, value: object, message: str) -> None:
    with pytest.raises(QuantityError) as caught:
        Budget(**{field: value})
    assert str(caught.value).startswith(f"{field}: expected a positive number of ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("energy_joules", 'a positive number of joules such as "50 J" or 50'),
        ("price_per_million_requests", "a positive number"),
        ("requests_per_second", 'a positive number of requests per second such as "20/s" or 20'),
    ],
)
@pytest.mark.parametrize("value", [0, -1.5, float("nan"), float("inf"), "three", "", "-3", True])
def test_limits_that_are_plain_numbers(field: str, expected: str, value: object) -> None:
    with pytest.raises(QuantityError) as caught:
        Budget(**{field: value})
    assert str(caught.value) == f"{field}: expected {expected}, got {value!r}"


def test_a_budget_needs_some_limit() -> None:
    with pytest.raises(QuantityError) as caught:
        Budget()
    assert str(caught.value) == (
        "Budget: expected at least one limit, got none: FLOPs of one request, as Budget('2 TFLOPs'), or one or more of "
        "ttft, tpot, latency, memory, energy, price and requests_per_second, as Budget(ttft='150 ms', memory='24 GiB')"
    )
    assert Budget(tpot_s="20 ms") == Budget(tpot_s=0.02)
    assert Budget(tpot_s="20 ms").flops is None


# ---- columns of numbers against literal loops --------------------------------------------------------------------

NAMES = ("ttft_s", "peak_memory_bytes", "requests_per_second")


def kind(name: str, **more: Any) -> LimitKind:
    return LimitKind(name, name, parse_plain, str, **more)


@st.composite
def columns_and_limits(draw: st.DrawFn) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, list[Limit]]:
    """Small whole numbers, so that ties and exact hits are common."""
    rows = draw(st.integers(1, 25))

    def column() -> np.ndarray:
        return np.array(draw(st.lists(st.integers(1, 12), min_size=rows, max_size=rows)), float)

    quantities = {name: column() for name in NAMES}
    possible = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    values = st.integers(1, 13).map(float)
    limits = [Limit(kind(name, at_least=name == AT_LEAST), draw(values)) for name in NAMES]
    return quantities, column(), possible, limits


def keeps(limit: Limit, quantities: dict[str, np.ndarray], row: int, factor: float = 1.0) -> bool:
    quantity = float(quantities[limit.column][row])
    return quantity >= limit.value / factor if limit.at_least else quantity <= limit.value * factor


@settings(deadline=None, max_examples=100)
@given(columns_and_limits())
def test_conflict_equals_brute_force(
    drawn: tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, list[Limit]],
) -> None:
    quantities, _, possible, limits = drawn

    def some(chosen: Sequence[Limit]) -> bool:
        return any(
            possible[row] and all(keeps(limit, quantities, row) for limit in chosen) for row in range(len(possible))
        )

    assume(not some(limits))
    blamed = conflict(limits, quantities, possible)
    assert not some(blamed)
    for fewer in range(1, len(blamed)):
        for chosen in combinations(limits, fewer):  # no smaller set of limits is to blame
            assert some(chosen)


@settings(deadline=None, max_examples=100)
@given(columns_and_limits())
def test_slacks_equal_brute_force(
    drawn: tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, list[Limit]],
) -> None:
    quantities, errors, possible, limits = drawn
    rows = range(len(errors))
    fitting = [row for row in rows if possible[row] and all(keeps(limit, quantities, row) for limit in limits)]
    assume(fitting)
    best = min(fitting, key=lambda row: errors[row])
    for found, limit in zip(slacks(limits, quantities, errors, possible, best), limits, strict=True):
        others = [
            row
            for row in rows
            if possible[row] and all(keeps(other, quantities, row) for other in limits if other is not limit)
        ]
        better = [row for row in others if errors[row] < errors[best]]
        looser = [row for row in better if keeps(limit, quantities, row, 1.1)]
        assert found.limit is limit
        assert found.keeps_better_out == bool(better)
        assert (found.relaxed_row is None) == (not looser)
        if found.relaxed_row is not None:
            assert found.relaxed_row in looser
            assert errors[found.relaxed_row] == min(errors[row] for row in looser)
        quantity = quantities[limit.column][best]
        assert found.used == (limit.value / quantity if limit.at_least else quantity / limit.value)
        assert found.used <= 1


# ---- whole plans against candidates one at a time ----------------------------------------------------------------


def subset(*values: object, most: int = 2) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(tuple)


settings_of_plans = st.builds(
    Setting,
    llms=subset("Qwen2.5-0.5B", "Qwen2.5-3B", "Qwen2.5-7B", "Qwen2.5-32B", most=3),
    compressors=subset("quecc", "tokenpacker", "average-pool", "none"),
    towers=subset("CLIP-ViT-L/14-336", "SigLIP-B/16-224", most=1),
    prompt_orders=subset(*PROMPT_ORDERS),
    precisions=subset("bf16", "fp8", "int4"),
    tensor_parallel=subset(1, 2, 4),
    batches=subset(1, 4, 16),
    workload=st.sampled_from([Workload(50, 32), Workload(20, 1, 100, 30, 2), Workload(200, 100)]),
    hardware=st.sampled_from(["l4", "h100-sxm"]),
    kv_precision=st.sampled_from([None, "fp8"]),
    gpus=st.sampled_from([None, 4, 7]),
    price_per_hour=st.sampled_from([None, 2.5]),
    convention=st.sampled_from(["full", "paper", "torch"]),
    exponents=st.sampled_from([(0.1,), (0.05, 0.15)]),
)


def drawn_limits(data: st.DataObject, rows: list[Row]) -> dict[str, float]:
    """Up to four limits around what candidates have; a hair off, so that rounding decides nothing."""
    names = [name for name, column in COLUMNS.items() if column in rows[0].quantities]
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True), label="limits")
    limits = {}
    for name in chosen:
        values = sorted(row.quantities[COLUMNS[name]] for row in rows)
        near = values[data.draw(st.integers(0, len(values) - 1), label=name)]
        factor = data.draw(st.sampled_from([1.0, 1.0, 1.05, 0.8, 1.5]), label=f"factor of {name}")
        limits[name] = near * factor * (1 - 1e-9 if name == AT_LEAST else 1 + 1e-9)
    return limits


def limits_that_hold(setting: Setting, limits: dict[str, float]) -> dict[str, float]:
    """In the order of the budget, with the memory of the card, which stands last where it is not asked for."""
    asked = {name: limits[name] for name in COLUMNS if name in limits}
    if setting.hardware is None:
        return asked
    room = hardware_catalog()[setting.hardware].memory_bytes
    return asked | {"memory_bytes": min(room, limits.get("memory_bytes", room))}


def ascending(names: tuple[str, ...], rows: list[Row]) -> list[list[Row]]:
    """Rows by what they are called in some fields."""
    kinds: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        kinds.setdefault(tuple(getattr(row.way, name) for name in names), []).append(row)
    return list(kinds.values())


@settings(deadline=None, max_examples=60)
@given(settings_of_plans, st.data())
def test_plan_equals_brute_force(setting: Setting, data: st.DataObject) -> None:
    assume(setting.gpus is None or min(setting.tensor_parallel) <= setting.gpus)
    rows = setting.rows()
    asked = drawn_limits(data, rows)
    if setting.price_per_hour is None:
        assert "price_per_million_requests" not in asked
    limits = limits_that_hold(setting, asked)
    fitting = [row for row in rows if row.keeps_all(limits)]
    if not fitting:
        with pytest.raises(NothingFitsError):
            setting.plan(asked)
        return

    result = setting.plan(asked)
    merit = best_first(rows)
    best = min(fitting, key=merit)
    by_way = {row.way: row for row in rows}
    assert (result.candidates_count, result.fitting_count) == (len(rows), len(fitting))
    assert set(ways_of_table(result, result.table.fits)) == {row.way for row in fitting}
    assert result.best.predicted_error == pytest.approx(best.error, rel=1e-12)
    assert merit(by_way[way_of(result.best)]) == merit(best)

    # runners-up: the best way to run each other model
    models = ascending(("compressor", "vision", "llm", "visual_tokens"), fitting)
    ranked = sorted(min(merit(row) for row in kind) for kind in models)
    listed = [result.best, *result.runners_up]
    assert [merit(by_way[way_of(one)]) for one in listed] == ranked[:6]

    # the best of each compressor, tower and prompt order
    kinds = ascending(("compressor", "vision", "prompt_order"), fitting)
    tried = len(setting.compressors) * len(setting.towers) * len(setting.prompt_orders)
    ranked = sorted(min(merit(row) for row in kind) for kind in kinds) if tried > 1 else []
    assert [merit(by_way[way_of(one)]) for one in result.best_of_each] == ranked

    # which limit binds, and what 10 % would buy
    clearly = 1e-12
    assert [one.limit.name for one in result.limits] == list(limits)
    for one in result.limits:
        name = one.limit.name
        others = [row for row in rows if row.keeps_all({key: limits[key] for key in limits if key != name})]
        better = [row for row in others if row.error < best.error - clearly]
        looser = limits[name] / 1.1 if name == AT_LEAST else limits[name] * 1.1
        gained = [row.error for row in better if row.keeps(name, looser)]
        assert one.limit.value == limits[name]
        assert one.keeps_better_out == bool(better)
        assert (one.relaxed is None) == (not gained)
        if one.relaxed is not None:
            assert one.relaxed.predicted_error == pytest.approx(min(gained), rel=1e-12)
        quantity = by_way[way_of(result.best)].quantities[COLUMNS[name]]
        used = limits[name] / quantity if name == AT_LEAST else quantity / limits[name]
        assert one.used == pytest.approx(used, rel=1e-9)

    # the frontier along the first limit, and what stands just above it
    first = next(iter(limits))
    sign = -1.0 if first == AT_LEAST else 1.0

    def along(row: Row) -> float:
        return sign * row.quantities[COLUMNS[first]]

    for cheaper, dearer in pairwise(result.frontier):
        assert along(by_way[way_of(cheaper)]) < along(by_way[way_of(dearer)])
        assert cheaper.predicted_error > dearer.predicted_error
    assert result.frontier[-1].predicted_error == result.best.predicted_error
    for row in fitting:  # each is matched or beaten by one on the frontier
        assert any(
            along(by_way[way_of(one)]) <= along(row) + abs(along(row)) * 1e-12
            and one.predicted_error <= row.error + clearly
            for one in result.frontier
        )
    others = [row for row in rows if row.keeps_all({key: limits[key] for key in limits if key != first})]
    beyond = [row for row in others if row.error < best.error - clearly and not row.keeps(first, limits[first])]
    if result.next_up is None:
        assert not beyond
    else:
        nearest = min(along(row) for row in beyond)
        assert along(by_way[way_of(result.next_up)]) == pytest.approx(nearest, rel=1e-12)


@settings(deadline=None, max_examples=30)
@given(settings_of_plans, st.data())
def test_a_looser_limit_never_gives_a_worse_pick(setting: Setting, data: st.DataObject) -> None:
    assume(setting.gpus is None or min(setting.tensor_parallel) <= setting.gpus)
    rows = setting.rows()
    asked = drawn_limits(data, rows)
    name = data.draw(st.sampled_from(sorted(asked)), label="looser")
    try:
        tight = setting.plan(asked)
    except NothingFitsError:
        return
    looser = asked[name] / 3 if name == AT_LEAST else asked[name] * 3
    loose = setting.plan(asked | {name: looser})
    assert loose.best.predicted_error <= tight.best.predicted_error
    assert loose.fitting_count >= tight.fitting_count
    without = {key: value for key, value in asked.items() if key != name}
    if without:
        assert setting.plan(without).best.predicted_error <= loose.best.predicted_error


@pytest.mark.parametrize("faster", [1.0, 1.5, 4.0])
def test_more_bandwidth_never_gives_a_worse_pick(faster: float) -> None:
    card = hardware_catalog()["l4"]
    setting = Setting(llms=("Qwen2.5-0.5B", "Qwen2.5-3B", "Qwen2.5-7B"), batches=(1, 8))
    limits = {"ttft_s": 0.15, "tpot_s": 0.03}
    plain = setting.plan(limits)
    quick = setting.plan(limits, hardware=replace(card, bandwidth_bytes_per_s=faster * card.bandwidth_bytes_per_s))
    assert quick.best.predicted_error <= plain.best.predicted_error
    for name in ("ttft_s", "tpot_s", "request_s"):
        assert (quick.table.quantities[name] <= plain.table.quantities[name] * (1 + 1e-12)).all()


def test_text_first_fits_whatever_image_first_does() -> None:
    setting = Setting(llms=("Qwen2.5-0.5B", "Qwen2.5-3B", "Qwen2.5-7B"), compressors=("quecc", "tokenpacker"))
    for limits in ({"flops": 1e12}, {"ttft_s": 0.08}, {"flops": 3e12, "ttft_s": 0.2, "tpot_s": 0.05}):
        image_first, text_first = (setting.plan(limits, prompt_order=order) for order in PROMPT_ORDERS)
        assert text_first.best.predicted_error <= image_first.best.predicted_error
        assert (text_first.table.fits | ~image_first.table.fits).all()
        both = setting.plan(limits, prompt_order=PROMPT_ORDERS)
        assert both.best.predicted_error == text_first.best.predicted_error
        assert [one.prompt_order for one in both.best_of_each].count("text-first") == 2


# ---- equal errors ------------------------------------------------------------------------------------------------

FLAT = FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.0, "c2": 0.0}, llms=("Qwen2.5-7B",))


def flat_plan(**options: object) -> Plan:
    asked: dict[str, object] = {"budget": "1 PFLOPs", "query_tokens": 50, "generated_tokens": 32, "hardware": "l4"}
    return plan(FLAT, **(asked | options))


def test_equal_errors_go_to_fewer_flops() -> None:
    best = flat_plan(prompt_order=PROMPT_ORDERS, compressor=["quecc", "average-pool"], precision=["bf16", "int4"]).best
    assert (best.llm.name, best.visual_tokens, best.compressor.name) == ("Qwen2.5-0.5B", 1, "average-pool")


def test_then_to_the_lower_price() -> None:
    """Larger batches are cheaper a request and slower; FLOPs of a request are the same."""
    best = flat_plan(llms="Qwen2.5-7B", visual_tokens=16, batch=[1, 8], price_per_hour=1.0).best
    assert best.batch == 8


def test_then_to_the_shorter_ttft() -> None:
    assert flat_plan(llms="Qwen2.5-7B", visual_tokens=16, batch=[8, 1]).best.batch == 1
    assert flat_plan(llms="Qwen2.5-7B", visual_tokens=16, precision=["bf16", "int4"]).best.precision == "int4"
    assert flat_plan(llms="Qwen2.5-7B", visual_tokens=16, tensor_parallel=[1, 2, 4]).best.tensor_parallel == 4


# ---- where nothing fits ------------------------------------------------------------------------------------------


def nothing(setting: Setting, limits: dict[str, float], **options: object) -> NothingFitsError:
    with pytest.raises(NothingFitsError) as caught:
        setting.plan(limits, **options)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    return caught.value


QWEN = Setting(llms=("qwen1.5",), prompt_orders=("image-first",))


def test_one_impossible_limit_names_the_nearest_candidate() -> None:
    quickest = min(QWEN.rows(), key=lambda row: row.quantities["ttft_s"])
    assert (quickest.way.llm, quickest.way.visual_tokens) == ("Qwen1.5-0.5B", 1)
    shown = f"{1e3 * quickest.quantities['ttft_s']:.3g} ms"
    error = nothing(QWEN, {"ttft_s": 0.001, "flops": 1e15})
    assert str(error) == (
        f"nothing fits TTFT at most 1 ms: the nearest candidate is Qwen1.5-0.5B with 1 visual token at {shown}; "
        "loosen it, or name smaller models or faster hardware"
    )
    assert (error.cheapest, error.budget_flops) == (None, None)


def test_an_impossible_rate_names_the_fastest_candidate() -> None:
    setting = replace(QWEN, batches=(1, 64))
    fastest = max(setting.rows(), key=lambda row: row.quantities["requests_per_second"])
    rate = fastest.quantities["requests_per_second"]
    tokens = "1 visual token" if fastest.way.visual_tokens == 1 else f"{fastest.way.visual_tokens} visual tokens"
    assert str(nothing(setting, {"requests_per_second": 900.0})) == (
        f"nothing fits requests per second at least 900: the nearest candidate is {fastest.way.llm} with {tokens} "
        f"at {rate:.4g}; loosen it, or name smaller models or faster hardware; "
        f"gpus={math.ceil(900 / rate)} would do"
    )


def test_memory_of_the_card_may_be_what_excludes_all() -> None:
    text = str(nothing(replace(QWEN, llms=("Qwen1.5-72B",)), {"ttft_s": 60.0}))
    assert text.startswith("nothing fits memory per device at most 22.5 GiB: the nearest candidate is Qwen1.5-72B with")


def test_flops_alone_keep_their_own_sentence() -> None:
    error = nothing(QWEN, {"flops": 1e10, "ttft_s": 60.0})
    assert str(error).startswith("nothing fits 10 GFLOPs (full count): the cheapest candidate is Qwen1.5-0.5B with 1 ")
    assert error.budget_flops == 1e10
    assert error.cheapest == "Qwen1.5-0.5B with 1 visual token"
    assert error.cheapest_flops == min(row.quantities["total_flops"] for row in QWEN.rows())


def test_contradictory_limits_are_both_named() -> None:
    """A batch of 1 is quick, one of 64 gives the rate; none is both."""
    setting = replace(QWEN, batches=(1, 64))
    assert str(nothing(setting, {"flops": 1e15, "ttft_s": 0.03, "requests_per_second": 70.0})) == (
        "no candidate meets both limits, TTFT at most 30 ms and requests per second at least 70; "
        "each alone can be met: loosen one; with gpus=11 both can be met"
    )
    assert str(nothing(setting, {"ttft_s": 0.03, "price_per_million_requests": 6.0})) == (
        "no candidate meets both limits, TTFT at most 30 ms and price of a million requests at most 6; "
        "each alone can be met: loosen one"
    )


@pytest.mark.parametrize(
    ("limits", "tensor_parallel", "gpus"),
    [
        ({"ttft_s": 0.03, "requests_per_second": 30.0}, (1,), None),
        ({"ttft_s": 0.03, "requests_per_second": 30.0}, (1,), 3),
        ({"ttft_s": 0.06, "requests_per_second": 60.0}, (2, 4), None),
        ({"ttft_s": 0.06, "requests_per_second": 20.0}, (2, 4), 5),
        ({"flops": 1e12, "ttft_s": 0.06, "requests_per_second": 30.0}, (1, 2), 2),
        ({"requests_per_second": 300.0}, (1, 2), 3),
    ],
)
def test_the_gpus_named_are_the_least_that_do(
    limits: dict[str, float], tensor_parallel: tuple[int, ...], gpus: int | None
) -> None:
    """By planning again with every number of GPUs up to it."""
    setting = replace(QWEN, batches=(1, 16), tensor_parallel=tensor_parallel, visual_tokens=(1, 16), gpus=gpus)
    found = re.search(r"with gpus=(\d+) |gpus=(\d+) would", str(nothing(setting, limits)))
    assert found is not None
    named = int(found[1] or found[2])
    assert named > (gpus or min(tensor_parallel))
    for fewer in range(gpus or max(tensor_parallel), named):
        nothing(replace(setting, gpus=fewer), limits)
    assert replace(setting, gpus=named).plan(limits).deployment.gpus == named


@pytest.mark.parametrize("gpus", [None, 2])
def test_gpus_are_not_named_where_no_number_of_them_helps(gpus: int | None) -> None:
    setting = replace(QWEN, batches=(1, 64), gpus=gpus)
    for limits in (
        {"ttft_s": 0.03, "price_per_million_requests": 6.0},
        {"ttft_s": 0.03, "price_per_million_requests": 6.0, "requests_per_second": 200.0},
        {"ttft_s": 0.001, "requests_per_second": 9000.0},
    ):
        assert "gpus" not in str(nothing(setting, limits))


@pytest.mark.parametrize("rate", [0.3, 0.7, 1.1, 1.4, 1.9, 2.3])
def test_rounding_moves_no_gpu(rate: float) -> None:
    """Three replicas of 2 GPUs give 3 r and no more, though 3 r / r need not be 3 nor the next number / r above it."""
    above = math.nextafter(3 * rate, math.inf)
    for wanted, gpus in ((3 * rate, 6), (above, 8)):
        limits = limits_of(Budget(requests_per_second=wanted), None)
        rates = {"requests_per_second": np.array([rate])}
        assert gpus_that_do(limits, rates, np.array([True]), np.array([2]), None) == gpus


def test_three_limits_of_which_any_two_can_be_kept() -> None:
    """By brute force over ways to run one model: a triple where each pair fits and all three do not."""
    setting = Setting(
        llms=("Qwen1.5-7B",),
        visual_tokens=(16,),
        precisions=("bf16", "fp8", "int4"),
        tensor_parallel=(1, 2, 4),
        batches=(1, 4, 16),
        hardware="h100-sxm",
    )
    rows = setting.rows()
    names = ("ttft_s", "memory_bytes", "energy_joules")

    def some(limits: dict[str, float]) -> bool:
        return any(row.keeps_all(limits) for row in rows)

    values = [sorted({row.quantities[COLUMNS[name]] * (1 + 1e-9) for row in rows}) for name in names]
    triples = (dict(zip(names, one, strict=True)) for one in product(*values))
    found = next(
        one
        for one in triples
        if all(some({key: one[key] for key in pair}) for pair in combinations(names, 2)) and not some(one)
    )
    limits = [str(one) for one in limits_of(Budget(**found), hardware_catalog()["h100-sxm"])]
    assert str(nothing(setting, found)) == (
        f"no candidate meets all limits, {', '.join(limits[:-1])} and {limits[-1]}; "
        "any two of them can be met: loosen one"
    )


def test_heads_that_no_model_can_share() -> None:
    assert str(nothing(replace(QWEN, tensor_parallel=(3,)), {"ttft_s": 60.0})) == (
        "nothing fits: no model's heads can be shared by so many GPUs; lower tensor_parallel"
    )


def test_a_large_rate_is_shown_in_digits() -> None:
    text = str(nothing(QWEN, {"requests_per_second": 20000.0}))
    assert text.startswith("nothing fits requests per second at least 20000: ")


# ---- what a limit is to the pick, in words ------------------------------------------------------------------------


def _standing(used: float, keeps_better_out: bool, relaxed: bool, kind: str = "ttft_s") -> SlackOfPick:
    return SlackOfPick(Limit(find_limit(kind), 1.0), used, keeps_better_out, ANY_CANDIDATE if relaxed else None)


ANY_CANDIDATE = plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32).best


@pytest.mark.parametrize(
    ("limits", "words", "told"),
    [
        # a better candidate is near: ten per cent more buys it
        ([_standing(0.8, True, True), _standing(0.2, True, False, "memory_bytes")], ("binds", ""), "binds: TTFT"),
        # a better candidate is near, and the pick leaves much of the limit: it does not bind
        (
            [_standing(0.8, True, True), _standing(0.56, True, True, "memory_bytes")],
            ("binds", "next is beyond"),
            "binds: TTFT; the next better is just beyond: memory per device, 56 % used",
        ),
        ([_standing(0.56, True, True)], ("next is beyond",), "the next better is just beyond: TTFT, 56 % used"),
        # nearly used up, and a better one farther on
        ([_standing(0.95, True, False)], ("binds",), "binds: TTFT"),
        # used up, but nothing better was tried
        ([_standing(0.99, False, False)], ("",), ""),
        # better ones are all far: the one that is used most is the tightest
        (
            [_standing(0.27, True, False), _standing(0.83, True, False, "memory_bytes"), _standing(0.85, False, False)],
            ("", "tightest", ""),
            "tightest limit: memory per device, 83 % used",
        ),
        ([_standing(0.27, True, False)], ("tightest",), "tightest limit: TTFT, 27 % used"),
    ],
)
def test_a_limit_binds_that_holds_the_pick(limits: list[SlackOfPick], words: tuple[str, ...], told: str) -> None:
    assert limit_words(limits) == words
    assert [one.binds for one in limits] == [word == "binds" for word in words]
    assert binding_text(limits) == told
