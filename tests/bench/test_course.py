"""Progress over the legs of a run: on one scale, in proportion, never back."""

from __future__ import annotations

from planner.bench.course import STEPS, Course, weights_of


def test_legs_share_one_scale() -> None:
    told: list[tuple[str, int, int]] = []
    course = Course(lambda *what: told.append(what), (1.0, 3.0))
    first, second = course.leg(0, "a: "), course.leg(1, "b: ")
    assert first is not None and second is not None
    first("x", 1, 2)
    first("y", 2, 2)
    second("z", 0, 4)
    second("z", 2, 4)
    first("again", 0, 2)
    second("end", 4, 4)
    assert told == [
        ("a: x", STEPS // 8, STEPS),
        ("a: y", STEPS // 4, STEPS),
        ("b: z", STEPS // 4, STEPS),
        ("b: z", 5 * STEPS // 8, STEPS),
        ("a: again", 5 * STEPS // 8, STEPS),
        ("b: end", STEPS, STEPS),
    ]


def test_courses_within_courses() -> None:
    told: list[int] = []
    outer = Course(lambda what, done, total: told.append(done), (1.0, 1.0))
    inner = Course(outer.leg(1), (1.0, 1.0)).leg(1)
    assert inner is not None
    inner("x", 1, 2)
    assert told == [STEPS * 7 // 8]
    assert Course(None, (1.0,)).leg(0) is None


def test_large_models_take_longer_though_sampling_takes_its_time() -> None:
    assert weights_of([1.0, 3.0]) == [1.5, 2.5]
    assert weights_of([]) == []
