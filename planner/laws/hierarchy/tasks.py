"""Tasks by name: those that the evidence holds, and what nobody has measured, which has a class only.

find_task("docvqa")      DocVQA, a task of reading text
find_task("text")        a task of reading that nobody has measured
"""

from __future__ import annotations

import re
from functools import cache

from planner.base.dataclass import dataclass
from planner.base.errors import UnknownNameError

CLASSES = ("text", "general", "knowledge", "localisation")
"""Reading text in images; general questions; knowledge beside the image; pointing at places."""

_ALSO_CALLED = {
    "infographicvqa": "InfoVQA",
    "scienceqa": "SQA",
    "scienceqaimg": "SQA",
    "mmbench": "MMB",
    "seedbench": "SEED",
    "seedbenchimg": "SEED (images)",
    "seedi": "SEED (images)",
    "aokvqa": "A-OKVQA",
    "vizwizvqa": "VizWiz",
    "llavabench": "LLaVA-B",
    "llavabenchw": "LLaVA-B",
    "llavaw": "LLaVA-B",
    "mmeperception": "MME",
    "scenetextvqa": "ST-VQA",
    "reasoningmean": "visual reasoning (mean)",
    "ocrmean": "text reading (mean)",
}

_RUNS_ALSO_CALL = {
    "ocrlikemean": "text reading (mean)",
    "visualreasoningmeanofthepapersbenchmarks": "visual reasoning (mean)",
}
"""Tasks of the shipped laws."""

_SPLITS = ("val", "validation", "test", "testdev", "dev", "mini", "testmini", "balanced", "en")
"""What evaluation tools write behind a benchmark's name."""


@dataclass(frozen=True)
class EvidenceTask:
    """A task that errors can be asked of."""

    name: str
    """As the evidence calls it; of one that nobody has measured, its class."""
    task_class: str
    measured: bool

    @property
    def title(self) -> str:
        """ "DocVQA", "a text task that nobody has measured"."""
        if self.measured:
            return self.name
        return f"a {self.task_class} task that the evidence does not hold"


def find_task(name: str) -> EvidenceTask:
    """A task by name, without regard to case, spaces and signs; or a class, for a task that nobody has measured.

    Raises:
        UnknownNameError: the evidence holds no such task, and it is no class.
    """
    found = task_named(name)
    if found is None:
        names = task_names()
        known, count = ", ".join(CLASSES), len(names) - len(CLASSES)
        raise UnknownNameError(
            "task of the evidence",
            name,
            names,
            f"vlm-planner evidence lists all {count}; a task that is not among them is asked for by its class: {known}",
        )
    return found


def task_names() -> tuple[str, ...]:
    """Everything that can be asked for."""
    from planner.laws.hierarchy.rows import task_classes  # laws of other kinds do not pay for its import

    return (*task_classes(), *CLASSES)


def task_named(name: object) -> EvidenceTask | None:
    """As `find_task`; None where there is none."""
    if not isinstance(name, str):
        return None
    from planner.laws.hierarchy.rows import task_classes

    plain = _plain(name)
    if plain in CLASSES:
        return EvidenceTask(plain, plain, measured=False)
    own = _by_plain_name().get(plain) or _ALSO_CALLED.get(plain)
    return None if own is None else EvidenceTask(own, task_classes()[own], measured=True)


def task_of_runs(name: str) -> EvidenceTask | None:
    """As `task_named`, also as evaluation tools write it, with its split: "docvqa_val", "MMBench_DEV_EN"."""
    words = re.split(r"[_\s-]+", name.strip())
    found = task_named(name) or task_named(_RUNS_ALSO_CALL.get(_plain(name)))
    while found is None and len(words) > 1 and words[-1].lower() in _SPLITS:
        words.pop()
        found = task_named("_".join(words))
    return found


@cache
def _by_plain_name() -> dict[str, str]:
    from planner.laws.hierarchy.rows import task_classes

    return {_plain(name): name for name in task_classes()}


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum() or sign == "+")
