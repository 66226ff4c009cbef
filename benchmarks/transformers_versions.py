"""Saved models on several versions of transformers: each writes folders, each loads and runs what all have written.

    python benchmarks/transformers_versions.py run              # into results/transformers_versions.json
    python benchmarks/transformers_versions.py run 5.19.0 5.24.0      # those versions only, result printed alone

Each version is installed from PyPI into a folder of its own, ahead of the installed one on the path; what it depends on
is shared. The models are small and have the same random weights everywhere. Who writes has the planner, who reads has
the code that the folder carries and nothing else of ours. A cell of the result is right where the greedy tokens of a
padded batch, of a conversation and of a folder that was saved again equal those of the first writer, read by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from environment import environment, say, write_result

VERSIONS = ("5.19.0", "5.20.2", "5.21.1", "5.22.2", "5.23.0", "5.24.0")
"""The last release of each minor version that a saved model runs on."""
_LLM = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 320,
}
_TOWER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "image_size": 24,
    "patch_size": 4,
}
_CLIP = {"model_type": "clip_vision_model", **_TOWER}
_ENCODER = {**_LLM, "hidden_size": 32, "num_hidden_layers": 1}
CASES: Mapping[str, Mapping[str, Any]] = {
    "quecc, query of the LLM": {"compressor": "quecc", "vision_config": _CLIP},
    "quecc, query of an encoder": {
        "compressor": "quecc",
        "query_features": "encoder",
        "query_config": _ENCODER,
        "vision_config": {"model_type": "siglip_vision_model", **_TOWER},
    },
    "quecc, text-first": {"compressor": "quecc", "prompt_order": "text-first", "vision_config": _CLIP},
    "tokenpacker": {"compressor": "tokenpacker", "vision_config": _CLIP},
}
QUESTIONS = ("What stands on the table?", "And there?", "How many of them are red, and how many are blue?")
NEW_TOKENS = 16
SAME_LOGITS = 1e-4
"""Largest difference of first logits, which are of the order of 1, that rounding in another order explains."""


def write(folder: Path) -> None:
    """The models of all cases, by the transformers of this process."""
    import torch

    from planner.vlm import PlannerVlmConfig, PlannerVlmForConditionalGeneration
    from planner.vlm.build import make_processor
    from planner.vlm.saving import save_model

    for name, options in CASES.items():
        config = PlannerVlmConfig(text_config=_LLM, visual_tokens=4, compressor_heads=4, **options)
        model: Any = PlannerVlmForConditionalGeneration(config)
        model.eval()
        numbers = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for key, weight in sorted(model.named_parameters()):
                noise = torch.randn(weight.shape, generator=numbers)
                embeds = key.startswith("language_model.model.embed")
                wide = 1.5 * (1.0 if embeds else weight.shape[-1] ** -0.5) if weight.ndim > 1 else 0.1
                middle = float(weight.ndim == 1 and key.endswith("weight"))  # of norms
                weight.copy_(middle + wide * noise)
        save_model(model, make_processor(model), folder / name)


def read(folders: Sequence[Path], output: Path) -> None:
    """What the models in some folders answer, without the planner."""
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

    whole: Any = AutoModelForImageTextToText
    headless: Any = AutoModel
    processors: Any = AutoProcessor
    found: dict[str, Any] = {}
    for folder in folders:
        for name in CASES:
            place = folder / name
            config = AutoConfig.from_pretrained(place, trust_remote_code=True)
            model = whole.from_pretrained(place, trust_remote_code=True).eval()
            base = headless.from_pretrained(place, trust_remote_code=True).eval()
            processor = processors.from_pretrained(place, trust_remote_code=True)
            again = output / f"{folder.name}-{name}"
            model.save_pretrained(again)
            processor.save_pretrained(again)
            handed_on = whole.from_pretrained(again, trust_remote_code=True).eval()
            batch, chat = _inputs(processor, config.prompt_order == "text-first")
            with torch.no_grad():
                logits = model(**batch, logits_to_keep=1).logits[:, -1]
                states = base(**batch).last_hidden_state[:, -1]
            torch.testing.assert_close(model.get_output_embeddings()(states), logits, atol=1e-4, rtol=1e-4)
            found[f"{folder.name}|{name}"] = {
                "logits": logits.tolist(),
                "batch": _answers(model, batch),
                "conversation": _answers(model, chat),
                "saved again": _answers(handed_on, batch),
            }
    assert not any(module.partition(".")[0] == "planner" for module in sys.modules), "the planner was imported"
    (output / "answers.json").write_text(json.dumps(found), encoding="utf-8")


def _inputs(processor: Any, text_first: bool) -> tuple[Any, Any]:
    import numpy as np
    from PIL import Image

    numbers = np.random.default_rng(0)
    images = [Image.fromarray(numbers.integers(0, 255, (30, 40, 3), dtype=np.uint8)) for _ in QUESTIONS]
    texts = [f"{one}\n<image>" if text_first else f"<image>\n{one}" for one in QUESTIONS]
    batch = processor(images=images, text=texts, padding=True, return_tensors="pt")
    content = [{"type": "image", "image": images[0]}, {"type": "text", "text": QUESTIONS[0]}]
    options = {"tokenize": True, "return_dict": True, "return_tensors": "pt", "add_generation_prompt": True}
    return batch, processor.apply_chat_template([{"role": "user", "content": content}], **options)


def _answers(model: Any, inputs: Any) -> Any:
    given = inputs["input_ids"].shape[1]
    options = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS, "do_sample": False}
    return model.generate(**inputs, **options)[:, given:].tolist()


def compare(versions: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """A cell for each writer, reader and case."""
    here, root = Path(__file__).resolve(), Path(__file__).resolve().parents[1]
    for version in versions:
        target = folder / "installed" / version
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
        subprocess.run([*pip, f"transformers=={version}"], check=True)
    written = {version: folder / "written" / version for version in versions}
    shared = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

    def run(version: str, words: Sequence[str | Path], planner: bool) -> None:
        path = [str(folder / "installed" / version), *([str(root)] if planner else [])]
        home = {"HF_HOME": str(folder / "home" / version), "PYTHONPATH": os.pathsep.join(path)}
        command = [sys.executable, str(here), *map(str, words)]
        done = subprocess.run(command, env=shared | home, cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"transformers {version}, {words[0]}: {done.stderr[-2000:]}")

    for version in versions:
        say(f"transformers {version}: writing")
        written[version].mkdir(parents=True)
        run(version, ("write", written[version]), planner=True)
    answers: dict[str, dict[str, Any]] = {}
    for version in versions:
        say(f"transformers {version}: reading")
        output = folder / "read" / version
        output.mkdir(parents=True)
        run(version, ("read", output, *written.values()), planner=False)
        answers[version] = json.loads((output / "answers.json").read_text("utf-8"))
    return [
        _cell(writer, reader, case, answers[reader][f"{writer}|{case}"], answers[versions[0]][f"{versions[0]}|{case}"])
        for case in CASES
        for writer in versions
        for reader in versions
    ]


def _cell(writer: str, reader: str, case: str, found: Any, expected: Any) -> dict[str, Any]:
    kinds = [name for name in expected if name != "logits"]
    pairs = zip(chain(*found["logits"]), chain(*expected["logits"]), strict=True)
    return {
        "case": case,
        "written_with": writer,
        "read_with": reader,
        "tokens": sum(len(row) for name in kinds for row in expected[name]),
        "equal_tokens": sum(
            one == other
            for name in kinds
            for row, wanted in zip(found[name], expected[name], strict=True)
            for one, other in zip(row, wanted, strict=True)
        ),
        "largest_logit_difference": max(abs(one - other) for one, other in pairs),
    }


def main() -> None:
    asked = argparse.ArgumentParser(description="Saved models on several versions of transformers.")
    asked.add_argument("verb", choices=("run", "write", "read"))
    asked.add_argument("words", nargs="*", help="of run: versions")
    given = asked.parse_args()
    if given.verb == "write":
        write(Path(given.words[0]))
    elif given.verb == "read":
        read([Path(word) for word in given.words[1:]], Path(given.words[0]))
    else:
        versions = tuple(given.words) or VERSIONS
        with TemporaryDirectory() as folder:
            cells = compare(versions, Path(folder))
        wrong = [
            cell
            for cell in cells
            if cell["equal_tokens"] != cell["tokens"] or cell["largest_logit_difference"] > SAME_LOGITS
        ]
        content = {
            **environment(("torch", "tokenizers", "huggingface_hub", "safetensors", "vlm-planner")),
            "versions": versions,
            "new_tokens": NEW_TOKENS,
            "cells": cells,
            "wrong": len(wrong),
        }
        if given.words:
            print(json.dumps(content, indent=1))
        else:
            write_result("transformers_versions", content)
        if wrong:
            sys.exit(f"{len(wrong)} of {len(cells)} cells differ, such as {wrong[0]}")


if __name__ == "__main__":
    main()
