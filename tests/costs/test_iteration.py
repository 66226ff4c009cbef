"""One iteration of a serving engine: against prefill and decode step as they were, and against its sums written out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from parts.test_layered_columns import models
from parts.test_released_llms import CASES, case

import planner
from planner.base.errors import InputError
from planner.configuration import Model, ReleasedModel, Run
from planner.costs.iteration import Iterations
from planner.costs.latency import latency
from planner.costs.seconds import Clocks
from planner.costs.stages import Workload
from planner.hardware import find_hardware
from planner.hardware.few_rows import FewRows
from planner.hardware.host_costs import HostCosts
from planner.parts.catalog import find_llms
from planner.parts.llms import Dense, Llm
from planner.parts.llms.base import stacked
from planner.parts.released import find_checkpoint, released_ids
from planner.parts.walk import Attention, CacheRead, Kernel, Matmul, Number, Pass

H100 = find_hardware("h100-sxm")
TABLE = FewRows((1, 2, 3, 4, 16, 256), (1.0, 1.1, 1.3, 1.2, 1.25, 1.9))
TABLED = replace(H100, efficiency=replace(H100.efficiency, few_rows={"bf16": TABLE}, overlap=1.3))
PLAIN = Model.of("Qwen2.5-7B", 36)


def every_llm() -> Iterator[Llm]:
    """All that the catalogue and the tests know: dense, windows, experts, latents, states, images beside."""
    yield from find_llms("all")
    yield from (find_checkpoint(one).llm for one in released_ids())
    for folder in sorted(file.parent for file in CASES.glob("*/config.json")):
        with suppress(InputError):  # what is no language model, or refused
            yield case(folder.name)
    yield from models()


def test_without_decode_steps_it_is_the_prefill_and_without_prompts_the_decode_step() -> None:
    seen = 0
    for llm in every_llm():
        model = replace(PLAIN, llm=llm)
        tokens = int(model.beside_tokens)
        for card, batch in ((H100, 1.0), (TABLED, 3.0)):
            times, clocks = Iterations(model, Run(card)), Clocks.of(card, Run(card), llm)
            for prompt in (1.0, 300.0, 5000.0):
                whole = clocks.time(llm.walk(Pass(batch, prompt, logits=True, image_tokens=tokens))).seconds
                pairs = batch * prompt * (prompt + 1) / 2
                own = times.seconds(0.0, 0.0, batch * prompt, pairs, batch)
                assert own == pytest.approx(float(whole), rel=1e-12), llm.name
                step = Pass(batch, 1.0, prompt - 1, logits=True, step=True, image_tokens=tokens)
                own = times.seconds(batch, batch * prompt)
                assert own == pytest.approx(float(clocks.time(llm.walk(step)).seconds), rel=1e-12), llm.name
        seen += 1
    assert seen > 150


def test_it_is_the_latency_of_a_request() -> None:
    load, run = Workload(50, 16, system_tokens=14), Run(H100, "bf16", batch=8)
    for model in (PLAIN, ReleasedModel.of_names(find_checkpoint("Qwen/Qwen2.5-VL-7B-Instruct"), "1024x768")):
        times, whole = Iterations(model, run), latency(model, load, run)
        prompt = 64.0 + float(np.asarray(model.sequence_tokens))
        own = times.seconds(0.0, 0.0, 8 * prompt, 8 * prompt * (prompt + 1) / 2, 8.0)
        assert own == pytest.approx(float(whole.prefill.seconds), rel=1e-12)
        context = prompt + 16 / 2
        assert times.seconds(8.0, 8 * context) == pytest.approx(float(whole.tpot_s), rel=1e-12)
        images = times.seconds(images=8.0) - times.seconds()
        assert images == pytest.approx(float(whole.encoder.seconds + whole.compressor.seconds), rel=1e-12)


def test_a_mixed_batch_reads_weights_once_and_launches_attention_once() -> None:
    """By hand, of a dense model without a table: products at B + P rows; the two attentions in one launch; the head."""
    llm, e = find_llms("Qwen2.5-7B")[0], H100.efficiency
    assert isinstance(llm, Dense)
    decodes, context, prompt = 20.0, 20 * 700.0, 512.0
    h, w, u, f, layers = llm.hidden_size, llm.attention_width, llm.kv_width, llm.intermediate_size, llm.num_layers
    rows, peak, rate = decodes + prompt, H100.rate("bf16"), H100.bandwidth_bytes_per_s

    def product(rows: float, k: float, n: float) -> float:
        compute = 2 * rows * k * n / (peak * e.matmul_compute)
        traffic = (2 * k * n + 2 * rows * (k + n)) / (rate * e.matmul_bandwidth)
        return float(np.hypot(compute, traffic)) + e.matmul_overhead_s

    expected = layers * sum(product(rows, k, n) for k, n in ((h, w + 2 * u), (w, h), (h, 2 * f), (f, h)))
    expected += product(decodes + 1, h, llm.vocab_size)
    pairs = prompt * (prompt + 1) / 2
    compute = layers * 4 * w * pairs / (peak * e.attention_compute)
    traffic = layers * (2 * w * 2 + 2 * u * 2) * prompt / (rate * e.attention_bandwidth)
    expected += float(np.hypot(compute, traffic))
    expected += layers * 2 * u * 2 * context / (rate * e.cache_bandwidth)
    expected += layers * max(e.attention_overhead_s, e.cache_overhead_s)
    moved = (layers * (8 * h + 3 * f) + 2 * h) * 2 * rows
    expected += moved / (rate * e.elementwise_bandwidth) + (3 * layers + 1) * e.elementwise_overhead_s
    found = Iterations(PLAIN, Run(H100)).seconds(decodes, context, prompt, pairs, decodes + 1)
    assert e.overlap == 2
    assert found == pytest.approx(expected, rel=1e-9)


def test_later_chunks_read_what_stands_before_them() -> None:
    times, e = Iterations(PLAIN, Run(H100)), H100.efficiency
    llm = PLAIN.llm
    assert isinstance(llm, Dense)
    first = times.seconds(0.0, 0.0, 512.0, 512 * 513 / 2, 0.0)
    later = times.seconds(0.0, 0.0, 512.0, 512 * (8192 + 513 / 2), 0.0)
    clocks = Clocks.of(H100, Run(H100), llm)
    chunk = [clocks.time(llm.walk(Pass(1.0, 512.0, done))).seconds for done in (0.0, 8192.0)]
    head = first - chunk[0]
    read = llm.num_layers * 2 * llm.kv_width * 2 * 8192 / (H100.bandwidth_bytes_per_s * e.cache_bandwidth)
    assert later == pytest.approx(float(chunk[1] + head + read), rel=1e-9)


def test_windows_bound_what_later_chunks_read() -> None:
    """Of two models that differ in their window alone, the one with a window reads the window."""
    base = find_llms("Qwen2.5-7B")[0]
    assert isinstance(base, Dense)
    narrow = replace(base, windows=(1024,) * base.num_layers)
    card = replace(H100, efficiency=replace(H100.efficiency, attention_compute=1.0))
    rate = card.bandwidth_bytes_per_s * card.efficiency.cache_bandwidth

    def read(llm: Llm, done: float) -> float:
        """What an iteration takes beyond the chunk's own kernels."""
        pairs = 256 * (done + 257 / 2)
        own = Iterations(replace(PLAIN, llm=llm), Run(card)).seconds(0.0, 0.0, 256.0, pairs, 1.0)
        walk = llm.walk(Pass(1.0, 256.0, done, logits=True))
        return float(own - Clocks.of(card, Run(card), llm).time(walk).seconds)

    token = base.num_layers * 2 * base.kv_width * 2 / rate
    for done, tokens in ((512.0, 512.0), (1024.0, 1024.0), (20_000.0, 1024.0)):
        assert read(narrow, done) == pytest.approx(tokens * token, rel=1e-6)
        assert read(base, done) == pytest.approx(done * token, rel=1e-6)


def test_arrays_are_timed_as_each_iteration_is_and_in_blocks_as_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    llms = {type(one.kinds[0].blocks[0]).__name__: one for one in models()}
    for model in (PLAIN, *(replace(PLAIN, llm=one) for one in llms.values())):
        times = Iterations(model, Run(TABLED, tensor_parallel=1))
        decodes = rng.integers(0, 60, 40).astype(float)
        prompts = rng.integers(0, 3, 40).astype(float)
        tokens = prompts * rng.integers(1, 900, 40)
        done = np.where(tokens > 0, rng.integers(0, 5000, 40) * 1.0, 0.0)
        size = np.divide(tokens, prompts, out=np.zeros(40), where=prompts > 0)
        numbers = (decodes, decodes * 333, tokens, tokens * (done + (size + 1) / 2), decodes + prompts)
        images = rng.integers(0, 2, 40).astype(float)
        whole = times.seconds(*numbers, prompts=prompts, images=images)
        each = [
            float(times.seconds(*(one[i] for one in numbers), prompts=prompts[i], images=images[i])) for i in range(40)
        ]
        assert whole == pytest.approx(np.array(each), rel=1e-12)
        with monkeypatch.context() as patched:
            patched.setattr("planner.costs.iteration._BLOCK", 7)
            assert np.array_equal(times.seconds(*numbers, prompts=prompts, images=images), whole)


def test_models_side_by_side() -> None:
    llms = find_llms(["Qwen2.5-0.5B", "Qwen2.5-7B"])
    side_by_side = Iterations(replace(PLAIN, llm=stacked(llms)), Run(H100))
    decodes = np.array([0.0, 8.0, 8.0])
    numbers = (decodes, decodes * 100, np.array([50.0, 0.0, 50.0]), np.array([1275.0, 0.0, 1275.0]), decodes + 1)
    found = side_by_side.seconds(*numbers)
    assert found.shape == (2, 3)
    for place, llm in enumerate(llms):
        alone = Iterations(replace(PLAIN, llm=llm), Run(H100)).seconds(*numbers)
        assert found[place] == pytest.approx(alone, rel=1e-12)


def test_more_of_anything_never_takes_less() -> None:
    times = Iterations(PLAIN, Run(H100))
    for grown in (
        [times.seconds(n, n * 500) for n in (1.0, 2.0, 16.0, 200.0)],
        [times.seconds(16.0, c) for c in (16.0, 1600.0, 160_000.0)],
        [times.seconds(16.0, 1600.0, p) for p in (0.0, 16.0, 2048.0)],
        [times.seconds(16.0, 1600.0, 256.0, 256 * (d + 128.5), 16.0) for d in (0.0, 256.0, 65536.0)],
    ):
        assert all(b > a for a, b in pairwise(map(float, grown)))


def test_nothing_takes_no_time_and_mixing_saves_time() -> None:
    times = Iterations(PLAIN, Run(H100))
    assert times.seconds() == 0.0
    both = times.seconds(16.0, 16_000.0, 256.0)
    apart = times.seconds(16.0, 16_000.0) + times.seconds(prefill_tokens=256.0)
    assert max(times.seconds(16.0, 16_000.0), times.seconds(prefill_tokens=256.0)) < both < apart


def test_the_host_is_added_where_it_was_calibrated_and_said_where_it_was_not() -> None:
    host = HostCosts(step_s=1e-3, prefill_s=2e-2, request_s=0.5, source="a log")
    slow = replace(H100, efficiency=replace(H100.efficiency, host=host))
    plain, own = Iterations(PLAIN, Run(H100)), Iterations(PLAIN, Run(slow))
    assert own.seconds(4.0, 400.0) - plain.seconds(4.0, 400.0) == pytest.approx(1e-3)
    assert own.seconds(4.0, 400.0, 9.0) - plain.seconds(4.0, 400.0, 9.0) == pytest.approx(2.1e-2)
    assert own.seconds() == 0.0
    assert (plain.host, own.host) == (HostCosts(), host)
    assert "not calibrated" in plain.notes[0]
    assert replace(own, model=replace(PLAIN, visual_tokens=0)).notes == ()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Alone(Dense):
    """A kind from outside that knows prompts and decode steps, and no iteration of both."""

    def walk(self, todo: Pass, gpus: Number = 1.0) -> Iterator[Kernel]:
        yield Matmul(todo.rows, self.hidden_size, self.hidden_size)
        if todo.step:
            yield CacheRead(1.0, todo.seen(), 64.0, 64.0)
        else:
            yield Attention.causal(1.0, todo.sequences, todo.new_tokens, todo.cached_tokens, 64.0, 64.0)


def test_a_kind_that_knows_no_iteration_is_refused() -> None:
    base = find_llms("Qwen2.5-7B")[0]
    alone = _Alone(**{name: getattr(base, name) for name in base.__dataclass_fields__})
    with pytest.raises(InputError, match=r"Qwen2.5-7B times prompts and decode steps each alone: .*`todo.parts`"):
        Iterations(replace(PLAIN, llm=alone), Run(H100))
    with pytest.raises(InputError, match="times need hardware"):
        Iterations(PLAIN, Run())


def test_the_public_name_takes_names() -> None:
    found = planner.iterations("Qwen2.5-7B", "h100-sxm", tensor_parallel=2)
    assert isinstance(found, planner.Iterations)
    own = Iterations(replace(PLAIN, visual_tokens=0), Run(H100, tensor_parallel=2))
    assert found.seconds(3.0, 300.0, 40.0) == own.seconds(3.0, 300.0, 40.0)
    assert found.seconds(3.0, 300.0, 40.0, images=2.0) == found.seconds(3.0, 300.0, 40.0)
    released = planner.ReleasedModel.of_checkpoint("Qwen/Qwen2.5-VL-7B-Instruct", "1024x768")
    assert planner.iterations(released, "h100-sxm").seconds(images=1.0) > 0
    with pytest.raises(InputError, match="28 heads"):
        planner.iterations("Qwen2.5-7B", "h100-sxm", tensor_parallel=8)
    assert any("a prefill of its own" in note for note in Iterations(PLAIN, Run(H100)).notes)
