"""Room for the KV cache: what sequences hold step by step, by a plain loop, and what the GPU has left, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planner
from planner.base.errors import InputError, NothingFitsError
from planner.configuration import Model, ReleasedModel, Run
from planner.costs.memory import CONTEXT_BYTES, kv_bytes, memory
from planner.costs.stages import Workload
from planner.parts.released import released_ids
from planner.traffic.cache_room import MEMORY_SHARE, CacheRoom, Sequences, cache_room, check_encoder_room
from planner.traffic.scheduler import Scheduler

SMALL = Scheduler(max_num_seqs=8, max_num_batched_tokens=512)


def sequences(context: int, generated: int, beside: float = 0.0) -> Sequences:
    return Sequences(*(np.array([float(one)]) for one in (context, generated, beside, 1.0)))


def room(model: Model, run: Run, some: Sequences, scheduler: Scheduler = SMALL, images: bool = False) -> CacheRoom:
    return cache_room(model, run, scheduler, some, MEMORY_SHARE, images)


def by_steps(model: Model, run: Run, context: int, generated: int, beside: float) -> tuple[float, float]:
    """Mean bytes and mean tokens of a sequence, over the steps of its answer."""
    held, tokens = [], []
    for step in range(generated):
        now, values = context + step, 0.0
        for cache in model.llm.caches(float(run.tensor_parallel)):
            values += float(cache.values_per_token) * min(now, float(cache.window))
            values += float(cache.constant_values) + float(cache.values_per_image_token) * beside
        held.append(values * kv_bytes(run))
        tokens.append(now)
    return float(np.mean(held)), float(np.mean(tokens))


@pytest.mark.parametrize("hub_id", released_ids())
def test_every_model_holds_what_its_layers_say(hub_id: str) -> None:
    """Windows, latents, states and images beside the sequence, on both sides of a window."""
    model = ReleasedModel.of_checkpoint(hub_id, "448x448")
    vast = replace(planner.find_hardware("h200"), memory_bytes=1e13)
    beside = float(model.beside_tokens)
    for gpus in (1, 2) if model.llm.can_share(2) else (1,):
        run = Run.of(vast, tensor_parallel=gpus)
        for context, generated in ((30, 9), (4090, 20), (1000, 1)):
            held, tokens = by_steps(model, run, context, generated, beside)
            found = room(model, run, sequences(context, generated, beside))
            assert found.bytes_per_token == pytest.approx(held / tokens, rel=1e-12)
            assert found.tokens == pytest.approx(found.bytes / (held / tokens), rel=1e-12)


def test_sequences_that_run_longer_are_met_more_often() -> None:
    model, run = ReleasedModel.of_checkpoint("google/gemma-3-4b-it", None), Run.of("h100-sxm")
    both = Sequences(np.array([100.0, 4000.0]), np.array([10.0, 300.0]), np.zeros(2), np.array([0.9, 0.1]))
    means = [by_steps(model, run, 100, 10, 0.0), by_steps(model, run, 4000, 300, 0.0)]
    life = np.array([0.9 * 10, 0.1 * 300])
    held, tokens = (life @ np.array([one[i] for one in means]) for i in range(2))
    assert room(model, run, both).bytes_per_token == pytest.approx(held / tokens, rel=1e-12)


def test_what_a_gpu_has_left_is_its_share_without_weights_and_activations() -> None:
    model, run = Model.of("Qwen3-8B", 0), Run.of("h100-sxm", tensor_parallel=2)
    found = room(model, run, sequences(500, 100), Scheduler(max_num_seqs=64, max_num_batched_tokens=2048))
    llm, card = model.llm, run.hardware
    assert card is not None
    logits = 6 * llm.vocab_size * 64
    activations = 2 * 2048 * (float(llm.activation_values(2.0)) + llm.hidden_size) + logits
    weights = 2 * llm.params / 2
    assert found.weights_bytes == pytest.approx(weights, rel=1e-12)
    assert found.activations_bytes == pytest.approx(activations, rel=1e-12)
    assert found.bytes == pytest.approx(MEMORY_SHARE * card.memory_bytes - weights - activations, rel=1e-12)
    assert found.bytes_per_token == pytest.approx(float(planner.cost("Qwen3-8B", 0, query_tokens=9, generated_tokens=9)
                                                        .kv_bytes_per_token) / 2)  # fmt: skip


def test_the_drivers_part_of_a_small_card_stays_free() -> None:
    card = replace(planner.find_hardware("l4"), memory_bytes=4e9)
    found = room(Model.of("Qwen3-0.6B", 0), Run.of(card), sequences(50, 10))
    whole = found.bytes + found.weights_bytes + found.activations_bytes
    assert whole == pytest.approx(4e9 - CONTEXT_BYTES)


def test_images_that_fill_the_budget_count_where_they_are_encoded() -> None:
    model, run = Model.of("Qwen3-0.6B", 1, compressor="average-pool"), Run.of("h100-sxm")
    some = sequences(60, 10)
    here, elsewhere = room(model, run, some, images=True), room(model, run, some)
    vision = 2 * (model.tower.params_run + float(model.beside_params))
    assert here.weights_bytes == pytest.approx(float(memory(model, Workload(50, 9), run).weights), rel=1e-12)
    assert elsewhere.weights_bytes == pytest.approx(here.weights_bytes - vision, rel=1e-12)
    tower = 2 * model.tower.activation_values(model.compressor.feature_layers)
    assert here.activations_bytes >= 512 * tower > elsewhere.activations_bytes  # 512 images of one token each


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    with pytest.raises(NothingFitsError) as told:
        room(Model.of("Qwen3-32B", 0), Run.of("l4"), sequences(500, 100))
    assert str(told.value) == (
        "Qwen3-32B in bf16 does not fit: its weights take 61 GiB of the 20.7 GiB that a server may take of NVIDIA L4 "
        "24 GB; choose hardware with more memory, more GPUs that share the model, or fewer bits"
    )
    with pytest.raises(NothingFitsError, match=r"Qwen3-8B in bf16 has no room for a request: weights take .* KV cache"):
        room(Model.of("Qwen3-8B", 0), Run.of("l4"), sequences(100_000, 100))
    with pytest.raises(NothingFitsError, match=r"the encoder of .* choose hardware with more memory"):
        tiny = replace(planner.find_hardware("l4"), memory_bytes=1e9)
        check_encoder_room(ReleasedModel.of_checkpoint("Qwen/Qwen3-VL-8B-Instruct", "1024x768"), Run.of(tiny), 0.9)


@pytest.mark.parametrize("share", [0, 1.5, -0.1, True, "all"])
def test_a_share_of_memory_is_above_0_and_at_most_1(share: Any) -> None:
    with pytest.raises(InputError, match="memory_share: expected a share above 0 and at most 1"):
        cache_room(Model.of("Qwen3-0.6B", 0), Run.of("l4"), SMALL, sequences(50, 10), share, False)
