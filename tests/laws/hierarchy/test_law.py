"""Laws of published results: what they know of tasks, and what they do not claim to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import planner
from planner.base.errors import InputError, UnknownNameError
from planner.laws.combined import CombinedLaw, law_from_dict, read_law
from planner.laws.hierarchy.belief import error_draws
from planner.laws.hierarchy.law import EvidenceLaw, evidence_law
from planner.laws.hierarchy.mix import OwnCell
from planner.laws.hierarchy.naming import family_of, is_measured, series_of
from planner.laws.shipped import load_mix, mix_note
from planner.laws.uncertainty import Asked, uncertainty
from planner.planning.words import law_title
from planner.tell.document import plain
from planner.tell.published import published_line


def resolution_before_size(task: str) -> float:
    """How sure it is that PaliGemma 2 3B at 448 px beats 10B at 224 px, which costs about as much."""
    models = np.array(["paligemma2-3b-pt-448", "paligemma2-10b-pt-224"])
    sizes, tokens = np.array([3e9, 10e9]), np.array([1024.0, 256.0])
    drawn = error_draws(evidence_law(task), sizes, tokens, models, ["", ""], True, 4000, 0)
    return float((drawn[:, 0] < drawn[:, 1]).mean())


@pytest.mark.parametrize("task", ["docvqa", "chartqa (human)", "textvqa", "infovqa"])
def test_measured_tasks_of_reading_take_resolution_before_size(task: str) -> None:
    assert resolution_before_size(task) > 0.99


def test_other_tasks_do_not() -> None:
    assert resolution_before_size("ai2d") < 0.01
    assert resolution_before_size("gqa") > 0.6
    # of tasks that nobody has measured their classes are known only
    assert 0.55 < resolution_before_size("text") < 0.95
    assert 0.15 < resolution_before_size("general") < 0.6
    assert resolution_before_size("knowledge") < 0.3


def test_a_mix_is_linear_in_its_tasks() -> None:
    points = [0.5e9, 7e9, 7e9], [64, 64, 576], ["Qwen2-0.5B", "Qwen2-7B", "Qwen2-7B"]
    both = evidence_law({"docvqa": 3, "gqa": 1}).predict(*points, compressor="none")
    parts = [np.asarray(evidence_law(task).predict(*points, compressor="none")) for task in ("docvqa", "gqa")]
    assert both == pytest.approx(0.75 * parts[0] + 0.25 * parts[1], abs=1e-9)


def test_more_points_than_are_worked_out_together_give_the_same() -> None:
    law, tokens = evidence_law("docvqa"), np.geomspace(1, 576, 400)
    whole = np.asarray(law.predict(7e9, tokens, "Qwen2-7B", compressor="quecc"))
    assert whole[[0, 250, 399]] == pytest.approx(
        [law.predict(7e9, float(tokens[i]), "Qwen2-7B", compressor="quecc") for i in (0, 250, 399)]
    )


def test_without_own_runs_the_level_is_not_known_and_with_them_it_is() -> None:
    alone = evidence_law("docvqa")
    assert not alone.level_known
    own = tuple(OwnCell("Qwen2.5-7B", 7e9, float(t), "quecc", "DocVQA", y, None) for t, y in ((64, 0.5), (256, 0.42)))
    some = evidence_law("docvqa", own)
    assert some.level_known
    points = np.array([7e9]), np.array([64.0]), np.array(["Qwen2.5-7B"])
    widths = []
    for law in (alone, some):
        found = uncertainty(law)
        assert found is not None
        answer = found.ask(Asked(*points, reference=0, compressor=np.array(["quecc"])))
        widths.append(float(answer.high[0] - answer.low[0]))
    assert widths[1] < widths[0] / 3
    assert some.predict(7e9, 64, "Qwen2.5-7B", compressor="quecc") == pytest.approx(0.5, abs=0.02)


def test_the_file_holds_the_law(tmp_path: Path) -> None:
    law = evidence_law({"docvqa": 0.5, "text": 0.5}, (OwnCell("A-7B", 7e9, 64.0, "", "DocVQA", 0.4, 0.01),))
    path = law.save(tmp_path / "law.json")
    assert read_law(path) == law
    assert law_from_dict(law.to_dict()) == law
    mixed = load_mix("reasoning=0.5,docvqa=0.25,gqa=0.25")
    assert isinstance(mixed, CombinedLaw)
    assert law_from_dict(mixed.to_dict()).to_dict() == mixed.to_dict()
    assert not mixed.level_known


def test_a_law_and_the_evidence_have_pages(tmp_path: Path) -> None:
    law = evidence_law({"docvqa": 0.5, "gqa": 0.5})
    for thing in (law, planner.evidence("docvqa")):
        page = planner.write_report(thing, tmp_path / "page.md", overwrite=True).read_text(encoding="utf-8")
        assert "DocVQA" in page
        assert "DocVQA" in (thing._repr_html_() or "")


def test_mixes_name_laws_and_tasks() -> None:
    published = load_mix("docvqa=1,task:gqa=3")
    assert isinstance(published, EvidenceLaw)
    assert [(one.task, one.share) for one in published.mix] == [("DocVQA", 0.25), ("GQA", 0.75)]
    laws = load_mix("reasoning=0.7,law:ocr=0.3")
    assert isinstance(laws, CombinedLaw)
    assert laws.level_known
    with pytest.raises(UnknownNameError, match="no shipped law or task of the evidence is called 'docvq'"):
        load_mix("docvq=1")
    with pytest.raises(InputError, match="--form additive: tasks of the evidence have no form"):
        load_mix("docvqa=1", "additive")


@pytest.mark.parametrize(
    ("mix", "name"),
    [("docvqa=.5,docvqa=.5", "DocVQA"), ("docvqa=.5,task:DocVQA=.5", "DocVQA"), ("ocr=1,law:ocr=2", "ocr")],
)
def test_a_mix_names_each_once(mix: str, name: str) -> None:
    with pytest.raises(InputError, match=f": {name} is named twice; give it one share"):
        load_mix(mix)


def test_shares_that_are_no_whole_are_said() -> None:
    said = "the shares of --mix sum to 0.9, neither 1 nor 100: taken as docvqa 56 %, gqa 44 %"
    assert mix_note("docvqa=.5,gqa=.4") == said
    for whole in ("docvqa=.5,gqa=.5", "docvqa=70, gqa=30", "docvqa=.1,gqa=.2,textvqa=.7"):
        assert mix_note(whole) == ""


def test_one_run_of_ones_own() -> None:
    one = evidence_law("docvqa", (OwnCell("A-7B", 7e9, 64.0, "", "DocVQA", 0.4, 0.01),))
    assert law_title(one).endswith(" rows and 1 run of your own")
    assert "1 run of one's own" in repr(one)
    assert "1 run of your own" in plain(published_line(one))


def test_a_name_that_is_both_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.laws.shipped._files", lambda: {("gqa", "additive"): None})
    with pytest.raises(InputError, match="gqa is a shipped law and a task of the evidence; write law:gqa or task:gqa"):
        load_mix("gqa=1")


def test_bad_mixes_are_refused() -> None:
    with pytest.raises(InputError, match="DOCVQA: the task DocVQA is named twice"):
        evidence_law({"docvqa": 1, "DOCVQA": 1})
    with pytest.raises(InputError, match="share of gqa: expected a number above 0, got 0"):
        evidence_law({"gqa": 0})
    law = evidence_law("gqa")
    with pytest.raises(InputError, match="visual_tokens: expected a number above 0"):
        law.predict(7e9, 0, "Qwen2-7B")
    for refused in (law.plot, law.to_latex):
        with pytest.raises(InputError, match=r"planner\.evidence\(task\) lists"):
            refused()


@pytest.mark.parametrize(
    ("name", "series", "family"),
    [
        ("Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL", "Qwen2.5-VL"),
        ("Gemma2-27B", "Gemma2", "Gemma 2"),
        ("Vicuna-7B-v1.5", "Vicuna", "Vicuna"),
        ("Qwen1.5-0.5B", "Qwen1.5", "Qwen1.5"),
        ("no size", "no size", "no size"),
    ],
)
def test_families_are_read_from_names(name: str, series: str, family: str) -> None:
    assert (series_of(name), family_of(name)) == (series, family)


def test_checkpoints_of_the_evidence_are_those_of_the_rows() -> None:
    rows = set(planner.evidence().all_rows.checkpoint.tolist())
    from planner.laws.hierarchy.naming import _checkpoints

    known = {one.checkpoint for one in _checkpoints().values()}
    assert known - rows == {
        "Gemma 4 / Gemma4-12B",
        "Gemma 4 / Gemma4-26B-A4B",
        "Gemma 4 / Gemma4-E4B",
        "Qwen3.5 / Qwen3.5-0.8B",
        "Qwen3.5 / Qwen3.5-35B-A3B",
    }  # of their series, without rows of their own
    assert is_measured("Qwen3-VL-8B-Instruct")
    assert not is_measured("Phi-4-multimodal-instruct")
