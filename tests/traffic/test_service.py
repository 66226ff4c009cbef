"""From a configuration and its requests to what traffic is simulated with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planner
from planner.base.errors import InputError
from planner.configuration import TEXT_FIRST, Model, ReleasedModel, Run
from planner.costs.iteration import Iterations
from planner.costs.latency import latency
from planner.costs.stages import Workload
from planner.hardware.host_costs import HostCosts
from planner.traffic.scheduler import Scheduler
from planner.traffic.service import Service

H100 = planner.find_hardware("h100-sxm")
QUECC = Model.of("Qwen3-8B", 36, compressor="quecc")
QWEN3_VL = "Qwen/Qwen3-VL-8B-Instruct"
SIGLIP = "SigLIP-so400m/14-384"


def service(model: Model | None = None, load: Workload | None = None, run: Run | None = None, **more: Any) -> Service:
    chosen = Model.of("Qwen3-8B", 81, compressor="tokenpacker", vision=SIGLIP) if model is None else model
    scheduler = more.pop("scheduler", Scheduler())
    return Service(chosen, run or Run(H100), (load or Workload(120, 200),), (1.0,), scheduler, **more)


def columns(found: Service) -> list[tuple[int, ...]]:
    """Prompt, answer, cached tokens and images of each kind of request."""
    some = found.requests
    names = ("prompt_tokens", "generated_tokens", "cached_tokens", "images")
    return [*zip(*(getattr(some, name).tolist() for name in names), strict=True)]


def test_a_prompt_is_text_and_images() -> None:
    assert columns(service(load=Workload(120, 200, 30, 10, 2))) == [(10 + 120 + 2 * 81, 200, 30, 2)]
    assert columns(service(Model.of("Qwen3-8B", 0), Workload(120, 200, images=0))) == [(120, 200, 0, 0)]
    seen = ReleasedModel.of_checkpoint(QWEN3_VL, "1024x768")
    assert columns(service(seen)) == [(120 + seen.seen.prompt_tokens, 200, 0, 1)]
    assert columns(service(ReleasedModel.of_checkpoint(QWEN3_VL, None), Workload(120, 200, images=0))) == [
        (120, 200, 0, 0)
    ]


def test_kinds_of_requests_keep_their_shares() -> None:
    kinds = (Workload(10, 20), Workload(1000, 50, images=0), Workload(5, 5))
    found = Service(
        Model.of("Qwen3-8B", 81, compressor="tokenpacker", vision=SIGLIP),
        Run(H100),
        kinds,
        (0.25, 0.75, 0.0),
        Scheduler(),
    )
    assert columns(found) == [(91, 20, 0, 1), (1000, 50, 0, 0)]
    assert found.requests.weights.tolist() == [0.25, 0.75]


def test_caches_take_tokens_and_images_off() -> None:
    load = Workload(120, 200, system_tokens=400, images=2)
    found = service(load=load, prefix_cache_share=0.75, image_cache_share=0.5)
    means = found.requests.means
    assert means.prompt_tokens == pytest.approx(120 + 2 * 81 + 0.25 * 400)
    assert means.cached_tokens == pytest.approx(0.75 * 400)
    assert means.images == pytest.approx(1.0)
    assert found.room.tokens == service(load=load).room.tokens  # what is cached takes room as well


def test_images_are_encoded_by_the_iterations_or_apart() -> None:
    model = ReleasedModel.of_checkpoint(QWEN3_VL, "1024x768")
    here, apart = service(model), service(model, scheduler=Scheduler(encoder="apart"))
    vision = latency(model, Workload(120, 200), Run(H100))
    encode = float(vision.encoder.seconds + vision.compressor.seconds)
    assert (here.replica.encode_apart_s, here.gpus) == (0.0, 1)
    assert apart.replica.encode_apart_s == pytest.approx(encode)
    assert apart.gpus == 2
    assert apart.room.bytes > here.room.bytes  # the encoder's weights are elsewhere
    text = service(
        ReleasedModel.of_checkpoint(QWEN3_VL, None), Workload(9, 9, images=0), scheduler=Scheduler(encoder="apart")
    )
    assert (text.replica.encode_apart_s, text.gpus) == (0.0, 1)  # nothing to encode, so no GPU for it


def test_a_query_pass_runs_before_the_images_of_its_requests() -> None:
    """One and three requests of two images, as a batch of one and of three in `latency`, image first and text first."""
    for order in ("image-first", TEXT_FIRST):
        model = Model.of("Qwen3-8B", 36, compressor="quecc", prompt_order=order)
        load = Workload(120, 200, 30, 40, 2)
        found = service(model, load)
        plain = Iterations(model, Run(H100))
        for requests in (1, 3):
            whole = latency(model, load, replace(Run(H100), batch=requests))
            own = found.replica.iteration.seconds(images=2.0 * requests) - plain.seconds(images=2.0 * requests)
            if order == TEXT_FIRST:  # the text itself, which the prompt has no more of
                prompt, cached = 72, 30 + 160
                behind = plain.seconds(0.0, 0.0, requests * prompt, requests * prompt * (cached + 36.5), requests)
                assert columns(found) == [(prompt, 200, cached, 2)]
                assert own + behind == pytest.approx(float(whole.prefill.seconds), rel=2e-3)
            else:
                assert own == pytest.approx(float(whole.query_pass.seconds), rel=1e-12)
                assert columns(found) == [(40 + 120 + 72, 200, 30, 2)]
        assert found.replica.iteration.seconds(5.0, 500.0, 64.0) == plain.seconds(5.0, 500.0, 64.0)


def test_the_hosts_costs_come_from_the_profile() -> None:
    host = HostCosts(step_s=1e-3, prefill_s=2e-3, request_s=5e-3, source="measured")
    card = replace(H100, efficiency=replace(H100.efficiency, host=host))
    slow, fast = service(run=Run(card)), service()
    assert slow.replica.request_s == 5e-3
    assert slow.replica.iteration.seconds(4.0, 400.0, 50.0) - fast.replica.iteration.seconds(4.0, 400.0, 50.0) == (
        pytest.approx(3e-3)
    )
    assert not [one for one in slow.notes if "host" in one]
    assert [one for one in fast.notes if "host" in one] == [
        "the costs of the engine's host are not calibrated: iterations take what their kernels take"
    ]


def test_gpus_that_share_a_model_have_a_server_together() -> None:
    pair = service(run=Run(H100, tensor_parallel=2), scheduler=Scheduler(encoder_data_parallel=True))
    assert (pair.gpus, pair.replica.gpus) == (2, 2)
    assert pair.replica.kv_tokens > 2 * service().replica.kv_tokens  # half of the weights on each


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"load": Workload(10, 0)}, "generated_tokens: expected at least 1"),
        ({"run": Run()}, "a server needs hardware"),
        ({"run": Run(H100, tensor_parallel=3)}, "tensor_parallel: Qwen3-8B has 32 heads"),
        ({"image_cache_share": 1.2}, "image_cache_share: expected a share from 0 to 1, got 1.2"),
        ({"prefix_cache_share": 0.5}, "prefix_cache_share: no request has system tokens"),
        ({"model": QUECC, "image_cache_share": 0.5}, "QueCC makes tokens of an image for one query"),
        (
            {"model": QUECC, "scheduler": Scheduler(encoder="apart")},
            "encoder: QueCC needs what the language model makes of the query",
        ),
        (
            {"load": Workload(9000, 9), "scheduler": Scheduler(chunked_prefill=False)},
            "max_num_batched_tokens: a prompt of 9081 tokens does not fit into 8192",
        ),
        (
            {"model": ReleasedModel.of_checkpoint("llava-hf/llava-1.5-7b-hf", "336x336"), "load": Workload(9000, 9)},
            "more than the 4096 of the model's context: a server refuses it",
        ),
        (
            {"model": Model.of("Qwen3-8B", 36, compressor="quecc", prompt_order=TEXT_FIRST),
             "load": Workload(9, 9, system_tokens=9), "prefix_cache_share": 0.5},
            "prefix_cache_share: QueCC behind the text reads the whole of it",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused(more: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as refused:
        service(**more)
    assert told in str(refused.value)


def test_a_kind_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="workloads: expected at least one, and a weight for each"):
        Service(Model.of("Qwen3-8B", 0), Run(H100), (), (), Scheduler())
    assert np.isfinite(service().replica.kv_tokens)
