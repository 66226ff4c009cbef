"""The story of a thing that is not a plan: a law, a cost, a verdict, an accelerator."""

from __future__ import annotations

import os
from functools import singledispatch
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.files import refuse_existing, write_text
from planner.base.quantities import shown
from planner.bench.grid import GridVerdict
from planner.bench.verdict import Verdict
from planner.costs.request import RequestCost
from planner.hardware import Hardware
from planner.laws.combined import CombinedLaw
from planner.laws.fitted import FittedLaw
from planner.tell.cost import cost_story
from planner.tell.document import Document
from planner.tell.hardware import hardware_story
from planner.tell.law import law_story
from planner.tell.render import renderer_of
from planner.tell.verdict import grid_story, verdict_story


@singledispatch
def story_of(thing: Any) -> Document:
    """The document of a thing. Raises InputError where nothing is told of such a thing."""
    raise InputError(f"nothing to report of {shown(thing)}; expected a law, a cost, a verdict or a Hardware")


story_of.register(FittedLaw, law_story)
story_of.register(CombinedLaw, law_story)
story_of.register(RequestCost, cost_story)
story_of.register(Verdict, verdict_story)
story_of.register(GridVerdict, grid_story)
story_of.register(Hardware, hardware_story)


def is_told(thing: Any) -> bool:
    """Whether it has a story of its own; a plan's is the recommendation."""
    return story_of.dispatch(type(thing)) is not story_of.dispatch(object)


def write_story(thing: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write the document of a thing by the renderer of the file's suffix. Raises InputError, OutputExistsError."""
    renderer = renderer_of(path, "a report")
    refuse_existing(Path(path), overwrite)
    return write_text(path, renderer.render(story_of(thing)), overwrite=overwrite)
