"""Are the odds of a plan true outside the forms of the law? Plans on measured runs of known truths.

Runs of four language models at seven token counts, as the shipped ones, are drawn from ten kinds of truth with noise;
plans of six random budgets and requests are then asked for the pick, its interval and its odds, and compared with the
truth. With BEFORE, a checkout of an earlier version, its plans of the same runs stand beside them.

    python benchmarks/odds.py [--truths 200] [--before CHECKOUT] [--answers FOLDER]

FOLDER keeps what each version plans, truth by truth, so that a run that was stopped goes on where it was; it has to be
emptied of a version that changes.

Constants: noise of a run .0037; budgets log-uniform from .8 to 20 TFLOPs, query of 20, 50 or 200 tokens, answer of 1,
32 or 128; slopes in ln N uniform from .015 to .06, in ln T from .003 to .02; offsets of token counts sd .004, of
language models .01 or .005. Candidates are Qwen1.5 or Qwen2.5, by chance. Families do not differ in the truths, and
plans are made on that assumption (`as_measured`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from environment import environment, say, write_result
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Truth = Callable[[FloatArray, FloatArray, list[str]], FloatArray]

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0), (1, 4, 16, 36, 64, 144, 576)
NOISE, PLANS = 0.0037, 6
REPORTED_SEED = 1
FORMS_BEFORE = ("additive", "log-linear")
"""Kinds of truth that are forms of 0.1.0."""
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0001)


def truths() -> dict[str, Callable[[np.random.Generator], Truth]]:
    """Each kind of truth: given randomness, the error at sizes in billions, tokens and names."""

    def linear(random: np.random.Generator) -> tuple[float, float, float]:
        return float(random.uniform(0.4, 0.55)), float(random.uniform(0.015, 0.06)), float(random.uniform(0.003, 0.02))

    def additive(random: np.random.Generator) -> Truth:
        a, alpha, b, beta, d = (
            random.uniform(*ends) for ends in ((0.1, 0.4), (0.1, 0.6), (0.02, 0.15), (0.1, 0.8), (0.1, 0.4))
        )
        return lambda n, t, names: a * n**-alpha + b * t**-beta + d

    def log_linear(random: np.random.Generator) -> Truth:
        base, in_n, in_t = linear(random)
        return lambda n, t, names: base - in_n * np.log(n) - in_t * np.log(t)

    def log_power(random: np.random.Generator) -> Truth:
        base, in_n, _ = linear(random)
        b, beta = random.uniform(0.04, 0.15), random.uniform(0.3, 1.0)
        return lambda n, t, names: base - in_n * np.log(n) + b * t**-beta

    def saturating(random: np.random.Generator) -> Truth:
        base, in_n, in_t = linear(random)
        most = float(random.choice([36, 64, 100, 144]))
        return lambda n, t, names: base - in_n * np.log(n) - in_t * np.log(np.minimum(t, most))

    def interaction(random: np.random.Generator) -> Truth:
        base, in_n, in_t = linear(random)
        bend = random.uniform(0.1, 0.35) * random.choice([-1, 1])
        return lambda n, t, names: base - in_n * np.log(n) - in_t * (1 + bend * np.log(n / 2)) * np.log(t)

    def log_shifted(random: np.random.Generator) -> Truth:
        base, in_n, _ = linear(random)
        shift, in_t = random.uniform(1, 30), random.uniform(0.008, 0.04)
        return lambda n, t, names: base - in_n * np.log(n) - in_t * np.log(t + shift)

    def offsets(random: np.random.Generator, levels: float, models: float) -> Truth:
        smooth, seed = log_linear(random), int(random.integers(2**32))

        def of(key: str, sd: float) -> float:
            return sd * float(np.random.default_rng([seed, *key.encode()]).standard_normal())

        return lambda n, t, names: (
            smooth(n, t, names)
            + np.array([of(f"{tokens:g}", levels) + of(name, models) for tokens, name in zip(t, names, strict=True)])
        )

    return {
        "additive": additive,
        "log-linear": log_linear,
        "ln N + power of T": log_power,
        "tokens saturate": saturating,
        "N x T interaction": interaction,
        "ln(T + T0)": log_shifted,
        "each token count has its own offset (sd .004)": partial(offsets, levels=0.004, models=0.0),
        "each LLM has its own offset (sd .01)": partial(offsets, levels=0.0, models=0.01),
        "each LLM has its own offset (sd .005)": partial(offsets, levels=0.0, models=0.005),
        "both have offsets (sd .003 and .005)": partial(offsets, levels=0.003, models=0.005),
    }


def measured(
    make: Callable[[np.random.Generator], Truth], random: np.random.Generator
) -> tuple[Truth, tuple[list[str], FloatArray, FloatArray, FloatArray]]:
    """A truth and noisy runs of it: names, sizes in billions, tokens, errors. Drawn again where errors are above 1."""
    n, t = (axis.ravel() for axis in np.meshgrid(SIZES, np.array(TOKENS, float), indexing="ij"))
    names = [f"Qwen1.5-{size:g}B" for size in n]
    while True:
        truth = make(random)
        y = truth(n, t, names) + NOISE * random.standard_normal(len(n))
        if y.min() >= 0 and y.max() <= 1:
            return truth, (names, n, t, y)


def tasks(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Runs of every truth with its plans, as JSON holds them, in the order in which plans are made."""
    for kind, (name, make) in enumerate(truths().items()):
        for place in range(count):
            random = np.random.default_rng([seed, kind, place])
            _, (names, n, t, y) = measured(make, random)
            plans = [
                {
                    "budget": float(np.exp(random.uniform(np.log(0.8e12), np.log(20e12)))),
                    "query_tokens": int(random.choice([20, 50, 200])),
                    "generated_tokens": int(random.choice([1, 32, 128])),
                    "llms": str(random.choice(["qwen1.5", "qwen2.5"])),
                }
                for _ in range(PLANS)
            ]
            runs = {"llm": names, "n": n.tolist(), "t": t.tolist(), "y": y.tolist()}
            yield {"truth": name, "place": place, **runs, "plans": plans}


ANSWERS = """
import inspect, json, sys, warnings
warnings.simplefilter("ignore")
import pandas as pd
import planner
assumed = {"as_measured": "family"} if "as_measured" in inspect.signature(planner.plan).parameters else {}
for line in sys.stdin:
    task = json.loads(line)
    frame = pd.DataFrame({"llm": task["llm"], "llm_params": [1e9 * n for n in task["n"]],
                          "visual_tokens": task["t"], "error": task["y"]})
    law = planner.fit(frame, "additive")
    out = []
    for asked in task["plans"]:
        try:
            plan = planner.plan(law, **asked, **assumed)
        except planner.NothingFitsError:
            out.append(None)
            continue
        table = plan.table if hasattr(plan, "table") else plan.all_candidates
        rows = [i for i in range(len(table)) if table.fits[i]]
        best = plan.best
        out.append({
            "pick": [best.llm.name, best.visual_tokens], "interval": best.interval, "odds": best.probability_best,
            "rival": max([one.probability_best or 0.0 for one in plan.runners_up] or [0.0]),
            "fits": [[llm.name, float(llm.nominal_params), float(table.visual_tokens[i])]
                     for i in rows for llm in [table.llms[int(table.llm_index[i])]]]})
    print(json.dumps(out), flush=True)
"""


def answers(checkout: Path, given: list[dict[str, Any]], kept: Path) -> list[list[dict[str, Any] | None]]:
    """What the version of a checkout plans for each task, in a process of its own.

    Args:
        checkout: whose `planner` plans.
        given: the tasks.
        kept: a file of the answers to the first of them, or none yet; it takes the others, one a line.
    """
    done = kept.read_text(encoding="utf-8").splitlines(keepends=True) if kept.exists() else []
    done = [line for line in done if line.endswith("\n")]
    kept.write_text("".join(done), encoding="utf-8")
    with tempfile.TemporaryDirectory() as empty, kept.open("a", encoding="utf-8") as output:
        subprocess.run(
            [sys.executable, "-P", "-c", ANSWERS],
            input="\n".join(map(json.dumps, given[len(done) :])),
            stdout=output,
            text=True,
            check=True,
            cwd=empty,
            env={**os.environ, "PYTHONPATH": str(checkout)},
        )
    return [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]


def judged(count: int, seed: int, plans: list[list[dict[str, Any] | None]]) -> list[dict[str, Any]]:
    """Each plan against its truth."""
    rows = []
    made = truths()
    for task, answered in zip(tasks(count, seed), plans, strict=True):
        kind = list(made).index(task["truth"])
        truth, _ = measured(made[task["truth"]], np.random.default_rng([seed, kind, task["place"]]))
        for asked, answer in enumerate(answered):
            if answer is None or answer["odds"] is None:
                continue
            names = [name for name, _, _ in answer["fits"]]
            sizes, tokens = (np.array([row[i] for row in answer["fits"]]) for i in (1, 2))
            error = truth(sizes / 1e9, tokens, names)
            own = next(i for i, row in enumerate(answer["fits"]) if [row[0], row[2]] == answer["pick"])
            low, high = answer["interval"]
            rows.append(
                {
                    "truth": task["truth"],
                    "place": task["place"],
                    "plan": asked,
                    "right": bool(error[own] <= error.min() + 1e-9),
                    "covered": bool(low <= error[own] <= high),
                    "regret": float(error[own] - error.min()),
                    "odds": answer["odds"],
                    "out_rated": bool(answer["rival"] > answer["odds"] + 1e-9),
                }
            )
    return rows


def clustered_error(rows: list[dict[str, Any]], values: list[float], mean: float | None = None) -> float:
    """Standard error of the mean of a value of each plan: plans of one truth stand and fall together."""
    mean = float(np.mean(values)) if mean is None else mean
    clusters: dict[tuple[str, int], float] = {}
    for row, value in zip(rows, values, strict=True):
        key = row["truth"], row["place"]
        clusters[key] = clusters.get(key, 0.0) + value - mean
    return float(np.sqrt(np.sum(np.square(list(clusters.values())))) / len(values))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Per truth, per bin of the odds, and in all."""
    by_truth, bins = {}, []
    for name in truths():
        own = [row for row in rows if row["truth"] == name]
        top = [row["right"] for row in own if row["odds"] >= 0.98]
        by_truth[name] = {
            "plans": len(own),
            "pick_truly_best": float(np.mean([row["right"] for row in own])),
            "interval_covers": float(np.mean([row["covered"] for row in own])),
            "standard_error_of_that": clustered_error(own, [float(row["covered"]) for row in own]),
            "mean_regret": float(np.mean([row["regret"] for row in own])),
            "98_or_more_right": f"{sum(top)}/{len(top)}",
        }
    for low, high in pairwise(BINS):
        own = [row for row in rows if low <= row["odds"] < high]
        if own:
            bins.append(
                {
                    "from": low,
                    "plans": len(own),
                    "stated": float(np.mean([row["odds"] for row in own])),
                    "right": float(np.mean([row["right"] for row in own])),
                    "standard_error": clustered_error(own, [row["right"] - row["odds"] for row in own], mean=0.0),
                }
            )
    return {
        "interval_covers": float(np.mean([row["covered"] for row in rows])),
        "out_rated_by_a_printed_rival": sum(row["out_rated"] for row in rows),
        "by_truth": by_truth,
        "bins": bins,
    }


def paired(now: list[dict[str, Any]], before: list[dict[str, Any]]) -> dict[str, Any]:
    """By how much more often the pick is best than before, per truth, with the standard error of the same plans
    (clustered by truth), and the mean regret of truths beyond 0.1.0's forms as a share of that before."""
    pairs = {(row["truth"], row["place"], row["plan"]): row for row in before}
    both = [(row, pairs[key]) for row in now if (key := (row["truth"], row["place"], row["plan"])) in pairs]
    found = {}
    for name in truths():
        clusters: dict[int, list[int]] = {}
        for one, other in both:
            if one["truth"] == name:
                clusters.setdefault(one["place"], []).append(one["right"] - other["right"])
        count = sum(map(len, clusters.values()))
        mean = sum(map(sum, clusters.values())) / count
        sums = np.array([sum(one) - mean * len(one) for one in clusters.values()])
        found[name] = {"pick_more_often_best": mean, "standard_error": float(np.sqrt(np.sum(sums**2)) / count)}
    misfit = [(a["regret"], b["regret"]) for a, b in both if a["truth"] not in FORMS_BEFORE]
    regrets = np.mean(misfit, axis=0)
    return {"by_truth": found, "regret_beyond_forms_of_before": float(regrets[0] / regrets[1])}


def draw(found: dict[str, Any], path: Path) -> None:
    """Stated odds against how often they were right, of each version."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="true odds")
    for name, one in found.items():
        stated, right, error = (
            np.array([row[key] for row in one["bins"]]) for key in ("stated", "right", "standard_error")
        )
        axes.errorbar(stated, right, 2 * error, marker="o", capsize=3, label=name)
    axes.set(
        xlabel="stated probability of being best", ylabel="how often the pick was best", xlim=(0, 1.02), ylim=(0, 1.05)
    )
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truths", type=int, default=200, help="of each kind")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier version")
    parser.add_argument("--seed", type=int, default=REPORTED_SEED, help="another one has results of its own")
    parser.add_argument("--answers", type=Path, help="a folder that keeps them; none are kept without")
    asked = parser.parse_args()
    versions = {"now": Path(__file__).resolve().parents[1]} | ({"before": asked.before} if asked.before else {})
    given = list(tasks(asked.truths, asked.seed))
    found: dict[str, Any] = {}
    rows = {}
    for name, checkout in versions.items():
        with tempfile.TemporaryDirectory() as passing:
            folder = asked.answers or Path(passing)
            folder.mkdir(exist_ok=True)
            rows[name] = judged(asked.truths, asked.seed, answers(checkout, given, folder / f"{name}.jsonl"))
        found[name] = summary(rows[name])
        for truth, one in found[name]["by_truth"].items():
            say(f"{name}, {truth}: " + ", ".join(f"{key} {value}" for key, value in one.items()))
        for one in found[name]["bins"]:
            say(f"{name}, odds: " + ", ".join(f"{key} {value:.3g}" for key, value in one.items()))
    compared = {"paired": paired(rows["now"], rows["before"])} if "before" in rows else {}
    say(str(compared))
    reported = asked.seed == REPORTED_SEED
    if reported:
        draw(dict(reversed(found.items())), Path(__file__).resolve().parents[1] / "docs" / "pictures" / "odds.png")
    write_result(
        "odds" if reported else f"odds_seed_{asked.seed}",
        {
            "environment": environment(("numpy", "scipy")),
            "seed": asked.seed,
            "truths": asked.truths,
            "plans_a_truth": PLANS,
            "noise": NOISE,
            **found,
            **compared,
        },
    )


if __name__ == "__main__":
    main()
