"""The folder of artefacts: whole or not at all, and what is said to run does run, with a tiny model on a CPU."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from support import Run
from tell.pages import REQUEST, as_file, plan
from vlm.tiny import llm_config, picture, tower_config

import planner
from planner.base.errors import InputError
from planner.tell.recommendation import tell, write_artefacts
from planner.tell.render import as_text
from planner.vlm.answering import answer, asked
from planner.vlm.build import build, make_processor
from planner.vlm.saving import load_model, save_model

FILES = {
    "README.md", "build.sh", "load_test.py", "plan.json", "prompt_embeds_client.py", "requirements.txt", "serve.py",
    "serve_prompt_embeds.md",
}  # fmt: skip
QUESTION = "what is on the table?"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """config.json files of a tiny language model and a tiny tower."""
    folder = tmp_path_factory.mktemp("parts")
    for name, config in (("llm", llm_config()), ("vision", tower_config())):
        config.save_pretrained(folder / name)
    return {name: str(folder / name / "config.json") for name in ("llm", "vision")}


@pytest.fixture(scope="module")
def tiny_plan(parts: dict[str, str]) -> planner.Plan:
    """A plan of that model alone."""
    return planner.plan(budget="1 TFLOPs", llms=[parts["llm"]], vision=parts["vision"], visual_tokens=4, **REQUEST)


@pytest.fixture(scope="module")
def folder(tiny_plan: planner.Plan, parts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its artefacts, with the model built among them."""
    made = tmp_path_factory.mktemp("artefacts") / "files"
    assert set(write_artefacts(tiny_plan, made)) == FILES
    model = build(**parts, visual_tokens=4, dtype="fp32")
    save_model(model, make_processor(model), made / "my-vlm")
    picture().save(made / "photo.png")
    return made


def test_the_folder_is_made_whole(tmp_path: Path) -> None:
    names = write_artefacts(plan("flops"), tmp_path / "new")
    assert set(names) == FILES == {file.name for file in (tmp_path / "new").iterdir()}
    assert os.access(tmp_path / "new" / "build.sh", os.X_OK)
    (tmp_path / "empty").mkdir()
    write_artefacts(plan("flops"), tmp_path / "empty")
    assert {file.name for file in tmp_path.iterdir()} == {"new", "empty"}
    for name in FILES - {"plan.json"}:
        assert "{{" not in (tmp_path / "new" / name).read_text(encoding="utf-8"), name
    assert (tmp_path / "new" / "README.md").read_text(encoding="utf-8").startswith("# Qwen1.5-4B with ")


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, run: Run) -> None:
    (tmp_path / "letters").write_text("dear", encoding="utf-8")
    file = as_file(plan("flops").to_dict(), tmp_path)
    for place in (tmp_path, tmp_path / "letters"):
        with pytest.raises(InputError, match="exists and is no empty folder: it is left as it is"):
            write_artefacts(plan("flops"), place)
        assert "is no empty folder" in run("report", file, "--artefacts", place, "--force").complaint
    with pytest.raises(InputError, match="there is no folder"):
        write_artefacts(plan("flops"), tmp_path / "none" / "files")
    assert {entry.name for entry in tmp_path.iterdir()} == {"letters", "plan.json"}


def test_a_crash_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("planner.tell.recommendation.artefacts.write_text", fail)
    with pytest.raises(KeyboardInterrupt):
        write_artefacts(plan("flops"), tmp_path / "files")
    assert list(tmp_path.iterdir()) == []


def test_requirements_are_the_installed_versions(folder: Path) -> None:
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert {line.partition("==")[0] for line in lines} >= {"torch", "transformers", "safetensors", "pillow"}
    for line in lines:
        name, _, version = line.partition("==")
        assert metadata.version(name).split("+")[0] == version


def test_what_differs_from_the_plan_is_said(tmp_path: Path) -> None:
    write_artefacts(plan("gpus"), tmp_path / "files")
    text = (tmp_path / "files" / "README.md").read_text(encoding="utf-8")
    assert "- The plan is for weights in fp8: serve.py runs 16 or 32 bits." in text
    assert "- The plan is for 2 GPUs that share the model: serve.py runs on one device." in text
    assert "- The plan is for batches of 32: start serve.py with --max-batch 32." in text


def test_the_readme_names_every_file_and_what_was_tested(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)) == FILES - {"README.md"}
    assert "| `serve_prompt_embeds.md` | commands for vLLM | run with vLLM 0.32.0 on a CPU and a small model |" in text
    assert "It needs no accelerator." in (folder / "serve_prompt_embeds.md").read_text(encoding="utf-8")


def test_the_page_names_the_commands_of_the_folder(tiny_plan: planner.Plan, folder: Path) -> None:
    (section,) = [one for one in tell(tiny_plan).sections if one.key == "reproduce"]
    build_line = section.blocks[2].lines[0]  # type: ignore[union-attr]
    assert f'{build_line} "$@"' in (folder / "build.sh").read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_build_sh_makes_the_model(tiny_plan: planner.Plan, tmp_path: Path) -> None:
    write_artefacts(tiny_plan, tmp_path / "files")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = ["sh", tmp_path / "files" / "build.sh", "--dtype", "fp32"]
    done = subprocess.run(script, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    model, _ = load_model(tmp_path / "files" / "my-vlm")
    assert model.config.visual_tokens == 4


# ---- the server ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """serve.py under way, as the README of the folder says; its address."""
    pytest.importorskip("uvicorn", reason="needs the extra [app]")
    command = [sys.executable, "serve.py", "my-vlm", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        assert process.stderr is not None
        said = [process.stderr.readline(), process.stderr.readline()]
        found = re.fullmatch(r"serving my-vlm at (http://127\.0\.0\.1:\d+)/v1; Ctrl-C ends it\n", said[1])
        if found is None:
            process.kill()
            pytest.fail(f"serve.py said {said}: {process.communicate()[1]}")
        try:
            yield found[1]
        finally:
            process.terminate()
            assert process.wait(timeout=30) == 0
            assert process.stderr.read() == "stopped\n"


def ask(server: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    connection = HTTPConnection(server.removeprefix("http://"), timeout=120)
    head = {"Content-Type": "application/json"}
    connection.request("GET" if body is None else "POST", path, body and json.dumps(body), head)
    answered = connection.getresponse()
    content = json.loads(answered.read())
    connection.close()
    return answered.status, content


def test_the_server_answers_as_the_model_does(server: str, folder: Path) -> None:
    model, processor = load_model(folder / "my-vlm", "cpu", torch.float32)
    expected = answer(model, processor, picture(), QUESTION, max_new_tokens=5)
    image = base64.b64encode((folder / "photo.png").read_bytes()).decode()
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
        {"type": "text", "text": QUESTION},
    ]
    asked_for = {"model": "my-vlm", "messages": [{"role": "user", "content": parts}], "max_tokens": 5, "temperature": 0}
    status, told = ask(server, "/v1/chat/completions", asked_for)
    assert status == 200
    assert told["choices"][0]["message"]["content"].strip() == expected.text
    assert told["usage"]["prompt_tokens"] == expected.prompt_tokens
    assert told["usage"]["completion_tokens"] == expected.generated_tokens
    status, health = ask(server, "/health")
    assert (status, health["status"], health["model"], health["dtype"]) == (200, "ready", "my-vlm", "fp32")


def test_the_load_test_prints_percentiles_as_json(server: str, folder: Path) -> None:
    command = [sys.executable, "load_test.py", server, "--requests", "6", "--concurrency", "2", "--max-new-tokens", "3"]
    done = subprocess.run([*command, "--image", "photo.png"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["requests"], found["concurrency"], found["failed"], len(found["raw"])) == (6, 2, 0, 6)
    for name in ("ttft_s", "request_s"):
        values = sorted(sample[name] for sample in found["raw"])
        assert (found[name]["p50"], found[name]["p90"], found[name]["p99"]) == (values[2], values[5], values[5])
        assert found[name]["mean"] == pytest.approx(sum(values) / 6)
    assert all(sample["ttft_s"] <= sample["request_s"] for sample in found["raw"])
    noise = subprocess.run([*command[:3], "--requests", "1"], cwd=folder, capture_output=True, text=True, check=True)
    assert json.loads(noise.stdout)["failed"] == 0


def test_the_load_test_tells_what_failed(folder: Path) -> None:
    command = [sys.executable, "load_test.py", "http://127.0.0.1:9", "--requests", "2", "--warm-up", "0"]
    command += ["--model", "my-vlm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["failed"] == 2
    assert "refused" in found["raw"][0]["error"]


# ---- a stock engine --------------------------------------------------------------------------------------------------


def test_the_client_posts_the_rows_of_the_prompt(folder: Path) -> None:
    """A stand-in for the engine takes what the client posts, as vLLM documents it."""
    posted: list[dict[str, Any]] = []

    class Engine(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))) | {"path": self.path})
            body = json.dumps({"choices": [{"text": " a cup "}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    engine = HTTPServer(("127.0.0.1", 0), Engine)
    thread = threading.Thread(target=engine.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{engine.server_address[1]}"
        command = [sys.executable, "prompt_embeds_client.py", "my-vlm", "my-llm", "photo.png", QUESTION, "--url", url]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    finally:
        engine.shutdown()
        engine.server_close()
    assert (done.returncode, done.stdout) == (0, "a cup\n"), done.stderr
    (content,) = posted
    assert (content["path"], content["model"]) == ("/v1/completions", "my-llm")
    assert "prompt" not in content  # vLLM refuses an empty one
    rows = torch.load(io.BytesIO(base64.b64decode(content["prompt_embeds"])), weights_only=True)
    model, processor = load_model(folder / "my-vlm")
    inputs = asked(processor, picture(), QUESTION)
    torch.testing.assert_close(rows, model.to_prompt_embeds(inputs)[0].detach())


@pytest.mark.slow
def test_a_real_verdict_of_the_plan_stands_on_its_page(tiny_plan: planner.Plan, folder: Path) -> None:
    from planner.bench.expected import expected
    from planner.bench.verify import verify

    model, _ = load_model(folder / "my-vlm", "cpu", torch.float32)
    other = verify(model, expected(folder / "plan.json", precision="fp32"), device="cpu", seconds=0.01)
    with pytest.raises(InputError, match="expected precision bf16, got fp32; verify this plan"):
        tell(tiny_plan, other)
    model, _ = load_model(folder / "my-vlm", "cpu", torch.bfloat16)
    measured = verify(model, folder / "plan.json", device="cpu", seconds=0.01)
    text = as_text(tell(tiny_plan, measured), ".md")
    assert "names another plan file" not in text
    assert f"| {measured.check('params').title} | {model.num_parameters():,} | {model.num_parameters():,} |" in text
    assert text.count("| passed |") + text.count("| passed (") == sum(one.passed is True for one in measured.checks)
