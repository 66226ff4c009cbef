"""Every kind of file that we write: those of 0.1 load, what is written is read back, damage is one sentence."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from damage import places, put

import planner
from planner.base.errors import InputError
from planner.base.file_format import content_hash
from planner.base.lazily import Lazily
from planner.bench.calibration.result import Calibration
from planner.bench.measurement import Measurement
from planner.bench.verdict import Verdict
from planner.costs.latency import LATENCY_STAGES
from planner.hardware import Hardware
from planner.laws.combined import read_law
from planner.planning.candidate import Candidate, SlackOfPick
from planner.planning.load_plan import load_plan, replan
from planner.planning.plan_file import HASH
from planner.planning.result import Plan
from planner.planning.transfer.transfer import AXES

OLD = Path(__file__).parent / "files_0_1"
"""Written by version 0.1.0."""


@dataclass(frozen=True)
class Kind:
    """A file of 0.1, and what reads such files."""

    file: str
    load: Callable[[Path], Any]
    passed_over: frozenset[str] = frozenset()
    """Entries at the top that this version writes differently."""


PLAN_CHANGES = frozenset({"format_version", "sha256", "made_with", "best", "runners_up", "tied", "frontier", "next_up",
                          "best_of_each", "limits", "assumptions"})  # fmt: skip
KINDS = {
    kind.file: kind
    for kind in (
        Kind("law.json", read_law),
        Kind(
            "law-mix.json", read_law, frozenset({"members", "status", "at_bound"})
        ),  # an average says the status of its likeliest form
        Kind("law-average.json", read_law),
        Kind("law-constrained.json", read_law),
        Kind("law-joint.json", read_law),
        Kind("plan-flops.json", load_plan, PLAN_CHANGES),
        Kind("plan-limits.json", load_plan, PLAN_CHANGES),
        Kind("plan-traffic.json", load_plan, PLAN_CHANGES),
        Kind("measurement.json", Measurement.load),
        Kind("verdict.json", Verdict.load),
        Kind("hardware.json", Hardware.load),
        Kind("calibration.json", Calibration.load),
    )
}


def content(kind: Kind) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OLD / kind.file).read_text(encoding="utf-8"))
    return found


@cache
def loaded(name: str) -> Any:
    return KINDS[name].load(OLD / name)


def within(small: Any, large: Any) -> bool:
    """Whether every entry of one document is in another, with the same value."""
    if isinstance(small, dict):
        return isinstance(large, dict) and all(key in large and within(small[key], large[key]) for key in small)
    if isinstance(small, list):
        return isinstance(large, list) and len(small) == len(large) and all(map(within, small, large))
    return bool(small == large and isinstance(small, bool) == isinstance(large, bool))


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_the_first_version_gives_the_numbers_that_it_holds(name: str) -> None:
    kind = KINDS[name]
    now, then = loaded(name).to_dict(), content(kind)
    for key in then.keys() - kind.passed_over:
        assert within(then[key], now[key]), key


@pytest.mark.parametrize("name", [name for name in KINDS if name.startswith("plan")])
def test_candidates_of_a_first_plan_keep_every_number(name: str) -> None:
    now, then = loaded(name).to_dict(), content(KINDS[name])
    for key in ("best", "runners_up", "tied", "frontier", "next_up", "best_of_each"):
        assert within(then[key], now[key]), key
    for limit, entry in then["limits"].items():
        told = ("quantity", "at_least", "limit", "used", "relaxed_by", "relaxed")
        assert within({key: entry[key] for key in told}, now["limits"][limit])
        assert now["limits"][limit]["keeps_better_out"] == entry["binds"]
    assert loaded(name).earlier_sha256 == then["sha256"]


@pytest.mark.parametrize("name", [name for name in KINDS if name.startswith("plan")])
def test_a_first_plan_is_the_plan_that_is_made_now(name: str) -> None:
    old = replace(loaded(name), as_measured=AXES)  # a first plan took all candidates for what its law was measured on
    new = replan(old)
    for one in fields(Plan):
        if one.compare and one.name not in ("assumptions", "tried"):
            assert without_sums(getattr(old, one.name)) == without_sums(getattr(new, one.name)), one.name
    assert old.tried.fitting_count == new.tried.fitting_count
    assert float(old.best.memory.peak) == pytest.approx(float(new.best.memory.peak), rel=1e-12)


def without_sums(value: Any) -> Any:
    """Candidates without what is summed again in another order, and without interval, odds and regret.

    A first plan's interval and odds rested on all forms though its errors were those of one.
    """
    if isinstance(value, tuple | Lazily):
        return tuple(map(without_sums, value))
    if isinstance(value, SlackOfPick):
        return replace(value, relaxed=without_sums(value.relaxed))
    if not isinstance(value, Candidate):
        return value
    left_out = dict.fromkeys(("memory", "latency", "interval", "probability_best", "expected_regret"))
    return replace(value, **left_out)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    thing, kind = loaded(name), KINDS[name]
    written = thing.save(tmp_path / "file.json")
    again = kind.load(written[1] if isinstance(written, tuple) else written)
    assert again == thing
    assert again.to_dict() == thing.to_dict()


@pytest.mark.parametrize("name", KINDS)
def test_a_newer_file_asks_for_an_update(name: str, tmp_path: Path) -> None:
    file = tmp_path / "newer.json"
    file.write_text(json.dumps(content(KINDS[name]) | {"format_version": 9}))
    with pytest.raises(InputError, match=r"^newer\.json has format version 9, .*: update vlm-planner$"):
        KINDS[name].load(file)


def test_a_plan_from_a_file_has_no_table_and_says_how_to_make_it() -> None:
    plan = loaded("plan-flops.json")
    with pytest.raises(InputError, match=r"not hold the 56 candidates .*; planner\.replan\(plan\) makes them again"):
        _ = plan.table
    assert len(replan(plan).table) == plan.candidates_count == 56


@pytest.mark.parametrize(
    "request_of",
    [
        {"budget": "2 TFLOPs", "llms": "all", "compressor": ["quecc", "tokenpacker"]},
        {"budget": "3 TFLOPs", "law": planner.load_mix("reasoning=0.7,ocr=0.3", "auto")},
        {
            "budget": planner.Budget(ttft="300 ms", requests_per_second=2),
            "hardware": "l4",
            "price_per_hour": 0.8,
            "scheduler": "static",
        },
        {"budget": "2 TFLOPs", "hardware": "h100-sxm", "tensor_parallel": [1, 2], "gpus": 4, "kv_precision": "fp8"},
        {"budget": "2 TFLOPs", "convention": "paper", "prompt_order": ["image-first", "text-first"]},
    ],
    ids=["flops", "mix", "limits", "gpus", "orders"],
)
def test_a_plan_equals_the_one_that_was_saved(request_of: dict[str, Any], tmp_path: Path) -> None:
    plan = planner.plan(query_tokens=50, generated_tokens=32, **request_of)
    again = planner.load_plan(plan.save(tmp_path / "plan.json"))
    assert again == plan
    assert str(again) == str(plan)
    assert again.sha256 == plan.sha256
    assert replan(again) == plan


# ---- damage ----------------------------------------------------------------------------------------------------------

WRONG = (None, "text", -1, 0, 1e308, True, [], {}, [None], {"x": 1}, 10**400, ...)
"""What is put in the place of a value; `...` takes it out."""
TRIES = 24


@pytest.mark.parametrize("newer", [False, True], ids=["0.1", "now"])
@pytest.mark.parametrize("name", KINDS)
def test_random_damage_is_one_sentence_with_the_name_of_the_file(name: str, newer: bool, tmp_path: Path) -> None:
    damage(name, newer, TRIES, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("newer", [False, True], ids=["0.1", "now"])
@pytest.mark.parametrize("name", KINDS)
def test_much_random_damage_is_one_sentence(name: str, newer: bool, tmp_path: Path) -> None:
    damage(name, newer, 10 * TRIES, tmp_path)


def damage(name: str, newer: bool, tries: int, tmp_path: Path) -> None:
    """Whoever knows how writes the hash of the damaged content beside it: nothing but an InputError comes of it."""
    whole = loaded(name).to_dict() if newer else content(KINDS[name])
    chance = random.Random(name)
    everywhere = places(whole)
    refused = 0
    for path in [*((key,) for key in whole), *chance.sample(everywhere, min(tries, len(everywhere)))]:
        changed = put(whole, path, chance.choice(WRONG))
        if HASH in changed and HASH in whole and path != (HASH,):
            changed[HASH] = content_hash(changed, HASH)
        file = tmp_path / "damaged.json"
        file.write_text(json.dumps(changed))
        refused += not_loaded(KINDS[name], file)
    assert refused > min(tries, len(everywhere)) / 4  # what is written for people alone may be anything


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_cut_off_is_one_sentence(name: str, tmp_path: Path) -> None:
    text = (OLD / name).read_text(encoding="utf-8").strip()
    chance = random.Random(name)
    file = tmp_path / "damaged.json"
    for length in [0, 1, len(text) - 1, *(chance.randrange(len(text)) for _ in range(10))]:
        file.write_text(text[:length], encoding="utf-8")
        assert not_loaded(KINDS[name], file)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_plan_whose_request_takes_no_time_is_one_sentence(seconds: float, tmp_path: Path) -> None:
    changed = loaded("plan-limits.json").to_dict()
    times = changed["best"]["latency"]
    for stage in LATENCY_STAGES:
        times[stage]["seconds"] = seconds
    changed[HASH] = content_hash(changed, HASH)
    file = tmp_path / "damaged.json"
    file.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"^damaged\.json is damaged: best\.latency: .*expected .*, got -?[01]"
    ) as caught:
        load_plan(file)
    assert "\n" not in str(caught.value)


def not_loaded(kind: Kind, file: Path) -> bool:
    """Whether a file is refused, in a sentence that names it."""
    try:
        kind.load(file)
    except InputError as error:
        assert "damaged.json" in str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 700
        return True
    return False


def test_public_names_read_what_they_say(tmp_path: Path) -> None:
    assert planner.load_plan(OLD / "plan-flops.json") == loaded("plan-flops.json")
    assert planner.load_measurement(OLD / "measurement.json") == loaded("measurement.json")
    assert planner.load_verdict(OLD / "verdict.json") == loaded("verdict.json")
    assert planner.load_hardware(OLD / "hardware.json") == loaded("hardware.json")
    assert planner.load_law(OLD / "law.json") == loaded("law.json")


@pytest.mark.parametrize(
    "read",
    [
        planner.read_runs,
        planner.load_plan,
        planner.load_law,
        lambda device: planner.plan(budget="2 TFLOPs", workload=Path(device)),
    ],
    ids=["runs", "plan", "law", "traffic"],
)
def test_nothing_is_read_from_an_endless_device(read: Callable[[str], Any]) -> None:
    with pytest.raises(InputError, match="cannot read /dev/zero: it is no regular file"):
        read("/dev/zero")
