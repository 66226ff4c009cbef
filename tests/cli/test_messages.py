"""What a command that goes wrong says, and what it ends with."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.commands import OPTIMUM, PLAN, REQUEST
from support import Run

JSON = "file name ends in .json"
REPORT = "vlm-planner report writes"


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_budget_that_nothing_fits_ends_with_1(run: Run, as_json: list[str]) -> None:
    done = run("plan", "--budget", "1 GFLOPs", *REQUEST, *as_json)
    assert done.code == 1
    assert done.complaint.startswith("nothing fits 1 GFLOPs (full count): the cheapest candidate is Qwen1.5-0.5B with ")


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["fit", "RUNS", "--form", "aditive"], "no form is called 'aditive'; did you mean 'additive'?"),
        (["fit", "RUNS", "--loss", "hub"], "no loss is called 'hub'; did you mean 'huber'?"),
        (["fit", "RUNS", "--fix", "alpha"], "--fix: expected alpha=0.077 or the like, got 'alpha'"),
        (["fit", "RUNS", "--fix", "alpha="], "--fix: expected alpha=0.077 or the like, got 'alpha='"),
        (["fit", "RUNS", "--fix", "alpha=low"], "--fix: expected alpha=0.077 or the like, got 'alpha=low'"),
        (["fit", "RUNS", "--fix", "alpha=nan"], "--fix: expected alpha=0.077 or the like, got 'alpha=nan'"),
        (
            ["fit", "RUNS", "--fix", "gamma=1"],
            "no parameter of the additive form is called 'gamma'; there are: A, alpha, B, beta, D",
        ),
        (["fit", "RUNS", "--tie", "alpha=2*bet"], "--tie: expected alpha=2*beta or the like, got 'alpha=2*bet'"),
        (["fit", "RUNS", "--tie", "alpha=(beta"], "--tie: expected alpha=2*beta or the like, got 'alpha=(beta'"),
        (["fit", "RUNS", "--tie", "alpha=alpha"], "--tie: expected alpha=2*beta or the like, got 'alpha=alpha'"),
        (["fit", "RUNS", "--tie", "alpha=1/0"], "--tie: expected alpha=2*beta or the like, got 'alpha=1/0'"),
        (["fit", "RUNS", "--tie", "alpha=sqrt(-1)"], "--tie: expected alpha=2*beta or the like, got 'alpha=sqrt(-1)'"),
        (
            ["fit", "RUNS", "--tie", "alpha=beta", "--tie", "beta=alpha"],
            "--tie: expected alpha=2*beta or the like, got 'beta=alpha'",
        ),
        (["fit", "RUNS", "--compressor", "quecc"], "no run has compressor 'quecc'; there are: tokenpacker, none"),
        (
            ["fit", "FOLDER/none.csv"],
            "cannot read FOLDER/none.csv: No such file or directory; expected a CSV file of measured runs",
        ),
        (
            ["fit", "RUNS", "-o", "FOLDER/none/law.json"],
            "cannot write FOLDER/none/law.json: there is no folder FOLDER/none; name a folder that can be written",
        ),
        (
            ["plan", "--budget", "150ms", *REQUEST],
            "--budget: expected a positive number of FLOPs such as \"2 TFLOPs\" or 2e12, got '150ms': the unit 'ms' is "
            "not known; did you mean --ttft, --tpot or --latency?",
        ),
        (
            ["plan", "--ttft", "24GiB", *REQUEST],
            "--ttft: expected a positive number of seconds such as \"100 ms\" or 0.1, got '24GiB': the unit 'GiB' is "
            "not known; did you mean --memory?",
        ),
        ([*PLAN, "-o", "a.htlm"], f"a plan's {JSON}, got 'a.htlm'; did you mean .html? {REPORT} .html files"),
        ([*PLAN, "-o", "a.md"], f"a plan's {JSON}, got 'a.md'; {REPORT} .md files"),
        (["fit", "RUNS", "-o", "a.jsn"], f"a law's {JSON}, got 'a.jsn'; did you mean .json?"),
        (["hardware", "l4", "-o", "a.txt"], f"a hardware profile's {JSON}, got 'a.txt'"),
        (["show", "ocrr"], "no shipped law is called 'ocrr'; did you mean 'ocr'?"),
        (
            ["show", "FOLDER/law.json"],
            "cannot read FOLDER/law.json: No such file or directory; expected a law that vlm-planner fit -o wrote",
        ),
        (
            [*PLAN, "--visual-tokens", "2.5"],
            "--visual-tokens: expected whole numbers such as 1,4,16, got '2.5'",
        ),
        (
            [*PLAN, "--visual-tokens", ","],
            "--visual-tokens: expected whole numbers such as 1,4,16, got ','",
        ),
        (
            [*PLAN, "--images", "0"],
            "--images: expected at least 1, got 0: a plan chooses visual tokens of images; cost and capacity answer "
            "for text alone",
        ),
        ([*PLAN, "--images=-1"], "--images: expected a whole number of at least 0, got -1"),
        ([*PLAN, "--query-tokens", "-1"], "--query-tokens: expected a whole number of at least 0, got -1"),
        (
            [*PLAN, "--percentile", "99"],
            "--percentile: needs a load, such as --requests-per-second 30, or --concurrency 16",
        ),
        ([*PLAN, "--compressor", "qecc"], "no compressor is called 'qecc'; did you mean 'quecc'?"),
        ([*PLAN, "--convention", "papers"], "no convention is called 'papers'; did you mean 'paper'?"),
        (
            [*PLAN, "--budget", "2 TFLOP/s"],
            "--budget: expected a positive number of FLOPs such as \"2 TFLOPs\" or 2e12, got '2 TFLOP/s': "
            "'TFLOP/s' is a rate, a budget is a count of FLOPs for one request",
        ),
        (
            [*OPTIMUM, "--convention", "full"],
            "the continuous optimum is defined for the paper's count only, got convention 'full': say 'paper', "
            "or use plan, which counts real architectures",
        ),
        (
            ["catalog", "--llms", "Vicuna-7B"],
            "no language model or family is called 'Vicuna-7B'; did you mean 'Vicuna'?",
        ),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_bad_input_ends_with_2_and_one_line(
    run: Run, runs: Path, tmp_path: Path, command: list[str], complaint: str
) -> None:
    def place(text: str) -> str:
        return text.replace("RUNS", str(runs)).replace("FOLDER", str(tmp_path))

    ended = {}
    for medium in ("tables", "--json"):
        done = run(*map(place, command), *(["--json"] if medium == "--json" else []))
        ended[medium] = (done.complaint, done.code, list(tmp_path.iterdir()))
    assert ended == dict.fromkeys(("tables", "--json"), (place(complaint), 2, []))


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["plan", "--budget", "2T", "--query-tokens", "50"], "error: --generated-tokens is missing: say how many"),
        (["plan", "--query-tokens", "50", "--generated-tokens", "32"], "error: --budget is missing: give FLOPs"),
        (
            ["plan", "--budget", "2T", "--query-tokens", "1.5", "--generated-tokens", "32"],
            "error: --query-tokens: input should be a valid integer; see vlm-planner plan --help\n",
        ),
        (["fit"], "error: RUNS... is missing; see vlm-planner fit --help\n"),
        (["fit", "a.csv", "b.csv"], "error: a.csv: evaluation results need --cell or --cells, which say the LLM and "),
        (["plant"], "error: no verb is called 'plant'; did you mean plan?\n"),
        (["zzz"], "error: no verb is called 'zzz'; see vlm-planner --help\n"),
        (["plan", "--bugdet", "2T"], "error: no option is called --bugdet; did you mean --budget?\n"),
        (["--nonsense"], "error: no option is called --nonsense; see vlm-planner --help\n"),
        (["plan", "--budget"], "error: option '--budget' requires an argument; see vlm-planner plan --help\n"),
        (["cost", "--gpus"], "error: no option is called --gpus; see vlm-planner cost --help\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_that_cannot_be_read_ends_with_2(run: Run, command: list[str], complaint: str) -> None:
    done = run(*command)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith(complaint)
    assert done.err.count("\n") == 1


def test_import_says_what_needs_none(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "t.md"
    table.write_text("| LLM | Params | Tokens | error |\n|---|---|---|---|\n| Qwen1.5-4B | 4e9 | 16 | 0.5 |\n")
    assert f"{table} is a table of runs already" in run("import", str(table)).complaint
    assert run("import", str(tmp_path / "nope.json")).complaint.endswith(
        "nope.json: no such file or folder; expected evaluation results"
    )
    scores = tmp_path / "scores.md"
    scores.write_text("| model | DocVQA |\n|---|---|\n| llava-7b-tp16 | 50 |\n")
    assert run("import", str(scores)).complaint.startswith("--cell or --cells:")


def test_a_plan_says_what_shares_it_takes(run: Run) -> None:
    note = "note: the shares of --mix sum to 4, neither 1 nor 100: taken as reasoning 75 %, ocr 25 %"
    assert note in run(*PLAN, "--mix", "reasoning=3,ocr=1").err
    assert "shares" not in run(*PLAN, "--mix", "reasoning=75,ocr=25").err
