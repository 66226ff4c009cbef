"""next-run on the command line: JSON, and what people see."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from support import Run

import planner
from planner.laws.design import next_runs
from planner.laws.fitted import FittedLaw
from planner.planning.evaluating.result import NextEvaluations
from planner.planning.result import Plan
from planner.tell.asked import again, rank_command

REQUEST = ["--budget", "8TFLOPs", "--query-tokens", 50, "--generated-tokens", 32, "--prompt-order", "text-first"]
COMMAND = ["next-run", "reasoning", "--llms", "qwen2.5", *REQUEST]


def test_json_is_what_python_says(run: Run) -> None:
    measured = "family,compressor"
    content = run(*COMMAND, "--sizes", "7B,14B", "--visual-tokens", "1,36,576", "--top", 2, "--json",
                  "--as-measured", measured).json  # fmt: skip
    plan = planner.plan(
        budget="8 TFLOPs",
        query_tokens=50,
        generated_tokens=32,
        llms="qwen2.5",
        prompt_order="text-first",
        as_measured=measured,
    )
    cells = ([7e9] * 3 + [14e9] * 3, [1, 36, 576] * 2)
    cost = [6 * n * (v + 82) for n, v in zip(*cells, strict=True)]
    names = plan.tried.fitting_llms(plan.law)
    expected = next_runs(plan.law, plan.table.fitting_points(), cells, cost, llm=names)
    assert content["expected_regret_now"] == expected.expected_regret_now
    assert content["pick"] == {
        "llm": plan.best.llm.name,
        "llm_params": plan.best.llm.nominal_params,
        "visual_tokens": plan.best.visual_tokens,
    }
    for got, run_expected in zip(content["next"], expected.runs[:2], strict=True):
        assert got["llm_params"] == run_expected.llm_params
        assert got["visual_tokens"] == run_expected.visual_tokens
        assert got["cost"] == run_expected.cost
        assert got["expected_gain"] == run_expected.expected_gain
        assert got["gain_per_cost"] == pytest.approx(run_expected.expected_gain / run_expected.cost)
        assert 0 <= got["probability_pick_changes"] <= 1


def test_the_table_names_the_pick_and_the_runs(run: Run) -> None:
    words = run(*COMMAND, "--together", 2).words
    assert "picked now: Qwen2.5-" in words
    assert "expected regret of the pick: " in words
    assert "next runs by expected gain" in words
    assert "2 runs at once: " in words
    assert max(len(line) for line in run(*COMMAND).out.splitlines()) <= 80


def test_a_measured_cell_is_marked(run: Run) -> None:
    cell = [*COMMAND, "--sizes", "7B", "--visual-tokens", "1"]
    assert "measured: the law has this cell" in run(*cell, "--as-measured", "family,compressor").words
    assert "measured: the law" not in run(*cell).words  # another family with another compressor


def test_ranking_by_information_shows_it(run: Run) -> None:
    words = run(*COMMAND, "--criterion", "d-optimal").words
    assert "log det" in words
    gains = [row["log_det_gain"] for row in run(*COMMAND, "--criterion", "d-optimal", "--json").json["next"]]
    assert gains == sorted(gains, reverse=True)


def test_gain_for_the_cost_ranks_by_it(run: Run) -> None:
    rates = [row["gain_per_cost"] for row in run(*COMMAND, "--per-cost", "--json", "--top", 9).json["next"]]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--sizes", ","], "--sizes: expected at least one, such as 0.5B,7B, got none"),
        (["--visual-tokens", "1,x"], "--visual-tokens: expected whole numbers such as 1,4,16, got '1,x'"),
        (["--top", 0], "--top: expected a whole number of at least 1, got 0"),
        (["--noise", 0], "noise_sd: expected a number above 0, got 0.0"),
        (["--criterion", "regrets"], "no criterion is called 'regrets'; did you mean 'regret'?"),
    ],
)
def test_wrong_options_get_one_sentence(run: Run, more: list[object], complaint: str) -> None:
    done = run(*COMMAND, *more)
    assert done.code == 2
    assert complaint in done.complaint


def test_a_given_law_cannot_say(run: Run, tmp_path: Path) -> None:
    law = tmp_path / "law.json"
    FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}).save(law)
    done = run("next-run", law, "--llms", "qwen2.5", *REQUEST)
    assert done.code == 2
    assert "this one was given" in done.complaint


# ---- evaluations of released models ----------------------------------------------------------------------------------

RELEASED = ["next-run", "--models", "qwen3-vl", "--image", "1024x768", "--hardware", "h100-sxm", "--ttft", "40ms",
            "--query-tokens", 120, "--generated-tokens", 200]  # fmt: skip


def test_evaluations_as_json_are_what_python_says(run: Run, tmp_path: Path) -> None:
    asked = {"models": "qwen3-vl", "image": "1024x768", "hardware": "h100-sxm", "query_tokens": 120}
    found = planner.next_run(budget=planner.Budget(ttft="40 ms"), generated_tokens=200, **asked)
    content = run(*RELEASED, "--json").json
    assert content == found.to_dict()
    first = next(one for one in content["next"] if one["model"] == "Qwen3-VL-30B-A3B-Instruct" and one["fits"])
    assert first["hub_id"] == "Qwen/Qwen3-VL-30B-A3B-Instruct"
    assert first["knob"] == {"name": "max_pixels", "value": 524288}
    assert first["visual_tokens"] == 494
    assert first["gpu_hours"] == first["cost"] > 0
    assert first["gain_per_cost"] == pytest.approx(first["expected_gain"] / first["cost"])
    assert len(run(*RELEASED, "--json", "--top", 2).json["next"]) == 2
    file = tmp_path / "evaluations.json"
    assert run(*RELEASED, "-o", file).code == 0
    assert NextEvaluations.load(file) == found
    assert run("report", file, "-o", tmp_path / "page.html").code == 0
    assert "next evaluations by expected gain for the cost" in (tmp_path / "page.html").read_text("utf-8")


def test_evaluations_as_people_read_them(run: Run) -> None:
    words = run(*RELEASED, "--together", 2).words
    for told in (
        "picked now: Qwen3-VL-30B-A3B-Instruct at max_pixels=524288 with 494 visual tokens",
        "extrapolates: llm_params 30B is above the largest measured, 7B",
        "assumes: other models lie off the law as published grids say; half-width of the pick's 95 % interval, in "
        "points: the law 0.94, the family 11, the recipe 8.6, the compressor 4.9",
        "an evaluation: 900 questions of mmmu_val",
        "next evaluations by expected gain for the cost, the best value of each model's knob",
        "2 evaluations at once: ",
        "left out: 5 of models that do not fit into the memory",
        "with lmms-eval (not run)",
    ):
        assert told in words
    sure = run(*RELEASED, "--model-sd", 0).words
    assert "all released models follow the law" in sure
    assert "no evaluation is expected to better the pick" in sure


def test_rank_by_the_gain_alone(run: Run) -> None:
    gains = [one["expected_gain"] for one in run(*RELEASED, "--no-per-cost", "--json").json["next"]]
    assert gains == sorted(gains, reverse=True)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--llms", "qwen2.5"], "--llms: chooses what to train"),
        (["--sizes", "7B"], "--sizes: belongs to training runs"),
        (["--benchmark", "mmmu"], "no benchmark is called 'mmmu'; did you mean 'mmmu_val'?"),
        (["--samples", 5, "--benchmark", "mme"], "leave out --benchmark or --samples"),
        (["--mix", "reasoning=0.7,ocr=0.3", "--samples", 0], "--samples: expected a whole number of at least 1, got 0"),
    ],
)
def test_wrong_options_of_evaluations_get_one_sentence(run: Run, more: list[object], complaint: str) -> None:
    done = run(*RELEASED, *more)
    assert done.code == 2
    assert complaint in done.complaint


def test_training_runs_take_any_limit_and_way_to_run(run: Run) -> None:
    limits = [
        "--ttft",
        "100ms",
        "--requests-per-second",
        20,
        "--gpus",
        4,
        "--hardware",
        "l4",
        "--precision",
        "bf16,int4",
    ]
    ways = ["--tensor-parallel", "1,2", "--price-per-hour", 2, "--price", 120, "--cached-tokens", 100]
    request = ["--query-tokens", 50, "--generated-tokens", 32, "--llms", "qwen2.5"]
    asked = run("next-run", "reasoning", *limits, *ways, *request, "--json").json
    plan = run("plan", *limits, *ways, *request, "--json").json
    assert asked["pick"]["llm"] == plan["best"]["llm"]
    assert asked["pick"]["visual_tokens"] == plan["best"]["visual_tokens"]
    assert asked["budget"].keys() == {"ttft_s", "requests_per_second", "price_per_million_requests"}
    assert 0 <= asked["expected_regret_now"] <= 1


def test_what_belongs_to_evaluations_needs_models(run: Run, tmp_path: Path) -> None:
    for more, complaint in (
        (["--image", "10x10"], "--image: belongs to evaluations of released models"),
        (["-o", tmp_path / "x.json"], "-o writes evaluations of released models"),
        (["--workload", "x.csv"], "--workload: a file of requests has no single length of a training sample"),
    ):
        done = run(*COMMAND, *more)
        assert done.code == 2
        assert complaint in done.complaint


@pytest.mark.parametrize(
    ("verb", "first"),
    [
        (RELEASED[1:], "Qwen3-VL-2B-Instruct"),
        (
            ["--models", "released", "--image", "640x480", "--budget", "20TFLOPs", *RELEASED[-4:]],
            "SmolVLM-256M-Instruct",
        ),
        (["--task", "docvqa", *RELEASED[1:]], "Qwen3-VL-2B-Instruct at max_pixels=65536"),
    ],
)
def test_the_command_that_a_plan_prints_ranks_what_it_names(run: Run, verb: list[object], first: str) -> None:
    out = run("plan", *verb).out
    words = " ".join(out.split())
    asked = "5,349 questions of docvqa_val" if "docvqa" in verb else "900 questions of mmmu_val"
    assert f"most informative for their cost ({asked}): evaluating {first}" in words
    (typed,) = [one.strip() for one in out.splitlines() if one.strip().startswith("vlm-planner next-run ")]
    content = run(*shlex.split(typed)[1:], "--json").json
    model, knob = content["next"][0]["model"], content["next"][0]["knob"]
    turned = f" at {knob['name']}={knob['value']}" if knob else ""
    assert f"evaluating {model}{turned} (" in words


def test_the_command_repeats_the_files_that_were_given(run: Run, tmp_path: Path) -> None:
    """A law, a profile and requests of one's own: what is printed runs as it stands, and names them as they were."""
    law, card = tmp_path / "my law.json", tmp_path / "card.json"
    requests, log = tmp_path / "requests.csv", tmp_path / "log.csv"
    replace(planner.load_law("reasoning"), name="mine").save(law)
    replace(planner.find_hardware("l4"), name="own").save(card)
    requests.write_text("query_tokens,generated_tokens\n20,10\n60,30\n")
    log.write_text("timestamp,query_tokens,generated_tokens\n0,20,10\n0.5,60,30\n1.5,60,10\n")
    asked = ["--models", "qwen2.5-vl", "--image", "448x448", "--hardware", card, "--ttft", "900ms"]
    load = ["--percentile", 90, "--max-num-seqs", 64, "--scale", "2x"]
    for more, said in (
        (["--law", law, "--workload", requests], f"--workload {requests}"),
        (["--law", law, "--traffic", log, *load], f"--traffic {log}"),
        (["--task", "docvqa", "--traffic", log, "--concurrency", 3], f"--traffic {log}"),
    ):
        out = run("plan", *asked, *more).out
        (typed,) = [one.strip() for one in out.splitlines() if one.strip().startswith("vlm-planner next-run ")]
        assert said in typed and f"--hardware {card}" in typed
        assert (shlex.quote(str(law)) in typed) == ("--law" in more)
        content = run(*shlex.split(typed)[1:], "--json").json
        assert content["pick"]["model"].startswith("Qwen2.5-VL")
    mixed = run("plan", *asked, "--workload", requests, "--mix", "reasoning=0.5,docvqa=0.5").out
    assert "next-run" not in mixed and "law.json" not in mixed


def test_a_plan_read_from_its_file_says_which_files_it_lacks(tmp_path: Path) -> None:
    """The requests stand in it by their path; what else it rests on is written by report --artefacts."""
    law = replace(planner.load_law("reasoning"), name="mine")
    requests = tmp_path / "requests.csv"
    requests.write_text("query_tokens,generated_tokens\n20,10\n60,30\n")
    plan = planner.plan(
        law, models="qwen2.5-vl", image="448x448", budget="9 TFLOPs", workload=str(requests)
    )  # fmt: skip
    found = rank_command(Plan.from_dict(plan.to_dict()))
    assert found is not None and found.files == ("law.json",)
    assert f"--workload {requests}" in found.command and f"--workload {requests}" in again(plan).command
    older = replace(plan, load=replace(plan.load, file=""))
    assert rank_command(older) is None
    assert "requests.csv" in again(older).missing[0]


def test_the_command_of_a_recommendation_keeps_every_limit(run: Run, tmp_path: Path) -> None:
    plan = planner.plan(
        budget=planner.Budget(ttft="60 ms", memory="30 GiB"), hardware="l40s", llms="qwen2.5", batch=(1, 4),
        query_tokens=50, generated_tokens=32,
    )  # fmt: skip
    typed = rank_command(plan)
    assert typed is not None and not typed.files
    content = run(*shlex.split(typed.command)[1:], "--json").json
    assert content["budget"] == {"ttft_s": 0.06, "memory_bytes": 30 * 2**30}
    assert content["pick"]["llm"] == plan.best.llm.name
    assert content["pick"]["visual_tokens"] == plan.best.visual_tokens


def test_a_law_of_reading_text_is_evaluated_on_documents(run: Run) -> None:
    assert "an evaluation: 5,349 questions of docvqa_val" in run("next-run", "ocr", *RELEASED[1:]).words
    words = run("plan", "--law", "ocr", *RELEASED[1:]).words
    assert "most informative for their cost (5,349 questions of docvqa_val): evaluating " in words
