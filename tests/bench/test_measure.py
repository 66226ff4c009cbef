"""Measurements of small models on the CPU: what is counted is exact, what is timed is there."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from bench.parts import REQUEST, folders, made_up, recipe
from costs.loose import compressor_params

from planner.base.errors import InputError, UnknownNameError
from planner.bench.ceilings import measure_ceilings
from planner.bench.clock import Clock, Task, take
from planner.bench.counting import count_flops
from planner.bench.expected import Expected
from planner.bench.measure import measure
from planner.bench.measurement import Ceilings
from planner.bench.meters import Gpu, TensorBytes
from planner.bench.mode_stages import stages_of
from planner.bench.slices import between, extrapolated, measure_by_slices, slice_layers, with_layers
from planner.bench.stages import Stages
from planner.bench.verify import judge
from planner.costs.stages import Workload
from planner.vlm.build import build_recipe
from planner.vlm.recipe import make_recipe

CEILINGS = Ceilings(1e11, 1e10, 1e10)
QUICK: dict[str, Any] = {"seconds": 0.01, "ceilings": CEILINGS}
REQUESTS = [
    REQUEST,
    Workload(query_tokens=7, generated_tokens=1, images=2),
    Workload(query_tokens=5, generated_tokens=3, cached_tokens=9, system_tokens=2),
]


@pytest.mark.parametrize("order", ["image-first", "text-first"])
@pytest.mark.parametrize("request_", REQUESTS, ids=["plain", "two images", "cached text"])
def test_counts_are_the_predicted_ones(tmp_path: Path, order: str, request_: Workload) -> None:
    """FLOPs by stage, weights and KV cache, to the last one."""
    r = recipe(tmp_path, prompt_order=order)
    found = measure(build_recipe(r, {}, dtype="fp32"), r, request_, batch=2, **QUICK)
    wanted = Expected(r, request_, 2, "fp32", 1, None)
    flops = wanted.cost().flops
    for stage in ("encoder", "compressor", "query_pass", "prefill", "decode"):
        assert found.flops.get(stage, 0) == getattr(flops, stage), stage
    assert found.memory.weights_bytes == wanted.memory(0).weights
    assert found.memory.kv_cache_bytes == wanted.memory(0).kv_cache
    assert found.model.params == wanted.params
    names = {"preprocess", "encoder", "compressor", "prefill", "decode_step", "ttft", "request"}
    names |= {"query_pass"} if order == "image-first" else set()
    names |= {"tpot", "itl"} if request_.generated_tokens > 1 else set()
    assert set(found.samples) == names
    assert found.method.layers == 3 and not found.slices


def test_a_query_that_came_before(tmp_path: Path) -> None:
    """No new text: the text feature is given, there is no query pass; text-first has nothing to ask by."""
    r = recipe(tmp_path)
    bare = Workload(query_tokens=0, generated_tokens=2, cached_tokens=6)
    found = measure(build_recipe(r, {}, dtype="fp32"), r, bare, **QUICK)
    assert "query_pass" not in found.samples
    assert found.flops["prefill"] == Expected(r, bare, 1, "fp32", 1, None).cost().flops.prefill
    other = recipe(tmp_path, prompt_order="text-first")
    with pytest.raises(InputError, match="expected query_tokens of at least 1"):
        measure(build_recipe(other, {}, dtype="fp32"), other, bare, **QUICK)


def test_a_request_without_images_is_refused(tmp_path: Path) -> None:
    """Before anything runs: the encoder would get no pixels."""
    r = recipe(tmp_path)
    with pytest.raises(InputError, match="images: expected at least 1, got 0"):
        measure(build_recipe(r, {}, dtype="fp32"), r, Workload(4, 2, images=0), **QUICK)


def test_the_static_mode_runs_the_same_model(tmp_path: Path) -> None:
    r = recipe(tmp_path)
    model = build_recipe(r, {}, dtype="fp32")
    with torch.no_grad():
        eager, static = Stages(model, REQUEST, 2, seed=5), Stages(model, REQUEST, 2, mode="static", seed=5)
        for stages in (eager, static):
            stages.tasks()["prefill"].before(1)
        first = static.prefill(0)
        torch.testing.assert_close(first, eager.prefill(0), atol=1e-5, rtol=1e-5)
        static.tasks()["prefill"].before(1)
        torch.testing.assert_close(static.prefill(3), first, atol=0, rtol=0)  # the same inputs, the cache cleared
        found = measure(model, r, REQUEST, mode="static", **QUICK)
    assert found.mode == "static" and {"ttft", "tpot", "request"} <= set(found.samples)


@pytest.mark.parametrize("order", ["image-first", pytest.param("text-first", marks=pytest.mark.slow)])
def test_a_static_request_is_that_of_its_stages_and_its_cache_has_room_for_the_answer(
    tmp_path: Path, order: str
) -> None:
    """The same tokens as the model's own forward gives, by the parts that are timed; memory of the static cache."""
    r = recipe(tmp_path, prompt_order=order)
    model = build_recipe(r, {}, dtype="fp32")
    answers = []
    with torch.no_grad():
        for mode in ("eager", "static"):
            stages = stages_of(model, REQUEST, 2, mode=mode, seed=5)
            called: list[str] = []
            for name, part in list(stages._parts.items()):
                stages._parts[name] = partial(_noted, called, name, part)
            answer = []
            for turn in (0, 0):  # the second time the cache is not new
                cache = stages.begin(turn)
                answer = [stages._token.clone()]
                for _ in range(4):
                    stages.go_on(cache, 1)
                    answer.append(stages._token.clone())
            answers.append(torch.cat(answer, 1))
            if mode == "static":
                assert {"encoder", "compressor", "prefill"} <= set(called)
        if order == "image-first":  # text-first asks by a feature that was made before
            assert torch.equal(*answers)
        found = measure(model, r, REQUEST, mode="static", batch=2, **QUICK)
    assert found.ttft_s == found.samples["ttft"].median_s and found.requests_per_second is not None
    steps, times = REQUEST.generated_tokens - 1, found.samples
    assert len(times["itl"].seconds) == steps * len(times["tpot"].seconds)
    assert sum(times["itl"].seconds) == pytest.approx(steps * sum(times["tpot"].seconds))
    assert times["request"].seconds[0] == pytest.approx(times["ttft"].seconds[0] + sum(times["itl"].seconds[:steps]))
    verdict = judge(Expected(r, REQUEST, 2, "fp32", 1, None), found)
    assert verdict.check("kv_cache_bytes").note == "room for the whole answer"
    assert verdict.check("kv_cache_bytes").passed and verdict.passed
    per_token = found.memory.kv_cache_bytes / (REQUEST.generated_tokens + stages.prompt_tokens)
    eager = measure(model, r, REQUEST, batch=2, **QUICK)
    assert found.memory.kv_cache_bytes - eager.memory.kv_cache_bytes == per_token * REQUEST.generated_tokens
    assert judge(Expected(r, REQUEST, 2, "fp32", 1, None), eager).check("kv_cache_bytes").note == "after the prefill"


def _noted(called: list[str], name: str, part: Any, *arguments: Any) -> Any:
    called.append(name)
    return part(*arguments)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_compiled_mode(tmp_path: Path) -> None:
    r = recipe(tmp_path)
    found = measure(build_recipe(r, {}, dtype="fp32"), r, REQUEST, mode="compile", **QUICK)
    assert set(found.samples) >= {"encoder", "compressor", "query_pass", "prefill", "decode_step"}


def test_laps_are_timed_one_by_one() -> None:
    naps = iter((0.002, 0.02, 0.002))
    laps = Clock(torch.device("cpu")).laps(lambda: time.sleep(next(naps)), 3)
    assert len(laps) == 3 and laps[1] == max(laps) >= 0.02 and min(laps) >= 0.002
    assert Clock(torch.device("cpu")).laps(lambda: None, 0) == []


def test_decode_steps_stay_at_their_mean_length(tmp_path: Path) -> None:
    r = recipe(tmp_path)
    with torch.no_grad():
        stages = Stages(build_recipe(r, {}, dtype="fp32"), REQUEST, 1)
        for calls in (1, 4, 9, 1):
            stages.rewind(calls)
            start = int(stages._step_cache.get_seq_length())
            assert start == stages.mean_context - calls // 2
            for turn in range(calls):
                stages.decode_step(turn)
    assert stages.mean_context == 3 + 12 + 4 + 5 // 2


@pytest.mark.parametrize("mode", ["eager", "static"])
def test_windows_of_attention(tmp_path: Path, mode: str) -> None:
    """Layers that look at a window: caches go back to where they were, calls repeat, and the reader is told."""
    from transformers import AutoConfig
    from vlm.tiny import _LLM, FAMILIES

    parts = folders(tmp_path)
    values = _LLM | FAMILIES["gemma2"] | {"vocab_size": 600, "sliding_window": 16}
    AutoConfig.for_model("gemma2", **values).save_pretrained(tmp_path / "windows")
    r = make_recipe(llm=str(tmp_path / "windows"), vision=parts["vision"], visual_tokens=4)
    model = build_recipe(r, {}, dtype="fp32")
    found = measure(model, r, REQUEST, mode=mode, **QUICK)
    assert any("look at the last 16 tokens only" in note for note in found.notes)
    with torch.no_grad():
        stages = Stages(model, REQUEST, 2, mode=mode, seed=1)
        prefill = stages.tasks()["prefill"]
        logits = []
        for turn in (0, 1, 3):
            prefill.before(1)
            logits.append(stages.prefill(turn))
        torch.testing.assert_close(logits[2], logits[0], atol=1e-6, rtol=1e-6)
        for _ in range(3):
            stages.rewind(1)
            stages.decode_step(0)


def test_text_that_was_there_before_is_no_part_of_the_peak(tmp_path: Path) -> None:
    """It is in the cache, once; making it is another request's work."""
    r = recipe(tmp_path)
    model = build_recipe(r, {}, dtype="fp32")
    peaks = []
    for cached in (0, 600):
        request = replace(REQUEST, cached_tokens=cached)
        peaks.append(measure(model, r, request, batch=4, **QUICK).memory.peak_bytes)
        kv_cache = float(Expected(r, replace(REQUEST, cached_tokens=600), 4, "fp32", 1, None).memory(0).kv_cache)
    layer = kv_cache / 3  # a growing cache is copied layer by layer
    assert kv_cache * 0.9 < peaks[1] - peaks[0] < kv_cache + 2 * layer


def test_inputs_never_hold_the_image_token_by_chance(tmp_path: Path) -> None:
    r = recipe(tmp_path)
    stages = Stages(build_recipe(r, {}, dtype="fp32"), Workload(4000, 1), 1)
    image = stages.model.config.image_token_id
    prompt = stages._prompt()
    assert int((prompt == image).sum()) == 4
    assert int(prompt[prompt != image].max()) < stages._vocabulary


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mode": "fast"}, "no mode is called 'fast'"),
        ({"batch": 0}, "batch: expected a whole number of at least 1"),
        ({"seconds": 0}, "seconds: expected a number above 0"),
        ({"within": 0}, "within: expected a share above 0 and below 1"),
    ],
)
def test_bad_input(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    r = recipe(tmp_path)
    with pytest.raises((InputError, UnknownNameError), match=said):
        measure(build_recipe(r, {}, device="meta"), r, REQUEST, **QUICK | change)


# ---- slices ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_slices_count_what_the_whole_counts(tmp_path: Path) -> None:
    """Everything that is counted grows linearly with the layers: extrapolated from 1 and 2 it is that of all 7."""
    whole = recipe(tmp_path, num_hidden_layers=7)
    found = measure_by_slices(whole, REQUEST, layers=1, dtype="fp32", **QUICK)
    wanted = Expected(whole, REQUEST, 1, "fp32", 1, None)
    assert found.flops == count_flops(build_recipe(whole, {}, device="meta"), REQUEST)
    assert found.model.params == wanted.params
    assert found.memory.weights_bytes == wanted.memory(0).weights
    assert found.memory.kv_cache_bytes == wanted.memory(0).kv_cache
    assert found.method.kind == "slices" and found.method.layers_measured == (1, 2) and len(found.slices) == 3


def test_times_of_slices_by_hand() -> None:
    small = made_up({"encoder": 4.0, "prefill": 3.0, "ttft": 7.0}, layers=4)
    large = made_up({"encoder": 4.0, "prefill": 5.0, "ttft": 9.0}, layers=8)
    whole = extrapolated(small, large, 80)
    assert whole.seconds("prefill") == pytest.approx(3.0 + 2.0 / 4 * 76)
    assert whole.seconds("ttft") == pytest.approx(7.0 + 2.0 / 4 * 76)
    assert whole.seconds("encoder") == 4.0 and len(whole.samples["encoder"].seconds) == 10


def test_what_drifts_evenly_between_slices_cancels_out() -> None:
    """A machine that gets slower by a tenth of the smaller slice's time with each run."""
    first = made_up({"prefill": 3.0, "decode_step": 1.0}, layers=4)
    large = made_up({"prefill": 5.3, "decode_step": 2.0}, layers=8)
    last = made_up({"prefill": 3.6, "decode_step": 1.0}, layers=4)
    whole = extrapolated(between(first, last), large, 80)
    assert whole.seconds("prefill") == pytest.approx(3.3 + 2.0 / 4 * 76)
    assert len(whole.slices) == 3
    assert "two runs of the smaller slice differ by 20 %" in whole.notes[0]
    assert whole.notes[1].startswith("decode step: 1 % between the slices' times changes it by 2.9 %")


def test_a_slice_holds_every_kind_of_layer(tmp_path: Path) -> None:
    assert slice_layers(make_recipe(llm="Qwen2.5-7B", visual_tokens=1)) == 4
    alternating = recipe(tmp_path, num_hidden_layers=24)
    values = {**alternating.llm_config, "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 4}
    assert slice_layers(replace(alternating, llm_config=values)) == 6
    assert (
        with_layers(replace(alternating, llm_config=values), 12).llm_config["layer_types"] == values["layer_types"][:12]
    )
    for uneven in (["full_attention"] * 5 + ["sliding_attention"] * 19, (["a", "b", "c", "d", "e"] * 5)[:24]):
        with pytest.raises(InputError, match="do not repeat evenly; measure it whole"):
            slice_layers(replace(alternating, llm_config={**values, "layer_types": uneven}))
    with pytest.raises(InputError, match="has 3 layers: expected slices of 4 and 8; measure it whole"):
        measure_by_slices(recipe(tmp_path), REQUEST)


# ---- clock and meters ------------------------------------------------------------------------------------------------


def test_samples_are_of_the_work() -> None:
    calls: list[int] = []
    found = take(Task(lambda turn: (calls.append(turn), time.sleep(0.01))), Clock(torch.device("cpu")), 0.1)
    assert 0.01 <= found.median_s < 0.1
    assert calls == list(range(len(calls)))  # no input twice in a row
    assert len(found.seconds) == len(calls) - 3 and found.calls_per_sample == 1


def test_short_work_is_timed_in_bunches() -> None:
    found = take(Task(lambda turn: None), Clock(torch.device("cpu")), 0.01)
    assert found.calls_per_sample > 100
    alone = take(Task(lambda turn: None, bunches=False), Clock(torch.device("cpu")), 0.01)
    assert alone.calls_per_sample == 1


def test_bytes_of_live_tensors() -> None:
    known = torch.ones(1000)
    with TensorBytes([known]) as seen:
        view = known.view(10, 100)  # no new memory
        a = torch.ones(256)
        b = a + 1  # 2 KiB live
        del a
        c = b.view(16, 16)
        del b
        d = torch.ones(256)
    assert seen.peak == 2048
    assert seen.live == 2048
    del c, d, view
    assert seen.live == 0


def test_without_a_gpu_its_counters_are_silent() -> None:
    gpu = Gpu(torch.device("cpu"))
    assert gpu.energy_joules() is None and gpu.used_bytes() is None
    assert gpu.clock_limits() == frozenset() and gpu.facts() == {}


def test_ceilings_are_positive_and_plausible() -> None:
    found = measure_ceilings(torch.device("cpu"), torch.float32, seconds=0.02)
    assert 1e9 < found.matmul_flops_per_s < 1e14
    assert 1e8 < found.copy_bytes_per_s < 1e13 and 1e8 < found.read_bytes_per_s < 1e13


def test_params_of_the_compressor_are_in_the_prediction(tmp_path: Path) -> None:
    r = recipe(tmp_path)
    wanted = Expected(r, REQUEST, 1, "fp32", 1, None)
    rest = compressor_params(r.compressor, r.vision, r.llm.hidden_size, 4)
    assert wanted.params == r.llm.params + r.vision.params_run + rest
