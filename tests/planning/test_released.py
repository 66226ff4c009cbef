"""Plans among released models: every candidate as if costed alone, what is left out and why, files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planner
from planner.base.errors import InputError, NothingFitsError, UnknownNameError
from planner.costs.request import released_cost
from planner.costs.stages import Workload
from planner.laws.shipped import load_law
from planner.parts.images import ImageMix
from planner.parts.released import find_checkpoint, find_checkpoints, released_families, released_ids
from planner.planning.deployment import as_deployment
from planner.planning.load_plan import replan
from planner.planning.released import ReleasedAxes, ReleasedBlock
from planner.planning.request import Budget, Load
from planner.planning.result import Plan
from planner.planning.serving import serving

EVERY_KIND = (
    "Qwen/Qwen3-VL-2B-Instruct",
    "Qwen/Qwen2.5-VL-3B-Instruct",
    "Qwen/Qwen3-VL-30B-A3B-Instruct",
    "Qwen/Qwen3.5-0.8B",
    "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "KamilaMila/FastVLM-0.5B",
    "google/gemma-3n-E2B-it",
    "google/gemma-4-12B-it",
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
    "HuggingFaceTB/SmolVLM-256M-Instruct",
    "google/paligemma2-3b-pt-224",
)
REQUEST: dict[str, Any] = {"query_tokens": 120, "generated_tokens": 200}
WORKLOAD = Workload(**REQUEST)
MIX = ImageMix.of({"640x480": 6, "1024x768": 3, "2000x1500": 1})


@dataclass(frozen=True)
class Row:
    """A candidate of a table, and what it costs alone."""

    own: dict[str, float]
    alone: dict[str, float]
    name: str


def rows(
    models: tuple[str, ...],
    mix: ImageMix,
    workload: Workload = WORKLOAD,
    precision: tuple[str, ...] | None = None,
    batches: tuple[int, ...] = (1,),
    tensor_parallel: tuple[int, ...] = (1, 2),
) -> Iterator[Row]:
    load = Load(workload, workload)
    axes = ReleasedAxes.of(find_checkpoints(models), mix, load_law("reasoning"), load, precision is None)
    deployment = as_deployment(
        Budget(ttft_s=1.0), "h100-sxm", precision or axes.own_precisions(), None, tensor_parallel, batches, None, None
    )
    space = axes.evaluate(deployment, load, "full")
    assert len(space.table)
    for row in range(len(space.table)):
        if not space.possible[row]:
            continue
        block, (_, _, i, _) = space.locate(row)
        assert isinstance(block, ReleasedBlock)
        cell = block.cells[i]
        run: dict[str, Any] = {
            "knobs": cell.turned,
            "precision": block.precision,
            "batch": int(space.table.batch[row]),
            "tensor_parallel": int(space.table.tensor_parallel[row]),
            "hardware": "h100-sxm",
        }
        alone = released_cost(cell.checkpoint, cell.size, workload, **run)
        assert alone.latency is not None
        costs = {
            "peak_memory_bytes": float(alone.memory.peak),
            "ttft_s": float(alone.latency.ttft_s),
            "tpot_s": float(alone.latency.tpot_s),
            "request_s": float(alone.latency.request_s),
        }
        if len(mix.sizes) == 1:
            costs["total_flops"] = float(alone.flops.total)
            costs["requests_per_second"] = float(alone.latency.throughput_requests_per_s)
        else:
            several = [released_cost(cell.checkpoint, size, workload, **run) for size in mix.sizes]
            encoder = [float(one.flops.encoder) for one in several]
            assert float(np.asarray(block.flops.encoder)[i, 0]) == mix.mean(encoder)
        own = {name: float(space.table.quantities[name][row]) for name in costs}
        yield Row(own, costs, f"{cell.checkpoint.name} {dict(cell.turned)} {run}")


def test_every_candidate_costs_what_it_costs_alone() -> None:
    found = list(rows(EVERY_KIND, ImageMix.of("1024x768"), precision=("bf16",), tensor_parallel=(1,)))
    assert len(found) > 25
    for row in found:
        assert row.own == row.alone, row.name


def test_in_every_way_to_run() -> None:
    some = ("Qwen/Qwen3-VL-2B-Instruct", "KamilaMila/FastVLM-0.5B", "google/gemma-3-4b-it")
    request = Workload(30, 5, cached_tokens=7, system_tokens=11, images=2)
    for row in rows(some, ImageMix.of("500x700"), request, ("bf16", "int4"), (1, 4), (1, 2)):
        assert row.own == row.alone, row.name


def test_of_many_sizes_limits_hold_for_the_95th_percentile() -> None:
    """1 in 10 images is of the largest size: the one that 95 % do not exceed."""
    for row in rows(EVERY_KIND[:1] + EVERY_KIND[8:10], MIX, tensor_parallel=(1,)):
        assert row.own == row.alone, row.name


@pytest.mark.slow
def test_the_whole_catalogue() -> None:
    for row in rows(released_ids(), ImageMix.of("1024x768"), tensor_parallel=(1, 8)):
        assert row.own == row.alone, row.name


def plan(**more: Any) -> Plan:
    asked: dict[str, Any] = {"models": "qwen3-vl", "image": "1024x768", "hardware": "h100-sxm", **REQUEST, **more}
    return planner.plan(budget=asked.pop("budget", Budget(ttft="100 ms")), **asked)


def test_the_pick_has_the_least_error_of_what_fits() -> None:
    found = plan()
    table, law = found.table, load_law("reasoning", "auto")
    assert found.best.predicted_error == table.predicted_error[table.fits].min()
    best = found.best
    expected = law.predict(best.llm.nominal_params, best.visual_tokens, best.llm.name)
    assert best.predicted_error == pytest.approx(float(expected), rel=1e-12)
    assert found.best.released is not None
    assert found.best.visual_tokens == found.best.released.seen.visual_tokens
    assert (table.quantities["ttft_s"][table.fits] <= 0.1).all()
    assert list(best.interval_parts) == ["law", "family", "recipe", "compressor"]
    assert not any("as released" in text for text in found.assumptions)


def test_each_model_runs_in_the_dtype_of_its_files() -> None:
    found = plan(models="llava-1.5,qwen3-vl", budget=Budget(ttft="1 s"))
    precisions = np.array([setup["precision"] for setup in found.table.setups])[found.table.setup_index]
    for llm, precision in zip(found.table.llm_index, precisions, strict=True):
        assert find_checkpoint(found.table.llms[llm].name).dtype == precision
    asked = plan(models="llava-1.5", precision=("bf16", "int4"), budget=Budget(ttft="1 s"))
    assert {setup["precision"] for setup in asked.table.setups} == {"bf16", "int4"}


def test_settings_that_see_the_same_are_one_candidate() -> None:
    """A small image is below most pixel budgets."""
    small, large = plan(image="300x200"), plan(image="4000x3000")
    assert small.candidates_count < large.candidates_count
    published = find_checkpoint("Qwen3-VL-2B-Instruct").rule.visual_tokens(300, 200)
    assert published in small.tried.visual_tokens


def test_a_context_is_a_limit() -> None:
    long = {"query_tokens": 5000, "generated_tokens": 10, "budget": "400 TFLOPs", "image": "336x336"}
    both = plan(models="llava-1.5,qwen3-vl", **long)
    assert {one.llm.name for one in (both.best, *both.runners_up)}.isdisjoint({"llava-1.5-7b-hf", "llava-1.5-13b-hf"})
    assert both.tried.released is not None
    assert {name for name, _ in both.tried.released.beyond_context} == {"llava-1.5-7b-hf", "llava-1.5-13b-hf"}
    with pytest.raises(NothingFitsError, match="more tokens than the context of any model"):
        plan(models="llava-1.5", **long)


def test_names() -> None:
    assert len(find_checkpoints("released").checkpoints) + len(find_checkpoints("released").refused) == len(
        released_ids()
    )
    assert {"qwen3-vl", "llava-1.5", "smolvlm", "paligemma2"} < set(released_families())
    both = find_checkpoints("Qwen/Qwen3-VL-8B-Instruct, llava-1.5")
    assert both.checkpoints[0].name == "Qwen3-VL-8B-Instruct"
    assert both.named == {"Qwen3-VL-8B-Instruct"}
    assert len(find_checkpoints("qwen3-vl").checkpoints) > 3
    with pytest.raises(UnknownNameError, match="did you mean 'qwen3-vl'"):
        find_checkpoints("qwen3-vk")
    with pytest.raises(InputError, match="models: expected"):
        find_checkpoints([])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"llms": "qwen2.5"}, "llms: chooses what to train"),
        ({"visual_tokens": 4}, "visual_tokens: chooses what to train"),
        ({"vision": "SigLIP-so400m/14-384"}, "vision: chooses what to train"),
        ({"compressor": "none"}, "compressor: chooses what to train"),
        ({"prompt_order": "text-first"}, "prompt_order: chooses what to train"),
        ({"image": None}, "released models need the size of an image"),
        ({"models": None}, "decides for released models only"),
        ({"law": {"quecc": "reasoning"}}, "give one law"),
        ({"image": "1x900"}, "which the processor refuses"),
    ],
)
def test_two_questions_are_not_mixed(more: dict[str, Any], said: str) -> None:
    model = {"models": "Qwen/Qwen3-VL-8B-Instruct"} if more.get("image") == "1x900" else {}
    with pytest.raises(InputError, match=said):
        plan(**{**model, **more})


@pytest.mark.parametrize("image", ["1024x768", ["1024x768", "640x480"]])
def test_a_file_gives_the_plan_again(tmp_path: Path, image: Any) -> None:
    made = plan(models="qwen3-vl,llava", image=image, tensor_parallel=(1, 2))
    file = made.save(tmp_path / "plan.json")
    read = planner.load_plan(file)
    assert read == made
    assert read.sha256 == made.sha256
    again = planner.replan(read)
    assert (again, again.sha256) == (made, made.sha256)


def test_a_file_says_which_weights() -> None:
    best = plan(budget=Budget(ttft="20 ms")).to_dict()["best"]
    own = find_checkpoint(best["hub_id"])
    assert (best["model"], best["weights"]) == (own.name, "released")
    assert best["params"] == own.params_by_part()
    turned = {} if best["knob"] is None else {best["knob"]["name"]: best["knob"]["value"]}
    assert best["visual_tokens"] == own.rule.turned(turned).visual_tokens(1024, 768)
    trained = planner.plan(budget="2 TFLOPs", **REQUEST).to_dict()["best"]
    assert trained["weights"] == "to be trained"
    assert "hub_id" not in trained


def test_a_mixture_of_sizes_is_read_from_a_csv(tmp_path: Path) -> None:
    file = tmp_path / "sizes.csv"
    file.write_text("image,count\n640x480,60\n1024x768,30\n2000x1500,10\n")
    read, given = plan(image=file), plan(image=MIX)
    assert read.best == given.best
    assert read.tried.released is not None
    assert read.tried.released.images.source == str(file)


def test_a_mixture_of_experts_says_what_its_size_counts() -> None:
    """The law was fitted to dense models; N is the size in the name, all experts with it."""
    request: dict[str, Any] = {"query_tokens": 20, "generated_tokens": 8, "image": "448x448", "budget": "500 TFLOPs"}
    sparse = planner.plan(models="Qwen/Qwen3-VL-30B-A3B-Instruct", **request)
    dense = planner.plan(models="Qwen/Qwen3-VL-8B-Instruct", **request)
    assert any("counts all experts, of which a token passes" in said for said in sparse.extrapolates)
    assert not any("experts" in said for said in dense.extrapolates)


def test_frame_names_each_model_its_knob_and_its_interval(tmp_path: Path) -> None:
    models = ["qwen3-vl", "google/gemma-3-4b-it"]
    law = planner.load_law("reasoning")
    assert isinstance(law, planner.FittedLaw)
    found = planner.plan(
        replace(law, llms=tuple(one.name for one in find_checkpoints(models).checkpoints)),  # as if of runs of them
        models=models,
        budget=Budget(ttft="40 ms"),
        hardware="h100-sxm",
        image="1024x768",
        precision=["bf16", "fp8"],
        **REQUEST,
    )
    frame = found.to_frame()
    first, best = frame.iloc[0], found.best
    assert best.released is not None
    assert (first["model"], first["hub_id"]) == (best.released.checkpoint.name, best.released.checkpoint.hub_id)
    assert (first["knob"], first["visual_tokens"], first["precision"]) == (
        best.knob,
        best.visual_tokens,
        best.precision,
    )
    assert best.interval is not None
    assert best.interval == (first["error_low"], first["error_high"])
    assert best.probability_best == first["probability_best"]
    assert set(frame["knob"][frame["model"] == "gemma-3-4b-it"]) >= {"", "do_pan_and_scan=true"}
    for name, hub_id, tokens, knob in frame[["model", "hub_id", "visual_tokens", "knob"]].itertuples(index=False):
        knobs = dict([knob.split("=")]) if knob else {}
        assert planner.released_cost(hub_id, "1024x768", knobs=knobs, workload=WORKLOAD).visual_tokens == tokens, name
    assert frame["error_low"].notna().equals(frame["fits"])
    known = frame[frame["fits"]]
    assert (known["error_low"] <= known["predicted_error"]).all()
    assert (known["predicted_error"] <= known["error_high"]).all()
    others = planner.plan(
        law, models=models, budget=Budget(ttft="40 ms"), hardware="h100-sxm", image="1024x768", **REQUEST
    )
    wide = others.to_frame()
    assert (wide["error_high"] - wide["error_low"]).min() > 5 * (frame["error_high"] - frame["error_low"]).max()
    no_names = planner.plan(
        replace(law, llms=()), models=models, budget=Budget(ttft="40 ms"), hardware="h100-sxm", image="1024x768",
        **REQUEST,
    )  # fmt: skip
    assert not {"error_low", "error_high", "probability_best"} & set(no_names.to_frame().columns)


@pytest.mark.parametrize(
    ("model", "precision", "said"),
    [
        (
            "google/gemma-4-26B-A4B-it",
            "int4",
            "weights of gemma-4-26B-A4B-it in int4 can be found and served: vLLM, SGLang, llama.cpp, as known here, do "
            "not make them from the released ones; in bf16 vLLM, SGLang, llama.cpp serve it",
        ),
        ("google/gemma-4-26B-A4B-it", "Q4_K_M", None),
        ("google/gemma-4-26B-A4B-it", "fp8", None),
        (
            "KamilaMila/FastVLM-7B",
            "bf16",
            "no engine known here (vLLM, SGLang, llama.cpp) serves FastVLM-7B: you need a server of your own",
        ),
    ],
)
def test_a_plan_says_where_no_engine_serves_its_pick(model: str, precision: str, said: str | None) -> None:
    found = planner.plan(
        models=model,
        image="1024x768",
        query_tokens=50,
        generated_tokens=32,
        hardware="h100-sxm",
        precision=precision,
        budget=planner.Budget(ttft_s=1.0),
    )
    told = [one for one in (*found.warnings, *found.assumptions) if "known here" in one]
    assert told == ([] if said is None else [said])
    content = found.to_dict()
    assert [one for one in (*content.get("warnings", ()), *content["assumptions"]) if "known here" in one] == told


@pytest.mark.parametrize(
    ("model", "card", "ran"),
    [
        ("Qwen/Qwen2.5-VL-3B-Instruct", "t4", "fp16"),
        ("Qwen/Qwen3-VL-2B-Instruct", "iphone 16 pro", "fp16"),
        ("Qwen/Qwen2.5-VL-3B-Instruct", "l4", "bf16"),
        ("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", "t4", "fp16"),
        ("google/paligemma2-3b-pt-224", "t4", "fp32"),
    ],
)
def test_bf16_gives_way_where_the_card_has_none(model: str, card: str, ran: str) -> None:
    asked: dict[str, Any] = {**REQUEST, "image": "1024x768", "hardware": card}
    found = planner.plan(models=model, budget=planner.Budget(ttft="100 s"), **asked)
    cost = planner.released_cost(model, **asked)
    own = found.best.released.checkpoint.dtype if found.best.released else ""
    assert found.best.precision == cost.run.precision == ran
    for told in (found.assumptions, cost.notes):
        assert [one for one in told if f"{ran} in place of the {own}" in one] == [
            one for one in told if "has no bf16" in one
        ]
        assert any("has no bf16" in one for one in told) == (own != ran)
    dtype = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}[ran]
    vllm = serving(found)[0]
    assert f"--dtype {dtype} " in vllm.command if vllm.command else "does not serve on" in vllm.refusal


def test_bf16_asked_for_is_refused_where_the_card_has_none() -> None:
    asked: dict[str, Any] = {**REQUEST, "image": "1024x768", "hardware": "t4", "precision": "bf16"}
    with pytest.raises(InputError, match=r"^NVIDIA T4 16 GB has no bf16; it has fp16, int8, fp32$"):
        planner.plan(models="qwen2.5-vl", budget=planner.Budget(ttft="1 s"), **asked)
    with pytest.raises(InputError, match=r"^NVIDIA T4 16 GB has no bf16; it has fp16, int8, fp32$"):
        planner.released_cost("Qwen/Qwen2.5-VL-3B-Instruct", **asked)


def test_memory_is_named_first_where_nothing_fits() -> None:
    model = "Qwen/Qwen3-VL-32B-Instruct"
    asked: dict[str, Any] = {**REQUEST, "models": model, "image": "1024x768", "hardware": "l4"}

    def said(**limits: str) -> str:
        with pytest.raises(NothingFitsError) as caught:
            planner.plan(budget=planner.Budget(**limits), **asked)
        return str(caught.value)

    start = (
        "nothing fits memory per device at most 22.5 GiB: the nearest candidate is Qwen3-VL-32B-Instruct at "
        "max_pixels=65536 with 54 visual tokens at 62.8 GiB; "
    )
    way_out = "name smaller models or a larger card; tensor_parallel=4 would "
    assert said(ttft="100 s") == f"{start}{way_out}do; precision='Q4_K_M' would do"
    assert said(ttft="1 ms") == (
        f"{start}none keeps TTFT at most 1 ms either; {way_out}keep memory per device at most 22.5 GiB"
    )
    fits = planner.plan(budget=planner.Budget(ttft="100 s"), **asked, tensor_parallel=4)
    assert fits.best.tensor_parallel == 4
    with pytest.raises(NothingFitsError, match="memory"):
        planner.plan(budget=planner.Budget(ttft="100 s"), **asked, tensor_parallel=2)


def test_the_nearest_to_a_time_fits_the_memory() -> None:
    """A mixture of experts decodes faster, but does not fit."""
    both = ("Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen3-VL-30B-A3B-Instruct")
    quick = [planner.released_cost(one, "1024x768", hardware="l4", **REQUEST).latency for one in both]
    assert quick[0] is not None and quick[1] is not None and quick[0].tpot_s > quick[1].tpot_s
    with pytest.raises(NothingFitsError, match=r"^nothing fits TPOT at most 1 ms: the nearest .* is Qwen3-VL-8B-Inst"):
        planner.plan(models=both, image="1024x768", hardware="l4", budget=planner.Budget(tpot="1 ms"), **REQUEST)


def test_an_older_plan_in_bf16_is_made_again_in_what_the_card_has() -> None:
    asked: dict[str, Any] = {**REQUEST, "models": "qwen2.5-vl", "image": "1024x768", "hardware": "t4"}
    found = planner.plan(budget=planner.Budget(ttft="1 s"), **asked)
    older = replace(found, deployment=replace(found.deployment, precisions=("bf16",)), all_candidates=None)
    assert replan(older).best == found.best


def test_a_pick_whose_images_cross_attention_reads_says_what_the_law_counts() -> None:
    found = plan(law="ocr", models="meta-llama/Llama-3.2-11B-Vision-Instruct", budget=Budget(ttft="5 s"))
    said = (
        "the image tokens of Llama-3.2-11B-Vision-Instruct are read by cross-attention and never enter the language "
        "model's sequence, which is what the law's T counts"
    )
    assert said in found.extrapolates and said in found.to_dict()["extrapolates"]
    assert not any("cross-attention" in one for one in plan().extrapolates)


def test_a_law_ranks_no_model_whose_images_cross_attention_reads_unless_it_is_named() -> None:
    """Its T would be thousands of tokens that the language model never sees: the largest T would lead."""
    crossed, other = "meta-llama/Llama-3.2-11B-Vision-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct"
    among_all = planner.plan(models="released", image="1024x768", hardware="l4", budget=Budget(ttft="2 s"), **REQUEST)
    assert among_all.tried.released is not None
    refused = dict(among_all.tried.released.refused)
    assert "read by cross-attention" in refused[crossed] and other not in refused
    by_cost = planner.plan(
        models="released", image="1024x768", hardware="l4", budget=Budget(ttft="2 s"), rank_by="cost", **REQUEST
    )
    assert by_cost.tried.released is not None and crossed not in dict(by_cost.tried.released.refused)
    with pytest.raises(InputError, match=r"^no released model is left: the image tokens of Llama-3\.2-"):
        planner.plan(models="llama-3.2", image="1024x768", hardware="l4", budget=Budget(ttft="9 s"), **REQUEST)
