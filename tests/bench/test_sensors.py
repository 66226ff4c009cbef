"""What disturbs a measurement: decided on recorded counters, and seen of real programs that take cores and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from planner.base.errors import MeasurementError
from planner.bench.clock import Clock, Sampling, Task, take
from planner.bench.load import Load, look, refuse_load
from planner.bench.sensors import Disturbance, Reading, Sensors

QUIET = Reading(at_s=0.0, threads={"1": (0, 0)}, stalled_us=dict.fromkeys(("cpu", "memory", "io"), 0), busy_s=10.0,
                stolen_s=1.0, own_s=5.0, cores=2)  # fmt: skip
LATER = replace(QUIET, at_s=1.0, threads={"1": (10**9, 10**7)}, busy_s=11.02, own_s=6.0)
"""After a second in which this process kept one core busy and a daemon took 20 ms."""


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, []),
        ({"threads": {"1": (10**9, 10**8), "2": (0, 0)}}, ["waited for a core 9 %"]),
        ({"threads": {"1": (10**9, 10**7), "9": (10**9, 10**9)}}, ["waited for a core 34 %"]),
        ({"busy_s": 12.0}, ["other programs kept 1 core busy"]),
        ({"busy_s": 11.5}, ["other programs kept 0.5 cores busy"]),
        ({"busy_s": 11.15}, []),
        ({"stolen_s": 1.1}, ["the hypervisor took 5 %"]),
        ({"stolen_s": 1.03}, []),
        ({"stalled_us": {"cpu": 300_000, "memory": 0, "io": 0}}, ["tasks stood still for a core 30 %"]),
        ({"stalled_us": {"cpu": 0, "memory": 30_000, "io": 0}}, ["memory was short 3 %"]),
        ({"stalled_us": {"cpu": 0, "memory": 0, "io": 200_000}}, ["storage was waited for 20 %"]),
        ({"stalled_us": {"cpu": 80_000, "memory": 5_000, "io": 80_000}}, []),
        ({"busy_s": 12.0, "stalled_us": {"cpu": 900_000}}, ["other programs kept 1 core busy"]),
    ],
)
def test_what_recorded_counters_say(changed: dict[str, object], words: list[str]) -> None:
    found = replace(LATER, **changed).since(QUIET).complaints()  # type: ignore[arg-type]
    assert len(found) == len(words) and all(word in text for word, text in zip(words, found, strict=True)), found


def test_many_cores_have_many_daemons() -> None:
    assert Disturbance(others_cores=1.5, cores=128).complaints() == ()
    assert Disturbance(others_cores=3.0, cores=128).complaints() == ("other programs kept 3 cores busy",)


def test_what_a_system_does_not_tell_is_not_known() -> None:
    bare = Reading(at_s=1.0).since(Reading(at_s=0.0))
    assert bare.complaints() == () and bare.unknown == Disturbance.NAMES
    short = replace(LATER, at_s=0.1).since(QUIET)
    assert short.others_cores is None and short.stolen is None, "ticks of 10 ms say nothing of a tenth of a second"
    assert "not known here: stalls, steal, other programs" in str(Load(bare, load_1min=0.1))


def test_the_worst_of_several_readings() -> None:
    seen = Disturbance.worst(None, Disturbance(waited=0.1, cores=2), Disturbance(waited=0.3, stolen=0.0), None)
    assert seen == Disturbance(waited=0.3, stolen=0.0, cores=2)


def test_counters_as_linux_writes_them(tmp_path: Path) -> None:
    (tmp_path / "pressure").mkdir()
    (tmp_path / "self" / "task" / "7").mkdir(parents=True)
    (tmp_path / "stat").write_text(
        "cpu  100 20 30 4000 5 6 7 8 0 0\ncpu0 50 10 15 2000 2 3 3 4 0 0\ncpu1 50 10 15 2000 3 3 4 4 0 0\nctxt 9\n"
    )
    (tmp_path / "loadavg").write_text("0.50 0.40 0.30 3/120 4711\n")
    (tmp_path / "self" / "task" / "7" / "schedstat").write_text("700 30 2\n")
    (tmp_path / "pressure" / "cpu").write_text(
        "some avg10=4.18 avg60=1.47 avg300=2.15 total=2488\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    )
    sensors = Sensors(tmp_path)
    found, ticks = sensors.read(), os.sysconf("SC_CLK_TCK")
    assert (found.threads, found.stalled_us, found.cores) == ({"7": (700, 30)}, {"cpu": 2488}, 2)
    assert (found.busy_s, found.stolen_s) == (pytest.approx(163 / ticks), pytest.approx(8 / ticks))
    assert sensors.running() == 2
    (tmp_path / "stat").write_text("cpu  many\n")
    assert sensors.read().stolen_s is None and sensors.read().busy_s is not None, "psutil tells what is left"
    assert Sensors(tmp_path / "nowhere").running() is None


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (Load(LATER.since(QUIET), 0.1, 0), None),
        (
            Load(replace(LATER, busy_s=12.5).since(QUIET), 1.4, 3),
            "1.5 cores busy (load 1.4 on 2 cores, 3 tasks running)",
        ),
        (Load(Disturbance(cores=4), 3.9), "3.9 tasks ran in the last minute on 4 cores"),
        (Load(Disturbance(cores=4), 0.9), None),
        (Load(Disturbance(others_cores=0.0, cores=4), 3.9), None),
        (Load(Disturbance(others_cores=3.0, cores=4), gpu=0.0, on_gpu=True), None),
        (Load(Disturbance(), gpu=0.5, on_gpu=True), "kept the GPU busy 50 % of the time"),
    ],
    ids=["quiet", "other programs", "blind and loaded", "blind and idle", "loaded before", "host of a GPU", "GPU"],
)
def test_a_busy_machine_is_refused(load: Load, said: str | None) -> None:
    assert load.busy == (said is not None)
    if said is None:
        refuse_load(load, "a calibration", "go on")
        return
    with pytest.raises(MeasurementError, match=r"this machine is busy: .*a calibration would be wrong") as caught:
        refuse_load(load, "a calibration", "go on")
    assert said in str(caught.value) and caught.value.exit_code == 3


# ---- real programs ---------------------------------------------------------------------------------------------------

SPIN = "while True: pass"
STREAM = "import numpy; a = numpy.ones(2**25); b = a.copy()\nwhile True: numpy.copyto(b, a)"
KNOWN = Sensors().read()


@contextmanager
def hogs(program: str, count: int) -> Iterator[None]:
    """So many processes of a program, running."""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(count)]
    try:
        time.sleep(0.5)  # until they have begun
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def busy_work(turn: int) -> None:
    """A tenth of a second of one core."""
    end = time.perf_counter() + 0.1
    while time.perf_counter() < end:
        pass


@pytest.mark.skipif(KNOWN.threads is None, reason="this system does not tell how long threads waited")
def test_a_hog_on_the_cores_is_caught() -> None:
    """More programs than cores: this process must wait, and the samples say so, each and together."""
    with hogs(SPIN, 2 * (os.cpu_count() or 1)):
        load = look(seconds=0.5)
        found = take(Task(busy_work), Clock(torch.device("cpu")), 1.0)
    assert load.busy, load
    assert found.waited is not None and found.waited > 0.05 and len(found.hit) > len(found.seconds) / 2
    assert any("waited for a core" in text for text in found.complaints())


@pytest.mark.skipif(KNOWN.busy_s is None, reason="this system does not tell what other programs take")
def test_a_hog_of_memory_bandwidth_is_caught() -> None:
    """One program that copies, on a core of its own: nobody waits for a core, and it is seen all the same."""
    with hogs(STREAM, 1):
        load = look(seconds=0.5)
        found = take(Task(busy_work), Clock(torch.device("cpu")), 1.0)
    assert load.host.others_cores is not None and load.host.others_cores > 0.5 and load.busy
    assert found.host is not None and found.host.others_cores is not None and found.host.others_cores > 0.3
    assert any("other programs kept" in text for text in found.complaints())


# ---- how many samples ------------------------------------------------------------------------------------------------


class Played:
    """A clock that tells recorded seconds."""

    on_gpu = False

    def __init__(self, seconds: list[float]) -> None:
        self.seconds = iter(seconds)

    def time(self, work: object) -> float:
        return next(self.seconds)


def sampled(seconds: list[float], monkeypatch: pytest.MonkeyPatch, limit_s: float, within: float = 0.03) -> int:
    """How many samples are taken of these, each of which takes a tenth of a second."""
    now = [0.0]
    monkeypatch.setattr("planner.bench.clock.time.perf_counter", lambda: now[0])
    sampling = Sampling(Played(seconds), limit_s, within=within, sensors=Still())  # type: ignore[arg-type]
    while sampling.more():
        sampling.sample(lambda: None)
        now[0] += 0.1
    return len(sampling.taken)


class Still(Sensors):
    """Of a machine on which nothing happens."""

    def read(self) -> Reading:
        return Reading(at_s=0.0)

    glance = read


def test_seven_samples_and_on_until_the_median_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    even, wide = [1.0, 1.01, 0.99] * 99, [1.0, 1.2] * 150
    assert sampled(even, monkeypatch, 10.0) == 7
    assert sampled(even, monkeypatch, 0.1) == 7, "seven however little time there is"
    assert sampled([*even[:6], 2.0, *even], monkeypatch, 10.0) == 9, "one stray sample costs two more"
    assert sampled(wide, monkeypatch, 1.5) == 15, "the time is over"
    assert sampled(wide, monkeypatch, 10.0, within=0.25) == 7
    assert sampled(wide, monkeypatch, 1e9) == 200


def test_samples_that_were_disturbed_are_counted() -> None:
    class Waiting(Sensors):
        """Threads that wait in every second glance."""

        def __init__(self) -> None:
            self.turn, self.waited = 0, 0

        def read(self) -> Reading:
            return Reading(at_s=0.0, threads={"1": (self.turn * 10**9, self.waited)})

        def glance(self) -> Reading:
            self.turn += 1
            self.waited += 10**8 if self.turn % 4 == 0 else 0
            return self.read()

    sampling = Sampling(Played([1.0] * 9), 0.0, sensors=Waiting())  # type: ignore[arg-type]
    while sampling.more():
        sampling.sample(lambda: None)
    found = sampling.samples()
    assert found.hit == (1, 3, 5) and found.complaints() == ("3 of 7 samples were disturbed",)
