"""How long the kernels of one stage take on one GPU: a roofline with the card's efficiencies and launch costs.

    matrix product   t = (C^p + B^p)^(1/p) + overhead, with C = 2 m k n / (peak x efficiency) and
                     B = (k n w + m (k i + n o)) / (bandwidth x efficiency); in fp8 and int8 an element-wise kernel
                     more, which quantises the inputs; for few rows m, where the card has a table, as that says
                     (`planner.hardware.few_rows`)
    attention        the same, with C = 4 x pairs x width / (...), B = its queries, keys, values and outputs
    cache read       (B^q + overhead^q)^(1/q), with B = keys and values of all cached tokens: a decode step's attention;
                     q is `Efficiency.cache_overlap`, 1 where the overhead is added, and a request counts at least
                     the tokens of `Efficiency.cache_tile_tokens`
    element-wise     B + overhead
    all-reduce       2 (n - 1) / n x bytes / (interconnect x efficiency) + overhead (a ring of n GPUs)

p is the card's `Efficiency.overlap`: 1 where computing and memory traffic wait for each other, without end where the
longer hides the shorter, the usual max(C, B). The default 2, the root of squares, stands for a part: it fits measured
kernels of GPUs better than max(C, B). `vlm-planner calibrate` fits p to a device.

Letters: m rows (tokens of all requests), k and n the matrix's input and output width; w, i, o bytes of a weight, an
input and an output value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.costs.few_rows import by_rows, only_few, overlapping
from planner.costs.rates import Rates
from planner.costs.stage_time import BOUNDS, Number, StageTime, plus
from planner.costs.uneven import computed_rows, product_peak, read_values
from planner.hardware import Hardware
from planner.hardware.few_rows import FewRows
from planner.parts.walk import Matmul

HEAD_STEP = 16
"""Values that a matrix unit takes of a row at once in 16 bits (mma.m16n8k16): a head of 72 is computed as one of 80."""


@dataclass
class StageClock:
    """Adds up the kernels of a stage; everything may be an array that broadcasts against the rest."""

    rates: Rates
    _sums: dict[str, Number] = field(default_factory=lambda: dict.fromkeys(("seconds", "bytes", "peak_s"), 0.0))

    def stage(self) -> StageTime:
        """What has been added up."""
        sums, hardware = self._sums, self.rates.hardware
        ideal = np.maximum(sums["peak_s"], sums["bytes"] / hardware.bandwidth_bytes_per_s)
        if "link_bytes" in sums:
            ideal = ideal + sums["link_bytes"] / _link(hardware)
        spent = {f"{name}_s": sums.get(name, 0.0) for name in BOUNDS}
        return StageTime(seconds=sums["seconds"], bytes=sums["bytes"], **spent, ideal_s=ideal)

    def matmuls(self, rows: Number, matrices: Sequence[tuple[Number, ...]]) -> None:
        """Matrix products of the same rows, each (how many times, input width, output width), and where they are not
        their product, the weights that are read."""
        if self.rates.few_rows is None:
            self._matmuls(rows, matrices, None)
            return
        own = [one for one in matrices if len(one) == 3]
        borrowed = [one for one in matrices if len(one) > 3]  # no table speaks of weights that are not read
        for some, table in ((own, self.rates.few_rows), (borrowed, None)):
            if some:
                self._matmuls(rows, some, table)

    def _matmuls(self, rows: Number, matrices: Sequence[tuple[Number, ...]], table: FewRows | None) -> None:
        r, card = self.rates, self.rates.hardware
        peak, bandwidth = r.flops_per_s, card.bandwidth_bytes_per_s
        e = card.efficiency
        quantised = r.input_bytes < r.output_bytes
        share = e.quantised_compute if quantised else e.matmul_compute
        seconds: Number = 0.0
        read_s: Number = 0.0
        last_s: Number = 0.0
        few = only_few(table, rows)
        row_flops: Number = 0.0
        row_bytes: Number = 0.0
        weight_bytes: Number = 0.0
        row_inputs: Number = 0.0
        launches: Number = 0.0
        halfway = bool(np.all(e.overlap == 2))
        for times, k, n, *touched in matrices:
            products = 2.0 * k * n
            weights = (touched[0] if touched else k * n) * r.weight_bytes
            values = k * r.input_bytes + n * r.output_bytes
            c = products / (peak * share)
            b, b0 = values / (bandwidth * e.matmul_bandwidth), weights / (bandwidth * e.matmul_bandwidth)
            if table is not None:
                read_s = read_s + times * b0
                last_s = last_s + times * overlapping(c * table.most, b * table.most + b0, e.overlap)
            if few:
                pass
            elif halfway:
                # sqrt((c m)^2 + (b m + b0)^2) as a quadratic in m: few operations on the full grid
                seconds = seconds + times * np.sqrt(((c * c + b * b) * rows + 2 * b * b0) * rows + b0 * b0)
            else:
                seconds = seconds + times * overlapping(c * rows, b * rows + b0, e.overlap)
            row_flops, row_bytes = row_flops + times * products, row_bytes + times * values
            weight_bytes, launches = weight_bytes + times * weights, launches + times
            row_inputs = row_inputs + times * k
        if table is not None:
            seconds = by_rows(table, rows, read_s, seconds, last_s, row_flops / (peak * share) * rows)
        moved = row_bytes * rows + weight_bytes
        overhead = launches * e.matmul_overhead_s
        self._add(
            seconds=seconds + overhead,
            bytes=moved,
            peak_s=row_flops / peak * rows,
            compute=row_flops / (peak * share) * rows,
            bandwidth=moved / (bandwidth * e.matmul_bandwidth),
            overhead=overhead,
        )
        if quantised:
            self._quantise(row_inputs * (r.output_bytes + r.input_bytes) * rows, launches)

    def attention(
        self,
        times: Number,
        rows: Number,
        pairs: Number,
        width: Number,
        kv_width: Number,
        qk_norm: Number = 0.0,
        head_size: Number | None = None,
    ) -> None:
        """Attention of many new tokens, `pairs` pairs of a token and one that it attends to.

        Matrix units take `HEAD_STEP` values of a head at a time: what a head is short of a multiple is computed too.
        """
        r, card = self.rates, self.rates.hardware
        e = card.efficiency
        flops = 4.0 * times * width * pairs
        moved = times * (2 * width * r.output_bytes + 2 * kv_width * r.kv_bytes) * rows
        compute = flops / (r.attention_flops_per_s * e.attention_compute)
        if head_size is not None:
            compute = compute * (np.ceil(head_size / HEAD_STEP) * HEAD_STEP / head_size)
        bandwidth = moved / (card.bandwidth_bytes_per_s * e.attention_bandwidth)
        overhead = times * (e.attention_overhead_s + qk_norm * e.qk_norm_overhead_s)
        self._add(
            seconds=overlapping(compute, bandwidth, e.overlap) + overhead,
            bytes=moved,
            peak_s=flops / r.attention_flops_per_s,
            compute=compute,
            bandwidth=bandwidth,
            overhead=overhead,
        )

    def product(self, kernel: Matmul) -> None:
        """A product of experts or a convolution; see `planner.costs.uneven`."""
        r, card, e = self.rates, self.rates.hardware, self.rates.hardware.efficiency
        quantised = r.input_bytes < r.output_bytes
        peak, share = product_peak(r, kernel), e.quantised_compute if quantised else e.matmul_compute
        rows, times, inputs, groups = kernel.rows, kernel.times, read_values(kernel), kernel.groups
        flops = 2.0 * kernel.k * kernel.n * times
        weights = (kernel.k * kernel.n if kernel.touched is None else kernel.touched) * r.weight_bytes
        bandwidth = card.bandwidth_bytes_per_s * e.matmul_bandwidth

        def parts(rows: Number) -> tuple[Number, Number, Number]:
            moved = times * ((inputs * r.input_bytes + kernel.n * r.output_bytes) * rows + weights)
            return flops * computed_rows(rows, groups) / (peak * share), moved / bandwidth, moved

        compute_s, traffic_s, moved = parts(rows)
        seconds = overlapping(compute_s, traffic_s, e.overlap)
        if r.few_rows is not None and groups is not None:
            own, last = rows / np.maximum(groups, 1e-9), parts(r.few_rows.most * groups)[:2]
            read_s = times * weights / bandwidth
            seconds = by_rows(r.few_rows, own, read_s, seconds, overlapping(*last, e.overlap), compute_s)
        overhead = times * e.matmul_overhead_s
        self._add(
            seconds=seconds + overhead,
            bytes=moved,
            peak_s=flops * rows / peak,
            compute=compute_s,
            bandwidth=traffic_s,
            overhead=overhead,
        )
        if quantised:
            self._quantise(times * inputs * (r.output_bytes + r.input_bytes) * rows, times)

    def _quantise(self, moved: Number, launches: Number) -> None:
        """An element-wise kernel before each product, which quantises its inputs and moves so many bytes."""
        card = self.rates.hardware
        seconds = moved / (card.bandwidth_bytes_per_s * card.efficiency.elementwise_bandwidth)
        overhead = launches * card.efficiency.quantised_overhead_s
        self._add(seconds=seconds + overhead, bytes=moved, bandwidth=seconds, overhead=overhead)

    def cache_read(self, times: Number, cached: Number, kv_width: Number, reads: Number = 0.0) -> None:
        """A decode step's attention over `cached` tokens of all requests, in so many `reads` of one request's."""
        card, e = self.rates.hardware, self.rates.hardware.efficiency
        moved = times * 2 * kv_width * self.rates.kv_bytes * cached
        bandwidth = moved / (card.bandwidth_bytes_per_s * e.cache_bandwidth)
        if np.any(e.cache_tile_tokens):
            bandwidth = bandwidth * np.maximum(1.0, reads * e.cache_tile_tokens / np.maximum(cached, 1.0))
        overhead = times * e.cache_overhead_s
        added = bool(np.all(e.cache_overlap == 1))
        seconds = bandwidth + overhead if added else overlapping(bandwidth, overhead, e.cache_overlap)
        self._add(seconds=seconds, bytes=moved, bandwidth=bandwidth, overhead=overhead)

    def state(self, times: Number, rows: Number, updates: Number, values: Number, flops_per_row: Number) -> None:
        """Recurrent layers: their state read and written at each update, their products at the rate of attention."""
        r, card = self.rates, self.rates.hardware
        e = card.efficiency
        flops = times * rows * flops_per_row
        moved = 2.0 * times * updates * values * r.output_bytes
        compute = flops / (r.attention_flops_per_s * e.attention_compute)
        bandwidth = moved / (card.bandwidth_bytes_per_s * e.cache_bandwidth)
        overhead = times * e.cache_overhead_s
        self._add(
            seconds=overlapping(compute, bandwidth, e.overlap) + overhead,
            bytes=moved,
            peak_s=flops / r.attention_flops_per_s,
            compute=compute,
            bandwidth=bandwidth,
            overhead=overhead,
        )

    def elementwise(self, launches: Number, rows: Number, values_per_row: Number) -> None:
        """Kernels that read and write `values_per_row` numbers for each row, all together."""
        card = self.rates.hardware
        moved = values_per_row * self.rates.output_bytes * rows
        seconds = moved / (card.bandwidth_bytes_per_s * card.efficiency.elementwise_bandwidth)
        overhead = launches * card.efficiency.elementwise_overhead_s
        self._add(seconds=seconds + overhead, bytes=moved, bandwidth=seconds, overhead=overhead)

    def all_reduces(self, times: Number, rows: Number, width: Number, gpus: Number) -> None:
        """Sums over n GPUs of `width` numbers for each row; nothing for one GPU."""
        if np.all(np.asarray(gpus) == 1):
            return
        card, e = self.rates.hardware, self.rates.hardware.efficiency
        n = np.maximum(gpus, 2)
        share = np.minimum(1.0, e.interconnect * (2 / n) ** e.interconnect_falloff)
        sent = (2.0 * (n - 1) / n * times * self.rates.output_bytes * width * (np.asarray(gpus) > 1)) * rows
        overhead = times * e.all_reduce_overhead_s * (n / 2) ** e.all_reduce_growth * (np.asarray(gpus) > 1)
        seconds = sent / (_link(card) * share) + overhead
        self._add(seconds=seconds, link_bytes=sent, interconnect=seconds)

    def _add(self, **amounts: Number) -> None:
        for name, amount in amounts.items():
            self._sums[name] = plus(self._sums[name], amount) if name in self._sums else amount


def _link(hardware: Hardware) -> float:
    if not hardware.interconnect_bytes_per_s:
        raise InputError(f"{hardware.title} has no interconnect in the catalogue; expected tensor_parallel = 1")
    return hardware.interconnect_bytes_per_s
