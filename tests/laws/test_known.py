"""What is shipped beside the shipped laws is what would be computed, and is taken for those laws alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planner
from fitted_laws import make_known
from fitted_laws.agree import same
from planner.base.files import read_json
from planner.laws.fitted import FittedLaw
from planner.laws.known import computed, known, packed, unpacked
from planner.laws.shipped import load_law

FREE = [(name, form) for name in ("reasoning", "ocr") for form in ("additive", "multiplicative", "log-linear")]
ROUNDING = 1e-7  # relative: other processors sum and exponentiate differently in the last bits


def fresh(name: str, form: str) -> FittedLaw:
    """A law that no memo has seen."""
    law = load_law(name, form)
    assert isinstance(law, FittedLaw)
    return FittedLaw.from_dict(law.to_dict())


def numbers(content: Any) -> Iterator[tuple[str, Any]]:
    for key, entry in content.items():
        if "form" in entry:
            yield key, np.array(list(entry["params"].values()))
        else:
            for name, array in unpacked(entry).items():
                yield f"{key} {name}", array


def test_the_shipped_files_are_what_is_computed_today() -> None:
    made = make_known.make_known()
    folder = make_known.HERE
    assert {path.name for path in folder.iterdir()} == set(made)
    for file, content in made.items():
        shipped = read_json(folder / file, "a file of make_known")
        if file == make_known.INDEX:
            assert shipped == content
            continue
        ours, theirs = dict(numbers(shipped["entries"])), dict(numbers(content["entries"]))
        assert ours.keys() == theirs.keys()
        for key, array in theirs.items():
            largest = np.abs(array).max(initial=0.0)  # of nodes; steps between them are small differences
            np.testing.assert_allclose(ours[key], array, rtol=ROUNDING, atol=1e-12 + ROUNDING * largest, err_msg=key)


@pytest.mark.parametrize(("name", "form"), FREE)
def test_a_plan_is_the_same_with_and_without_them(name: str, form: str) -> None:
    found = []
    for context in (nullcontext(), computed()):
        with context:
            plan = planner.plan(
                fresh(name, form), budget="4 TFLOPs", query_tokens=50, generated_tokens=32, llms="qwen2.5"
            )
            found.append(plan.to_dict())
    assert same(found[0], found[1], ROUNDING)  # to the bit on a processor like that which made the files


def test_a_shipped_law_reads_and_another_one_computes() -> None:
    law = fresh("reasoning", "additive")

    def never() -> dict[str, Any]:
        raise AssertionError("computed, though it is shipped")

    region = known(law, "region 0.95", never)
    assert region["exponents"].shape[1] == 2
    other = {"exponents": np.zeros((1, 2))}
    moved = replace(law, params={**law.params, "A": law.params["A"] * (1 + 1e-15)})
    constrained = replace(law, constraints={"D": {"value": 0.0}})
    for one in (moved, constrained, replace(law, runs_sha256="0" * 64), replace(law, weighting="error_se")):
        assert known(one, "region 0.95", lambda: other) is other
    assert known(law, "region 0.5", lambda: other) is other


def test_arrays_come_back_bit_for_bit() -> None:
    arrays = {"a": np.array([[0.1, -0.0], [1e-310, 3e300]]), "b": np.zeros((0, 3)), "c": np.array(2.5)}
    for name, array in unpacked(packed(arrays)).items():
        assert array.tobytes() == arrays[name].tobytes()
        assert array.shape == arrays[name].shape


def test_stale_files_are_noticed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_known, "make_known", lambda: {"index.json": {"other": "runs"}})
    assert make_known.main(check=True) == 1
    assert capsys.readouterr().err == "stale: index.json; run python -m fitted_laws.make_known\n"
