"""The command line as a process: what it ends with, and what it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli.commands import PLAN, REQUEST
from support import Run

import planner
from planner.base.errors import MeasurementError
from planner.cli.running import going_on, progress_bar


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


def test_a_verb_loads_its_own_module_only() -> None:
    script = (
        "import sys; from planner import cli; sys.argv = ['vlm-planner', 'plan', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print(sorted(set(cli.VERBS.values()) & {name.removeprefix('planner.cli.') for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n['plans']\n")


def test_importing_loads_no_heavy_package(tmp_path: Path) -> None:
    heavy = {"scipy", "pandas", "matplotlib", "lmfit", "torch", "transformers"}
    program = f"import sys, planner, planner.cli; print(sorted({heavy} & set(sys.modules)))"
    done = python("-c", program, folder=tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_progress_off_a_terminal_is_a_plain_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("planner.cli.running.time.monotonic", lambda: now[0])
    with progress_bar() as show:
        for second in (1, 9, 12, 15, 21.9, 23):
            now[0] = second
            show("measuring prefill", int(second), 30)
        now[0] = 40
        show("loading", 0, 1)
    assert capsys.readouterr().err.splitlines() == [
        "measuring prefill, 12 of 30 (12 s so far, about 18 s left)",
        "measuring prefill, 23 of 30 (23 s so far, about 7 s left)",
        "loading (40 s so far)",
    ]


def test_many_steps_are_a_share_and_a_new_total_is_a_new_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("planner.cli.running.time.monotonic", lambda: now[0])
    with progress_bar() as show:
        for second, done, total in ((1, 2, 4), (100, 0, 10_000), (110, 100, 10_000), (160, 5000, 10_000)):
            now[0] = second
            show("measuring", done, total)
    assert capsys.readouterr().err.splitlines() == [
        "measuring, 0 % (100 s so far)",
        "measuring, 1 % (110 s so far)",
        "measuring, 50 % (160 s so far, about 60 s left)",
    ]


def test_an_interrupted_run_says_what_is_kept_and_how_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["vlm-planner", "measure", "a model", "-o", "here"])
    (tmp_path / "one.json").write_text("{}")

    def interrupted(*arguments: str | Path | None) -> str:
        with pytest.raises(KeyboardInterrupt), going_on(*arguments):  # type: ignore[arg-type]
            raise KeyboardInterrupt
        return capsys.readouterr().err

    said = interrupted(tmp_path, "-o FOLDER")
    assert said == (
        f"1 finished measurement is kept in {tmp_path}; to go on there: vlm-planner measure 'a model' -o here\n"
    )
    assert interrupted(None, "-o FOLDER").startswith("nothing is kept of what was measured: with -o FOLDER a run")
    assert interrupted(None) == "nothing is kept of what was measured\n"
