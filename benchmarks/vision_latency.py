"""Vision towers and experts: our seconds over measured kernels', and FastVLM's published times to the first token.

    python -m venv /path/to/other && /path/to/other/bin/pip install aiconfigurator-core==0.12.0
    python benchmarks/vision_latency.py --kernels /path/to/other/bin/python

Three comparisons, each as a ratio of our seconds to the others', published as they come out; nothing is fitted here.

1. Towers of Qwen3-VL and Gemma 4: every product and attention of our walk against the kernel of its shape (GEMM and
   encoder attention of vLLM in bf16), one by one and summed over the tower; element-wise kernels, which are formulas
   on both sides, are left out. Of Qwen3-VL, which aiconfigurator models itself, also all of our encoder, connectors
   and element-wise kernels included, against all of its own list.
2. The routed experts of one layer, for 1 to 16384 tokens, against its kernels of a mixture: two products, the sort of
   tokens by expert, the activation and the weighted sum, without the router. With balanced routing (every expert gets
   as many tokens, so few tokens meet more experts than by chance) and with a power law of 1.2.
3. FastVLM (arXiv 2412.13303v2, Table 6): time to the first token on an Apple M1 Max, with the default efficiencies of
   devices that nobody calibrated; see `published_ttft.py`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from environment import environment, say, write_result
from published_ttft import judge_published
from ratios import ms, seconds_of, summary, three_digits, us

from planner.costs.silicon import SYSTEMS
from planner.hardware import find_hardware
from planner.parts.encoders import Encoder
from planner.parts.images import Seen
from planner.parts.llms.experts import Experts
from planner.parts.released import find_checkpoint
from planner.parts.walk import Attention, Elementwise, Kernel, Matmul, Pass, Walk

BACKEND = "vllm"
CARDS = ("h100-sxm", "h200", "b200", "l40s")
TOWERS = {
    # model: heads of its tower
    "Qwen/Qwen3-VL-2B-Instruct": 16,
    "Qwen/Qwen3-VL-8B-Instruct": 16,
    "google/gemma-4-E4B-it": 12,
    "google/gemma-4-31B-it": 16,
}
SIZES = ((448, 448), (1024, 768), (1920, 1080), (2048, 2048))
BATCHES = (1, 8)
EXPERTS = {
    # model: width of the LLM, width of an expert, experts for a token, experts
    "Qwen/Qwen3-VL-30B-A3B-Instruct": (2048, 768, 8, 128),
    "Qwen/Qwen3-VL-235B-A22B-Instruct": (4096, 1536, 8, 128),
    "Qwen/Qwen3.5-35B-A3B": (2048, 512, 8, 256),
    "google/gemma-4-26B-A4B-it": (2816, 704, 8, 128),
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": (5120, 8192, 1, 16),
}
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
ROUTINGS = ("balanced", "power_law_1.2")


class Asked:
    """Kernels to be looked up, and where their seconds go."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._kernels: dict[str, list[dict[str, Any]]] = {}
        self._found: dict[tuple[str, str], float | None] = {}

    def add(self, system: str, kernel: dict[str, Any]) -> None:
        self._kernels.setdefault(system, []).append(kernel)

    def ask(self) -> None:
        """One run of the other environment for all of them."""
        script = Path(__file__).with_name("vision_kernels.py")
        given = json.dumps({"backend": BACKEND, "kernels": self._kernels})
        done = subprocess.run([self._python, script], input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{self._python} {script.name} failed:\n{done.stderr}")
        for line in sorted(set(done.stderr.splitlines())):
            say(line)
        for system, values in json.loads(done.stdout).items():
            for kernel, value in zip(self._kernels[system], values, strict=True):
                self._found[system, json.dumps(kernel)] = value

    def seconds(self, system: str, kernel: dict[str, Any]) -> float | None:
        return self._found[system, json.dumps(kernel)]


# ---- towers --------------------------------------------------------------------------------------------------------


def measured_kernels(walk: Walk, heads: int, seen: Seen, images: int) -> list[tuple[Kernel, float, dict[str, Any]]]:
    """Products and attentions of a tower, how often each runs, and what to ask for it."""
    (view,) = seen.views
    found: list[tuple[Kernel, float, dict[str, Any]]] = []
    for kernel in walk:
        if isinstance(kernel, Matmul):
            shape = {"kind": "gemm", "rows": int(kernel.rows), "k": int(kernel.k), "n": int(kernel.n)}
            found.append((kernel, float(kernel.times), shape))
        elif isinstance(kernel, Attention):
            tokens = view.rows * view.columns + seen.class_tokens
            shape = {"kind": "attention", "sequences": images * view.count, "tokens": tokens, "heads": heads}
            found.append((kernel, float(kernel.times), shape | {"head_size": int(kernel.width) // heads}))
    return found


def tower_cases() -> Iterable[tuple[str, int, Encoder, Seen, tuple[int, int], int]]:
    for model, heads in TOWERS.items():
        checkpoint = find_checkpoint(model)
        for size in SIZES:
            for images in BATCHES:
                yield model, heads, checkpoint.encoder, checkpoint.rule.see(*size), size, images


def whole_encoder(model: str, seen: Seen, images: int) -> dict[str, Any] | None:
    """What to ask for the package's own list; None where it has none."""
    if not model.startswith("Qwen/"):
        return None
    (view,) = seen.views
    shape = {"kind": "encoder", "model": model, "images": images}
    return shape | {"patches": view.rows * view.columns, "tokens": seen.visual_tokens}


def ask_towers(asked: Asked) -> None:
    for card in CARDS:
        system = SYSTEMS[card].name
        for model, heads, encoder, seen, _, images in tower_cases():
            for _, _, shape in measured_kernels(encoder.tower_walk(seen, images), heads, seen, images):
                asked.add(system, shape)
            whole = whole_encoder(model, seen, images)
            if whole is not None:
                asked.add(system, whole)


def judge_towers(asked: Asked) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    singles: dict[str, list[float]] = {"gemm": [], "attention": []}
    for name in CARDS:
        card, system = find_hardware(name), SYSTEMS[name].name
        for model, heads, encoder, seen, size, images in tower_cases():
            ours = theirs = 0.0
            complete = True
            for kernel, times, shape in measured_kernels(encoder.tower_walk(seen, images), heads, seen, images):
                measured = asked.seconds(system, shape)
                predicted = seconds_of([kernel], card)
                if measured is None:
                    complete = False
                    continue
                singles[shape["kind"]].append(predicted / (times * measured))
                ours, theirs = ours + predicted, theirs + times * measured
            whole = whole_encoder(model, seen, images)
            known = None if whole is None else asked.seconds(system, whole)
            row = {
                "card": name,
                "model": model,
                "image": f"{size[0]}x{size[1]}",
                "images": images,
                "patches": seen.patches,
                "predicted_ms": ms(ours) if complete else None,
                "measured_ms": ms(theirs) if complete else None,
                "ratio": three_digits(ours / theirs) if complete else None,
            }
            if known is not None:
                walks = [*encoder.tower_walk(seen, images), *encoder.connector_walk(seen, images)]
                row["whole_encoder_ratio"] = three_digits(seconds_of(walks, card) / known)
            rows.append(row)
    by = {
        f"{card}, {model}": summary(
            row["ratio"] for row in rows if (row["card"], row["model"]) == (card, model) and row["ratio"]
        )
        for card in CARDS
        for model in TOWERS
    }
    return {
        "towers": summary(row["ratio"] for row in rows if row["ratio"]),
        "whole_encoders": summary(row["whole_encoder_ratio"] for row in rows if "whole_encoder_ratio" in row),
        "products": summary(singles["gemm"]),
        "attentions": summary(singles["attention"]),
        "by_card_and_model": by,
        "shapes": rows,
    }


# ---- experts -------------------------------------------------------------------------------------------------------


def expert_shape(sizes: tuple[int, int, int, int], tokens: int, routing: str) -> dict[str, Any]:
    hidden, width, per_token, experts = sizes
    shape = {"kind": "experts", "tokens": tokens, "hidden_size": hidden, "width": width}
    return shape | {"per_token": per_token, "experts": experts, "routing": routing}


def ask_experts(asked: Asked) -> None:
    for card in CARDS:
        for sizes in EXPERTS.values():
            for tokens in TOKENS:
                for routing in ROUTINGS:
                    asked.add(SYSTEMS[card].name, expert_shape(sizes, tokens, routing))


def routed(sizes: tuple[int, int, int, int], tokens: int) -> list[Kernel]:
    """What the routed experts run, without the router's product and choice."""
    hidden, width, per_token, experts = sizes
    block = Experts(hidden_size=hidden, width=width, experts=experts, per_token=per_token)
    products = [kernel for kernel in block.walk(Pass(1, tokens), 1) if isinstance(kernel, Matmul) and kernel.groups]
    moved = block.moved_values() - 2 * experts  # the router's
    return [*products, Elementwise(tokens, moved, launches=block.extra_launches)]


def judge_experts(asked: Asked) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for name in CARDS:
        card, system = find_hardware(name), SYSTEMS[name].name
        for model, sizes in EXPERTS.items():
            for tokens in TOKENS:
                predicted = seconds_of(routed(sizes, tokens), card)
                row: dict[str, Any] = {"card": name, "model": model, "tokens": tokens, "predicted_us": us(predicted)}
                for routing in ROUTINGS:
                    measured = asked.seconds(system, expert_shape(sizes, tokens, routing))
                    if measured is not None:
                        row[routing] = {"measured_us": us(measured), "ratio": three_digits(predicted / measured)}
                rows.append(row)
    return {
        **{
            routing: {
                "all": summary(row[routing]["ratio"] for row in rows if routing in row),
                **{
                    f"{tokens} tokens": summary(
                        row[routing]["ratio"] for row in rows if routing in row and row["tokens"] == tokens
                    )
                    for tokens in TOKENS
                },
                **{
                    card: summary(row[routing]["ratio"] for row in rows if routing in row and row["card"] == card)
                    for card in CARDS
                },
            }
            for routing in ROUTINGS
        },
        "shapes": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", required=True, help="a Python with aiconfigurator-core==0.12.0")
    asked = Asked(parser.parse_args().kernels)
    ask_towers(asked)
    ask_experts(asked)
    asked.ask()
    found: Mapping[str, Any] = {
        "about": "our seconds / the others' seconds: above 1 we are slower",
        "command": "python benchmarks/vision_latency.py --kernels OTHER/bin/python",
        "kernels": f"aiconfigurator-core 0.12.0, {BACKEND}, bf16",
        "environment": environment(("numpy",)),
        "towers": judge_towers(asked),
        "experts": judge_experts(asked),
        "fastvlm_on_m1_max": judge_published(),
    }
    write_result("vision_latency", dict(found))


if __name__ == "__main__":
    main()
