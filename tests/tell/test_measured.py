"""A verdict on the page: which predictions failed, and whether the limits are kept by what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tell.pages import ON_H100, SLICED, check, plan, verdict, verdict_of, with_measured

from planner.bench.measurement import Method
from planner.bench.verdict import Check, Verdict
from planner.tell.document import Paragraph, Table, plain
from planner.tell.recommendation import tell
from planner.tell.render import as_text


def banner(name: str, measured: Verdict) -> Paragraph:
    """The box of the opening that tells the verdict; the section of the verdict has the same one."""
    document = tell(plan(name), measured)
    boxes = [one for one in document.opening if isinstance(one, Paragraph) and "Measured on" in plain(one.line)]
    assert document.sections[3].blocks[0] == boxes[0]
    return boxes[0]


def limits(name: str, measured: Verdict | None) -> Table:
    tables = [one for one in tell(plan(name), measured).sections[1].blocks if isinstance(one, Table)]
    return next(one for one in tables if plain(one.caption).startswith("Limits"))


def column(name: str, measured: Verdict) -> dict[str, str]:
    table = limits(name, measured)
    place = table.columns.index("measured")
    return {plain(row[0]): plain(row[place]) for row in table.rows}


def failed(name: str, measured: float, predicted: float) -> Check:
    return check(name, measured, predicted, passed=False)


def test_the_banner_names_what_failed_and_that_every_limit_is_kept() -> None:
    # "limits": TTFT of 30 ms, 12 requests per second, 40 GiB and 500 J
    checks = (failed("tpot_s", 0.005, 0.00585), check("ttft_s", 0.02), check("request_s", 0.2))
    box = banner("limits", verdict_of("limits", *checks, check("driver_bytes", 2.0**33)))
    text = plain(box.line)
    assert "a prediction failed, 3 of 4 checks passed; TPOT was predicted 17 % too slow." in text
    assert "Measured, every limit that was measured is kept (TTFT 20 ms of 30 ms, " in text
    assert "requests per second 20 of at least 12" in text
    assert "not measured: energy of a request" in text
    assert box.tone == "bad"  # one limit is not known to be kept


def test_a_failed_prediction_is_a_note_where_all_limits_are_kept_as_measured() -> None:
    # "at least": 30 requests per second on a card of 80 GiB
    kept = (failed("request_s", 0.01, 0.012), check("driver_bytes", 2.0**33))
    box = banner("at least", verdict_of("at least", *kept))
    assert "Measured, every limit is kept (" in plain(box.line)
    assert box.tone == "warn"


def test_a_limit_that_is_not_kept_is_bad_though_every_prediction_passed() -> None:
    measured = verdict_of("limits", check("ttft_s", 0.031, 0.029), check("request_s", 0.4))
    box = banner("limits", measured)
    assert box.tone == "bad"
    assert "Measured, 2 limits are not kept: TTFT 31 ms of 30 ms and requests per second 10 of at least 12." in plain(
        box.line
    )
    assert column("limits", measured)["TTFT"] == "31 ms, not kept"


def test_what_failed_is_named_by_what_decides_first_and_cut() -> None:
    names = ("encoder_s", "prefill_s", "decode_step_s", "tpot_s", "ttft_s")
    text = plain(banner("limits", verdict_of("limits", *(failed(one, 1.0, 0.5) for one in names))).line)
    assert "; TPOT was predicted 50 % too fast, TTFT was predicted 50 % too fast, ENCODER was" in text
    assert "and 2 more did not pass" in text


def test_the_limits_stand_beside_what_was_measured_of_them() -> None:
    batch = plan("limits").best.batch
    checks = (check("ttft_s", 0.02), check("request_s", 0.04), check("peak_memory_bytes", 2.0**33))
    assert column("limits", verdict_of("limits", *checks)) == {
        "TTFT": "20 ms",
        "memory per device": "8 GiB (tensors alone)",
        "energy of a request": "",
        "requests per second": f"{batch / 0.04:.4g}",
    }
    with_driver = verdict_of("limits", *checks, check("driver_bytes", 2.0**34))
    assert column("limits", with_driver)["memory per device"] == "16 GiB"


@pytest.mark.parametrize(
    "other",
    [
        None,
        with_measured(verdict_of("limits", check("ttft_s", 0.02)), workload=replace(plan("limits").workload, images=2)),
        verdict_of("limits", check("ttft_s", 0.02), check("hardware", None, passed=False, note="another card")),
    ],
    ids=["no verdict", "another request", "another card"],
)
def test_what_was_measured_of_something_else_judges_no_limit(other: Verdict | None) -> None:
    assert "measured" not in limits("limits", other).columns
    if other is not None:
        assert "kept" not in plain(banner("limits", other).line)


def test_a_plan_of_flops_alone_has_no_measured_limit() -> None:
    assert "measured" not in limits("flops", verdict()).columns
    assert banner("flops", verdict()).tone == "bad"


def test_the_circumstances_are_readable_and_said_once() -> None:
    environment = ON_H100 | {"device_memory_bytes": 25276510208, "cores": 2, "free_bytes": "unknown"}
    whole = Method(layers=30, layers_measured=(30,))
    text = as_text(tell(plan("flops"), verdict(environment=environment, method=whole)), ".md")
    assert "- cores: 2\n- device memory: 23.5 GiB\n- free bytes: unknown\n" in text
    assert "- Method: the whole model, compile\n- device" in text
    assert f"- In words: {SLICED.text}\n" in as_text(tell(plan("flops"), verdict()), ".md")
