"""Calibration by known answers: planted efficiencies come back, what was left out is predicted, nothing is mixed."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.made import TOWER, made
from costs.loose import request_latency, request_memory
from rich.console import Console
from support import Run

from planner.base.errors import InputError, OutputExistsError
from planner.bench.calibrate import calibrate
from planner.bench.calibration.fit import fit
from planner.bench.calibration.parameters import Scale
from planner.bench.calibration.pool import BESIDE, DISTURBED, QUANTITIES, disturbance, pool
from planner.bench.calibration.result import Calibration, record_path
from planner.bench.calibration.shapes import ON_CPU, ON_GPU, ROOM, More, Shape, plan_shapes
from planner.bench.calibration.take import read_folder, take
from planner.bench.measurement import Ceilings, Measurement
from planner.configuration import Model
from planner.costs.latency import LATENCY_STAGES
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.hardware.efficiency import Efficiency
from planner.hardware.few_rows import FewRows
from planner.parts.catalog import find_compressor, find_llms, find_vision
from planner.tell.calibration import calibration_story
from planner.tell.plots.calibration import plot
from planner.tell.plots.save import save
from planner.tell.render.console import print_document

PLANTED = Efficiency(
    matmul_compute=0.7,
    matmul_bandwidth=0.6,
    attention_compute=0.3,
    attention_bandwidth=0.25,
    cache_bandwidth=0.5,
    elementwise_bandwidth=0.5,
    matmul_overhead_s=15e-6,
    attention_overhead_s=80e-6,
    cache_overhead_s=50e-6,
    elementwise_overhead_s=9e-6,
    overlap=3.0,
)
FEW: dict[str, Any] = {"llms": ("Qwen2.5-0.5B", "Qwen2.5-7B"), "visual_tokens": (1, 144, 576), "batches": (1, 16)}


@pytest.fixture(scope="module")
def card() -> Hardware:
    return replace(find_hardware("h100-sxm"), efficiency=PLANTED)


@pytest.fixture(scope="module")
def noisy(card: Hardware) -> Calibration:
    return calibrate(made(card, noise=0.03))


# ---- the fit -------------------------------------------------------------------------------------------------------


def test_planted_efficiencies_come_back_without_noise(card: Hardware) -> None:
    found = calibrate(made(card, noise=0.0, llms=("Qwen2.5-0.5B", "Qwen2.5-7B")))
    assert found.noise < 1e-3
    for one in found.parameters:
        assert one.value == pytest.approx(getattr(PLANTED, one.name), rel=0.05), one.name
        assert getattr(found.hardware.efficiency, one.name) == pytest.approx(one.value)
    assert {one.name for one in found.parameters} == {
        name for name in PLANTED.to_dict() if getattr(PLANTED, name) != getattr(Efficiency(), name)
    } - {"source", "origin"}


def test_what_was_left_out_is_predicted_to_the_noise(noisy: Calibration) -> None:
    """Noise of 3 %: the median size of a normal error is .67 sigma; a fit of 11 numbers adds a little."""
    assert noisy.noise == pytest.approx(0.03, rel=0.25)
    for quantity in LATENCY_STAGES:
        after, before = noisy.errors("left_out", quantity), noisy.errors("before", quantity)
        bare = noisy.errors("roofline", quantity)
        assert after is not None
        assert before is not None
        assert bare is not None
        assert after.shapes == 24
        assert after.median < 0.045, quantity
        assert before.median > 0.2, quantity
        assert bare.median > before.median, quantity
    ttft = noisy.errors("left_out_llm", "ttft")
    assert ttft is not None
    assert ttft.median < 0.045


@pytest.mark.slow
def test_intervals_hold_the_planted_numbers_as_often_as_they_say(card: Hardware) -> None:
    """20 fits of 11 numbers at 95 %: the intervals are the wider of two, so more than 95 % is no failure; 90 % is two
    standard deviations below."""
    inside = []
    for seed in range(20):
        for one in calibrate(made(card, seed=seed, **FEW)).parameters:
            inside.append(one.low <= getattr(PLANTED, one.name) <= one.high)
    assert np.mean(inside) > 0.90


def test_intervals_hold_most_planted_numbers(noisy: Calibration) -> None:
    inside = [one.low <= getattr(PLANTED, one.name) <= one.high for one in noisy.parameters]
    assert sum(inside) >= len(inside) - 1
    for one in noisy.parameters:
        assert one.low <= one.value <= one.high
    narrow = {one.name for one in noisy.parameters if one.identified}
    assert {"matmul_compute", "matmul_bandwidth"} <= narrow


def test_what_no_measurement_tells_stays_where_it_was(card: Hardware) -> None:
    """bf16 says nothing of fp8, one GPU nothing of its links."""
    start = find_hardware("h100-sxm")
    found = calibrate(made(card, **FEW))
    for name in ("quantised_compute", "quantised_overhead_s", "interconnect", "all_reduce_overhead_s"):
        assert getattr(found.hardware.efficiency, name) == getattr(start.efficiency, name)
        assert name not in {one.name for one in found.parameters}
    assert found.start == start
    assert found.hardware.flops_per_s == start.flops_per_s


def test_a_poorly_told_number_is_not_called_identified(card: Hardware) -> None:
    """One model at one token and batch 1: launch costs drown the cache's bandwidth."""
    found = calibrate(made(card, llms=("Qwen2.5-0.5B",), visual_tokens=(1, 4, 9), batches=(1,)))
    cache = next(one for one in found.parameters if one.name == "cache_bandwidth")
    assert not cache.identified
    assert any("only 3 shapes" in note for note in found.notes)


def test_one_wild_shape_moves_little(card: Hardware) -> None:
    """A shape that ran ten times slower is outvoted: soft L1, not squares."""
    taken = made(card, noise=0.02)
    slow = {name: replace(one, seconds=tuple(10 * x for x in one.seconds)) for name, one in taken[5].samples.items()}
    found = calibrate([*taken[:5], replace(taken[5], samples=slow), *taken[6:]])
    compute = next(one for one in found.parameters if one.name == "matmul_compute")
    assert compute.value == pytest.approx(PLANTED.matmul_compute, rel=0.1)


def test_left_out_means_left_out(card: Hardware) -> None:
    """The error of a wild shape is judged by a fit without it, so it is nearly that of the planted wildness."""
    taken = made(card, noise=0.0, **FEW)
    wild = {name: replace(one, seconds=tuple(2 * x for x in one.seconds)) for name, one in taken[0].samples.items()}
    found = calibrate([replace(taken[0], samples=wild), *taken[1:]])
    assert found.shapes[0].error("left_out", "ttft") == pytest.approx(-0.5, abs=0.02)
    assert found.shapes[0].error("left_out", "tpot") == pytest.approx(-0.5, abs=0.02)


def test_the_same_shape_twice_is_left_out_as_one(card: Hardware) -> None:
    once = made(card, **FEW)
    taken = pool([*once, *made(card, seed=1, **FEW)])
    assert taken.shapes == len(once)
    assert len(fit(taken, find_hardware("h100-sxm")).left_out) == len(once)


def test_columns_of_numbers_predict_as_one_set_at_a_time(card: Hardware) -> None:
    taken, scale = pool(made(card, **FEW)), Scale(find_hardware("h100-sxm"))
    sets = scale.centre + np.random.default_rng(0).normal(0, 0.1, (3, len(scale.centre)))
    sets = np.clip(sets, *scale.bounds)
    together = taken.predict(scale.many(sets), 3)
    assert together == pytest.approx(np.stack([taken.predict(scale.hardware(one)) for one in sets]), rel=1e-12)


def test_predictions_of_a_pool_are_those_of_the_cost_model(card: Hardware) -> None:
    """Models and requests mixed: each measurement is predicted as if it were alone."""
    taken = [
        *made(card, noise=0.0, **FEW),
        *made(card, noise=0.0, workload=Workload(20, 4, 30), compressor="none", visual_tokens=(576,)),
    ]
    seconds = pool(taken).predict(card)
    for row, one in zip(seconds, taken, strict=True):
        for value, stage in zip(row, LATENCY_STAGES, strict=True):
            assert value == pytest.approx(one.seconds(stage) or 0.0, rel=1e-12)


# ---- where it starts, what it refuses ------------------------------------------------------------------------------


def test_an_unknown_device_starts_from_its_ceilings(card: Hardware) -> None:
    slow = Ceilings(matmul_flops_per_s=8e14, copy_bytes_per_s=2.0e12, read_bytes_per_s=2.4e12)
    found = calibrate(made(card, ceilings=slow, device="ACME X1", noise=0.01, **FEW))
    assert found.start.flops_per_s == {"bf16": 8e14}
    assert found.start.bandwidth_bytes_per_s == 2.4e12
    assert found.start.memory_bytes == 85_520_809_984
    assert found.start.name == "acme-x1"
    errors = found.errors("left_out", "ttft")
    assert errors is not None
    assert errors.median < 0.03


def test_a_measured_peak_that_kernels_exceed_is_raised(card: Hardware) -> None:
    """Ceilings of half of what the planted kernels reach: shares would be 2; the peak doubles and says so."""
    reached = PLANTED.matmul_compute * card.flops_per_s["bf16"]
    ceilings = Ceilings(reached / 2, 3.35e12, 3.35e12)
    found = calibrate(made(card, ceilings=ceilings, device="ACME X1", noise=0.0))
    assert found.hardware.flops_per_s["bf16"] == pytest.approx(reached, rel=0.05)
    assert found.hardware.efficiency.matmul_compute == 1.0
    assert "raised 2.0 times" in found.hardware.source["flops_per_s"]
    assert any("2.0 times the measured rate" in note for note in found.notes)
    value = next(one.value for one in found.parameters if one.name == "matmul_compute")
    assert value == pytest.approx(1.0)


def test_a_card_of_the_catalogue_is_never_raised(card: Hardware) -> None:
    """Its kernels at 1.4 times the data sheet's peak end at their bound, which is said."""
    fast = replace(card, flops_per_s={"bf16": 2 * card.flops_per_s["bf16"]})
    found = calibrate(made(fast, noise=0.0, **FEW))
    assert found.hardware.flops_per_s == find_hardware("h100-sxm").flops_per_s
    assert next(one for one in found.parameters if one.name == "matmul_compute").at_bound
    assert any(note.startswith("at a bound: matmul compute") for note in found.notes)


def test_a_profile_may_be_named_to_start_from(card: Hardware) -> None:
    start = replace(find_hardware("h200"), name="mine")
    assert calibrate(made(card, **FEW), start).hardware.name == "mine"


@pytest.mark.parametrize(
    ("entry", "values"),
    [
        ("device", ("NVIDIA H100 80GB HBM3", "NVIDIA H200")),
        ("driver", ("570.86.15", "550.1")),
        ("torch", ("2.13.0", "2.6.0")),
        ("threads", (8, 4)),
    ],
)
def test_environments_are_never_pooled(card: Hardware, entry: str, values: tuple[Any, Any]) -> None:
    other = made(card, **FEW, **{entry: values[1]})
    with pytest.raises(InputError, match="measurements of different environments are not pooled") as error:
        calibrate([*made(card, **FEW), *other])
    assert f"{entry} is {values[0]!r} in one and {values[1]!r} in another" in str(error.value)


def test_precisions_and_modes_are_never_pooled(card: Hardware) -> None:
    taken = made(card, **FEW)
    with pytest.raises(InputError, match="precision is 'bf16' in one and 'fp16' in another"):
        calibrate([*taken, *made(card, precision="fp16", **FEW)])
    with pytest.raises(InputError, match="mode is 'eager' in one and 'compile' in another"):
        calibrate([*taken, *made(card, mode="compile", **FEW)])


def test_too_little_or_unknown_is_refused(card: Hardware) -> None:
    taken = made(card, **FEW)
    with pytest.raises(InputError, match="no measurements"):
        calibrate([])
    with pytest.raises(InputError, match="at least 2 shapes, got 1"):
        calibrate([taken[0], taken[0]])
    named = [replace(one, model=replace(one.model, llm="my-llm")) for one in taken]
    with pytest.raises(InputError, match=r"my-llm' was measured and is not in the catalogue: name its config\.json"):
        calibrate(named)
    known = [replace(llm, name="my-llm") for llm in find_llms("Qwen2.5-0.5B")]
    with pytest.raises(InputError, match=r"the measured model of my-llm has .* parameters, its description"):
        calibrate(named, llms=known)
    small = [one for one in named if one.model.params < 1e9 * 1.5]
    assert calibrate(small, llms=known).shapes[0].llm == "my-llm"


# ---- the profile and its record ------------------------------------------------------------------------------------


def test_the_profile_is_used_by_plan(noisy: Calibration, tmp_path: Path, run: Run) -> None:
    profile, record = noisy.save(tmp_path / "my-gpu.json")
    assert record == record_path(profile) == tmp_path / "my-gpu.calibration.json"
    assert Hardware.load(profile) == noisy.hardware
    assert noisy.hardware.efficiency.source == "calibrated"
    origin = "fitted to 24 shapes of Qwen2.5-0.5B, Qwen2.5-1.5B, Qwen2.5-7B on NVIDIA H100 80GB HBM3 (bf16, eager, "
    assert noisy.hardware.efficiency.origin.startswith(f"{origin}PyTorch 2.13.0), 2025-11-26; median error of shapes")
    done = run(
        "plan", "--ttft", "100ms", "--hardware", profile, "--query-tokens", 50, "--generated-tokens", 16,
        "--llms", "qwen2.5", "--json",
    )  # fmt: skip
    best = done.json["best"]
    assert done.json["hardware_profile"]["efficiency"]["source"] == "calibrated"
    llm, vision = find_llms(best["llm"])[0], find_vision("CLIP-ViT-L/14-336")
    latency = request_latency(
        llm,
        best["visual_tokens"],
        Workload(50, 16),
        vision=vision,
        compressor=find_compressor("quecc"),
        hardware=noisy.hardware,
    )
    assert best["ttft_s"] == pytest.approx(float(latency.ttft_s))


def test_the_record_comes_back(noisy: Calibration, tmp_path: Path) -> None:
    profile, record = noisy.save(tmp_path / "my-gpu.json")
    assert Calibration.load(record) == Calibration.load(profile) == noisy
    conditions = find_hardware(str(profile)).conditions
    assert conditions["threads"] == 8 and conditions["torch"] == "2.13.0" and conditions["mode"] == "eager"
    content = json.loads(record.read_text(encoding="utf-8"))
    assert content["errors"]["ttft"]["left_out"]["shapes"] == 24
    with pytest.raises(OutputExistsError):
        noisy.save(profile)
    record.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"my-gpu\.calibration\.json is not a calibration"):
        Calibration.load(profile)


def test_printed_in_eighty_columns(noisy: Calibration) -> None:
    stream = io.StringIO()
    print_document(Console(file=stream, width=80), calibration_story(noisy))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    errors = noisy.errors("left_out", "tpot")
    assert errors is not None
    assert f"{100 * errors.median:.0f} % ({100 * errors.p90:.0f} %)" in text
    assert "matmul bandwidth" in text


def test_drawn_with_a_panel_for_each_quantity(noisy: Calibration, tmp_path: Path) -> None:
    figure = plot(noisy)
    titles = [axes.get_title(loc="left").split(":")[0] for axes in figure.axes if axes.axison]
    assert titles == ["encoder", "compressor", "query pass", "prefill", "decode step", "TTFT", "TPOT"]
    points = figure.axes[0].collections[-1].get_offsets()
    assert np.asarray(points)[:, 0] == pytest.approx([one.measured_s["encoder"] for one in noisy.shapes])
    assert save(figure, tmp_path / "calibration.png").stat().st_size > 10_000
    assert len(titles) == len(QUANTITIES)


# ---- what is measured ----------------------------------------------------------------------------------------------


def test_shapes_that_fit_and_those_that_do_not() -> None:
    """In 80 GiB: three sizes, and the largest batches of the largest model left out exactly where memory says so."""
    plan = plan_shapes(80 * 2**30)
    names = list(dict.fromkeys(shape.llm.name for shape in plan.shapes))
    assert names == ["Qwen2.5-0.5B", "Qwen2.5-3B", "Qwen2.5-14B"]
    assert len(plan.shapes) + len(plan.left_out) == 3 * 4 * 3
    assert len(plan.shapes) >= 24
    small = plan_shapes(24 * 2**30)
    assert {shape.llm.name for shape in small.shapes} >= {"Qwen2.5-0.5B", "Qwen2.5-3B"}
    for one in (plan, small):
        for shape, fits in [*((s, True) for s in one.shapes), *((s, False) for s, _ in one.left_out)]:
            peak = (
                request_memory(
                    shape.llm,
                    shape.visual_tokens,
                    ON_GPU.workload,
                    vision=find_vision("CLIP-ViT-L/14-336"),
                    compressor=find_compressor("quecc"),
                    batch=shape.batch,
                )
                .at()
                .peak
            )
            room = ROOM * (80 if one is plan else 24) * 2**30
            assert (float(peak) <= room) == fits


def test_small_batches_and_a_long_cache_stand_beside_the_combinations() -> None:
    """Batches 1, 2, 3, 4, 8 by default, with the fewest tokens; and decode steps behind a long cache."""
    for default in (ON_CPU, ON_GPU):
        llms = find_llms("SmolLM2-135M,SmolLM2-360M")
        like = Model.of("SmolLM2-135M", 1, vision=default.vision)
        numbers = (default.visual_tokens, default.batches)
        options: dict[str, Any] = {"workload": default.workload, "like": like}
        plan = plan_shapes(None, llms, *numbers, **options, more=default.more)
        plain = plan_shapes(None, llms, *numbers, **options)
        assert set(plain.shapes) < set(plan.shapes)
        for llm in llms:
            own = [one for one in plan.shapes if one.llm == llm and one.visual_tokens == 1]
            assert {1, 2, 3, 4, 8} <= {one.batch for one in own if not one.cached_tokens}
            long = [one for one in own if one.cached_tokens]
            assert [one.batch for one in long] == list(default.more.cached_batches)
            assert all(one.workload(default.workload).cached_tokens >= 2000 for one in long)
        assert len(plan.shapes) == len(set(plan.shapes))
    assert str(plan.shapes[-1]).endswith("batch 8, behind 8192 tokens")


def test_a_long_cache_is_measured_behind_its_tokens() -> None:
    """Sweeps take what is cached with their request; shapes that differ in it are no sweep of one."""
    asked: list[tuple[list[int], list[int], int]] = []

    def sweep(llm: str, tokens: list[int], batches: list[int], load: Workload, **options: Any) -> list[Measurement]:
        asked.append((tokens, batches, load.cached_tokens))
        return []

    plan = plan_shapes(None, find_llms("SmolLM2-135M"), (1, 4), (1, 4), more=More((2, 3), 2000, (1, 4)))
    take(plan.shapes, Workload(50, 16, cached_tokens=5), sweep=sweep)
    assert asked == [([1], [1, 2, 3, 4], 5), ([4], [1, 4], 5), ([1], [1, 4], 2005)]


def test_shapes_that_cannot_be() -> None:
    with pytest.raises(InputError, match="nothing fits: the smallest shape needs"):
        plan_shapes(2**30, find_llms("Qwen2.5-72B"))
    with pytest.raises(InputError, match=r"quecc makes 1, 4, 9, .* not 2"):
        plan_shapes(None, find_llms("Qwen2.5-0.5B"), (2,))
    plan = plan_shapes(20 * 2**30, find_llms("Qwen2.5-0.5B,Qwen2.5-72B"), (1,), (1,))
    assert [str(shape) for shape in plan.shapes] == ["Qwen2.5-0.5B, 1 visual token, batch 1"]
    assert plan.notes[0].startswith("left out, needs 13")
    assert plan.notes[0].endswith("Qwen2.5-72B, 1 visual token, batch 1")


@pytest.mark.slow
def test_a_run_that_was_ended_goes_on(card: Hardware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring is a lookup here; the third one is interrupted, as by a kill. The second run takes what is missing."""
    pytest.importorskip("torch")
    from planner.bench import sweep as sweeps

    ready = {(one.model.llm, one.model.visual_tokens, one.batch): one for one in made(card, **FEW)}
    asked: list[tuple[str, int, int]] = []
    limit = 2

    def lookup(model: Any, recipe: Any, workload: Workload, *, batch: int, **options: Any) -> Measurement:
        if len(asked) == limit:
            raise KeyboardInterrupt
        asked.append((recipe.llm.name, recipe.visual_tokens, batch))
        return ready[asked[-1]]

    here = dict(next(iter(ready.values())).environment) | {"precision": "bf16", "mode": "eager"}
    ready = {key: replace(one, environment=here) for key, one in ready.items()}
    monkeypatch.setattr(sweeps, "measure", lookup)
    monkeypatch.setattr(sweeps, "build_recipe", lambda *arguments, **options: None)
    monkeypatch.setattr(sweeps, "environment", lambda *arguments: here)
    shapes = [Shape(Model.of(llm, tokens), batch) for llm, tokens, batch in ready]
    options: dict[str, Any] = {"sweep": sweeps.sweep, "keep": tmp_path / "kept", "precision": "bf16", "device": "cpu"}
    with pytest.raises(KeyboardInterrupt):
        take(shapes, Workload(50, 16), **options)
    assert len(read_folder(tmp_path / "kept")) == 2
    limit = 100
    found = take(shapes, Workload(50, 16), **options)
    assert asked == list(ready)
    assert [one.samples for one in found] == [one.samples for one in ready.values()]
    assert sorted(calibrate(read_folder(tmp_path / "kept")).shapes, key=str) == sorted(calibrate(found).shapes, key=str)
    here["driver"] = "999"
    with pytest.raises(InputError, match=r"measured with driver 570\.86\.15, here it is 999"):
        take(shapes, Workload(50, 16), **options)


def test_folders_that_hold_no_measurements(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no measurements"):
        read_folder(tmp_path)
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.json is not a measurement"):
        read_folder(tmp_path)


# ---- the verb ------------------------------------------------------------------------------------------------------


def test_from_a_folder(card: Hardware, tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    for number, one in enumerate(made(card, **FEW)):
        one.save(folder / f"{number}.json")
    target = tmp_path / "my.json"
    done = run("calibrate", "-o", target, "--from", folder)
    assert done.code == 0
    assert "wrote" in done.err
    assert "my.calibration.json" in done.err
    words = " ".join(done.out.split())
    assert "fitted to 12 shapes of Qwen2.5-0.5B, Qwen2.5-7B" in words
    assert "Fewer visual tokens" in words or "fewer visual tokens" in words
    assert max(map(len, done.out.splitlines())) <= 80
    assert run("calibrate", "-o", target, "--from", folder).complaint.startswith(f"{target} already exists")
    content = run("calibrate", "-o", target, "--from", folder, "--force", "--json").json
    assert content["calibration"]["errors"]["tpot"]["left_out"]["median"] < 0.1
    assert {answer["question"] for answer in content["answers"]} == {"fewer_tokens", "where_time_goes", "full_batch"}
    assert run("hardware", target).code == 0
    assert "ends in .json" in run("calibrate", "-o", tmp_path / "my-gpu", "--from", folder).complaint
    both = run("calibrate", "-o", tmp_path / "b.json", "--from", folder, "--keep", folder)
    assert both.complaint.startswith("--from reads measurements and --keep writes them")


@pytest.mark.slow
def test_an_interrupted_calibration_goes_on(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, card: Hardware
) -> None:
    """Without --keep too: finished measurements lie beside the profile until that is written."""
    pytest.importorskip("torch")
    from planner.bench import load
    from planner.bench import sweep as sweeps
    from planner.bench.sensors import Disturbance

    ready = {(one.model.llm, one.model.visual_tokens, one.batch): one for one in made(card, precision="fp32", **FEW)}
    here = dict(next(iter(ready.values())).environment) | {"precision": "fp32", "mode": "eager"}
    asked: list[int] = []
    limit = 3

    def lookup(model: Any, recipe: Any, workload: Workload, *, batch: int, **options: Any) -> Measurement:
        if len(asked) == limit:
            raise KeyboardInterrupt
        asked.append(batch)
        return replace(ready[recipe.llm.name, recipe.visual_tokens, batch], environment=here)

    monkeypatch.setattr(sweeps, "measure", lookup)
    monkeypatch.setattr(sweeps, "build_recipe", lambda *arguments, **options: None)
    monkeypatch.setattr(sweeps, "environment", lambda *arguments: here)
    monkeypatch.setattr(
        "planner.bench.ceilings.measure_ceilings", lambda *arguments, **options: Ceilings(7e14, 2.8e12, 2.9e12)
    )
    monkeypatch.setattr("planner.vlm.build.free_bytes", lambda place: None)
    seen = [Disturbance(others_cores=1.5, cores=2)]
    monkeypatch.setattr(load, "look", lambda *arguments: load.Load(seen[-1], 1.6))
    target, folder = tmp_path / "my-gpu.json", tmp_path / "my-gpu.unfinished"
    command = ("calibrate", "-o", target, "--llms", "Qwen2.5-0.5B,Qwen2.5-7B", "--visual-tokens", "1,144,576",
               "--batch", "1,16", "--query-tokens", 50, "--generated-tokens", 16, "--vision", TOWER, "--device",
               "cpu")  # fmt: skip
    busy = run(*command)
    assert busy.code == 3 and "this machine is busy: other programs kept 1.5 cores busy (load 1.6" in busy.complaint
    assert "say --allow-unstable" in busy.complaint and not asked
    told = run(*command, "--allow-unstable")
    assert told.code == 130 and "warning: this machine is busy" in told.err
    seen.append(Disturbance(others_cores=0.0, cores=2))
    assert "3 finished measurements are kept in" in told.err and "to go on there: vlm-planner calibrate" in told.err
    assert len(read_folder(folder)) == 3
    (folder / "notes.txt").write_text("mine")
    limit = 100
    done = run(*command)
    assert done.code == 0, done.err
    assert f"going on with 3 measurements in {folder}, taken 2025-11-26" in done.err
    assert len(asked) == 12, "nothing was measured twice"
    assert [file.name for file in folder.iterdir()] == ["notes.txt"], "what others put there stays"
    assert len(Calibration.load(target).shapes) == 12


def test_unstable_measurements_are_refused(card: Hardware, tmp_path: Path, run: Run) -> None:
    """More than half of them: exit code 3, and --allow-unstable fits them all the same."""
    disturbed = replace(made(card, **FEW)[0].samples["prefill"], waited=0.5)
    for number, one in enumerate(made(card, **FEW)):
        samples = {**one.samples, "prefill": replace(disturbed, seconds=one.samples["prefill"].seconds)}
        one = replace(one, samples=samples) if number < 7 else one
        one.save(tmp_path / f"{number}.json")
    done = run("calibrate", "-o", tmp_path / "my.json", "--from", tmp_path)
    assert done.code == 3 and done.complaint.startswith("7 of 12 measurements are unstable, such as: other programs")
    assert done.complaint.endswith("or say --allow-unstable")
    assert run("calibrate", "-o", tmp_path / "my.json", "--from", tmp_path, "--allow-unstable").code == 0


@pytest.mark.slow
def test_from_models_that_run(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny models are built, measured and fitted; nothing is asserted of the times but that they are there."""
    pytest.importorskip("torch")
    from vlm.tiny import llm_config, tower_config

    from planner.bench import ceilings
    from planner.bench import measure as measuring

    known = Ceilings(1e11, 2e10, 2e10, FewRows((1, 2, 64), (1.0, 2.0, 4.0)))
    for module in (ceilings, measuring):
        monkeypatch.setattr(module, "measure_ceilings", lambda *arguments, **options: known)
    for name, config in (("small", llm_config()), ("tower", tower_config())):
        config.save_pretrained(tmp_path / name)
    options: Sequence[object] = (
        "--llm-config", tmp_path / "small", "--vision", tmp_path / "tower" / "config.json",
        "--visual-tokens", "1,36", "--batch", "1,2", "--query-tokens", 4, "--generated-tokens", 2,
        "--seconds", 0.01, "--keep", tmp_path / "kept", "--device", "cpu", "--json", "--retakes", 0,
        "--allow-unstable",
    )  # fmt: skip
    done = run("calibrate", "-o", tmp_path / "my.json", *options)
    assert "measuring 4 shapes on cpu, fp32, eager" in done.err
    content = done.json
    assert [one["llm"] for one in content["calibration"]["shapes"]] == ["small"] * 4
    assert all(one["measured_s"].keys() >= {"encoder", "ttft", "tpot"} for one in content["calibration"]["shapes"])
    assert len(list((tmp_path / "kept").iterdir())) == 4
    profile = Hardware.load(tmp_path / "my.json")
    assert profile.efficiency.source == "calibrated"
    assert profile.efficiency.few_rows == {"fp32": known.few_rows}
    again = run("calibrate", "-o", tmp_path / "again.json", *options)
    assert again.json["calibration"]["shapes"] == content["calibration"]["shapes"]


def test_what_was_disturbed_is_never_weighted_fully(card: Hardware) -> None:
    """A third of the decode steps twice as slow because a core was waited for: said so, they hardly move the fit."""
    quiet = made(card, noise=0.01, **FEW)

    def slowed(waited: float | None) -> list[Measurement]:
        found = []
        for place, one in enumerate(quiet):
            samples = dict(one.samples)
            for name in ("decode_step", "tpot") if place % 3 == 0 else ():
                own = samples[name]
                samples[name] = replace(own, seconds=tuple(2 * value for value in own.seconds), waited=waited)
            found.append(replace(one, samples=samples))
        return found

    known = calibrate(quiet).hardware.efficiency.matmul_bandwidth
    said, kept_quiet = (calibrate(slowed(waited)).hardware.efficiency.matmul_bandwidth for waited in (0.5, None))
    assert abs(said / known - 1) < 0.5 * abs(kept_quiet / known - 1)
    assert said == pytest.approx(known, rel=0.1)


def test_the_rest_of_a_disturbed_measurement_is_doubted_too(card: Hardware) -> None:
    one = made(card, noise=0.0, llms=("Qwen2.5-0.5B",), visual_tokens=(1,), batches=(1,))[0]
    assert {disturbance(one, stage) for stage in LATENCY_STAGES} == {0.0}
    samples = {**one.samples, "prefill": replace(one.samples["prefill"], waited=0.5)}
    shaken = replace(one, samples=samples)
    assert not shaken.stable
    assert disturbance(shaken, "prefill") == 1.0
    assert disturbance(shaken, "decode_step") == BESIDE
    spread = replace(one.samples["prefill"], seconds=(1.0, 1.0, 1.3, 1.6, 1.6))
    assert disturbance(replace(one, samples={**one.samples, "prefill": spread}), "prefill") == spread.spread > DISTURBED
