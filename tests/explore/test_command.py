"""The verb explore: how it starts, how it ends, what it refuses."""

from __future__ import annotations

import builtins
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from support import Run

import planner


def test_it_says_where_it_is_and_ends_cleanly_when_interrupted(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra [app]")
    file = planner.load_law("ocr").save(tmp_path / "mine.json")
    command = [
        sys.executable,
        "-m",
        "planner.cli",
        "explore",
        "--port",
        "0",
        "--no-browser",
        "--json",
        "--law",
        str(file),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr is not None
            said = running.stderr.readline()
            address = said.split()[2]
            assert said == f"explore at {address} (this host only); Ctrl-C ends it\n"
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(f"{address}plan", timeout=20) as reply:  # the law's own is the first
                assert json.load(reply)["texts"]["law"] == "own"
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=20)
        finally:
            running.kill()
    assert (running.returncode, err) == (0, "stopped\n")
    assert json.loads(out) == {"address": address}


def test_a_port_in_use_is_named(run: Run) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra [app]")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("explore", "--no-browser", "--port", port)
    assert done.code == 2
    assert done.complaint == f"port {port} is in use; name another with --port, or --port 0 for one that is free"


def test_answers_are_sent_at_once() -> None:
    """Body after head without waiting for a receipt: what is accepted inherits it."""
    pytest.importorskip("uvicorn", reason="needs the extra [app]")
    from planner.explore.serving.run import listen

    with listen(0) as listening, socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--port", 70000], "--port: expected a number from 0 to 65535, got 70000"),
        (["--port", -1], "--port: expected a number from 0 to 65535, got -1"),
        (["--law", "nonsense"], "no shipped law is called 'nonsense'; there are: "),
        (["--law", "nothing.json"], "nothing.json"),
    ],
)
def test_bad_options_are_named(run: Run, arguments: list[object], complaint: str) -> None:
    done = run("explore", "--no-browser", *arguments)
    assert done.code == 2
    assert complaint in done.complaint


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    real = builtins.__import__

    def without(name: str, *others: object, **named: object) -> object:
        if name.split(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return real(name, *others, **named)  # type: ignore[arg-type]

    for name in [one for one in sys.modules if one.startswith(("planner.explore.serving", missing))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    done = run("explore", "--no-browser", "--port", 0)
    assert done.code == 2
    assert done.complaint == f"explore needs {missing}: pip install 'vlm-planner[app]'"


def test_what_the_page_cannot_plan_is_refused_in_one_sentence(run: Run) -> None:
    for more, complaint in (
        (["--models", "qwen3-vl"], "the page plans what to train; vlm-planner plan --models qwen3-vl chooses among"),
        (["--task", "docvq"], "no task of the evidence is called 'docvq'; did you mean 'DocVQA'?"),
        (["--task", "docvqa", "--mix", "docvqa=1"], "--mix: a mix names its laws and tasks itself"),
    ):
        done = run("explore", "--no-browser", *more)
        assert done.code == 2
        assert complaint in done.complaint
