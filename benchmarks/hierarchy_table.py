"""Write the shipped variances, the tables of results/hierarchy.json and that of released models into docs/evidence.md:

python benchmarks/hierarchy_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planner.laws.hierarchy.cells import constant, in_size, in_tokens
from planner.laws.hierarchy.effects import EFFECTS
from planner.laws.hierarchy.headroom import headroom, headroom_in_size
from planner.laws.hierarchy.variances import Variances, shipped_variances

FILE = Path(__file__).parent / "results" / "hierarchy.json"
PAGE = Path(__file__).parents[1] / "docs" / "evidence.md"
RELEASED_FILE = FILE.with_name("released_scores.json")
SIMPLE = ("mean of the task", "nearest size", "model and task")
RESULT = ("<!-- benchmarks/results/hierarchy.json -->", "<!-- end -->")
RELEASED = ("<!-- benchmarks/results/released_scores.json -->", "<!-- end released -->")
VARIANCES = ("<!-- fitted_laws/evidence/variances.json -->", "<!-- end variances -->")
MULTIPLIES: dict[object, str] = {constant: "1", in_size: "x", in_tokens: "t", headroom: "h", headroom_in_size: "h x"}


def tables(result: dict[str, Any]) -> str:
    """The three tables, in Markdown."""
    lines = [
        "| held out | cells | error of the hierarchy | 95 % covers | best simple prediction | choices right |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(name, row) for name, row in {**result["table"], **result["new_studies"]}.items()]
    lines += ["", "| odds stated | were right | pairs |", "|---|---|---|"]
    lines += [f"| {one['stated']:.3f} | {one['right']:.3f} | {one['pairs']:,} |" for one in result["odds"]]
    lines += ["", "| swapped | cells | error | 95 % covers |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {one['cells']} | {_points(one['rmse'])} | {one['coverage']:.1%} |"
        for name, one in result["transfer"].items()
    ]
    times = result["speed"]
    lines += [
        "",
        f"On one core, conditioning on all {result['rows']:,} rows takes {times['conditioning_ms']:.0f} ms, predicting "
        f"49 cells jointly {times['predicting_49_cells_ms']:.0f} ms, with 30 runs of one's own "
        f"{times['predicting_49_cells_with_30_own_runs_ms']:.0f} ms.",
    ]
    return "\n".join(lines)


def released(result: dict[str, Any]) -> str:
    """The table of released models, in Markdown."""
    lines = [
        f"| held out | scores | error | 95 % covers | {' | '.join(SIMPLE)} | choices right |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in result["table"].items():
        simple = " | ".join(_points(row["baselines"][one]) for one in SIMPLE)
        right = "" if row["choices_right"] is None else f"{row['choices_right']:.0%}"
        lines.append(
            f"| {name} | {row['scores']} | {_points(row['rmse'])} | {row['coverage']:.1%} | {simple} | {right} |"
        )
    return "\n".join(lines)


def effects(variances: Variances) -> str:
    """The table of effects with their standard deviations in points, in Markdown."""
    lines = ["| effect | one value for each | multiplies | of | sd, points |", "|---|---|---|---|---|"]
    for effect in EFFECTS:
        if effect.fixed_sd is None:
            sd, only = variances.sds[effect.name], effect.only
            of = f"{'not ' if only.excluded else ''}{', '.join(only.values)}" if only.values else "all"
            shape = "a curve in t" if effect.smooth else MULTIPLIES[effect.covariate]
            lines.append(f"| {effect.name} | {' x '.join(effect.groups)} | {shape} | {of} | {_points(sd)} |")
    return "\n".join(lines)


def page(result: dict[str, Any], text: str) -> str:
    """docs/evidence.md with the tables of a result and of the shipped variances."""
    found = json.loads(RELEASED_FILE.read_text(encoding="utf-8"))
    made = ((RESULT, tables(result)), (RELEASED, released(found)), (VARIANCES, effects(shipped_variances())))
    for (opens, closes), table in made:
        before, rest = text.split(opens)
        _, after = rest.split(closes)
        text = f"{before}{opens}\n{table}\n{closes}{after}"
    return text


def _row(name: str, row: dict[str, Any]) -> str:
    best = row["best_baseline"]
    simple = f"{_points(row['baselines'][best])} ({best})" if best else ""
    right = "" if row["choices_right"] is None else f"{row['choices_right']:.0%}"
    no_level = "with 0" in name
    error = "not printed" if no_level else _points(row["rmse"])
    return f"| {name} | {row['cells']} | {error} | {row['coverage']:.1%} | {'' if no_level else simple} | {right} |"


def _points(error: float) -> str:
    return f"{100 * error:.2f}"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(FILE.read_text("utf-8")), PAGE.read_text("utf-8")), encoding="utf-8")
