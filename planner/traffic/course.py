"""What a run of an engine needs, and what it leaves."""

from __future__ import annotations

from typing import NamedTuple

from planner.base.dataclass import dataclass

INFINITY = float("inf")


@dataclass(frozen=True)
class Room:
    """What bounds an iteration, and how images are encoded."""

    sequences: int
    tokens: int
    chunked: bool
    blocks: float
    """Of the KV cache; infinite: no bound."""
    block_tokens: int
    encoders: int
    """GPUs that an iteration's images are dealt out to; 0: a process in front of the engine encodes them."""
    encode_apart_s: float
    """Of that process, for an image."""
    ahead: bool = False
    """Whether an iteration is filled while the one before it runs."""


@dataclass(frozen=True)
class Work:
    """The requests of a run, one per row, in the order in which they come."""

    comes_s: list[float]
    """Infinite for those that come when another ends."""
    prompt_tokens: list[int]
    generated_tokens: list[int]
    cached_tokens: list[int]
    images: list[int]


class Step(NamedTuple):
    """One iteration, or several of decode steps alone with the same sequences."""

    start_s: float
    seconds: float
    iterations: int
    decodes: int
    """Sequences that get one more token, in each."""
    prefill_tokens: int
    prompts: int
    """That have a chunk in it."""
    images: int
    """That a GPU encodes in it."""
    waiting: int
    """Requests that wait meanwhile."""


class Totals(NamedTuple):
    """Up to some time."""

    time_s: float
    busy_s: float
    """In which an iteration ran."""
    running_s: float
    """Of all sequences together."""
    waiting_s: float
    """In front of the scheduler, of all requests together."""
    preemptions: int
    prefill_tokens: int
    """Computed, those computed again included."""
    decode_steps: int
    """Of all sequences."""
    images: int
    iterations: int


@dataclass
class Course:
    """What happened, one entry per request."""

    comes_s: list[float]
    enters_s: list[float]
    """When it reached the scheduler: after a process in front of the engine has encoded its images."""
    first_s: list[float]
    """When its first token was there."""
    end_s: list[float]
    marks: list[Totals]
    """When the requests that were asked for had come, and at the end."""
    steps: list[Step]
    """Those asked for."""
