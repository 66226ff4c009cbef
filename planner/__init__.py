"""vlm-planner: the best (language model, visual tokens) pair of a vision-language model under an inference budget.

import planner

plan = planner.plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
print(plan)                                      # the pick, its cost stage by stage, what it assumes

law = planner.fit(planner.read_runs("runs.csv")) # from one's own measured runs
law.save("my-law.json")
plan = planner.plan("my-law.json", budget=planner.Budget("2 TFLOPs"), llms="qwen2.5",
                    workload=planner.Workload(query_tokens=50, generated_tokens=32))

model = planner.build(plan.best)                 # the model itself; needs vlm-planner[vlm]
verdict = planner.verify(model, plan)            # predicted against measured, on this device
plan.report("recommendation.html", verdict)      # something to read and to hand on
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.base.errors import InputError, NothingFitsError, PlannerError
from planner.base.version import __version__ as __version__
from planner.costs.request import request_flops
from planner.costs.stages import Workload
from planner.hardware import Hardware
from planner.laws.combined import fit_average
from planner.laws.fit import fit
from planner.laws.fitted import FittedLaw
from planner.laws.joint import JointFit, fit_joint
from planner.laws.shipped import load_law, load_mix, shipped_names
from planner.parts.catalog import find_llms, find_vision, llm_catalog, load_llm_config, vision_catalog
from planner.planning.candidate import Candidate
from planner.planning.continuous import ContinuousOptimum
from planner.planning.load_plan import load_plan, replan
from planner.planning.optimum import optimum
from planner.planning.request import Budget
from planner.planning.result import Plan, set_report_writer
from planner.planning.search import plan
from planner.runs import Runs, read_runs, validate, write_runs

if TYPE_CHECKING:
    from planner.bench.measure import measure as measure
    from planner.bench.measurement import Measurement
    from planner.bench.verdict import Verdict
    from planner.bench.verify import verify as verify
    from planner.vlm.build import build as build
    from planner.vlm.recipe import make_recipe as make_recipe

__all__ = [
    "Budget",
    "Candidate",
    "ContinuousOptimum",
    "FittedLaw",
    "InputError",
    "JointFit",
    "NothingFitsError",
    "Plan",
    "PlannerError",
    "Runs",
    "Workload",
    "find_llms",
    "find_vision",
    "fit",
    "fit_average",
    "fit_joint",
    "llm_catalog",
    "load_hardware",
    "load_law",
    "load_llm_config",
    "load_measurement",
    "load_mix",
    "load_plan",
    "load_verdict",
    "optimum",
    "plan",
    "read_runs",
    "replan",
    "request_flops",
    "shipped_names",
    "validate",
    "vision_catalog",
    "write_report",
    "write_runs",
]


def write_report(
    plan: Plan | Mapping[str, Any] | str | os.PathLike[str],
    path: str | os.PathLike[str],
    verdict: Any = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write the deployment recommendation of a plan: .html, .md or .json, by the suffix; as `Plan.report`.

    Args:
        plan: a plan, its dictionary, or the JSON file that `vlm-planner plan -o` wrote: the page is the same.
        path: the file to write.
        verdict: what was measured of the pick, if it was: a Verdict, its dictionary, or its JSON file.
        overwrite: whether a file that is there may be replaced.

    Raises:
        InputError: another suffix, a plan or verdict that cannot be read, or a file that cannot be written.
    """
    from planner.tell.recommendation import write_recommendation

    return write_recommendation(plan, path, verdict, overwrite=overwrite)


def load_hardware(path: str | os.PathLike[str]) -> Hardware:
    """Read a hardware profile, written by `Hardware.save`, `vlm-planner calibrate` or by hand. Raises InputError."""
    return Hardware.load(path)


def load_measurement(path: str | os.PathLike[str]) -> Measurement:
    """Read a measurement that `vlm-planner measure -o` wrote. Raises InputError."""
    from planner.bench.measurement import Measurement

    return Measurement.load(path)


def load_verdict(path: str | os.PathLike[str]) -> Verdict:
    """Read a verdict that `vlm-planner verify -o` wrote. Raises InputError."""
    from planner.bench.verdict import Verdict

    return Verdict.load(path)


set_report_writer(write_report)  # Plan.report: planning may not import the later room


_NEED_TORCH = ("build", "make_recipe", "measure", "verify")


def __getattr__(name: str) -> Any:
    """`planner.build`, `planner.verify` and the like: they load torch and transformers, so only when asked for."""
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from planner.bench.measure import measure
        from planner.bench.verify import verify
        from planner.vlm.build import build
        from planner.vlm.recipe import make_recipe
    except ImportError as error:
        which = "" if isinstance(error, ModuleNotFoundError) else f" ({' '.join(str(error).split())[:120]})"
        raise InputError(f"{name} needs torch and transformers: pip install 'vlm-planner[vlm]'{which}") from None
    return {"build": build, "make_recipe": make_recipe, "measure": measure, "verify": verify}[name]
