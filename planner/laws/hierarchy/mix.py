"""What a law of published results is asked of: tasks with their shares, own runs, and images of other sizes."""

from __future__ import annotations

from typing import Annotated

from planner.base.dataclass import dataclass
from planner.base.stored import Choice
from planner.laws.hierarchy.tasks import CLASSES, EvidenceTask


@dataclass(frozen=True)
class TaskShare:
    """One task of a mix."""

    task: str
    """As the evidence calls it; of one that nobody has measured, its class."""
    task_class: Annotated[str, Choice(CLASSES)]
    share: float
    """Of the workload; the shares of a mix sum to 1."""

    @property
    def asked(self) -> EvidenceTask:
        return EvidenceTask(self.task, self.task_class, measured=self.task not in CLASSES)


@dataclass(frozen=True)
class OwnCell:
    """A run of one's own, on which the hierarchy is conditioned too."""

    llm: str
    llm_params: float
    """Nominal size in parameters."""
    visual_tokens: float
    compressor: str
    """"" where the runs do not say."""
    task: str
    """Of the mix, as the evidence calls it."""
    error: float
    error_se: float | None
    """Its standard error; None where it is not known."""


@dataclass(frozen=True)
class TokenScale:
    """How many more visual tokens a released model makes of a task's own images than of those of a plan.

    A published result is of the task's own images: pages of some 1,700 x 2,200 pixels for DocVQA. With T visual tokens
    of an image of the plan at some setting of the processor, T0 at the published setting, and S of an image of the task
    at the published setting, the results are read at

        S T / T0

    tokens: as published where nothing is turned, and with as small a share of them as of the plan's otherwise.
    """

    model: str
    """Name of the released model."""
    task: str
    """As the evidence calls it."""
    factor: float
    """S / T0."""
