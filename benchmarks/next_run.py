"""Plan, measure, plan again: how fast does the regret of the pick fall, by what chooses the next run?

    python benchmarks/next_run.py                  40 paths of each scenario, the better part of an hour on two cores
    python benchmarks/next_run.py --paths 8        fewer
    python benchmarks/next_run.py --plot           only draw docs/pictures/next_run.png from the recorded results

A path starts from nine noisy runs. In each step a law is fitted, a policy chooses a cell out of 35 (0.5B to 14B, 1 to
576 tokens), the error measured there is drawn from the truth, the law is fitted again and picks the candidate with the
least predicted error. Regret: the true error of that pick less the least true error of all candidates. Policies:
"regret" and "d-optimal" of `planner.laws.design.next_runs`, and "random", any cell with equal chance. Cells may be
measured again.

Truths: the three forms as fitted to the published reasoning and OCR runs, and planted laws: their exponents times
2^U(-1, 1), the terms unchanged at the centre of the published runs. Noise: Gaussian, of the size that the form leaves
in the published runs. Fitted: "auto", the average of all forms, as plans do where no form is named, and the true form
alone.
Candidates: all language models of the catalogue with QueCC, text-first, that fit a budget. Two settings:

    contested   the first runs are the cheapest: 0.5B, 1B, 1.8B with 1, 4, 16 tokens. The budget is one of the ten, of
                40 from 0.7 to 60 TFLOPs, at which in truth the third best undominated candidate is nearest to the best
    clear-cut   the first runs are 0.5B, 1.8B, 4B with 1, 16, 144 tokens; the budgets are those of `tied_set.py`. The
                catalogue is coarse: at most budgets nearly any law picks the right candidate, and little can be gained

Paired: on one path all policies have the same truth, the same first runs, and the same noise at the first, second, ...
run of a cell. The mean over scenarios gives each the same weight.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from environment import RESULTS, environment, say, write_result
from numpy.typing import NDArray
from tied_set import BUDGETS_FLOPS, candidates

import planner
from planner.laws.averaging import fit_average
from planner.laws.combined import AUTO, Law
from planner.laws.design import next_runs
from planner.laws.fitted import FittedLaw
from planner.runs import Runs

FloatArray = NDArray[np.float64]

PATHS, STEPS, WORKERS = 40, 10, 2
POLICIES = ("regret", "d-optimal", "random")
TRUTHS = ("reasoning", "ocr", "planted")
FORMS = ("additive", "multiplicative", "log-linear")
RIVALS = ("d-optimal", "random")
CELLS = tuple(product((0.5e9, 1.8e9, 4e9, 7e9, 14e9), (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)))
FINE_BUDGETS_FLOPS = np.geomspace(0.7e12, 60e12, 40)
CONTESTED_COUNT = 10  # of these budgets
SHARES = (0.5, 0.25)
"""Of the regret at the start: how many runs until the mean is no larger?"""
PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "next_run.png"


@dataclass(frozen=True)
class Setting:
    """What a path starts from and what it picks from."""

    name: str
    start: tuple[tuple[float, float], ...]
    """Cells of the first runs."""
    contested: bool
    """Whether only budgets are taken at which candidates come near each other."""


SETTINGS = (
    Setting("contested", tuple(product((0.5e9, 1e9, 1.8e9), (1.0, 4.0, 16.0))), True),
    Setting("clear-cut", tuple(product((0.5e9, 1.8e9, 4e9), (1.0, 16.0, 144.0))), False),
)


@dataclass(frozen=True)
class Scenario:
    """What the truth is and which form is fitted."""

    truth: str
    """"reasoning", "ocr", or "planted" around either of them."""
    form: str
    fitted: str

    @property
    def name(self) -> str:
        return f"{self.truth} {self.form}, fitted {self.fitted}"


SCENARIOS = tuple(Scenario(truth, form, fitted) for truth in TRUTHS for form in FORMS for fitted in (AUTO, form))


def draw_truth(scenario: Scenario, path: int, random: np.random.Generator) -> tuple[FittedLaw, float]:
    """The true law of a path, and the standard deviation of a run's noise."""
    task = scenario.truth if scenario.truth != "planted" else ("reasoning", "ocr")[path % 2]
    law = planner.load_law(task, scenario.form)
    assert isinstance(law, FittedLaw)
    assert law.data is not None
    assert law.rss is not None
    noise_sd = float(np.sqrt(law.rss / (law.n_runs - len(law.params))))
    if scenario.truth != "planted":
        return law, noise_sd
    p, n, t = dict(law.params), np.log(law.data.n).mean(), np.log(law.data.t).mean()
    if scenario.form == "log-linear":
        for name, centre in (("c1", n), ("c2", t)):
            more = p[name] * (2 ** random.uniform(-1, 1) - 1)
            p[name], p["c0"] = p[name] + more, p["c0"] + more * centre
    else:
        shared = scenario.form == "multiplicative"
        for name, of, centre in (("alpha", "A", n), ("beta", "A" if shared else "B", t)):
            more = p[name] * (2 ** random.uniform(-1, 1) - 1)
            p[name], p[of] = p[name] + more, p[of] * np.exp(more * centre)
    return FittedLaw.given(scenario.form, p), noise_sd


def follow(task: tuple[int, int, int]) -> FloatArray:
    """One path under every policy: regrets at the start and after each run, shape (policies, steps + 1)."""
    setting, scenario, path = SETTINGS[task[0]], SCENARIOS[task[1]], task[2]
    random = np.random.default_rng(task)
    truth, noise_sd = draw_truth(scenario, path, random)
    sizes, tokens, flops = _all_candidates()
    budgets = contested_budgets(truth) if setting.contested else np.array(BUDGETS_FLOPS)
    fits = flops <= random.choice(budgets)
    choice = (sizes[fits], tokens[fits])
    true_errors = np.asarray(truth.predict(*choice))
    first = noise_sd * random.standard_normal(len(setting.start))
    noise = noise_sd * random.standard_normal((len(CELLS), STEPS))  # by cell and visit
    at_random = random.integers(len(CELLS), size=STEPS)
    regrets = np.zeros((len(POLICIES), STEPS + 1))
    for i, policy in enumerate(POLICIES):
        points, shifts = list(setting.start), list(first)
        visits = np.zeros(len(CELLS), int)
        for step in range(STEPS + 1):
            law = _fitted(points, np.array(shifts), truth, scenario.fitted)
            pick = int(np.argmin(law.predict(*choice)))
            regrets[i, step] = true_errors[pick] - true_errors.min()
            if step < STEPS:
                cell = int(at_random[step]) if policy == "random" else _next_cell(law, choice, policy)
                points.append(CELLS[cell])
                shifts.append(noise[cell, visits[cell]])
                visits[cell] += 1
    return regrets


def _fitted(points: list[tuple[float, float]], shifts: FloatArray, truth: FittedLaw, form: str) -> Law:
    n, t = np.array(points).T
    errors = np.asarray(truth.predict(n, t)) + shifts
    runs = Runs(llm=tuple(f"{size:g}" for size in n), llm_params=n, visual_tokens=t, error=errors)
    return fit_average(runs) if form == AUTO else planner.fit(runs, form)


def _next_cell(law: Law, choice: tuple[FloatArray, FloatArray], criterion: str) -> int:
    best = next_runs(law, choice, tuple(np.array(CELLS).T), criterion=criterion, forms="own").runs[0]
    return CELLS.index((best.llm_params, best.visual_tokens))


def contested_budgets(truth: FittedLaw) -> FloatArray:
    """Budgets at which the third best undominated candidate comes nearest to the best."""
    gaps = [
        float(np.sort(truth.predict(n, t))[2] - np.min(truth.predict(n, t))) if len(n) > 2 else np.inf
        for n, t in _undominated()
    ]
    chosen: FloatArray = FINE_BUDGETS_FLOPS[np.argsort(gaps)[:CONTESTED_COUNT]]
    return chosen


@cache
def _undominated() -> tuple[tuple[FloatArray, FloatArray], ...]:
    """By budget: sizes and tokens of the candidates that no other exceeds in one without losing in the other."""
    sizes, tokens, flops = _all_candidates()
    found = []
    for budget in FINE_BUDGETS_FLOPS:
        pairs = np.unique(np.column_stack([sizes, tokens])[flops <= budget], axis=0)
        beaten = [bool(((pairs >= pair).all(axis=1) & (pairs > pair).any(axis=1)).any()) for pair in pairs]
        kept = pairs[~np.array(beaten)]
        found.append((kept[:, 0], kept[:, 1]))
    return tuple(found)


@cache
def _all_candidates() -> tuple[FloatArray, FloatArray, FloatArray]:
    return candidates()


def summary(regrets: list[FloatArray]) -> dict[str, Any]:
    """Means and standard errors over paths (paths, policies, steps + 1), scenarios of equal weight."""
    mean, error = _mean_and_error(regrets)
    facts: dict[str, Any] = {"regret": {}, "others_less_ours": {}, "runs_until": {}}
    for i, policy in enumerate(POLICIES):
        facts["regret"][policy] = {"mean": _short(mean[i]), "se": _short(error[i])}
        facts["runs_until"][policy] = {
            f"{share:g} of the start": next((k for k, r in enumerate(mean[i]) if r <= share * mean[i][0]), None)
            for share in SHARES
        }
    for rival in RIVALS:
        gaps = [path[:, [POLICIES.index(rival)]] - path[:, [0]] for path in regrets]
        gap, gap_error = _mean_and_error(gaps)
        over_runs, over_runs_error = _mean_and_error([path[:, :, 1:].mean(axis=2, keepdims=True) for path in gaps])
        facts["others_less_ours"][rival] = {
            "mean": _short(gap[0]),
            "se": _short(gap_error[0]),
            "mean_over_runs": _short(over_runs.ravel())[0],
            "mean_over_runs_se": _short(over_runs_error.ravel())[0],
        }
    return facts


def _mean_and_error(groups: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Of the mean of group means; the groups are the scenarios, drawn independently."""
    variances = [group.var(axis=0, ddof=1) / len(group) for group in groups]
    return np.mean([g.mean(axis=0) for g in groups], axis=0), np.sqrt(np.sum(variances, axis=0)) / len(groups)


def _short(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def call_seconds() -> float:
    """Median time of one `next_runs` call: 9 runs, 35 cells, what fits 4 TFLOPs."""
    sizes, tokens, flops = candidates()
    fits = flops <= 4e12
    truth, _ = draw_truth(SCENARIOS[0], 0, np.random.default_rng(0))
    took = []
    for seed in range(21):
        shifts = 0.003 * np.random.default_rng(seed).standard_normal(9)
        law = _fitted(list(SETTINGS[0].start), shifts, truth, AUTO)
        start = time.perf_counter()
        next_runs(law, (sizes[fits], tokens[fits]), tuple(np.array(CELLS).T))
        took.append(time.perf_counter() - start)
    return float(np.median(took))


def draw(content: dict[str, Any]) -> None:
    """Regret against runs, all scenarios together and by kind of truth; bands are one standard error each way."""
    from matplotlib import style
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    from planner.tell.plots.style import ACCENT, STYLE, add_legend, new_figure

    colours = {"regret": ACCENT, "d-optimal": "#0072b2", "random": "0.35"}
    markers = {"regret": "o", "d-optimal": "s", "random": "^"}
    names = {"regret": "expected fall of the regret", "d-optimal": "D-optimal", "random": "at random"}
    contested, clear_cut = (content["settings"][setting.name]["groups"] for setting in SETTINGS)
    groups = {f"contested, {name}": facts for name, facts in contested.items()} | {"clear-cut, all": clear_cut["all"]}
    with style.context(["default", STYLE]):
        figure, panels = new_figure((11.0, 3.2), "Regret of the pick, by how the next run is chosen", 1, 5)
        for axes, (title, facts) in zip(panels, groups.items(), strict=True):
            for policy in POLICIES:
                mean, error = (100 * np.array(facts["regret"][policy][key]) for key in ("mean", "se"))
                runs, colour = np.arange(len(mean)), colours[policy]
                axes.plot(runs, mean, color=colour, marker=markers[policy], markersize=4)
                axes.fill_between(runs, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
            axes.set_title(title)
            axes.set_xlabel("runs added to the first 9")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
            axes.set_ylim(bottom=0)  # each panel has its own scale
        panels[0].set_ylabel("mean regret (0.01 of error)")
        lines = [Line2D([], [], color=colours[p], marker=markers[p], markersize=4) for p in POLICIES]
        add_legend(figure, [("", list(zip(lines, (names[p] for p in POLICIES), strict=True)))], below=True)
        figure.savefig(PICTURE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", type=int, default=PATHS, help="of each scenario")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--plot", action="store_true", help="only draw the recorded results")
    options = parser.parse_args()
    if options.plot:
        draw(json.loads((RESULTS / "next_run.json").read_text(encoding="utf-8")))
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the workers: one core each
    began = time.perf_counter()
    settings: dict[str, Any] = {}
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for k, setting in enumerate(SETTINGS):
            tasks = [(k, which, path) for which in range(len(SCENARIOS)) for path in range(options.paths)]
            found = np.array(pool.map(follow, tasks, chunksize=4))
            arrays = dict(zip(SCENARIOS, np.split(found, len(SCENARIOS)), strict=True))
            say(f"{setting.name}: {len(tasks)} paths, {time.perf_counter() - began:.0f} s")
            groups = {"all": list(SCENARIOS)} | {kind: [s for s in SCENARIOS if s.truth == kind] for kind in TRUTHS}
            settings[setting.name] = {
                "start": [{"llm_params": n, "visual_tokens": t} for n, t in setting.start],
                "start_picks_right": _short([(found[:, 0, 0] == 0).mean()])[0],
                "groups": {title: summary([arrays[s] for s in members]) for title, members in groups.items()},
                "scenarios": {scenario.name: summary([paths]) for scenario, paths in arrays.items()},
            }
    content = {
        "environment": environment(("numpy", "scipy")),
        "paths_per_scenario": options.paths,
        "next_runs_call_s": round(call_seconds(), 4),
        "wall_s": round(time.perf_counter() - began),
        "settings": settings,
    }
    write_result("next_run", content)
    draw(content)


if __name__ == "__main__":
    main()
