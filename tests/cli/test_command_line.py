"""The command line: what it prints, where, and what it ends with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from rich.cells import cell_len
from support import Done, Run

import planner
from planner import cli
from planner.base.errors import MeasurementError

REQUEST = ["--query-tokens", "50", "--generated-tokens", "32"]
PLAN = ["plan", "--budget", "2 TFLOPs", *REQUEST]
OPTIMUM = ["optimum", "--budget", "2 TFLOPs", *REQUEST]
STAGES = ("encoder", "compressor", "query_pass", "prefill", "decode")
LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}


# --- fit and show -----------------------------------------------------------------------------------------------------


def test_fit_prints_the_law_as_json(run: Run, runs: Path) -> None:
    done = run("fit", runs, "--json")
    law = done.json
    assert {"form", "params", "rss", "rmse", "n_runs", "status", "at_bound"} <= set(law)
    assert law["form"] == "additive"
    assert set(law["params"]) == {"A", "alpha", "B", "beta", "D"}
    assert law["params"]["alpha"] == pytest.approx(0.1011, abs=5e-5)
    assert law["rss"] == pytest.approx(3.168e-4, abs=5e-8)
    assert law["rmse"] == pytest.approx((law["rss"] / 28) ** 0.5)
    assert (law["n_runs"], law["status"], law["at_bound"]) == (28, "at a bound", ["D"])
    assert law["name"] == runs.stem
    assert done.err == ""


@pytest.mark.parametrize("form", ["additive", "multiplicative", "log-linear"])
def test_fit_takes_any_form(run: Run, runs: Path, form: str) -> None:
    law = run("fit", runs, "--form", form, "--json").json
    assert law["form"] == form
    assert law["params"] == planner.fit(planner.read_runs(runs), form).params


def test_fit_passes_on_what_it_is_told(run: Run, runs: Path) -> None:
    law = run(
        "fit", runs, "--task", "visual-reasoning (mean of the paper's benchmarks)", "--compressor", "TokenPacker",
        "--weights", "equal", "--loss", "huber", "--name", "mine", "--json",
    ).json  # fmt: skip
    assert (law["name"], law["weighting"], law["loss"], law["compressors"]) == (
        "mine",
        "equal",
        "huber",
        ["tokenpacker"],
    )
    assert law["n_runs"] == 24
    assert law["huber_delta"] > 0


def test_fit_fixes_and_ties_parameters(run: Run, runs: Path) -> None:
    law = run("fit", runs, "--fix", "D=0.1", "--tie", "alpha=2*beta", "--json").json
    assert law["params"]["D"] == 0.1
    assert law["params"]["alpha"] == pytest.approx(2 * law["params"]["beta"])
    assert law["constraints"] == {"D": {"value": 0.1}, "alpha": {"expr": "2*beta"}}


def test_intervals_are_added_when_asked_for(run: Run, runs: Path, tmp_path: Path) -> None:
    law = run("fit", runs, "-o", tmp_path / "law.json", "--intervals", "--json").json
    assert set(law["intervals"]) == set(law["identifiable"]) == set(law["params"])
    for name, (low, high) in law["intervals"].items():
        assert low is None or low <= law["params"][name] * (1 + 1e-9)
        assert high is None or law["params"][name] <= high * (1 + 1e-9)
    assert run("show", tmp_path / "law.json", "--intervals", "--json").json == law
    assert "95 % interval" in run("show", tmp_path / "law.json", "--intervals").out
    assert "95 % interval" not in run("show", tmp_path / "law.json").out


def test_a_law_that_is_written_can_be_shown_and_planned_with(run: Run, runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "law.json"
    done = run("fit", runs, "-o", file, "--json")
    assert done.err == f"wrote {file}\n"
    assert done.json == json.loads(file.read_text())
    assert run("show", file, "--json").json == done.json
    best = run(*PLAN, "--law", file, "--json").json["best"]
    assert best == run(*PLAN, "--law", "reasoning", "--json").json["best"]
    human = run("show", file)
    assert human.out.splitlines()[0].endswith(": at a bound (D)")
    assert "28 runs, RSS 3.168e-04" in human.out
    assert human.err == ""


def test_show_prints_a_shipped_law(run: Run) -> None:
    law = run("show", "ocr", "--form", "log-linear", "--json").json
    assert (law["name"], law["form"], law["n_runs"]) == ("ocr", "log-linear", 27)


@pytest.mark.parametrize("verb", ["fit", "plan"])
def test_an_output_file_is_overwritten_only_with_force(run: Run, runs: Path, tmp_path: Path, verb: str) -> None:
    file = tmp_path / "out.json"
    file.write_text("old")
    command = ["fit", runs, "-o", file] if verb == "fit" else [*PLAN, "-o", file]
    refused = run(*command)
    assert refused.code == 2
    assert refused.complaint == f"{file} already exists; choose another name or --force (overwrite=True)"
    assert file.read_text() == "old"
    forced = run(*command, "--force", "--json")
    assert forced.json == json.loads(file.read_text())
    assert forced.err == f"wrote {file}\n"


def test_an_existing_output_file_is_refused_before_any_work(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "law.json"
    file.write_text("old")
    for command in (["fit", tmp_path / "none.csv"], [*PLAN, "--law", tmp_path / "none.json"]):
        assert run(*command, "-o", file).complaint.startswith(f"{file} already exists")


# --- plan, optimum, catalog -------------------------------------------------------------------------------------------


def test_plan_prints_the_pick_as_json(run: Run) -> None:
    done = run(*PLAN, "--json")
    plan = done.json
    assert {"best", "frontier", "extrapolates", "assumptions", "convention"} <= set(plan)
    for candidate in (plan["best"], *plan["runners_up"], *plan["frontier"], plan["next_up"]):
        assert {"llm", "llm_params", "visual_tokens", "predicted_error", "flops"} <= set(candidate)
        assert set(candidate["flops"]) == {"total", *STAGES}
        assert candidate["flops"]["total"] == pytest.approx(sum(candidate["flops"][stage] for stage in STAGES))
        assert all(candidate["flops"][stage] > 0 for stage in STAGES)
    best = plan["best"]
    assert (best["llm"], best["llm_params"], best["visual_tokens"]) == ("Qwen1.5-4B", 4e9, 64)
    assert best["predicted_error"] == pytest.approx(0.5019, abs=5e-5)
    assert best["flops"]["total"] <= 2e12 < plan["next_up"]["flops"]["total"]
    assert plan["convention"] == "full"
    assert plan["extrapolates"] == []
    assert all(isinstance(sentence, str) and sentence for sentence in plan["assumptions"])
    assert done.err == ""


def test_the_frontier_ends_with_the_pick_and_gets_better_with_cost(run: Run) -> None:
    plan = run(*PLAN, "--json").json
    frontier = [(candidate["flops"]["total"], -candidate["predicted_error"]) for candidate in plan["frontier"]]
    assert frontier == sorted(frontier)
    assert [error for _, error in frontier] == sorted(error for _, error in frontier)
    assert plan["frontier"][-1] == plan["best"]


def test_plan_in_the_papers_count_charges_the_language_model_only(run: Run) -> None:
    plan = run(*PLAN, "--convention", "paper", "--json").json
    best, flops = plan["best"], plan["best"]["flops"]
    assert plan["convention"] == "paper"
    assert flops["encoder"] == flops["compressor"] == flops["query_pass"] == 0
    assert flops["total"] == 2 * best["llm_params"] * (50 + best["visual_tokens"] + 32)


def test_plan_passes_on_what_it_is_told(run: Run) -> None:
    plan = run(
        "plan", "--budget", "9e12", "--query-tokens", 5, "--generated-tokens", 6, "--cached-tokens", 7,
        "--system-tokens", 8, "--images", 2, "--law", "ocr", "--form", "log-linear", "--llms", "qwen2.5",
        "--llms", "Vicuna-7B-v1.5", "--visual-tokens", "16, 4", "--vision", "CLIP-ViT-L/14-224",
        "--compressor", "average-pool", "--prompt-order", "text-first", "--json",
    ).json  # fmt: skip
    assert plan["workload"] == {
        "query_tokens": 5, "generated_tokens": 6, "cached_tokens": 7, "system_tokens": 8, "images": 2,
    }  # fmt: skip
    assert plan["budget"] == {"flops": 9e12}
    assert (plan["law"]["name"], plan["law"]["form"]) == ("ocr", "log-linear")
    assert (plan["vision"], plan["compressor"]) == ("CLIP-ViT-L/14-224", "average-pool")
    assert plan["prompt_order"] == "text-first"
    assert plan["candidates"]["compared"] == (7 + 1) * 2
    assert {candidate["visual_tokens"] for candidate in plan["runners_up"]} <= {4, 16}


def test_plan_takes_a_config_json(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "own-7B.json"
    config.write_text(json.dumps(LLAMA))
    best = run("plan", "--budget", "20T", *REQUEST, "--llms", config, "--json").json["best"]
    assert (best["llm"], best["llm_params"]) == ("own-7B", 7e9)


def test_optimum_prints_the_optimum_as_json(run: Run) -> None:
    found = run(*OPTIMUM, "--json").json
    assert {"llm_params", "visual_tokens"} <= set(found)
    assert 2 * found["llm_params"] * (50 + found["visual_tokens"] + 32) == pytest.approx(2e12)
    assert 1 < found["visual_tokens"] < 576


def test_optimum_takes_a_form(run: Run) -> None:
    law = planner.load_law("reasoning", "multiplicative").params
    found = run(*OPTIMUM, "--form", "multiplicative", "--json").json
    assert found["visual_tokens"] == pytest.approx(law["beta"] * 82 / (law["alpha"] - law["beta"]))


def test_catalog_prints_everything_that_can_be_named_as_json(run: Run) -> None:
    catalog = run("catalog", "--json").json
    assert set(catalog) == {"llms", "vision", "compressors", "laws"}
    assert [llm["name"] for llm in catalog["llms"]] == list(planner.llm_catalog())
    assert all(llm["params"] > 0 and llm["nominal_params"] > 0 for llm in catalog["llms"])
    assert [tower["name"] for tower in catalog["vision"]] == list(planner.vision_catalog())
    assert [kind["name"] for kind in catalog["compressors"]] == ["quecc", "tokenpacker", "average-pool", "none"]
    assert [(law["name"], law["form"]) for law in catalog["laws"]] == list(planner.shipped_names())


def test_catalog_lists_only_the_models_asked_for(run: Run) -> None:
    names = [llm["name"] for llm in run("catalog", "--llms", "vicuna", "--json").json["llms"]]
    assert names == ["Vicuna-7B-v1.5", "Vicuna-13B-v1.5"]
    human = run("catalog", "--llms", "vicuna").out
    assert "Vicuna-13B-v1.5" in human
    assert "Phi-2" not in human


# --- what goes wrong --------------------------------------------------------------------------------------------------


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
        ([*PLAN, "--images", "0"], "--images: expected a whole number of at least 1, got 0"),
        ([*PLAN, "--query-tokens", "-1"], "--query-tokens: expected a whole number of at least 0, got -1"),
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
        (["fit"], "error: RUNS is missing; see vlm-planner fit --help\n"),
        (["fit", "a.csv", "b.csv"], "error: got unexpected extra argument(s) (b.csv); see vlm-planner fit --help\n"),
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


def test_an_interrupted_command_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(planner, "plan", interrupted)
    done = run(*PLAN)
    assert (done.code, done.out, done.err.strip()) == (130, "", "interrupted")


def test_what_cannot_be_measured_here_ends_with_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_device(*_: object, **__: object) -> None:
        raise MeasurementError("device cuda: PyTorch sees 0 CUDA devices here")

    monkeypatch.setattr(planner, "plan", no_device)
    done = run(*PLAN)
    assert (done.code, done.complaint) == (3, "device cuda: PyTorch sees 0 CUDA devices here")


# --- help -------------------------------------------------------------------------------------------------------------

cli.load()
ROOT = typer.main.get_command(cli.app)
COMMANDS: dict[str, Any] = ROOT.commands  # type: ignore[attr-defined]


def test_the_table_of_verbs_is_true() -> None:
    assert list(cli.VERBS) == list(dict.fromkeys((*cli.VERBS, *COMMANDS)))
    for name, command in COMMANDS.items():
        assert command.callback.__module__ == f"planner.cli.{cli.VERBS[name]}"


def test_a_verb_loads_its_own_module_only() -> None:
    script = (
        "import sys; from planner import cli; sys.argv = ['vlm-planner', 'plan', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print(sorted(set(cli.VERBS.values()) & {name.removeprefix('planner.cli.') for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n['plans']\n")


def test_an_unknown_verb_and_help_know_all_verbs(run: Run) -> None:
    assert set(re.findall(r"^  ([a-z-]+)  ", run("--help").out, re.MULTILINE)) >= set(cli.VERBS)
    done = run("plam")
    assert done.code == 2
    assert done.err == "error: no verb is called 'plam'; did you mean plan?\n"


def test_every_command_is_there() -> None:
    assert {"fit", "show", "plan", "optimum", "catalog"} <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_has_a_help_text(run: Run, name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    done = run(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert " ".join(command.help.split()) in " ".join(done.out.split())
    for parameter in command.params:
        assert parameter.help, parameter.name
        assert " ".join(parameter.help.split()) in " ".join(done.out.split())
    assert any("--json" in parameter.opts for parameter in command.params)


def test_the_help_lists_every_command(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    assert all(name in done.out for name in COMMANDS)
    assert "[OPTIONS] COMMAND [ARGS]... Choose the best (LLM" in " ".join(done.out.split())


def test_version(run: Run) -> None:
    assert run("--version") == Done(0, f"{planner.__version__}\n", "")


# --- what people see --------------------------------------------------------------------------------------------------


def assert_fits_80_columns(text: str) -> None:
    assert text.strip()
    assert [line for line in text.splitlines() if cell_len(line) > 80] == []


@pytest.mark.parametrize(
    "command",
    [
        ["show", "reasoning"],
        ["show", "paper"],
        ["show", "reasoning", "--intervals"],
        ["show", "ocr", "--form", "log-linear"],
        PLAN,
        [*PLAN, "--convention", "paper", "--llms", "all", "--vision", "SigLIP-so400m/14-384"],
        ["plan", "--budget", "9e15", *REQUEST, "--llms", "llama,phi", "--images", "2", "--prompt-order", "text-first"],
        OPTIMUM,
        ["catalog"],
        ["--help"],
        *([name, "--help"] for name in sorted(COMMANDS)),
    ],
    ids=" ".join,
)
def test_what_is_printed_fits_80_columns(run: Run, command: list[str]) -> None:
    done = run(*command)
    assert done.code == 0
    assert done.err == ""
    assert_fits_80_columns(done.out)


def renamed(runs: Path, folder: Path, name: Callable[[str], str], **columns: str) -> Path:
    """The published runs with other names of the language models and further columns."""
    table = pd.read_csv(runs, keep_default_na=False)
    table["llm"] = table["llm"].map(name)
    target = folder / "renamed.csv"
    table.assign(**columns).to_csv(target, index=False)
    return target


def test_fit_prints_within_80_columns_whatever_the_names(run: Run, runs: Path, tmp_path: Path) -> None:
    file = renamed(runs, tmp_path, lambda name: f"{name}-{'模型' * 60}", task="t" * 200, **{"c" * 200: "x"})
    done = run("fit", file, "--form", "log-linear")
    assert done.code == 0
    assert_fits_80_columns(done.out)


def test_markup_in_runs_is_shown_as_text(run: Run, runs: Path, tmp_path: Path) -> None:
    names = {
        "Qwen1.5-0.5B": "[bold]x[/bold]",
        "Qwen1.5-1.8B": "[/x]",
        "Qwen1.5-4B": "[red]y",
        "Qwen1.5-7B": "\\[z]:tada:",
    }
    file = renamed(runs, tmp_path, names.__getitem__, task="[link=https://a.b]t[/link]", **{"[/unused]": "x"})
    done = run("fit", file)
    assert (done.code, done.err) == (0, "")
    assert "LLMs: [bold]x[/bold], [/x], [red]y, \\[z]:tada:\n" in done.out
    assert "task: [link=https://a.b]t[/link]\n" in done.out
    assert "note: columns not used: [/unused]\n" in done.out
    assert run("fit", file, "--json").json["llms"] == list(names.values())


def test_control_characters_in_runs_do_not_reach_the_terminal(run: Run, runs: Path, tmp_path: Path) -> None:
    file = renamed(runs, tmp_path, lambda name: f"{name}\x1b[31m\x1b]0;title\x07")
    done = run("fit", file)
    assert done.code == 0
    assert "Qwen1.5-0.5B" in done.out
    assert not {"\x1b", "\x07"} & set(done.out)


@pytest.mark.parametrize("name", ["[bold]own", "[owned]", "own:tada:"])
def test_markup_in_the_name_of_a_config_is_shown_as_text(run: Run, tmp_path: Path, name: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**LLAMA, "_name_or_path": name}))
    planned = run("plan", "--budget", "20T", *REQUEST, "--llms", config)
    assert planned.code == 0
    assert f": {name} with " in planned.out
    assert f"│ {name} │" in planned.out
    listed = run("catalog", "--llms", config)
    assert listed.code == 0
    assert f"│ {name} │ {name} │" in listed.out


def law_file_with(folder: Path, **changes: Any) -> Path:
    """The shipped law in a file, with some fields replaced."""
    file = folder / "law.json"
    file.write_text(json.dumps(planner.load_law("reasoning").to_dict() | changes))
    return file


@pytest.mark.parametrize("text", ["[/x]", "[bold]x[/bold]"])
@pytest.mark.parametrize("field", ["advice", "n_basis", "t_convention"])
def test_markup_in_a_law_file_is_shown_as_text(run: Run, tmp_path: Path, field: str, text: str) -> None:
    done = run("show", law_file_with(tmp_path, **{field: text}))
    assert (done.code, done.err) == (0, "")
    assert text in done.out


@pytest.mark.parametrize("text", ["[/x]", "[bold]x[/bold]"])
def test_markup_in_the_name_of_a_law_is_shown_as_text(run: Run, tmp_path: Path, text: str) -> None:
    done = run(*PLAN, "--law", law_file_with(tmp_path, name=text))
    assert (done.code, done.err) == (0, "")
    assert f"law {text}, additive, 28 runs, at a bound: D" in " ".join(done.out.split())


@pytest.mark.parametrize("text", ["[/x]", "[bold]x[/bold]"])
@pytest.mark.parametrize("field", ["loss", "weighting", "constraints"])
def test_markup_where_a_law_file_has_a_known_word_is_refused_or_shown_as_text(
    run: Run, tmp_path: Path, field: str, text: str
) -> None:
    content = {"alpha": {"expr": text}} if field == "constraints" else text
    done = run("show", law_file_with(tmp_path, **{field: content}))
    if done.code == 2:
        assert done.complaint.startswith("law.json is damaged: ")
        assert field in done.complaint
    else:
        assert done.code == 0
        assert text in done.out


# --- as a process of its own ------------------------------------------------------------------------------------------


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_module_runs_from_any_folder(tmp_path: Path) -> None:
    done = python("-m", "planner.cli", *PLAN, "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["best"]["llm"] == "Qwen1.5-4B"
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_module_is_its_exit_code(tmp_path: Path) -> None:
    done = python("-m", "planner.cli", "plan", "--budget", "1 GFLOPs", *REQUEST, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: nothing fits 1 GFLOPs")


def test_importing_loads_no_heavy_package(tmp_path: Path) -> None:
    heavy = {"scipy", "pandas", "matplotlib", "lmfit", "torch", "transformers"}
    program = f"import sys, planner, planner.cli; print(sorted({heavy} & set(sys.modules)))"
    done = python("-c", program, folder=tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")
