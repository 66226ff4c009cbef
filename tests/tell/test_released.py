"""A plan among released models on the terminal and on the page, and the catalogue of released models."""

from __future__ import annotations

import io
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from support import Run

import planner
from planner.laws.combined import CombinedLaw
from planner.laws.fitted import FittedLaw
from planner.parts.released import find_checkpoint, published_files
from planner.parts.released.select import family_of_released
from planner.planning.result import Plan
from planner.planning.serving import serving
from planner.planning.words import tied_text
from planner.tell.asked import again
from planner.tell.document import SHAPES, Chart, Paragraph, plain
from planner.tell.plan import plan_story, print_plan
from planner.tell.plan.frontier import frontier_chart
from planner.tell.plan.sentences import heading, why_line
from planner.tell.recommendation import tell
from planner.tell.render.markdown import literal

REQUEST: dict[str, Any] = {"query_tokens": 120, "generated_tokens": 200}


def plan(**more: Any) -> Plan:
    budget = planner.Budget(ttft=more.pop("ttft", "30 ms"))
    asked = {"models": "qwen3-vl,llava-1.5", "image": "1024x768", "hardware": "h100-sxm", **REQUEST, **more}
    return planner.plan(budget=budget, **asked)


def printed(found: Plan, width: int = 80) -> str:
    stream = io.StringIO()
    print_plan(Console(file=stream, width=width, highlight=False), found, frontier=True)
    return stream.getvalue()


def test_the_headline_says_which_question_is_answered() -> None:
    found = plan()
    best = found.best
    assert plain(heading(found)) == f"Recommended: {best.name} (about {best.visual_tokens} visual tokens for 1024x768)"
    assert best.knob
    assert best.name.endswith(f" at {best.knob}")
    train = planner.plan(budget="2 TFLOPs", **REQUEST)
    assert plain(heading(train)) == f"Train: {train.best}, best under 2 TFLOPs; no trained weights exist"
    several = plan(image=["1024x768", "640x480"])
    assert plain(heading(several)).endswith(" visual tokens for 2 image sizes)")


def test_the_story() -> None:
    found = plan()
    text = printed(found, 200)
    head = next(line for line in text.splitlines() if line.startswith("┃ model"))
    assert " knob " in head
    assert "compressor" not in head
    assert f"weights: {found.best.released.checkpoint.hub_id}" in text  # type: ignore[union-attr]
    assert "of its half-width of" in text
    assert "the family" in text
    assert "as released" not in text
    assert "Serve it with vLLM" in text


@pytest.mark.parametrize("width", [60, 80])
def test_tables_fit(width: int) -> None:
    told = printed(plan(), width).partition("Serve it with")[0]
    assert all(cell_len(line) <= width for line in told.splitlines())


def test_what_is_left_out_is_said() -> None:
    text = printed(plan(ttft="1 s", query_tokens=5000, image="336x336"), 300)
    assert "left out, as the request is longer than their context: llava-1.5-13b-hf, llava-1.5-7b-hf" in text


def test_the_page_and_its_command(run: Run, tmp_path: Path) -> None:
    found = plan(tensor_parallel=(1, 2))
    file, page = found.save(tmp_path / "plan.json"), tmp_path / "page.md"
    done = run("report", file, "-o", page)
    assert done.out.startswith("Deploy Qwen3-VL")
    text = page.read_text(encoding="utf-8")
    assert "hf download Qwen/Qwen3-VL" in text
    assert "vllm serve Qwen/Qwen3-VL" in text
    assert "Train" not in text
    program, *command, _ = again(found).command.split()
    assert program == "vlm-planner"
    own = tmp_path / "again.json"
    run(*command, own)
    assert planner.load_plan(own).sha256 == found.sha256


def test_what_serves_it_goes_into_a_folder(run: Run, tmp_path: Path) -> None:
    found = plan()
    run("report", found.save(tmp_path / "plan.json"), "--artefacts", tmp_path / "deploy")
    names = {file.name for file in (tmp_path / "deploy").iterdir()}
    commands = {one.engine: one.command for one in serving(found) if one.command}
    assert names == {"README.md", "plan.json", *(f"serve-{engine}.sh" for engine in commands)}
    for engine, command in commands.items():
        script = tmp_path / "deploy" / f"serve-{engine}.sh"
        assert f'exec {command} "$@"\n' in script.read_text(encoding="utf-8")
        assert script.stat().st_mode & 0o100
    text = (tmp_path / "deploy" / "README.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {literal(str(found.best))}\n")
    assert "hf download Qwen/Qwen3-VL" in text
    assert "{{" not in text


def test_where_nothing_is_ruled_out_that_is_said(run: Run, tmp_path: Path) -> None:
    found = plan()
    assert len(found.tied) == found.fitting_count > 1
    assert f"all {len(found.tied)} that fit are statistically tied" in tied_text(found)
    assert "none can be ruled out" in tied_text(found)
    page = tmp_path / "page.md"
    run("report", found.save(tmp_path / "plan.json"), "-o", page)
    assert "Nothing that fits can be ruled out." in page.read_text(encoding="utf-8")
    fewer = replace(found, tied=found.tied[:2])
    assert tied_text(fewer).startswith("2 candidates are statistically tied with the best at 95 %; ")


def test_the_next_is_called_equal_only_where_it_is() -> None:
    found = plan()
    near = replace(found.runners_up[0], predicted_error=found.best.predicted_error + 6e-6)
    assert ", less than 0.0001 worse" in plain(why_line(replace(found, runners_up=(near,))))
    same = replace(near, predicted_error=found.best.predicted_error)
    assert ", equal in error" in plain(why_line(replace(found, runners_up=(same,))))


def test_the_command_repeats_what_was_typed(tmp_path: Path) -> None:
    folder = tmp_path / "my own"
    folder.mkdir()
    for name, content in published_files(find_checkpoint("Qwen/Qwen3-VL-2B-Instruct")).items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    typed = ["released", "Qwen3-VL-8B-Instruct", str(folder)]
    found = plan(models=typed, ttft="150 ms")
    for one in (found, planner.Plan.from_dict(found.to_dict()), planner.replan(found)):
        words = shlex.split(again(one).command)
        assert words[words.index("--models") + 1] == ",".join(typed)
        assert not any("left out" in said for said in again(one).missing)


def test_at_80_columns_the_table_has_what_people_need() -> None:
    found = plan(models="released", ttft="150 ms", tensor_parallel=(1, 2))
    for width in (60, 80):
        lines = printed(found, width).splitlines()
        head = next(one for one in lines if one.startswith("┃ model"))
        wanted = ["model, knob", "tokens", "error", "score", "TTFT"]
        assert [name for name in wanted if f" {name} " in head] == wanted
        rows = lines[lines.index("best that fit") + 4 :]
        rows = [
            " ".join(one.split("│")[1].split()) for one in rows[: next(i for i, s in enumerate(rows) if s[0] == "└")]
        ]
        assert "".join(rows) == "".join(one.llm.name + one.knob for one in (found.best, *found.runners_up))
    wide = printed(found, 120)
    assert " knob " in wide
    assert "as published" in wide


def test_the_chart_of_the_terminal_is_the_frontier_and_a_few_beside() -> None:
    found = plan(models="released", ttft="150 ms")
    (chart,) = [one for part in plan_story(found).sections for one in part.blocks if isinstance(one, Chart)]
    shown = {(mark.x, mark.y) for mark in chart.marks}
    few = (*found.frontier, *found.runners_up, *([found.next_up] if found.next_up else []))
    assert shown == {(one.quantities["ttft_s"], one.predicted_error) for one in few}
    assert found.fitting_count > 5 * len(shown)


def test_shapes_of_the_picture_are_those_of_families_where_models_are_many() -> None:
    few, many = frontier_chart(plan()), frontier_chart(plan(models="released", ttft="150 ms"))
    for chart, names in (
        (few, {str(one) for one in few.series}),
        (many, {family_of_released(str(one.raw)) for one in many.series}),
    ):
        told = {plain(text): shape for shape, text in chart.legend if shape in SHAPES}
        assert set(told) == names
        assert len(set(told.values())) == len(told)
    told = {plain(text): shape for shape, text in many.legend}
    for mark in many.marks:
        assert mark.shape == told[family_of_released(mark.series)]


def test_the_page_sets_knobs_under_names_where_it_is_narrow(run: Run, tmp_path: Path) -> None:
    found = plan()
    page = tmp_path / "page.html"
    done = run("report", found.save(tmp_path / "plan.json"), "-o", page)
    tokens = found.best.visual_tokens
    said = " ".join(done.out.split())
    assert said == f"Deploy {found.best.name} (about {tokens} visual tokens for 1024x768)."
    text = page.read_text(encoding="utf-8")
    cheaper = [one for one in found.tied if one.total_flops < found.best.total_flops]
    shown = (*cheaper[: text.count('<td class="own">') - 6], found.best, *found.runners_up)
    assert text.count('<td class="own">') == len(shown) > 6
    under = [one.partition("</bdi>")[0].rpartition(">")[2] for one in text.split('<span class="beneath">')[1:]]
    assert under == [one.knob for one in shown if one.knob]


SURE = ("interval", "probability", "tied", "tie ", "best: >", "%-interval")


def test_how_sure_a_law_of_nobody_is_of_released_models_is_not_said(run: Run, tmp_path: Path) -> None:
    found = plan(law=of_these(), ttft="150 ms")
    content = found.to_dict()
    listed = [content["best"], *content["runners_up"], *content["frontier"]]
    assert all(one[name] is None for one in listed for name in ("interval", "probability_best", "expected_regret"))
    assert content["tied"] == []
    (said,) = [one for one in content["extrapolates"] if "not known" in one]
    assert said == (
        "the law was fitted to runs that name no model, not to these, which were trained otherwise: the interval of "
        "the error and the probability of being best are not known; evaluate the first few before you choose"
    )
    told = printed(found, 400)
    assert said in told
    for text in (told.replace(said, ""), str(found).replace(said, "")):
        assert not any(word in text for word in SURE)
    assert plan_story(found).tone == ""
    file = found.save(tmp_path / "plan.json")
    for kind in ("md", "html", "json"):
        page = tmp_path / f"page.{kind}"
        run("report", file, "-o", page)
        text = page.read_text(encoding="utf-8")
        assert "How sure the pick is, is not known" in text
        assert "tied with" not in text
        assert "with a 95 %" not in text
        assert "probability of being best is" not in text
    assert not [block for block in tell(found).opening if isinstance(block, Paragraph) and block.tone == "good"]
    why = next(section for section in tell(found).sections if section.key == "why")
    assert not [block for block in why.blocks if isinstance(block, Paragraph) and block.tone == "good"]


def of_these(*names: str) -> FittedLaw:
    """A law whose runs measured released models: the shipped one, its runs under other names."""
    law = planner.load_law("reasoning")
    assert isinstance(law, FittedLaw)
    return replace(law, name="mine", llms=names)


def test_a_law_of_these_models_says_how_sure_it_is() -> None:
    several = ["Qwen/Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-4B-Instruct"]
    known = plan(law=of_these("qwen/qwen3-vl-2b-instruct", "Qwen3-VL-4B-Instruct"), models=several)
    assert known.best.interval is not None
    assert known.best.probability_best is not None
    assert known.best in known.tied
    assert not any("not known" in said for said in known.extrapolates)
    assert plan_story(known).tone == "good"
    text = " ".join(printed(known).split())
    assert "probability of being best" in text
    half = plan(law=of_these("Qwen3-VL-4B-Instruct"), models=several)
    assert known.best.name == half.best.name
    of_each = {one.llm.name: one.interval_parts for one in (half.best, *half.runners_up)}
    assert of_each["Qwen3-VL-4B-Instruct"] == {}
    assert list(of_each["Qwen3-VL-2B-Instruct"]) == ["law", "recipe"]  # one of the family was measured
    nameless = plan(law=of_these(), models=several)
    assert nameless.extrapolates[0].startswith("the law was fitted to runs that name no model, not to these")


def test_every_task_of_a_mix_has_to_know_the_models() -> None:
    mine = of_these("Qwen3-VL-4B-Instruct")
    mixed = CombinedLaw("mix", (mine, planner.load_law("ocr")), (0.5, 0.5))
    asked = {"models": "Qwen/Qwen3-VL-4B-Instruct", "ttft": "150 ms"}
    half = plan(law=mixed, **asked).best
    whole = plan(law="ocr", **asked).best
    for axis in ("family", "recipe", "compressor"):  # half of what the other task adds
        assert half.interval_parts[axis] == pytest.approx(whole.interval_parts[axis] / 2)
    both = CombinedLaw("mix", (mine, replace(mine, name="other")), (0.5, 0.5))
    assert plan(law=both, **asked).best.interval is not None
    assert plan(law=both, **asked).best.interval_parts == {}


def test_the_terminal_says_which_forms_a_plan_rests_on() -> None:
    trained = planner.plan(budget="2 TFLOPs", **REQUEST)
    for found in (plan(), trained):
        shares = "log-linear 79 %, log-power 8 %, interaction 8 %, log-shifted 3 %, additive 2 %, saturating 1 %"
        assert f"forms: {shares}; misfit of all of them is reckoned with" in printed(found, 300)
    alone = {form: printed(planner.plan(budget="2 TFLOPs", form=form, **REQUEST), 300) for form in ASKED}
    left_out = "alone, as asked: interval and odds leave out other forms"
    assert f"form: additive {left_out} (log-linear 79 %) and what" in alone["additive"]
    assert f"form: log-linear {left_out} and what" in alone["log-linear"]
    given = planner.FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.008})
    assert "form:" not in printed(planner.plan(given, budget="2 TFLOPs", llms="qwen1.5", **REQUEST), 300)


ASKED = ("additive", "log-linear")


def test_it_is_built_as_released(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = plan()
    file = found.save(tmp_path / "plan.json")
    content = run("build", "--from", file, "--device", "meta", "--json").json
    released = found.best.released
    assert released is not None
    assert (content["hub_id"], content["dtype"]) == (released.checkpoint.hub_id, "bf16")
    assert sum(part["built"] for part in content["params"].values()) == released.params
    refused = run("build", "--from", file, "--llm", "Qwen2.5-7B", "--device", "meta")
    assert "a plan's released model and --llm exclude each other" in refused.complaint
