"""Commands for serving engines against the engines' own argument parsers, and a record of what those parsers take.

    python benchmarks/engines.py vllm             # in an environment that has vllm; also: sglang
    python benchmarks/engines.py vllm --record    # writes tests/engines/vllm.json
    python benchmarks/engines.py llama.cpp --record --sources llama.cpp   # reads common/arg.cpp, parses nothing

An environment that runs the engine is not needed, nor a GPU: `pip install --no-deps vllm`, torch for CPUs, transformers
and what the import of the parser asks for are enough. How many commands were parsed stands in results/engines.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from planner.configuration import Run
from planner.configuration.released import ReleasedModel
from planner.engines import ENGINES, Batching, EngineCommand, Held, engine_commands
from planner.parts.images.base import RESIZE
from planner.parts.quantisation import Quantisation
from planner.parts.released import find_checkpoint, released_ids
from planner.traffic.scheduler import Scheduler

RECORDS = Path(__file__).parents[1] / "tests" / "engines"
RESULTS = Path(__file__).parent / "results" / "engines.json"
RUNS = (
    Run(precision="bf16"),
    Run(precision="fp16", kv_precision="fp8", tensor_parallel=2),
    Run(precision="fp8", kv_precision="bf16", tensor_parallel=4),
    Run(precision="fp32", kv_precision="fp16", tensor_parallel=8),
)


HELD = Held(weights=60e9, kv_cache=2e9, peak=65e9, reserve=6e8, activations=1e9, device=8e10, limit=7e10)
"""What a plan may hold, so that engines are told their share of the memory."""
BATCHING = Batching(Scheduler(max_num_seqs=256, max_num_batched_tokens=2048), 100_000, prefix_cache=False)
"""How requests share an engine under a load."""
QUANTISED = tuple(
    Quantisation(method, precision, 8)
    for method, precision in (
        ("awq", "int4"),
        ("gptq", "int4"),
        ("bitsandbytes", "int4"),
        ("fp8", "fp8"),
        ("fbgemm_fp8", "fp8"),
        ("compressed-tensors", "int8"),
    )
)
"""As checkpoints say that they are stored."""


def commands() -> Iterator[EngineCommand]:
    """Of every released model, as published and with each of its knobs turned, in several ways to run; and of one as
    if it were quantised in each way that is known."""
    for hub_id in released_ids():
        published = ReleasedModel.of_checkpoint(hub_id, "1024x768")
        turned: list[dict[str, object]] = [{}, {RESIZE.name: 448}]
        turned += [{knob.name: knob.values[0]} for knob in published.rule.own_knobs()]
        for knobs in turned:
            model = ReleasedModel.of_checkpoint(hub_id, "1024x768", knobs=knobs)
            for run in RUNS:
                tokens = min(published.checkpoint.context_tokens or 4096, 4096)
                held, batching = (HELD, BATCHING) if run is RUNS[0] else (None, None)
                yield from engine_commands(model, run, tokens, 2, held, batching)
    whole = find_checkpoint("Qwen/Qwen3-VL-8B-Instruct")
    for stored in QUANTISED:
        model = ReleasedModel.of_checkpoint(replace(whole, quantisation=stored, dtype=stored.precision), "1024x768")
        yield from engine_commands(model, Run(precision=stored.precision), 4096, 2, HELD)


def vllm_parser() -> tuple[Any, int, str]:
    """Its parser of `vllm serve`, how many words stand before its arguments, and its version."""
    platforms: Any = importlib.import_module("vllm.platforms")
    cpu: Any = importlib.import_module("vllm.platforms.cpu")
    platforms._current_platform = cpu.CpuPlatform()  # its defaults ask for a device
    made = importlib.import_module("vllm.utils.argparse_utils").FlexibleArgumentParser()
    parser = importlib.import_module("vllm.entrypoints.common.cli_args").make_arg_parser(made)
    return parser, 2, importlib.import_module("importlib.metadata").version("vllm")


def sglang_parser() -> tuple[Any, int, str]:
    """Its parser of `python -m sglang.launch_server`, likewise."""
    parser = argparse.ArgumentParser()
    importlib.import_module("sglang.srt.server_args").ServerArgs.add_cli_args(parser)
    return parser, 3, importlib.import_module("importlib.metadata").version("sglang")


PARSERS: dict[str, Callable[[], tuple[Any, int, str]]] = {"vllm": vllm_parser, "sglang": sglang_parser}


def options_of(parser: Any) -> dict[str, list[str] | None]:
    """Options by name, with the values that they take where there is a list."""
    return {
        name: [str(choice) for choice in action.choices] if action.choices else None
        for name, action in sorted(parser._option_string_actions.items())
    }


def options_in(arg_cpp: str) -> dict[str, list[str] | None]:
    """The same from common/arg.cpp of llama.cpp, which lists names in braces in front of each option."""
    found = re.findall(r"\{((?:\s*\"-[^\"]+\"\s*,?)+)\}", arg_cpp)
    return dict.fromkeys(sorted({name for names in found for name in re.findall(r'"([^"]+)"', names)}))


def check(engine: str, parser: Any, skipped: int) -> int:
    """Parse every command of an engine, and return how many it took. Ends the program at one that it does not take."""
    parsed = 0
    for command in {one.command for one in commands() if one.engine == engine and one.command is not None}:
        parser.parse_args(shlex.split(command)[skipped:])
        parsed += 1
    return parsed


def main() -> None:
    asked = argparse.ArgumentParser(description="Check commands with an engine's own argument parser.")
    asked.add_argument("engine", choices=ENGINES.names())
    asked.add_argument("--record", action="store_true", help="write what the parser takes to tests/engines")
    asked.add_argument("--sources", type=Path, help="folder of llama.cpp's sources")
    given = asked.parse_args()
    engine = ENGINES.find(given.engine)
    if engine.name in PARSERS:
        parser, skipped, version = PARSERS[engine.name]()
        options = options_of(parser)
        parsed = check(engine.name, parser, skipped)
        print(f"{engine.title} {version} takes all {parsed} commands")
        known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
        known[engine.name] = {"version": version, "commands_parsed": parsed}
        RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    else:
        version, options = engine.version, options_in((given.sources / "common" / "arg.cpp").read_text("utf-8"))
    if given.record:
        record = {"engine": engine.name, "version": version, "source": engine.source, "options": options}
        (RECORDS / f"{engine.name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
