"""A saved folder loads without the package: the modules it carries import each other and nothing else of ours."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from vlm.tiny import answers, asked, batch, image, model, pixels, processor, text

import planner.vlm

CARRIED = {
    "attention",
    "base_model",
    "baselines",
    "configuration",
    "encoding",
    "generation",
    "image_fit",
    "image_token",
    "marking",
    "modeling",
    "orders",
    "pictures",
    "prefix",
    "processing",
    "prompts",
    "quecc",
    "queries",
    "questions",
    "table",
    "templates",
    "towers",
    "versions",
    "typed",
}
ROWS = [text(1, 2, 3) + image() + text(4, 5), text(6, 7, 8) + image() + text(9)]

ELSEWHERE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "planner":
            raise ModuleNotFoundError("No module named 'planner'", name=name)
sys.meta_path.insert(0, Absent())
import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor
folder, inputs, outputs = sys.argv[1:]
model = AutoModelForImageTextToText.from_pretrained(folder, trust_remote_code=True)
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
tokens = model.generate(**torch.load(inputs), max_new_tokens=6, min_new_tokens=6, do_sample=False)
prompt = processor(images=Image.new("RGB", (30, 30)), text="what? <image> that", return_tensors="pt")
model.generate(**prompt, max_new_tokens=2)
model.save_pretrained(outputs + "/again")
processor.save_pretrained(outputs + "/again")
torch.save(tokens, outputs + "/tokens.pt")
assert not any(name.startswith("planner") for name in sys.modules)
assert type(model).__module__.startswith("transformers_modules."), type(model).__module__
"""


def test_carried_modules_import_nothing_of_the_package_but_each_other() -> None:
    folder = Path(planner.vlm.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} >= CARRIED
    for name in CARRIED:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1 and node.module in CARRIED, (name, node.module)
            elif isinstance(node, ast.ImportFrom):
                assert node.module and node.module.partition(".")[0] != "planner", name
            elif isinstance(node, ast.Import):
                assert all(alias.name.partition(".")[0] != "planner" for alias in node.names), name


@pytest.mark.parametrize("order", ["image-first", pytest.param("text-first", marks=pytest.mark.slow)])
def test_loads_where_the_package_is_not_installed(order: str, tmp_path: Path) -> None:
    built = model(prompt_order=order)
    made = processor(built.config)
    saved = tmp_path / "model"
    built.save_pretrained(saved)
    made.save_pretrained(saved)
    assert {path.stem for path in saved.glob("*.py")} == CARRIED
    given = batch(ROWS) | {"pixel_values": pixels(2)} | (asked([[4, 5], [9]]) if order == "image-first" else {})
    torch.save(given, tmp_path / "inputs.pt")
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(saved), str(tmp_path / "inputs.pt"), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert torch.equal(torch.load(tmp_path / "tokens.pt")[:, -6:], answers(built, given))
    assert {path.stem for path in (tmp_path / "again").glob("*.py")} == CARRIED  # it can be handed on
