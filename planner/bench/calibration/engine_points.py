"""Load tests as points of a fit: what ran, which numbers of it were measured, and how they would be predicted.

A test is repeated by the traffic model as it was run: as many requests, with the lengths and starts of the single ones
where they are known (starts but for an iteration), else drawn anew; by several seeds. So numbers
of a short test are compared with those of equally short ones, and what chance does to them is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import counted
from planner.bench.calibration.engine_models import Described, Parts, model_of, run_of, scheduler_of
from planner.bench.loadtests import LoadTest
from planner.bench.loadtests.load_test import ALL_TOKENS, CLOSED, CONSTANT, GAMMA, REPLAYED
from planner.configuration import Model, Run
from planner.costs.stages import Workload
from planner.hardware import Hardware
from planner.traffic.scheduler import Scheduler
from planner.traffic.service import Service

FloatArray = NDArray[np.float64]

THROUGHPUT = "throughput"
PERCENTS = (50.0, 90.0, 95.0, 99.0)
OF_REQUESTS = ("ttft", "tpot", "latency")
NUMBERS = (THROUGHPUT, *(f"{what}_{which}" for what in OF_REQUESTS for which in ("mean", "p50", "p90", "p95", "p99")))
"""What is compared: requests per second, and seconds of requests: their mean and percentiles."""
FITTED = tuple(name for name in NUMBERS if not name.startswith("latency"))
"""Those that a fit sees: the latency is made of the others."""

_REQUESTS = 1000
"""That are simulated for a test, by as many seeds as it takes."""
_SEEDS = (3, 8)
_TRIMMED = (0.1, 0.95)
"""Between which shares of the requests a tool counts that leaves out a warm-up."""


@dataclass(frozen=True, eq=False)
class Point:
    """One load test and its model."""

    test: LoadTest
    place: int
    """Among all: the seed of its random numbers."""
    model: Model
    run: Run
    workload: Workload
    """The mean request."""
    scheduler: Scheduler
    measured: Mapping[str, float]
    """By name in NUMBERS, as far as the file says them."""

    @property
    def seeds(self) -> int:
        """With which it is simulated."""
        return int(np.clip(math.ceil(_REQUESTS / max(self.test.tried, 1)), *_SEEDS))

    @property
    def starts_known(self) -> bool:
        """Whether its requests are simulated when they were sent."""
        return self.test.rows is not None and self.test.arrivals != CLOSED and _full(self.test.rows.start_s)

    def service(self, hardware: Hardware) -> Service:
        """The server with the numbers of a profile."""
        return Service(self.model, run_on(self.run, hardware), (self.workload,), (1.0,), self.scheduler)

    def comes_s(self, generator: np.random.Generator) -> FloatArray:
        """When requests come; infinite for those that come when another ends."""
        test, count = self.test, max(self.test.tried, 1)
        if self.starts_known:
            assert test.rows is not None
            return np.sort(test.rows.start_s + generator.uniform(0, self._iteration_s, len(test.rows)))
        if test.arrivals == CLOSED:
            return np.where(np.arange(count) < (test.concurrency or 1), 0.0, math.inf)
        assert test.requests_per_second is not None
        rate = test.requests_per_second
        if test.arrivals == CONSTANT:
            return np.arange(count) / rate
        shape = test.burstiness if test.arrivals == GAMMA else 1.0
        return np.cumsum(generator.gamma(shape, 1 / (shape * rate), count))

    @property
    def _iteration_s(self) -> float:
        """About as long as an iteration: within it, when a request was sent is no more than chance."""
        return next((self.measured[name] for name in ("tpot_p50", "tpot_mean") if name in self.measured), 0.0)

    def lengths(self, count: int) -> tuple[list[int], list[int]]:
        """Prompt and generated tokens of so many requests, in the order in which they came."""
        rows, request = self.test.rows, self.service_request
        if rows is None or not (_full(rows.input_tokens) and _full(rows.generated_tokens)) or not len(rows):
            return [request[0]] * count, [request[1]] * count
        off = self.prompt_offset
        prompts = np.maximum(np.rint(rows.input_tokens + off), 1).astype(int).tolist()
        answers = np.maximum(np.rint(rows.generated_tokens), 1).astype(int).tolist()
        more = count - len(prompts)
        return (prompts + [request[0]] * more)[:count], (answers + [request[1]] * more)[:count]

    @property
    def service_request(self) -> tuple[int, int]:
        """Prompt and generated tokens of the mean request."""
        images = self.workload.images * int(self.model.sequence_tokens)
        return max(self.workload.prefilled_text_tokens + images, 1), self.workload.generated_tokens

    @property
    def prompt_offset(self) -> float:
        """Tokens that a request's prompt has more than its file counts."""
        return self.service_request[0] - self.test.input_tokens

    @property
    def kept(self) -> tuple[float, float]:
        """Between which shares of the requests, as they came, the tool counts."""
        return _TRIMMED if self.test.trimmed and not self.starts_known else (0.0, 1.0)


def run_on(run: Run, hardware: Hardware) -> Run:
    """The same run with another profile."""
    return Run(hardware, run.precision, run.kv_precision, run.batch, run.tensor_parallel)


def points_of(
    tests: Iterable[LoadTest],
    known: Mapping[str, Described],
    hardware: Hardware,
    parts: Parts,
    changed: Mapping[str, int] | None = None,
) -> tuple[Point, ...]:
    """Load tests with what ran.

    Args:
        tests: of one engine.
        known: served name -> what it stands for.
        hardware: the profile to start from.
        parts: of models that are built.
        changed: of the scheduler, in place of the engine's defaults.

    Raises:
        InputError: what neither a file nor the user says, or a model that does not run on the hardware.
    """
    found = []
    for place, test in enumerate(tests):
        what = known[test.model]
        model = model_of(test, what, parts)
        run = run_of(test, what, hardware)
        scheduler = scheduler_of(test, hardware, changed or {})
        found.append(Point(test, place, model, run, _workload(test, model), scheduler, measured_of(test)))
        if test.arrivals == REPLAYED and not found[-1].starts_known:
            raise InputError(f"{test.origin} replays a trace: expected its single requests beside the summary")
    return tuple(found)


def _workload(test: LoadTest, model: Model) -> Workload:
    """The mean request, in whole tokens."""
    images = test.images or 0
    seen = images * int(model.sequence_tokens) if model.has_images else 0
    text = test.input_tokens
    if seen and test.input_counts is None:
        raise InputError(
            f"{test.origin} does not say whether its {text:.0f} input tokens hold those of images: say input_counts, "
            f"'all' where they do or 'text', or query_tokens"
        )
    if test.input_counts == ALL_TOKENS:
        text -= seen
        if text < 0:
            raise InputError(
                f"{test.origin} counts {test.input_tokens:.0f} input tokens, fewer than the {seen} of "
                f"{counted(images, 'image')}: say query_tokens, or another model or size of images"
            )
    text -= test.cached_tokens
    return Workload(
        max(round(text), 0 if seen else 1),
        max(round(test.generated_tokens), 1),
        cached_tokens=round(test.cached_tokens),
        images=images if seen or model.has_images else 0,
    )


def measured_of(test: LoadTest) -> dict[str, float]:
    """The numbers that a file says, above 0."""
    found: dict[str, float | None] = {THROUGHPUT: test.throughput_per_s}
    for what in OF_REQUESTS:
        spread = getattr(test, f"{what}_s")
        found[f"{what}_mean"] = spread.mean
        found |= {f"{what}_p{percent:g}": spread.percentiles.get(percent) for percent in PERCENTS}
    return {name: value for name, value in found.items() if value}


def numbers_of(ttft_s: FloatArray, tpot_s: FloatArray, latency_s: FloatArray, throughput: float) -> FloatArray:
    """NUMBERS of simulated requests; NaN where there is none."""
    values = [throughput]
    for column in (ttft_s, tpot_s, latency_s):
        known = column[np.isfinite(column)]
        if not len(known):
            values += [math.nan] * (1 + len(PERCENTS))
            continue
        values += [float(known.mean()), *map(float, np.percentile(known, PERCENTS))]
    return np.array(values)


def measured_columns(points: Sequence[Point]) -> FloatArray:
    """(points, NUMBERS); NaN for what a file does not say."""
    return np.array([[one.measured.get(name, math.nan) for name in NUMBERS] for one in points])


def _full(column: FloatArray) -> bool:
    return len(column) > 0 and bool(np.isfinite(column).all())
