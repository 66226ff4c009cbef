"""The engine's constants: vLLM's defaults, and what no engine takes."""

from __future__ import annotations

import pytest

from planner.base.errors import InputError
from planner.traffic.scheduler import Scheduler

GIB = 2**30


@pytest.mark.parametrize(
    ("memory_gib", "card", "tokens", "seats"),
    [
        (180, "NVIDIA B200", 16384, 1024),
        (80, "NVIDIA H100 80GB HBM3", 8192, 1024),
        (80, "NVIDIA A100-SXM4-80GB", 2048, 256),
        (24, "NVIDIA L4", 2048, 256),
    ],
)
def test_defaults_of_vllm(memory_gib: int, card: str, tokens: int, seats: int) -> None:
    found = Scheduler.vllm(memory_gib * GIB, card)
    assert (found.max_num_batched_tokens, found.max_num_seqs) == (tokens, seats)
    assert found.chunked_prefill
    assert not found.encoder_is_apart


def test_default_is_that_of_an_h100() -> None:
    assert Scheduler() == Scheduler.vllm(80 * GIB, "h100-sxm")


def test_short_sequences_lower_the_tokens_of_an_iteration() -> None:
    assert Scheduler.vllm(24 * GIB, max_model_len=4).max_num_batched_tokens == 1024


def test_on_a_processor_vllm_fills_iterations_when_they_begin() -> None:
    found = Scheduler.vllm(512 * GIB, "cpu", cpu=True)
    assert (found.max_num_batched_tokens, found.max_num_seqs, found.async_scheduling) == (2048, 128, False)
    assert Scheduler.vllm(24 * GIB, "l4").async_scheduling


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_num_seqs": 0}, "max_num_seqs: expected a whole number of at least 1, got 0"),
        (
            {"max_num_seqs": 9, "max_num_batched_tokens": 8},
            "max_num_batched_tokens: expected at least max_num_seqs, 9, as each sequence that runs takes a token of "
            "every iteration; got 8",
        ),
        ({"encoder": "appart"}, "no place of the encoder is called 'appart'; did you mean 'apart'?"),
        ({"chunked_prefill": 1}, "chunked_prefill: expected True or False, got 1"),
        ({"async_scheduling": None}, "async_scheduling: expected True or False, got None"),
        (
            {"encoder": "apart", "encoder_data_parallel": True},
            "encoder_data_parallel: an encoder that stands apart does not run on the model's GPUs; leave it out or use "
            "encoder='in-process'",
        ),
    ],
)
def test_what_no_engine_takes(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as refused:
        Scheduler(**given)
    assert str(refused.value) == message
