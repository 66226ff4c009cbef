"""Every kind of file and every field of it: what is written is what is read, whatever the values."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import built
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import planner
from planner.base.codec import decode, encode
from planner.base.file_format import FileFormat
from planner.base.files import file_text
from planner.base.lazily import Lazily
from planner.bench.calibration.engine_result import ENGINE_CALIBRATION_FILE
from planner.bench.calibration.result import CALIBRATION_FILE
from planner.bench.grid_verdict import GRID_FILE, GridVerdict
from planner.bench.measurement import MEASUREMENT_FILE
from planner.bench.samples import Samples
from planner.bench.verdict import VERDICT_FILE, Verdict
from planner.configuration import PROMPT_ORDERS, Model, Run
from planner.hardware import HARDWARE_FILE, Hardware
from planner.hardware.precision import KV_BYTES, WEIGHT_PRECISIONS
from planner.laws.combined import COMBINED_LAW_FILE, LAW_PART, read_law
from planner.laws.fitted import LAW_FILE
from planner.laws.forms import forms_for
from planner.laws.hierarchy.law import EVIDENCE_LAW_FILE
from planner.parts.catalog import LLMS, TOWERS
from planner.parts.compressors import COMPRESSORS
from planner.parts.connectors import CONNECTORS
from planner.planning.evaluating.result import NEXT_EVALUATIONS_FILE
from planner.planning.plan_file import PLAN_FILE

PACKAGE = Path(planner.__file__).parent
_SHOWN_AS_IT_CAME = (Phase.generate,)  # to shrink a whole plan takes minutes
SOME = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), phases=_SHOWN_AS_IT_CAME)
MANY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

FORMATS: tuple[FileFormat[Any], ...] = (
    LAW_FILE,
    COMBINED_LAW_FILE,
    EVIDENCE_LAW_FILE,
    PLAN_FILE,
    MEASUREMENT_FILE,
    VERDICT_FILE,
    GRID_FILE,
    CALIBRATION_FILE,
    ENGINE_CALIBRATION_FILE,
    HARDWARE_FILE,
    NEXT_EVALUATIONS_FILE,
)


def test_every_kind_of_file_is_tried() -> None:
    """Read from the source: a new `X_FILE = FileFormat(...)` has to be named above."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("FileFormat("):
                module = ".".join(("planner", *path.relative_to(PACKAGE).with_suffix("").parts))
                found.append(getattr(importlib.import_module(module), ast.unparse(node.targets[0])))
    assert {one.name for one in found} == {one.name for one in FORMATS}
    assert all(any(one is other for other in FORMATS) for one in found)


def through_a_file(content: Mapping[str, Any]) -> Any:
    return json.loads(file_text(content))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in every field, those too that `==` of their class leaves out."""
    one, other = (tuple(each) if isinstance(each, Lazily) else each for each in (one, other))
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one))
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and bool((one == other).all())
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(one == other)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_field_is_tried(form: FileFormat[Any]) -> None:
    """The strategy of a format gives every field more than one value."""
    seen: dict[str, set[str]] = {one.name: set() for one in dataclasses.fields(form.cls)}

    @settings(SOME, derandomize=True)  # it is asked of the strategy, not of what is drawn today
    @given(built.made(form.cls))
    def look(thing: Any) -> None:
        for name, values in seen.items():
            values.add(repr(getattr(thing, name)))

    look()
    assert [name for name, values in seen.items() if len(values) < 2] == []


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_what_is_written_is_read(form: FileFormat[Any]) -> None:
    @SOME
    @given(built.made(form.cls))
    def check(thing: Any) -> None:
        content = through_a_file(form.to_dict(thing))
        again = form.from_dict(content, "the file")
        assert same(again, thing)
        assert form.to_dict(again) == content

    check()


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
@pytest.mark.parametrize("kind", ["fitted", "joint", "average", "mix", "mix of averages"])
def test_laws_of_every_form_and_kind(form: str, kind: str) -> None:
    one = built.fitted_laws(form)
    laws = {
        "fitted": one,
        "joint": built.fitted_laws(form, joint=st.dictionaries(built.TEXTS, built.JSON, min_size=1, max_size=2)),
        "average": built.combined_laws(one, kind=st.just("average")),
        "mix": built.combined_laws(one, kind=st.just("mix")),
        "mix of averages": built.combined_laws(built.combined_laws(one), kind=st.just("mix")),
    }[kind]

    @SOME
    @given(laws)
    def check(law: Any) -> None:
        content = through_a_file(law.to_dict())
        assert same(type(law).from_dict(content), law)

    check()


def test_a_file_on_the_disk_is_the_same(tmp_path: Path) -> None:
    """By save and load, of each class that has them."""

    @SOME
    @given(built.laws(), built.made(Hardware), built.made(Verdict), built.made(GridVerdict))
    def check(law: Any, card: Hardware, verdict: Verdict, grid: GridVerdict) -> None:
        assert same(read_law(law.save(tmp_path / "law.json", overwrite=True)), law)
        for thing in (card, verdict, grid):
            assert same(type(thing).load(thing.save(tmp_path / "file.json", overwrite=True)), thing)

    check()


@MANY
@given(built.made(Samples))
def test_samples(samples: Samples) -> None:
    assert same(decode(Samples, through_a_file(encode(samples))), samples)


@MANY
@given(st.data())
def test_models(data: st.DataObject) -> None:
    compressor, tower = (data.draw(st.sampled_from(list(one))) for one in (COMPRESSORS, TOWERS))
    model = Model.of(
        data.draw(st.sampled_from(LLMS.names())),
        data.draw(st.sampled_from([0, *compressor.visual_tokens(tower)])),
        vision=tower,
        compressor=compressor,
        connector=data.draw(st.sampled_from(list(CONNECTORS))),
        prompt_order=data.draw(st.sampled_from(PROMPT_ORDERS)),
    )
    assert Model.from_dict(through_a_file(model.to_dict())) == model


@MANY
@given(
    st.builds(
        Run,
        hardware=st.none() | built.made(Hardware),
        precision=st.sampled_from(WEIGHT_PRECISIONS),
        kv_precision=st.none() | st.sampled_from(list(KV_BYTES)),
        batch=st.integers(1, 2**40),
        tensor_parallel=st.integers(1, 64),
    )
)
def test_runs(run: Run) -> None:
    assert same(Run.from_dict(through_a_file(run.to_dict())), run)


def test_models_and_runs_have_no_field_that_is_not_tried() -> None:
    assert [one.name for one in dataclasses.fields(Model)] == [
        "llm", "tower", "compressor", "visual_tokens", "prompt_order", "connector",
    ]  # fmt: skip
    assert [one.name for one in dataclasses.fields(Run)] == [
        "hardware", "precision", "kv_precision", "batch", "tensor_parallel",
    ]  # fmt: skip


@SOME
@given(st.data())
def test_plans_that_were_planned(data: st.DataObject) -> None:
    """The whole of a Plan, its parts and laws put together again."""
    several = st.lists(st.sampled_from(["quecc", "tokenpacker", "average-pool"]), min_size=1, max_size=2, unique=True)
    plan = planner.plan(
        data.draw(st.sampled_from(["reasoning", "ocr"])),
        form=data.draw(st.sampled_from([*[one.name for one in forms_for(2)], "auto"])),
        budget=planner.Budget(f"{data.draw(st.integers(3, 40))} TFLOPs", memory_bytes="80 GiB"),
        query_tokens=data.draw(st.integers(0, 500)),
        generated_tokens=data.draw(st.integers(0, 100)),
        cached_tokens=data.draw(st.integers(0, 500)),
        llms=data.draw(st.sampled_from(["qwen2.5", "qwen1.5", ["Qwen2.5-0.5B", "Phi-2"]])),
        compressor=data.draw(several),
        prompt_order=data.draw(st.sampled_from(["image-first", "text-first", list(PROMPT_ORDERS)])),
        hardware=data.draw(st.sampled_from([None, "h100-sxm", "mi300x"])),
        batch=data.draw(st.sampled_from([1, [1, 4]])),
    )
    again = planner.Plan.from_dict(through_a_file(plan.to_dict()))
    for one in dataclasses.fields(plan):
        if one.name not in ("all_candidates", "made_with", "given"):  # what its file does not hold
            assert same(getattr(again, one.name), getattr(plan, one.name)), one.name
    assert again.to_dict() == plan.to_dict()


def test_a_law_in_a_file_is_one_of_a_known_kind() -> None:
    assert LAW_PART.encode(planner.load_law("reasoning"), LAW_FILE.place("x"))["format"] == LAW_FILE.name
