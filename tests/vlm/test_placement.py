"""Where the weights lie: device maps, offloading, the meta device, two tensor-parallel ranks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText
from vlm.tiny import answers, asked, batch, config, image, model, pixels, text

from planner.vlm import PlannerVlmForConditionalGeneration

ROWS = [text(1, 2, 3) + image() + text(4, 5), text(6, 7, 8) + image() + text(9)]
EXACT = {"atol": 1e-5, "rtol": 1e-5}


def inputs() -> dict[str, torch.Tensor]:
    return batch(ROWS) | asked([[4, 5], [9]]) | {"pixel_values": pixels(2)}


def test_parts_that_must_stay_whole() -> None:
    assert {"QueCC", "Projector", "CLIPEncoderLayer", "Qwen2DecoderLayer"} <= set(model()._no_split_modules)


@pytest.mark.parametrize("order", ["image-first", "text-first"])
@pytest.mark.parametrize(
    "away", [["language_model"], ["vision_tower", "compressor"], ["language_model.model.embed_tokens"]]
)
@pytest.mark.filterwarnings("ignore:.*TypedStorage is deprecated.*:UserWarning")
def test_offloaded_parts(order: str, away: list[str], tmp_path: Path) -> None:
    built = model(prompt_order=order)
    built.save_pretrained(tmp_path / "model")
    parts = ["vision_tower", "compressor", "projector", "language_model.lm_head"]
    parts += [f"language_model.model.{name}" for name in ("embed_tokens", "layers", "norm", "rotary_emb")]
    places = {part: "disk" if any(part.startswith(name) for name in away) else "cpu" for part in parts}
    read = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "model", device_map=places, offload_folder=tmp_path / "away"
    )
    given = {name: value for name, value in inputs().items() if order == "image-first" or "query" not in name}
    torch.testing.assert_close(read(**given).logits, built(**given).logits, **EXACT)
    assert torch.equal(answers(read, given), answers(built, given))


@pytest.mark.parametrize("order", ["image-first", "text-first"])
def test_runs_on_the_meta_device(order: str) -> None:
    with torch.device("meta"):
        built = PlannerVlmForConditionalGeneration(config(prompt_order=order))
    given = {"input_ids": torch.zeros(1, 9, dtype=torch.long), "pixel_values": pixels(1)}
    given |= {"query_input_ids": torch.zeros(1, 2, dtype=torch.long)}
    moved = {name: value.to("meta") for name, value in given.items()}
    out = built(**moved, image_runs=[(3, 7)], logits_to_keep=1, use_cache=True)
    assert out.logits.shape == (1, 1, 300) and out.image_hidden_states.shape == (1, 4, 32)


RANK = """
import sys, torch
import planner.vlm
from transformers import AutoModelForImageTextToText
from transformers.distributed import DistributedConfig
torch.set_num_threads(1)
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1], distributed_config=DistributedConfig(tp_plan="auto"))
inputs = torch.load(sys.argv[2])
logits = model(**inputs).logits
tokens = model.generate(**inputs, max_new_tokens=4, min_new_tokens=4, do_sample=False)
if torch.distributed.get_rank() == 0:
    weight = model.language_model.model.layers[0].mlp.gate_proj.weight
    torch.save((logits, tokens, weight.to_local().shape[0]), sys.argv[3])
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("order", ["image-first", "text-first"])
def test_two_ranks_say_what_one_says(order: str, tmp_path: Path) -> None:
    built = model(prompt_order=order)
    built.save_pretrained(tmp_path / "model")
    given = {name: value for name, value in inputs().items() if order == "image-first" or "query" not in name}
    torch.save(given, tmp_path / "inputs.pt")
    (tmp_path / "rank.py").write_text(RANK)
    files = [str(tmp_path / name) for name in ("rank.py", "model", "inputs.pt", "outputs.pt")]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())]
    done = subprocess.run(
        [sys.executable, *launch, *files], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    logits, tokens, rows = torch.load(tmp_path / "outputs.pt")
    assert rows == 24  # of 48: each rank holds half of the language model's MLP
    torch.testing.assert_close(logits, built(**given).logits, **EXACT)
    assert torch.equal(tokens[:, -4:], answers(built, given, max_new_tokens=4, min_new_tokens=4))
