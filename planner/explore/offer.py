"""The fixed lists that the page chooses from: a name from a link reaches the planner only if it stands in one of them.

The planner takes paths where it takes names of laws, models and cards. A page must not: a link comes from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.registry import load_entry_points
from planner.configuration import PROMPT_ORDERS
from planner.hardware import hardware_catalog
from planner.hardware.precision import WEIGHT_PRECISIONS
from planner.laws.combined import Law
from planner.laws.shipped import DEFAULT_LAW, load_law, load_mix, shipped_names
from planner.parts.catalog import compressor_catalog, llm_catalog
from planner.planning.deployment import BATCHES_TRIED
from planner.planning.limits import LIMITS, LimitKind
from planner.planning.published import law_on_task
from planner.planning.under_load.asked import SCHEDULERS

MIX = "mix"
"""The law that weighs visual reasoning and reading."""
OWN = "own"
"""The law that the explorer was started with: of a file, of a task, of a mix."""


@dataclass(frozen=True)
class Offer:
    """What can be chosen, each list in the order in which it is shown."""

    laws: Mapping[str, Law | None]
    """By the name in a link; None is the mix, which depends on its shares."""
    law: str
    """The one that a fresh page has."""
    own_words: tuple[str, ...]
    """Options of the command that plans by the own law: ("--task", "docvqa"); () without one."""
    own_notes: tuple[str, ...]
    """What was made of what it was started with, where that is not what it says."""
    llms: tuple[str, ...]
    """Families."""
    hardware: tuple[str, ...]
    compressors: tuple[str, ...]
    prompt_orders: tuple[str, ...]
    precisions: tuple[str, ...]
    """Of the LLM."""
    batches: tuple[int, ...]
    schedulers: tuple[str, ...]
    limits: tuple[LimitKind, ...]
    """Those that have a slider."""

    def law_of(self, name: str, ocr_percent: int) -> Law:
        """The law of a name in `laws`."""
        law = self.laws[name]
        return mixed_law(ocr_percent) if law is None else law


def make_offer(law: str | None = None, *, task: str | None = None, mix: str | None = None) -> Offer:
    """All that is shipped, and a law more where the path of one is given, or a task, or a mix.

    Raises:
        InputError: a bad law, or a mix beside a law or a task.
        UnknownNameError: the evidence holds no such task.
    """
    shipped = sorted({name for name, _ in shipped_names()}, key=lambda name: (name != DEFAULT_LAW, name))
    load_entry_points()  # what installed packages add is on offer too
    laws: dict[str, Law | None] = {name: load_law(name) for name in shipped} | {MIX: None}
    own = _own(law, task, mix, shipped)
    if own is not None:
        laws[OWN] = own[0]
    return Offer(
        laws=laws,
        law=law or DEFAULT_LAW if own is None else OWN,
        own_words=() if own is None else own[1],
        own_notes=() if own is None else own[2],
        llms=tuple(dict.fromkeys(spec.family for spec in llm_catalog().values())),
        hardware=tuple(hardware_catalog()),
        compressors=tuple(compressor_catalog()),
        prompt_orders=PROMPT_ORDERS,
        precisions=WEIGHT_PRECISIONS,
        batches=BATCHES_TRIED,
        schedulers=SCHEDULERS,
        limits=tuple(kind for kind in LIMITS if kind.slider is not None),
    )


def _own(
    law: str | None, task: str | None, mix: str | None, shipped: Sequence[str]
) -> tuple[Law, tuple[str, ...], tuple[str, ...]] | None:
    """The law that is none of the shipped ones, the options that name it, and its notes; None where there is none."""
    if mix is not None:
        if law is not None or task is not None:
            raise InputError("mix: a mix names its laws and tasks itself; leave out law= and task=")
        return load_mix(mix), ("--mix", mix), ()
    if task is not None:
        words = ("--task", task) if law is None else ("--task", task, "--law", law)
        found, notes = law_on_task(law, task, None)
        return found, words, notes
    if law is None or law in shipped:
        return None
    return load_law(law), ("--law", law), ()


def mix_text(ocr_percent: int) -> str:
    """A mix as `--mix` reads it: "reasoning=0.7,ocr=0.3"; a task without a share is left out."""
    shares = {"reasoning": 100 - ocr_percent, "ocr": ocr_percent}
    return ",".join(f"{name}={percent / 100}" for name, percent in shares.items() if percent)


@cache
def mixed_law(ocr_percent: int) -> Law:
    """Reasoning and reading, weighted. The same share gives the same object: what is known of a law is kept with it."""
    return load_mix(mix_text(ocr_percent))
