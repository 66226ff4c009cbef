"""Seconds of a walk on one kind of GPU: its kernels, timed by `planner.costs.kernels`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, fields, replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.configuration import Run
from planner.costs.frameworks import apart, of_model
from planner.costs.kernels import StageClock
from planner.costs.rates import Rates
from planner.costs.stage_time import StageTime, summed
from planner.hardware import Hardware
from planner.hardware.gguf import GGUF_TYPES
from planner.parts.llms import Llm
from planner.parts.walk import (
    AllReduce,
    Attention,
    CacheRead,
    Elementwise,
    Gather,
    Kernel,
    Matmul,
    Number,
    State,
    Walk,
)


@dataclass(frozen=True)
class Clocks:
    """What a card does in the precision of the run's weights, and in that of those which are not quantised."""

    quantised: Rates
    wide: Rates
    head: Rates
    """Of the output head: wide too, but in a GGUF file."""
    others: tuple[NDArray[np.bool_], Clocks] | None = None
    """Of a column of models some of which other kernels stand for, in ways that no column of numbers holds: which
    these are, and what the card does for them."""

    @classmethod
    def of(cls, hardware: Hardware, run: Run, llm: Llm | None = None) -> Clocks:
        """Of a run of a language model; None: of what has no GGUF file, as the vision side.

        Raises InputError for a precision that the card does not compute in.
        """
        two = apart(hardware, llm)
        if two is None:
            return cls._of(of_model(hardware, llm), run, llm)
        kinds, card, other = two
        return replace(cls._of(card, run, llm), others=(kinds, cls._of(other, run, llm)))

    @classmethod
    def _of(cls, hardware: Hardware, run: Run, llm: Llm | None) -> Clocks:
        name = "fp32" if run.precision == "fp32" else "bf16"
        own, wide = (Rates.of(hardware, one, run.kv_precision) for one in (run.precision, name))
        file = GGUF_TYPES.get(run.precision)
        if llm is None or file is None:
            return cls(own, wide, wide)
        matrices, head = file.matrix_bits(llm) / 8, file.head_bits(llm) / 8
        return cls(replace(own, weight_bytes=matrices), wide, replace(wide, weight_bytes=head))

    def time(self, walk: Walk) -> StageTime:
        """Seconds of a walk.

        Products of quantised weights and others are added up apart, each with the speed of light of its own precision;
        a kernel without weights goes with the first product of the walk.
        """
        kernels = list(walk)
        if self.others is not None:
            kinds, clocks = self.others
            mine, theirs = self._time(kernels), clocks._time(kernels)
            return StageTime(
                *(np.where(kinds, getattr(theirs, item.name), getattr(mine, item.name)) for item in fields(StageTime))
            )
        return self._time(kernels)

    def _time(self, kernels: Sequence[Kernel]) -> StageTime:
        first = next((self._rates(kernel) for kernel in kernels if isinstance(kernel, Matmul)), self.wide)
        sums = {id(first): _Sums(first)}
        for kernel in kernels:
            rates = self._rates(kernel) if isinstance(kernel, Matmul) else first
            if id(rates) not in sums:
                sums[id(rates)] = _Sums(rates)
            sums[id(rates)].add(kernel)
        return summed([one.stage() for one in sums.values()])

    def _rates(self, product: Matmul) -> Rates:
        if product.quantised:
            return self.quantised
        return self.head if product.head else self.wide


@dataclass
class _Sums:
    """Kernels of one precision; products and element-wise kernels of the same rows are timed in one go."""

    rates: Rates
    _products: dict[int, tuple[Number, list[tuple[Number, ...]]]] = field(default_factory=dict)
    _moves: dict[int, list[Number]] = field(default_factory=dict)
    _rest: list[Kernel] = field(default_factory=list)

    def add(self, kernel: Kernel) -> None:
        if isinstance(kernel, Matmul) and not kernel.plain:
            self._rest.append(kernel)
        elif isinstance(kernel, Matmul):
            touched = () if kernel.touched is None else (kernel.touched,)
            _, matrices = self._products.setdefault(id(kernel.rows), (kernel.rows, []))
            matrices.append((kernel.times, kernel.k, kernel.n, *touched))
        elif isinstance(kernel, Elementwise | Gather):
            if isinstance(kernel, Gather):
                launches, values = kernel.times, 2.0 * kernel.times * kernel.width
            else:
                launches, values = kernel.launches, kernel.values
            found = self._moves.setdefault(id(kernel.rows), [kernel.rows, 0.0, 0.0])
            found[1], found[2] = found[1] + launches, found[2] + values
        else:
            self._rest.append(kernel)

    def stage(self) -> StageTime:
        clock = StageClock(self.rates)
        for kernel in self._rest:
            if isinstance(kernel, Attention):
                seen = (kernel.times, kernel.rows, kernel.pairs, kernel.width, kernel.kv_width)
                clock.attention(*seen, kernel.qk_norm, kernel.head_size)
            elif isinstance(kernel, Matmul):
                clock.product(kernel)
            elif isinstance(kernel, CacheRead):
                clock.cache_read(kernel.times, kernel.tokens, kernel.kv_width, kernel.reads)
            elif isinstance(kernel, State):
                clock.state(kernel.times, kernel.rows, kernel.updates, kernel.values, kernel.flops_per_row)
            elif isinstance(kernel, AllReduce):
                clock.all_reduces(kernel.times, kernel.rows, kernel.width, kernel.gpus)
        for rows, matrices in self._products.values():
            clock.matmuls(rows, matrices)
        for rows, launches, values in self._moves.values():
            clock.elementwise(launches, rows, values)
        return clock.stage()
