"""The recommendation: the same page from a plan and from its file, every number with its raw value, nothing obeyed."""

from __future__ import annotations

import json
import random
import re
import shlex
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from damage import places, put
from hypothesis import given, settings
from hypothesis import strategies as st
from support import Run
from tell.pages import CHECKS, NUMBER, PLANS, REQUEST, Page, as_file, plan, rehashed, verdict, with_measured

import planner
from planner.base.errors import InputError, OutputExistsError
from planner.base.file_format import content_hash
from planner.bench.samples import Samples
from planner.hardware import Hardware, find_hardware
from planner.laws.fitted import FittedLaw
from planner.planning.plan_file import HASH
from planner.tell.document import Chart, Document, Value, lines_of, plain
from planner.tell.recommendation import tell, write_artefacts
from planner.tell.render import as_text
from planner.tell.render.json import as_json
from planner.tell.stories import story_of

KINDS = (".html", ".md", ".json")
GOLDEN = Path(__file__).parent / "golden" / "recommendation.md"
VERSIONS = ("vlm-planner", "python", "numpy")


@pytest.fixture(params=PLANS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def content(name: str) -> dict[str, Any]:
    """A plan's dictionary, as its file gives it."""
    found: dict[str, Any] = json.loads(json.dumps(plan(name).to_dict()))
    return found


# ---- one page, whatever it is made from ------------------------------------------------------------------------------


def test_plan_dictionary_and_file_give_the_same_page(name: str, tmp_path: Path) -> None:
    file = as_file(plan(name).to_dict(), tmp_path)
    documents = [tell(source) for source in (plan(name), plan(name).to_dict(), file, str(file))]
    for kind in KINDS:
        page = tmp_path / f"page{kind}"
        planner.write_report(plan(name), page)
        assert {as_text(document, kind) for document in documents} == {page.read_text(encoding="utf-8")}
        planner.write_report(file, tmp_path / f"again{kind}")
        assert (tmp_path / f"again{kind}").read_bytes() == page.read_bytes()


def test_a_verdict_may_be_an_object_a_dictionary_or_a_file(tmp_path: Path) -> None:
    found = verdict()
    file = found.save(tmp_path / "verdict.json")
    pages = [as_text(tell(plan("flops"), one), ".html") for one in (found, found.to_dict(), file, str(file))]
    assert len(set(pages)) == 1
    assert pages[0] != as_text(tell(plan("flops")), ".html")


# ---- every number ----------------------------------------------------------------------------------------------------


def numbers_shown(document: Document) -> set[str]:
    return {number for entry in as_json(document)["shown"] for number in NUMBER.findall(entry["text"])}


def test_every_number_of_the_page_has_its_raw_value_in_the_json(name: str) -> None:
    for measured in (None, verdict(of=name)):
        document = tell(plan(name), measured)
        known = numbers_shown(document)
        texts = [Page(as_text(document, ".html")).text, as_text(document, ".md")]
        for text in texts:
            found = NUMBER.findall(text)
            assert len(found) > 100
            assert [number for number in found if number not in known] == []


def test_words_between_values_hold_no_digits(name: str) -> None:
    for parts in lines_of(tell(plan(name), verdict(of=name))):
        assert [part for part in parts if not isinstance(part, Value) and re.search(r"\d", str(part))] == []


def test_raw_numbers_are_those_of_the_plan_at_full_precision() -> None:
    best, shown = plan("limits").best, as_json(tell(plan("limits")))["shown"]
    by_what = {entry["what"]: entry for entry in shown}
    assert by_what["predicted error"]["value"] == best.predicted_error
    assert by_what["FLOPs of one request"]["value"] == best.total_flops
    assert by_what["peak memory per device"]["value"] == best.memory.peak
    assert by_what["seconds of the prefill"]["value"] == best.latency.prefill.seconds  # type: ignore[union-attr]
    steps = REQUEST["generated_tokens"] - 1
    assert by_what["seconds of the decode"]["value"] == steps * best.quantities["tpot_s"]
    assert by_what["limit: TTFT"] == {"text": "30 ms", "value": 0.03, "unit": "s", "what": "limit: TTFT"}


def test_the_json_holds_plan_and_verdict_as_they_were_given() -> None:
    found = as_json(tell(plan("flops"), verdict()))
    assert found["plan"] == content("flops")
    assert found["verdict"] == verdict().to_dict()
    json.dumps(found, allow_nan=False)


# ---- what is said ----------------------------------------------------------------------------------------------------


def said(name: str, measured: Any = None) -> str:
    """The page as text, without the marks of Markdown."""
    return " ".join(re.sub(r"[*\\>]", "", as_text(tell(plan(name), measured), ".md")).split())


def test_sections_come_in_the_order_in_which_they_are_needed(name: str) -> None:
    keys = [section.key for section in tell(plan(name)).sections]
    assert keys == ["why", "costs", "pictures", "measured", "assumptions", "reproduce", "next"]


def test_the_pick_is_one_sentence() -> None:
    assert as_text(tell(plan("flops")), ".md").startswith("# Train Qwen1.5-4B with 64 visual tokens per image\n")
    assert "Of the 21 configurations that keep 2 TFLOPs for a request, it has the lowest predicted error" in said(
        "flops"
    )


def test_stages_add_up_and_memory_too(name: str) -> None:
    document = tell(plan(name))
    (costs,) = [section for section in document.sections if section.key == "costs"]
    tables = [block for block in costs.blocks if hasattr(block, "rows")]
    for table, column, total in (
        (tables[0], 1, plan(name).best.total_flops),
        (tables[1], 1, plan(name).best.memory.peak),
    ):
        rows = [row[column][0].raw for row in table.rows]
        assert sum(rows) == pytest.approx(total, rel=1e-12)
        assert table.foot[0][column][0].raw == total


def test_ties_that_are_cheaper_are_named() -> None:
    cheaper = [one for one in plan("mix").tied if one.total_flops < plan("mix").best.total_flops]
    assert cheaper
    best = plan("mix").best
    saved = 1 - cheaper[0].total_flops / best.total_flops
    apart = 100 * (cheaper[0].error - best.error)
    assert apart > 5  # what nobody takes for a tie is not recommended
    told = f"it cannot be ruled out, but is expected to be {apart:.1f} points worse."
    assert f"The cheapest, {cheaper[0]}, takes {100 * saved:.0f} % fewer FLOPs: {told}" in said("mix")


def test_limits_say_which_binds_and_what_a_tenth_more_buys() -> None:
    text = said("limits")
    for one in plan("limits").limits:
        assert f"| {one.limit.title} |" in text
        if one.relaxed is not None:
            assert f"With {one.limit.relaxed_text} ({one.limit.show(one.limit.relaxed().value)})" in text
    assert "10 % more of one limit alone buys nothing" in said("gpus")


def test_all_gpus_are_shown_and_what_they_cost() -> None:
    text = said("gpus")  # four that serve, two of them a model
    assert "Hardware: 4 x NVIDIA H100 SXM5 80 GB; 2 share each copy of the model" in text
    assert "Price of a GPU: 3 for an hour - Price of all GPUs: 12 for an hour" in text
    assert "| requests per second of 2 GPUs | at least 20 |" in said("two")
    assert "Hardware: 2 x NVIDIA L4 24 GB; each holds a whole model" in said("two")
    one = said("limits")
    assert "Hardware: NVIDIA L40S 48 GB" in one
    assert "Price of all GPUs" not in one
    assert "| requests per second | at least 12 |" in one


def test_what_is_extrapolated_and_assumed_stands_in_the_plans_words(name: str) -> None:
    text = said(name)
    for sentence in (*plan(name).extrapolates, *plan(name).assumptions):
        assert " ".join(sentence.split()) in text.replace("\\", "")
    if not plan(name).extrapolates:
        assert "Nothing is extrapolated" in text


def test_without_a_verdict_the_page_says_so_and_how_to_measure() -> None:
    text = said("flops")
    assert "Not measured yet: every cost on this page is computed." in text
    assert "vlm-planner verify plan.json -o verdict.json vlm-planner report plan.json --verdict verdict.json" in text


def test_a_verdict_is_shown_check_by_check() -> None:
    text = said("flops", verdict())
    outcome = "4 of 5 checks passed; beyond what is allowed: decode step x 1.31 faster, at most x 1.15."
    assert f"Measured on NVIDIA H100 SXM5 80 GB: {outcome}" in text
    assert "| TTFT | 28.4 ms | 31 ms | x 1.09 slower | x 1.15 | passed |" in text
    assert "| decode step | 5.1 ms | 3.9 ms | x 1.31 faster | x 1.15 | FAILED |" in text
    assert "| peak memory | 4.71 GiB | 4.56 GiB | 3 % less | 15 % | passed |" in text
    assert "| parameters | 4,271,000,000 | 4,271,000,000 | equal | equal | passed |" in text
    assert "| energy | 65 J | - | - | | - |" in text
    assert "- decode step: bound by launches" in text and "- energy: no meter" in text
    assert "slices with 2 and 4 of 40 layers, extended to the whole, compile" in text
    for advice in verdict().advice:
        assert advice in text
    assert "vlm-planner calibrate" in text
    assert "Not measured yet" not in text


def test_a_good_verdict_is_good_and_another_models_is_not() -> None:
    good = verdict(*(replace(one, passed=True) for one in CHECKS if one.name != "decode_step_s"))
    opening = tell(plan("flops"), good).opening
    assert [block.tone for block in opening if getattr(block, "tone", "")] == ["good", "warn"]  # type: ignore[union-attr]
    found = good.measurement
    fewer, more = replace(found.model, visual_tokens=16), replace(found.workload, images=2)
    with pytest.raises(InputError, match="expected visual tokens 64, got 16; request 1 images, got 2 images; verify"):
        tell(plan("flops"), with_measured(good, model=fewer, workload=more))
    noisy = with_measured(good, samples=found.samples | {"ttft": Samples((0.02, 0.03, 0.04, 0.05))})
    assert "the times were not stable" in said("flops", noisy)


def test_a_verdict_of_another_plan_file_is_noticed() -> None:
    assert "names another plan file" not in said("flops", verdict(plan_sha256=content("flops")[HASH]))
    assert "names another plan file" in said("flops", verdict(plan_sha256="0" * 64))


def test_runs_to_make_next_are_those_of_next_run() -> None:
    text = said("contested")
    assert "Runs to make next" in text
    first = planner.next_run(form="additive", budget="4 TFLOPs", visual_tokens=[1, 4, 36], **REQUEST).best
    assert f"| {first.llm_params / 1e9:g}B | {first.visual_tokens:g} | {first.expected_gain:.4g} |" in text
    assert "vlm-planner next-run reasoning --form additive" in text
    measured = planner.plan(budget="2 TFLOPs", compressor="tokenpacker", **REQUEST)
    assert "No further training run is expected to change the pick" in as_text(tell(measured, None), ".md")
    assert "These runs would tell most" in said("flops")  # of a compressor that its law was not measured with
    assert "is not known: the law has no runs of its own" in said("given")


def test_every_picture_tells_its_finding_in_words(name: str) -> None:
    best = plan(name).best
    for chart in tell(plan(name)).sections[2].blocks:
        told = plain(chart.alt if isinstance(chart, Chart) else chart.line)  # type: ignore[union-attr]
        assert f"{best.visual_tokens}" in told or f"{best.predicted_error:.4f}" in told


def test_a_frontier_of_one_point_is_a_sentence() -> None:
    text = said("only one")
    assert "The frontier, the least error by FLOPs, has a single point, and no picture: the pick, Qwen1.5-4B" in text
    kinds = [type(block) for block in tell(plan("only one")).sections[2].blocks]
    assert kinds.count(Chart) == 1
    assert [type(block) for block in tell(plan("flops")).sections[2].blocks] == [Chart, Chart]


def test_the_caption_says_which_limit_keeps_better_ones_out_where_it_is_not_the_one_drawn() -> None:
    held = planner.plan(budget=planner.Budget(flops="90 TFLOPs", ttft_s=0.03), hardware="l40s", **REQUEST)
    assert [one.limit.name for one in held.limits if one.keeps_better_out] == ["ttft_s"]
    text = as_text(tell(held), ".md")
    assert "not FLOPs but TTFT keeps better candidates out" in text
    assert "better candidates out" not in said("limits")  # TTFT is drawn, and binds


def test_the_page_says_which_forms_the_interval_rests_on() -> None:
    shares = "log-linear 79 %, log-power 8 %, interaction 8 %, log-shifted 3 %, additive 2 %, saturating 1 %"
    assert f"It rests on every form of the law that the runs allow ({shares})" in said("flops")
    alone = planner.plan(form="additive", budget="2 TFLOPs", **REQUEST)
    text = as_text(tell(alone), ".md")
    assert "It is that of the additive form alone, which was asked for: other forms (log-linear has 79 % of" in text


def test_the_command_makes_the_same_plan(name: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "files"
    write_artefacts(plan(name), folder)
    (section,) = [one for one in tell(plan(name)).sections if one.key == "reproduce"]
    command = shlex.split(section.blocks[0].lines[0])  # type: ignore[union-attr]
    assert command[0] == "vlm-planner"
    monkeypatch.chdir(folder)
    before = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert run(*command[1:], "--force").code == 0
    after = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert after[HASH] == before[HASH] == content_hash(before, HASH)


def test_the_command_names_files_for_laws_and_cards_of_ones_own(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    law = planner.load_law("ocr")
    assert isinstance(law, FittedLaw)
    card = replace(find_hardware("l4"), name="mine", title="My card", memory_bytes=20e9)
    own = planner.plan(
        replace(law, name="mine"), budget=planner.Budget(ttft_s=0.1234567), hardware=card, llms="qwen2.5", **REQUEST
    )
    files = write_artefacts(own, tmp_path / "files")
    assert {"law.json", "hardware.json"} <= set(files)
    assert Hardware.load(tmp_path / "files" / "hardware.json") == card
    text = as_text(tell(own), ".md")
    assert "--law law.json" in text
    assert "--hardware hardware.json" in text
    assert "--ttft 0.1234567s" in text
    command = next(line for line in text.splitlines() if line.startswith("vlm-planner plan"))
    monkeypatch.chdir(tmp_path / "files")
    assert run(*shlex.split(command)[1:], "--force").code == 0
    again = json.loads((tmp_path / "files" / "plan.json").read_text(encoding="utf-8"))
    assert again[HASH] == own.to_dict()[HASH]


def test_what_a_plan_does_not_hold_is_said(tmp_path: Path) -> None:
    traffic = tmp_path / "requests.csv"
    traffic.write_text("query_tokens,generated_tokens\n40,20\n60,50\n50,32\n", encoding="utf-8")
    served = planner.plan(budget="2 TFLOPs", workload=traffic)
    text = as_text(tell(served), ".md")
    assert "Not exact: the file of requests is not part of the plan" in text
    assert "the mean of 3 requests" in text
    assert "95th percentile: 59 query tokens, 49 answer tokens" in text
    before = content("own laws")
    del before["law_files"]
    with pytest.raises(InputError, match="the plan is damaged: law_files is missing"):
        tell(rehashed(before))


def test_each_compressor_has_its_law_in_the_folder(tmp_path: Path) -> None:
    """A shipped one by its name; equal ones share a file. Names that are no compressor of the plan are refused."""
    files = write_artefacts(plan("own laws"), tmp_path / "files")
    assert [name for name in files if name.startswith("law")] == ["law-1.json", "law-2.json"]
    laws = {name: planner.load_law(tmp_path / "files" / name) for name in ("law-1.json", "law-2.json")}
    assert {name: law.name for name, law in laws.items()} == {"law-1.json": "mine", "law-2.json": "x"}
    each = "--law quecc=quecc,tokenpacker=law-1.json,average-pool=law-1.json,none=law-2.json"
    assert each in as_text(tell(plan("own laws")), ".md")
    readme = (tmp_path / "files" / "README.md").read_text(encoding="utf-8")
    assert "| `law-1.json` | a law that it rests on |" in readme
    hostile = content("own laws")
    hostile["law_files"] = {"../../" + name: law for name, law in hostile["law_files"].items()}
    with pytest.raises(InputError, match="law_files: expected a law for each of quecc"):
        write_artefacts(rehashed(hostile), tmp_path / "hostile")


def test_marks_of_the_frontier_are_hollow_outside_of_the_data_of_their_own_law() -> None:
    """QueCC's law, the pick's, ends at 36 visual tokens, that of pooling at 576."""
    picked = plan("own laws")
    (section,) = [one for one in tell(picked).sections if one.key == "pictures"]
    marks = {(mark.x, mark.y): mark.hollow for mark in section.blocks[0].marks}  # type: ignore[union-attr]
    of_64 = {
        one.compressor.name: marks[one.total_flops, one.predicted_error]
        for one in picked.frontier
        if one.visual_tokens == 64
    }
    assert of_64 == {"average-pool": False, "quecc": True}
    assert marks[picked.best.total_flops, picked.best.predicted_error]


# ---- damaged files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"best": {}}, "was changed after it was made: its content does not match its sha256"),
        ({"format": "vlm-planner law"}, "is not a plan: its format is 'vlm-planner law'"),
        ({"format_version": 3}, "has format version 3, this vlm-planner reads up to 2: update vlm-planner"),
        ({"format_version": True}, "format_version: expected a whole number from 1 on, got True"),
        ({"best": None}, "was changed after it was made"),
        ({"extra": 1}, "was changed after it was made"),
        ({"sha256": "0" * 64}, "was changed after it was made"),
    ],
)
def test_a_plan_that_was_changed_is_refused(change: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    file = as_file(content("flops") | change, tmp_path, "my-plan.json")
    with pytest.raises(InputError, match=re.escape(complaint)) as caught:
        tell(file)
    assert str(caught.value).startswith("my-plan.json ")


def test_a_plan_without_a_format_is_none() -> None:
    old = {key: value for key, value in content("flops").items() if key not in ("format", "format_version", HASH)}
    with pytest.raises(InputError, match=r"the plan is not a plan: expected .*, as vlm-planner plan -o writes it"):
        tell(old)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 5000, '{"best": {"x": NaN}}', "\xff\xfe", '"plan"'])
def test_what_is_no_plan_is_one_sentence(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"plan\.json is not"):
        tell(file)


def test_what_is_nothing_at_all_is_one_sentence() -> None:
    with pytest.raises(InputError, match="expected a Plan, its dictionary or the path"):
        tell(3)  # type: ignore[arg-type]


WRONG = (None, "text", -1, 0, 1e308, True, [], {}, [None], {"x": 1}, ...)


@pytest.mark.parametrize("which", ["flops", "limits", pytest.param("mix", marks=pytest.mark.slow)])
def test_a_plan_with_anything_wrong_at_any_place_is_a_page_or_one_sentence(which: str) -> None:
    """Whoever recomputes the hash may put anything anywhere; nothing but an InputError comes of it."""
    whole = content(which)
    chosen = random.Random(which).sample(places(whole), 45)
    chosen += [(key,) for key in whole if key != HASH]
    for path in chosen:
        for value in random.Random(str(path)).sample(WRONG, 2):
            try:
                as_text(tell(rehashed(put(whole, path, value))), ".html")
            except InputError as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 600


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ([], r"law_files: expected an object, got \[\]"),
        ({"quecc": 3}, "law_files.quecc: expected an object, got 3"),
        ({"quecc": {}}, "the plan: law_files.quecc is not a law"),
        ({"quecc": {"format": "vlm-planner/combined-law", "format_version": 2}}, "has format version 2"),
        (
            {"quecc": {"format": "vlm-planner/combined-law", "format_version": 1}},
            "the plan is damaged: law_files.quecc.kind is missing",
        ),
    ],
)
def test_a_wrong_law_of_a_compressor_is_one_sentence(wrong: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        tell(rehashed(content("given") | {"law_files": wrong}))


def test_a_verdict_with_anything_wrong_at_any_place_is_a_page_or_one_sentence() -> None:
    whole = verdict().to_dict()
    for path in places(whole):
        for value in random.Random(str(path)).sample(WRONG, 2):
            try:
                as_text(tell(plan("given"), put(whole, path, value)), ".md")
            except InputError as error:
                assert str(error).startswith("the verdict")


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"format": "x"}, "the verdict is not a verdict: its format is 'x'"),
        ({"format_version": 9}, "has format version 9"),
        ({"checks": []}, "checks: expected at least one, got none"),
        ({"checks": [{"name": "x", "title": "x"}]}, r"checks\[0\]\.unit is missing"),
        ({"checks": [CHECKS[0].to_dict() | {"passed": "yes"}]}, r"checks\[0\]\.passed: expected true or false .*'yes'"),
        ({"hardware": {"name": "l4", "title": "L4"}}, "the verdict is damaged: hardware.source is missing"),
        ({"measurement": None}, "measurement: expected an object, got None"),
    ],
)
def test_a_wrong_verdict_is_one_sentence(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        tell(plan("given"), verdict().to_dict() | wrong)


def test_a_verdict_stands_beside_a_plan_alone(tmp_path: Path) -> None:
    """One door writes every story; `story_of` a plan is the recommendation."""
    assert story_of(plan("flops"), verdict()) == tell(plan("flops"), verdict())
    with pytest.raises(InputError, match="verdict: only a plan is reported with a verdict, got one with "):
        planner.write_report(planner.load_law("reasoning"), tmp_path / "law.html", verdict())
    assert not list(tmp_path.iterdir())


def test_a_verdict_that_is_nothing_at_all_is_one_sentence() -> None:
    with pytest.raises(InputError, match="verdict: expected a Verdict, its dictionary or the path of its file, got 3"):
        tell(plan("given"), 3)  # type: ignore[arg-type]


def test_files_of_the_first_version_give_a_page() -> None:
    """The verdict was written of another pick than those of the plans: it stands on a page of its own."""
    old = Path(__file__).parents[1] / "files_0_1"
    for name in ("plan-flops.json", "plan-limits.json", "plan-traffic.json"):
        document = tell(old / name)
        assert plain(document.heading).startswith(f"Train {planner.load_plan(old / name).best} per image")
        with pytest.raises(InputError, match=r"verdict\.json was not measured of this plan's pick: expected "):
            tell(old / name, old / "verdict.json")
    assert "Qwen2.5-0.5B with 36 visual tokens" in as_text(story_of(old / "verdict.json"), ".md")


# ---- hostile text ----------------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "&lt;b&gt; &amp; &#106;",
    "`rm -rf ~` $(reboot) ${HOME}",
    "[click](javascript:alert(1)) ![x](http://example.org/x.png)",
    "| a | b |\n|---|---|",
    "# heading\n\n- list",
    "a\u202edcba\u2066\u2069\u200f",
    "\x1b[31mred\x1b[0m\x07\x00",
    "W" * 5000,
    "\ud800",
    "模型 😀 é",
    "{{notes}} {{sha256}} %s {0}",
)


def hostile_plan(text: str) -> dict[str, Any]:
    """A plan in which every name and sentence is foreign."""
    changed = content("limits")
    llms = changed["parts"]["llms"]
    llms[text] = llms[changed["best"]["llm"]] | {"name": text}
    changed["best"]["llm"] = text
    changed["law_file"] = content("given")["law_file"]  # it has no runs, so that nothing is fitted for each text
    changed["law_file"] |= {"name": text, "tasks": [text], "advice": text, "remarks": [text], "sources": [text]}
    changed["assumptions"], changed["extrapolates"] = [text], [text]
    changed["hardware_profile"]["title"] = text if text.strip() else "a card"
    changed["inputs"]["llms"][0]["name"] = text
    changed["made_with"] = {text: text}
    return rehashed(changed)


def hostile_verdict(text: str, foreign: bool = False) -> dict[str, Any]:
    """A verdict of that plan in which every text is foreign that need not be the plan's; or is not the plan's."""
    card = plan("limits").deployment.hardware
    assert card is not None
    title = text if text.strip() else "a card"
    told = {"name": text if foreign else card.name, "title": text, "source": text}
    found = verdict(of="limits").to_dict() | {"hardware": told, "plan_sha256": text}
    found["measurement"] |= {"environment": {text: text, "device": title}, "mode": text, "notes": [text]}
    for one in ("llm", *(("vision", "compressor", "prompt_order", "precision") if foreign else ())):
        found["measurement"]["model"][one] = text
    for check in found["checks"]:
        check |= {"title": text, "note": text}
    return found


@cache
def ordinary_page() -> Page:
    return Page(as_text(tell(plan("limits"), verdict(of="limits")), ".html"))


def assert_harmless(text: str) -> None:
    with pytest.raises(InputError) as refused:
        tell(hostile_plan(text), hostile_verdict(text, foreign=True))
    assert str(refused.value).isprintable()
    document = tell(hostile_plan(text), hostile_verdict(text))
    html, markdown = as_text(document, ".html"), as_text(document, ".md")
    plain, page = ordinary_page(), Page(html)
    allowed = {tag for tag, _ in plain.elements} | {"em"}
    assert {tag for tag, _ in page.elements} <= allowed
    assert {name for _, attributes in page.elements for name in attributes} <= {
        name for _, attributes in plain.elements for name in attributes
    }
    for shown in (html, markdown):
        assert all(character.isprintable() or character == "\n" for character in shown)
    assert "\\u202e" in page.text or "\u202e" not in text
    if len(text) <= 60 and text.isprintable():
        assert text in page.text


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_shown_and_not_obeyed(text: str, tmp_path: Path) -> None:
    assert_harmless(text)
    folder = tmp_path / "files"
    try:
        write_artefacts(hostile_plan(text), folder)
    except InputError as error:  # half a character cannot be written
        assert text == "\ud800"
        assert "no character" in str(error)
        return
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "{{" not in readme.replace(text, "").replace("\\", "") or "{{" in text
    build = (folder / "build.sh").read_text(encoding="utf-8").splitlines()
    assert [line for line in build if not line.startswith("#")] == [
        "set -eu", 'cd "$(dirname "$0")"', 'vlm-planner build --from plan.json -o my-vlm "$@"'
    ]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=30))
def test_any_text_is_shown_and_not_obeyed(text: str) -> None:
    assert_harmless(text)


@pytest.mark.parametrize("text", ["<b>x</b>", "*x*", "_x_", "[x](y)", "`x`", "a|b", "# x", "http://example.org", "~x~"])
def test_markdown_marks_are_escaped(text: str) -> None:
    markdown = as_text(tell(hostile_plan(text)), ".md")
    (heading,) = [line for line in markdown.splitlines() if line.startswith("# ")]
    escaped = heading.removeprefix("# Train ").removesuffix(" with 64 visual tokens per image")
    assert escaped != text
    assert re.sub(r"\\(.)", r"\1", escaped) == text


# ---- files -----------------------------------------------------------------------------------------------------------


def test_files_are_not_overwritten_unasked_and_suffixes_are_checked(tmp_path: Path) -> None:
    page = planner.write_report(plan("flops"), tmp_path / "page.HTML")
    before = page.read_text(encoding="utf-8")
    with pytest.raises(OutputExistsError):
        planner.write_report(plan("flops"), page, verdict())
    assert page.read_text(encoding="utf-8") == before
    planner.write_report(plan("flops"), page, verdict(), overwrite=True)
    assert page.read_text(encoding="utf-8") != before
    for wrong in ("page.pdf", "page", ".html", "page.html.gz"):
        with pytest.raises(InputError, match=r"a report's file name ends in \.html, \.md or \.json, got "):
            planner.write_report(plan("flops"), tmp_path / wrong)
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.HTML"]


def golden() -> str:
    """The page of a fixed plan; versions and hashes are those of the machine."""
    text = as_text(tell(plan("flops"), verdict()), ".md")
    text = re.sub(rf"^- ({'|'.join(VERSIONS)}): .*$", r"- \1: (version)", text, flags=re.MULTILINE)
    return re.sub(r"^- Hash of the plan: .*$", "- Hash of the plan: (hash)", text, flags=re.MULTILINE)


def test_the_text_is_the_golden_one() -> None:
    assert golden() == GOLDEN.read_text(encoding="utf-8"), (
        "PYTHONPATH=tests python tests/tell/test_recommendation.py writes it again"
    )


# ---- the verb --------------------------------------------------------------------------------------------------------


def test_the_verb_writes_the_page_that_the_plan_writes(run: Run, tmp_path: Path) -> None:
    file = as_file(plan("limits").to_dict(), tmp_path)
    measured = verdict(of="limits").save(tmp_path / "verdict.json")
    for kind in KINDS:
        done = run("report", file, "--verdict", measured, "-o", tmp_path / f"verb{kind}")
        assert (done.code, done.out) == (0, "Train Qwen1.5-1.8B with 64 visual tokens per image.\n")
        assert done.err == f"wrote {tmp_path / f'verb{kind}'}\n"
        planner.write_report(plan("limits"), tmp_path / f"own{kind}", verdict(of="limits"))
        assert (tmp_path / f"verb{kind}").read_bytes() == (tmp_path / f"own{kind}").read_bytes()
    assert run("report", file, "--json").json["plan"] == content("limits")


def test_the_verb_refuses_in_one_sentence(run: Run, tmp_path: Path) -> None:
    file, page = as_file(plan("flops").to_dict(), tmp_path), tmp_path / "page.html"
    page.write_text("old", encoding="utf-8")
    assert "-o is missing" in run("report", file).complaint
    assert "ends in .html, .md or .json" in run("report", file, "-o", tmp_path / "x.pdf").complaint
    assert "already exists" in run("report", file, "-o", page).complaint
    assert run("report", tmp_path / "none.json", "-o", tmp_path / "x.html").code == 2
    assert "expected a plan, a verdict, " in run("report", tmp_path / "none.json", "-o", tmp_path / "x.html").complaint
    assert "is not a verdict: its format is" in run("report", file, "--verdict", file, "--json").complaint
    assert run("report", file, "-o", page, "--force").code == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_terminal_shows_hostile_names_and_does_not_obey_them(run: Run, tmp_path: Path) -> None:
    file = as_file(hostile_plan("\x1b[31m[bold]\u202e"), tmp_path)
    done = run("report", file, "-o", tmp_path / "x.md")
    assert done.out == "Train \\x1b[31m[bold]\\u202e with 64 visual tokens per image.\n"


if __name__ == "__main__":  # PYTHONPATH=tests python tests/tell/test_recommendation.py: write the golden text again
    GOLDEN.write_text(golden(), encoding="utf-8")
