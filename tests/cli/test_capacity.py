"""capacity on the command line: what Python says, 80 columns, exit codes, one sentence for each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len
from support import Run

import planner

SMALL = ("capacity", "Qwen3-1.7B", "--hardware", "l4", "--query-tokens", 200, "--generated-tokens", 20)
TEXT = (*SMALL, "--images", 0)


def test_it_is_what_python_says(run: Run) -> None:
    content = run(
        "capacity", "Qwen3-1.7B", "--hardware", "l4", "--query-tokens", 50, "--generated-tokens", 20, "--visual-tokens",
        36, "--compressor", "average-pool", "--images", 2, "--system-tokens", 100, "--cached-tokens", 10,
        "--ttft", "200ms", "--latency", "2s", "--percentile", 90, "--tensor-parallel", 2, "--precision", "fp8",
        "--kv-precision", "fp8", "--max-num-seqs", 64, "--max-num-batched-tokens", 1024, "--encoder-data-parallel",
        "--gpu-memory-utilization", 0.5, "--prefix-cache", "90%", "--image-cache", "20%", "--seed", 3, "--json",
    ).json  # fmt: skip
    expected = planner.capacity(
        "Qwen3-1.7B",
        "l4",
        budget=planner.Budget(ttft="200 ms", latency="2 s"),
        percentile=90.0,
        workload=planner.Workload(50, 20, 10, 100, 2),
        visual_tokens=36,
        compressor="average-pool",
        tensor_parallel=2,
        precision="fp8",
        kv_precision="fp8",
        max_num_seqs=64,
        max_num_batched_tokens=1024,
        encoder_data_parallel=True,
        memory_share=0.5,
        prefix_cache_share=0.9,
        image_cache_share=0.2,
        seed=3,
    )
    assert content == json.loads(json.dumps(expected.to_dict()))
    assert content["gpus_per_replica"] == 2


def test_it_fits_80_columns_and_says_what_ends_the_rate(run: Run) -> None:
    done = run(*TEXT, "--ttft", "100ms", "--tpot", "30ms")
    assert (done.code, done.err) == (0, "")
    assert [line for line in done.out.splitlines() if cell_len(line) > 80] == []
    assert "requests per second with TTFT at most 100 ms and TPOT at most 30 ms for 95 % of the requests" in done.words
    assert "limit ends it" in done.words
    assert "the queue grows without end" in done.words


@pytest.mark.parametrize(
    "more",
    [
        ("Qwen3-1.7B",),
        ("HuggingFaceTB/SmolVLM-256M-Instruct",),
        ("HuggingFaceTB/SmolVLM-256M-Instruct", "--encoder", "apart", "--no-chunked-prefill"),
    ],
)
def test_text_alone_in_a_closed_loop(run: Run, more: tuple[object, ...]) -> None:
    request = ("--hardware", "l4", "--query-tokens", 200, "--generated-tokens", 20, "--images", 0)
    content = run("capacity", *more, *request, "--concurrency", 4, "--json").json
    assert content["workload"]["images"] == 0
    assert content["concurrency"] == 4
    assert content["gpus_per_replica"] == 1


def test_a_config_of_text_alone_is_a_model(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "Tiny-7B" / "config.json"
    file.parent.mkdir()
    config = {
        "model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000, "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }  # fmt: skip
    file.write_text(json.dumps(config), encoding="utf-8")
    request = ("--hardware", "h100-sxm", "--query-tokens", 200, "--generated-tokens", 20, "--images", 0)
    content = run("capacity", file, *request, "--concurrency", 2, "--json").json
    assert content["model"]["llm"] == "Tiny-7B"


def test_a_log_is_taken_as_a_plan_takes_it(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("timestamp,query_tokens,generated_tokens\n" + "".join(f"{i / 9},60,8\n" for i in range(900)))
    asked = ["capacity", "Qwen2.5-0.5B", "--hardware", "l4", "--ttft", "200ms", "--traffic", log]
    done = run(*asked, "--images", 0)
    assert "900 requests, as the log has them; a mean one: 60 text tokens in and 8 out; the engine: " in done.words
    assert "note: the log has 900 requests from 0 s to 99.8889 s, " in done.words
    seeing = run(*asked, "--visual-tokens", 64, "--json").json
    assert (seeing["requests"], seeing["arrivals"], seeing["workload"]["images"]) == (900, "as the log has them", 1)
    for more, said in (
        ([], "how many visual tokens? give --image WxH for a released model, "),
        (["--images", 0, "--query-tokens", 5], f"--traffic {log}: the file says how long requests are"),
        (["--images", 0, "--workload", log], f"--traffic {log} and --workload {log}: give one of them"),
    ):
        failed = run(*asked, *more)
        assert failed.code == 2 and said in failed.complaint


def test_a_request_that_is_too_long_is_refused_among_many(run: Run, tmp_path: Path) -> None:
    """Alike ones stand at their means, which the longest may not hide behind."""
    file = tmp_path / "many.csv"
    rows = [f"{30 + i},{5 + i % 90}" for i in range(300)] + ["500000,5"]
    file.write_text("\n".join(["query_tokens,generated_tokens", *rows, ""]))
    asked = ("capacity", "HuggingFaceTB/SmolVLM-256M-Instruct", "--hardware", "l4", "--ttft", "1s", "--images", 0)
    failed = run(*asked, "--workload", file)
    assert failed.code == 2
    assert "the request comes to 500005 tokens, more than the 8192 of the model's context" in failed.complaint


def test_static_batches(run: Run) -> None:
    done = run(*TEXT, "--scheduler", "static", "--ttft", "200ms")
    assert "no queue" in done.words
    assert "batches run one after the other" in done.words


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (TEXT, 2, "what is to hold? give --ttft, --tpot or --latency, or --concurrency for a closed loop"),
        (
            (*TEXT, "--ttft", "1s", "--concurrency", 3),
            2,
            "--concurrency: a closed loop has no limits; leave out --ttft",
        ),
        ((*SMALL, "--ttft", "1s"), 2, "how many visual tokens? give --image WxH for a released model"),
        ((*TEXT, "--ttft", "200"), 2, "--ttft"),
        (
            (*SMALL[:-1], 1, "--images", 0, "--ttft", "1s", "--tpot", "9ms"),
            2,
            "--tpot: a limit on the time of a further token needs answers of at least 2 tokens; leave it out",
        ),
        ((*TEXT, "--tpot", "10us"), 1, "TPOT of 10 µs cannot be kept: one request alone takes "),
        (
            (*TEXT, "--ttft", "1s", "--percentile", 100),
            2,
            "--percentile: expected a number between 0 and 100, such as 95",
        ),
        ((*TEXT, "--ttft", "1s", "--prefix-cache", "2"), 2, "--prefix-cache: expected a share up to 1"),
        ((*TEXT, "--ttft", "1s", "--prefix-cache", ".5"), 2, "--prefix-cache: no request has system tokens, which are"),
        (
            (*TEXT, "--ttft", "1s", "--gpu-memory-utilization", 2),
            2,
            "--gpu-memory-utilization: expected a share above 0",
        ),
        (
            (*TEXT, "--ttft", "1s", "--encoder", "apart", "--encoder-data-parallel"),
            2,
            "leave it out or use --encoder in-process",
        ),
        ((*TEXT, "--ttft", "1s", "--encoder", "elsewhere"), 2, "no place of the encoder is called 'elsewhere'"),
        ((*TEXT, "--ttft", "1s", "--max-num-seqs", 9, "--max-num-batched-tokens", 4), 2, "--max-num-batched-tokens"),
        (
            ("capacity", "Qwen3-32B", *TEXT[2:], "--ttft", "1s"),
            1,
            "Qwen3-32B in bf16 does not fit: its weights take 61 GiB",
        ),
    ],
)
def test_mistakes_are_one_sentence(run: Run, arguments: tuple[object, ...], code: int, told: str) -> None:
    done = run(*arguments)
    assert done.code == code
    assert told in done.complaint


def test_pictures_are_drawn_on_request(run: Run, tmp_path: Path) -> None:
    curve, second = tmp_path / "load.svg", tmp_path / "second.png"
    found = run(*TEXT, "--ttft", "200ms", "--plot", curve, "--timeline", second, "--json")
    assert found.json["bound"] and curve.read_text().startswith("<?xml")
    assert second.read_bytes().startswith(b"\x89PNG")
    assert "already exists" in run(*TEXT, "--ttft", "200ms", "--plot", curve).err
