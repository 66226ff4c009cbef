"""What is known of a pick besides its numbers: its GPUs; of a released one its weights, who serves it, and what is
published of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from planner.base.quantities import counted
from planner.laws.combined import CombinedLaw, Law
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.hierarchy.mix import TaskShare
from planner.planning.serving import no_engine

if TYPE_CHECKING:
    from planner.laws.hierarchy.rows import EvidenceRows, Mask
    from planner.planning.result import Plan

SHOWN_RESULTS = 2
"""Published scores that are printed of a model on a task."""


def weights_text(plan: Plan) -> str:
    """ "KamilaMila/FastVLM-7B, converted from apple/FastVLM-7B; licence apple-amlr"; "" of a training."""
    if plan.best.released is None:
        return ""
    checkpoint = plan.best.released.checkpoint
    made = f", converted from {checkpoint.converted_from}" if checkpoint.converted_from else ""
    where = checkpoint.hub_id or checkpoint.source
    if not checkpoint.hub_id:
        return where
    return f"{where}{made}; licence {checkpoint.licence or 'not known here'}"


def warnings_of(plan: Plan) -> tuple[str, ...]:
    """What keeps a released pick from being served as it is, in sentences; () where nothing known does."""
    best = plan.best
    if best.released is None:
        return ()
    out = list(no_engine(best, plan.load.tail.images, plan.deployment.hardware))
    checkpoint = best.released.checkpoint
    if checkpoint.pretrained:
        out.append(
            f"the weights of {checkpoint.name} are pretrained ones: fine-tune them on your task first "
            f"({checkpoint.pretrained})"
        )
    return tuple(out)


def published_on(plan: Plan) -> tuple[str, ...]:
    """Whether results of the released pick, and of the next best, are published on the tasks of the plan, in a sentence
    for each model and task; () where the law is none of published results."""
    if plan.by_cost or plan.best.released is None:
        return ()
    near = [plan.best, *plan.runners_up[:1]]
    names = dict.fromkeys(one.released.checkpoint.name for one in near if one.released is not None)
    return tuple(_results(law, one, name) for name in names for law in _of_results(plan.law) for one in law.mix)


def _of_results(law: Law) -> list[EvidenceLaw]:
    """The law, or the members of a mix of laws, that rest on published results."""
    members = law.members if isinstance(law, CombinedLaw) else (law,)
    return [one for one in members if isinstance(one, EvidenceLaw)]


def _results(law: EvidenceLaw, asked: TaskShare, name: str) -> str:
    """How many results of a model the evidence has on a task, and from what it is predicted where it has none."""
    from planner.laws.hierarchy.naming import released_model
    from planner.laws.hierarchy.rows import shipped_rows

    rows = shipped_rows()
    of_model = rows.checkpoint == released_model(name).checkpoint
    measured = asked.asked.measured
    on_task = rows.task == asked.task if measured else rows.task_class == asked.task_class
    where = asked.asked.title if measured else f"tasks of the class {asked.task_class}"
    count, elsewhere = int(np.sum(of_model & on_task)), int(np.sum(of_model & ~on_task))
    own = sum(one.llm.rpartition("/")[2].lower() == name.lower() and one.task == asked.task for one in law.own)
    if count:
        beside = f", and {counted(own, 'run')} of your own" if own else ""
        printed = f": {_printed(rows, of_model & on_task)}" if measured else ""
        return f"{counted(count, 'published result')} of {name} on {where}{printed}{beside}"
    known = [f"{counted(own, 'run')} of your own"] if own else []
    known += [f"{counted(elsewhere, 'result')} of it on other tasks"] if elsewhere else []
    origin = f"{', '.join(known)}, and from " if known else ""
    return (
        f"no published result of {name} on {where} is in the evidence: it is predicted from {origin}size, tokens and "
        "class"
    )


def _printed(rows: EvidenceRows, which: Mask) -> str:
    """ "78.4 (model card of Qwen/Qwen3.5-4B, thinking)": scores with their tables."""
    found = np.flatnonzero(which)
    told = [f"{100 * (1 - rows.error[one]):.1f} ({rows.source[one]})" for one in found[:SHOWN_RESULTS]]
    more = len(found) - SHOWN_RESULTS
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def gpus_of(plan: Plan) -> int:
    """GPUs in all: those that were asked for, that the load needs, or else that share one model."""
    if plan.carried is not None:
        return plan.carried.gpus
    return plan.deployment.gpus or plan.best.tensor_parallel


def gpus_used(plan: Plan) -> int:
    """GPUs that serve: those of all replicas."""
    if plan.carried is not None:
        return plan.carried.replicas * plan.best.tensor_parallel
    return plan.deployment.gpus_used(plan.best.tensor_parallel)


def gpus_paid(plan: Plan) -> int:
    """GPUs that the price counts: under a load all of them, else those that serve."""
    return gpus_used(plan) if plan.carried is None else gpus_of(plan)


def idle_text(plan: Plan) -> str:
    """ "1 GPU idles": those of all GPUs that are too few for another copy of the model; "" where all serve."""
    idle = gpus_of(plan) - gpus_used(plan)
    return f"{counted(idle, 'GPU')} {'idles' if idle == 1 else 'idle'}" if idle else ""
