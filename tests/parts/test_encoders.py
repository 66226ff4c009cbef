"""Towers and connectors of released models: parameters and FLOPs as transformers 5.23 gave them."""

from __future__ import annotations

from typing import Any

import pytest
from parts.released import GOLDEN, MODELS, published

from planner.base.errors import SpecError
from planner.parts.configs import read_llm
from planner.parts.encoders import ENCODER_READERS, Bridge, Encoder, read_encoder
from planner.parts.images import Seen, read_images
from planner.parts.walk import Attention, Matmul, Walk

TOWER_FLOPS: dict[str, Any] = GOLDEN["vision_tower_flops_1024x768"]


def encoder_of(hub_id: str) -> Encoder:
    config = published(hub_id, "config.json")
    assert config is not None
    text = next((config[key] for key in ("text_config", "llm_config") if isinstance(config.get(key), dict)), config)
    return read_encoder(hub_id, config, text.get("hidden_size") or 4096)


def seen_by(hub_id: str, width: int, height: int) -> Seen:
    names = ("config.json", "preprocessor_config.json", "processor_config.json")
    config, preprocessor, processor = (published(hub_id, name) for name in names)
    assert config is not None
    return read_images(hub_id, config, preprocessor, processor)[0].see(width, height)


def flops(walk: Walk) -> int:
    """Two for each multiply-add; attention without use of a mask."""
    total = 0.0
    for kernel in walk:
        if isinstance(kernel, Matmul):
            total += 2 * kernel.times * kernel.rows * kernel.k * kernel.n
        elif isinstance(kernel, Attention):
            total += 4 * kernel.times * kernel.width * kernel.unmasked_pairs
    return int(total)


@pytest.mark.parametrize("hub_id", MODELS)
def test_parameters(hub_id: str) -> None:
    encoder, golden = encoder_of(hub_id), MODELS[hub_id]
    counted = {
        "vision_tower": encoder.tower_params,
        "connector": encoder.connector_params,
        "audio": encoder.audio_params,
    }
    assert counted == {key: golden[key] for key in counted}


MERGER_TOKENS = {
    "qwen2-vl 7B": 999,
    "qwen2.5-vl 7B": 999,
    "qwen3-vl 2B/4B": 768,
    "qwen3-vl 8B": 768,
    "qwen3.5 0.8B": 768,
}
"""Rows of FLOPs that hold one merger beside the tower, with its tokens at 1024x768."""
RECORDED_WITH = {
    "qwen2-vl 7B": 3584,
    "qwen2.5-vl 7B": 3584,
    "qwen3-vl 2B/4B": 2560,
    "qwen3-vl 8B": 4096,
    "qwen3.5 0.8B": 1024,
}
"""Width of the language model whose merger was counted."""


def recorded_tower_flops(hub_id: str, encoder: Encoder) -> float:
    """The table's number, brought to what the tower itself computes.

    Rows of Qwen hold one merger; closed forms embed class tokens and padding as if they were patches; GLM's leaves its
    merging convolution out.
    """
    golden, reference = MODELS[hub_id]["vision_flops_1024x768"], MODELS[hub_id]["vision_flops_ref"]
    row = next((name for name in MERGER_TOKENS if reference.startswith(name)), None)
    if row is not None:
        wide = encoder.bridge.steps[0].k
        golden -= 2 * MERGER_TOKENS[row] * wide * (wide + RECORDED_WITH[row])
    if reference.startswith("internvit-6B"):
        golden -= 2 * 13 * 588 * 3200
    if reference.startswith("llama-4"):
        golden -= 2 * 13 * 588 * 1408
    if reference.startswith("llama-3.2"):
        golden -= 2 * 4 * 8 * 588 * 1280
    if reference.startswith("glm-4.1v"):
        golden += 2 * 999 * 4 * 1536 * 4096
    return float(golden)


WITHOUT_FLOPS = {"google/gemma-4-12B-it": 0, "microsoft/Phi-4-multimodal-instruct": None}
"""The one has no tower; of the other no FLOPs are recorded."""


@pytest.mark.parametrize("hub_id", [hub_id for hub_id in MODELS if hub_id not in WITHOUT_FLOPS])
def test_flops_of_an_image(hub_id: str) -> None:
    """1024x768 at the published settings; Qwen2.5-VL 32B has a wider MLP than the 7B that was counted."""
    encoder = encoder_of(hub_id)
    counted = flops(encoder.tower_walk(seen_by(hub_id, 1024, 768), 1))
    if hub_id == "Qwen/Qwen2.5-VL-32B-Instruct":
        counted -= 2 * 3996 * 32 * 3 * 1280 * (3456 - 3420)
    assert counted == recorded_tower_flops(hub_id, encoder)


def test_flops_of_a_batch_are_those_of_its_images() -> None:
    for hub_id in MODELS:
        encoder, seen = encoder_of(hub_id), seen_by(hub_id, 1024, 768)
        for walk in (encoder.tower_walk, encoder.connector_walk):
            assert flops(walk(seen, 3)) == 3 * flops(walk(seen, 1)), hub_id


def test_gemma_4_reads_more_with_a_larger_budget() -> None:
    hub_id = "google/gemma-4-31B-it"
    config, preprocessor = published(hub_id, "config.json"), published(hub_id, "preprocessor_config.json")
    assert config is not None
    rule, _ = read_images(hub_id, config, preprocessor)
    for budget in (70, 140, 280, 560, 1120):
        seen = rule.turned({"max_soft_tokens": budget}).see(1024, 768)
        golden = TOWER_FLOPS[f"gemma4 large tower budget {budget}"]["total_1024x768"]
        assert flops(encoder_of(hub_id).tower_walk(seen, 1)) == golden


def test_fast_vlm_at_smaller_sizes() -> None:
    hub_id = "KamilaMila/FastVLM-0.5B"
    config, preprocessor = published(hub_id, "config.json"), published(hub_id, "preprocessor_config.json")
    assert config is not None
    rule, _ = read_images(hub_id, config, preprocessor)
    golden = TOWER_FLOPS["fastvlm tower (fastvit_mci3, 1024x1024)"]
    for size, key in ((1024, "total_1024x768"), (512, "at_512"), (256, "at_256")):
        assert flops(encoder_of(hub_id).tower_walk(rule.turned({"size": size}).see(640, 480), 1)) == golden[key]


def test_every_encoder_has_an_image_rule() -> None:
    from planner.parts.images import IMAGE_READERS

    assert set(ENCODER_READERS.names()) == set(IMAGE_READERS.names())


def test_a_tower_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(SpecError, match="nothing is known of the vision tower of model type 'kosmos-2'"):
        read_encoder("it", {"model_type": "kosmos-2"}, 2048)
    with pytest.raises(SpecError, match="nothing is known of a vision tower of the type 'dinov2'"):
        read_encoder("it", {"model_type": "llava", "vision_config": {"model_type": "dinov2"}}, 4096)


def test_an_unknown_size_is_refused() -> None:
    config = {"model_type": "qwen3_vl", "vision_config": {"num_registers": 4}}
    with pytest.raises(SpecError, match="nothing is known of 'num_registers'"):
        read_encoder("it", config, 4096)


def test_a_bridge_pools_with_an_attention() -> None:
    """Scores and mixes: 4 w FLOPs for each pair of a token and one of its patches."""
    assert flops(Bridge(merge=4, pooling_width=16).walk(8)) == 4 * 16 * 8


MADE_OF_DEFAULTS = ("allenai/Molmo2-8B",)
"""The defaults of its adapter and of its language model do not fit together."""


def test_the_language_models_width_is_what_the_connectors_end_in() -> None:
    for hub_id in MODELS:
        if hub_id in MADE_OF_DEFAULTS:
            continue
        config = published(hub_id, "config.json")
        assert config is not None
        try:
            llm = read_llm(hub_id, config)
        except SpecError:
            continue
        assert encoder_of(hub_id).bridge.steps[-1].n == llm.hidden_size, hub_id
