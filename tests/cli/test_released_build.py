"""`build --model`: released architectures, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from make.small import small_folder
from support import Run

from planner.parts.released import find_checkpoint


def test_a_released_model_by_its_shapes(run: Run) -> None:
    content = run("build", "--model", "Qwen/Qwen3-VL-2B-Instruct", "--device", "meta", "--json").json
    checkpoint = find_checkpoint("Qwen/Qwen3-VL-2B-Instruct")
    assert {part: row["built"] for part, row in content["params"].items()} == {
        "language_model": checkpoint.llm.params,
        "vision_tower": checkpoint.encoder.tower_params,
        "connector": checkpoint.encoder.connector_params,
    }
    assert content["weights_bytes"] == 2 * checkpoint.params


def test_a_folder_is_built_written_and_loaded(run: Run, tmp_path: Path) -> None:
    source, folder, again = small_folder("google/paligemma2-3b-pt-224", tmp_path / "it"), tmp_path / "a", tmp_path / "b"
    said = run("build", "--model", source, "-o", folder).out
    assert "parameters are exactly those predicted" in said
    written = sorted(file.name for file in folder.iterdir())
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "vlm-planner.json"} <= set(written)
    content = run("build", "--model", folder, "--weights", folder, "-o", again, "--json").json
    assert content["weights"] == str(folder)
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert "exists" in run("build", "--model", source, "-o", folder).complaint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--llm", "Qwen2.5-7B"), "--model and --llm exclude each other"),
        (("--compressor", "none"), "--model and --compressor exclude each other"),
        (("--from", "plan.json"), "--model and --from exclude each other"),
        (("--weights", "nowhere", "-o", "made"), "expected random, pretrained or a folder"),
        (("-o", "made"), "--device meta makes no weights"),
    ],
)
def test_what_excludes_each_other(run: Run, arguments: tuple[object, ...], said: str, tmp_path: Path) -> None:
    device = ("--device", "meta") if "--weights" not in arguments else ()
    given = [tmp_path / "made" if one == "made" else one for one in arguments]
    model = small_folder("google/paligemma2-3b-pt-224", tmp_path / "it")
    assert said in run("build", "--model", model, *device, *given).complaint


def test_an_unknown_model_gets_suggestions(run: Run) -> None:
    refused = run("build", "--model", "Qwen3-VL-2B-Instrukt", "--device", "meta")
    assert "did you mean 'Qwen/Qwen3-VL-2B-Instruct'" in refused.complaint
