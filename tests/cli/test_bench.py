"""measure and verify on the command line: tables, JSON, files, exit codes, one sentence for what is wrong."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bench.once import ceilings_once
from bench.parts import folders
from support import Run

from planner.bench import load
from planner.bench.measurement import Measurement
from planner.bench.sensors import Disturbance
from planner.bench.verdict import Verdict

TOKENS = ["--query-tokens", "12", "--generated-tokens", "5"]
QUICK = ["--device", "cpu", "--seconds", "0.01", "--retakes", "0"]
LOOSE = ["--tolerance", "any"]


@pytest.fixture(autouse=True)
def _ceilings_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ceilings_once(monkeypatch)


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, str]:
    return folders(tmp_path)


@pytest.fixture
def plan_file(run: Run, tmp_path: Path, parts: dict[str, str]) -> str:
    file = tmp_path / "plan.json"
    options = [
        "--budget",
        "1TFLOPs",
        "--visual-tokens",
        "4",
        "--precision",
        "fp32",
        "--hardware",
        "cpu",
        "-o",
        str(file),
    ]
    made = run("plan", *options, *TOKENS, "--llm-config", parts["llm"], "--vision", parts["vision"])
    assert made.code == 0, made.err
    return str(file)


def test_verify_passes_what_is_as_planned(run: Run, plan_file: str, tmp_path: Path) -> None:
    written = tmp_path / "verdict.json"
    done = run("verify", plan_file, *QUICK, *LOOSE, "-o", str(written))
    assert done.code == 0, done.err
    assert done.out.startswith("verified") and "KV cache" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    verdict = Verdict.load(written)
    assert verdict.passed and verdict.plan_sha256 is not None
    assert {"FLOPs of prefill", "FLOPs of decode"} <= {check.title for check in verdict.checks}
    again = run("verify", plan_file, *QUICK, *LOOSE, "-o", str(written))
    assert again.code == 2 and "already exists" in again.err


@pytest.mark.slow
def test_a_built_plan_is_verified_without_further_options(run: Run, plan_file: str, tmp_path: Path) -> None:
    """build takes the plan's precision: an fp32 plan is not built in bf16."""
    model = str(tmp_path / "model")
    assert run("build", "--from", plan_file, "-o", model).code == 0
    done = run("verify", plan_file, "--model", model, "--device", "cpu", "--seconds", "0.01", "--tolerance", "any")
    assert done.code == 0, done.out


def test_verify_fails_with_exit_code_1(run: Run, plan_file: str, tmp_path: Path, parts: dict[str, str]) -> None:
    """A model that was built with another number of tokens; one JSON document on stdout."""
    built = run("build", "--from", plan_file, "--llm", parts["llm"], "--vision", parts["vision"], "--dtype", "fp32",
                    "--visual-tokens", "9", "-o", str(tmp_path / "model"))  # fmt: skip
    assert built.code == 0, built.err
    done = run("verify", plan_file, "--model", str(tmp_path / "model"), *QUICK, *LOOSE, "--json")
    assert done.code == 1
    content = json.loads(done.out)
    failed = {check["name"] for check in content["checks"] if check["passed"] is False}
    assert "visual_tokens" in failed and "params" in failed and content["passed"] is False


@pytest.mark.slow
def test_verify_a_grid(run: Run, plan_file: str, tmp_path: Path) -> None:
    cells = tmp_path / "cells"
    done = run("verify", plan_file, "--grid", str(cells), *QUICK, *LOOSE)
    assert done.code in (0, 1, 3), done.err  # the order of times is the machine's affair
    assert "the pick and 2 neighbours" in done.out and "TTFT:" in done.out
    assert len(list(cells.iterdir())) == 3
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.slow
def test_a_busy_machine_is_said_before_anything_is_measured(
    run: Run, plan_file: str, parts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """measure and verify go on, and mark; a system that tells little is said too."""
    seen = [load.Load(Disturbance(others_cores=1.5, stolen=0.0, stalled_cpu=0.9, cores=2), 1.6, 3)]
    monkeypatch.setattr(load, "look", lambda *arguments: seen[-1])
    model = ["--llm-config", parts["llm"], "--vision", parts["vision"], *TOKENS, *QUICK]
    for command in (["verify", plan_file, *QUICK, *LOOSE], ["measure", "--visual-tokens", "4", *model]):
        done = run(*command)
        assert done.code == 0
        assert done.err.startswith(
            "warning: this machine is busy: other programs kept 1.5 cores busy (load 1.6 on 2 cores, 3 tasks running)"
        )
    seen.append(load.Load(Disturbance(cores=2), 0.1))
    said = "what disturbs a measurement is seen in part only: nothing that disturbs (load 0.1 on 2 cores); not known"
    assert run("measure", "--visual-tokens", "4", *model).err.startswith(said)


@pytest.mark.slow
def test_measure_a_shape_and_several(run: Run, parts: dict[str, str], tmp_path: Path) -> None:
    model = ["--llm-config", parts["llm"], "--vision", parts["vision"], *TOKENS, *QUICK]
    one = run("measure", "--visual-tokens", "4", *model)
    assert one.code == 0, one.err
    assert "query pass" in one.out and "decode step" in one.out and "TTFT" in one.out
    assert max(map(len, one.out.splitlines())) <= 80
    folder = tmp_path / "measured"
    many = run("measure", "--visual-tokens", "1,4", "--batch", "1,2", *model, "-o", str(folder), "--json")
    content = json.loads(many.out)
    assert len(content["measurements"]) == 4 and content["answers"]
    files = sorted(folder.iterdir())
    assert len(files) == 4 and {Measurement.load(file).batch for file in files} == {1, 2}
    kept = {file: file.read_bytes() for file in files}
    assert run("measure", "--visual-tokens", "1,4", "--batch", "1,2", *model, "-o", str(folder)).code == 0
    assert {file: file.read_bytes() for file in files} == kept


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "none.json"], "cannot read none.json"),
        (["verify", "PLAN", "--seconds", "0"], "--seconds: expected"),
        (["verify", "PLAN", "--tolerance", "-1"], "--tolerance: expected a share up to 2"),
        (["verify", "PLAN", "--tolerance", "15"], "as .15 or 15%, got '15'"),
        (["verify", "PLAN", "--tolerance", "nan"], "--tolerance: expected"),
        (["verify", "PLAN", "--within", "150%"], "--within: expected a share up to 1, as .15 or 15%, got '150%'"),
        (["verify", "PLAN", "--mode", "fast", "--device", "cpu"], "no mode is called 'fast'"),
        (["verify", "PLAN", "--method", "half", "--device", "cpu"], "method: expected auto, whole, slices"),
        (["verify", "PLAN", "--method", "slices", "--device", "cpu"], "expected slices of 4 and 8; measure it whole"),
        (["verify", "PLAN", "--device", "cuda:7"], "PyTorch sees 0 CUDA devices here"),
        (["verify", "PLAN", "--precision", "int4"], "the plan's weights are in 'int4'"),
        (["verify", "PLAN", "--hardware", "h101"], "no accelerator is called 'h101'"),
        (["verify", "PLAN", "--grid", "cells", "--model", "x"], "leave out --model"),
        (["verify", "PLAN", "--grid", "PLAN", "--device", "cpu"], "cannot write"),
        (["verify", "PLAN", "--model", "nowhere", "--device", "cpu"], "holds no model that vlm-planner build wrote"),
        (["verify", "PLAN", "--device", "meta"], "expected cpu, cuda or cuda:1 to measure on"),
        (["verify", "PLAN", "--seed", "99999999999999999999"], "--seed: expected a whole number from 0"),
        (["verify", "PLAN", "-o", "gone/verdict.json"], "there is no folder gone"),
        (["measure", "Qwen2.5-0.5B", "--visual-tokens", "", *TOKENS], "expected whole numbers such as"),
        (["measure", "--visual-tokens", "4", *TOKENS], "name one language model"),
        (["measure", "Qwen2.5-0.5B", "--visual-tokens", "5", *TOKENS], "visual tokens, not 5"),
        (["measure", "Qwen2.5-0.5B", "--visual-tokens", "four", *TOKENS], "expected whole numbers"),
        (["measure", "Qwen2.5-0.5B", "--visual-tokens", "4", "--precision", "int8", *TOKENS], "precision: expected"),
        (
            ["measure", "Qwen2.5-0.5B", "--visual-tokens", "4", "--images", "0", *TOKENS],
            "--images: expected at least 1",
        ),
        (["measure", "Qwen2.5-0.5B", "--images", "0", *TOKENS], "text alone is predicted (vlm-planner cost, capacity)"),
        (["verify", "--model", "Qwen2.5-0.5B", "--images", "0", *TOKENS], "--images: expected at least 1, got 0"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    run: Run, arguments: list[str], said: str, plan_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*[plan_file if word == "PLAN" else word for word in arguments])
    assert done.code == (3 if "PyTorch sees" in said else 2), done.out + done.err
    assert said in done.complaint


@pytest.mark.slow
def test_build_verify_calibrate_replan(run: Run, plan_file: str, tmp_path: Path, parts: dict[str, str]) -> None:
    """The whole loop with a tiny model: the calibrated profile predicts this host better than its bare peaks do."""
    before = run("verify", plan_file, *QUICK, *LOOSE, "--json").json
    profile = tmp_path / "mine.json"
    model = ["--llm-config", parts["llm"], "--vision", parts["vision"], "--precision", "fp32"]
    shapes = ["--visual-tokens", "1,36", "--batch", "1,4", *TOKENS, *QUICK]
    done = run("calibrate", "-o", str(profile), "--allow-unstable", *model, *shapes)
    assert done.code == 0, done.err
    again = tmp_path / "again.json"
    options = ["--budget", "1TFLOPs", "--visual-tokens", "4", *TOKENS, "--hardware", str(profile), "-o", str(again)]
    assert run("plan", *options, *model).code == 0
    after = run("verify", str(again), *QUICK, *LOOSE, "--json").json
    assert before["hardware"]["source"] == "roofline" and after["hardware"]["source"] == "calibrated"

    def off(verdict: dict[str, Any]) -> float:
        ttft = next(check for check in verdict["checks"] if check["name"] == "ttft_s")
        return abs(math.log(ttft["predicted"] / ttft["measured"]))

    assert off(after) < off(before)


@pytest.mark.slow
def test_a_killed_run_loses_no_finished_measurement(tmp_path: Path, parts: dict[str, str]) -> None:
    folder = tmp_path / "measured"
    command = [sys.executable, "-m", "planner.cli", "measure", "--visual-tokens", "1,4", "--batch", "1,2"]
    command += ["--llm-config", parts["llm"], "--vision", parts["vision"], *TOKENS, *QUICK, "-o", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        until = time.monotonic() + 120
        while time.monotonic() < until and len(list(folder.glob("*.json"))) < 1:
            time.sleep(0.05)
        running.kill()
    kept = {file: file.read_bytes() for file in folder.glob("*.json")}
    assert 1 <= len(kept) < 4
    assert all(Measurement.load(file).batch in (1, 2) for file in kept)  # whole, each of them
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("*.json"))) == 4
    assert all(file.read_bytes() == content for file, content in kept.items())


@pytest.mark.slow
def test_two_processes_verify_a_shared_model(run: Run, tmp_path: Path, parts: dict[str, str]) -> None:
    """torchrun: both hold half of the LLM and run the same calls; one of them speaks."""
    shared = tmp_path / "shared.json"
    options = ["--budget", "1TFLOPs", "--visual-tokens", "4", "--precision", "fp32", "--tensor-parallel", "2", *TOKENS]
    planned = run("plan", *options, "--llm-config", parts["llm"], "--vision", parts["vision"], "-o", str(shared))
    assert planned.code == 0, planned.err
    program = Path(sys.executable).with_name("vlm-planner")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    done = subprocess.run(
        [*torchrun, str(program), "verify", str(shared), "--seconds", "0.01", "--json"],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    verdict = json.loads(done.stdout)
    assert verdict["passed"] and verdict["model"]["tensor_parallel"] == 2
    weights = next(check for check in verdict["checks"] if check["name"] == "weights_bytes")
    assert abs(weights["error"]) < 0.05
