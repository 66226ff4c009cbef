"""A plan among released models on the terminal and on the page, and the catalogue of released models."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from support import Run

import planner
from planner.planning.result import Plan
from planner.tell.document import plain
from planner.tell.plan import print_plan
from planner.tell.plan.sentences import heading
from planner.tell.recommendation.reproduce import again

REQUEST: dict[str, Any] = {"query_tokens": 120, "generated_tokens": 200}


def plan(**more: Any) -> Plan:
    budget = planner.Budget(ttft=more.pop("ttft", "30 ms"))
    asked = {"models": "qwen3-vl,llava-1.5", "image": "1024x768", "hardware": "h100-sxm", **REQUEST, **more}
    return planner.plan(budget=budget, **asked)


def printed(found: Plan, width: int = 80) -> str:
    stream = io.StringIO()
    print_plan(Console(file=stream, width=width, highlight=False), found, frontier=True)
    return stream.getvalue()


def test_the_headline_says_which_question_is_answered() -> None:
    found = plan()
    best = found.best
    assert plain(heading(found)) == f"Recommended: {best.name} (about {best.visual_tokens} visual tokens for 1024x768)"
    assert best.knob
    assert best.name.endswith(f" at {best.knob}")
    train = planner.plan(budget="2 TFLOPs", **REQUEST)
    assert plain(heading(train)) == f"Train: {train.best}, best under 2 TFLOPs; no trained weights exist"
    several = plan(image=["1024x768", "640x480"])
    assert plain(heading(several)).endswith(" visual tokens for 2 image sizes)")


def test_the_story() -> None:
    found = plan()
    text = printed(found, 200)
    head = next(line for line in text.splitlines() if line.startswith("┃ model"))
    assert " knob " in head
    assert "compressor" not in head
    assert f"weights: {found.best.released.checkpoint.hub_id}" in text  # type: ignore[union-attr]
    assert "released models were trained otherwise" in text
    assert "as released" not in text
    assert "Serve it with vLLM" in text


@pytest.mark.parametrize("width", [60, 80])
def test_tables_fit(width: int) -> None:
    told = printed(plan(), width).partition("Serve it with")[0]
    assert all(cell_len(line) <= width for line in told.splitlines())


def test_what_is_left_out_is_said() -> None:
    text = printed(plan(ttft="1 s", query_tokens=5000, image="336x336"), 300)
    assert "left out, as the request is longer than their context: llava-1.5-13b-hf, llava-1.5-7b-hf" in text


def test_the_page_and_its_command(run: Run, tmp_path: Path) -> None:
    found = plan(tensor_parallel=(1, 2))
    file, page = found.save(tmp_path / "plan.json"), tmp_path / "page.md"
    done = run("report", file, "-o", page)
    assert done.out.startswith("Deploy Qwen3-VL")
    text = page.read_text(encoding="utf-8")
    assert "hf download Qwen/Qwen3-VL" in text
    assert "vllm serve Qwen/Qwen3-VL" in text
    assert "Train" not in text
    program, *command, _ = again(found).command.split()
    assert program == "vlm-planner"
    own = tmp_path / "again.json"
    run(*command, own)
    assert planner.load_plan(own).sha256 == found.sha256


def test_it_is_built_as_released(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = plan()
    file = found.save(tmp_path / "plan.json")
    content = run("build", "--from", file, "--device", "meta", "--json").json
    released = found.best.released
    assert released is not None
    assert (content["hub_id"], content["dtype"]) == (released.checkpoint.hub_id, "bf16")
    assert sum(part["built"] for part in content["params"].values()) == released.params
    refused = run("build", "--from", file, "--llm", "Qwen2.5-7B", "--device", "meta")
    assert "a plan's released model and --llm exclude each other" in refused.complaint
