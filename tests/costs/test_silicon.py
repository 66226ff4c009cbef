"""The silicon source: our stages and aiconfigurator's put together, and what it says where it cannot."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from costs.loose import model, request_latency, split

from planner.base.errors import InputError
from planner.configuration import Run
from planner.costs import silicon
from planner.costs.latency import LATENCY_STAGES, Latency
from planner.costs.silicon import SYSTEMS, Engine, silicon_latency, source_of
from planner.costs.stages import Workload
from planner.hardware import Hardware, hardware_catalog
from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog
from planner.parts.llms import Llm

TOWER = vision_catalog()["CLIP-ViT-L/14-336"]
H100 = hardware_catalog()["h100-sxm"]
LLAMA, QWEN3 = llm_catalog()["Llama-3.1-8B"], llm_catalog()["Qwen3-8B"]
WORKLOAD = Workload(50, 32)


def measured(
    llm: Llm = LLAMA,
    visual_tokens: object = 16,
    workload: Workload = WORKLOAD,
    *,
    hardware: Hardware = H100,
    **options: object,
) -> Latency:
    parts, run = split(options)
    made = model(llm, visual_tokens, vision=TOWER, compressor=compressor_catalog()["quecc"], **parts)
    return silicon_latency(made, workload, Run(hardware, **run))


def ours(llm: Llm = LLAMA, visual_tokens: object = 16, **options: object) -> Latency:
    return request_latency(
        llm,
        visual_tokens,  # type: ignore[arg-type]
        WORKLOAD,
        vision=TOWER,
        compressor=compressor_catalog()["quecc"],
        hardware=H100,
        **options,  # type: ignore[arg-type]
    )


# ---- without the package -----------------------------------------------------------------------------------------


def test_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    silicon._engine.cache_clear()
    monkeypatch.setitem(sys.modules, "aiconfigurator_core", None)
    monkeypatch.setitem(sys.modules, "aiconfigurator_core.sdk", None)
    with pytest.raises(InputError, match=r"is the last release: pip install aiconfigurator-core==0\.12\.0$"):
        measured()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"hardware": hardware_catalog()["rtx-4090"]},
            r"^aiconfigurator has no kernel times of rtx-4090; it has those",
        ),
        ({"precision": "fp32"}, r"^aiconfigurator has no kernel times for weights in fp32 and a KV cache in bf16; exp"),
        (
            {"llm": llm_catalog()["Phi-2"]},
            r"^aiconfigurator knows gated MLPs without attention windows only, which Phi-2 ",
        ),
    ],
)
def test_what_it_never_has_data_for(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        measured(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("card", "llm", "engine"),
    [
        ("a100-80gb", "Llama-3.1-8B", "vllm"),
        ("a100-80gb", "Vicuna-7B-v1.5", "sglang"),
        ("b200", "Vicuna-7B-v1.5", "vllm"),
        ("arc-b60", "Qwen1.5-4B", "vllm"),
    ],
)
def test_engine_whose_tables_measure_the_attention(card: str, llm: str, engine: str) -> None:
    assert SYSTEMS[card].engine_of(llm_catalog()[llm]) == engine


def test_source_of_kernels() -> None:
    assert source_of([("qkv_gemm", 1.0, "silicon"), ("attention", 1.0, "silicon")]) == "silicon"
    assert source_of([("qkv_gemm", 1.0, "silicon"), ("add_norm_1", 1.0, "empirical")]) == "silicon"
    assert source_of([("qkv_gemm", 1.0, "silicon"), ("ar_1", 0.0, "empirical")]) == "silicon"
    assert source_of([("qkv_gemm", 1.0, "silicon"), ("attention", 1.0, "mixed")]) == "mixed"
    assert source_of([("qkv_gemm", 1.0, "sol")]) == "sol"


# ---- with it -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _fresh_engines() -> None:
    silicon._engine.cache_clear()


@pytest.fixture
def package() -> None:
    pytest.importorskip("aiconfigurator_core")


@pytest.mark.usefixtures("package")
def test_stages_of_both_sides() -> None:
    found, predicted = measured(), ours()
    assert dict(found.sources) == {
        "encoder": "calibrated",
        "compressor": "calibrated",
        "query_pass": "mixed",
        "prefill": "mixed",
        "decode_step": "silicon",
    }
    assert found.source == "mixed"
    assert (found.encoder, found.compressor) == (predicted.encoder, predicted.compressor)
    for name in ("query_pass", "prefill", "decode_step"):
        here, there = getattr(found, name), getattr(predicted, name)
        assert here == replace(there, seconds=here.seconds)
        assert here.seconds == pytest.approx(there.seconds, rel=0.15)
    assert found.to_dict().keys() == predicted.to_dict().keys()


@pytest.mark.usefixtures("package")
def test_8b_on_an_h100() -> None:
    """Known answer of aiconfigurator 0.12.0 for Qwen3-8B, 66 tokens, batch 1: 8.5 ms with the kernels of vLLM."""
    assert measured(QWEN3).prefill.seconds == pytest.approx(8.5e-3, rel=0.03)


@pytest.mark.usefixtures("package")
def test_it_is_the_package_s_own_model() -> None:
    """The same as asking it for the model by its hub id, with the kernels of vLLM for grouped queries."""
    sdk = pytest.importorskip("aiconfigurator_core.sdk")
    handle = sdk.EngineHandle.compile("meta-llama/Meta-Llama-3.1-8B", "h100_sxm", "vllm")
    context_ms, generation_ms, _ = handle.run_static(batch_size=4, isl=66, osl=2)
    engine = Engine.of(LLAMA, "h100-sxm")
    assert sum(op[1] for op in engine.prefill(4, 66)) == pytest.approx(context_ms / 1e3, rel=1e-9)
    assert sum(op[1] for op in engine.decode_step(4, 66)) == pytest.approx(generation_ms / 1e3, rel=1e-9)


@pytest.mark.usefixtures("package")
def test_a_few_candidates() -> None:
    tokens = np.array([1, 36, 576])
    found = measured(visual_tokens=tokens)
    assert np.shape(found.ttft_s) == np.shape(found.request_s) == (3,)
    assert (np.diff(np.asarray(found.ttft_s)) > 0).all()
    assert found.at(1).to_dict() == measured(visual_tokens=36).to_dict()


@pytest.mark.usefixtures("package")
def test_text_first_has_two_passes_within_the_prefill() -> None:
    found = measured(prompt_order="text-first")
    assert found.query_pass.seconds == 0
    assert found.sources["query_pass"] == "calibrated"
    assert found.prefill.seconds == pytest.approx(ours(prompt_order="text-first").prefill.seconds, rel=0.15)


@pytest.mark.usefixtures("package")
def test_tensor_parallel_and_fp8() -> None:
    one, four, fp8 = measured(), measured(tensor_parallel=4), measured(precision="fp8")
    assert one.tpot_s > four.tpot_s > float(one.tpot_s) / 4  # communication and launches do not shrink
    assert one.tpot_s > fp8.tpot_s
    assert four.tpot_s == pytest.approx(ours(tensor_parallel=4).tpot_s, rel=0.15)
    assert fp8.tpot_s == pytest.approx(ours(precision="fp8").tpot_s, rel=0.15)


@pytest.mark.usefixtures("package")
def test_precision_without_data() -> None:
    with pytest.raises(
        InputError, match=r"^aiconfigurator has no kernel times for Llama-3.1-8B on 1 x h100_sxm .*int4_wo"
    ):
        measured(precision="int4")


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("card", SYSTEMS)
def test_every_system_has_data(card: str) -> None:
    assert sum(op[1] for op in Engine.of(LLAMA, card).decode_step(1, 100)) > 0


def test_names_of_stages() -> None:
    assert LATENCY_STAGES == ("encoder", "compressor", "query_pass", "prefill", "decode_step")
