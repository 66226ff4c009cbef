"""`measure` beside optimum-benchmark and a plain loop over transformers: prefill, decode and memory of one LLM.

    python -m venv ~/venv-optimum          # an environment of its own: optimum-benchmark asks for much that we do not
    ~/venv-optimum/bin/pip install torch==2.13.0 transformers==4.57.6 optimum-benchmark==0.6.0
    python benchmarks/measuring_peers.py --optimum ~/venv-optimum/bin/python     about four minutes, on an idle machine
    python benchmarks/measuring_peers.py                                         only `measure` and the plain loop

Where the pip index gives torch with CUDA and only CPUs are there: torch from its index for CPUs first. Torch must
be the version of this environment. Transformers cannot be: optimum-benchmark 0.6.0 imports a name that version 5 has no
more, so what the two versions differ by is in its ratios. The plain loop therefore runs with both: ours over the plain
loop here, over optimum-benchmark over the plain loop there, is what the two tools differ by (`tools_alone`).

Each tool runs in a process of its own, in turns, each round in another order: SmolLM2-135M with random weights, fp32,
two threads, eager, one request of S prompt tokens and G generated ones.

prefill_s      ours: the stage "prefill", from embedded tokens. Theirs: from the call of generate to the first logits.
decode_s       a further token: ours "tpot", in a whole request. Theirs: generate without its prefill, over G - 1.
memory_bytes   ours: the most that tensors took, less the weights of the tower and what is behind it. Theirs: the most
               of the process's resident memory, less what it was before the model was loaded, and after a tiny one of
               its kind has run, so that libraries and threads are there. Resident memory holds pages that the
               allocator has not given back.

Ratios are ours over theirs, round by round; their median, and the least and the largest.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from environment import environment, say, write_result

LLM, VISION = "SmolLM2-135M", "CLIP-ViT-B/16-224"
PROMPT_TOKENS, GENERATED_TOKENS = 128, 8
THREADS = 2
QUANTITIES = ("prefill_s", "decode_s", "memory_bytes")
SAMPLES = 7
"""Whole requests that each tool times in a round."""
ORDER = ("ours", "optimum", "plain", "plain_there")
"""Tools; the last is the plain loop in the environment of optimum-benchmark."""


# ---- one tool, in a process of its own -------------------------------------------------------------------------------


def ours(folder: Path) -> dict[str, float]:
    """`measure`, as users call it; the model is built here and `folder` not read."""
    from planner.bench.measure import measure
    from planner.bench.measurement import Ceilings
    from planner.costs.stages import Workload
    from planner.vlm.build import build_recipe
    from planner.vlm.recipe import make_recipe

    recipe = make_recipe(llm=LLM, visual_tokens=1, vision=VISION)
    model = build_recipe(recipe, {}, dtype="fp32", device="cpu", seed=0)
    workload = Workload(query_tokens=PROMPT_TOKENS - 1, generated_tokens=GENERATED_TOKENS)
    unused = Ceilings(1.0, 1.0, 1.0)  # shares of them are not looked at
    found = measure(model, recipe, workload, seconds=1.0, ceilings=unused)
    other_parts = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    other_parts -= sum(weight.numel() * weight.element_size() for weight in model.language_model.parameters())
    return {
        "prefill_s": found.samples["prefill"].median_s,
        "decode_s": found.samples["tpot"].median_s,
        "memory_bytes": found.memory.peak_bytes - other_parts,
        "stable": float(found.stable),
    }


def optimum(folder: Path) -> dict[str, float]:
    """Its inference scenario with its PyTorch backend, in this process."""
    peer: Any = importlib.import_module("optimum_benchmark")

    for module in ("backends.pytorch.backend", "scenarios.inference.scenario"):  # else loaded with the model
        importlib.import_module(f"optimum_benchmark.{module}")
    multiprocessing.set_start_method("forkserver")  # its sampler of memory, forked from among threads, may hang
    multiprocessing.set_forkserver_preload(["optimum_benchmark.trackers.memory"])
    before = _resident_after_a_tiny_model(folder)
    config = peer.BenchmarkConfig(
        name="peer",
        launcher=peer.InlineConfig(),
        scenario=peer.InferenceConfig(
            iterations=SAMPLES,
            duration=1,
            warmup_runs=2,
            input_shapes={"batch_size": 1, "sequence_length": PROMPT_TOKENS},
            generate_kwargs={"max_new_tokens": GENERATED_TOKENS, "min_new_tokens": GENERATED_TOKENS},
            latency=True,
            memory=True,
        ),
        backend=peer.PyTorchConfig(
            model=str(folder),
            library="transformers",
            task="text-generation",
            model_type="llama",
            device="cpu",
            torch_dtype="float32",
        ),
        log_report=False,
    )
    report = peer.Benchmark.launch(config)
    most = max(report.prefill.memory.max_ram, report.decode.memory.max_ram)
    return {
        "prefill_s": report.prefill.latency.p50,
        "decode_s": report.decode.latency.p50 / (GENERATED_TOKENS - 1),
        "memory_bytes": most * 1e6 - before,
    }


def plain(folder: Path) -> dict[str, float]:
    """What one would write by hand."""
    import torch
    from transformers import AutoModelForCausalLM

    before = _resident_after_a_tiny_model(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()
    ids = torch.randint(model.config.vocab_size, (1, PROMPT_TOKENS))
    for _ in range(2):
        request(model, ids, GENERATED_TOKENS)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again: loading is not counted
    times = [request(model, ids, GENERATED_TOKENS) for _ in range(SAMPLES)]
    return {
        "prefill_s": statistics.median(first for first, _ in times),
        "decode_s": statistics.median(further for _, further in times),
        "memory_bytes": _status_bytes("VmHWM") - before,
    }


def request(model: Any, ids: Any, generated: int) -> tuple[float, float]:
    """Seconds of the prefill, and of a further token on average, greedy; `ids` (1, S)."""
    import torch

    with torch.inference_mode():
        start = time.perf_counter()
        out = model(input_ids=ids, use_cache=True, logits_to_keep=1)
        token = out.logits[:, -1].argmax(-1, keepdim=True)
        first = time.perf_counter()
        for _ in range(generated - 1):
            out = model(input_ids=token, past_key_values=out.past_key_values, use_cache=True, logits_to_keep=1)
            token = out.logits[:, -1].argmax(-1, keepdim=True)
        end = time.perf_counter()
    return first - start, (end - first) / (generated - 1)


TOOLS: dict[str, Callable[[Path], dict[str, float]]] = {
    "ours": ours,
    "optimum": optimum,
    "plain": plain,
    "plain_there": plain,
}


def _resident_after_a_tiny_model(folder: Path) -> int:
    """Bytes of this process, with all libraries loaded that a model of the kind in `folder` needs."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder)
    config.num_hidden_layers, config.vocab_size, config.layer_types = 1, 512, None
    made: Any = AutoModelForCausalLM
    tiny = made.from_config(config).eval()
    with torch.inference_mode():
        tiny.generate(torch.ones(1, 8, dtype=torch.long), max_new_tokens=2, do_sample=False, eos_token_id=None)
    del tiny
    return _status_bytes("VmRSS")


def _status_bytes(name: str) -> int:
    """Of /proc/self/status: VmRSS is what is resident now, VmHWM its peak."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


# ---- all of them -----------------------------------------------------------------------------------------------------


def compared(rounds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Medians of each tool, and ours over each other one's."""
    tools = list(rounds[0])
    medians = {
        tool: {name: statistics.median(one[tool][name] for one in rounds) for name in QUANTITIES} for tool in tools
    }
    ratios: dict[str, Any] = {}
    for tool in tools:
        if tool == "ours":
            continue
        ratios[tool] = {name: spread([one["ours"][name] / one[tool][name] for one in rounds]) for name in QUANTITIES}
    found: dict[str, Any] = {"medians": medians, "ours_over": ratios}
    if "plain_there" in tools:
        found["tools_alone"] = {
            name: spread(
                [
                    one["ours"][name] / one["plain"][name] * one["plain_there"][name] / one["optimum"][name]
                    for one in rounds
                ]
            )
            for name in QUANTITIES
        }
    return found


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """Of the ratios of all rounds."""
    return {
        "median": round(statistics.median(ratios), 4),
        "least": round(min(ratios), 4),
        "largest": round(max(ratios), 4),
    }


def in_turns(pythons: Mapping[str, str], folder: Path, count: int) -> list[dict[str, dict[str, float]]]:
    """So many rounds, each of which begins with another tool."""
    names = [name for name in ORDER if name in pythons]
    rounds = []
    for turn in range(count):
        first = turn % len(names)
        found = {name: run(pythons[name], name, folder) for name in names[first:] + names[:first]}
        rounds.append({name: found[name] for name in names})
        say(f"round {turn + 1} of {count}: {json.dumps(rounds[-1])}")
    return rounds


def run(python: str, tool: str, folder: Path) -> dict[str, float]:
    """One tool in a process of its own. Raises CalledProcessError with what it wrote, on stderr."""
    setting = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "LOG_TO_FILE": "0", "HF_HUB_OFFLINE": "1"}
    command = [python, __file__, "--one", tool, "--folder", str(folder)]
    done = subprocess.run(command, env=setting, capture_output=True, text=True, check=False)
    if done.returncode:
        say(done.stderr[-4000:])
        done.check_returncode()
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def versions(python: str) -> dict[str, str]:
    """Of what the other environment measures with."""
    names = ("torch", "transformers", "optimum-benchmark")
    code = f"import json, importlib.metadata as m; print(json.dumps({{n: m.version(n) for n in {names!r}}}))"
    found: dict[str, str] = json.loads(subprocess.run([python, "-c", code], capture_output=True, check=True).stdout)
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description="Measure an LLM with `measure`, optimum-benchmark and a plain loop.")
    asked.add_argument("--optimum", metavar="PYTHON", help="of an environment that has optimum-benchmark")
    asked.add_argument("--rounds", type=int, default=4)
    asked.add_argument("--one", choices=ORDER, help=argparse.SUPPRESS)
    asked.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = asked.parse_args()
    if args.one:
        import torch

        torch.set_num_threads(THREADS)
        print(json.dumps(TOOLS[args.one](args.folder)))
        return
    pythons = {"ours": sys.executable, "plain": sys.executable}
    peer = None
    if args.optimum:
        pythons |= {"optimum": args.optimum, "plain_there": args.optimum}
        peer = versions(args.optimum)
        if peer["torch"] != metadata.version("torch"):
            sys.exit(f"torch: expected {metadata.version('torch')} in both environments, got {peer['torch']} there")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_llm(folder)
        rounds = in_turns(pythons, folder, args.rounds)
    content = {
        "environment": environment(("torch", "transformers", "numpy")),
        "optimum_environment": peer,
        "llm": LLM,
        "precision": "fp32",
        "threads": THREADS,
        "prompt_tokens": PROMPT_TOKENS,
        "generated_tokens": GENERATED_TOKENS,
        "batch": 1,
        **compared(rounds),
        "rounds": rounds,
    }
    write_result("measuring_peers", content)


def save_llm(folder: Path) -> None:
    """The language model that `measure` runs, with random weights, for the others to load."""
    from planner.vlm.build import build_recipe
    from planner.vlm.recipe import make_recipe

    model = build_recipe(make_recipe(llm=LLM, visual_tokens=1, vision=VISION), {}, dtype="fp32", device="cpu", seed=0)
    model.language_model.save_pretrained(folder)


if __name__ == "__main__":
    main()
