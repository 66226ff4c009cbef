"""Seconds of a walk on one kind of GPU: its kernels, timed by `planner.costs.kernels`."""

from __future__ import annotations

from dataclasses import dataclass, field

from planner.configuration import Run
from planner.costs.kernels import StageClock, StageTime, summed
from planner.costs.rates import Rates
from planner.hardware import Hardware
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

    @classmethod
    def of(cls, hardware: Hardware, run: Run) -> Clocks:
        """Raises InputError for a precision that the card does not compute in."""
        wide = "fp32" if run.precision == "fp32" else "bf16"
        return cls(
            Rates.of(hardware, run.precision, run.kv_precision),
            Rates.of(hardware, wide, run.kv_precision),
        )

    def time(self, walk: Walk) -> StageTime:
        """Seconds of a walk.

        Products of quantised weights and others are added up apart, each with the speed of light of its own precision;
        a kernel without weights goes with the first product of the walk.
        """
        kernels = list(walk)
        first = next((kernel.quantised for kernel in kernels if isinstance(kernel, Matmul)), False)
        sums = {first: _Sums(self.quantised if first else self.wide)}
        for kernel in kernels:
            apart = kernel.quantised if isinstance(kernel, Matmul) else first
            if apart not in sums:
                sums[apart] = _Sums(self.quantised if apart else self.wide)
            sums[apart].add(kernel)
        return summed([one.stage() for one in sums.values()])


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
                clock.cache_read(kernel.times, kernel.tokens, kernel.kv_width)
            elif isinstance(kernel, State):
                clock.state(kernel.times, kernel.rows, kernel.updates, kernel.values, kernel.flops_per_row)
            elif isinstance(kernel, AllReduce):
                clock.all_reduces(kernel.times, kernel.rows, kernel.width, kernel.gpus)
        for rows, matrices in self._products.values():
            clock.matmuls(rows, matrices)
        for rows, launches, values in self._moves.values():
            clock.elementwise(launches, rows, values)
        return clock.stage()
