"""What a plan's file holds, field by field; `plan_file` makes it of a plan, and a plan of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from planner.base.codec import INLINE, SPARSE
from planner.base.dataclass import dataclass
from planner.base.quantities import score_of
from planner.base.stored import COUNT, Choice, Whole
from planner.configuration import PROMPT_ORDERS
from planner.costs.flops import CONVENTIONS, Flops
from planner.costs.latency import Latency
from planner.costs.memory import Memory
from planner.costs.request import LATENCY_SOURCES
from planner.costs.stages import Workload
from planner.hardware import HARDWARE_FILE, Hardware
from planner.laws.combined import LAW_PART, Law
from planner.parts.catalog import DEFAULT_CONNECTOR
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector
from planner.parts.llms import Llm
from planner.parts.stored import Part
from planner.parts.towers import Tower
from planner.planning.limits import binds
from planner.planning.margin import Margin
from planner.planning.ranking import ERROR as BY_ERROR
from planner.planning.released_record import RELEASED, TO_BE_TRAINED, KnobRecord, ReleasedInputs
from planner.planning.under_load.asked import PERCENTILE, SCHEDULERS, STATIC
from planner.planning.under_load.served import Served
from planner.runs.table import ERROR, KINDS

FloatArray = NDArray[np.float64]
_FROM_ONE = Whole(1)


@dataclass(frozen=True)
class CandidateRecord:
    """A candidate, its parts by name; the numbers of the parts stand once in the file, under `parts`."""

    DERIVED: ClassVar[tuple[str, ...]] = ("score", "weights")
    SAME: ClassVar[tuple[str, ...]] = (
        "visual_tokens",
        "predicted_error",
        "predicts",
        "flops",
        "prompt_order",
        "precision",
        "kv_precision",
        "tensor_parallel",
        "batch",
        "quantities",
        "interval",
        "probability_best",
        "expected_regret",
        "interval_parts",
        "above_pick",
        "memory",
        "latency",
    )
    """Fields that are those of a Candidate."""

    llm: str
    llm_params: float
    """Nominal size."""
    visual_tokens: Annotated[int, COUNT]
    predicted_error: float | None
    """None where candidates are ordered by cost alone, and where the law knows only by how much errors differ."""
    flops: Flops
    vision: str
    compressor: str
    prompt_order: Annotated[str, Choice(PROMPT_ORDERS)]
    precision: str
    kv_precision: str | None
    tensor_parallel: Annotated[int, _FROM_ONE]
    batch: Annotated[int, _FROM_ONE]
    quantities: Mapping[str, float] = field(metadata=INLINE)
    interval: tuple[float, float] | None
    probability_best: float | None
    expected_regret: float | None
    memory: Memory
    latency: Latency | None
    predicts: Annotated[str, Choice(KINDS)] = field(default=ERROR, metadata=SPARSE)
    """"loss" where the law predicts one, which has no score beside it."""
    interval_parts: Mapping[str, float] = field(default_factory=dict, metadata=SPARSE)
    """Half-widths of the interval by what they are of; left out where the law is all."""
    connector: str = field(default=DEFAULT_CONNECTOR, metadata=SPARSE)
    model: str = field(default="", metadata=SPARSE)
    """Name of a released model; "" for one that is to be trained, which leaves out the next five as well."""
    hub_id: str | None = field(default="", metadata=SPARSE)
    """None for a folder."""
    model_source: str = field(default="", metadata=SPARSE)
    """By what it is found again: its hub id, or the folder."""
    knob: KnobRecord | str | None = field(default="", metadata=SPARSE)
    """The knob that is turned; None where everything stands as published."""
    image: str = field(default="", metadata=SPARSE)
    """Size of the image that memory and times are for."""
    params: Mapping[str, int] = field(default_factory=dict, metadata=SPARSE)
    """Of a released model, by part."""
    above_pick: Margin | None = field(default=None, metadata=SPARSE)
    """By how much it is worse than the pick, where the law knows only by how much errors differ."""
    engine: Mapping[str, str] = field(default_factory=dict, metadata=SPARSE)
    """Of the pick among released models: by engine the command that serves it, or why there is none."""

    @property
    def weights(self) -> str:
        """Whether there are weights."""
        return RELEASED if self.model else TO_BE_TRAINED

    @property
    def score(self) -> float | None:
        """1 - predicted error."""
        return None if self.predicted_error is None else score_of(self.predicted_error, self.predicts)


@dataclass(frozen=True)
class LimitRecord:
    """One limit, and what it is to the pick."""

    DERIVED: ClassVar[tuple[str, ...]] = ("binds",)

    title: str
    quantity: str
    """Of a candidate, by name with unit."""
    at_least: bool
    limit: float
    used: float
    """Share that the pick uses."""
    keeps_better_out: bool
    """Whether a better candidate would fit without it."""
    relaxed_by: float
    relaxed: CandidateRecord | None

    @property
    def binds(self) -> bool:
        """Whether it is this limit that holds the pick, as `SlackOfPick.binds`: what a plan says in words."""
        return binds(self.used, self.keeps_better_out, near=self.relaxed is not None)


@dataclass(frozen=True)
class NamedLlm:
    """A language model that was tried."""

    name: str
    source: str | None
    """The config.json that it was read from; None for one of the catalogue."""


@dataclass(frozen=True)
class Inputs:
    """What was asked for, with every default filled in: the same again gives the same plan."""

    limits: Mapping[str, float]
    """Those of the budget by name, in base units."""
    convention: Annotated[str, Choice(CONVENTIONS)]
    workload: Workload
    """The mean request."""
    workload_p95: Workload
    """The long request; the same where one request was planned for."""
    requests: Annotated[int, _FROM_ONE]
    llms: tuple[NamedLlm, ...]
    visual_tokens: tuple[int, ...]
    vision: tuple[str, ...]
    vision_source: str | None
    """The config.json of the pick's tower; None for one of the catalogue."""
    compressor: tuple[str, ...]
    prompt_order: tuple[Annotated[str, Choice(PROMPT_ORDERS)], ...]
    precision: tuple[str, ...]
    kv_precision: str | None
    tensor_parallel: tuple[Annotated[int, _FROM_ONE], ...]
    batch: tuple[Annotated[int, _FROM_ONE], ...]
    gpus: Annotated[int, _FROM_ONE] | None
    price_per_hour: float | None
    latency_source: Annotated[str, Choice(LATENCY_SOURCES)]
    one_law: bool
    """Whether the pick's law gave the error of every candidate."""
    workload_longest: Workload | None = field(default=None, metadata=SPARSE)
    """The longest request; None where there is one, or an earlier version wrote the file."""
    as_measured: tuple[str, ...] = field(default=(), metadata=SPARSE)
    """Axes along which all candidates count as what the law was measured on."""
    released: ReleasedInputs | None = field(default=None, metadata=SPARSE)
    """None where parts to build from were compared."""
    rank_by: str = field(default=BY_ERROR, metadata=SPARSE)
    """By what candidates are ordered: "error", "cost", or the keyword of a limit."""
    scheduler: Annotated[str, Choice(SCHEDULERS)] = field(default=STATIC, metadata=SPARSE)
    """Of the engine; a plan of a version before has static batches."""
    concurrency: Annotated[int, _FROM_ONE] | None = field(default=None, metadata=SPARSE)
    """Users, where they say the load."""
    percentile: float = field(default=PERCENTILE, metadata=SPARSE)
    """Of the requests that keep each limit of time, under a load."""
    scale: float | None = field(default=None, metadata=SPARSE)
    """How many times the load was planned for too."""
    max_num_seqs: Annotated[int, _FROM_ONE] | None = field(default=None, metadata=SPARSE)
    """Of an engine's scheduler, where it was asked for."""
    max_num_batched_tokens: Annotated[int, _FROM_ONE] | None = field(default=None, metadata=SPARSE)
    """Of an engine's scheduler, where it was asked for."""
    arriving_per_second: float | None = field(default=None, metadata=SPARSE)
    """The rate of a load, which a log may give."""
    workload_kinds: tuple[Workload, ...] = field(default=(), metadata=SPARSE)
    """Kinds of requests under a load; left out where all are the mean one."""
    workload_shares: tuple[float, ...] = field(default=(), metadata=SPARSE)
    requests_file: str = field(default="", metadata=SPARSE)
    """That requests were read from, as it was given."""
    requests_logged: bool = field(default=False, metadata=SPARSE)
    """Whether it is a log, whose time stamps say when they come."""


@dataclass(frozen=True)
class Counts:
    """How many candidates there were."""

    compared: Annotated[int, COUNT]
    fitting: Annotated[int, COUNT]


@dataclass(frozen=True)
class Points:
    """(LLM size, visual tokens) of what fits, each pair once: what a law is asked about."""

    llm_params: FloatArray
    visual_tokens: FloatArray


@dataclass(frozen=True)
class Parts:
    """The numbers of every part that was tried, by name."""

    llms: Mapping[str, Annotated[Llm, Part(Llm)]]
    vision: Mapping[str, Annotated[Tower, Part(Tower)]]
    compressors: Mapping[str, Annotated[Compressor, Part(Compressor)]]
    connectors: Mapping[str, Annotated[Connector, Part(Connector)]] = field(default_factory=dict, metadata=SPARSE)
    """Left out where it is the usual one."""


@dataclass(frozen=True)
class PlanRecord:
    """All that a plan's file holds."""

    best: CandidateRecord
    runners_up: tuple[CandidateRecord, ...]
    tied: tuple[CandidateRecord, ...]
    frontier: tuple[CandidateRecord, ...]
    next_up: CandidateRecord | None
    extrapolates: tuple[str, ...]
    assumptions: tuple[str, ...]
    limits: Mapping[str, LimitRecord]
    best_of_each: tuple[CandidateRecord, ...]
    hardware_profile: Annotated[Hardware, HARDWARE_FILE] | None
    speed_limit_tokens: Annotated[int, COUNT] | None
    candidates: Counts
    fitting_points: Points
    law_file: Annotated[Law, LAW_PART] | None
    """The law of the pick's compressor; None where candidates are ordered by cost alone."""
    inputs: Inputs
    made_with: Mapping[str, str]
    """Versions that decide the numbers."""
    parts: Parts
    notes: tuple[str, ...] = field(default=(), metadata=SPARSE)
    """What was made of what was asked for, where that is not what it says."""
    weights: str = field(default="", metadata=SPARSE)
    """Repository, origin and licence of a released pick's weights."""
    warnings: tuple[str, ...] = field(default=(), metadata=SPARSE)
    """What keeps a released pick from being served as it is."""
    published: tuple[str, ...] = field(default=(), metadata=SPARSE)
    """Whether results of the released pick and of the next best are published on the tasks asked for."""
    gain_over_next: Margin | None = field(default=None, metadata=SPARSE)
    """By how much the pick is better than the next, where the law knows only by how much errors differ."""
    next_other_model: CandidateRecord | None = field(default=None, metadata=SPARSE)
    """The next best of another released model, where the next best is the pick's own and only differences are known."""
    earlier_sha256: str = field(default="", metadata=SPARSE)
    """Hash of the file of an earlier version that this one was made of: verdicts may name the plan by it."""
    law_files: Mapping[str, Annotated[Law, LAW_PART]] = field(default_factory=dict, metadata=SPARSE)
    """The law of each compressor by its name, where they differ."""
    at_scale: CandidateRecord | None = field(default=None, metadata=SPARSE)
    """The best where the load is several times as large, if that was asked for."""
    traffic: Served | None = field(default=None, metadata=SPARSE)
    """The pick and its rivals under the load; left out where there is none."""
    workload_p95: Workload | None = field(default=None, metadata=SPARSE)
    """The long request that times and memory are planned for, where it is not the mean one."""
