"""Whether a law may say how sure it is of the models that it ranks.

A law's interval and its draws know the scatter of its own runs. Released models of other families stand above or below
it by amounts that these runs say nothing of, so that neither an interval of their error nor the probability that one of
them is the best is known, until runs of these very models are among those that the law was fitted to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from planner.laws.combined import Law, single_laws
from planner.parts.catalog import family_of
from planner.planning.tried import Released

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


def not_known(law: Law, released: Released | None) -> str:
    """Why neither interval nor odds are known, in a sentence; "" where released models are not ranked without runs."""
    missing = unmeasured([law], released)
    if released is None or not missing:
        return ""
    some = len(missing) < len(released.selection.checkpoints)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    if some:
        fitted = f"fitted to runs of some of these models, not to {missing[0]}{more}"
    else:
        fitted = f"{_origin(law)}, not to these, which were trained otherwise"
    return (
        f"the law was {fitted}: the interval of the error and the probability of being best are not "
        "known; evaluate the first few before you choose"
    )


def _is_among(one: Checkpoint, names: set[str]) -> bool:
    return bool(names & {one.name.lower(), one.hub_id.lower()})


def _origin(law: Law) -> str:
    """ "fitted to models of Qwen1.5"."""
    families = sorted({family_of(name) or name for name in law.llms})
    if families:
        return f"fitted to models of {', '.join(families)}"
    return "fitted to runs that name no model" if law.n_runs else "given by hand"
