"""What a plan says of itself: extrapolations and assumptions word by word, its text, its dictionary."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.base.quantities import format_bytes, format_seconds
from planner.base.version import __version__
from planner.costs.stages import STAGES, Workload
from planner.laws.combined import CombinedLaw
from planner.laws.fitted import FittedLaw
from planner.planning.request import Budget
from planner.planning.result import Plan
from planner.planning.search import plan
from planner.planning.words import law_title

LAW = FittedLaw.given(
    "additive",
    {"A": 0.4, "alpha": 0.1, "B": 0.19, "beta": 0.05, "D": 0.0},
    name="mine",
    llms=("Qwen1.5-0.5B", "Qwen1.5-7B"),
    compressors=("tokenpacker", "none"),
    vision="CLIP-ViT-L/14-336",
    llm_params_levels=(0.5e9, 1.8e9, 4e9, 7e9),
    visual_tokens_levels=(1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0),
)
OTHER_COMPRESSOR = (
    "a law measured with tokenpacker holds for quecc (the gain of a visual token differs between compressors)"
)
PAPER_COUNT = "the paper's count leaves out the vision tower, the compressor and its query pass"


def planned(law: FittedLaw | str = LAW, llm: str = "Qwen1.5-4B", visual_tokens: int = 16, **options: Any) -> Plan:
    """A plan with one candidate, by default inside all that the law was measured on."""
    workload = options.pop("workload", Workload(50, 32))
    options = {"compressor": "tokenpacker", "budget": "1 PFLOPs", **options}
    return plan(law, llms=llm, visual_tokens=[visual_tokens], workload=workload, **options)


def write_config(folder: Path, model_type: str = "qwen2") -> str:
    folder.mkdir()
    sizes = {
        "hidden_size": 2560,
        "intermediate_size": 6912,
        "num_hidden_layers": 40,
        "num_attention_heads": 20,
        "vocab_size": 151936,
    }
    file = folder / "config.json"
    file.write_text(json.dumps({"model_type": model_type, **sizes}))
    return str(file)


# ---- extrapolations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", [LAW, "reasoning", "ocr", "paper"])
@pytest.mark.parametrize(
    ("llm", "visual_tokens"), [("Qwen1.5-0.5B", 1), ("Qwen1.5-4B", 9), ("Qwen1.5-7B", 576), ("Qwen1.5-1.8B", 144)]
)
def test_pick_inside_the_data_extrapolates_and_assumes_nothing(
    law: FittedLaw | str, llm: str, visual_tokens: int
) -> None:
    result = planned(law, llm, visual_tokens)
    assert (result.extrapolates, result.assumptions) == ((), ())


@pytest.mark.parametrize(
    ("llm", "text"),
    [
        ("Qwen1.5-32B", "llm_params 32B is above the largest measured, 7B, by a factor of 4.6"),
        ("Qwen1.5-72B", "llm_params 72B is above the largest measured, 7B, by a factor of 10"),
        ("SmolLM2-135M", "llm_params 135M is below the smallest measured, 0.5B, by a factor of 3.7"),
    ],
)
def test_size_outside_the_data(llm: str, text: str) -> None:
    assert planned(llm=llm).extrapolates == (text,)
    assert planned("reasoning", llm).extrapolates == (text,)


def test_a_plan_names_the_version_that_made_it() -> None:
    found = plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
    assert found.to_dict()["made_with"]["vlm-planner"] == __version__


def test_visual_tokens_outside_the_data() -> None:
    law = replace(LAW, visual_tokens_levels=(4.0, 16.0, 36.0))
    assert planned(law, visual_tokens=1).extrapolates == (
        "visual_tokens 1 is below the smallest measured, 4, by a factor of 4.0",
    )
    assert planned(law, visual_tokens=144).extrapolates == (
        "visual_tokens 144 is above the largest measured, 36, by a factor of 4.0",
    )
    assert planned(law, visual_tokens=36).extrapolates == ()


def test_both_outside_the_data() -> None:
    law = replace(LAW, visual_tokens_levels=(1.0, 4.0, 36.0))
    assert planned(law, "Qwen1.5-14B", 576).extrapolates == (
        "llm_params 14B is above the largest measured, 7B, by a factor of 2.0",
        "visual_tokens 576 is above the largest measured, 36, by a factor of 16",
    )


def test_law_that_does_not_know_its_data_says_nothing_of_ranges() -> None:
    assert planned(replace(LAW, llm_params_levels=(), visual_tokens_levels=()), "Qwen1.5-72B").extrapolates == ()


# ---- assumptions -------------------------------------------------------------------------------------------------


def test_other_family() -> None:
    sentence = "a law measured on Qwen1.5 holds for Qwen3 (another family may stand higher or lower at the same size)"
    assert planned(LAW, "Qwen3-4B").assumptions == (sentence,)
    known = planned("reasoning", "Qwen3-4B")  # with runs, the interval reckons with it
    assert known.assumptions == ()
    assert list(known.best.interval_parts) == ["law", "family"]


def test_other_family_than_models_that_the_catalogue_does_not_know() -> None:
    law = replace(LAW, llms=("Mine-1B", "Llama-3.2-1B-Instruct"))
    assert planned(law, "Llama-3.2-3B").assumptions == ()
    assert planned(law).assumptions == (
        "a law measured on Llama-3.2, Mine-1B holds for Qwen1.5 "
        "(another family may stand higher or lower at the same size)",
    )


def test_config_file_of_a_measured_model_is_of_its_family(tmp_path: Path) -> None:
    law = replace(LAW, llms=("Qwen1.5-4B-Chat", "Qwen1.5-7B-Chat"))
    assert planned(law, write_config(tmp_path / "Qwen1.5-4B-Chat")).assumptions == ()


def test_other_compressor() -> None:
    assert planned(LAW, compressor="quecc").assumptions == (OTHER_COMPRESSOR,)
    known = planned("reasoning", compressor="quecc")
    assert known.assumptions == ()
    assert list(known.best.interval_parts) == ["law", "compressor"]


def test_law_of_two_compressors_speaks_for_both() -> None:
    law = replace(LAW, compressors=("tokenpacker", "quecc"))
    assert planned(law, compressor="quecc").assumptions == ()
    assert planned(law, compressor="average-pool").assumptions == (
        "a law measured with tokenpacker, quecc holds for average-pool "
        "(the gain of a visual token differs between compressors)",
    )


@pytest.mark.parametrize("law", [LAW, "reasoning"])
def test_uncompressed_image_that_was_measured_is_no_other_compressor(law: FittedLaw | str) -> None:
    assert planned(law, visual_tokens=576, compressor="none").assumptions == ()


def test_law_of_uncompressed_images_does_not_speak_for_a_compressor() -> None:
    assumptions = planned(replace(LAW, compressors=("none",)), compressor="tokenpacker").assumptions
    assert len(assumptions) == 1
    assert assumptions[0].endswith("(the gain of a visual token differs between compressors)")


def test_law_that_does_not_know_its_compressor_or_tower_says_nothing_of_them() -> None:
    law = replace(LAW, compressors=(), vision="", llms=())
    assert planned(law, "Qwen3-4B", 4, compressor="quecc", vision="SigLIP-B/16-224").assumptions == ()


@pytest.mark.parametrize("visual_tokens", [64, 144])
def test_more_visual_tokens_than_quecc_has_published(visual_tokens: int) -> None:
    assert planned(visual_tokens=visual_tokens, compressor="quecc").assumptions == (
        OTHER_COMPRESSOR,
        "QueCC has published results up to 36 visual tokens only",
    )
    assert planned(visual_tokens=36, compressor="quecc").assumptions == (OTHER_COMPRESSOR,)


@pytest.mark.parametrize(
    ("compressors", "levels", "visual_tokens", "said"),
    [
        (("quecc",), (1, 36, 144), 144, False),
        (("quecc",), (1, 36, 144), 64, False),
        (("quecc",), (1, 36, 64), 144, True),
        (("tokenpacker",), (1, 36, 576), 144, True),
        (("quecc", "none"), (1, 36, 576), 144, True),  # 576 is what runs without a compressor have
        (("quecc", "none"), (1, 36, 144, 576), 144, False),
    ],
)
def test_a_law_that_was_measured_there_needs_no_publication(
    compressors: tuple[str, ...], levels: tuple[int, ...], visual_tokens: int, said: bool
) -> None:
    own = replace(LAW, compressors=compressors, visual_tokens_levels=levels)
    for law in (own, CombinedLaw("average", (own, own), (0.5, 0.5), "mine")):
        sentences = planned(law, visual_tokens=visual_tokens, compressor="quecc").assumptions
        assert any("has published results" in one for one in sentences) == said
    if not said:
        other = replace(own, visual_tokens_levels=(1, 16))
        mix = CombinedLaw("mix", (own, other), (0.5, 0.5), "mine")
        sentences = planned(mix, visual_tokens=visual_tokens, compressor="quecc").assumptions
        assert "QueCC has published results up to 36 visual tokens only" in sentences


def test_a_token_for_every_patch_is_what_a_question_cannot_change() -> None:
    said = "QueCC with a visual token for each patch is query-blind"
    assert planned(visual_tokens=576, compressor="quecc").assumptions[-1].startswith(said)
    assert not any(said in text for text in planned(visual_tokens=576, compressor="none").assumptions)


def test_text_first_prompt() -> None:
    assert planned(compressor="quecc", prompt_order="text-first").assumptions == (
        OTHER_COMPRESSOR,
        "a text-first prompt keeps the quality of an image-first one: the law was not measured on it",
    )


def test_other_tower() -> None:
    assert planned(vision="CLIP-ViT-L/14-224").assumptions == (
        "a law measured with CLIP-ViT-L/14-336 holds for CLIP-ViT-L/14-224",
    )


def test_paper_convention() -> None:
    assert planned(convention="paper").assumptions == (PAPER_COUNT,)


def test_several_images() -> None:
    assert planned(workload=Workload(50, 32, images=2)).assumptions == (
        "the law, measured with one image a request, holds for 2",
    )


def test_law_that_is_not_identified() -> None:
    law = replace(LAW, status="not identified", advice="two sizes cannot tell an exponent from an offset")
    assert planned(law).assumptions == ("the law is not identified: two sizes cannot tell an exponent from an offset",)


@pytest.mark.parametrize("status", ["converged", "at a bound", "given"])
def test_law_of_any_other_status_is_not_doubted(status: str) -> None:
    assert planned(replace(LAW, status=status)).assumptions == ()


@pytest.mark.parametrize("c0", [-0.5, 1.5])
def test_error_that_is_none(c0: float) -> None:
    law = FittedLaw.given("log-linear", {"c0": c0, "c1": 0.01, "c2": 0.01})
    assert planned(law).assumptions == ("the predicted error is outside 0 to 1: the law is used too far from its data",)


def test_notes_of_the_model_are_passed_on(tmp_path: Path) -> None:
    law = replace(LAW, llms=())
    assert planned(law, write_config(tmp_path / "novel", "llama")).assumptions == (
        "novel: no size in its name, so its exact count of parameters enters the law",
    )


def test_assumptions_add_up_in_order() -> None:
    law = replace(LAW, status="not identified", advice="too few runs")
    result = planned(
        law,
        "Phi-2",
        64,
        compressor="quecc",
        vision="CLIP-ViT-L/14-224",
        prompt_order="text-first",
        convention="paper",
        workload=Workload(50, 32, images=3),
    )
    assert result.assumptions == (
        "the law is not identified: too few runs",
        OTHER_COMPRESSOR,
        "a law measured on Qwen1.5 holds for Phi-2 (another family may stand higher or lower at the same size)",
        "a law measured with CLIP-ViT-L/14-336 holds for CLIP-ViT-L/14-224",
        "QueCC has published results up to 36 visual tokens only",
        "a text-first prompt keeps the quality of an image-first one: the law was not measured on it",
        "the law, measured with one image a request, holds for 3",
        PAPER_COUNT,
    )


# ---- text --------------------------------------------------------------------------------------------------------


def test_text_of_a_plan() -> None:
    result = plan(LAW, budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
    assert str(result).splitlines() == [
        "best under the budget: Qwen1.5-4B with 64 visual tokens",
        "predicted error 0.5025, score 49.7 % (law mine, additive, given)",
        "cost: 1.66 TFLOPs of 2 TFLOPs (full count): "
        "encoder 22 %, compressor 1.0 %, query pass 19 %, prefill 44 %, decode 14 %",
        "next best: Qwen1.5-4B with 36 visual tokens, error 0.5071, score 49.3 %",
        f"assumes: {OTHER_COMPRESSOR}",
        "assumes: QueCC has published results up to 36 visual tokens only",
    ]


def test_text_of_a_plan_in_the_papers_count() -> None:
    result = plan(
        replace(LAW, form="log-linear", params={"c0": 0.59, "c1": 0.04, "c2": 0.008}),
        budget="0.1 TFLOPs",
        query_tokens=0,
        generated_tokens=0,
        convention="paper",
        compressor="tokenpacker",
    )
    assert str(result).splitlines() == [
        "best under the budget: Qwen1.5-32B with 1 visual token",
        "predicted error 0.4514, score 54.9 % (law mine, log-linear, given)",
        "cost: 64 GFLOPs of 100 GFLOPs (paper count): prefill 100 %",
        "next best: Qwen1.5-14B with 1 visual token, error 0.4844, score 51.6 %",
        "extrapolates: llm_params 32B is above the largest measured, 7B, by a factor of 4.6",
        f"assumes: {PAPER_COUNT}",
    ]


@pytest.mark.parametrize(
    ("law", "line"),
    [
        ("reasoning", "(law reasoning, all forms, 28 runs)"),
        ("ocr", "(law ocr, all forms, 27 runs)"),
        ("paper", "(law paper, multiplicative, 28 runs, converged)"),
    ],
)
def test_text_of_a_plan_names_its_shipped_law(law: str, line: str) -> None:
    lines = str(planned(law)).splitlines()
    assert lines[1].startswith("predicted error 0.")
    assert lines[1].endswith(line)


def test_text_of_a_plan_with_one_candidate_names_no_other() -> None:
    assert str(planned()).splitlines() == [
        "best under the budget: Qwen1.5-4B with 16 visual tokens",
        "predicted error 0.5136, score 48.6 % (law mine, additive, given)",
        "cost: 1.03 TFLOPs of 1 PFLOPs (full count): encoder 36 %, compressor 1 %, prefill 41 %, decode 22 %",
    ]


@pytest.mark.parametrize(
    ("law", "title"),
    [
        (LAW, "law mine, additive, given"),
        (replace(LAW, name=""), "law, additive, given"),
        (replace(LAW, n_runs=12, status="converged"), "law mine, additive, 12 runs, converged"),
        (
            replace(LAW, n_runs=12, status="at a bound", at_bound=("D", "B")),
            "law mine, additive, 12 runs, at a bound: D, B",
        ),
    ],
)
def test_law_in_a_few_words(law: FittedLaw, title: str) -> None:
    assert law_title(law) == title


# ---- dictionary --------------------------------------------------------------------------------------------------


def test_dictionary_is_json_and_holds_what_was_promised() -> None:
    result = plan(
        budget="2 TFLOPs",
        workload=Workload(50, 32, cached_tokens=5, system_tokens=7, images=2),
        compressor="quecc",
        prompt_order="text-first",
    )
    content = result.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    promised = {"best", "runners_up", "frontier", "next_up", "extrapolates", "assumptions", "convention", "budget"}
    promised |= {"workload", "vision", "compressor", "prompt_order", "law", "candidates"}
    assert promised <= content.keys()
    assert content["best"] == content["frontier"][-1]
    facts = {
        "llm": result.best.llm.name,
        "llm_params": result.best.llm.nominal_params,
        "visual_tokens": result.best.visual_tokens,
        "predicted_error": result.best.predicted_error,
        "flops": {"total": result.best.total_flops, **{s: getattr(result.best.flops, s) for s in STAGES}},
    }
    assert {key: content["best"][key] for key in facts} == facts
    assert len(content["runners_up"]) == 5
    assert content["next_up"]["flops"]["total"] > 2e12
    assert content["next_up"]["predicted_error"] < content["best"]["predicted_error"]
    assert content["assumptions"] == list(result.assumptions) != []
    assert (content["convention"], content["budget"]) == ("full", {"flops": 2e12})
    assert content["workload"] == {
        "query_tokens": 50,
        "generated_tokens": 32,
        "cached_tokens": 5,
        "system_tokens": 7,
        "images": 2,
    }
    assert (content["vision"], content["compressor"], content["prompt_order"]) == (
        "CLIP-ViT-L/14-336",
        "quecc",
        "text-first",
    )
    assert content["law"] == {
        "name": "reasoning",
        "form": "auto",
        "status": "converged",
        "advice": (
            "weighted mean of log-linear 79 %, log-power 8 %, interaction 8 %, log-shifted 3 %, additive 2 %, "
            "saturating 1 %"
        ),
        "at_bound": [],
        "runs_sha256": result.law.runs_sha256,
    }
    assert len(result.law.runs_sha256) == 64
    assert content["candidates"] == {"compared": 56, "fitting": result.fitting_count}


def test_dictionary_of_a_plan_that_no_budget_improves() -> None:
    content = planned().to_dict()
    assert (content["next_up"], content["runners_up"], content["extrapolates"]) == (None, [], [])
    assert content["candidates"] == {"compared": 1, "fitting": 1}


@pytest.mark.parametrize("convention", ["full", "paper"])
def test_every_candidate_of_the_plan_carries_the_whole_configuration(convention: str) -> None:
    result = plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32, convention=convention)
    assert result.next_up is not None
    for candidate in (result.best, *result.runners_up, *result.frontier, result.next_up):
        assert (candidate.vision.name, candidate.compressor.name) == ("CLIP-ViT-L/14-336", "quecc")
        assert candidate.prompt_order == "image-first"
        assert candidate.total_flops == sum(getattr(candidate.flops, stage) for stage in STAGES)
        assert candidate.predicted_error == pytest.approx(
            float(result.law.predict(candidate.llm.nominal_params, candidate.visual_tokens, candidate.llm.name)),
            rel=1e-12,
        )


# ---- short texts -------------------------------------------------------------------------------------------------


def test_parts_of_a_plan_have_a_repr_of_one_line() -> None:
    found = plan(
        budget=Budget("2 TFLOPs", limits={"ttft": "100 ms"}), workload=Workload(50, 32), hardware="l40s", batch=[2]
    )
    assert repr(found.best) == (
        "Candidate(Qwen1.5-4B with 64 visual tokens, bf16, batch 2, error 0.5028, 1.66 TFLOPs, "
        f"TTFT {format_seconds(found.best.quantities['ttft_s'])}, {format_bytes(float(found.best.memory.peak))} "
        "per device)"
    )
    assert repr(replace(found.best, latency=None, tensor_parallel=2)).startswith(
        "Candidate(Qwen1.5-4B with 64 visual tokens, bf16, 2 GPUs, batch 2, error 0.5028, 1.66 TFLOPs, "
    )
    flops, ttft, *_ = found.limits
    assert repr(flops) == (
        "SlackOfPick(FLOPs at most 2 TFLOPs: 83 % used, binds; with 10 % more FLOPs: Qwen1.5-4B with 144 visual tokens)"
    )
    assert repr(ttft).startswith("SlackOfPick(TTFT at most 100 ms: ") and repr(ttft).endswith(" used)")
    assert repr(ttft.limit) == "Limit(TTFT at most 100 ms)"
    assert repr(ttft.limit.kind) == "LimitKind('ttft_s', 'TTFT')"
    assert repr(found.table) == f"CandidateTable({len(found.table)} candidates, {found.fitting_count} fit)"
    assert repr(found.tried) == (
        f"Tried({len(found.tried.llms)} language models, {found.candidates_count} candidates, "
        f"{found.fitting_count} fit)"
    )
    every = (found.best, *found.tied, *found.limits, *found.frontier, *found.runners_up, found.tried, found.table)
    assert [text for text in map(repr, every) if len(text) > 200 or "\n" in text] == []


def test_what_was_released_has_a_short_repr() -> None:
    found = plan(
        models="qwen3-vl",
        image="640x480",
        budget=Budget(ttft_s=0.1),
        hardware="h100-sxm",
        workload=Workload(50, 32),
    )
    count = len(found.tried.llms)
    assert repr(found.tried.released) == f"Released({count} models for 640x480)"
    assert repr(found.tried).startswith(f"Tried({count} released models, ")
    assert repr(found.best).startswith("Candidate(Qwen3-VL-")
