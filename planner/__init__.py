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
planner.write_report(plan, "recommendation.html", verdict)  # something to read and to hand on
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.base.arguments import P as _P
from planner.base.arguments import R as _R
from planner.base.arguments import with_suggestions as _with_suggestions
from planner.base.result import Above as _Above
from planner.base.result import stands_under as _stands_under
from planner.base.version import __version__ as __version__

if TYPE_CHECKING:
    from planner.base.errors import FitError as FitError
    from planner.base.errors import InputError as InputError
    from planner.base.errors import LawFileError as LawFileError
    from planner.base.errors import MeasurementError as MeasurementError
    from planner.base.errors import NothingFitsError as NothingFitsError
    from planner.base.errors import OutputExistsError as OutputExistsError
    from planner.base.errors import PlannerError as PlannerError
    from planner.base.errors import QuantityError as QuantityError
    from planner.base.errors import RunsError as RunsError
    from planner.base.errors import SpecError as SpecError
    from planner.base.errors import UnknownNameError as UnknownNameError
    from planner.base.registry import register as register
    from planner.bench.calibrate import calibrate as calibrate
    from planner.bench.calibration.engine import calibrate_engine as calibrate_engine
    from planner.bench.calibration.engine_result import EngineCalibration as EngineCalibration
    from planner.bench.calibration.result import Calibration as Calibration
    from planner.bench.calibration.take import measure_device as measure_device
    from planner.bench.comparing import compare_measurements as compare_measurements
    from planner.bench.doctor import doctor as doctor
    from planner.bench.grid import verify_grid as verify_grid
    from planner.bench.measure import measure as measure
    from planner.bench.measurement import Measurement as Measurement
    from planner.bench.released import measure_released as measure_released
    from planner.bench.verdict import Verdict as Verdict
    from planner.bench.verify import verify as verify
    from planner.configuration.released import ReleasedModel as ReleasedModel
    from planner.costs.iteration import Iterations as Iterations
    from planner.costs.iteration import iterations as iterations
    from planner.costs.request import RequestCost as RequestCost
    from planner.costs.request import released_cost as released_cost
    from planner.costs.request import request_cost as cost
    from planner.costs.request import request_flops as request_flops
    from planner.costs.stages import Workload as Workload
    from planner.explore.open import open_explorer as open_explorer
    from planner.hardware import Hardware as Hardware
    from planner.hardware import find_hardware as find_hardware
    from planner.hardware import hardware_catalog as hardware_catalog
    from planner.laws.averaging import fit_average as fit_average
    from planner.laws.combined import CombinedLaw as CombinedLaw
    from planner.laws.compare import compare as compare
    from planner.laws.fit import fit as fit
    from planner.laws.fitted import FittedLaw as FittedLaw
    from planner.laws.hierarchy.listing import Evidence as Evidence
    from planner.laws.hierarchy.listing import evidence as evidence
    from planner.laws.holdout import hold_out as holdout
    from planner.laws.joint import JointFit as JointFit
    from planner.laws.joint import fit_joint as fit_joint
    from planner.laws.lack_of_fit import lack_of_fit as lack_of_fit
    from planner.laws.parameters import intervals as intervals
    from planner.laws.shipped import load_law as load_law
    from planner.laws.shipped import load_mix as load_mix
    from planner.laws.shipped import shipped_names as shipped_names
    from planner.make.released import build_released as build_released
    from planner.parts.catalog import find_llms as find_llms
    from planner.parts.catalog import find_vision as find_vision
    from planner.parts.catalog import llm_catalog as llm_catalog
    from planner.parts.catalog import load_llm_config as load_llm_config
    from planner.parts.catalog import vision_catalog as vision_catalog
    from planner.parts.images import ImageMix as ImageMix
    from planner.parts.released import Checkpoint as Checkpoint
    from planner.parts.released import find_checkpoint as find_checkpoint
    from planner.parts.released import released_ids as released_ids
    from planner.planning.candidate import Candidate as Candidate
    from planner.planning.capacity import capacity as capacity
    from planner.planning.capacity_result import Capacity as Capacity
    from planner.planning.continuous import ContinuousOptimum as ContinuousOptimum
    from planner.planning.limits import LimitKind as LimitKind
    from planner.planning.load_plan import load_plan as load_plan
    from planner.planning.load_plan import replan as replan
    from planner.planning.next_run import next_run as next_run
    from planner.planning.optimum import optimum as optimum
    from planner.planning.request import Budget as Budget
    from planner.planning.result import Plan as Plan
    from planner.planning.search import plan as plan
    from planner.runs import Runs as Runs
    from planner.runs.read import read_runs as read_runs
    from planner.runs.read import validate as validate
    from planner.runs.results import Imported as Imported
    from planner.runs.results import import_results as import_results
    from planner.runs.tasks import mean_over_tasks as mean_over_tasks
    from planner.runs.write import write_runs as write_runs
    from planner.serve.open import serve_model as serve_model
    from planner.tell.plots.frontier import frontier as plot_frontier
    from planner.tell.plots.law import law_over_flops as plot_law
    from planner.tell.plots.law import residuals as plot_residuals
    from planner.tell.plots.load import load as plot_load
    from planner.tell.plots.load import timeline as plot_timeline
    from planner.tell.plots.profiles import profiles as plot_profiles
    from planner.tell.stories import Told as Told
    from planner.vlm.answering import answer as ask
    from planner.vlm.build import build as build
    from planner.vlm.recipe import make_recipe as make_recipe
    from planner.vlm.saving import export_llm as export_llm
    from planner.vlm.saving import load_model as load_model
    from planner.vlm.saving import save_model as save_model


__all__ = [
    "Budget",
    "Calibration",
    "Candidate",
    "Capacity",
    "Checkpoint",
    "CombinedLaw",
    "ContinuousOptimum",
    "EngineCalibration",
    "Evidence",
    "FitError",
    "FittedLaw",
    "Hardware",
    "ImageMix",
    "Imported",
    "InputError",
    "Iterations",
    "JointFit",
    "LawFileError",
    "LimitKind",
    "Measurement",
    "MeasurementError",
    "NothingFitsError",
    "OutputExistsError",
    "Plan",
    "PlannerError",
    "QuantityError",
    "ReleasedModel",
    "RequestCost",
    "Runs",
    "RunsError",
    "SpecError",
    "UnknownNameError",
    "Verdict",
    "Workload",
    "ask",
    "build",
    "build_released",
    "calibrate",
    "calibrate_engine",
    "capacity",
    "compare",
    "compare_measurements",
    "cost",
    "doctor",
    "evidence",
    "export_llm",
    "find_checkpoint",
    "find_hardware",
    "find_llms",
    "find_vision",
    "fit",
    "fit_average",
    "fit_joint",
    "hardware_catalog",
    "holdout",
    "import_results",
    "intervals",
    "iterations",
    "lack_of_fit",
    "llm_catalog",
    "load_hardware",
    "load_law",
    "load_llm_config",
    "load_measurement",
    "load_mix",
    "load_model",
    "load_plan",
    "load_verdict",
    "make_recipe",
    "mean_over_tasks",
    "measure",
    "measure_device",
    "measure_released",
    "next_run",
    "open_explorer",
    "optimum",
    "plan",
    "plot_frontier",
    "plot_law",
    "plot_load",
    "plot_profiles",
    "plot_residuals",
    "plot_timeline",
    "read_runs",
    "register",
    "released_cost",
    "released_ids",
    "replan",
    "request_flops",
    "save_model",
    "serve_model",
    "shipped_names",
    "validate",
    "verify",
    "verify_grid",
    "vision_catalog",
    "write_report",
    "write_runs",
]

_WHERE = {
    "Budget": "planner.planning.request",
    "Calibration": "planner.bench.calibration.result",
    "Candidate": "planner.planning.candidate",
    "Capacity": "planner.planning.capacity_result",
    "CombinedLaw": "planner.laws.combined",
    "ContinuousOptimum": "planner.planning.continuous",
    "EngineCalibration": "planner.bench.calibration.engine_result",
    "Evidence": "planner.laws.hierarchy.listing",
    "FitError": "planner.base.errors",
    "FittedLaw": "planner.laws.fitted",
    "Hardware": "planner.hardware",
    "InputError": "planner.base.errors",
    "Iterations": "planner.costs.iteration",
    "JointFit": "planner.laws.joint",
    "LawFileError": "planner.base.errors",
    "LimitKind": "planner.planning.limits",
    "Measurement": "planner.bench.measurement",
    "MeasurementError": "planner.base.errors",
    "NothingFitsError": "planner.base.errors",
    "OutputExistsError": "planner.base.errors",
    "Plan": "planner.planning.result",
    "PlannerError": "planner.base.errors",
    "QuantityError": "planner.base.errors",
    "ReleasedModel": "planner.configuration.released",
    "RequestCost": "planner.costs.request",
    "Runs": "planner.runs",
    "RunsError": "planner.base.errors",
    "SpecError": "planner.base.errors",
    "UnknownNameError": "planner.base.errors",
    "Verdict": "planner.bench.verdict",
    "Workload": "planner.costs.stages",
    "ask": "planner.vlm.answering:answer",
    "build": "planner.vlm.build",
    "build_released": "planner.make.released",
    "calibrate": "planner.bench.calibrate",
    "calibrate_engine": "planner.bench.calibration.engine",
    "capacity": "planner.planning.capacity",
    "compare": "planner.laws.compare",
    "compare_measurements": "planner.bench.comparing",
    "cost": "planner.costs.request:request_cost",
    "doctor": "planner.bench.doctor",
    "evidence": "planner.laws.hierarchy.listing",
    "export_llm": "planner.vlm.saving",
    "find_hardware": "planner.hardware",
    "find_llms": "planner.parts.catalog",
    "find_vision": "planner.parts.catalog",
    "fit": "planner.laws.fit",
    "fit_average": "planner.laws.averaging",
    "fit_joint": "planner.laws.joint",
    "hardware_catalog": "planner.hardware",
    "holdout": "planner.laws.holdout:hold_out",
    "intervals": "planner.laws.parameters",
    "iterations": "planner.costs.iteration",
    "lack_of_fit": "planner.laws.lack_of_fit",
    "llm_catalog": "planner.parts.catalog",
    "load_law": "planner.laws.shipped",
    "load_llm_config": "planner.parts.catalog",
    "load_mix": "planner.laws.shipped",
    "load_model": "planner.vlm.saving",
    "load_plan": "planner.planning.load_plan",
    "make_recipe": "planner.vlm.recipe",
    "measure": "planner.bench.measure",
    "measure_released": "planner.bench.released",
    "measure_device": "planner.bench.calibration.take",
    "next_run": "planner.planning.next_run",
    "open_explorer": "planner.explore.open",
    "optimum": "planner.planning.optimum",
    "plan": "planner.planning.search",
    "plot_frontier": "planner.tell.plots.frontier:frontier",
    "plot_law": "planner.tell.plots.law:law_over_flops",
    "plot_profiles": "planner.tell.plots.profiles:profiles",
    "plot_load": "planner.tell.plots.load:load",
    "plot_timeline": "planner.tell.plots.load:timeline",
    "plot_residuals": "planner.tell.plots.law:residuals",
    "mean_over_tasks": "planner.runs.tasks",
    "read_runs": "planner.runs.read",
    "Imported": "planner.runs.results",
    "import_results": "planner.runs.results",
    "register": "planner.base.registry",
    "replan": "planner.planning.load_plan",
    "released_cost": "planner.costs.request",
    "released_ids": "planner.parts.released",
    "find_checkpoint": "planner.parts.released",
    "Checkpoint": "planner.parts.released",
    "ImageMix": "planner.parts.images",
    "request_flops": "planner.costs.request",
    "save_model": "planner.vlm.saving",
    "serve_model": "planner.serve.open",
    "shipped_names": "planner.laws.shipped",
    "validate": "planner.runs.read",
    "verify": "planner.bench.verify",
    "verify_grid": "planner.bench.grid",
    "vision_catalog": "planner.parts.catalog",
    "write_runs": "planner.runs.write",
}
"""Public name -> the module that has it, with ":" and its name there where that is another. Loaded when asked for."""


def _released_hint(taken: tuple[str, ...], name: str, value: Any) -> str:
    """Which function costs a released model, where `cost` is asked for one."""
    say = f"planner.released_cost costs a released model: say planner.released_cost(hub_id, {name}=...)"
    return say if name in ("image", "knobs", "count_with") else ""


def _limit_hint(taken: tuple[str, ...], name: str, value: Any) -> str:
    """Where a limit belongs that was given beside the budget."""
    if "budget" not in taken:
        return ""
    from planner.planning.limits.kinds import said_in_a_budget

    return said_in_a_budget(name, value)


def _public(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A function that is defined here."""
    return _with_suggestions(function, function.__name__, _limit_hint)


@_public
def write_report(
    plan: Told,
    path: str | os.PathLike[str],
    verdict: Verdict | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write the deployment recommendation of a plan: a page (.html), text (.md) or its numbers (.json).

    A law, a cost, an accelerator, measurements, a calibration, a verdict, and what `compare`, `holdout`, `next_run` and
    `optimum` return are written the same way; `planner.register` takes further renderers.

    Args:
        plan: a plan, its dictionary or its JSON file; or one of those things, its file, or a folder of measurements.
        path: the file to write.
        verdict: what was measured of the pick, if it was: a Verdict, its dictionary, or its JSON file.
        overwrite: whether a file that is there may be replaced.

    Raises:
        InputError: another suffix, what cannot be read or written, or a verdict of something that is no plan.
        OutputExistsError: the file exists and `overwrite` is false.
    """
    from planner.tell.stories import write_story

    return write_story(plan, path, verdict, overwrite=overwrite)


@_public
def load_hardware(path: str | os.PathLike[str]) -> Hardware:
    """Read a hardware profile, written by `Hardware.save`, `vlm-planner calibrate` or by hand. Raises InputError."""
    from planner.hardware import Hardware

    return Hardware.load(path)


@_public
def load_measurement(path: str | os.PathLike[str]) -> Measurement:
    """Read a measurement that `vlm-planner measure -o` wrote. Raises InputError."""
    from planner.bench.measurement import Measurement

    return Measurement.load(path)


@_public
def load_verdict(path: str | os.PathLike[str]) -> Verdict:
    """Read a verdict that `vlm-planner verify -o` wrote. Raises InputError."""
    from planner.bench.verdict import Verdict

    return Verdict.load(path)


def _above() -> _Above:
    """The rooms above those of the results, loaded when a result is shown."""
    from planner.tell import above

    return above


_stands_under(_above)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if not TYPE_CHECKING:  # type checkers read the imports above, so that they know every name, and no other

    def __getattr__(name: str) -> Any:
        """A public name, from the module that has it; `build`, `verify` and the like load torch and transformers."""
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, own = _WHERE[name].partition(":")
        try:
            found = getattr(import_module(module), own or name)
        except ImportError as error:
            missing = error.name or str(error)
            if missing.split(".")[0] == "planner":
                raise
            from planner.base.errors import InputError

            heavy = module.startswith(("planner.vlm", "planner.make", "planner.bench"))
            what, extra = ("torch and transformers", "[vlm]") if heavy else (missing, "")
            which = "" if isinstance(error, ModuleNotFoundError) else f" ({' '.join(str(error).split())[:120]})"
            raise InputError(f"{name} needs {what}: pip install 'vlm-planner{extra}'{which}") from None
        globals()[name] = found = _with_suggestions(found, name, _released_hint if name == "cost" else _limit_hint)
        return found
