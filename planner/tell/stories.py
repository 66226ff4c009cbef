"""The story of a thing as a document, and as a file: a plan, a law, a cost, a verdict, an accelerator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import singledispatch
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.files import refuse_existing, write_text
from planner.base.quantities import shown
from planner.bench.grid_verdict import GridVerdict
from planner.bench.verdict import Verdict
from planner.costs.request import RequestCost
from planner.hardware import Hardware
from planner.laws.combined import CombinedLaw
from planner.laws.fitted import FittedLaw
from planner.planning.result import Plan
from planner.tell.cost import cost_story
from planner.tell.document import Document
from planner.tell.hardware import hardware_story
from planner.tell.law import law_story
from planner.tell.recommendation.story import VerdictLike, tell
from planner.tell.render import renderer_of
from planner.tell.verdict import grid_story, verdict_story


@singledispatch
def story_of(thing: Any, verdict: VerdictLike | None = None) -> Document:
    """The document of a thing: of a plan the deployment recommendation, with what was measured of the pick if it was.

    Args:
        thing: a plan, its dictionary or its file; a law, a cost, a verdict or a Hardware.
        verdict: of a plan's pick, its dictionary or its file.

    Raises:
        InputError: nothing is told of such a thing, or a plan or verdict that cannot be read.
    """
    raise InputError(
        f"nothing to report of {shown(thing)}; expected a plan, its dictionary or the path of its file, a law, a cost, "
        "a verdict or a Hardware"
    )


for _plan in (Plan, Mapping, str, os.PathLike):
    story_of.register(_plan, tell)
story_of.register(FittedLaw, law_story)
story_of.register(CombinedLaw, law_story)
story_of.register(RequestCost, cost_story)
story_of.register(Verdict, verdict_story)
story_of.register(GridVerdict, grid_story)
story_of.register(Hardware, hardware_story)


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
    if verdict is None:
        document = story_of(thing)
    elif story_of.dispatch(type(thing)) is tell:
        document = story_of(thing, verdict)
    else:
        raise InputError(f"verdict: only a plan is reported with a verdict, got one with {shown(thing)}")
    return write_text(path, renderer.render(document), overwrite=overwrite)
