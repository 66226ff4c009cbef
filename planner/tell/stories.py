"""The story of a thing as a document, and as a file: a plan, a law, a cost, a measurement, a verdict and the like."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any, TypeAlias

from planner.base.errors import InputError
from planner.base.file_format import file_name
from planner.base.files import refuse_existing, write_text
from planner.base.quantities import shown
from planner.bench.calibration.engine_result import EngineCalibration
from planner.bench.calibration.result import Calibration
from planner.bench.comparison import MeasurementComparison
from planner.bench.grid_verdict import GridVerdict
from planner.bench.measurement import Measurement
from planner.bench.verdict import Verdict
from planner.costs.request import RequestCost
from planner.hardware import Hardware
from planner.laws.combined import CombinedLaw
from planner.laws.compare import FormEvidence
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.hierarchy.listing import Evidence
from planner.laws.holdout import HoldOut
from planner.laws.joint import JointFit
from planner.planning.capacity_result import Capacity
from planner.planning.continuous import ContinuousOptimum
from planner.planning.evaluating.result import NextEvaluations
from planner.planning.load_plan import PlanLike
from planner.planning.next_run import NextMeasurement
from planner.planning.result import Plan
from planner.tell.calibration import calibration_story
from planner.tell.capacity import capacity_story
from planner.tell.changes import changes_story
from planner.tell.comparison import comparison_story
from planner.tell.cost import cost_story
from planner.tell.document import Document
from planner.tell.engine_calibration import engine_calibration_story
from planner.tell.evidence import evidence_story
from planner.tell.files import load_any
from planner.tell.hardware import hardware_story
from planner.tell.holdout import holdout_story
from planner.tell.law import joint_story, law_story
from planner.tell.measurement import measurement_story, measurements_story
from planner.tell.next_evaluations import next_evaluations_story
from planner.tell.next_run import next_run_story
from planner.tell.optimum import optimum_story
from planner.tell.parameters import known_intervals
from planner.tell.recommendation.story import VerdictLike, tell
from planner.tell.render import renderer_of
from planner.tell.verdict import grid_story, verdict_story

Told: TypeAlias = (
    "PlanLike | FittedLaw | CombinedLaw | JointFit | RequestCost | Capacity | Hardware | Measurement "
    "| MeasurementComparison | Calibration | EngineCalibration | Verdict | GridVerdict | HoldOut | NextMeasurement "
    "| ContinuousOptimum | Evidence | EvidenceLaw "
    "| Sequence[Measurement] | Sequence[FormEvidence]"
)
"""What has a story; a mapping is that of a plan, a path that of any file that we write."""


@singledispatch
def story_of(thing: Any, verdict: VerdictLike | None = None) -> Document:
    """The document of a thing: of a plan the deployment recommendation, with what was measured of the pick if it was.

    Args:
        thing: one of `Told`; a path may be that of a folder of measurements.
        verdict: of a plan's pick, its dictionary or its file.

    Raises:
        InputError: nothing is told of such a thing, or a plan or verdict that cannot be read.
    """
    raise InputError(
        f"nothing to report of {shown(thing)}; expected a plan, its dictionary or the path of its file, a law, a cost, "
        "a Hardware, a measurement, a calibration, a verdict, or what compare, holdout, next_run or optimum returned"
    )


for _plan in (Plan, Mapping):
    story_of.register(_plan, tell)
story_of.register(CombinedLaw, law_story)
story_of.register(EvidenceLaw, law_story)
story_of.register(RequestCost, cost_story)
story_of.register(Capacity, capacity_story)
story_of.register(Hardware, hardware_story)
story_of.register(Measurement, measurement_story)
story_of.register(Calibration, calibration_story)
story_of.register(EngineCalibration, engine_calibration_story)
story_of.register(Verdict, verdict_story)
story_of.register(GridVerdict, grid_story)
story_of.register(MeasurementComparison, changes_story)
story_of.register(HoldOut, holdout_story)
story_of.register(NextMeasurement, next_run_story)
story_of.register(NextEvaluations, next_evaluations_story)
story_of.register(ContinuousOptimum, optimum_story)
story_of.register(Evidence, evidence_story)


@story_of.register(FittedLaw)
def _story_of_law(law: FittedLaw) -> Document:
    """With what the runs do not determine, which takes the intervals."""
    return law_story(law, known_intervals(law))


@story_of.register(JointFit)
def _story_of_joint(joint: JointFit) -> Document:
    return joint_story(joint, {name: known_intervals(law) for name, law in joint.laws.items()})


@story_of.register(str)
@story_of.register(os.PathLike)
def _story_of_file(path: str | os.PathLike[str], verdict: VerdictLike | None = None) -> Document:
    found = load_any(path)
    return tell(found, verdict, file_name(path)) if isinstance(found, Plan) else told(found, verdict)


_OF_MANY: dict[type, Callable[[Any], Document]] = {Measurement: measurements_story, FormEvidence: comparison_story}
"""Of several things of one type."""


@story_of.register(tuple)
@story_of.register(list)
def _story_of_many(things: Sequence[Any]) -> Document:
    kinds = {type(thing) for thing in things}
    stories = [story for kind, story in _OF_MANY.items() if kinds == {kind}]
    if not stories:
        raise InputError(f"nothing to report of {shown(things)}; expected measurements, or what compare returned")
    return stories[0](things)


def write_story(
    thing: Any, path: str | os.PathLike[str], verdict: VerdictLike | None = None, *, overwrite: bool = False
) -> Path:
    """Write the document of a thing by the renderer of the file's suffix.

    Args:
        thing: as of `story_of`.
        path: the file to write.
        verdict: what was measured of a plan's pick.
        overwrite: whether a file that is there may be replaced.

    Raises:
        InputError: another suffix, a thing of which nothing is told, a verdict without a plan, or what cannot be
            read or written.
        OutputExistsError: the file exists and `overwrite` is false.
    """
    renderer = renderer_of(path, "a report")
    refuse_existing(Path(path), overwrite)
    return write_text(path, renderer.render(told(thing, verdict)), overwrite=overwrite)


def told(thing: Any, verdict: VerdictLike | None = None) -> Document:
    """The document of a thing, as `story_of`. Raises InputError for a verdict of something that is no plan too."""
    if verdict is None:
        return story_of(thing)
    if story_of.dispatch(type(thing)) in (tell, _story_of_file):
        return story_of(thing, verdict)
    raise InputError(f"verdict: only a plan is reported with a verdict, got one with {shown(thing)}")
