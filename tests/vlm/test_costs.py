"""What a model runs is what was predicted for it, to the last FLOP: all stages, both prompt orders."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources

import pytest
import torch
from costs.loose import request_flops
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig
from vlm.tiny import config, image, llm_config, model, pixels, tower_config

from planner.costs.stages import Workload
from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog
from planner.parts.configs import read_llm, read_tower
from planner.vlm import PlannerVlmConfig, PlannerVlmForConditionalGeneration

SYSTEM, QUERY, STEPS = 3, 7, 4


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("order", ["image-first", "text-first"])
@pytest.mark.parametrize("name", sorted(compressor_catalog()))
@pytest.mark.parametrize("family", ["qwen2", "phi"])
def test_counted_flops_are_the_predicted_ones(family: str, name: str, order: str, images: int) -> None:
    tokens = 36 if name == "none" else 9
    built = model(family, compressor=name, visual_tokens=tokens, prompt_order=order)
    system, query = list(range(SYSTEM)), list(range(10, 10 + QUERY))
    shown = image(tokens) * images
    ids = system + (shown + query if order == "image-first" else query + shown)
    beside = {"query_input_ids": torch.tensor([query])} if built.config.asks_beside_the_prompt else {}
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        out = built(torch.tensor([ids]), pixels(images), logits_to_keep=1, use_cache=True, **beside)
        for _ in range(STEPS):
            out = built(out.logits[:, -1:].argmax(-1), past_key_values=out.past_key_values, use_cache=True)
    made = config(family, compressor=name, visual_tokens=tokens)
    assert made.text_config.to_dict() == llm_config(family).to_dict()
    predicted = request_flops(
        read_llm("tiny", llm_config(family).to_dict()),
        tokens,
        Workload(query_tokens=QUERY, generated_tokens=STEPS, system_tokens=SYSTEM, images=images),
        vision=read_tower("tiny", tower_config().to_dict()),
        compressor=replace(compressor_catalog()[name], heads=made.compressor_heads),
        convention="torch",
        prompt_order=order,
    )
    assert counter.get_total_flops() == predicted.total


@pytest.mark.parametrize("order", ["image-first", "text-first"])
@pytest.mark.parametrize("name", ["Qwen2.5-0.5B", pytest.param("Qwen2.5-72B", marks=pytest.mark.slow)])
def test_catalogue_models_on_the_meta_device(name: str, order: str) -> None:
    catalog = json.loads(resources.files("planner.parts").joinpath("catalog.json").read_text("utf-8"))
    llm, tower = catalog["llm"][name], catalog["vision"]["CLIP-ViT-L/14-336"]
    settings = PlannerVlmConfig(
        vision_config=AutoConfig.for_model(tower["model_type"], **tower["config"]),
        text_config=AutoConfig.for_model(llm["model_type"], **llm["config"]),
        visual_tokens=16,
        prompt_order=order,
    )
    with torch.device("meta"):
        built = PlannerVlmForConditionalGeneration(settings).eval()
        ids, images = torch.zeros(1, SYSTEM + QUERY + 16, dtype=torch.long), torch.zeros(1, 3, 336, 336)
        beside = {"query_input_ids": ids[:, :QUERY]} if order == "image-first" else {}
    assert sum(weight.numel() for weight in built.language_model.parameters()) == llm_catalog()[name].params
    columns = [(SYSTEM, SYSTEM + 16)] if order == "image-first" else [(SYSTEM + QUERY, SYSTEM + QUERY + 16)]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        out = built(ids, images, logits_to_keep=1, use_cache=True, image_runs=columns, **beside)
        for _ in range(STEPS):
            out = built(ids[:, :1], past_key_values=out.past_key_values, use_cache=True)
    predicted = request_flops(
        llm_catalog()[name],
        16,
        Workload(query_tokens=QUERY, generated_tokens=STEPS, system_tokens=SYSTEM),
        vision=vision_catalog()["CLIP-ViT-L/14-336"],
        compressor=compressor_catalog()["quecc"],
        convention="torch",
        prompt_order=order,
    )
    assert counter.get_total_flops() == predicted.total
