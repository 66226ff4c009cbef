"""A state <-> a link: nothing is lost, nothing foreign gets in, and the command of a state makes the same plan."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from explore.states import states
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from support import Run

import planner
from planner.base.errors import PlannerError
from planner.explore.link import PAIRS_MAX, command_of, read_link, write_link
from planner.explore.offer import OWN, make_offer
from planner.explore.settings import fresh_state, settings_of
from planner.explore.state import State
from planner.explore.view import plan_of, view_of

OFFER = make_offer()
LOADED = State({"ttft_s": 0.2, "requests_per_second": 5.0}, hardware="l4", gpus=2, percentile=90.0, generated_tokens=8)


@given(states(OFFER))
def test_a_link_gives_its_state_back(state: State) -> None:
    assert read_link(write_link(state, OFFER), OFFER) == (state, ())


def test_a_link_can_be_read_by_people() -> None:
    state = State(
        limits={"flops": 4e12, "ttft_s": 0.06, "memory_bytes": 24 * 2.0**30}, hardware="l40s", llms=("Qwen1.5", "Qwen3")
    )
    assert write_link(State(), OFFER) == "budget=2TFLOPs&query_tokens=50&generated_tokens=32&law=reasoning"
    assert write_link(state, OFFER) == (
        "budget=4TFLOPs&ttft=60ms&memory=24GiB&query_tokens=50&generated_tokens=32&hardware=l40s&llms=Qwen1.5,Qwen3"
        "&law=reasoning"
    )


@pytest.mark.parametrize(
    ("query", "state"),
    [
        ("", State()),
        (
            "budget=none&ttft=250+us&price=20&hardware=H100-SXM",
            State({"ttft_s": 2.5e-4, "price_per_million_requests": 20.0}, hardware="h100-sxm"),
        ),
        ("llms=Qwen3,Qwen1.5,qwen3", State(llms=("Qwen1.5", "Qwen3"))),
        ("batch=any&compressor=none,quecc", State(batch=None, compressors=("quecc", "none"))),
        ("law=mix&ocr_percent=0", State(law="mix", ocr_percent=0)),
        (
            "requests_per_second=5&percentile=99&hardware=l4&gpus=2&scheduler=static",
            State(
                {"flops": 2e12, "requests_per_second": 5.0},
                percentile=99.0,
                hardware="l4",
                gpus=2,
                scheduler="static",
            ),
        ),
    ],
)
def test_a_link_written_by_hand(query: str, state: State) -> None:
    assert read_link(query, OFFER) == (state, ())


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        (
            "budget=much",
            "budget: expected a positive number of FLOPs such as \"2 TFLOPs\" or 2e12, got 'much'; it stays at 2TFLOPs",
        ),
        ("budget=1e99999999T", "2e12, got '1e99999999T'; it stays at 2TFLOPs"),
        (
            "budget=3",
            "budget: '3' is under a million FLOPs, less than any request costs: write 3TFLOPs or 3e12; it stays at 2T",
        ),
        ("ttft=0.1", "ttft: '0.1' has no unit: write 0.1ms or 0.1s; it stays at none"),
        (
            "memory=24",
            "memory: '24' is under a million bytes, less than any request costs: write 24GiB or 24e9; it stays at none",
        ),
        ("ttft=-3ms", "got '-3ms'; it stays at none"),
        ("price=nan", "price: expected a positive number, got 'nan'; it stays at none"),
        ("query_tokens=1.5", "query_tokens: expected a whole number from 0 to 1000000, got '1.5'; it stays at 50"),
        ("generated_tokens=2000000", "from 0 to 1000000, got '2000000'; it stays at 32"),
        ("ocr_percent=101", "ocr_percent: expected a whole number from 0 to 100, got '101'; it stays at 30"),
        ("percentile=30", "percentile: expected a number from 50 to 99, got '30'; it stays at 95"),
        ("concurrency=0", "concurrency: expected a whole number from 1 to 100000, got '0'; it stays at none"),
        ("hardware=l40", "hardware: no choice of this page is called 'l40'; did you mean 'l40s'?; it stays at none"),
        ("law=own", "law: no choice of this page is called 'own'; there are: reasoning, ocr, paper, "),
        ("compressor=", "compressor: expected at least one of quecc, tokenpacker, average-pool, none, got none; "),
        ("colour=red", "the link sets 'colour', which this page does not have; it is left out"),
        ("query_tokens=50&query_tokens=60", "the link sets query_tokens twice; the first counts"),
    ],
)
def test_what_cannot_be_used_is_named_and_stays_as_it_is(query: str, complaint: str) -> None:
    state, wrong = read_link(query, OFFER)
    assert state == State()
    assert len(wrong) == 1
    assert complaint in wrong[0]


def test_the_good_parts_of_a_link_count_beside_a_bad_one() -> None:
    state, wrong = read_link("budget=5T&law=nonsense&query_tokens=7", OFFER)
    assert state == State({"flops": 5e12}, query_tokens=7)
    assert len(wrong) == 1


def test_a_link_of_too_many_parts_is_not_read() -> None:
    query = "&".join(["query_tokens=7"] * (PAIRS_MAX + 1))
    assert read_link(query, OFFER) == (State(), (f"the link has more than {PAIRS_MAX} parts; none of them is used",))


@given(st.dictionaries(st.sampled_from(list(settings_of(OFFER))), st.text(max_size=30)), st.text())
def test_no_text_gets_past_the_lists(texts: dict[str, str], more: str) -> None:
    """Whatever a link says, every name of the state is one of the offer, and every link can be written again."""
    from urllib.parse import urlencode

    state, _ = read_link(urlencode(texts) + "&" + more, OFFER)
    assert state.law in OFFER.laws
    assert state.hardware is None or state.hardware in OFFER.hardware
    assert set(state.llms) <= set(OFFER.llms)
    assert set(state.compressors) <= set(OFFER.compressors)
    assert set(state.prompt_orders) <= set(OFFER.prompt_orders)
    assert set(state.precisions) <= set(OFFER.precisions)
    assert read_link(write_link(state, OFFER), OFFER) == (state, ())


@pytest.mark.parametrize("key", ["law", "hardware", "llms", "compressor", "precision", "prompt_order"])
def test_the_path_of_a_good_file_is_no_name(key: str, tmp_path: Path) -> None:
    """Files that the planner itself would take: a law, a card, a config.json."""
    law, card = tmp_path / "law.json", tmp_path / "card.json"
    planner.load_law("ocr").save(law)
    planner.hardware.find_hardware("l4").save(card)  # type: ignore[attr-defined]  # submodules are there
    for path in (law, card, tmp_path, "fitted_laws/ocr.additive.json", "cpu", "../x.json", "/etc/passwd"):
        state, wrong = read_link(f"{key}={path}", OFFER)
        assert state == State()
        assert len(wrong) == 1


# ---- the same plan by another way -------------------------------------------------------------------------------


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a plan a try: no time to shrink
)
@given(state=states(OFFER, usual=True))
@example(state=LOADED)
@example(state=replace(LOADED, scheduler="static", batch=None))
def test_the_command_of_a_state_makes_the_plan_of_the_page(run: Run, state: State) -> None:
    try:
        plan = plan_of(state, OFFER)
    except PlannerError as error:
        assert view_of(state, OFFER).message == str(error)
        assert run(*shlex.split(command_of(state, OFFER))[1:]).code == error.exit_code
        return
    done = run(*shlex.split(command_of(state, OFFER))[1:], "--json")
    assert done.json == json.loads(json.dumps(plan.to_dict()))


def test_a_law_file_is_offered_beside_the_shipped_ones(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "my law.json"
    planner.load_law("ocr", "log-linear").save(file)
    offer = make_offer(str(file))
    state = fresh_state(offer)
    assert (state.law, list(offer.laws)[:-1]) == (OWN, list(OFFER.laws))
    assert read_link("", offer) == (state, ())
    assert read_link("law=ocr", offer) == (replace(state, law="ocr"), ())
    assert write_link(state, offer).endswith("&law=own")
    plan = plan_of(state, offer)
    assert str(plan.best) == str(planner.plan(file, budget=2e12, query_tokens=50, generated_tokens=32).best)
    assert run(*shlex.split(command_of(state, offer))[1:], "--json").json == json.loads(json.dumps(plan.to_dict()))


def test_a_shipped_law_can_be_the_first(run: Run) -> None:
    offer = make_offer("quecc")
    assert fresh_state(offer) == State(law="quecc")
    assert offer.own_words == ()
    assert "--law quecc" in command_of(fresh_state(offer), offer)


def test_the_command_of_a_load_says_it() -> None:
    words = command_of(LOADED, OFFER)
    assert "--ttft 200ms --requests-per-second 5 --hardware l4 --gpus 2 --percentile 90 " in words
    assert "--batch" not in words
    assert "--scheduler static" in command_of(replace(LOADED, scheduler="static"), OFFER)
    assert "--concurrency 16" in command_of(State({"ttft_s": 0.2}, hardware="l4", concurrency=16), OFFER)
