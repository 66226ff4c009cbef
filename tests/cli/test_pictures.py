"""The verb plot: which picture of what, where it goes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import Done, Run

import planner
from planner.planning.limits import LIMITS
from planner.tell import plots

REQUEST = ["--query-tokens", 50, "--generated-tokens", 32]
FRONTIER = ["plot", "frontier", "reasoning", "--budget", "2 TFLOPs", *REQUEST]


@pytest.mark.parametrize(
    ("command", "name", "form"),
    [
        (["plot", "law", "reasoning"], "reasoning", "additive"),
        (["plot", "law", "paper", *REQUEST], "paper", "multiplicative"),
        (["plot", "profiles", "reasoning", "--form", "log-linear"], "reasoning", "log-linear"),
        (["plot", "residuals", "ocr"], "ocr", "additive"),
        (FRONTIER, "reasoning", "auto"),
        ([*FRONTIER, "--llms", "qwen2.5", "--llms", "Vicuna-7B-v1.5", "--form", "auto"], "reasoning", "auto"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_plot_writes_the_picture(run: Run, tmp_path: Path, command: list[object], name: str, form: str) -> None:
    file = tmp_path / "picture.png"
    done = run(*command, "-o", file)
    assert (done.code, done.out, done.err) == (0, "", f"wrote {file}\n")
    assert file.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    done = run(*command, "-o", file, "--force", "--json")
    assert done.err == f"wrote {file}\n"
    assert done.json == {"kind": command[1], "law": name, "form": form, "output": str(file)}


def test_plot_draws_what_python_draws(run: Run, tmp_path: Path) -> None:
    law = planner.load_law("reasoning", "multiplicative")
    plan = planner.plan("ocr", budget="5 TFLOPs", query_tokens=5, generated_tokens=6, llms="qwen2.5")
    for i, (command, figure) in enumerate(
        [
            (["law", "reasoning", "--form", "multiplicative"], plots.law_over_flops(law, 50, 0)),
            (
                ["law", "reasoning", "--form", "multiplicative", "--query-tokens", 0, "--generated-tokens", 9],
                plots.law_over_flops(law, 0, 9),
            ),
            (["residuals", "reasoning", "--form", "multiplicative"], plots.residuals(law)),
            (
                [
                    "frontier",
                    "ocr",
                    "--budget",
                    "5T",
                    "--query-tokens",
                    5,
                    "--generated-tokens",
                    6,
                    "--llms",
                    "qwen2.5",
                ],
                plots.frontier(plan),
            ),
        ]
    ):
        expected = plots.save(figure, tmp_path / f"{i}-python.png")
        assert run("plot", *command, "-o", tmp_path / f"{i}.png").code == 0
        assert (tmp_path / f"{i}.png").read_bytes() == expected.read_bytes()


def test_a_frontier_takes_what_a_plan_takes(run: Run, tmp_path: Path) -> None:
    plan = planner.plan(
        planner.load_mix("reasoning=0.7,ocr=0.3"),
        budget="5 TFLOPs",
        query_tokens=50,
        generated_tokens=32,
        vision="CLIP-ViT-L/14-224",
        compressor=["tokenpacker", "quecc"],
        prompt_order="text-first",
        convention="torch",
    )
    expected = plots.save(plots.frontier(plan), tmp_path / "python.png")
    done = run(
        "plot", "frontier", "--mix", "reasoning=0.7,ocr=0.3", "--budget", "5T", *REQUEST, "--vision",
        "CLIP-ViT-L/14-224", "--compressor", "tokenpacker,quecc", "--prompt-order", "text-first", "--convention",
        "torch", "-o", tmp_path / "shell.png",
    )  # fmt: skip
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "shell.png").read_bytes() == expected.read_bytes()


def test_a_frontier_takes_every_limit_of_a_plan(run: Run, tmp_path: Path) -> None:
    plan = planner.plan(
        "reasoning",
        budget=planner.Budget(ttft="60 ms", requests_per_second=4, price=50),
        query_tokens=50,
        generated_tokens=32,
        cached_tokens=100,
        hardware="l40s",
        price_per_hour=0.9,
        gpus=2,
        precision=["bf16", "fp8"],
        kv_precision="fp8",
        tensor_parallel=[1, 2],
        batch=[1, 4],
        scheduler="static",
        visual_tokens=[16, 64],
    )
    expected = plots.save(plots.frontier(plan), tmp_path / "python.png")
    done = run(
        "plot", "frontier", "reasoning", "--ttft", "60ms", "--requests-per-second", 4, "--limit", "price=50", *REQUEST,
        "--cached-tokens", 100, "--hardware", "l40s", "--price-per-hour", 0.9, "--gpus", 2, "--precision", "bf16,fp8",
        "--kv-precision", "fp8", "--tensor-parallel", "1,2", "--batch", "1,4", "--scheduler", "static",
        "--visual-tokens", "16,64", "-o", tmp_path / "shell.png",
    )  # fmt: skip
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "shell.png").read_bytes() == expected.read_bytes()


def test_a_frontier_has_the_limit_options_of_a_plan(run: Run) -> None:
    plan, plot = (run(verb, "--help").out for verb in ("plan", "plot"))
    for kind in LIMITS:
        assert f"{kind.option} " in plan
        assert f"{kind.option} " in plot


def test_plot_takes_a_law_file_and_writes_other_formats(run: Run, tmp_path: Path) -> None:
    law = planner.load_law("reasoning")
    law.save(tmp_path / "law.json")
    for name, signature in (("a.svg", b"<?xml"), ("a.pdf", b"%PDF-")):
        assert run("plot", "residuals", tmp_path / "law.json", "-o", tmp_path / name).code == 0
        assert (tmp_path / name).read_bytes().startswith(signature)


def test_an_existing_picture_is_overwritten_only_with_force(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_text("old")
    done = run("plot", "residuals", "reasoning", "-o", file)
    code, out, err = done.code, done.out, done.err
    assert (code, out) == (2, "")
    assert err == f"error: {file} already exists; choose another name or --force\n"
    assert file.read_text() == "old"
    assert run("plot", "residuals", "reasoning", "-o", file, "--force").code == 0
    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["plot", "lwa", "reasoning"], "no picture is called 'lwa'; did you mean 'law'?"),
        (
            ["plot", "pie", "reasoning"],
            "no picture is called 'pie'; there are: law, profiles, residuals, frontier, load, timeline",
        ),
        (["plot", "law", "reasonin"], "no shipped law is called 'reasonin'; did you mean 'reasoning'?"),
        (
            ["plot", "law", "reasoning", "--form", "auto"],
            "this picture is of one form of one law, got form 'auto'; name a form",
        ),
        (
            ["plot", "law", "reasoning", "--query-tokens", "-1"],
            "--query-tokens: expected a whole number of at least 0, got -1",
        ),
        (
            ["plot", "law", "reasoning", "--budget", "2T"],
            "plot law takes no --budget, which is for plot frontier: leave it out",
        ),
        (
            ["plot", "profiles", "reasoning", "--query-tokens", "50"],
            "plot profiles takes no --query-tokens, which is for plot law and plot frontier: leave it out",
        ),
        (
            ["plot", "residuals", "reasoning", "--llms", "qwen2.5"],
            "plot residuals takes no --llms, which is for plot frontier: leave it out",
        ),
        (
            ["plot", "frontier", "reasoning", "--budget", "2T"],
            "plot frontier needs what plan needs: give --query-tokens, --generated-tokens too",
        ),
        (
            ["plot", "law", "reasoning", "--prompt-order", "text-first"],
            "plot law takes no --prompt-order, which is for plot frontier: leave it out",
        ),
        (
            ["plot", "residuals", "reasoning", "--ttft", "100ms"],
            "plot residuals takes no --ttft, which is for plot frontier: leave it out",
        ),
        (
            ["plot", "law", "reasoning", "--batch", "8"],
            "plot law takes no --batch, which is for plot frontier: leave it out",
        ),
        (
            ["plot", "frontier", "reasoning", "--ttft", "100ms", *REQUEST],
            "a TTFT limit needs --hardware, such as --hardware l4",
        ),
        (["plot", "law"], "plot law needs a law: name one, such as reasoning"),
        (
            [*FRONTIER, "--mix", "reasoning=0.7,ocr=0.3"],
            "LAW reasoning and --mix reasoning=0.7,ocr=0.3: give one of them; a mix names its laws itself",
        ),
        (
            [*FRONTIER, "--compressor", "qecc"],
            "no compressor is called 'qecc'; did you mean 'quecc'?",
        ),
        (
            ["plot", "frontier", "reasoning", "--budget", "3", *REQUEST],
            "--budget: '3' is under a million FLOPs, less than any request costs: write 3TFLOPs or 3e12",
        ),
        (
            ["plot", "frontier", "reasoning", *REQUEST],
            "plot frontier needs what plan needs: give --budget too",
        ),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_bad_input_ends_with_2_and_one_line(run: Run, tmp_path: Path, command: list[object], complaint: str) -> None:
    assert run(*command, "-o", tmp_path / "picture.png") == Done(2, "", f"error: {complaint}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "meant"), [("picture.sgv", "; did you mean .svg?"), ("picture", "")])
def test_another_suffix_is_refused(
    run: Run, tmp_path: Path, name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    complaint = f"error: a picture's file name ends in .png, .svg or .pdf, got {name!r}{meant}\n"
    assert run("plot", "law", "reasoning", "-o", name) == Done(2, "", complaint)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "none" / "picture.png"
    complaint = f"error: cannot write {file}: there is no folder {file.parent}; name a folder that can be written\n"
    assert run("plot", "residuals", "reasoning", "-o", file) == Done(2, "", complaint)


def test_nothing_under_the_budget_ends_with_1(run: Run, tmp_path: Path) -> None:
    command = ["plot", "frontier", "reasoning", "--budget", "1 GFLOPs", *REQUEST]
    done = run(*command, "-o", tmp_path / "picture.png")
    code, out, err = done.code, done.out, done.err
    assert (code, out) == (1, "")
    assert err.startswith("error: nothing fits 1 GFLOPs")
    assert list(tmp_path.iterdir()) == []


def test_the_output_must_be_named(run: Run) -> None:
    done = run("plot", "law", "reasoning")
    code, out, err = done.code, done.out, done.err
    assert (code, out) == (2, "")
    assert err == "error: --output is missing; see vlm-planner plot --help\n"
