"""The fit of `latency.py`: a card's numbers under one framework, one group of kernels at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from latency_shapes import BATCHES, PROMPTS, Shape
from numpy.typing import NDArray

from planner.costs.kernels import StageClock
from planner.costs.rates import Rates
from planner.hardware import Hardware
from planner.hardware.efficiency import CALIBRATED, EXPONENTS_FROM_1, SHARES, Efficiency
from planner.parts.llms import Dense

FloatArray = NDArray[np.float64]

SCALE = 0.03
"""Logarithm of a ratio from which on the fit counts it less than its square: medians are judged."""
CLAMPED = 1.03
"""Seconds of a cache read over those at the peak of the memory: nothing in the tables is faster, so that what is as
fast is no measurement."""
_CACHE_BYTES = 4
"""Of a key and a value in 16 bits."""


@dataclass(frozen=True)
class Group:
    """Kernels of one kind."""

    names: tuple[str, ...]
    """Numbers to fit."""
    count: Callable[[StageClock, FloatArray], None]
    """How a clock counts them."""
    columns: FloatArray
    """The kernels, the last row their measured seconds."""
    precision: str = "bf16"

    @property
    def scale(self) -> FloatArray:
        """Seconds are fitted in microseconds, tokens in hundreds."""
        return np.array(
            [1e-6 if name.endswith("_s") else 1e2 if name.endswith("_tokens") else 1.0 for name in self.names]
        )

    def put(self, x: FloatArray, efficiency: Efficiency, digits: int = 6) -> Efficiency:
        """The efficiency with these numbers in it; rounded, since a bound may be missed by a last digit."""
        numbers = {name: float(f"{value:.{digits}g}") for name, value in zip(self.names, x * self.scale, strict=True)}
        return Efficiency.from_dict({**efficiency.to_dict(), **numbers})

    def log_ratios(self, hardware: Hardware, efficiency: Efficiency) -> FloatArray:
        """Logarithms of predicted over measured seconds."""
        clock = StageClock(Rates.of(replace(hardware, efficiency=efficiency), self.precision))
        self.count(clock, self.columns)
        ratios: FloatArray = np.log(np.asarray(clock.stage().seconds) / self.columns[-1])
        return ratios


def groups_of(
    hardware: Hardware, shapes: list[Shape], quantised: list[Shape], attends: Callable[[Dense], bool]
) -> list[Group]:
    """The kernels of these shapes; attention of those models only that `attends` is true of."""
    matmuls: list[tuple[float, ...]] = []
    attention: list[tuple[float, ...]] = []
    normed: list[tuple[float, ...]] = []
    cache: list[tuple[float, ...]] = []
    elementwise: list[tuple[float, ...]] = []
    reduces: list[tuple[float, ...]] = []
    for shape in shapes:
        llm, n, rows, seconds = shape.llm, shape.gpus, shape.rows, shape.seconds
        layers, h = llm.num_layers, llm.hidden_size
        w, f = llm.attention_width // n, llm.intermediate_size // n
        u = max(llm.kv_width // n, llm.head_dim)
        if n > 1:
            reduces.append((rows, h, n, seconds["ar_1"] / layers))
            continue
        matmuls += _decoder_matmuls(shape)
        matmuls.append((shape.batch, h, llm.vocab_size, seconds["logits_gemm"]))
        elementwise += [(rows, 4 * h, seconds["add_norm_1"] / layers), (rows, 3 * f, seconds["act_gate"] / layers)]
        if shape.prefill:
            pairs = rows * (shape.tokens + 1) / 2
            kernel = (rows, pairs, w, u, float(llm.qk_norm), seconds["attention"] / layers)
            if attends(llm):
                attention.append(kernel)
            elif llm.qk_norm:
                normed.append(kernel)
        elif attends(llm):
            cached, spent = shape.batch * (shape.tokens + 1), seconds["attention"] / layers
            if spent > CLAMPED * _CACHE_BYTES * u * cached / hardware.bandwidth_bytes_per_s:
                cache.append((cached, u, shape.batch, spent))
    low = [row for shape in quantised for row in _decoder_matmuls(shape)]
    groups = [
        Group(
            ("matmul_compute", "matmul_bandwidth", "matmul_overhead_s"),
            lambda clock, a: clock.matmuls(a[0], [(1.0, a[1], a[2])]),
            _columns(matmuls),
        ),
        *_attention_groups(attention, normed),
        Group(
            ("cache_bandwidth", "cache_overhead_s", "cache_overlap", "cache_tile_tokens"),
            lambda clock, a: clock.cache_read(1.0, a[0], a[1], a[2]),
            _with_large_twice(_columns(cache)),
        ),
        Group(
            ("elementwise_bandwidth", "elementwise_overhead_s"),
            lambda clock, a: clock.elementwise(1.0, a[0], a[1]),
            _columns(elementwise),
        ),
        Group(
            ("interconnect", "interconnect_falloff", "all_reduce_overhead_s", "all_reduce_growth"),
            lambda clock, a: clock.all_reduces(1.0, a[0], a[1], a[2]),
            _balanced(_columns(reduces)),
        ),
    ]
    if low:
        names = ("quantised_compute", "quantised_overhead_s")
        groups.append(Group(names, lambda clock, a: clock.matmuls(a[0], [(1.0, a[1], a[2])]), _columns(low), "fp8"))
    return groups


def _attention_groups(attention: list[tuple[float, ...]], normed: list[tuple[float, ...]]) -> Iterator[Group]:
    """Attention of many new tokens; what normalised queries and keys add is taken from other models, `normed`, where no
    model of the kind has them."""

    def count(clock: StageClock, a: FloatArray) -> None:
        clock.attention(1.0, a[0], a[1], a[2], a[3], a[4])

    names, norm = ("attention_compute", "attention_bandwidth", "attention_overhead_s"), "qk_norm_overhead_s"
    if any(kernel[4] for kernel in attention):
        yield Group((*names, norm), count, _columns(attention))
        return
    yield Group(names, count, _columns(attention))
    if normed:
        yield Group((norm,), count, _columns(normed))


def attention_errors(
    hardware: Hardware, efficiency: Efficiency, shapes: list[Shape]
) -> dict[str, dict[str, float | int]]:
    """Relative errors of the attention kernels of these shapes, of many new tokens and of a decode step."""
    groups = groups_of(hardware, shapes, [], lambda llm: True)
    found: dict[str, dict[str, float | int]] = {}
    for name, first in (("prefill_attention", "attention_compute"), ("decode_attention", "cache_bandwidth")):
        group = next(group for group in groups if group.names[0] == first)
        if not group.columns.size:
            continue
        off = np.exp(replace(group, columns=np.unique(group.columns, axis=1)).log_ratios(hardware, efficiency)) - 1
        found[name] = {
            "kernels": len(off),
            "median_error": round(float(np.median(np.abs(off))), 4),
            "p90_error": round(float(np.quantile(np.abs(off), 0.9)), 4),
            "median_bias": round(float(np.median(off)), 4),
        }
    return found


def _decoder_matmuls(shape: Shape) -> list[tuple[float, ...]]:
    """Rows, input width, output width and seconds of a layer's matrix products."""
    llm, rows, seconds, layers = shape.llm, shape.rows, shape.seconds, shape.llm.num_layers
    h, w, u, f = llm.hidden_size, llm.attention_width, llm.kv_width, llm.intermediate_size
    return [
        (rows, h, w + 2 * u, seconds["qkv_gemm"] / layers),
        (rows, w, h, seconds["proj_gemm"] / layers),
        (rows, h, 2 * f, seconds["gate_ffn1_gemm"] / layers),
        (rows, f, h, seconds["ffn2_gemm"] / layers),
    ]


def _columns(rows: list[tuple[float, ...]]) -> FloatArray:
    return np.unique(np.array(rows, float), axis=0).T


def _with_large_twice(reads: FloatArray) -> FloatArray:
    """Reads of the cache, those of many requests twice: there are few of them, and they cost most."""
    return np.concatenate([reads, reads[:, reads[2] > max(BATCHES)]], axis=1) if reads.size else reads


def _balanced(reduces: FloatArray) -> FloatArray:
    """All-reduces, with those of decode steps, which are fewer, so often that they weigh half as much as the others."""
    if not reduces.size:
        return reduces
    few = reduces[:, reduces[0] <= max(BATCHES)]
    often = max(1, round((reduces.shape[1] - few.shape[1]) / max(1, 2 * few.shape[1])))
    return np.concatenate([reduces, *[few] * (often - 1)], axis=1)


def fit(
    hardware: Hardware, shapes: list[Shape], quantised: list[Shape], attends: Callable[[Dense], bool]
) -> tuple[Efficiency, int]:
    """The numbers of the card under one framework, and how many different kernels they rest on."""
    from scipy.optimize import least_squares

    found = replace(Efficiency(), source=CALIBRATED)
    groups = groups_of(hardware, shapes, quantised, attends)
    for group in groups:
        bottom, top = np.array([_bounds(name) for name in group.names]).T
        start = np.array([_STARTS.get(name, getattr(found, name)) for name in group.names]) / group.scale

        def residuals(x: FloatArray, group: Group = group, base: Efficiency = found) -> FloatArray:
            return group.log_ratios(hardware, group.put(x, base))

        solved = least_squares(
            residuals,
            np.clip(start, bottom + 0.05, bottom + 0.95 * (top - bottom)),
            bounds=(bottom, top),
            diff_step=1e-3,
            loss="soft_l1",
            f_scale=SCALE,
        )
        found = group.put(np.round(solved.x, 4), found, digits=4)
    if found.cache_tile_tokens <= min(PROMPTS):  # smaller than what was asked: nothing says how large
        found = replace(found, cache_tile_tokens=0.0)
    return found, sum(np.unique(group.columns, axis=1).shape[1] for group in groups)


_STARTS = {"cache_tile_tokens": 100.0}
"""Where to start if not at the default: below the shortest prompt a tile changes nothing."""


def _bounds(name: str) -> tuple[float, float]:
    """Of a share, an exponent that overlaps, microseconds, hundreds of tokens and exponents by GPUs."""
    if name in SHARES:
        return 0.02, 1.0
    if name in EXPONENTS_FROM_1:
        return 1.0, 8.0
    return 0.0, 1e3 if name.endswith("_s") else 5.0
