"""Released models ordered by cost alone: the least of what fits, and nothing predicted."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import planner
from planner.base.errors import InputError, NothingFitsError, UnknownNameError
from planner.planning.load_plan import replan
from planner.planning.result import Plan
from planner.tell.plan import print_plan
from planner.tell.recommendation import tell
from planner.tell.render.markdown import markdown

ASKED: dict[str, Any] = {
    "models": "qwen3-vl,smolvlm,gemma-3",
    "image": "1024x768",
    "query_tokens": 120,
    "generated_tokens": 200,
    "hardware": "h100-sxm",
}


def cheapest(rank_by: str = "cost", limits: dict[str, Any] | None = None, **more: Any) -> Plan:
    budget = planner.Budget(limits=limits or {"ttft": "40 ms"})
    return planner.plan(budget=budget, rank_by=rank_by, **{**ASKED, **more})


@pytest.mark.parametrize(
    ("rank_by", "limits", "column"),
    [
        ("cost", {"ttft": "40 ms", "price": 60}, "ttft_s"),
        ("cost", {"flops": "5 TFLOPs", "ttft": "40 ms"}, "total_flops"),
        ("price", {"ttft": "40 ms"}, "price_per_million_requests"),
        ("memory", {"ttft": "40 ms"}, "peak_memory_bytes"),
        ("flops", {"ttft": "40 ms"}, "total_flops"),
        ("requests_per_second", {"ttft": "40 ms"}, "requests_per_second"),
    ],
)
def test_the_pick_is_the_least_of_what_fits_as_the_plan_by_error_costed_it(
    rank_by: str, limits: dict[str, Any], column: str
) -> None:
    more = {"price_per_hour": 2.0, "tensor_parallel": (1, 2), "batch": (1, 4)}
    found = cheapest(rank_by, limits, **more)
    by_error = planner.plan(budget=planner.Budget(limits=limits), **ASKED, **more)
    costs = np.sort(by_error.table.quantities[column][by_error.table.fits])
    assert found.fitting_count == by_error.fitting_count == len(costs)
    least = costs[-1] if column == "requests_per_second" else costs[0]
    assert found.best.quantities[column] == least
    listed = [one.quantities[column] for one in (found.best, *found.runners_up)]
    assert listed == sorted(listed, reverse=column == "requests_per_second")
    assert np.isin(listed, costs).all()
    frame = found.to_frame()
    assert frame.iloc[0][column] == least and frame["predicted_error"].isna().all()


def test_nothing_is_predicted_and_nothing_binds() -> None:
    found = cheapest()
    for one in (found.best, *found.runners_up):
        assert (one.predicted_error, one.score, one.interval, one.probability_best) == (None, None, None, None)
    assert (found.tied, found.frontier, found.next_up, found.extrapolates) == ((), (), None, ())
    assert not any(one.binds or one.keeps_better_out or one.relaxed for one in found.limits)
    with pytest.raises(InputError, match="has no law, so it says nothing of quality"):
        _ = found.law
    with pytest.raises(InputError, match="without predicted errors there is no frontier to draw"):
        found.plot()
    with pytest.raises(InputError, match="ordered by cost alone, without a law"):
        _ = found.best.error


def test_its_file_holds_nulls_and_gives_the_plan_again(tmp_path: Path) -> None:
    found = cheapest("price", price_per_hour=2.0)
    path = found.save(tmp_path / "plan.json")
    content = json.loads(path.read_text("utf-8"))
    assert content["best"]["predicted_error"] is content["best"]["score"] is content["law"] is None
    assert content["inputs"]["rank_by"] == "price"
    loaded = planner.load_plan(path)
    assert loaded == found and replan(loaded).sha256 == found.sha256 == content["sha256"]


def test_terminal_and_page_say_so_and_predict_nothing() -> None:
    found = cheapest()
    stream = io.StringIO()
    print_plan(Console(file=stream, width=80), found)
    printed, page = stream.getvalue(), markdown(tell(found)).replace("\\", "")
    for text in (printed, page):
        plain = " ".join(text.split())
        assert "Cheapest that fits: " in plain
        assert "nothing is said of their quality" in plain
        assert "vlm-planner next-run reasoning --ttft 40ms" in plain
        for word in ("error", "score", "interval", "probability", "binds", "frontier", "extrapolat", "data of the law"):
            assert word not in plain, word
    first = " ".join(printed.split())
    assert "evaluate the cheapest first (900 questions of mmmu_val): " + found.best.name in first
    assert "--rank-by cost" in page


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"rank_by": "price"}, "rank_by='price': the price of a million requests needs price_per_hour="),
        ({"rank_by": "cost", "law": "ocr"}, "a cost alone asks no law: leave out law= or rank_by="),
        ({"rank_by": "cost", "form": "additive"}, "leave out form= or rank_by="),
        ({"rank_by": "cost", "models": None, "image": None}, "a cost alone orders released models"),
    ],
)
def test_what_a_cost_cannot_do_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        cheapest(**arguments)


def test_an_unknown_order_is_an_error_with_suggestions() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'cost'"):
        cheapest("cots")
    with pytest.raises(NothingFitsError):
        cheapest(limits={"ttft": "1 us"})
    with pytest.raises(InputError, match="has no law"):
        planner.next_run(budget=planner.Budget(ttft="40 ms"), rank_by="cost", **ASKED)
