"""What comes before a timed run, and what is timed of it."""

import time

import pytest
import torch

from planner.bench.ceilings import _reached_s
from planner.bench.clock import Clock, Task, take
from planner.bench.counting import driver_peak_bytes
from planner.bench.samples import FEWEST

HOST = torch.device("cpu")


class Logged(Clock):
    """Writes down what it does."""

    def __init__(self):
        super().__init__(HOST)
        self.log = []

    def flush(self):
        super().flush()
        self.log.append("flush")

    def time(self, work):
        self.log.append("time")
        return super().time(work)


@pytest.mark.parametrize("cold", [True, False])
def test_the_cache_is_flushed_ahead_of_each_sample_and_outside_of_it(cold):
    clock = Logged()
    task = Task(
        lambda turn: clock.log.append("work"), lambda calls: clock.log.append("before"), bunches=False, cold=cold
    )
    found = take(task, clock, 1e-9)
    assert len(found.seconds) == FEWEST
    sample = ["before", "flush", "time", "work"] if cold else ["before", "time", "work"]
    assert clock.log[-FEWEST * len(sample) :] == FEWEST * sample
    assert clock.log.count("flush") == FEWEST * cold


def test_a_flush_writes_as_much_as_the_cache_holds(monkeypatch):
    monkeypatch.setattr(Clock, "cache_bytes", 4096)
    clock = Clock(HOST)
    clock.flush()
    clock.flush()
    assert clock._flushed.nbytes == 4096 and not clock._flushed.any()
    assert Clock(torch.device("cpu")).cache_bytes == 4096
    monkeypatch.undo()
    assert Clock(HOST).cache_bytes == 0


def test_the_warm_up_begins_when_all_is_compiled():
    """The first call takes longer than the whole warm-up of a GPU."""

    class Card(Logged):
        def __init__(self):
            super().__init__()
            self.on_gpu = True

        def time(self, work):
            self.log.append("time")
            start = time.perf_counter()
            work()
            return time.perf_counter() - start

    clock = Card()
    take(Task(lambda turn: time.sleep(0.3 if clock.log == ["time"] else 0.01), bunches=False), clock, 1e-9)
    assert clock.log.count("time") - FEWEST >= 3 + 0.2 / 0.02


class Boosting(Clock):
    """A card that takes 1 ms at first, and 1.25 ms once it has run for 0.5 s."""

    def __init__(self):
        super().__init__(HOST)
        self.on_gpu, self.ran_s = True, 0.0

    def laps(self, work, count):
        found = []
        for _ in range(count):
            found.append(1e-3 if self.ran_s < 0.5 else 1.25e-3)
            self.ran_s += found[-1]
        return found

    def time(self, work):
        return self.laps(work, 1)[0]


def test_ceilings_of_a_card_are_what_it_sustains():
    clock = Boosting()
    assert _reached_s(lambda: None, clock, 0.5) == 1.25e-3
    assert 2.0 < clock.ran_s < 3.0
    short = Boosting()
    assert _reached_s(lambda: None, short, 0.05) == 1e-3  # what a burst shows


def test_memory_of_the_driver_is_that_of_the_peak():
    assert driver_peak_bytes(5_000, 300) == 5_300
    assert driver_peak_bytes(None, 300) is None
