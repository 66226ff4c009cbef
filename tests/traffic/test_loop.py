"""The loop against the scheduler written out, its leaps against single steps, and what is conserved."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from traffic.literal import Literal, Sequence
from traffic.planted import Curved, Linear

from planner.traffic.course import Course, Room, Work
from planner.traffic.direct import Direct
from planner.traffic.loop import run
from planner.traffic.times import times_of

ENGINE = Curved(
    step_s=4e-3, row_s=2e-5, context_s=3e-7, pair_s=2e-9, head_s=1e-6, image_s=3e-3, prefill_s=5e-4, window=200.0
)
FREE = Room(sequences=64, tokens=512, chunked=True, blocks=np.inf, block_tokens=16, encoders=1, encode_apart_s=0.0)


@dataclass(frozen=True)
class Setting:
    room: Room
    rate: float
    prompts: tuple[int, int]
    answers: tuple[int, int]
    cached: int = 0
    images: int = 0

    def work(self, count: int = 300, seed: int = 1) -> Work:
        random = np.random.default_rng(seed)
        times = np.cumsum(random.exponential(size=count)) / self.rate

        def draw(least: int, most: int) -> list[int]:
            found: list[int] = random.integers(least, most + 1, count).tolist()
            return found

        return Work(
            times.tolist(), draw(*self.prompts), draw(*self.answers), [self.cached] * count, [self.images] * count
        )


SETTINGS = {
    "free": Setting(FREE, 20.0, (50, 300), (1, 60)),
    "few seats": Setting(replace(FREE, sequences=4), 12.0, (50, 300), (2, 40)),
    "long prompts": Setting(replace(FREE, tokens=64), 6.0, (50, 500), (1, 40)),
    "whole prompts": Setting(replace(FREE, chunked=False, tokens=1024), 20.0, (50, 400), (1, 40)),
    "little KV": Setting(replace(FREE, blocks=60), 14.0, (20, 200), (20, 120)),
    "very little KV": Setting(replace(FREE, blocks=22, tokens=128), 5.0, (20, 150), (40, 160), cached=30),
    "blocks of one": Setting(replace(FREE, blocks=700, block_tokens=1), 14.0, (20, 200), (20, 120)),
    "images": Setting(replace(FREE, tokens=128), 8.0, (100, 400), (5, 30), images=3),
    "images dealt out": Setting(replace(FREE, encoders=2), 8.0, (100, 400), (5, 30), images=3),
    "images computed again": Setting(replace(FREE, blocks=40), 10.0, (100, 200), (20, 120), images=2),
    "cached": Setting(FREE, 20.0, (5, 30), (1, 60), cached=700),
    "ahead": Setting(replace(FREE, ahead=True), 20.0, (50, 300), (1, 60)),
    "ahead, few seats": Setting(replace(FREE, ahead=True, sequences=4), 9.0, (50, 300), (1, 40)),
    "ahead, little KV": Setting(replace(FREE, ahead=True, blocks=60), 14.0, (20, 200), (20, 120)),
}


def ran(setting: Setting, work: Work, *, leap: bool = True, engine: Linear = ENGINE) -> Course:
    room = setting.room
    longest = max(
        s + g + c for s, g, c in zip(work.prompt_tokens, work.generated_tokens, work.cached_tokens, strict=True)
    )
    times = times_of(engine, room.sequences, room.tokens, longest, setting.images)
    return run(work, room, times, leap=leap)


def written_out(setting: Setting, work: Work, engine: Linear = ENGINE) -> tuple[list[Sequence], Literal]:
    room = setting.room
    bounds = (room.sequences, room.tokens, room.chunked, room.blocks, room.block_tokens, room.encoders, room.ahead)
    literal = Literal(engine, *bounds)
    columns = (work.comes_s, work.prompt_tokens, work.generated_tokens, work.cached_tokens, work.images)
    return literal.run([Sequence(*one) for one in zip(*columns, strict=True)]), literal


@pytest.mark.parametrize("name", SETTINGS)
def test_as_the_scheduler_written_out(name: str) -> None:
    setting = SETTINGS[name]
    work = setting.work(120)
    course = ran(setting, work)
    sequences, literal = written_out(setting, work)
    # tables keep 1e-6 of an iteration, and an arrival within that of its end would change what follows
    assert course.first_s == pytest.approx([one.first_s for one in sequences], rel=1e-6)
    assert course.end_s == pytest.approx([one.end_s for one in sequences], rel=1e-6)
    total = course.marks[-1]
    assert total.iterations == len(literal.iterations)
    assert total.preemptions == sum(one.preemptions for one in sequences)
    assert total.prefill_tokens == sum(one.prefill for one in literal.iterations)
    assert total.decode_steps == sum(one.decodes for one in literal.iterations)


def test_small_engines_drawn_at_random_are_the_scheduler_written_out() -> None:
    """Few tokens, blocks and seats: prompts are cut, thrown out and computed again in all combinations."""
    random, preempted = np.random.default_rng(11), 0
    for _ in range(60):
        count, cached = int(random.integers(1, 20)), int(random.integers(0, 10)) * int(random.integers(0, 2))
        prompts, answers = random.integers(1, 40, count), random.integers(1, 30, count)
        images = random.integers(0, 4, count) * int(random.integers(0, 2))
        chunked, block = bool(random.random() < 0.7), int(random.choice([1, 2, 16]))
        longest = int(np.max(prompts + answers))
        least = -(-(cached + longest) // block)
        budget = int(random.integers(1, 60)) if chunked else longest + int(random.integers(0, 20))
        room = Room(
            sequences=int(random.integers(1, min(budget, 12) + 1)),
            tokens=budget,
            chunked=chunked,
            blocks=float(least + random.integers(0, 3 * least)),
            block_tokens=block,
            encoders=int(random.integers(1, 3)),
            encode_apart_s=0.0,
            ahead=bool(random.random() < 0.5),
        )
        times = np.cumsum(random.exponential(0.01, count)).tolist()
        work = Work(times, prompts.tolist(), answers.tolist(), [cached] * count, images.tolist())
        setting = Setting(room, 0.0, (0, 0), (0, 0))
        sequences, literal = written_out(setting, work)
        for leap in (True, False):
            course = run(work, room, Direct(ENGINE), leap=leap)
            assert course.first_s == pytest.approx([one.first_s for one in sequences], rel=1e-9)
            assert course.end_s == pytest.approx([one.end_s for one in sequences], rel=1e-9)
            assert course.marks[-1].iterations == len(literal.iterations)
        preempted += course.marks[-1].preemptions > 0
    assert preempted >= 10


def test_settings_meet_what_they_are_named_for() -> None:
    preempted = {name: ran(one, one.work(120)).marks[-1].preemptions for name, one in SETTINGS.items()}
    assert {name for name, count in preempted.items() if count} == {
        "little KV",
        "very little KV",
        "blocks of one",
        "images computed again",
        "ahead, little KV",
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_leaps_are_single_steps(name: str) -> None:
    setting = SETTINGS[name]
    work = setting.work(300)
    one, other = ran(setting, work), ran(setting, work, leap=False)
    assert one.first_s == pytest.approx(other.first_s, rel=1e-12)
    assert one.end_s == pytest.approx(other.end_s, rel=1e-12)
    assert one.marks[-1] == pytest.approx(other.marks[-1], rel=1e-9)


@pytest.mark.parametrize("name", SETTINGS)
def test_tokens_are_conserved(name: str) -> None:
    """Every token comes from a prompt that ends or from a decode step; what is computed again is counted twice."""
    setting = SETTINGS[name]
    work = setting.work(200)
    total = ran(setting, work).marks[-1]
    prompts = len(work.prompt_tokens) + total.preemptions
    cut = sum(work.generated_tokens) - total.decode_steps
    assert cut <= prompts  # a prompt that is thrown out before it ends has no token of its own
    assert cut >= len(work.prompt_tokens)
    if not total.preemptions:
        assert cut == prompts
        assert total.prefill_tokens == sum(work.prompt_tokens)
        assert total.images == sum(work.images)
    else:
        assert total.prefill_tokens > sum(work.prompt_tokens)


@pytest.mark.parametrize("name", SETTINGS)
def test_little_on_every_run(name: str) -> None:
    """Sequences that run and wait, over time, are the times that requests are there."""
    setting = SETTINGS[name]
    course = ran(setting, setting.work(200))
    total = course.marks[-1]
    there = np.sum(np.array(course.end_s) - np.array(course.enters_s))
    assert total.running_s + total.waiting_s == pytest.approx(there, rel=1e-9)


def test_preemption_conserves_the_answer() -> None:
    """Two sequences of 40 tokens in 5 blocks of 16: the newer one is thrown out once, computed again and answered."""
    room = replace(FREE, blocks=5)
    work = Work([0.0, 0.0], [20, 20], [21, 21], [0, 0], [0, 0])
    course = run(work, room, times_of(Linear(row_s=1.0), 64, 512, 41))
    total = course.marks[-1]
    # 20 + 20 tokens of prompts; after 12 decode steps each has 32 tokens and 2 blocks: one block is left for two
    assert total.preemptions == 1
    assert total.prefill_tokens == 20 + 20 + (20 + 13)
    assert total.decode_steps == 20 + 20 - 1
    assert course.end_s[0] < course.end_s[1] < np.inf


def test_an_encoder_apart_is_a_queue_in_front() -> None:
    room = replace(FREE, encoders=0, encode_apart_s=2.0)
    work = Work([0.0, 0.5, 1.0], [10, 10, 10], [1, 1, 1], [0, 0, 0], [1, 0, 2])
    course = run(work, room, times_of(Linear(step_s=0.25), 64, 512, 20))
    assert course.enters_s == [2.0, 0.5, 6.0]
    assert course.end_s == pytest.approx([2.25, 0.75, 6.25])
    assert course.marks[-1].images == 0


@pytest.mark.parametrize(("ahead", "first"), [(False, 4.0), (True, 5.0)])
def test_scheduling_ahead_costs_an_iteration(ahead: bool, first: float) -> None:
    """Iterations of a second: who comes during one joins the next, or the next but one; so with a seat that is free."""
    times = times_of(Linear(step_s=1.0), 64, 512, 20)
    work = Work([0.0, 2.5], [10, 10], [10, 3], [0, 0], [0, 0])
    assert run(work, replace(FREE, ahead=ahead), times).first_s == pytest.approx([1.0, first])
    work = Work([0.0, 0.0, 1.5], [10] * 3, [10, 3, 3], [0] * 3, [0] * 3)
    assert run(work, replace(FREE, ahead=ahead, sequences=2), times).first_s == pytest.approx([1.0, 1.0, first])


def test_scheduling_ahead_costs_nothing_where_the_engine_idles() -> None:
    work = Work([0.0, 20.5], [10, 10], [10, 3], [0, 0], [0, 0])
    found = run(work, replace(FREE, ahead=True), times_of(Linear(step_s=1.0), 64, 512, 20))
    assert found.first_s == pytest.approx([1.0, 21.5])


def test_the_next_comes_when_one_ends() -> None:
    work = Work([0.0, np.inf, np.inf], [10] * 3, [1] * 3, [0] * 3, [0] * 3)
    course = run(work, FREE, times_of(Linear(step_s=0.25), 64, 512, 20), think_s=0.5)
    assert course.comes_s == pytest.approx([0.0, 0.75, 1.5])
    assert course.end_s == pytest.approx([0.25, 1.0, 1.75])


def test_iterations_that_are_kept_are_single_ones() -> None:
    setting = SETTINGS["free"]
    work = setting.work(100)
    times = times_of(ENGINE, 64, 512, 400)
    course = run(work, setting.room, times, recorded_s=(1.0, 2.0))
    _, literal = written_out(setting, work)
    wanted = [one for one in literal.iterations if 1.0 <= one.start_s < 2.0]
    assert [(one.decodes, one.prefill_tokens) for one in course.steps] == [(one.decodes, one.prefill) for one in wanted]
    assert [one.start_s for one in course.steps] == pytest.approx([one.start_s for one in wanted], rel=1e-6)
    assert all(one.iterations == 1 for one in course.steps)
