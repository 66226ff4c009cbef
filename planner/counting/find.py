"""Models that are known, or counted where they are not and that is asked for; else refused with what can be done."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from planner.base.errors import UnknownArchitectureError, UnknownNameError
from planner.parts.released import Checkpoint, find_checkpoint
from planner.parts.released.find import read_folder

COUNTERS = ("transformers",)
"""Libraries that can count an architecture that is not known here."""


def found_or_counted(model: str | os.PathLike[str] | Checkpoint, count_with: str | None) -> Checkpoint:
    """A model, counted where it is not known and that is asked for.

    Args:
        model: hub id, folder, config.json, or the checkpoint itself.
        count_with: one of COUNTERS; None: what is not known is refused.

    Raises:
        UnknownNameError: no such model or counter.
        UnknownArchitectureError: an architecture that is not known, and is not to be counted.
        InputError: files that cannot be read, or a model that cannot be counted either.
    """
    if count_with is not None and count_with not in COUNTERS:
        raise UnknownNameError("counter", count_with, COUNTERS)
    try:
        found = find_checkpoint(model)
    except UnknownArchitectureError as error:
        assert not isinstance(model, Checkpoint)
        if count_with is not None:
            from planner.counting.checkpoint import counted_checkpoint  # only who asks for it pays for its import

            return counted_checkpoint(model)
        offered = "; the transformers installed here may count it: count_with='transformers'"
        raise UnknownArchitectureError(f"{error}{offered if _countable(model) else ''}") from None
    if count_with is None:
        return found
    said = f"its architecture is known exactly, so nothing was counted with {count_with}"
    return replace(found, notes=(*found.notes, said))


def found_for_a_plan(model: str | os.PathLike[str] | Checkpoint) -> Checkpoint:
    """A model that is known; no library counts how a model cuts images, so a counted one cannot be planned.

    Raises:
        UnknownNameError: no such model.
        UnknownArchitectureError: an architecture that is not known.
        InputError: files that cannot be read.
    """
    try:
        return find_checkpoint(model)
    except UnknownArchitectureError as error:
        assert not isinstance(model, Checkpoint)
        offered = (
            "; the transformers installed here may count its language model, though not its images, which a plan "
            f"needs: vlm-planner cost {os.fspath(model)} --images 0 --count-with transformers"
        )
        raise UnknownArchitectureError(f"{error}{offered if _countable(model) else ''}") from None


def _countable(model: str | os.PathLike[str]) -> bool:
    """Whether the installed transformers has a model of that type."""
    spec = find_spec("transformers")
    if spec is None or not spec.submodule_search_locations:
        return False
    _, config, _ = read_folder(Path(model))
    kind = str(config.get("model_type") or "").replace("-", "_")
    folder = Path(next(iter(spec.submodule_search_locations))) / "models" / kind
    return kind.isidentifier() and folder.is_dir() and find_spec("torch") is not None
