"""Commands for serving engines: exact lines, options that each engine is known to have, refusals in one sentence."""

from __future__ import annotations

import json
import runpy
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from planner.base.errors import InputError
from planner.base.registry import register
from planner.configuration import Run
from planner.configuration.released import ReleasedModel
from planner.engines import ENGINES, Asked, Batching, Engine, EngineCommand, Held, engine_commands
from planner.hardware import find_hardware
from planner.parts.quantisation import read_quantisation
from planner.parts.released import Checkpoint, find_checkpoint, released_ids
from planner.traffic.scheduler import Scheduler

FOLDER = Path(__file__).parent
BENCHMARK = FOLDER.parents[1] / "benchmarks" / "engines.py"
RUNS = (
    Run(),
    Run(precision="Q4_K_M"),
    Run(precision="fp8", kv_precision="fp8", tensor_parallel=4),
    Run(precision="fp16", batch=8),
)
SHARED = Batching(Scheduler(max_num_seqs=512, max_num_batched_tokens=4096), 50_000, prefix_cache=False)
HELD = Held(weights=60e9, kv_cache=2e9, peak=65e9, reserve=6e8, activations=1e9, device=8e10, limit=8e10)


def command(
    engine: str,
    model: str | Checkpoint,
    run: Run | None = None,
    context: int | None = None,
    held: Held | None = None,
    batching: Batching | None = None,
    **knobs: object,
) -> EngineCommand:
    released = ReleasedModel.of_checkpoint(model, "1024x768", knobs=knobs)
    found = {one.engine: one for one in engine_commands(released, run or Run(), context, held=held, batching=batching)}
    return found[engine]


def test_the_lines_to_type() -> None:
    pixels = {"max_pixels": 401408}
    two = Run(precision="fp8", kv_precision="fp8", tensor_parallel=2)
    assert command("vllm", "Qwen/Qwen3-VL-8B-Instruct", two, 8192, **pixels).command == (
        "vllm serve Qwen/Qwen3-VL-8B-Instruct --dtype bfloat16 --quantization fp8_per_channel --tensor-parallel-size 2 "
        '--max-model-len 8192 --limit-mm-per-prompt \'{"image": 1, "video": 0}\' --kv-cache-dtype fp8 '
        "--mm-processor-kwargs '{\"max_pixels\": 401408}'"
    )
    assert command("sglang", "Qwen/Qwen3-VL-8B-Instruct", two, 8192, **pixels).command == (
        "python -m sglang.launch_server --model-path Qwen/Qwen3-VL-8B-Instruct --dtype bfloat16 --quantization fp8 "
        "--tensor-parallel-size 2 --context-length 8192 --limit-mm-data-per-request '{\"image\": 1}' "
        "--kv-cache-dtype fp8_e4m3 --mm-process-config "
        '\'{"image": {"size": {"shortest_edge": 65536, "longest_edge": 401408}}}\''
    )
    assert command("llama.cpp", "Qwen/Qwen2.5-VL-7B-Instruct", Run(batch=4), 4096, **pixels).command == (
        "llama-server -hf ggml-org/Qwen2.5-VL-7B-Instruct-GGUF:BF16 --split-mode none --parallel 4 --ctx-size 16384 "
        "--cache-type-k bf16 --cache-type-v bf16 --image-min-tokens 4 --image-max-tokens 512"
    )


def test_a_server_under_a_load_schedules_as_planned() -> None:
    """In each engine's own words: sequences at once, tokens of an iteration, and whether prompts are cached."""
    said = {
        "vllm": "--max-num-seqs 512 --max-num-batched-tokens 4096 --enable-chunked-prefill --no-enable-prefix-caching",
        "sglang": "--max-running-requests 512 --chunked-prefill-size 4096 --max-prefill-tokens 4096 "
        "--enable-mixed-chunk --disable-radix-cache",
        "llama.cpp": "--parallel 256 --cont-batching --kv-unified --ctx-size 50000 --batch-size 4096 "
        "--ubatch-size 4096 --no-cache-prompt",
    }
    for engine, words in said.items():
        found = command(engine, "Qwen/Qwen2.5-VL-7B-Instruct", batching=SHARED)
        assert f" {words}" in (found.command or "")
        assert any("at most 256 sequences" in note for note in found.notes) == (engine == "llama.cpp")
        alone = command(engine, "Qwen/Qwen2.5-VL-7B-Instruct").command or ""
        assert words.split()[2] not in alone and words.split()[-1] not in alone
    caching = replace(SHARED, prefix_cache=True, scheduler=Scheduler(max_num_seqs=64, max_num_batched_tokens=64))
    assert "--enable-prefix-caching" in str(command("vllm", "Qwen/Qwen2.5-VL-7B-Instruct", batching=caching))
    assert "--disable-radix-cache" not in str(command("sglang", "Qwen/Qwen2.5-VL-7B-Instruct", batching=caching))
    few = command("llama.cpp", "Qwen/Qwen2.5-VL-7B-Instruct", batching=caching)
    assert "--parallel 64 " in str(few) and " --cache-prompt" in str(few)
    assert not any("sequences" in note for note in few.notes)


def test_a_gguf_file_is_named_by_its_type() -> None:
    found = command("llama.cpp", "google/gemma-3-4b-it", Run(precision="Q4_K_M"))
    assert found.command is not None
    assert found.command.startswith("llama-server -hf ggml-org/gemma-3-4b-it-GGUF:Q4_K_M --split-mode none ")
    assert "does not quantise released weights to Q4_K_M" in str(
        command("vllm", "gemma-3-4b-it", Run(precision="Q4_K_M"))
    )


@pytest.mark.parametrize(
    ("engine", "model", "knobs", "said"),
    [
        ("vllm", "gemma-4-26B-A4B-it", {"max_soft_tokens": 560}, "--mm-processor-kwargs '{\"max_soft_tokens\": 560}'"),
        (
            "vllm",
            "SmolVLM-Instruct",
            {"longest_edge": 768},
            '--mm-processor-kwargs \'{"size": {"longest_edge": 768}}\'',
        ),
        ("vllm", "InternVL3-8B-hf", {"max_dynamic_patch": 6}, "--mm-processor-kwargs '{\"max_patches\": 6}'"),
        (
            "sglang",
            "gemma-3-4b-it",
            {"do_pan_and_scan": True},
            '--mm-process-config \'{"image": {"do_pan_and_scan": true}}\'',
        ),
        ("llama.cpp", "gemma-4-E4B-it", {"max_soft_tokens": 280}, "--image-max-tokens 280"),
        ("llama.cpp", "pixtral-12b", {"longest_edge": 512}, "--image-max-tokens 1024"),
    ],
)
def test_knobs_in_the_words_of_an_engine(engine: str, model: str, knobs: dict[str, object], said: str) -> None:
    found = command(engine, model, **knobs)
    assert found.knob == said
    assert found.command is not None and found.command.endswith(said)


def test_what_no_option_sets_is_said_to_the_client() -> None:
    shrunk = "shrink images in the client to at most 448 pixels on the longer side"
    for engine in ENGINES.names():
        found = command(engine, "google/gemma-3-4b-it", resize_longest_edge=448)
        assert (found.client, found.knob) == (shrunk, "")
    assert "at most 1024 pixels" in command("llama.cpp", "pixtral-12b").client
    assert command("vllm", "google/gemma-3-4b-it").client == ""


@pytest.mark.parametrize(
    ("engine", "model", "run", "knobs", "why"),
    [
        (
            "vllm",
            "KamilaMila/FastVLM-0.5B",
            Run(),
            {},
            "vLLM 0.33.0 has no class for FastVlmForConditionalGeneration; ",
        ),
        ("sglang", "SmolVLM-Instruct", Run(), {}, "SGLang 0.5.23 has no class for Idefics3ForConditionalGeneration; "),
        ("vllm", "pixtral-12b", Run(), {"longest_edge": 512}, "has no option that sets longest_edge of pixtral-12b; "),
        (
            "vllm",
            "gemma-3-4b-it",
            Run(precision="int4"),
            {},
            "does not quantise released weights to int4 while it loads",
        ),
        (
            "sglang",
            "gemma-3-4b-it",
            Run(kv_precision="int8"),
            {},
            "SGLang 0.5.23 has no KV cache in int8; choose bf16, fp8",
        ),
        (
            "llama.cpp",
            "Qwen3-VL-8B-Instruct",
            Run(),
            {},
            "no GGUF of Qwen3-VL-8B-Instruct and its mmproj is known here; ",
        ),
        ("llama.cpp", "gemma-3-4b-it", Run(precision="fp8"), {}, "llama.cpp has no weights in fp8; choose "),
    ],
)
def test_refused_in_one_sentence(engine: str, model: str, run: Run, knobs: dict[str, object], why: str) -> None:
    found = command(engine, model, run, **knobs)
    assert found.command is None and found.refusal is not None
    assert why in found.refusal and ". " not in found.refusal
    assert str(found) == found.refusal


def test_a_context_that_the_model_has_not_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^context_tokens: llava-1\.5-7b-hf takes at most 4096, got 5000"):
        command("vllm", "llava-hf/llava-1.5-7b-hf", context=5000)


@pytest.mark.parametrize("engine", ENGINES.names())
def test_every_option_is_one_that_the_engine_has(engine: str) -> None:
    """Against the record of benchmarks/engines.py, for every released model and each of its knobs."""
    record = json.loads((FOLDER / f"{engine}.json").read_text("utf-8"))
    assert record["version"] == ENGINES.find(engine).version
    options, made = record["options"], 0
    for hub_id in released_ids():
        knobs = ReleasedModel.of_checkpoint(hub_id, "1024x768").rule.own_knobs()
        for turned in ({}, *({knob.name: knob.values[0]} for knob in knobs)):
            for run in RUNS:
                words = shlex.split(command(engine, hub_id, run, held=HELD, batching=SHARED, **turned).command or "")
                made += bool(words)
                for word, value in zip(words, [*words, ""][1:], strict=True):
                    if word.startswith("-") and word != "-m":
                        assert word in options, f"{engine} has no {word}"
                        assert options[word] is None or value in options[word], f"{engine} has no {word} {value}"
    assert made > 50


@pytest.mark.filterwarnings("ignore:Passing `min_pixels` and `max_pixels`:FutureWarning")
def test_pixels_reach_the_processor_as_planned() -> None:
    """The settings of a command, given to the image processor of transformers, make the tokens of the plan."""
    processing = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    image = pytest.importorskip("PIL.Image")
    for engine, option in (("vllm", "--mm-processor-kwargs"), ("sglang", "--mm-process-config")):
        for width, height in ((1024, 768), (640, 480), (100, 80)):
            model = ReleasedModel.of_checkpoint(
                "Qwen2.5-VL-7B-Instruct", f"{width}x{height}", knobs={"max_pixels": 401408}
            )
            found = {one.engine: one for one in engine_commands(model, Run())}[engine]
            words = shlex.split(found.knob)
            assert words[0] == option
            settings = json.loads(words[1])
            settings = settings.get("image", settings)
            processor = processing.Qwen2VLImageProcessorPil(min_pixels=3136, max_pixels=12845056)
            grid = processor(images=[image.new("RGB", (width, height))], **settings)["image_grid_thw"]
            assert int(grid.prod()) == model.seen.patches


@pytest.mark.parametrize(
    ("peak", "limit", "vllm", "sglang"),
    [
        (40.0, 80.0, 0.92, 0.8),  # what they take by themselves is enough
        (76.0, 80.0, 0.943, 0.945),  # what the plan holds, and no less
        (20.0, 24.0, 0.292, 0.289),  # no more than the budget allows
    ],
)
def test_the_share_of_memory_holds_the_plan_and_keeps_its_limit(
    peak: float, limit: float, vllm: float, sglang: float
) -> None:
    reserve, activations, cache = 0.6, 0.4, 2.0
    held = Held(
        weights=1e9 * (peak - reserve - activations - cache),
        kv_cache=1e9 * cache,
        peak=1e9 * peak,
        reserve=1e9 * reserve,
        activations=1e9 * activations,
        device=80e9,
        limit=1e9 * limit,
    )
    for engine, option, expected in (
        ("vllm", "--gpu-memory-utilization", vllm),
        ("sglang", "--mem-fraction-static", sglang),
    ):
        found = command(engine, "Qwen/Qwen3-VL-8B-Instruct", held=held)
        words = shlex.split(found.command or "")
        share = float(words[words.index(option) + 1])
        assert share == expected
        if engine == "vllm":  # weights, cache and activations, of all that is on the device
            assert peak - reserve <= share * 80 <= limit - reserve
        else:  # weights and cache, of what the driver leaves; the rest beside it
            assert peak - reserve - activations <= share * (80 - reserve) <= limit - reserve - activations
        assert option not in str(command(engine, "Qwen/Qwen3-VL-8B-Instruct"))


def test_a_plan_that_leaves_an_engine_little_is_said() -> None:
    full = replace(HELD, peak=79e9, weights=74e9)
    for engine in ("vllm", "sglang"):
        (note,) = command(engine, "Qwen/Qwen3-VL-8B-Instruct", held=full).notes
        assert note.startswith("the plan holds 99 % of the device and leaves 954 MiB for ")
        assert command(engine, "Qwen/Qwen3-VL-8B-Instruct", held=HELD).notes == ()


# ---- quantised checkpoints -------------------------------------------------------------------------------------------

COMPRESSED = {
    "targets": ["Linear"],
    "weights": {"num_bits": 8, "type": "int", "strategy": "channel"},
    "input_activations": {"num_bits": 8, "type": "int", "strategy": "token"},
}
CONFIGS: dict[str, dict[str, object]] = {
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128},
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128},
    "fp8": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    "fbgemm_fp8": {"quant_method": "fbgemm_fp8"},
    "compressed-tensors": {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": COMPRESSED},
        "ignore": ["lm_head"],
    },
    "bitsandbytes": {"quant_method": "bitsandbytes", "load_in_4bit": True},
}


def quantised(method: str) -> Checkpoint:
    """A released model as if its files said that it is quantised."""
    stored = read_quantisation("m", {"quantization_config": CONFIGS[method]})
    assert stored is not None
    whole = find_checkpoint("Qwen/Qwen3-VL-8B-Instruct")
    return replace(whole, name="Qwen3-VL-8B", quantisation=stored, dtype=stored.precision)


@pytest.mark.parametrize("method", ["awq", "gptq", "fp8", "compressed-tensors"])
def test_a_quantised_checkpoint_says_itself_how(method: str) -> None:
    model = quantised(method)
    for engine in ("vllm", "sglang"):
        words = shlex.split(command(engine, model, Run(precision=model.dtype)).command or "")
        assert words[words.index("--dtype") + 1] == "auto"
        assert "--quantization" not in words


@pytest.mark.parametrize(
    ("engine", "method", "said"),
    [
        ("vllm", "fbgemm_fp8", "--dtype auto --allow-deprecated-quantization "),
        ("sglang", "bitsandbytes", "--dtype auto --load-format bitsandbytes "),
        ("vllm", "bitsandbytes", "vLLM 0.33.0 does not read weights that bitsandbytes quantised; choose awq, gptq, "),
        ("sglang", "fbgemm_fp8", "SGLang 0.5.23 does not read weights that fbgemm_fp8 quantised; choose awq, gptq, "),
    ],
)
def test_what_has_to_be_said_of_a_method_or_why_it_is_refused(engine: str, method: str, said: str) -> None:
    model = quantised(method)
    assert said in str(command(engine, model, Run(precision=model.dtype)))


@pytest.mark.parametrize("precision", ["bf16", "fp8", "int4"])
def test_quantised_weights_are_not_turned_into_another_precision(precision: str) -> None:
    model = quantised("compressed-tensors")  # int8
    for engine, title in (("vllm", "vLLM"), ("sglang", "SGLang")):
        assert str(command(engine, model, Run(precision=precision))) == (
            f"the weights of Qwen3-VL-8B are stored in int8 (compressed-tensors), and {title} does not turn them into "
            f"{precision}; plan with int8, or with a checkpoint that is not quantised"
        )


@pytest.mark.parametrize(
    ("card", "served"),
    [
        ("h100-sxm", {"vllm", "sglang", "llama.cpp"}),
        ("agx-orin-64", {"vllm", "sglang", "llama.cpp"}),
        ("mi300x", {"vllm", "sglang", "llama.cpp"}),
        ("apple-m4-max", {"llama.cpp"}),
        ("radeon-890m", {"llama.cpp"}),
        ("iphone-16-pro", set()),
        ("galaxy-s24-ultra", set()),
    ],
)
def test_an_engine_serves_on_what_it_runs_on(card: str, served: set[str]) -> None:
    hardware = find_hardware(card)
    run = Run(hardware, precision="fp16")
    found = {name: command(name, "Qwen/Qwen2.5-VL-3B-Instruct", run) for name in ENGINES.names()}
    assert {name for name, one in found.items() if one.command is not None} == served
    for one in found.values():
        assert one.command or f"as known here, does not serve on {hardware.title}" in str(one)


def test_an_engine_from_outside() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Echo(Engine):
        def serve(self, asked: Asked) -> tuple[list[str], list[str], tuple[str, ...]]:
            return ["echo", asked.path], [], ()

    register(Echo(name="echo", title="Echo", version="1", source="here", parsed=False))
    try:
        assert command("echo", "google/gemma-3-4b-it").command == "echo google/gemma-3-4b-it"
        assert command("echo", "google/gemma-3-4b-it").checked == "not run"
    finally:
        ENGINES.remove("echo")


@pytest.mark.slow
@pytest.mark.parametrize("engine", [engine.name for engine in ENGINES if engine.parsed])
def test_the_engine_itself_parses_them(engine: str) -> None:
    """Only in an environment that has the engine; results/engines.json holds what came of it."""
    counted = json.loads((BENCHMARK.parent / "results" / "engines.json").read_text("utf-8"))[engine]
    assert counted["version"] == ENGINES.find(engine).version
    pytest.importorskip(engine)
    benchmark = runpy.run_path(str(BENCHMARK))
    parser, skipped, version = benchmark["PARSERS"][engine]()
    assert version == ENGINES.find(engine).version
    assert benchmark["check"](engine, parser, skipped) == counted["commands_parsed"]
