"""What every engine says: the command that serves a model, or in one sentence why it cannot.

An engine is an object with `serve`, registered by its name; a new one is a subclass in a file of its own. What an
engine takes is read from its sources, whose version it names; nothing is passed on that is not known to be taken.
"""

from __future__ import annotations

import math
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import format_bytes, format_percent, whole_number
from planner.base.registry import Registry
from planner.configuration import Run
from planner.configuration.released import ReleasedModel
from planner.costs.memory import Memory
from planner.hardware import Hardware, released_precision
from planner.parts.images.base import RESIZE, Setting
from planner.traffic.scheduler import Scheduler

NOT_RUN = "not run"
TIGHT_BYTES = 2 * 2**30
"""Engines take 1 to 2 GiB for graphs of decode steps and for prefills of several thousand tokens."""


class Refused(Exception):
    """An engine does not take something. Its text is one sentence."""


@dataclass(frozen=True)
class EngineCommand:
    """What to type for one engine."""

    engine: str
    """Its name in the registry: "vllm"."""
    title: str
    """As its makers write it."""
    command: str | None
    """A shell command; None where the engine does not take the model or a setting."""
    refusal: str | None = None
    """Why there is no command, in one sentence."""
    knob: str = ""
    """The part of the command that turns the model's knobs; "" where none is turned."""
    client: str = ""
    """What the client must do to each image before it sends it; "" where nothing."""
    checked: str = NOT_RUN
    """ "checked with vLLM 0.33.0": its argument parser accepts the command; "not run" where nobody tried."""
    notes: tuple[str, ...] = ()
    """What is not as planned, or not known."""

    def __str__(self) -> str:
        return self.command or self.refusal or ""


@dataclass(frozen=True)
class Held:
    """What a plan holds on one device, in bytes; engines are told so as a share of the device."""

    weights: float
    kv_cache: float
    """Of the whole batch, at the end of its answers."""
    peak: float
    """At most, all included."""
    reserve: float
    """What driver and libraries take before the engine measures what is free."""
    activations: float
    """What comes and goes, at most."""
    device: float
    """All that the device has."""
    limit: float
    """What the plan may hold of it."""

    @classmethod
    def of(cls, memory: Memory, device_bytes: float, limit_bytes: float | None = None) -> Held:
        """What a candidate holds, on a device of so many bytes; None: all of it may be used."""
        kv_cache = max(float(memory.kv_cache), float(memory.peak_kv_cache))
        return cls(
            weights=float(memory.weights),
            kv_cache=kv_cache,
            peak=float(memory.peak),
            reserve=float(memory.reserve),
            activations=float(memory.activations),
            device=device_bytes,
            limit=device_bytes if limit_bytes is None else min(limit_bytes, device_bytes),
        )

    @property
    def spare(self) -> float:
        """What the plan leaves of its limit."""
        return self.limit - self.peak

    def share_taken(self, by_itself: float, least: float, most: float) -> float:
        """The share of an engine: what it takes by itself, where that is neither too little nor too much."""
        return max(least, min(by_itself, most))


@dataclass(frozen=True)
class Batching:
    """How requests share an engine under a load, as it was planned."""

    scheduler: Scheduler
    kv_tokens: int
    """Tokens that the KV cache has room for."""
    prefix_cache: bool
    """Whether requests find tokens in the KV cache that earlier ones left there."""


@dataclass(frozen=True)
class Asked:
    """What a command must say."""

    model: ReleasedModel
    run: Run
    context_tokens: int | None
    """Longest sequence; None: the model's own."""
    images: int
    """Most images of a prompt."""
    held: Held | None = None
    """What the plan holds; None where that is not known, and the engine takes what it takes by itself."""
    batching: Batching | None = None
    """None without a load: the engine batches as it does by itself."""

    @property
    def path(self) -> str:
        """Hub id, or the folder of a model that has none."""
        checkpoint = self.model.checkpoint
        if checkpoint.hub_id:
            return checkpoint.hub_id
        folder = Path(checkpoint.source)
        return str(folder.parent if folder.suffix == ".json" else folder)

    @property
    def architecture(self) -> str:
        """The class that the model's config.json names."""
        return self.model.checkpoint.architecture

    @property
    def wide(self) -> str:
        """Precision of what is not quantised."""
        own = released_precision(self.run.hardware, self.model.checkpoint.dtype)
        return self.run.precision if self.run.precision in WIDE else own

    @property
    def turned(self) -> Mapping[str, Setting]:
        """Knobs of the image processor that were turned; shrinking the image first is the client's work."""
        return {name: value for name, value in self.model.turned.items() if name != RESIZE.name}


WIDE = ("bf16", "fp16", "fp32")
"""Precisions in which weights are stored as they were released."""


@dataclass(frozen=True, kw_only=True)
class Engine(ABC):
    """A program that serves models."""

    name: str
    title: str
    version: str
    """Of the sources in which its options and models were read."""
    source: str
    """Where they were read."""
    runs_on: Mapping[str, Sequence[str]] | None = None
    """Makers of hardware that its sources name, with the forms of theirs; () are all forms. None: any hardware."""
    not_on: str = ""
    """What to say of other hardware beside that it does not run there."""
    parsed: bool
    """Whether the argument parser of that version accepted the commands (benchmarks/engines.py)."""

    @abstractmethod
    def serve(self, asked: Asked) -> tuple[list[str], list[str], tuple[str, ...]]:
        """Words of the command, those among them that turn the knobs, and notes. Raises Refused."""

    def client(self, asked: Asked) -> str:
        """What the client does to images before it sends them."""
        longest = asked.model.turned.get(RESIZE.name)
        return shrink_text(int(longest)) if longest else ""

    def command(self, asked: Asked) -> EngineCommand:
        """The command, or the sentence why there is none."""
        try:
            self.refuse_elsewhere(asked.run.hardware)
            words, knob, notes = self.serve(asked)
        except Refused as why:
            return EngineCommand(self.name, self.title, None, refusal=str(why))
        return EngineCommand(
            self.name,
            self.title,
            shlex.join(words),
            knob=shlex.join(knob),
            client=self.client(asked),
            checked=f"checked with {self.title} {self.version}" if self.parsed else NOT_RUN,
            notes=notes,
        )

    def refuse_elsewhere(self, card: Hardware | None) -> None:
        """Raises Refused for hardware of a maker or a form that its sources do not name; what names neither may be
        any."""
        if card is None or not card.vendor or self.runs_on is None:
            return
        forms = self.runs_on.get(card.vendor)
        if forms is None or (forms and card.form_factor and card.form_factor not in forms):
            raise Refused(f"{self.title} {self.version}, as known here, does not serve on {card.title}{self.not_on}")

    def refuse_unknown(self, asked: Asked, known: Mapping[str, object] | Sequence[str]) -> None:
        """Raises Refused for an architecture that is not among the known ones."""
        if asked.architecture not in known:
            named = asked.architecture or "a config.json without architectures"
            raise Refused(f"{self.title} {self.version} has no class for {named}; choose another engine or model")


ENGINES: Registry[Engine] = Registry("engine", Engine)


def engine_commands(
    model: ReleasedModel,
    run: Run,
    context_tokens: int | None = None,
    images: int = 1,
    held: Held | None = None,
    batching: Batching | None = None,
) -> tuple[EngineCommand, ...]:
    """How each engine serves a released model as it was planned.

    Args:
        model: the model, its knobs and the image.
        run: precision, KV precision, batch and GPUs.
        context_tokens: longest sequence, prompt and answer together; None: the model's own limit.
        images: most images of a prompt.
        held: what the plan holds on a device; None: the engine takes the share of memory that it takes by itself.
        batching: how requests share the engine; None: it batches as it does by itself.

    Returns:
        One for each engine of `ENGINES`, in their order.

    Raises:
        InputError: more tokens than the model's context, or a number that is no whole number of at least 1.
    """
    images = whole_number(images, "images", 1)
    limit = model.checkpoint.context_tokens
    if context_tokens is not None:
        context_tokens = whole_number(context_tokens, "context_tokens", 1)
        if limit is not None and context_tokens > limit:
            raise InputError(f"context_tokens: {model.checkpoint.name} takes at most {limit}, got {context_tokens}")
    asked = Asked(model, run, context_tokens, images, held, batching)
    return tuple(engine.command(asked) for engine in ENGINES)


def share(bytes_: float, of: float, up: bool) -> float:
    """A share to three digits, as people write it, rounded so that what it is to hold, or to leave, stays so."""
    whole = 1000 * bytes_ / of
    return (math.ceil(whole - 1e-6) if up else math.floor(whole + 1e-6)) / 1000


def tight(engine: Engine, held: Held, remedy: str) -> str:
    """The note on a plan that leaves an engine little for what no plan counts; "" where there is enough."""
    if held.spare >= TIGHT_BYTES:
        return ""
    return (
        f"the plan holds {format_percent(held.peak, held.device)} of the device and leaves {format_bytes(held.spare)} "
        f"for {engine.title}'s graphs and buffers, which are not counted: where it does not start, {remedy} takes less"
    )


def shrink_text(longest_edge: int) -> str:
    """The instruction to a client."""
    return f"shrink images in the client to at most {longest_edge} pixels on the longer side"


def refused_knob(engine: Engine, asked: Asked, name: str) -> Refused:
    """The sentence for a knob that an engine does not take."""
    return Refused(
        f"{engine.title} {engine.version} has no option that sets {name} of {asked.model.checkpoint.name}; choose "
        "another engine, or leave it as published"
    )
