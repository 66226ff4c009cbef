"""`measure` and `verify` of released models, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from make.small import small_folder
from support import Run

import planner

REQUEST = ("--query-tokens", 5, "--generated-tokens", 2)
QUICK = ("--device", "cpu", "--seconds", 0.01, "--retakes", 0)


def folder(place: Path) -> Path:
    return small_folder("Qwen/Qwen3-VL-2B-Instruct", place / "narrow")


@pytest.mark.slow
def test_measured_with_an_image_and_a_knob(run: Run, tmp_path: Path) -> None:
    options = ("--image", "300x200", "--knob", "max_pixels=36864", "--batch", "1,2")
    content = run("measure", folder(tmp_path), *options, *REQUEST, *QUICK, "-o", tmp_path / "out", "--json").json
    assert [one["batch"] for one in content["measurements"]] == [1, 2]
    facts = content["measurements"][0]["model"]
    assert (facts["image"], facts["visual_tokens"]) == ("300x200, max_pixels=36864", 28 + 2)
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.slow
def test_verified_without_a_plan(run: Run, tmp_path: Path) -> None:
    options = ("--model", folder(tmp_path), "--image", "300x200", "--tolerance", "any")
    content = run("verify", *options, *REQUEST, *QUICK, "-o", tmp_path / "verdict.json", "--json").json
    equal = {one["name"]: one["error"] for one in content["checks"] if one["tolerance"] == 0}
    flops = {f"flops_{stage}" for stage in ("encoder", "compressor", "prefill", "decode")}
    assert set(equal) == {"params", "weights_bytes", "kv_cache_bytes"} | flops
    assert set(equal.values()) == {0.0}
    assert content["passed"] and (tmp_path / "verdict.json").is_file()


@pytest.mark.slow
def test_the_pick_of_a_plan_is_verified_with_its_own_weights(run: Run, tmp_path: Path) -> None:
    """Planned, built, verified and reported: what was measured is what is recommended."""
    plan, made, verdict = (tmp_path / name for name in ("plan.json", "made", "verdict.json"))
    limits = ("--budget", "60MFLOPs", "--hardware", "cpu", "--image", "300x200")
    source = small_folder("Qwen/Qwen2.5-VL-3B-Instruct", tmp_path / "narrow")
    run("plan", "--models", source, *limits, *REQUEST, "-o", plan, "--json")
    knob = planner.load_plan(plan).best.knob
    assert knob
    run("build", "--from", plan, "-o", made, "--json")
    found = run("verify", plan, "--model", made, "--tolerance", "any", *QUICK, "-o", verdict)
    assert found.code == 0 and f"narrow (300x200, {knob})" in " ".join(found.out.split())
    run("report", plan, "--verdict", verdict, "-o", tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "the predictions held" in text and "not quite what is recommended" not in text


@pytest.mark.slow
def test_from_a_plan_to_a_better_one(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planned, measured in several shapes, calibrated, planned again with the profile, verified with it."""
    monkeypatch.chdir(tmp_path)
    for hub_id, name in (("Qwen/Qwen2.5-VL-3B-Instruct", "qwen"), ("HuggingFaceTB/SmolVLM-256M-Instruct", "smol")):
        small_folder(hub_id, tmp_path / name)
    asked = ("plan", "--models", "./qwen,./smol", "--image", "300x200", "--budget", "900MFLOPs", *REQUEST)
    assert run(*asked, "--hardware", "cpu", "-o", "first.json").code == 0
    first = planner.load_plan("first.json").best
    assert first.latency is not None and first.latency.source == "roofline"
    for options in (("qwen", "--image", "300x200"), ("smol", "--image", "300x200", "--knob", "longest_edge=512")):
        assert (
            run("measure", f"./{options[0]}", *options[1:], "--batch", "1,2", *REQUEST, *QUICK, "-o", "shapes").code
            == 0
        )
    calibrated = run("calibrate", "--from", "shapes", "-o", "mine.json", "--allow-unstable", "--json").json[
        "calibration"
    ]
    assert {(one["llm"], one["image"]) for one in calibrated["shapes"]} == {
        ("qwen", "300x200"),
        ("smol", "300x200, longest_edge=512"),
    }
    assert run(*asked, "--hardware", "mine.json", "-o", "second.json").code == 0
    second = planner.load_plan("second.json").best
    assert second.latency is not None and second.latency.source == "calibrated"
    verdict = run("verify", "second.json", "--tolerance", "any", *QUICK, "--json").json
    assert verdict["passed"] and verdict["hardware"]["source"] == "calibrated"


def test_what_a_released_pick_is_not_verified_with(run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    limits = ("--budget", "1TFLOPs", "--image", "300x200")
    run("plan", "--models", folder(tmp_path), *limits, *REQUEST, "-o", plan, "--json")
    for options, said in (
        (
            ("--grid", tmp_path / "cells"),
            "--grid is for models made of parts; the plan's pick is a released one: leave it out",
        ),
        (("--vision", "tower.json"), "--vision is for models made of parts"),
        (("--weights", "pretrained"), "no hub id of narrow is known"),
        (("--weights", "pretrained", "--model", "made"), "with a plan, give one of them"),
        (("--mode", "compile"), "a released model is measured in the mode eager"),
    ):
        assert said in run("verify", plan, *options).complaint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("measure", "Qwen3-VL-2B-Instruct"), "give either --image WxH, for a released model, or --visual-tokens"),
        (("measure", "Qwen2.5-0.5B", "--visual-tokens", 4, "--knob", "a=1"), "--knob turns a released model's"),
        (("measure", "Qwen3-VL-2B-Instruct", "--image", "9x9", "--vision", "SigLIP-B/16-224"), "brings its own"),
        (("measure", "Qwen3-VL-2B-Instruct", "--image", "99x99", "--mode", "static"), "in the mode eager"),
        (("measure", "Qwen3-VL-2B-Instrukt", "--image", "99x99"), "did you mean 'Qwen/Qwen3-VL-2B-Instruct'"),
        (("measure", "FastVLM-0.5B", "--image", "99x99"), "FastVLM-0.5B cannot be run here: "),
        (("verify",), "name what to verify: a plan that plan -o wrote, or --model HUB_ID"),
        (("verify", "--model", "Qwen3-VL-2B-Instruct"), "--image is missing"),
        (("verify", "--model", "Qwen3-VL-2B-Instruct", "--image", "9x9", "--grid", "cells"), "--grid goes with a plan"),
        (("verify", "plan.json", "--image", "9x9"), "--image says what is verified without a plan"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, arguments: tuple[object, ...], said: str) -> None:
    assert said in run(*arguments, *REQUEST).complaint
