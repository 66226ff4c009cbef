"""Counters of a GPU, read from a made NVML."""

import time

import pytest
import torch
from bench.nvml import CARD, Nvml, gpu

from planner.bench.clock import Clock, Sampling
from planner.bench.meters import ClockWatch, Gpu


def test_time_held_down_by_fields_and_by_violations():
    assert gpu(Nvml(fields={74: 2_500_000_000, 75: 0})).held_down_s() == {"its power limit": 2.5, "heat": 0.0}
    assert gpu(Nvml(violations={0: 10**9, 1: 3 * 10**9})).held_down_s() == {"its power limit": 1.0, "heat": 3.0}
    assert gpu(Nvml()).held_down_s() is None
    assert Gpu(CARD, counters=(None, None)).held_down_s() is None


@pytest.mark.parametrize(("held_ms", "said"), [(0, ()), (0.1, ()), (50, ("its power limit",))])
def test_limits_of_the_time_between_are_seen_when_idle_again(held_ms, said):
    nvml = Nvml(fields={74: 7_000_000_000, 75: 9_000_000_000}, reasons=0)
    watch = ClockWatch(gpu(nvml))
    time.sleep(0.05)
    nvml.fields[74] += int(held_ms * 1e6)
    assert watch.limits() == said


def test_what_held_the_clocks_before_is_none_of_it():
    nvml = Nvml(fields={74: 7_000_000_000}, reasons=4)  # the limit binds at this very moment, and not in between
    assert ClockWatch(gpu(nvml)).limits() == ()


def test_without_counters_two_moments_are_read():
    nvml = Nvml(reasons=4)
    watch = ClockWatch(gpu(nvml))
    nvml.reasons = 0
    assert watch.limits() == ("its power limit",)
    assert ClockWatch(gpu(Nvml())).limits() == ()
    assert ClockWatch(None).limits() == ()


def test_samples_say_what_lowered_the_clocks():
    nvml = Nvml(fields={74: 0, 75: 0})

    def heat():
        time.sleep(0.005)
        nvml.fields[75] += 5_000_000

    sampling = Sampling(Clock(torch.device("cpu")), 0.02, gpu(nvml))
    sampling.sample(heat)
    assert sampling.samples().throttled == ("heat",)
