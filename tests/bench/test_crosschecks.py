"""Times that contradict each other: decided on recorded ones; what is unstable is taken again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from bench.parts import made_up

from planner.bench.crosschecks import CEILINGS, Probe, ceilings_again, crosschecked, disagreements
from planner.bench.keeping import kept_or_taken
from planner.bench.measurement import Measurement
from planner.bench.probes import probe
from planner.bench.retakes import settled, steadied
from planner.bench.samples import Samples

FAST = Probe(1e-3, 1e-2)


def around(seconds: float, noise: float = 0.02) -> Samples:
    """Nine samples whose median is known within the noise."""
    return Samples(tuple(seconds * (1 + noise * step / 3) for step in (0, 3, -3, 1, -1, 2, -2, 4, -4)))


@pytest.mark.parametrize(
    ("step_s", "tpot_s", "noise", "doubted"),
    [
        (0.0633, 0.0633, 0.0, None),
        (0.0958, 0.0633, 0.0, "decode_step"),
        (0.0633, 0.0958, 0.0, "tpot"),
        (0.0690, 0.0633, 0.0, None),
        (0.0730, 0.0633, 0.01, "decode_step"),
        (0.0730, 0.0633, 0.05, None),
        (0.00030, 0.00015, 0.0, None),
    ],
    ids=[
        "alike",
        "slow step",
        "slow requests",
        "within 10 %",
        "beyond noise",
        "noise",
        "picking a token",
    ],
)
def test_a_decode_step_beside_its_tpot(step_s: float, tpot_s: float, noise: float, doubted: str | None) -> None:
    samples = {"decode_step": around(step_s, noise), "tpot": around(tpot_s, noise)}
    assert set(disagreements(samples)) == ({doubted} if doubted else set())


def test_words_of_a_disagreement() -> None:
    samples = {"decode_step": around(0.0958, 0.0), "tpot": around(0.0633, 0.0)}
    assert disagreements(samples) == {"decode_step": ("decode step 95.8 ms and TPOT 63.3 ms disagree by 51 %",)}


def test_stages_beside_their_sum() -> None:
    stages = {"encoder": around(0.1, 0), "compressor": around(0.01, 0), "query_pass": around(0.03, 0)}
    stages["prefill"] = around(0.06, 0)
    assert not disagreements({**stages, "ttft": around(0.21, 0)})
    assert disagreements({**stages, "ttft": around(0.25, 0)}) == {
        "ttft": ("sum of the stages 200 ms and TTFT 250 ms disagree by 25 %",)
    }
    assert set(disagreements({**stages, "ttft": around(0.16, 0)})) == {"encoder"}, "the longest of its stages"
    assert not disagreements({"ttft": around(0.2)}), "nothing beside it"


def test_the_device_before_and_after() -> None:
    assert not disagreements({}, (FAST, replace(FAST, copy_s=1.14e-2)))
    slow = disagreements({}, (FAST, replace(FAST, copy_s=2e-2)))
    assert slow == {CEILINGS: ("one copy before 10 ms and after all stages 20 ms disagree by 100 %",)}
    found = replace(made_up(), probes=(FAST, Probe(2e-3, 1e-2)))
    assert not found.stable and "times of the same work differ" in found.advice[0]


def test_a_hog_that_came_and_went_shows_in_the_other_shapes() -> None:
    """One encoder at 82 and 103 ms in two shapes; one copy twice as long throughout a third."""
    first, second = (made_up({"encoder": one, "ttft": one + 6e-3}, model={"visual_tokens": n}) for one, n in
                     ((0.082, 4), (0.103, 9)))  # fmt: skip
    third = replace(made_up({"encoder": 0.084, "ttft": 0.09}), probes=(Probe(1e-3, 2e-2),) * 2)
    found = crosschecked([first, second, replace(third, batch=2), replace(first, probes=(FAST, FAST))])
    assert [sorted(one.doubts) for one in found] == [[], ["encoder"], ["copy rate"], []]
    assert found[1].complaints["encoder"] == (
        "the encoder takes 103 ms, in another shape 82 ms: they disagree by 26 %",
    )
    assert not found[1].stable and found[0].stable
    assert crosschecked(found) == found, "checked again it says the same"
    assert crosschecked([found[1]])[0].doubts == {}, "alone nothing contradicts it"
    assert Measurement.from_dict(found[1].to_dict()) == found[1]


def test_one_fast_copy_is_no_evidence_against_all_others() -> None:
    """Memory in large pages copies twice as fast: the usual copy is right, what takes longer than that is doubted."""
    fast, slow = Probe(1e-3, 5e-3), Probe(1e-3, 2e-2)
    taken = [replace(made_up(), probes=(one, one)) for one in (FAST, FAST, fast, FAST, slow)]
    assert [sorted(one.doubts) for one in crosschecked(taken)] == [[], [], [], [], ["copy rate"]]
    assert [sorted(one.doubts) for one in crosschecked(taken[2:4])] == [[], ["copy rate"]], "of two nothing is usual"


def test_ceilings_again_at_the_end() -> None:
    """A run whose device got slower is doubted, all of it; what is checked across shapes leaves that doubt alone."""
    start = made_up()
    steady = ceilings_again([start], replace(start.ceilings, copy_bytes_per_s=0.9 * start.ceilings.copy_bytes_per_s))
    assert steady == (start,)
    (slow,) = ceilings_again([start], replace(start.ceilings, copy_bytes_per_s=0.5 * start.ceilings.copy_bytes_per_s))
    assert slow.doubts == {CEILINGS: ("copy rates of the device at the start and at the end disagree by 100 %",)}
    assert not slow.stable and crosschecked([slow]) == (slow,)


def test_other_work_may_take_other_times() -> None:
    alike = made_up({"encoder": 0.082, "ttft": 0.088})
    slow = made_up({"encoder": 0.2, "ttft": 0.206})
    for other in (
        replace(slow, batch=2),
        replace(slow, mode="static"),
        replace(slow, workload=replace(slow.workload, images=2)),
        replace(slow, model=replace(slow.model, vision="SigLIP2-B/16-224")),
        replace(slow, model=replace(slow.model, precision="fp32")),
    ):
        assert all(not one.doubts for one in crosschecked([alike, other]))


def test_a_probe_takes_time_that_is_no_nonsense() -> None:
    found = probe(torch.device("cpu"), torch.float32)
    assert 1e-6 < found.matmul_s < 10 and 1e-6 < found.copy_s < 10


# ---- taken again -----------------------------------------------------------------------------------------------------

STABLE = made_up()
WAITED = replace(STABLE.samples["prefill"], waited=0.5)
UNSTABLE = replace(STABLE, samples={**STABLE.samples, "prefill": WAITED})
WORSE = replace(UNSTABLE, samples={**UNSTABLE.samples, "encoder": replace(STABLE.samples["encoder"], waited=0.5)})


def takes(*found: Measurement) -> Iterator[Measurement]:
    yield from found
    pytest.fail("one take too many")


@pytest.mark.parametrize(
    ("found", "retakes", "expected"),
    [
        ((STABLE,), 2, STABLE),
        ((UNSTABLE, STABLE), 2, replace(STABLE, takes=2)),
        ((WORSE, UNSTABLE, WORSE), 2, replace(UNSTABLE, takes=3)),
        ((UNSTABLE,), 0, UNSTABLE),
    ],
    ids=["stable", "the second one", "the steadiest", "none"],
)
def test_an_unstable_measurement_is_taken_again(
    found: tuple[Measurement, ...], retakes: int, expected: Measurement
) -> None:
    more = takes(*found)
    assert steadied(lambda: next(more), retakes) == expected


def test_what_contradicts_the_others_is_taken_again() -> None:
    slow = made_up({"encoder": 8e-3, "ttft": 14e-3})
    asked: list[int] = []

    def again(place: int) -> Measurement:
        asked.append(place)
        return STABLE if len(asked) == 2 else slow

    found = settled([STABLE, slow], again, 2)
    assert asked == [1, 1] and found == (STABLE, replace(STABLE, takes=3))
    kept = settled([STABLE, slow], lambda place: slow, 1)
    assert not kept[1].stable and kept[1].doubts and kept[1].takes == 2, "kept, and marked"


def test_an_unstable_file_does_not_stay_for_ever(tmp_path: Path) -> None:
    """A finished take lies on disk before the next one begins; a later run replaces what is unstable."""
    file = tmp_path / "one.json"
    seen: list[bool] = []

    def take() -> Measurement:
        seen.append(file.exists())
        return UNSTABLE

    assert kept_or_taken(file, None, take, 1).takes == 2
    assert seen == [False, True] and Measurement.load(file).takes == 2
    kept = Measurement.load(file)
    assert kept_or_taken(file, kept, lambda: STABLE, 2) == replace(STABLE, takes=3)
    assert Measurement.load(file).stable
    assert kept_or_taken(file, Measurement.load(file), lambda: pytest.fail("it is stable"), 2).takes == 3
