"""Seconds of one request on one kind of GPU, stage by stage: the sum over kernels of `planner.costs.kernels`.

    TTFT     encoder + compressor + query pass + prefill: the time to the first token
    TPOT     one decode step at the mean length of the cache: the time of each further token
    request  TTFT + (G - 1) TPOT; the prefill yields the first of G tokens

How far the computing and the memory traffic of a kernel overlap is a number of the card, `Efficiency.overlap`.

A batch of requests runs together, with equal tokens each: every time is that of the whole batch. With tensor parallel n
the decoder and the output head are split over n GPUs, with two all-reduces a layer and one behind the embedding; tower
and compressor run on one GPU. Tower, compressor and output head stay in 16 bits when the decoder's weights are
quantised (fp32 with fp32 weights), the head but in a GGUF file, whose own type it has.

Which kernels a stage runs is said by the parts (`planner.parts.walk`); here they are put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.configuration import Model, Run
from planner.costs.seconds import Clocks
from planner.costs.stage_time import Number, Place, StageTime, summed
from planner.costs.stages import Workload, passes
from planner.hardware import Hardware
from planner.hardware.efficiency import DEFAULT
from planner.parts.llms import Llm
from planner.parts.walk import Kernel, Pass, Walk

FloatArray = NDArray[np.float64]

LATENCY_STAGES = ("encoder", "compressor", "query_pass", "prefill", "decode_step")
ROOFLINE = "roofline"
SILICON = "silicon"
LATENCY_SOURCES = (ROOFLINE, SILICON)
MIXED = "mixed"


def check_latency_source(source: str) -> None:
    """Raises UnknownNameError for a source of times that there is not."""
    if source not in LATENCY_SOURCES:
        raise UnknownNameError("latency source", source, LATENCY_SOURCES)


@dataclass(frozen=True)
class Latency:
    """Times of one batch of requests, stage by stage; each a float, or an array over candidates."""

    encoder: StageTime
    compressor: StageTime
    query_pass: StageTime
    prefill: StageTime
    decode_step: StageTime
    generated_tokens: int
    batch: Number
    sources: Mapping[str, str]
    """Where each stage's numbers come from: "roofline" (typical efficiencies), "calibrated" (fitted to this card),
    "transferred" (fitted to a similar one), or a tag of `planner.costs.silicon`."""
    shape: tuple[int, ...] = ()
    """Of the candidates; () for one."""

    @classmethod
    def restored(cls, **fields: Any) -> Latency:
        """Times that were read from a file. Raises InputError for a negative time, and where no stage takes any."""
        found = cls(**fields)
        for name in LATENCY_STAGES:
            if np.any(getattr(found, name).seconds < 0):
                raise InputError(f"{name}: expected seconds from 0 on, got {getattr(found, name).seconds}")
        if np.any(found.request_s == 0):
            raise InputError("expected a request that takes time, got 0 seconds for every stage")
        return found

    @property
    def source(self) -> str:
        """The source of all stages, "mixed" if they differ."""
        found = set(self.sources.values())
        return found.pop() if len(found) == 1 else MIXED

    @property
    def ttft_s(self) -> Number:
        """Seconds to the first token."""
        return self.encoder.seconds + self.compressor.seconds + self.query_pass.seconds + self.prefill.seconds

    @property
    def tpot_s(self) -> Number:
        """Seconds of each further token."""
        return self.decode_step.seconds

    @property
    def request_s(self) -> Number:
        """Seconds to the last token."""
        return self.ttft_s + self._steps * self.decode_step.seconds

    @property
    def throughput_requests_per_s(self) -> Number:
        """Of batches of this size, one after the other."""
        return self.batch / self.request_s

    @property
    def speed_of_light_share(self) -> Number:
        """Ideal over predicted seconds of the request: what perfect kernels without launch costs would take."""
        before = self.encoder.ideal_s + self.compressor.ideal_s + self.query_pass.ideal_s + self.prefill.ideal_s
        return (before + self._steps * self.decode_step.ideal_s) / self.request_s

    @property
    def _steps(self) -> int:
        return max(self.generated_tokens - 1, 0)

    def at(self, *index: int) -> Latency:
        """The numbers of one candidate."""
        place = Place(self.shape, index)
        stages = {name: getattr(self, name).at(place) for name in LATENCY_STAGES}
        return replace(self, **stages, batch=float(np.broadcast_to(self.batch, self.shape)[index]), shape=())

    def to_dict(self) -> dict[str, float | str | dict[str, float | str]]:
        """Totals and stages, for a single candidate."""
        totals = ("ttft_s", "tpot_s", "request_s", "throughput_requests_per_s", "speed_of_light_share")
        stages: dict[str, float | str | dict[str, float | str]] = {}
        for name in LATENCY_STAGES:
            stage: StageTime = getattr(self, name)
            stages[name] = {
                "seconds": float(stage.seconds),
                "bytes": float(stage.bytes),
                "bound": str(stage.bound),
                "source": self.sources[name],
            }
        return {**{name: float(getattr(self, name)) for name in totals}, "source": self.source, **stages}


VisionTimes: TypeAlias = tuple[StageTime, StageTime]
"""Times of encoder and compressor; nothing of the prompt's order is in them."""


@dataclass(frozen=True, eq=False)
class LlmWalks:
    """What a language model does for a batch of requests, whatever it runs in: kernels of each pass."""

    query_pass: tuple[tuple[Kernel, ...], ...]
    prefill: tuple[tuple[Kernel, ...], ...]
    mean_step: tuple[tuple[Kernel, ...], ...]

    @classmethod
    def of(cls, model: Model, workload: Workload, run: Run) -> LlmWalks:
        """Of a run's batch and GPUs."""
        gpus, todo = np.asarray(run.tensor_parallel, float), passes(model, workload, np.asarray(run.batch, float))

        def walks(some: Sequence[Pass]) -> tuple[tuple[Kernel, ...], ...]:
            return tuple(tuple(model.llm.walk(one, gpus)) for one in some)

        return cls(walks(todo.query_pass), walks(todo.prefill), walks((todo.mean_step,)))


def latency(
    model: Model,
    workload: Workload,
    run: Run,
    vision: VisionTimes | None = None,
    walks: LlmWalks | None = None,
) -> Latency:
    """Seconds of a batch of requests.

    Args:
        model: what runs.
        workload: each request.
        run: the GPU, precision, batch and GPUs that share the LLM.
        vision: what `vision_times` gives, where it is known already.
        walks: of the language model, where they are known already.

    Returns:
        Latency whose entries broadcast to the shape of LLMs, visual tokens, batch and tensor_parallel.

    Raises:
        InputError: no hardware, or a precision that the card does not compute in.
    """
    card, clocks = _clocks(run, model.llm)
    todo = walks or LlmWalks.of(model, workload, run)
    encoder, compressor = vision or vision_times(model, workload, run)

    def llm_time(some: Sequence[Walk]) -> StageTime:
        return summed([clocks.time(walk) for walk in some]) if some else StageTime()

    source = ROOFLINE if card.efficiency.source == DEFAULT else card.efficiency.source
    return Latency(
        encoder=encoder,
        compressor=compressor,
        query_pass=llm_time(todo.query_pass),
        prefill=llm_time(todo.prefill),
        decode_step=llm_time(todo.mean_step),
        generated_tokens=workload.generated_tokens,
        batch=run.batch if np.ndim(run.batch) else float(run.batch),
        sources=dict.fromkeys(LATENCY_STAGES, source),
        shape=np.broadcast_shapes(
            np.shape(model.llm.nominal_params),
            np.shape(model.visual_tokens),
            np.shape(run.batch),
            np.shape(run.tensor_parallel),
        ),
    )


def vision_times(model: Model, workload: Workload, run: Run) -> VisionTimes:
    """Seconds of encoder and compressor for a batch of requests; as `latency`."""
    _, clocks = _clocks(run)
    if not workload.images:
        return StageTime(), StageTime()
    images = workload.images * np.asarray(run.batch, float)
    return clocks.time(model.encode(images)), clocks.time(model.compress(images))


def _clocks(run: Run, llm: Llm | None = None) -> tuple[Hardware, Clocks]:
    if run.hardware is None:
        raise InputError("times need hardware: give the run an accelerator, such as l4")
    return run.hardware, Clocks.of(run.hardware, run, llm)


def speed_limit_tokens(model: Model, workload: Workload, run: Run, *, saving: float = 0.05) -> NDArray[np.int64] | int:
    """Visual tokens below which fewer save next to nothing: the most at which a single token would save less than
    `saving` of the TTFT, up to the tower's patches. One number, or one for each LLM."""
    tokens = np.arange(1.0, model.tower.patches + 1)
    ttft_s = np.asarray(latency(replace(model, visual_tokens=tokens), workload, run).ttft_s)
    found = np.count_nonzero(ttft_s * (1 - saving) <= ttft_s[..., :1], axis=-1)
    return found if np.ndim(found) else int(found)
