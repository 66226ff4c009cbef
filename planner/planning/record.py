"""What a plan's file holds beyond the answer: all that a reader needs to check it and to make it again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.parts.catalog import llm_catalog, vision_catalog

if TYPE_CHECKING:
    from planner.planning.result import Plan

FILE_FORMAT = "vlm-planner plan"
FORMAT_VERSION = 1
HASH = "sha256"
"""The key under which a plan's dictionary holds the hash of all its other entries."""


def record(plan: Plan) -> dict[str, Any]:
    """A plan as plain JSON types, with the hash of them all."""
    best, card = plan.best, plan.deployment.hardware
    sizes, counts = plan.table.fitting_points()
    one_law = _one_law(plan)
    content = {
        "format": FILE_FORMAT,
        "format_version": FORMAT_VERSION,
        "best": best.to_dict(),
        "runners_up": [candidate.to_dict() for candidate in plan.runners_up],
        "tied": [candidate.to_dict() for candidate in plan.tied],
        "frontier": [candidate.to_dict() for candidate in plan.frontier],
        "next_up": plan.next_up.to_dict() if plan.next_up else None,
        "extrapolates": list(plan.extrapolates),
        "assumptions": list(plan.assumptions),
        "convention": plan.budget.convention,
        "budget": {one.limit.name: one.limit.value for one in plan.limits},
        "limits": {one.limit.name: one.to_dict() for one in plan.limits},
        "best_of_each": [candidate.to_dict() for candidate in plan.best_of_each],
        "workload": {**vars(plan.workload)},
        **({"workload_p95": {**vars(plan.load.tail)}} if plan.load.tail != plan.load.mean else {}),
        "hardware": None if card is None else card.name,
        "hardware_profile": None if card is None else card.to_dict(),
        "latency_s": None if best.latency is None else best.latency.to_dict(),
        "memory_bytes": best.memory.to_dict(),
        "speed_limit_tokens": plan.speed_limit_tokens,
        "vision": best.vision.name,
        "compressor": best.compressor.name,
        "prompt_order": best.prompt_order,
        "law": {
            "name": plan.law.name,
            "form": plan.law.form,
            "status": plan.law.status,
            "advice": plan.law.advice,
            "at_bound": list(plan.law.at_bound),
            "runs_sha256": plan.law.runs_sha256,
        },
        "candidates": {
            "compared": plan.candidates_count,
            "fitting": plan.fitting_count,
        },
        "fitting_points": {"llm_params": sizes.tolist(), "visual_tokens": counts.tolist()},
        "law_file": plan.law.to_dict(),
        **({} if one_law else {"law_files": {name: law.to_dict() for name, law in plan.laws.items()}}),
        "inputs": inputs(plan),
        "made_with": made_with(),
    }
    return content | {HASH: content_hash(content)}


def inputs(plan: Plan) -> dict[str, Any]:
    """What was asked for, with every default filled in: the same again gives the same plan.

    A `source` is the config.json of a part that is not in the catalogue.
    """
    table, deployment, tower = plan.table, plan.deployment, plan.best.vision
    catalog, towers = llm_catalog(), vision_catalog()

    def each(name: str) -> list[str]:
        return list(dict.fromkeys(setup[name] for setup in table.setups))

    return {
        "limits": {
            one.limit.name: plan.budget.limits[one.limit.name]
            for one in plan.limits
            if one.limit.name in plan.budget.limits
        },
        "convention": plan.budget.convention,
        "workload": {**vars(plan.load.mean)},
        "workload_p95": {**vars(plan.load.tail)},
        "requests": plan.load.requests,
        "llms": [
            {"name": llm.name, "source": None if catalog.get(llm.name) == llm else llm.source} for llm in table.llms
        ],
        "visual_tokens": sorted({int(count) for count in table.visual_tokens}),
        "vision": each("vision"),
        "vision_source": None if towers.get(tower.name) == tower else tower.source,
        "compressor": each("compressor"),
        "prompt_order": each("prompt_order"),
        "precision": list(deployment.precisions),
        "kv_precision": deployment.kv_precision,
        "tensor_parallel": list(deployment.tensor_parallel),
        "batch": list(deployment.batches),
        "gpus": deployment.gpus,
        "price_per_hour": deployment.price_per_hour,
        "latency_source": deployment.latency_source,
        "one_law": _one_law(plan),
    }


def made_with() -> dict[str, str]:
    """Versions that decide the numbers."""
    from importlib import metadata  # slow to load, and only wanted for a file

    try:
        own = metadata.version("vlm-planner")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        own = "not installed"
    return {"vlm-planner": own, "python": platform.python_version(), "numpy": np.__version__}


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of a plan's dictionary without its own hash, in one way of writing: sorted keys, no blanks, ASCII."""
    rest = {key: value for key, value in content.items() if key != HASH}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def _one_law(plan: Plan) -> bool:
    """Whether the pick's law gave the error of every candidate; a mapping of laws gives each compressor its own."""
    return all(law is plan.law for law in plan.laws.values())
