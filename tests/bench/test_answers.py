"""Answers whose numbers are known: built from points, from measurements, and from a profile."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from bench.made import made
from costs.loose import request_latency, speed_limit_tokens
from rich.console import Console

from planner.bench.answers import (
    FewerTokens,
    FullBatch,
    Point,
    WhereTimeGoes,
    answers,
    answers_of,
    predicted_answers,
)
from planner.bench.samples import Samples
from planner.configuration import Model, Run
from planner.costs.stages import Workload
from planner.hardware import find_hardware
from planner.parts.catalog import find_compressor, find_llms, find_vision
from planner.tell.answers import answer_blocks
from planner.tell.render.console import print_told


def point(tokens: int, batch: int, ttft_s: float, request_s: float = 1.0, noise: float = 0.0) -> Point:
    return Point(
        "a model", tokens, batch, {"encoder": 0.75 * ttft_s, "decode": 0.25 * ttft_s}, ttft_s, request_s, noise
    )


def only(kind: type, found: tuple[object, ...]) -> object:
    (one,) = (answer for answer in found if isinstance(answer, kind))
    return one


def test_fewer_tokens_save_down_to_where_less_than_five_percent_is_left() -> None:
    found = only(FewerTokens, answers([point(576, 1, 2.0), point(1, 1, 1.0), point(16, 1, 1.03), point(64, 1, 1.2)]))
    assert isinstance(found, FewerTokens)
    assert found.visual_tokens == (1, 16, 64, 576)
    assert found.saving == pytest.approx((0.0, 0.0291, 0.1667, 0.5), abs=1e-4)
    assert (found.enough, found.faster) == (16, True)
    assert found.sentence == (
        "Fewer visual tokens make it 2.0 times faster (TTFT 2 s at 576, 1 s at 1), "
        "but from 16 tokens down there is 3 % left to gain."
    )


def test_fewer_tokens_that_save_nothing_and_those_that_always_save() -> None:
    flat = only(FewerTokens, answers([point(1, 1, 1.0), point(576, 1, 1.04)]))
    steep = only(FewerTokens, answers([point(1, 1, 1.0), point(4, 1, 1.1)]))
    assert isinstance(flat, FewerTokens)
    assert isinstance(steep, FewerTokens)
    assert (flat.enough, flat.faster) == (576, False)
    assert flat.sentence.endswith("save less than 5 % (TTFT 1.04 s at 576, 1 s at 1).")
    assert (steep.enough, steep.faster) == (1, True)
    assert steep.sentence.endswith("; every step down to 1 counts.")


def test_a_saving_below_the_noise_is_none() -> None:
    """10 % saved, known to two standard errors of 2 sqrt(.06^2 + .08^2) = 20 %."""
    found = only(FewerTokens, answers([point(1, 1, 0.9, noise=0.06), point(64, 1, 1.0, noise=0.08)]))
    assert isinstance(found, FewerTokens)
    assert found.noise == pytest.approx((0.0, 0.2))
    assert not found.faster
    assert "less than the noise" in found.sentence


def test_the_batch_that_fills() -> None:
    """Requests per second 1, 1.96, 2 and 2: the second is the first within 5 %."""
    times = {1: 1.0, 2: 2 / 1.96, 4: 2.0, 8: 4.0}
    found = only(FullBatch, answers([point(1, batch, 0.5, seconds) for batch, seconds in times.items()]))
    assert isinstance(found, FullBatch)
    assert (found.enough, found.still_growing) == (2, False)
    assert found.requests_per_s == pytest.approx((1, 1.96, 2, 2))
    assert found.sentence == (
        "With 1 visual token a batch of 2 fills it: 1.96 requests/s, 1.02 s each, 2.0 times the throughput of batch 1; "
        "larger ones only take longer."
    )


def test_a_batch_that_still_grows() -> None:
    found = only(FullBatch, answers([point(4, 1, 0.5, 1.0), point(4, 8, 0.5, 2.0)]))
    assert isinstance(found, FullBatch)
    assert found.still_growing
    assert "the largest batch here, 8, does not fill it yet: 4 requests/s" in found.sentence


def test_where_the_time_goes() -> None:
    found = only(WhereTimeGoes, answers([point(1, 1, 1.0)]))
    assert isinstance(found, WhereTimeGoes)
    assert found.shares == pytest.approx({"encoder": 0.75, "decode": 0.25})
    assert found.sentence == (
        "With 1 visual token at batch 1, 75 % of 1 s, the sum of the stages, goes to the vision encoder; 25 % decoding."
    )


def test_models_and_sources_are_not_mixed() -> None:
    ours, others = point(1, 1, 1.0), replace(point(4, 1, 2.0), subject="another")
    assert not any(isinstance(one, FewerTokens) for one in answers([ours, others]))
    assert not any(
        isinstance(one, FewerTokens) for one in answers([ours, replace(point(4, 1, 2.0), source="predicted")])
    )


def test_of_measurements() -> None:
    taken = made(llms=("Qwen2.5-0.5B",), visual_tokens=(1, 576), batches=(1, 8), noise=0.0)
    found = answers_of(taken)
    tokens = [one for one in found if isinstance(one, FewerTokens)]
    assert [one.batch for one in tokens] == [1, 8]
    by_shape = {(one.batch, one.model.visual_tokens): one for one in taken}
    assert tokens[1].ttft_s == (by_shape[8, 1].ttft_s, by_shape[8, 576].ttft_s)
    largest = [one for one in found if isinstance(one, WhereTimeGoes)][-1]
    one = by_shape[8, 576]
    assert largest.seconds["decode"] == pytest.approx(15 * (one.tpot_s or 0))
    assert list(largest.seconds.values()) == sorted(largest.seconds.values(), reverse=True)
    assert "Qwen2.5-0.5B, 50 query, 16 answer tokens" in largest.subject


def test_noise_of_measurements_is_that_of_their_samples() -> None:
    """Middle half 2 of median 10, 16 samples: .929 x .2 / 4 = .0464 each, 2 sqrt(2) of it."""
    taken = made(llms=("Qwen2.5-0.5B",), visual_tokens=(1, 4), batches=(1,), noise=0.0)
    samples = Samples((9.0, 9.0, 9.0, 9.0, 9.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 11.0, 11.0, 11.0, 11.0, 11.0))
    found = only(FewerTokens, answers_of([replace(one, samples={**one.samples, "ttft": samples}) for one in taken]))
    assert isinstance(found, FewerTokens)
    assert found.noise[1] == pytest.approx(2 * 2**0.5 * 1.253 / 1.349 * 0.2 / 4)


def test_of_a_profile_is_what_it_predicts() -> None:
    llm, vision, compressor = find_llms("Qwen2.5-7B")[0], find_vision("CLIP-ViT-L/14-336"), find_compressor("quecc")
    card, workload = find_hardware("a100-80gb"), Workload(50, 32)
    counts = compressor.visual_tokens(vision)
    found = predicted_answers(Model(llm, vision, compressor, 1), Run(card), workload, counts, (1, 64))
    tokens = next(one for one in found if isinstance(one, FewerTokens))
    limit = speed_limit_tokens(llm, workload, vision=vision, compressor=compressor, hardware=card)
    assert tokens.enough == max(count for count in counts if count <= limit)
    batch = next(one for one in found if isinstance(one, FullBatch))
    one = request_latency(llm, 1, workload, vision=vision, compressor=compressor, hardware=card, batch=64)
    assert batch.request_s[1] == pytest.approx(float(one.request_s))
    assert {answer.source for answer in found} == {"predicted"}


def test_printed_and_as_json() -> None:
    found = answers([point(1, 1, 1.0), point(64, 1, 2.0), point(1, 2, 1.0)])
    stream = io.StringIO()
    print_told(Console(file=stream, width=80), answer_blocks(found))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "a model"
    assert lines[1].startswith("- At batch 1: fewer visual tokens make it 2.0 times faster")
    assert max(map(len, lines)) <= 80
    content = json.loads(json.dumps([one.to_dict() for one in found], allow_nan=False))
    assert [one["question"] for one in content] == ["fewer_tokens", "where_time_goes", "where_time_goes", "full_batch"]
    assert all(one["sentence"] for one in content)
