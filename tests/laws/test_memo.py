"""Results are kept for the law itself, not for one that looks like it."""

from __future__ import annotations

from dataclasses import replace

from planner.laws.fitted import FittedLaw
from planner.laws.forms import FORMS, get_form
from planner.laws.memo import KEPT, remembered

LAW = FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01})


def test_a_result_is_kept_by_law_and_arguments() -> None:
    calls = []

    @remembered
    def asked(law: FittedLaw, count: int, *, seed: int = 0) -> tuple[str, int, int]:
        calls.append((law, count, seed))
        return law.form, count, seed

    assert asked(LAW, 3) is asked(LAW, 3)
    assert asked(LAW, 4) == ("log-linear", 4, 0)
    assert asked(LAW, 3, seed=1) == ("log-linear", 3, 1)
    twin = replace(LAW)
    assert asked(twin, 3) == asked(LAW, 3)
    assert [law is twin for law, _, _ in calls] == [False, False, False, True]


def test_the_oldest_results_are_dropped() -> None:
    calls = []

    @remembered
    def asked(law: FittedLaw) -> int:
        calls.append(law)
        return len(calls)

    laws = [replace(LAW) for _ in range(KEPT + 1)]
    assert [asked(law) for law in laws] == list(range(1, KEPT + 2))
    assert asked(laws[-1]) == KEPT + 1
    assert asked(laws[0]) == KEPT + 2


def test_a_result_under_other_forms_is_another_one() -> None:
    """Another form can rule out the law's own, and one of the same name can predict otherwise."""

    @remembered
    def asked(law: FittedLaw) -> list[str]:
        return list(FORMS.names())

    before = asked(LAW)
    FORMS.register(replace(get_form("log-linear"), name="line"))
    try:
        assert asked(LAW) == [*before, "line"]
        FORMS.register(replace(get_form("log-linear"), name="line", levels=(3, 3)), replace=True)
        under_another = asked(LAW)
        assert asked(LAW) is under_another
    finally:
        FORMS.remove("line")
    assert asked(LAW) is before
