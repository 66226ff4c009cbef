"""Rich table of the runs that could be made next. Everything fits 80 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from planner.base.quantities import format_flops, format_params, format_percent, format_significant, format_tokens
from planner.laws.design import Batch, NextRuns
from planner.laws.fitted import NOT_IDENTIFIED
from planner.planning.result import Plan
from planner.planning.words import law_title
from planner.tell.console import plain

_NO_DIFFERENCE = 1e-5  # errors are shown to four digits after the point: a gain below this shows in none
_TITLES = {"regret": "next runs by expected gain", "d-optimal": "next runs by what they tell of the parameters"}


def print_next_runs(
    console: Console, plan: Plan, found: NextRuns, batch: Batch | None, top: int, text_tokens: int
) -> None:
    """What is picked now and how much error that may cost, then the runs that would tell.

    Args:
        console: where to print.
        plan: what the law picks now.
        found: the ranked runs.
        batch: the runs to be made at once, where they were asked for.
        top: how many runs to show.
        text_tokens: of a training sample, behind the costs.
    """
    if plan.law.status == NOT_IDENTIFIED:
        console.print(plain(f"the law is not identified: {plan.law.advice}"), style="yellow")
    console.print(plain(f"picked now: {plan.best}"))
    console.print(plain(law_title(plan.law)))
    console.print(
        plain(
            f"expected regret of the pick: {format_significant(found.expected_regret_now)} in error; "
            f"noise of a run: {format_significant(found.noise_sd)}"
        )
    )
    if max(run.expected_gain for run in found.runs) < _NO_DIFFERENCE:
        console.print(plain("no run is expected to better the pick: it is as good as certain among these candidates"))
    information = found.criterion == "d-optimal"
    table = Table(title=plain(_TITLES[found.criterion]), title_justify="left", title_style="bold", header_style="")
    columns = ("LLM", "tokens", "expected\ngain", "pick\nchanges", *["log det\nrises by"] * information, "training", "")
    for name in ("", *columns):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for rank, run in enumerate(found.runs[:top], start=1):
        cells = [
            str(rank),
            format_params(run.llm_params),
            format_tokens(run.visual_tokens),
            _gain(run.expected_gain),
            format_percent(run.probability_pick_changes, 1.0),
            *[format_significant(run.log_det_gain)] * information,
            format_flops(run.cost),
            "measured" if run.measured else "",
        ]
        table.add_row(*map(plain, cells))
    console.print(table)
    console.print(plain(f"training: FLOPs per sample, 6 N (V + {text_tokens} text tokens), encoder not counted"))
    if any(run.measured for run in found.runs[:top]):
        console.print(plain("measured: the law has this cell; another run shows what another seed would"))
    if batch is not None:
        runs = ", ".join(f"{format_params(size)} with {format_tokens(tokens)}" for size, tokens in batch.runs)
        gain = _gain(batch.expected_gains[-1])
        console.print(plain(f"{len(batch.runs)} runs at once: {runs} (expected gain {gain})"))


def _gain(gain: float) -> str:
    """An expected gain; one that no digit of an error shows is none."""
    return format_significant(gain) if gain >= _NO_DIFFERENCE else "none"
