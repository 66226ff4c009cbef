"""cost, convention and the limits of plan on the command line: JSON, exit codes, one sentence for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from support import Done, Run

import planner
from planner.costs.request import request_cost
from planner.costs.stages import STAGES
from planner.planning.limits import limits_of
from planner.planning.request import Budget, Workload

REQUEST = ("--query-tokens", 50, "--generated-tokens", 32)
COST = ("cost", "Qwen2.5-7B", "--visual-tokens", 16, *REQUEST)
CONVENTION = ("convention", "Vicuna-7B-v1.5", "--visual-tokens", 576, "--query-tokens", 0, "--compressor", "none")
PLAN = ("plan", *REQUEST, "--hardware", "l4")
MISTRAL = {
    "model_type": "mistral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
}


@pytest.fixture
def mistral(tmp_path: Path) -> Path:
    file = tmp_path / "Mistral-7B" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps(MISTRAL), encoding="utf-8")
    return file


def assert_fits(done: Done) -> None:
    assert (done.code, done.err) == (0, "")
    assert [line for line in done.out.splitlines() if cell_len(line) > 80] == []


# --- cost -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hardware", [(), ("--hardware", "l4"), ("--hardware", "h100-sxm", "--batch", 8)])
def test_cost_promises_its_json(run: Run, hardware: tuple[object, ...]) -> None:
    content = run(*COST, *hardware, "--json").json
    promised = ("stages", "total_flops", "ttft_s", "tpot_s", "peak_memory_bytes", "convention")
    assert content.keys() >= set(promised)
    assert list(content["stages"]) == list(STAGES)
    for stage in content["stages"].values():
        assert list(stage) == ["flops", "bytes", "seconds", "bound", "source"]
        assert (stage["seconds"] is None) == (not hardware)
    assert content["total_flops"] == sum(stage["flops"] for stage in content["stages"].values())
    assert (content["ttft_s"] is None) == (not hardware)


def test_cost_is_what_python_says(run: Run) -> None:
    content = run(
        "cost", "Qwen2.5-7B", "--visual-tokens", 81, *REQUEST,
        "--cached-tokens", 20, "--system-tokens", 9, "--images", 2, "--vision", "SigLIP-so400m/14-384",
        "--compressor", "tokenpacker", "--convention", "torch", "--prompt-order", "text-first", "--hardware", "h200",
        "--precision", "fp8", "--kv-precision", "int8", "--batch", 4, "--tensor-parallel", 2, "--json",
    ).json  # fmt: skip
    expected = request_cost(
        "Qwen2.5-7B",
        81,
        Workload(50, 32, 20, 9, 2),
        vision="SigLIP-so400m/14-384",
        compressor="tokenpacker",
        convention="torch",
        prompt_order="text-first",
        hardware="h200",
        precision="fp8",
        kv_precision="int8",
        batch=4,
        tensor_parallel=2,
    )
    assert content == expected.to_dict()


def test_cost_says_what_it_found(run: Run) -> None:
    words = run(*COST, "--hardware", "l4", "--batch", 4).words
    expected = request_cost("Qwen2.5-7B", 16, Workload(50, 32), hardware="l4", batch=4)
    assert words.startswith("Qwen2.5-7B with 16 visual tokens ")
    assert f"requests that fit at once: {expected.requests_that_fit}" in words
    assert f"below {expected.speed_limit_tokens} visual tokens, fewer of them save less than 5 % of the TTFT" in words


def test_cost_of_a_config_file(run: Run, mistral: Path) -> None:
    arguments = ("--visual-tokens", 16, *REQUEST, "--json")
    content = run("cost", "--llm-config", mistral, *arguments).json
    assert (content["llm"], content["params"]["llm"]) == ("Mistral-7B", 7_241_732_096)
    assert run("cost", mistral, *arguments).json == content
    assert run("cost", "--llm-config", mistral.parent, *arguments).json == content


@pytest.mark.parametrize(
    "more", [(), ("--hardware", "l4"), ("--hardware", "h100-sxm", "--batch", 64, "--tensor-parallel", 4)]
)
@pytest.mark.parametrize("convention", ["full", "paper", "torch"])
def test_cost_fits_80_columns(run: Run, convention: str, more: tuple[object, ...]) -> None:
    assert_fits(run(*COST, "--convention", convention, *more))


def test_cost_and_plan_take_16_bits_that_the_card_has(run: Run) -> None:
    assert run(*COST, "--hardware", "t4", "--json").json["precision"] == "fp16"
    assert run(*COST, "--hardware", "l4", "--json").json["precision"] == "bf16"
    assert run(*COST, "--json").json["precision"] == "bf16"
    planned = run("plan", *REQUEST, "--ttft", "1s", "--hardware", "t4", "--json").json
    assert planned["best"]["precision"] == "fp16"


# --- convention -------------------------------------------------------------------------------------------------------


def test_convention_counts_one_request_in_every_way(run: Run) -> None:
    content = run(*CONVENTION, "--json").json
    assert list(content) == ["llm", "visual_tokens", "flops"]
    assert (content["llm"], content["visual_tokens"]) == ("Vicuna-7B-v1.5", 576)
    flops = content["flops"]
    assert list(flops) == ["full", "paper", "torch", "fastv", "gated"]
    assert flops["paper"] == 2 * 7e9 * 576
    assert flops["gated"] == 32 * (4 * 576 * 4096**2 + 2 * 576**2 * 4096 + 3 * 576 * 4096 * 11008)
    assert round(flops["gated"] / 1e12, 2) == 3.82


def test_convention_converts_a_printed_number(run: Run) -> None:
    content = run(*CONVENTION, "--printed", "3.82TFLOPs", "--counted", "gated", "--json").json
    flops, converted = content["flops"], content["converted"]
    assert content["printed"] == {"value": 3.82e12, "counted": "gated"}
    assert converted["gated"] == 3.82e12
    for name, value in converted.items():
        assert value == pytest.approx(3.82e12 * flops[name] / flops["gated"])
    assert converted["torch"] == pytest.approx(8.03e12, rel=1e-3)  # twice, and the tower before the LLM


def test_convention_counts_as_fastv_unless_told_otherwise(run: Run) -> None:
    content = run(*CONVENTION, "--printed", "1e12", "--json").json
    assert content["printed"] == {"value": 1e12, "counted": "fastv"}
    assert content["converted"]["fastv"] == 1e12


def test_convention_reads_order_images_and_config(run: Run, mistral: Path) -> None:
    arguments = ("convention", "--visual-tokens", 16, "--query-tokens", 50, "--json")
    image_first = run(*arguments, "--llm-config", mistral).json["flops"]
    text_first = run(*arguments, mistral, "--prompt-order", "text-first").json["flops"]
    two_images = run(*arguments, mistral, "--images", 2).json["flops"]
    assert text_first["full"] < image_first["full"]
    assert all(text_first[name] == image_first[name] for name in ("paper", "fastv", "gated"))
    assert all(two_images[name] > image_first[name] for name in image_first)


def test_text_alone_needs_no_visual_tokens(run: Run) -> None:
    arguments = ("convention", "Vicuna-7B-v1.5", "--query-tokens", 50)
    assert run(*arguments, "--images", 0, "--json").json == run(*arguments, "--visual-tokens", 0, "--json").json
    assert run(*arguments).complaint == (
        "--visual-tokens is missing: say how many an image becomes, or --images 0 for text alone"
    )
    for model in ("Vicuna-7B-v1.5", "Qwen/Qwen3-VL-2B-Instruct"):
        stages = run("cost", model, *REQUEST, "--images", 0, "--hardware", "l4", "--json").json["stages"]
        assert stages["encoder"]["flops"] == stages["compressor"]["flops"] == stages["encoder"]["seconds"] == 0


def test_convention_fits_80_columns(run: Run) -> None:
    assert_fits(run(*CONVENTION))
    assert_fits(run(*CONVENTION, "--printed", "123456789TFLOPs"))


# --- plan -------------------------------------------------------------------------------------------------------------


def test_plan_passes_on_every_limit_and_axis(run: Run) -> None:
    content = run(
        *PLAN, "--budget", "5TFLOPs", "--ttft", "250ms", "--tpot", "60 ms", "--latency", "2s", "--memory", "20GiB",
        "--energy", 60, "--price", 60, "--requests-per-second", 4, "--price-per-hour", 1.2, "--gpus", 4,
        "--precision", "bf16,int4", "--kv-precision", "fp8", "--tensor-parallel", "1,2", "--batch", "1,4",
        "--llms", "qwen2.5", "--llms", "Phi-2", "--visual-tokens", "4,16,64", "--compressor", "quecc,average-pool",
        "--vision", "CLIP-ViT-L/14-336,SigLIP-B/16-224", "--prompt-order", "image-first,text-first",
        "--convention", "torch", "--cached-tokens", 7, "--system-tokens", 5, "--images", 2, "--scheduler", "static",
        "--law", "quecc=reasoning,average-pool=ocr", "--json",
    )  # fmt: skip
    # 196 patches of SigLIP-B give 4 and 49; 16 and 64 are left to the other tower
    budget = Budget(
        5e12, "torch", ttft="250 ms", tpot="60 ms", latency="2 s", memory="20 GiB", energy=60.0, price=60.0,
        requests_per_second=4.0,
    )  # fmt: skip
    expected = planner.plan(
        {"quecc": "reasoning", "average-pool": "ocr"},
        budget=budget,
        workload=Workload(50, 32, 7, 5, 2),
        scheduler="static",
        llms=["qwen2.5", "Phi-2"],
        visual_tokens=[4, 16, 64],
        vision=["CLIP-ViT-L/14-336", "SigLIP-B/16-224"],
        compressor=["quecc", "average-pool"],
        prompt_order=["image-first", "text-first"],
        hardware="l4",
        precision=["bf16", "int4"],
        kv_precision="fp8",
        tensor_parallel=[1, 2],
        batch=[1, 4],
        gpus=4,
        price_per_hour=1.2,
    )
    assert content.json == json.loads(json.dumps(expected.to_dict()))
    assert set(content.json["budget"]) == {one.name for one in limits_of(budget, None)}


def test_plan_json_says_what_each_limit_does(run: Run) -> None:
    content = run(*PLAN, "--ttft", "100ms", "--json").json
    assert list(content["limits"]) == list(content["budget"]) == ["ttft_s", "memory_bytes"]
    limit = content["limits"]["ttft_s"]
    told = ["title", "quantity", "at_least", "limit", "used", "keeps_better_out", "relaxed_by", "relaxed", "binds"]
    assert sorted(limit) == sorted(told)
    assert (limit["limit"], limit["relaxed_by"], limit["keeps_better_out"]) == (0.1, 0.1, True)
    assert limit["used"] == content["best"]["ttft_s"] / 0.1
    text = run(*PLAN, "--ttft", "100ms").out
    (row,) = (one for one in text.splitlines() if one.startswith("│ TTFT "))
    assert ("binds" in row) == limit["binds"]
    if limit["relaxed"] is not None:
        assert 0.1 < limit["relaxed"]["ttft_s"] <= 0.11
        assert limit["relaxed"]["predicted_error"] < content["best"]["predicted_error"]
    assert content["hardware"] == "l4"
    assert content["memory_bytes"]["peak_bytes"] == content["best"]["peak_memory_bytes"]
    assert content["latency_s"]["ttft_s"] == pytest.approx(content["best"]["ttft_s"])


@pytest.mark.parametrize(
    "options",
    [
        ("--ttft", "100ms"),
        ("--tpot", "40ms", "--frontier"),
        ("--latency", "1s", "--precision", "bf16,int4"),
        ("--memory", "12GiB"),
        ("--requests-per-second", 5),
        ("--requests-per-second", 5, "--scheduler", "static"),
        ("--energy", 40),
        ("--price", 100, "--price-per-hour", 2),
        ("--budget", "2TFLOPs", "--ttft", "1s", "--tensor-parallel", "1,2", "--compressor", "quecc,none"),
        ("--ttft", "100ms", "--prompt-order", "image-first,text-first", "--compressor", "quecc,tokenpacker"),
        ("--ttft", "100ms", "--vision", "CLIP-ViT-L/14-336,SigLIP-so400m/14-384", "--batch", "1,16"),
    ],
)
def test_plan_fits_80_columns(run: Run, options: tuple[object, ...]) -> None:
    done = run(*PLAN, *options)
    assert_fits(done)
    assert done.words.startswith("Train: ")


def test_plan_of_a_file_of_requests(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "traffic.csv"
    file.write_text("query_tokens,generated_tokens\n10,100\n20,200\n60,310\n")
    content = run("plan", "--workload", file, "--ttft", "200ms", "--hardware", "l4", "--json").json
    assert content["workload"] == vars(Workload(30, 204))
    assert content["workload_p95"] == vars(Workload(56, 299))
    assert_fits(run("plan", "--workload", file, "--ttft", "200ms", "--hardware", "l4"))


def test_plan_of_a_config_file(run: Run, mistral: Path) -> None:
    alone = run(*PLAN, "--memory", "20GiB", "--llm-config", mistral, "--json").json
    assert alone["best"]["llm"] == "Mistral-7B"
    assert alone["candidates"]["compared"] == 8
    beside = run(*PLAN, "--memory", "20GiB", "--llm-config", mistral, "--llms", "qwen1.5", "--json").json
    assert beside["candidates"]["compared"] == 8 * 8


def test_plan_writes_what_it_prints(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    done = run(*PLAN, "--ttft", "100ms", "-o", file, "--json")
    assert done.err == f"wrote {file}\n"
    assert json.loads(file.read_text()) == json.loads(done.out)


# --- exit code 1: nothing fits ----------------------------------------------------------------------------------------


def test_nothing_fits_ends_with_1(run: Run) -> None:
    done = run(*PLAN, "--ttft", "1ms")
    assert done.code == 1
    assert done.complaint.startswith("nothing fits TTFT at most 1 ms: the nearest candidate is Qwen1.5-0.5B with 1 ")
    assert done.complaint.endswith(" ms; loosen it, or name smaller models or faster hardware")


def test_contradictory_limits_end_with_1(run: Run) -> None:
    done = run(*PLAN, "--ttft", "30ms", "--requests-per-second", 70, "--scheduler", "static")
    assert done.code == 1
    assert done.complaint == (
        "no candidate meets both limits, TTFT at most 30 ms and requests per second at least 70; "
        "each alone can be met: loosen one; with --gpus 6 both can be met"
    )


def test_nothing_fits_in_json_mode_prints_nothing_on_stdout(run: Run) -> None:
    done = run(*PLAN, "--memory", "1GiB", "--json")
    assert done.code == 1
    assert done.complaint.startswith("nothing fits memory per device at most 1 GiB: ")


# --- exit code 2: bad input -------------------------------------------------------------------------------------------

TIME = 'expected a positive number of seconds such as "100 ms" or 0.1, got '
BYTES = 'expected a positive number of bytes such as "24 GiB" or 24e9, got '
BAD: dict[str, tuple[tuple[object, ...], str]] = {
    "mistyped card": (
        ("plan", *REQUEST, "--ttft", "100ms", "--hardware", "h100-smx"),
        "no accelerator is called 'h100-smx'; did you mean 'h100-sxm'?",
    ),
    "mistyped card of a cost": (
        (*COST, "--hardware", "h100-smx"),
        "no accelerator is called 'h100-smx'; did you mean 'h100-sxm'?",
    ),
    "half a name": (
        ("plan", *REQUEST, "--ttft", "100ms", "--hardware", "h100"),
        "'h100' fits several accelerators; did you mean h100-sxm or h100-pcie?",
    ),
    "mistyped unit of time": (
        (*PLAN, "--ttft", "100 msec"),
        f"--ttft: {TIME}'100 msec': the unit 'msec' is not known, did you mean 'ms'?",
    ),
    "mistyped unit of memory": (
        (*PLAN, "--memory", "24 GIBB"),
        f"--memory: {BYTES}'24 GIBB': the unit 'GIBB' is not known, did you mean 'GiB'?",
    ),
    "rate of memory": (
        (*PLAN, "--memory", "24GiB/s"),
        f"--memory: {BYTES}'24GiB/s': 'GiB/s' is a rate, memory is a number of bytes",
    ),
    "no time": ((*PLAN, "--tpot", "0ms"), f"--tpot: {TIME}'0ms'"),
    "no number": ((*PLAN, "--latency", "soon"), f"--latency: {TIME}'soon'"),
    "no energy": (
        (*PLAN, "--energy", "nan"),
        "--energy: expected a positive number of joules such as \"50 J\" or 50, got 'nan'",
    ),
    "no price": ((*PLAN, "--price", 0), "--price: expected a positive number, got '0'"),
    "no rate": (
        (
            *PLAN,
            "--requests-per-second=-2",
        ),
        "--requests-per-second: expected a positive number of requests per second such as \"20/s\" or 20, got '-2'",
    ),
    "no limit": (
        PLAN,
        "--budget is missing: give FLOPs of one request (2TFLOPs), or another limit such as --ttft 100ms "
        "or --memory 24GiB",
    ),
    "no hardware": (
        ("plan", *REQUEST, "--ttft", "100ms"),
        "a TTFT limit needs --hardware, such as --hardware l4",
    ),
    "no price per hour": (
        (*PLAN, "--price", 3),
        "a price limit needs --price-per-hour, what one GPU costs an hour: no prices are shipped",
    ),
    "price without hardware": (
        ("plan", *REQUEST, "--budget", "2TFLOPs", "--price-per-hour", 1),
        "--price-per-hour: a price needs the time that a request takes; name the hardware, such as --hardware l4, or "
        "leave the price out",
    ),
    "GPUs without hardware": (
        ("plan", *REQUEST, "--budget", "2TFLOPs", "--gpus", 2),
        "--gpus: GPUs in all decide the throughput, and that needs --hardware, such as --hardware l4; or leave --gpus "
        "out",
    ),
    "a time without a unit": ((*PLAN, "--ttft", "100"), "--ttft: '100' has no unit: write 100ms or 100s"),
    "a power of ten without a unit": ((*PLAN, "--tpot", "2e-2"), "--tpot: '2e-2' has no unit: write 2e-2ms or 2e-2s"),
    "a point without a unit": ((*PLAN, "--latency", "1."), "--latency: '1.' has no unit: write 1.ms or 1.s"),
    "a budget without a unit": (
        ("plan", *REQUEST, "--budget", 3),
        "--budget: '3' is under a million FLOPs, less than any request costs: write 3TFLOPs or 3e12",
    ),
    "a budget of too few FLOPs": (
        ("plan", *REQUEST, "--budget", "20kFLOPs"),
        "--budget: '20kFLOPs' is under a million FLOPs, less than any request costs: write 2TFLOPs or 2e12",
    ),
    "memory without a unit": (
        (*PLAN, "--memory", 24),
        "--memory: '24' is under a million bytes, less than any request costs: write 24GiB or 24e9",
    ),
    "a budget of an optimum without a unit": (
        ("optimum", *REQUEST, "--budget", "0.5"),
        "--budget: '0.5' is under a million FLOPs, less than any request costs: write 0.5TFLOPs or 0.5e12",
    ),
    "a budget of the next run without a unit": (
        ("next-run", "reasoning", *REQUEST, "--budget", "3"),
        "--budget: '3' is under a million FLOPs, less than any request costs: write 3TFLOPs or 3e12",
    ),
    "runs instead of a law": (
        ("plan", *REQUEST, "--budget", "2T", "--law", "my/runs.csv"),
        "expected a law, my/runs.csv is a table of runs by its name: fit it first: "
        "vlm-planner fit my/runs.csv -o law.json",
    ),
    "half a tower": (
        ("plan", *REQUEST, "--budget", "2T", "--vision", "SigLIP"),
        "no vision tower is called 'SigLIP'; did you mean 'SigLIP-so400m/14-384', 'SigLIP-so400m/14-224' or "
        "'SigLIP-B/16-224'?",
    ),
    "tokens that the compressor cannot make": (
        ("cost", "Qwen2.5-7B", "--visual-tokens", 17, *REQUEST),
        "QueCC cannot make 17 visual tokens from the 24 x 24 patches of CLIP-ViT-L/14-336; "
        "it can make 1, 4, 9, 16, 36, 64, 144, 576",
    ),
    "no request": (
        ("plan", "--budget", "2TFLOPs"),
        "--query-tokens is missing: say how many tokens a request has, or give --workload REQUESTS.csv",
    ),
    "no answer": (
        ("plan", "--budget", "2TFLOPs", "--query-tokens", 50),
        "--generated-tokens is missing: say how many tokens a request has, or give --workload REQUESTS.csv",
    ),
    "request and file": (
        ("plan", "--budget", "2TFLOPs", "--images", 2, "--workload", "traffic.csv"),
        "--workload traffic.csv: the file says how long requests are; leave out the token options",
    ),
    "no file": (
        ("plan", "--budget", "2TFLOPs", "--workload", "no.csv"),
        "cannot read no.csv: No such file or directory; expected a CSV of requests",
    ),
    "mistyped precision": (
        (*PLAN, "--ttft", "1s", "--precision", "bf61"),
        "no precision is called 'bf61'; did you mean 'bf16'?",
    ),
    "precision that the card lacks": (
        (*COST, "--hardware", "a100-40gb", "--precision", "fp8"),
        "NVIDIA A100 SXM4 40 GB does not compute in fp8; it does in: fp32, bf16, fp16, int8, int4",
    ),
    "GPUs in words": (
        (*PLAN, "--ttft", "1s", "--tensor-parallel", "two"),
        "--tensor-parallel: expected whole numbers such as 1,4,16, got 'two'",
    ),
    "batch in words": (
        (*PLAN, "--ttft", "1s", "--batch", "1,x"),
        "--batch: expected whole numbers such as 1,4,16, got '1,x'",
    ),
    "more GPUs than there are": (
        (*PLAN, "--ttft", "1s", "--tensor-parallel", 4, "--gpus", 2),
        "--tensor-parallel: 4 GPUs for one model, but --gpus 2",
    ),
    "mistyped source": (
        (*PLAN, "--ttft", "1s", "--latency-source", "silcon"),
        "no latency source is called 'silcon'; did you mean 'silicon'?",
    ),
    "half a law": (
        (*PLAN, "--ttft", "1s", "--law", "quecc=reasoning,none"),
        "--law: expected LAW, or COMPRESSOR=LAW,COMPRESSOR=LAW, got 'quecc=reasoning,none'",
    ),
    "compressor without a law": (
        (*PLAN, "--ttft", "1s", "--law", "quecc=reasoning", "--compressor", "quecc,none"),
        "--law: laws are given for quecc, none for the compressor none",
    ),
    "law and mix": (
        (*PLAN, "--ttft", "1s", "--law", "ocr", "--mix", "ocr=1"),
        "--law ocr and --mix ocr=1: give one of them; a mix names its laws itself",
    ),
    "no language model": (
        ("cost", "--visual-tokens", 16, *REQUEST),
        "name one language model: LLM or --llm-config PATH/config.json, see vlm-planner catalog",
    ),
    "two language models": (
        (*COST, "--llm-config", "config.json"),
        "name one language model: LLM or --llm-config PATH/config.json, see vlm-planner catalog",
    ),
    "a family": (
        ("cost", "qwen2.5", "--visual-tokens", 16, *REQUEST),
        "qwen2.5 names 7 language models, expected one, such as Qwen2.5-0.5B",
    ),
    "no config": (
        ("cost", "--llm-config", "none/config.json", "--visual-tokens", 16, *REQUEST),
        "cannot read none/config.json: No such file or directory; expected a Hugging Face config.json",
    ),
    "negative visual tokens": (
        ("cost", "Phi-2", "--visual-tokens=-1", *REQUEST),
        "--visual-tokens: expected a whole number of at least 0, got -1",
    ),
    "mistyped way of counting": (
        (*CONVENTION, "--printed", "1TFLOPs", "--counted", "fatsv"),
        "no way of counting is called 'fatsv'; did you mean 'fastv'?",
    ),
    "printed rate": (
        (*CONVENTION, "--printed", "1TFLOP/s"),
        "--printed: expected a positive number of FLOPs such as \"2 TFLOPs\" or 2e12, got '1TFLOP/s': "
        "'TFLOP/s' is a rate, a budget is a count of FLOPs for one request",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_ends_with_2_and_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert (done.code, done.complaint) == (2, message)


def complaint(run: Run, *arguments: Any) -> str:
    done = run(*arguments)
    assert done.code == 2
    return done.complaint


@pytest.mark.parametrize("option", ["--compressor", "--vision", "--prompt-order", "--tensor-parallel"])
def test_a_comma_is_no_choice(run: Run, option: str) -> None:
    assert option.removeprefix("--").replace("-", "_") in complaint(
        run, *PLAN, "--ttft", "1s", "--gpus", 2, option, ","
    ).replace("-", "_")


def test_a_family_given_as_a_config_is_named(run: Run) -> None:
    assert complaint(run, "cost", "--llm-config", "qwen2.5", "--visual-tokens", 16, *REQUEST).startswith("qwen2.5 ")


def test_a_count_of_nothing_converts_into_nothing(run: Run) -> None:
    arguments = ("convention", "Phi-2", "--visual-tokens", 0, "--query-tokens", 0, "--printed", "1TFLOPs")
    assert complaint(run, *arguments, "--counted", "paper")
