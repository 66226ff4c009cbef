"""Do intervals that include transfer hold what was then measured? Published swaps of compressors and of families.

    python benchmarks/transfer.py        two minutes on one core

A law is fitted to the published cells of one compressor, or of one family, on one task; it predicts the cells
of another compressor or family on that task, and what a plan adds to the law's interval
(`planner.planning.transfer`) is added as a plan adds it. Of no compressor the evidence itself is asked. Each
swap is judged twice: with variances that are estimated again without all studies that it is scored on, and with
the shipped ones, which have seen them. Only FastVLM publishes one model by several recipes, so that without it
little is known of recipes. One compressor at one size of language model borrows the effect of N from the
Qwen1.5 runs (`planner.fit_joint`), as the shipped law quecc does; it cancels.

    coverage    of the 95 % intervals, with the noise of a printed number of the study beside
    law alone   the same of the law's own interval with that noise: what a plan said before transfer was a variance
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from environment import environment, say, write_result
from numpy.typing import NDArray

import planner
from fitted_laws.make_variances import estimated
from planner.laws.averaging import believed
from planner.laws.combined import Law
from planner.laws.hierarchy.rows import EvidenceRows, shipped_rows, task_classes
from planner.laws.hierarchy.variances import Variances, shipped_variances
from planner.laws.uncertainty import Asked, uncertainty
from planner.planning.doubt import lower_end
from planner.planning.transfer.origin import Targets
from planner.planning.transfer.spreads import spreads_of
from planner.planning.transfer.transfer import Transfer

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVELS_MIN = 4
"""Token counts that a compressor was measured at, for a law of its own."""
FASTVLM, LLAVA, PALI = "FastVLM", "LLaVA-1.5", ("PaliGemma", "PaliGemma 2")


@dataclass(frozen=True)
class Swap:
    """Cells that a law was fitted to, and cells of something else on the same task."""

    kind: str
    task: str
    law: Law
    cells: Mask
    released: bool
    """Whether both are trained models of others, with recipes of their own."""
    name: str


def fitted(rows: EvidenceRows, mine: Mask, joint: bool) -> Law | None:
    """A law of some cells of one task; None where they are too few."""
    if not mine.any():
        return None
    columns: dict[str, Any] = {
        "llm": rows.llm[mine], "llm_params": rows.llm_params[mine], "visual_tokens": rows.visual_tokens[mine],
        "error": rows.error[mine], "compressor": rows.compressor[mine], "task": rows.task[mine],
    }  # fmt: skip
    keys = [name for name in columns if name != "error"]
    own = pd.DataFrame(pd.DataFrame(columns).groupby(keys, as_index=False)["error"].mean())
    try:
        if not joint:
            return believed(planner.fit(own, "log-linear"))
        with_n = (rows.study == "Qwen1.5 scaling") & (rows.task == "visual reasoning (mean)")
        lending = pd.DataFrame({"llm": rows.llm, "llm_params": rows.llm_params, "visual_tokens": rows.visual_tokens,
                                "error": rows.error})[with_n].assign(compressor="lends N", task="lends N")  # fmt: skip
        group = own["compressor"].iloc[0]
        found = planner.fit_joint(pd.concat([lending, own]), "log-linear", by="compressor", shared=("c1",))
        return found[group]
    except planner.FitError:
        return None


def compressor_swaps(rows: EvidenceRows) -> Iterator[Swap]:
    """Of LLaVA-1.5 with Vicuna-7B: every trained compressor with enough token counts, against every other one."""
    ground = (rows.study == LLAVA) & (rows.llm == "Vicuna-1.5-7B") & (rows.population == "trained")
    ground &= rows.recipe == ""
    for task in np.unique(rows.task[ground]).tolist():
        here = ground & (rows.task == task)
        kinds = np.unique(rows.compressor[here]).tolist()
        for kind in kinds:
            own = here & (rows.compressor == kind)
            if len(np.unique(rows.visual_tokens[own])) < LEVELS_MIN:
                continue
            law = fitted(rows, own, joint=True)
            for other in kinds:
                if law is not None and other != kind:
                    cells = here & (rows.compressor == other)
                    yield Swap("compressor", task, law, cells, False, f"{kind} -> {other}")


def family_swaps(rows: EvidenceRows) -> Iterator[Swap]:
    """FastVLM's Qwen2 models against its Vicuna, of one recipe and of another; PaliGemma 2 against PaliGemma."""
    fast = rows.study == FASTVLM
    vicuna = fast & (rows.family == "Vicuna")
    for task in np.unique(rows.task[fast]).tolist():
        here = rows.task == task
        for recipe in ("15+1.1M", "15+12.5M", "15+23.1M"):
            law = fitted(rows, fast & here & (rows.family == "Qwen2") & (rows.recipe == recipe), joint=False)
            for other in np.unique(rows.recipe[vicuna]).tolist():
                cells = vicuna & here & (rows.recipe == other)
                if law is not None and cells.any():
                    kind = "family" if other == recipe else "family and recipe"
                    yield Swap(kind, task, law, cells, other != recipe, f"Qwen2 -> Vicuna, {recipe} -> {other}")
    for task in np.unique(rows.task[rows.study == PALI[1]]).tolist():
        here = rows.task == task
        law = fitted(rows, here & (rows.study == PALI[1]), joint=False)
        cells = here & (rows.study == PALI[0])
        if law is not None and cells.any():
            yield Swap("family and recipe", task, law, cells, True, "PaliGemma 2 -> PaliGemma")


def judged(rows: EvidenceRows, swap: Swap, variances: Variances) -> list[dict[str, Any]]:
    """Each cell of a swap against its interval, with and without transfer; [] where the law has no interval."""
    about = uncertainty(swap.law)
    if about is None:
        return []
    at = np.flatnonzero(swap.cells)
    n, t, names = rows.llm_params[at], rows.visual_tokens[at], rows.llm[at]
    error = np.asarray(swap.law.predict(n, t, names), float)
    answer = about.ask(Asked(n, t, names, 0))
    family = rows.family[at]
    if swap.released:
        family = np.char.add(np.char.add(family, " "), rows.recipe[at])
    compressor = family if swap.released else rows.compressor[at]
    checkpoint = rows.checkpoint[at] if swap.released else np.full(len(at), "")
    targets = Targets(n, t, family, compressor, checkpoint, np.full(len(at), ""), swap.released)
    spreads = spreads_of(variances, task_classes(), {}, None)
    effects = Transfer(targets, spreads).effects([swap.law], np.zeros(len(at), np.intp))
    noise = shipped_variances().noise.of_studies(rows.study[at]) * shipped_variances().noise.of_tasks(rows.task[at])
    told = []
    for half in (effects.half_width_95 * effects.sd, np.zeros(len(at))):
        whole = np.hypot(half, 1.96 * noise)
        told.append((lower_end(error, answer.low, whole), -lower_end(-error, -answer.high, whole)))
    return [
        {
            "kind": swap.kind,
            "swap": swap.name,
            "task": swap.task,
            "miss": float(rows.error[i] - error[k]),
            "half_width": float(told[0][1][k] - told[0][0][k]) / 2,
            "covered": bool(told[0][0][k] <= rows.error[i] <= told[0][1][k]),
            "law_alone": bool(told[1][0][k] <= rows.error[i] <= told[1][1][k]),
        }
        for k, i in enumerate(at)
    ]


def summary(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Coverage of some cells."""
    return {
        "cells": len(cells),
        "swaps": len({(one["swap"], one["task"]) for one in cells}),
        "coverage": float(np.mean([one["covered"] for one in cells])),
        "law_alone": float(np.mean([one["law_alone"] for one in cells])),
        "rmse": float(np.sqrt(np.mean([one["miss"] ** 2 for one in cells]))),
        "half_width": float(np.mean([one["half_width"] for one in cells])),
    }


def told(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """All cells together, by kind of swap, and swap by swap."""

    def by(what: str) -> dict[str, Any]:
        names = dict.fromkeys(one[what] for one in cells)
        return {name: summary([one for one in cells if one[what] == name]) for name in names}

    return {"pooled": summary(cells), "by_kind": by("kind"), "by_swap": by("swap")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    warnings.simplefilter("ignore")
    rows = shipped_rows()
    unseen = {
        "compressor": estimated(rows.where(rows.study != LLAVA)),
        "family": estimated(rows.where(~np.isin(rows.study, [FASTVLM, *PALI]))),
    }
    swaps = {"compressor": list(compressor_swaps(rows)), "family": list(family_swaps(rows))}
    result = {}
    for name, by_kind in (("unseen", unseen), ("shipped", dict.fromkeys(unseen, shipped_variances()))):
        found = [one for kind in swaps for swap in swaps[kind] for one in judged(rows, swap, by_kind[kind])]
        result[name] = told(found)
        for kind, one in {"pooled": result[name]["pooled"], **result[name]["by_kind"]}.items():
            say(
                f"{name}, {kind}: coverage {one['coverage']:.3f} of {one['cells']} cells (law alone "
                f"{one['law_alone']:.3f}), half-width {one['half_width']:.3f}, RMSE {one['rmse']:.3f}"
            )
    write_result("transfer", {"environment": environment(("numpy", "scipy")), "result": result})


if __name__ == "__main__":
    main()
