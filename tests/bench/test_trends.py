"""Trends in what a calibration leaves over: a planted wrong form is caught, and a right one is let be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bench.made import made
from bench.test_calibrate import PLANTED

from planner.bench.calibrate import calibrate
from planner.bench.calibration.result import Calibration
from planner.bench.measurement import Ceilings
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.hardware.few_rows import FewRows

TABLE = FewRows((1, 2, 3, 4, 8, 16, 32), (1.0, 2.05, 2.9, 1.6, 1.75, 2.1, 2.9))
"""Of a library that runs two and three rows as vector products."""
WITH, WITHOUT = (Ceilings(7e14, 2.8e12, 2.9e12, one) for one in (TABLE, None))
SHAPES: dict[str, Any] = {"batches": (1, 2, 4), "visual_tokens": (1, 144, 576), "workload": Workload(50, 16)}


@pytest.fixture(scope="module")
def card() -> Hardware:
    return replace(find_hardware("h100-sxm"), efficiency=replace(PLANTED, few_rows={"bf16": TABLE}))


def long_cache(card: Hardware, **options: Any) -> list[Any]:
    """Decode steps behind 16 thousand tokens, so that the cache can be told."""
    return made(card, visual_tokens=(1,), batches=(1, 4), workload=Workload(50, 16, cached_tokens=16_000), **options)


def parameter(found: Calibration, name: str) -> Any:
    return next(one for one in found.parameters if one.name == name)


def test_a_wrong_form_is_caught(card: Hardware) -> None:
    """The batch effect of the planted table, which a fit without it puts into other numbers of the decode step."""
    for seed in range(2):
        found = calibrate(made(card, **SHAPES, ceilings=WITHOUT, seed=seed))
        steps = [one for one in found.trends if one.stage == "decode_step"]
        assert {"batch", "language model"} & {one.along for one in steps}
        assert max(one.factor for one in steps) > 1.1
        for name in ("cache_bandwidth", "matmul_bandwidth", "cache_overhead_s"):
            assert not parameter(found, name).identified, name
        low, high = (getattr(parameter(found, "cache_bandwidth"), end) for end in ("low", "high"))
        assert low < PLANTED.cache_bandwidth < high
        assert any("decode step: predicted over measured is" in note for note in found.notes)


def test_the_right_form_has_no_trend_and_is_identified(card: Hardware) -> None:
    for seed in range(1):
        shapes = made(card, **SHAPES, ceilings=WITH, seed=seed) + long_cache(card, ceilings=WITH, seed=seed + 50)
        found = calibrate(shapes)
        assert found.trends == ()
        for name in ("cache_bandwidth", "matmul_bandwidth"):
            one = parameter(found, name)
            assert one.identified, name
            # a third: 3 % of noise, where reading the cache is a tenth of most decode steps
            assert one.value == pytest.approx(getattr(PLANTED, name), rel=0.33), name


def test_a_cache_that_takes_over_the_batch_is_not_called_identified() -> None:
    """Decode steps of a processor: reading the cache alone explains that batch 4 takes longer than batch 1, with a
    narrow interval, unless somebody asks whether the residuals go with the batch."""
    cpu = Hardware(
        name="cpu",
        title="a processor",
        flops_per_s={"fp32": 2.2e11},
        memory_bytes=2**35,
        bandwidth_bytes_per_s=9e10,
        source={"flops_per_s": "measured", "bandwidth_bytes_per_s": "measured"},
        efficiency=replace(
            PLANTED,
            matmul_compute=0.95,
            matmul_bandwidth=0.2,
            cache_bandwidth=0.5,
            overlap=1.0,
            few_rows={"fp32": TABLE},
        ),
    )
    options: dict[str, Any] = {
        "llms": ("SmolLM2-135M", "SmolLM2-360M", "Qwen2.5-0.5B"),
        "visual_tokens": (1, 4, 36, 144),
        "batches": (1, 4),
        "precision": "fp32",
        "workload": Workload(50, 6),
        "device_type": "cpu",
        "device": "a processor",
    }
    peaks = (2.2e11, 9e10, 9e10)
    wrong = calibrate(made(cpu, **options, ceilings=Ceilings(*peaks)))
    cache = parameter(wrong, "cache_bandwidth")
    assert cache.value < 0.1 * 0.5
    assert any((one.stage, one.along) == ("decode_step", "batch") for one in wrong.trends)
    assert not cache.identified
    right = calibrate(made(cpu, **options, ceilings=Ceilings(*peaks, TABLE)))
    assert right.trends == ()
    assert right.errors("left_out", "tpot").median < 0.04  # type: ignore[union-attr]
    assert wrong.errors("left_out", "tpot").median > 0.08  # type: ignore[union-attr]


@pytest.mark.slow
def test_noise_alone_is_no_trend(card: Hardware) -> None:
    """Calibrations of a right form: none finds a trend, where chance leaves one in a thousand."""
    found = [calibrate(made(card, **SHAPES, ceilings=WITH, noise=0.06, seed=seed)).trends for seed in range(4)]
    assert found == [()] * 4


def test_trends_are_kept(card: Hardware, tmp_path: Any) -> None:
    found = calibrate(made(card, **SHAPES, ceilings=WITHOUT))
    _, record = found.save(tmp_path / "mine.json")
    back = Calibration.load(record)
    assert back.trends == found.trends != ()
    strongest = back.trends[0]
    assert len(strongest.levels) == len(strongest.ratios) >= 2
    assert np.log(strongest.factor) == pytest.approx(np.ptp(np.log(strongest.ratios)))
    assert str(strongest) in found.notes
