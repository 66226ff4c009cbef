"""The list of commands whose numbers are recorded: fits, intervals, costs, plans, optima, next runs. Deterministic."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
TABLES = "tests/golden/tables"
PUBLISHED = "fitted_laws/runs"

LEVELS_N = (0.5, 1.8, 4.0, 7.0)
LEVELS_T = (1, 4, 16, 36, 64, 144, 576)
NOT_ONE_LAW = ("groups.csv", "requests.csv")
FORMS = ("additive", "multiplicative", "log-linear")


def write_tables(folder: Path) -> None:
    """Made-up runs: each form as the truth with little and much noise, weighted, few levels, an outlier, two groups."""
    rng = np.random.default_rng(20261130)
    n, t = (grid.ravel() for grid in np.meshgrid(LEVELS_N, LEVELS_T, indexing="ij"))
    truths = {
        "additive": 0.3 * n**-0.25 + 0.2 * t**-0.4 + 0.12,
        "multiplicative": 0.5 * n**-0.1 * t**-0.03 + 0.05,
        "loglinear": 0.58 - 0.04 * np.log(n) - 0.009 * np.log(t),
        "steep": 0.4 * n**-0.9 + 0.3 * t**-1.1 + 0.2,
        "ocr": 0.1 * n**-0.05 + 0.8 * t**-0.25 + 0.02,
    }
    for name, y in truths.items():
        for label, sd in (("exact", 0.0), ("quiet", 0.002), ("noisy", 0.012)):
            _write(folder / f"{name}_{label}.csv", n, t, y + sd * rng.standard_normal(len(y)))
    y = truths["additive"] + 0.004 * rng.standard_normal(len(n))
    _write(folder / "weighted.csv", n, t, y, error_se=0.001 + 0.006 * rng.random(len(n)))
    _write(folder / "samples.csv", n, t, y, samples=rng.integers(200, 5000, len(n)))
    outlier = y.copy()
    outlier[9] += 0.08
    _write(folder / "outlier.csv", n, t, outlier)
    few = (n != 1.8) & np.isin(t, (1, 16, 144))
    _write(folder / "few.csv", n[few], t[few], y[few])


def write_groups(folder: Path) -> None:
    """Made-up runs of three compressors on two families, a size of which was measured twice; and a log of requests."""
    rng = np.random.default_rng(20261201)
    sizes = {"Qwen1.5-0.5B": 0.5, "Qwen1.5-4B": 4.0, "Qwen2.5-3B": 3.0, "Qwen2.5-14B": 14.0}
    gains = {"quecc": (0.25, 0.5), "tokenpacker": (0.2, 0.4), "average-pool": (0.3, 0.3)}
    lines = ["llm,llm_params,visual_tokens,error,compressor,task,samples,seed"]
    for llm, size in sizes.items():
        for compressor, (gain, slope) in gains.items():
            for tokens in (1, 9, 36, 144):
                for task, floor in (("qa", 0.15), ("reading", 0.22)):
                    error = 0.3 * size**-0.2 + gain * tokens**-slope + floor + 0.003 * rng.standard_normal()
                    samples = rng.integers(300, 4000)
                    lines.append(f"{llm},{size:g}B,{tokens},{float(error)!r},{compressor},{task},{samples},0")
    (folder / "groups.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [f"{q},{g},{c},{i}" for q, g, c, i in rng.integers((5, 1, 0, 1), (400, 300, 900, 4), (60, 4)).tolist()]
    text = "\n".join(("query_tokens,generated_tokens,cached_tokens,images", *rows)) + "\n"
    (folder / "requests.csv").write_text(text, encoding="utf-8")


def _write(path: Path, n: np.ndarray, t: np.ndarray, y: np.ndarray, **more: np.ndarray) -> None:
    head = ",".join(("llm", "llm_params", "visual_tokens", "error", *more))
    rows = [
        ",".join(
            (f"toy-{size:g}B", f"{size:g}B", f"{tokens:g}", repr(float(error)), *(f"{c[i]:.6g}" for c in more.values()))
        )
        for i, (size, tokens, error) in enumerate(zip(n, t, y, strict=True))
    ]
    path.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")


def commands() -> list[tuple[str, ...]]:
    """Arguments of every recorded command; all print JSON."""
    found = [*_fits(), *_laws(), *_costs(), *_plans(), *_joint_fits(), *_from_files()]
    return [(*one, "--json") for one in dict.fromkeys(found)]


def _fits() -> list[tuple[str, ...]]:
    tables = [
        f"{TABLES}/{path.name}" for path in sorted((HERE / "tables").glob("*.csv")) if path.name not in NOT_ONE_LAW
    ]
    tables += [f"{PUBLISHED}/qwen1.5_tokenpacker_{name}.csv" for name in ("reasoning", "ocr")]
    found: list[tuple[str, ...]] = []
    for table in tables:
        for form in FORMS:
            found.append(("fit", table, "--form", form, "--intervals"))
        found.append(("fit", table, "--loss", "huber"))
        found.append(("compare", table))
        found.append(("fit", table, "--form", "multiplicative", "--tie", "alpha=2*beta"))
    for table in tables[::3]:
        found.append(("fit", table, "--fix", "alpha=0.077", "--fix", "beta=0.015"))
        found.append(("fit", table, "--form", "log-linear", "--fix", "c2=0.01"))
        found.append(("fit", table, "--weights", "equal", "--form", "multiplicative", "--loss", "huber"))
        found.append(("holdout", table))
    joint = f"{PUBLISHED}/vicuna7b_compressors_table1.csv"
    found.append(("fit", joint, "--by", "compressor", "--shared", "beta"))  # one size: refused
    return found


def _laws() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for law in ("reasoning", "ocr", "quecc", "tokenpacker"):
        for form in FORMS:
            found.append(("show", law, "--form", form))
            for budget in ("0.1TFLOPs", "1TFLOPs", "12TFLOPs"):
                for query, answer in ((50, 0), (200, 32)):
                    request = ("--query-tokens", str(query), "--generated-tokens", str(answer))
                    found.append(("optimum", "--law", law, "--form", form, "--budget", budget, *request))
    for law, budget in (("reasoning", "4TFLOPs"), ("reasoning", "1TFLOPs"), ("ocr", "8TFLOPs")):
        for extra in ((), ("--per-cost",), ("--criterion", "d-optimal"), ("--together", "3"), ("--form", "log-linear")):
            request = ("--budget", budget, "--query-tokens", "50", "--generated-tokens", "32")
            found.append(("next-run", law, *request, *extra))
    return found


LLMS = (
    "Qwen1.5-0.5B", "Qwen1.5-7B", "Qwen1.5-32B", "Qwen2.5-0.5B", "Qwen2.5-7B", "Qwen2.5-72B", "Qwen3-0.6B", "Qwen3-8B",
    "Qwen3-32B", "Llama-3.2-1B", "Llama-3.1-70B", "SmolLM2-135M", "SmolLM2-1.7B", "Vicuna-13B-v1.5", "Phi-2",
    "Phi-3.5-mini", "Phi-4",
)  # fmt: skip
TOWERS = {
    "CLIP-ViT-L/14-336": (0, 1, 4, 16, 36, 144, 576),
    "SigLIP-so400m/14-384": (1, 9, 81, 729),
    "CLIP-ViT-B/16-224": (1, 4, 49, 196),
}
CARDS = {"h100-sxm": "bf16 fp8 int4", "a100-80gb": "bf16 int8 fp32", "l40s": "bf16 fp8", "t4": "fp16 int8"}


def _costs() -> list[tuple[str, ...]]:
    pick = random.Random(1)
    found: list[tuple[str, ...]] = []
    for i in range(210):
        llm, tower = LLMS[i % len(LLMS)], pick.choice(list(TOWERS))
        compressor = pick.choice(("quecc", "quecc", "tokenpacker", "average-pool", "none"))
        tokens = max(TOWERS[tower]) if compressor == "none" else pick.choice(TOWERS[tower])
        one = ["cost", llm, "--visual-tokens", str(tokens), "--vision", tower, "--compressor", compressor]
        one += ["--query-tokens", str(pick.choice((0, 1, 50, 500)))]
        one += ["--generated-tokens", str(pick.choice((0, 1, 32, 300)))]
        one += ["--prompt-order", pick.choice(("image-first", "image-first", "text-first"))]
        one += ["--convention", pick.choice(("full", "full", "torch", "paper"))]
        for option, values in (
            ("--cached-tokens", (0, 0, 1000)),
            ("--system-tokens", (0, 0, 35)),
            ("--images", (1, 1, 3)),
            ("--batch", (1, 1, 8, 64)),
        ):
            one += [option, str(pick.choice(values))]
        if i % 4:
            card = pick.choice(list(CARDS))
            one += ["--hardware", card, "--precision", pick.choice(CARDS[card].split())]
            one += ["--tensor-parallel", str(pick.choice((1, 1, 2) if card != "t4" else (1,)))]
            one += ["--kv-precision", "fp8"] if i % 7 == 0 and card == "h100-sxm" else []
        found.append(tuple(one))
        if i % 10 == 0:
            tokens = 64 if tower.startswith("CLIP-ViT-L") else 1
            one = ["convention", llm, "--visual-tokens", str(tokens), "--vision", tower, "--query-tokens", "50"]
            found.append((*one, "--printed", "1.3TFLOPs"))
    return found


def _plans() -> list[tuple[str, ...]]:
    pick = random.Random(2)
    found: list[tuple[str, ...]] = []
    for i in range(180):
        one = ["plan", "--query-tokens", str(pick.choice((1, 50, 200, 800)))]
        one += ["--generated-tokens", str(pick.choice((1, 32, 256)))]
        timed = i % 3 != 0
        if not timed:
            one += ["--budget", pick.choice(("0.6TFLOPs", "1TFLOPs", "2TFLOPs", "5TFLOPs", "20TFLOPs", "0.1GFLOPs"))]
            one += ["--convention", pick.choice(("full", "full", "torch", "paper"))]
        else:
            card = pick.choice(("h100-sxm", "a100-80gb", "l40s", "l4"))
            one += ["--hardware", card]
            limits = {
                "--ttft": ("20ms", "60ms", "200ms"),
                "--tpot": ("8ms", "25ms"),
                "--latency": ("0.5s", "3s"),
                "--memory": ("12GiB", "40GiB"),
                "--energy": ("30", "400"),
                "--requests-per-second": ("4", "30"),
                "--budget": ("3TFLOPs", "15TFLOPs"),
            }
            for option in pick.sample(sorted(limits), pick.choice((1, 2, 2, 3))):
                one += [option, pick.choice(limits[option])]
            if i % 5 == 0:
                one += ["--price", "60", "--price-per-hour", "2.5"]
            if i % 4 == 0:
                one += ["--batch", "1,4,16"]
            if i % 8 == 0:
                one += ["--precision", "bf16,fp8" if card != "a100-80gb" else "bf16,int8"]
            if i % 8 == 1:
                one += ["--tensor-parallel", "1,2", "--gpus", "4"]
        law = pick.choice(("reasoning", "reasoning", "ocr", "quecc", "mix"))
        one += ["--mix", "reasoning=0.7,ocr=0.3"] if law == "mix" else ["--law", law]
        if law in ("reasoning", "ocr"):
            one += ["--form", pick.choice((*FORMS, "additive", "auto"))]
        one += ["--llms", pick.choice(("qwen1.5", "qwen2.5", "qwen3", "all", "SmolLM2-360M,Qwen2.5-3B,Llama-3.1-8B"))]
        if i % 6 == 0:
            one += ["--compressor", "quecc,tokenpacker,average-pool,none"]
        if i % 9 == 0:
            one += ["--prompt-order", "image-first,text-first"]
        if i % 11 == 0:
            one += ["--vision", "SigLIP-so400m/14-384"]
        elif i % 7 == 0:
            one += ["--visual-tokens", "1,4,16,36"]
        if i % 10 == 0:
            one += ["--cached-tokens", "600", "--images", "2"]
        found.append(tuple(one))
    return found


def _joint_fits() -> list[tuple[str, ...]]:
    table = f"{TABLES}/groups.csv"
    found: list[tuple[str, ...]] = []
    for form, sharings in (
        ("additive", ("", "A,alpha", "alpha,beta", "A,alpha,D", "beta")),
        ("multiplicative", ("", "alpha", "alpha,beta", "D")),
        ("log-linear", ("", "c1", "c1,c2", "c0")),
    ):
        for by, task in (("compressor", "qa"), ("compressor", "reading"), ("family", "qa"), ("task", "")):
            for shared in sharings:
                one = ("fit", table, "--form", form, "--by", by, *(("--shared", shared) if shared else ()))
                found.append((*one, "--task", task) if task else (*one, "--compressor", "quecc"))
    for form in FORMS:
        selected = ("fit", table, "--form", form, "--task", "qa", "--compressor", "tokenpacker")
        found += [(*selected, "--weights", weights, "--intervals") for weights in ("auto", "equal", "samples")]
    one = ("fit", table, "--by", "compressor", "--task", "qa", "--shared", "A,alpha,D", "--intervals")
    found += [one, *((*one, "--group", group) for group in ("quecc", "tokenpacker"))]
    return found


LAW_FILES = ("law.json", "law-constrained.json", "law-joint.json", "law-average.json", "law-mix.json")


def _from_files() -> list[tuple[str, ...]]:
    """Laws from files that version 0.1.0 wrote, a law for each compressor, and requests from a file."""
    found: list[tuple[str, ...]] = []
    request = ("--query-tokens", "60", "--generated-tokens", "40")
    for file in LAW_FILES:
        law = f"tests/files_0_1/{file}"
        found.append(("show", law, "--intervals"))
        found += [("optimum", "--law", law, "--budget", budget, *request) for budget in ("0.5TFLOPs", "5TFLOPs")]
        for budget, llms in (("1TFLOPs", "qwen1.5"), ("4TFLOPs", "qwen2.5"), ("10TFLOPs", "all")):
            found.append(("plan", "--law", law, "--budget", budget, "--llms", llms, *request))
        found.append(("next-run", law, "--budget", "4TFLOPs", *request))
    requests = ("--workload", f"{TABLES}/requests.csv")
    laws = ("--law", "quecc=quecc,tokenpacker=tokenpacker", "--compressor", "quecc,tokenpacker")
    cards = (
        ("--hardware", "h100-sxm", "--ttft", "120ms", "--kv-precision", "fp8", "--precision", "bf16,fp8,int4"),
        ("--hardware", "l4", "--latency", "4s", "--memory", "20GiB", "--batch", "1,8"),
        ("--hardware", "t4", "--tpot", "60ms"),
        ("--hardware", "a100-80gb", "--requests-per-second", "10", "--gpus", "4", "--tensor-parallel", "1,2,4"),
        ("--hardware", "l40s", "--price", "90", "--price-per-hour", "1.8", "--energy", "500"),
        ("--budget", "6TFLOPs"),
    )
    for card in cards:
        found.append(("plan", *card, *requests))
        found.append(("plan", *card, *request, *laws, "--llms", "qwen1.5"))
        found.append(("plan", *card, *request, "--llms", "qwen2.5", "--images", "2", "--system-tokens", "35"))
    return found
