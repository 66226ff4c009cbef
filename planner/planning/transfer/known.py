"""Which released models a law knows, and where it says nothing of how far another model stands from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from planner.laws.combined import Law, single_laws
from planner.planning.tried import Released
from planner.runs.table import ERROR

if TYPE_CHECKING:
    from planner.parts.released import Checkpoint


def unmeasured(laws: Iterable[Law], released: Released | None) -> tuple[str, ...]:
    """Names of the released models that a law ranks without runs of them; () where parts to train from are ranked.

    A run names its model by hub id or by the last part of it. Every law asks for itself: in a mix, that of each task.
    """
    if released is None:
        return ()
    named = [{name.lower() for name in one.llms} for law in laws for one in single_laws(law)]
    found = (one for one in released.selection.checkpoints if not all(_is_among(one, names) for names in named))
    return tuple(one.name for one in found)


def beside_the_sequence(name: str) -> str:
    """Why no law says anything of a model whose images enter by cross-attention."""
    return (
        f"the image tokens of {name} are read by cross-attention and never enter the language model's sequence, which "
        "is what the law's T counts"
    )


def nameless(laws: Iterable[Law]) -> bool:
    """Whether the runs of a law name no model, so that nobody can say whether others stand off them."""
    return any(not one.llms for law in laws for one in single_laws(law))


def nothing_known(laws: Iterable[Law], released: Released | None) -> bool:
    """Whether nothing says how far released models stand off a law: its runs name no model, or it predicts a loss, and
    some model is none of its own."""
    laws = tuple(laws)
    of_losses = any(law.predicts != ERROR for law in laws)
    return bool((of_losses or nameless(laws)) and unmeasured(laws, released))


def not_known(law: Law, released: Released | None) -> str:
    """Why neither interval nor odds are known of released models, in a sentence; "" where they are.

    How far models of another family, recipe and connector stand from those of a law is known from what is published,
    but not whether models are others where the runs name none, nor anything of a law without runs.
    """
    missing = unmeasured([law], released)
    if not missing or (law.n_runs and not nothing_known([law], released)):
        return ""
    named = "of losses" if law.predicts != ERROR else "that name no model"
    origin = f"fitted to runs {named}" if law.n_runs else "given by hand"
    return (
        f"the law was {origin}, not to these, which were trained otherwise: the interval of the error and the "
        "probability of being best are not known; evaluate the first few before you choose"
    )


def _is_among(one: Checkpoint, names: set[str]) -> bool:
    return bool(names & {one.name.lower(), one.hub_id.lower()})
