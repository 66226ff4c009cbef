"""Candidate: one configuration that could be deployed, and what it costs. And what a limit is to the pick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from planner.base.codec import encode
from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import (
    format_bytes,
    format_flops,
    format_fraction,
    format_percent,
    format_score,
    format_seconds,
    score_of,
)
from planner.configuration import Model, Run
from planner.costs.flops import Flops
from planner.costs.latency import Latency
from planner.costs.memory import Memory
from planner.hardware import Hardware
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector, Mlp
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.planning.limits import Limit, binds
from planner.planning.margin import Margin
from planner.runs.table import ERROR

if TYPE_CHECKING:
    from planner.configuration import ReleasedModel
    from planner.planning.plan_record import CandidateRecord


@dataclass(frozen=True, repr=False)
class Candidate:
    """One configuration that could be deployed."""

    llm: Llm
    visual_tokens: int
    """Per image."""
    predicted_error: float | None
    """The law's error, between 0 and 1 inside its data; None where candidates are ordered by cost alone, and where the
    law knows only by how much errors differ."""
    flops: Flops
    """FLOPs of one request by stage, in the plan's convention."""
    vision: Tower
    compressor: Compressor
    prompt_order: str
    """"image-first" or "text-first"."""
    precision: str
    """Of the LLM's matrices."""
    kv_precision: str | None
    """Of the KV cache; None: that of what is not quantised."""
    tensor_parallel: int
    """GPUs that share the model."""
    batch: int
    """Requests that run together."""
    memory: Memory = field(hash=False)
    """Bytes on one device, for the whole batch."""
    latency: Latency | None = field(hash=False)
    """Seconds of a batch by stage; None without hardware."""
    quantities: Mapping[str, float] = field(hash=False)
    """What the limits look at, by name with unit ("total_flops", "ttft_s")."""
    interval: tuple[float, float] | None = None
    """95 % interval of the predicted error, over every form that the runs allow and what transfer adds; None where the
    law has no runs, or where they name no model and released ones are ranked."""
    probability_best: float | None = None
    """Probability that no candidate under the budget has a smaller error; None for a law of a joint fit, and
    where there is no interval."""
    interval_parts: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Half-widths of the interval by what they are of, in error: the law, and what the candidate is other than the law
    was measured on ("compressor", "family", "recipe"); their squares add up. {} where the law is all."""
    expected_regret: float | None = None
    """How much larger its error is expected to be than that of the best candidate under the budget."""
    above_pick: Margin | None = None
    """By how much it is expected to be worse than the pick, where the law knows only by how much errors differ."""
    connector: Connector = field(default_factory=Mlp)
    """What leads the visual tokens into the language model."""
    predicts: str = ERROR
    """What the law predicts: "error", or "loss"."""
    released: ReleasedModel | None = None
    """The checkpoint with its knob turned, where the candidate is one; with a mixture of image sizes it sees the one
    that 95 % of them do not exceed."""

    @property
    def model(self) -> Model:
        """What is made, or downloaded."""
        if self.released is not None:
            return self.released
        return Model(self.llm, self.vision, self.compressor, self.visual_tokens, self.prompt_order, self.connector)

    def run(self, hardware: Hardware | None = None) -> Run:
        """How it runs, on such hardware."""
        return Run(hardware, self.precision, self.kv_precision, self.batch, self.tensor_parallel)

    @property
    def total_flops(self) -> float:
        """FLOPs of one request, in the plan's convention."""
        return float(self.flops.total)

    @property
    def error(self) -> float:
        """Its predicted error; by how much it lies above that of the pick where the law knows no more.

        Raises InputError where no law predicts one, as candidates are ordered by cost alone.
        """
        if self.above_pick is not None:
            return self.above_pick.error
        if self.predicted_error is None:
            raise InputError(f"{self} has no predicted error: it was ordered by cost alone, without a law")
        return self.predicted_error

    @property
    def score(self) -> float | None:
        """1 - predicted error; None for an error outside 0 to 1, which a law that was given by hand may predict, for a
        loss, and without a law."""
        return None if self.predicted_error is None else score_of(self.predicted_error, self.predicts)

    @property
    def knob(self) -> str:
        """The knob of a released model as it is typed, "max_pixels=401408"; "" where everything is as published."""
        return "" if self.released is None else self.released.knob

    @property
    def name(self) -> str:
        """Its model, with the knob that is turned: "Qwen3-VL-8B-Instruct at max_pixels=401408"."""
        return f"{self.llm.name} at {self.knob}" if self.knob else self.llm.name

    def __str__(self) -> str:
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{self.visual_tokens} visual tokens"
        return f"{self.name} with {tokens}"

    def __repr__(self) -> str:
        parts = [str(self), self.precision]
        parts += [f"{self.tensor_parallel} GPUs"] if self.tensor_parallel > 1 else []
        parts += [f"batch {self.batch}"] if self.batch > 1 else []
        parts += [] if self.predicted_error is None else [f"{self.predicts} {format_fraction(self.predicted_error)}"]
        parts += [format_flops(self.total_flops)]
        parts += [f"TTFT {format_seconds(float(self.latency.ttft_s))}"] if self.latency is not None else []
        return f"Candidate({', '.join(parts)}, {format_bytes(float(self.memory.peak))} per device)"

    def record(self) -> CandidateRecord:
        """As a plan's file holds it: its parts by name."""
        from planner.planning.plan_record import CandidateRecord  # files are no part of making a plan
        from planner.planning.released_record import released_fields

        own = {name: getattr(self, name) for name in CandidateRecord.SAME}
        return CandidateRecord(
            llm=self.llm.name,
            llm_params=self.llm.nominal_params,
            vision=self.vision.name,
            compressor=self.compressor.name,
            connector=self.connector.name,
            **own,
            **({} if self.released is None else released_fields(self.released)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, the parts by name."""
        found: dict[str, Any] = encode(self.record(), "the candidate")
        return found


@dataclass(frozen=True, repr=False)
class SlackOfPick:
    """What one limit is to the pick."""

    limit: Limit
    used: float
    """Share of the limit that the pick uses."""
    keeps_better_out: bool
    """Whether a better candidate would fit without this limit, all others kept."""
    relaxed: Candidate | None
    """The better pick if the limit were 10 % looser; None if that buys nothing."""

    @property
    def binds(self) -> bool:
        """Whether it is this limit that holds the pick where it is: it keeps a better candidate out, and the pick has
        used up all but 10 % of it, or all but a quarter where a better one is near, within 10 % of the limit."""
        return binds(self.used, self.keeps_better_out, near=self.relaxed is not None)

    def __repr__(self) -> str:
        said = f"{self.limit}: {format_percent(self.used, 1)} used{', binds' if self.binds else ''}"
        more = "" if self.relaxed is None else f"; with {self.limit.relaxed_text}: {self.relaxed}"
        return f"SlackOfPick({said}{more})"


def error_text(candidate: Candidate) -> str:
    """A predicted error with its interval, and its score: "0.5019, 95 % interval 0.5000 to 0.5047; score 49.8 %"."""
    text, between = format_fraction(candidate.error), ", "
    if candidate.interval is not None:
        low, high = candidate.interval
        text, between = f"{text}, 95 % interval {format_fraction(low)} to {format_fraction(high)}", "; "
    return text if candidate.score is None else f"{text}{between}score {format_score(candidate.score)}"
