"""Memory of the process, and seconds in which a model was built."""

import time
from dataclasses import replace
from pathlib import Path

import psutil
from bench.parts import made_up

from planner.bench import process
from planner.bench.measurement import Measurement, ProcessUse
from planner.bench.tidy import rows
from planner.tell.measurement import measurement_story
from planner.tell.render import as_text
from planner.vlm.build_time import build_seconds, watched


def test_the_peak_is_what_the_system_says(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("VmPeak:\t 900 kB\nVmHWM:\t   1234 kB\nVmRSS:\t 1000 kB\n")
    assert process.peak_bytes(status) == 1234 * 1024
    assert (process.peak_bytes() or 0) >= psutil.Process().memory_info().rss
    status.write_text("VmRSS:\t 1000 kB\n")
    other = process.peak_bytes(status) or 0  # by getrusage
    assert abs(other / (process.peak_bytes() or 0) - 1) < 0.05


def test_memory_that_is_given_back_stays_in_the_peak() -> None:
    before = psutil.Process().memory_info().rss
    held = bytearray(b"x") * 50_000_000
    size = len(held)
    del held
    assert (process.peak_bytes() or 0) >= before + 0.9 * size


def test_how_long_a_model_took() -> None:
    class Model:
        pass

    @watched
    def build(seconds: float) -> Model:
        time.sleep(seconds)
        return Model()

    model = build(0.05)
    assert 0.05 <= (build_seconds(model) or 0) < 0.5
    assert build_seconds(Model()) is None


def test_files_and_pages_hold_them() -> None:
    one = replace(made_up(), process=ProcessUse(3 * 2**30, 12.5))
    again = Measurement.from_dict(one.to_dict())
    assert again.process == one.process
    text = as_text(measurement_story(one), ".md")
    assert "model built in 12.5 s, peak memory of the process on the host 3 GiB" in text
    assert "process" not in made_up().to_dict()
    assert {row["quantity"]: row["value"] for row in rows([one])}["build_s"] == 12.5
    assert not {"build_s", "process_peak_bytes"} & {row["quantity"] for row in rows([made_up()])}
