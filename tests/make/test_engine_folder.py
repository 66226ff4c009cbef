"""Folders for serving engines: what they hold, the command that serves them, and what engines ask of the model."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from planner.base.errors import InputError, UnknownNameError
from planner.make.engine_folder import export_for_engine
from planner.vlm.build import make_processor
from planner.vlm.configuration import PlannerVlmConfig
from planner.vlm.modeling import PlannerVlmForConditionalGeneration
from planner.vlm.saving import load_model, save_model
from tests.vlm.tiny import llm_config, tower_config

ENCODER = {"query_features": "encoder", "query_config": llm_config(hidden_size=16, num_hidden_layers=1)}


def saved(folder: Path, **options: object) -> Path:
    """A tiny model in a folder."""
    config = PlannerVlmConfig(
        vision_config=tower_config(), text_config=llm_config(), visual_tokens=4, **{"compressor": "quecc", **options}
    )
    model = PlannerVlmForConditionalGeneration(config).eval()
    return save_model(model, make_processor(model), folder / "my-vlm")


def test_a_query_blind_model_is_served_whole(tmp_path: Path) -> None:
    served = export_for_engine(saved(tmp_path, compressor="tokenpacker"), tmp_path / "out", "vllm")
    assert shlex.split(served.command) == [
        "vllm", "serve", str(tmp_path / "out"), "--served-model-name", "out",
        "--trust-remote-code", "--limit-mm-per-prompt", '{"image": 1}',
    ]  # fmt: skip
    assert (served.by_rows, served.request("what?")) == (False, {})
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert config["image_token_id"] < config["text_config"]["vocab_size"]
    assert "AutoModel" in config["auto_map"]
    assert served.command in (tmp_path / "out" / "SERVE.md").read_text(encoding="utf-8")


def test_an_encoder_of_the_query_is_told_the_question_of_each_request(tmp_path: Path) -> None:
    served = export_for_engine(saved(tmp_path, **ENCODER), tmp_path / "out", "vllm")
    assert "--trust-request-mm-kwargs" in shlex.split(served.command)
    assert served.request("what?") == {"mm_processor_kwargs": {"queries": "what?"}}
    page = (tmp_path / "out" / "SERVE.md").read_text(encoding="utf-8")
    body = json.loads(page.partition("```json\n")[2].partition("```")[0])
    assert body["mm_processor_kwargs"] == {"queries": "What is on the table?"}


def test_a_query_through_the_language_model_goes_by_prompt_embeddings(tmp_path: Path) -> None:
    source = saved(tmp_path)
    served = export_for_engine(source, tmp_path / "out", "vllm")
    assert served.by_rows
    assert "--enable-prompt-embeds" in shlex.split(served.command)
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"prompt_embeds_client.py", "SERVE.md", "model.safetensors"} <= names
    model, _ = load_model(source)
    llm = AutoModel.from_pretrained(tmp_path / "out")
    ids = torch.arange(5)[None]
    rows = model.get_decoder()(input_ids=ids).last_hidden_state
    torch.testing.assert_close(llm(input_ids=ids).last_hidden_state, rows)


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="vllm"):
        export_for_engine(tmp_path, tmp_path / "out", "vlm")


def test_an_image_token_outside_the_embedding_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path, compressor="tokenpacker")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["image_token_id"] = config["text_config"]["vocab_size"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match="lies outside the embedding"):
        export_for_engine(folder, tmp_path / "out", "vllm")
    assert not (tmp_path / "out").exists()


def test_queries_of_several_lengths_come_as_a_list_from_engines() -> None:
    config = PlannerVlmConfig(vision_config=tower_config(), text_config=llm_config(), visual_tokens=4, **ENCODER)
    model = PlannerVlmForConditionalGeneration(config).eval()
    queries = [torch.tensor([[3, 4, 5, 6]]), torch.tensor([[7, 8]])]
    pixels = torch.randn(2, 3, config.vision_config.image_size, config.vision_config.image_size)
    with torch.no_grad():
        together = model.get_image_features(pixels, query_input_ids=queries).pooler_output
        alone = [model.get_image_features(pixels[i : i + 1], query_input_ids=queries[i]).pooler_output for i in (0, 1)]
    torch.testing.assert_close(together, torch.cat(alone))
