"""All that one configuration costs, and the JSON of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from costs.loose import request_flops, request_latency, request_memory
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import planner
from planner.base.errors import InputError, NotRegisteredError, QuantityError, SpecError, UnknownNameError
from planner.configuration import PROMPT_ORDERS
from planner.costs.flops import CONVENTIONS
from planner.costs.request import RequestCost, request_cost
from planner.costs.stages import STAGES, Workload
from planner.hardware import hardware_catalog
from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog

TOWER = vision_catalog()["CLIP-ViT-L/14-336"]
WORKLOAD = Workload(50, 32)

PROMISED = {"stages", "total_flops", "ttft_s", "tpot_s", "peak_memory_bytes", "convention"}
OF_A_STAGE = ["flops", "bytes", "seconds", "bound", "source"]
BOUNDS = {"compute", "bandwidth", "overhead", "interconnect"}


def cost(
    llm: str = "Qwen2.5-7B", visual_tokens: int = 16, workload: Workload = WORKLOAD, **options: Any
) -> RequestCost:
    return request_cost(llm, visual_tokens, workload, **options)


# ---- what is asked for -------------------------------------------------------------------------------------------


def test_the_request_may_be_given_by_its_token_counts() -> None:
    assert planner.cost("Qwen2.5-7B", 16, query_tokens=50, generated_tokens=32) == cost()
    cached = planner.cost("Qwen2.5-7B", 16, query_tokens=0, generated_tokens=32, cached_tokens=500, hardware="l4")
    assert cached == cost(workload=Workload(0, 32, 500), hardware="l4")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"query_tokens": 50}, "generated_tokens: expected how many tokens a request has, got nothing"),
        ({}, "query_tokens: expected how many tokens a request has, got nothing"),
        ({"workload": WORKLOAD, "query_tokens": 50}, "workload: give a Workload or token counts, not both"),
        ({"workload": WORKLOAD, "cached_tokens": 1}, "workload: give a Workload or token counts, not both"),
        ({"workload": "requests.csv"}, "workload: expected a Workload, got 'requests.csv'"),
    ],
    ids=str,
)
def test_a_request_is_given_in_one_way(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(QuantityError) as caught:
        planner.cost("Qwen2.5-7B", 16, **given)
    assert str(caught.value) == complaint


# ---- the JSON that is promised -----------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("hardware", [None, "h100-sxm", "l4"])
def test_dictionary_keeps_its_promise(hardware: str | None, convention: str) -> None:
    found = cost(hardware=hardware, convention=convention)
    content = found.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content.keys() >= PROMISED
    assert list(content["stages"]) == list(STAGES)
    for stage in content["stages"].values():
        assert list(stage) == OF_A_STAGE
    assert content["convention"] == convention
    assert content["total_flops"] == sum(stage["flops"] for stage in content["stages"].values())
    assert content["peak_memory_bytes"] == content["memory"]["peak_bytes"]


def test_without_hardware_there_are_no_times() -> None:
    content = cost().to_dict()
    for stage in content["stages"].values():
        assert [stage[name] for name in OF_A_STAGE[1:]] == [None] * 4
    untimed = ("ttft_s", "tpot_s", "request_s", "requests_per_second", "hardware", "requests_that_fit")
    assert [content[name] for name in (*untimed, "speed_limit_tokens")] == [None] * 7
    assert cost().latency is None


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("generated", [0, 1, 2, 32])
def test_times_of_the_stages_add_up(generated: int, batch: int) -> None:
    """G tokens take a prefill and G - 1 further steps; FLOPs count the G steps that end the answer."""
    content = cost(workload=Workload(50, generated), hardware="h100-sxm", batch=batch).to_dict()
    stages = content["stages"]
    before = sum(stages[name]["seconds"] for name in STAGES if name != "decode")
    assert content["ttft_s"] == pytest.approx(before, rel=1e-12)
    assert stages["decode"]["seconds"] == pytest.approx(max(generated - 1, 0) * content["tpot_s"], rel=1e-12)
    assert content["request_s"] == pytest.approx(before + stages["decode"]["seconds"], rel=1e-12)
    assert content["requests_per_second"] == pytest.approx(batch / content["request_s"], rel=1e-12)
    assert (stages["decode"]["flops"] > 0) == (generated > 0)
    for stage in stages.values():
        assert stage["bound"] in BOUNDS
        assert stage["source"] == "calibrated"
    assert all(stages[name]["bytes"] > 0 for name in ("encoder", "compressor", "query_pass", "prefill"))


def test_every_part_is_that_of_its_own_module() -> None:
    llm, card = llm_catalog()["Qwen2.5-7B"], hardware_catalog()["h200"]
    workload = Workload(50, 32, cached_tokens=20, system_tokens=9, images=2)
    run: dict[str, Any] = {"precision": "fp8", "kv_precision": "fp8", "batch": 4, "tensor_parallel": 2}
    parts: dict[str, Any] = {
        "vision": TOWER,
        "compressor": compressor_catalog()["tokenpacker"],
        "prompt_order": "text-first",
    }
    found = request_cost(llm, 36, workload, **parts, **run, convention="torch", hardware=card)
    assert found.flops == request_flops(llm, 36, workload, convention="torch", **parts).at()
    assert found.memory == request_memory(llm, 36, workload, **parts, **run).at()
    times = request_latency(llm, 36, workload, hardware=card, **parts, **run)
    assert found.latency is not None
    assert (found.latency.ttft_s, found.latency.tpot_s) == (times.ttft_s, times.tpot_s)
    content = found.to_dict()
    assert (content["vision"], content["compressor"], content["prompt_order"]) == (
        "CLIP-ViT-L/14-336",
        "tokenpacker",
        "text-first",
    )
    assert (content["precision"], content["batch"], content["tensor_parallel"]) == ("fp8", 4, 2)
    assert content["workload"] == {
        "query_tokens": 50,
        "generated_tokens": 32,
        "cached_tokens": 20,
        "system_tokens": 9,
        "images": 2,
    }
    assert (content["llm"], content["params"]["llm"], content["hardware"]) == ("Qwen2.5-7B", llm.params, "h200")
    assert content["params"]["total"] == found.model.params


def test_requests_that_fit_use_the_memory_of_the_card() -> None:
    found = cost(hardware="l4")
    assert found.hardware is not None
    most = found.requests_that_fit
    assert most is not None
    assert most > 1
    room = found.hardware.memory_bytes
    assert cost(batch=most).memory.peak <= room < cost(batch=most + 1).memory.peak
    assert cost("Qwen2.5-72B", hardware="l4").requests_that_fit == 0


def test_names_of_one_and_of_many_visual_tokens() -> None:
    assert str(cost(visual_tokens=1)) == "Qwen2.5-7B with 1 visual token"
    assert str(cost(visual_tokens=16)) == "Qwen2.5-7B with 16 visual tokens"


def test_llm_may_be_a_config_file(tmp_path: Path) -> None:
    config = {
        "model_type": "mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
        "tie_word_embeddings": False,
    }
    file = tmp_path / "Mistral-7B" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps(config))
    for named in (file, str(file), file.parent):
        found = request_cost(named, 16, WORKLOAD)
        assert (found.llm.name, found.llm.params) == ("Mistral-7B", 7_241_732_096)


# ---- what physics says -------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(list(llm_catalog())),
    st.sampled_from([1, 16, 144, 576]),
    st.builds(
        Workload,
        query_tokens=st.integers(1, 1000),
        generated_tokens=st.integers(0, 300),
        cached_tokens=st.integers(0, 1000),
        system_tokens=st.integers(0, 500),
        images=st.integers(1, 3),
    ),
    st.sampled_from(sorted(compressor_catalog())),
    st.sampled_from(sorted(hardware_catalog())),
    st.sampled_from([1, 8]),
    st.sampled_from([1, 2, 4]),
)
def test_text_first_is_never_dearer_than_image_first(
    llm: str, tokens: int, workload: Workload, compressor: str, card: str, batch: int, gpus: int
) -> None:
    options = {"compressor": compressor, "hardware": card, "batch": batch, "tensor_parallel": gpus}
    tokens = tokens if compressor_catalog()[compressor].strides else 576
    assume(llm_catalog()[llm].can_share(gpus))
    assume(gpus == 1 or hardware_catalog()[card].interconnect_bytes_per_s)
    if not {"bf16", "fp16"} & hardware_catalog()[card].flops_per_s.keys():
        return
    image_first, text_first = (cost(llm, tokens, workload, prompt_order=order, **options) for order in PROMPT_ORDERS)
    assert text_first.flops.total <= image_first.flops.total
    assert text_first.latency is not None
    assert image_first.latency is not None
    assert text_first.latency.ttft_s <= image_first.latency.ttft_s * (1 + 1e-12)
    assert text_first.latency.request_s <= image_first.latency.request_s * (1 + 1e-12)


def test_text_first_is_not_dearer_without_a_query_either() -> None:
    workload = Workload(0, 32, system_tokens=40)
    image_first, text_first = (cost(workload=workload, prompt_order=order, hardware="l4") for order in PROMPT_ORDERS)
    assert text_first.latency is not None
    assert image_first.latency is not None
    assert text_first.latency.ttft_s <= image_first.latency.ttft_s


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"visual_tokens": -4}, QuantityError, "visual_tokens: expected a whole number of at least 0, got -4"),
        ({"visual_tokens": 1.5}, QuantityError, "visual_tokens: expected a whole number of at least 0, got 1.5"),
        ({"batch": 0}, QuantityError, "batch: expected a whole number of at least 1, got 0"),
        ({"tensor_parallel": 0}, QuantityError, "tensor_parallel: expected a whole number of at least 1, got 0"),
        ({"llm": "Qwen2.5-8B"}, UnknownNameError, "no language model or family is called 'Qwen2.5-8B'; did you mean "),
        ({"vision": "CLIP"}, UnknownNameError, "no vision tower is called 'CLIP'; "),
        ({"compressor": "qecc"}, NotRegisteredError, "no compressor is called 'qecc'; did you mean 'quecc'?"),
        ({"convention": "macs"}, UnknownNameError, "no convention is called 'macs'; there are: full, paper, torch"),
        (
            {"prompt_order": "image"},
            UnknownNameError,
            "no prompt order is called 'image'; did you mean 'image-first'?",
        ),
        ({"precision": "bf8"}, UnknownNameError, "no precision is called 'bf8'; did you mean "),
        (
            {"kv_precision": "int4"},
            UnknownNameError,
            "no precision of a KV cache is called 'int4'; did you mean 'int8'?",
        ),
        ({"hardware": "h100-smx"}, UnknownNameError, "no accelerator is called 'h100-smx'; did you mean 'h100-sxm'?"),
        ({"hardware": "h100"}, InputError, "'h100' fits several accelerators; did you mean h100-sxm or h100-pcie?"),
        (
            {"hardware": "a100-80gb", "precision": "fp8"},
            InputError,
            "NVIDIA A100 SXM4 80 GB does not compute in fp8; it does in: fp32, bf16, fp16, int8, int4",
        ),
        (
            {"latency_source": "silcon"},
            UnknownNameError,
            "no latency source is called 'silcon'; did you mean 'silicon'?",
        ),
    ],
)
def test_bad_input_ends_in_one_sentence(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(InputError) as caught:
        cost(**options)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_config_that_is_no_decoder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{}")
    with pytest.raises(SpecError):
        request_cost(file, 16, WORKLOAD)


def test_a_family_is_not_one_model() -> None:
    with pytest.raises(InputError):
        cost("qwen2.5")


def test_gpus_that_cannot_share_the_heads_are_refused() -> None:
    with pytest.raises(InputError):
        cost("Qwen2.5-7B", tensor_parallel=3, hardware="h100-sxm")


@pytest.mark.parametrize(
    ("compressor", "vision", "asked", "made"),
    [
        ("tokenpacker", "CLIP-ViT-L/14-336", 2, "1, 4, 9, 16, 36, 64, 144, 576"),
        ("quecc", "SigLIP-so400m/14-384", 64, "1, 9, 81, 729"),
        ("none", "CLIP-ViT-L/14-336", 144, "576"),
    ],
)
def test_tokens_that_the_compressor_cannot_make_are_refused(
    compressor: str, vision: str, asked: int, made: str
) -> None:
    with pytest.raises(InputError, match=rf" cannot make {asked} visual tokens .* of {vision}; it can make {made}$"):
        cost(visual_tokens=asked, compressor=compressor, vision=vision)
    for count in map(int, made.split(", ")):
        assert cost(visual_tokens=count, compressor=compressor, vision=vision).visual_tokens == count
    assert cost(visual_tokens=0, compressor=compressor, vision=vision).visual_tokens == 0


def test_the_precision_asked_for_beats_that_of_the_card() -> None:
    assert cost(hardware="t4").precision == "fp16"
    for precision in ("bf16", "fp32", "int4"):
        assert cost(hardware="t4", precision=precision).precision == precision
