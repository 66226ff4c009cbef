"""What an evaluation tool wrote about one model on one task, before any number is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from planner.base.dataclass import dataclass


@dataclass(frozen=True)
class Reading:
    """One model on one task, as one file says it: all its metrics, on the file's own scales."""

    model: str
    """The model's name in the file."""
    task: str
    """The task, as the tool calls it."""
    values: Mapping[str, float]
    """Raw values by metric key, such as "exact_match,none"."""
    file: str
    """Path of the file, for messages."""
    names: tuple[str, ...] = ()
    """Further texts in which the LLM and the visual tokens may hide: arguments, folders, the path."""
    when: str = ""
    """When it was evaluated, in a form that sorts; empty where neither the file nor its name says it."""
    standard_errors: Mapping[str, float] = field(default_factory=dict)
    """Standard errors by metric key, on the scale of the values; only those whose unit is sure."""
    samples: int | None = None
    """Evaluated samples."""
    limited: str = ""
    """What a smoke run left out ("8 of 12578 samples"); empty for a whole one."""
    unfinished: str = ""
    """What stopped the evaluation, or how far it got; empty for one that ended."""
    subtasks: tuple[str, ...] = ()
    """Tasks that this one sums up, for a group."""
    llm: str = ""
    """Language model inside, where the file names it: "Qwen2.5-7B"."""
    seed: str = ""
    """Seed of a repetition, where the file says it."""
    full_mark: float | None = None
    """Full mark of its one metric, where the file itself says it: a table of percentages does."""
    note: str = ""
    """How the value was read, where it could be meant otherwise."""
    unread: tuple[str, ...] = ()
    """Metrics that hold no number, with what they hold."""

    @property
    def cell_texts(self) -> tuple[str, ...]:
        """Texts in which a pattern is looked for: the name, each further text, and all of them in one."""
        parts = (self.model, *self.names)
        return (*parts, " ".join(parts)) if len(parts) > 1 else parts
