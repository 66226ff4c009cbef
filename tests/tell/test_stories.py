"""Everything that has a story, in every renderer: all numbers are Values, tables fit the terminal."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from tell.pages import NUMBER, Page
from tell.told import RUNS, THINGS, measurement, thing, unsteady, verdict

import planner
from planner.base.errors import InputError
from planner.tell.document import Command, Document, Value, lines_of, plain, values_of
from planner.tell.render import RENDERERS
from planner.tell.render.console import print_document
from planner.tell.render.json import as_json
from planner.tell.stories import story_of

WIDTHS = (80, 120)


@pytest.fixture(params=THINGS)
def story(request: pytest.FixtureRequest) -> Document:
    return story_of(thing(request.param))


def printed(document: Document, width: int) -> str:
    stream = io.StringIO()
    print_document(Console(file=stream, width=width, highlight=False), document)
    return stream.getvalue()


def test_words_between_values_hold_no_digits(story: Document) -> None:
    for parts in lines_of(story):
        assert [part for part in parts if not isinstance(part, Value) and re.search(r"\d", str(part))] == []


def test_every_number_of_every_medium_has_its_raw_value_in_the_json(story: Document) -> None:
    known = {number for entry in as_json(story)["shown"] for number in NUMBER.findall(entry["text"])}
    texts = {renderer.name: renderer.render(story) for renderer in RENDERERS if renderer.name != "json"}
    texts["html"] = Page(texts["html"]).text
    texts["console"] = printed(story, max(WIDTHS) * 10)
    assert len(known) > 1
    for name, text in texts.items():
        assert {number for number in NUMBER.findall(text) if number not in known} == set(), name
        assert set(NUMBER.findall(text)) >= known, name  # nothing is left out on the way


def test_a_value_says_what_it_is_and_a_number_stands_for_a_number(story: Document) -> None:
    for value in values_of(story):
        assert value.what, value
        if re.fullmatch(r"[-+]?[\d.,]+(e[-+]\d+)?( \S+)?", value.text) and isinstance(value.raw, str):
            assert value.raw == value.text, value  # a name or a version that looks like one


def test_the_json_is_plain_and_holds_what_was_told(story: Document) -> None:
    content = json.loads(json.dumps(as_json(story), allow_nan=False))
    assert story.sources
    assert content["heading"] == plain(story.heading)
    assert {name: content[name] for name in story.sources} == json.loads(json.dumps(dict(story.sources)))


def test_the_page_is_well_formed(story: Document) -> None:
    html = RENDERERS.find("html").render(story)
    page = Page(html)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    ElementTree.fromstring(html[html.index("<body>") : html.index("</html>")])


@pytest.mark.parametrize("width", WIDTHS)
def test_the_terminal_is_not_overrun(story: Document, width: int) -> None:
    """What is typed is printed on one line, to be copied; a table, a picture and a sentence fit."""
    text = printed(story, width)
    commands = {f"  {one}" for block in story.opening if isinstance(block, Command) for one in block.lines}
    assert [line for line in text.splitlines() if cell_len(line) > width and line not in commands] == []
    assert "…" not in text


@pytest.mark.parametrize("name", THINGS)
def test_it_is_written_as_every_kind_of_file(name: str, tmp_path: Path) -> None:
    for renderer in RENDERERS:
        file = planner.write_report(thing(name), tmp_path / f"page{renderer.suffix}")
        assert file.read_text("utf-8") == renderer.render(story_of(thing(name)))


@pytest.mark.parametrize("nothing", [3, [], (), [1, 2], ["plan.json"], object()])
def test_of_other_things_nothing_is_told(nothing: object) -> None:
    with pytest.raises(InputError, match=r"^nothing to report of .*; expected "):
        story_of(nothing)


def test_stories_are_told_without_torch_scipy_and_pandas() -> None:
    heavy = ("torch", "transformers", "scipy", "pandas", "lmfit", "matplotlib")
    code = f"import sys, planner.tell.stories; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- what is said ----------------------------------------------------------------------------------------------------


def numbers(document: Document) -> dict[str, object]:
    return {value.what: value.raw for value in values_of(document)}


def test_a_measurement_begins_with_whether_to_trust_it() -> None:
    shown = printed(story_of(unsteady()), 80)
    assert shown.index("advice: ") < shown.index("TTFT: ")
    assert "energy of a request: 3.21 J (not reliable)" in shown
    assert "models of 4 and 8 decoder layers ran" in shown
    assert "requests per second" not in shown.split("What it answers")[0]


def test_a_measurement_has_its_numbers_at_full_precision() -> None:
    one = measurement()
    found = numbers(story_of(one))
    assert found["TTFT"] == one.ttft_s
    assert found["requests per second"] == one.requests_per_second == 8 / 0.032
    assert found["FLOPs of prefill"] == 8 * one.flops["prefill"]
    assert found["FLOPs of decode step"] == 8 * one.flops["decode"] / 16
    assert found["FLOP/s of prefill over those of the matrix product"] == one.mfu("prefill")
    assert found["energy of a request"] == 12.34


def test_a_calibration_has_the_errors_of_each_quantity_and_the_interval_of_each_number() -> None:
    found = thing("calibration")
    shown = numbers(story_of(found))
    for prediction, column in (("roofline", "roofline"), ("left_out", "calibrated")):
        errors = found.errors(prediction, "ttft")
        assert shown[f"median error of TTFT, {column}"] == errors.median
        assert shown[f"nine of ten, TTFT, {column}"] == errors.p90
    known = next(one for one in found.parameters if one.identified)
    title = known.name.removesuffix("_s").replace("_", " ")
    assert shown[f"lower end of the interval of {title}"] == known.low
    assert shown[f"{title} before"] == known.start


def test_a_comparison_has_the_evidence_of_every_form() -> None:
    rows = thing("comparison")
    document = story_of(rows)
    shown = [value.raw for value in values_of(document)]
    assert {row.aicc for row in rows} | {row.rss for row in rows} <= {raw for raw in shown if isinstance(raw, float)}
    assert plain(document.heading).startswith("best: log-linear (converged), with 39 % of the weight")


def test_a_failed_verdict_says_which_checks_failed_before_its_numbers() -> None:
    shown = printed(story_of(verdict(unsteady(), "ttft_s")), 80)
    assert shown.startswith("NOT verified (unstable)")
    assert "not as planned: visual tokens: 9 were built, 36 planned" in shown
    assert "7 checks, 2 failed: TTFT x 1.16 faster, at most x 1.15; visual tokens\n" in shown
    assert "x 1.16 faster │ x 1.15 │ FAILED │" in shown and "x 2.00 faster │ x 1.15 │ passed │" in shown
    assert "- TPOT: a small part of the TTFT\n- energy: no limit\n" in shown
    assert "824,000,000" in shown  # counts are equal or not


def test_a_neighbourhood_lists_failed_checks_and_cuts_no_name() -> None:
    found = thing("grid")
    model = replace(found.cells[0].measurement.model, llm="SmolLM2-360M-Instruct-preview")
    first = replace(found.cells[0], measurement=replace(found.cells[0].measurement, model=model))
    shown = printed(story_of(replace(found, cells=(first, *found.cells[1:]))), 80)
    assert max(map(len, shown.splitlines())) <= 80
    assert "│ SmolLM2-360M-    │     36 │" in shown and "│ Instruct-preview │" in shown
    assert "│ 10.4 ms (x 0.86) │" in shown
    failed = "failed: Qwen2.5-0.5B with 36 visual tokens: TTFT x 1.16 faster, at most x 1.15"
    assert failed in shown and "visual tokens (9 were built, 36 planned)" in shown


def test_a_law_says_what_its_runs_do_not_determine_before_its_numbers() -> None:
    for told in (story_of(thing("law")), story_of(planner.load_law("reasoning", "multiplicative"))):
        shown = printed(told, 80)
        assert shown.index("D is not identified: the data only say at most ") < shown.index("parameter")
        assert "│ at its bound, not identified │" in shown


def test_an_average_says_of_each_law_whether_to_trust_it() -> None:
    shown = printed(story_of(thing("average")), 80)
    for law in thing("average").members:
        assert f"{law.name}: {law.status}" in shown


def test_a_table_too_wide_breaks_the_names_of_its_columns_first() -> None:
    rows = planner.compare(planner.read_runs(RUNS))
    wide, narrow = printed(story_of(rows), 120), printed(story_of(rows), 80)
    assert "free params" in wide and "from best" in wide
    assert re.search(r"┃ +free ┃.*┃ +from ┃", narrow) and re.search(r"┃ params ┃.*┃ best ┃", narrow)
    assert "│ multiplicative, D = 0 │" in narrow
