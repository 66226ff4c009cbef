"""build, ask and export on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from support import Run

pytest.importorskip("torch")

from transformers.utils import logging
from vlm.tiny import llm_config, picture, tower_config


@pytest.fixture(autouse=True)
def _loud_again() -> Iterator[None]:
    """The verbs silence transformers for the process."""
    level = logging.get_verbosity()
    yield
    logging.set_verbosity(level)
    logging.enable_progress_bar()


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    """Options of a tiny model."""
    llm_config().save_pretrained(tmp_path / "llm")
    tower_config().save_pretrained(tmp_path / "vision")
    picture().save(tmp_path / "image.png")
    return [
        "--llm-config", str(tmp_path / "llm" / "config.json"), "--vision", str(tmp_path / "vision"),
        "--visual-tokens", "4",
    ]  # fmt: skip


def test_build_ask_and_export(run: Run, tiny: list[str], tmp_path: Path) -> None:
    made, plain = tmp_path / "vlm", tmp_path / "plain"
    done = run("build", *tiny, "-o", made, "--dtype", "fp32", "--json")
    assert done.err == f"wrote {made}\n"
    assert all(row["built"] == row["predicted"] for row in done.json["params"].values())
    assert list(done.json["params"]) == ["vision_tower", "compressor", "projector", "language_model"]
    assert done.json["weights"] == {"llm": "random", "vision": "random"}
    assert done.json["notes"] == ["random weights have no tokenizer: one token a byte, made here"]
    answer = run("ask", made, tmp_path / "image.png", "what?", "--max-new-tokens", 5, "--json")
    assert answer.err == ""
    assert answer.json["generated_tokens"] == 5
    said = run("ask", made, tmp_path / "image.png", "what?", "--max-new-tokens", 5)
    assert said.out == answer.json["answer"] + "\n"
    exported = run("export", made, "-o", plain, "--json")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(exported.json["files"])
    assert run("build", *tiny, "-o", made).complaint.startswith(f"{made} already exists")
    assert run("export", made, "-o", plain).complaint.startswith(f"{plain} already exists")
    assert run("build", *tiny, "-o", made, "--force").code == 0
    assert "wrote" in run("export", made, "-o", plain, "--force").words


def test_the_table_stands_in_80_columns(run: Run, tiny: list[str]) -> None:
    done = run("build", *tiny, "--device", "meta")
    assert "parameters are exactly those predicted" in done.words
    assert [line for line in done.out.splitlines() if cell_len(line) > 80] == []
    done = run("build", "--llm", "Qwen2.5-72B", "--visual-tokens", 16, "--device", "meta")
    assert "│ language model │ 72,706,203,648 │ 72,706,203,648 │ 0 │" in done.words
    assert [line for line in done.out.splitlines() if cell_len(line) > 80] == []


def test_a_plan_is_built(run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    run("plan", "--budget", "2TFLOPs", "--query-tokens", 50, "--generated-tokens", 32, "-o", plan)
    best = json.loads(plan.read_text())["best"]
    found = run("build", "--from", plan, "--device", "meta", "--json").json
    for name in ("llm", "visual_tokens", "vision", "compressor", "prompt_order"):
        assert found[name] == best[name]
    assert found["output"] is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["build", "--llm", "Qwen2.5-0.5B", "--visual-tokens", "4"], "-o is missing"),
        (["build", "--visual-tokens", "4", "-o", "new"], "no language model named"),
        (["build", "--llm", "Qwen2.5-0.5B", "-o", "new"], "visual_tokens is missing"),
        (["build", "--llm", "qwen2.5", "--visual-tokens", "4", "-o", "new"], "names 7 language models"),
        (["build", "--llm", "Qwen2.5-0.5B", "--visual-tokens", "5", "-o", "new"], "visual tokens, not 5"),
        (["build", "--llm", "a", "--llm-config", "b", "-o", "new"], "give one of them"),
        (["build", "--llm-config", "b", "-o", "new"], "no such file"),
        (["build", "--from", "none.json", "-o", "new"], "cannot read none.json"),
        (["build", "--from", "list.json", "-o", "new"], "is not a plan"),
        (["build", "--llm", "Qwen2.5-0.5B", "--visual-tokens", "4", "-o", "a/b/c"], "there is no folder a/b"),
        (["build", "--llm", "Qwen2.5-0.5B", "--visual-tokens", "4", "-o", "new", "--seed", "-1"], "--seed"),
        (["build", "--llm", "Qwen2.5-0.5B", "--visual-tokens", "4", "-o", "n", "--weights", "llm="], "--weights"),
        (["build", "--llm", "Qwen2.5-0.5B", "--visual-tokens", "4", "-o", "n", "--weights", "x"], "expected random"),
        (["ask", ".", "none.png", "what?"], "cannot read none.png: no such file"),
        (["ask", ".", "list.json", "what?"], "is no image"),
        (["ask", ".", "image.png", " "], "the question is empty"),
        (["ask", ".", "image.png", "what?"], "holds no model that vlm-planner build wrote"),
        (["ask", ".", "image.png", "what?", "--max-new-tokens", "0"], "--max-new-tokens"),
        (["export", ".", "-o", "new"], "holds no model that vlm-planner build wrote"),
    ],
)
def test_wrong_input_is_one_sentence(
    run: Run, arguments: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text("[1]")
    picture().save("image.png")
    done = run(*arguments)
    assert done.code == 2
    assert text in done.complaint
    assert sorted(path.name for path in Path().iterdir()) == ["image.png", "list.json"]


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import planner
from planner import cli
try:
    planner.build
except planner.InputError as error:
    print(error)
sys.argv = ["vlm-planner", *sys.argv[1:]]
cli.main()
"""


def test_without_torch_there_is_one_sentence() -> None:
    arguments = ["build", "--llm", "Qwen2.5-0.5B", "--visual-tokens", "4", "-o", "new"]
    done = subprocess.run([sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True)
    sentence = "build needs torch and transformers: pip install 'vlm-planner[vlm]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, sentence, f"error: {sentence}")
