"""File names that end in something else than what is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import planner
from planner.base.errors import InputError, OutputExistsError
from planner.base.suffix import has_suffix, wrong_suffix

PLAN = planner.plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32, visual_tokens=4)
SAVERS: dict[str, Callable[..., object]] = {
    "a plan": PLAN.save,
    "a law": planner.load_law("ocr").save,
    "a weighted law": planner.load_law("ocr", "auto").save,
    "a hardware profile": planner.find_hardware("l4").save,
}
NAMES = {**{what: what for what in SAVERS}, "a weighted law": "a law", "a hardware profile": "the profile of a card"}


@pytest.mark.parametrize("what", SAVERS)
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.htlm", "; did you mean .html? planner.write_report writes .html files"),
        ("x.html", "; planner.write_report writes .html files"),
        ("x.jsn", "; did you mean .json?"),
        ("x.txt", ""),
    ],
)
def test_json_is_not_written_under_the_name_of_something_else(
    what: str, name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        SAVERS[what](name)
    assert str(caught.value) == f"{NAMES[what]}'s file name ends in .json, got {name!r}{said}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.json", "X.JSON", "x", "qwen2.5", "2024-11-30"])
def test_names_without_a_suffix_and_of_json_are_taken(name: str, tmp_path: Path) -> None:
    assert PLAN.save(tmp_path / name) == tmp_path / name


def test_pages_say_which_suffix_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        planner.write_report(PLAN, "x.htlm")
    ends = "a report's file name ends in .html, .md or .json"
    assert str(caught.value) == f"{ends}, got 'x.htlm'; did you mean .html?"
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_refused_in_the_words_of_python(tmp_path: Path) -> None:
    file = PLAN.save(tmp_path / "x.json")
    with pytest.raises(OutputExistsError) as caught:
        PLAN.save(file)
    assert str(caught.value) == f"{file} already exists; choose another name or overwrite=True"
    assert PLAN.save(file, overwrite=True) == file


def test_a_number_behind_a_point_is_no_suffix() -> None:
    assert [name for name in ("a.json", "qwen2.5", "a", ".json", "a.7z") if has_suffix(name)] == ["a.json"]
    said = "a page's file name ends in .html, got 'a'"
    assert str(wrong_suffix("a page", "a", (".html",))) == said
