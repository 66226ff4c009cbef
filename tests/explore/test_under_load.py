"""A load on the page: its plan at once, simulated when asked for, its pictures."""

from __future__ import annotations

import http.client
import json

import pytest
from explore.conftest import Ask

import planner
from planner.explore.offer import make_offer
from planner.explore.state import State
from planner.explore.under_load import as_plain, pictures_of, simulated_of
from planner.explore.view import plan_of, view_of
from planner.planning.result import Plan
from planner.tell.load_curve import of_plan, ttft_chart
from planner.tell.render.svg import draw

OFFER = make_offer()
QUERY = "budget=none&ttft=200ms&requests_per_second=5&hardware=l4&query_tokens=50&generated_tokens=8&law=reasoning"
RATE = "requests_per_second"


@pytest.fixture(scope="module")
def plan() -> Plan:
    limits = {"ttft_s": 0.2, RATE: 5.0}
    return plan_of(State(limits, generated_tokens=8, hardware="l4"), OFFER)


def test_the_plan_of_a_load_is_that_of_the_python_api(plan: Plan) -> None:
    budget = planner.Budget(ttft_s=0.2, requests_per_second=5)
    same = planner.plan(budget=budget, query_tokens=50, generated_tokens=8, hardware="l4")
    assert (plan.best, plan.carried) == (same.best, same.carried)
    view = view_of(State({"ttft_s": 0.2, RATE: 5.0}, generated_tokens=8, hardware="l4"), OFFER)
    assert view.pick == str(plan.best)
    assert view.facts[0].startswith("load: 5 requests/s on ") and view.facts[0].endswith("(solved numerically)")


def test_what_is_simulated_says_so(plan: Plan) -> None:
    found = as_plain(simulated_of(plan))
    assert plan.traffic is not None
    times, *_ = found["tables"]
    assert times["title"] == "times under the load, simulated request by request"
    assert times["head"] == ("", "mean", "p50", "p95", "p99")
    assert [one.partition(":")[0] for one in found["facts"][:2]] == ["load", "headroom"]
    json.dumps(found, allow_nan=False)


def test_pictures_are_those_of_the_recommendation(plan: Plan) -> None:
    found = pictures_of(plan)
    assert [one.caption.partition(" ")[0] for one in found.pictures] == ["Time", "Throughput", "A"]
    assert found.pictures[0].svg == draw(ttft_chart(of_plan(plan)))
    (table,) = found.tables
    assert {row[-1] for row in table.rows} <= {"solved numerically", "simulated request by request"}
    with pytest.raises(planner.InputError, match="the plan has no load"):
        pictures_of(planner.plan(budget=2e12, query_tokens=50, generated_tokens=32))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (State(concurrency=4), "requests at once need a GPU: choose one"),
        (State({RATE: 5.0}), "a throughput limit needs a GPU: choose one"),
        (State({RATE: 5.0}, concurrency=4, hardware="l4"), "the load is said twice"),
        (State(concurrency=4, hardware="l4", scheduler="static"), "requests at once need continuous batching"),
    ],
)
def test_a_load_that_cannot_be(state: State, message: str) -> None:
    assert view_of(state, OFFER).message.startswith(message)


def test_over_http_what_nobody_waits_for_is_passed_over(ask: Ask, port: int) -> None:
    left = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    left.request("GET", f"/load?{QUERY}&percentile=90")
    left.close()
    first = json.loads(ask(f"/plan?{QUERY}").body)
    assert first["carries_load"] and first["link"] == json.loads(ask(f"/load?{QUERY}").body)["link"]
    assert json.loads(ask("/load").body)["message"].startswith("the plan has no load")
    assert json.loads(ask("/load-pictures?budget=1e9").body)["message"].startswith("nothing fits 1 GFLOPs")
