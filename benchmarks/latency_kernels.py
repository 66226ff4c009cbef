"""The measured side of `latency.py`: kernels of many shapes as aiconfigurator knows them, and the fit to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from environment import say
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.costs.kernels import StageClock
from planner.costs.rates import Rates
from planner.costs.silicon import Engine
from planner.hardware import Hardware, find_hardware, hardware_catalog
from planner.hardware.efficiency import CALIBRATED, SHARES, Efficiency, efficiency_of
from planner.parts.catalog import llm_catalog
from planner.parts.llms import Dense

FloatArray = NDArray[np.float64]

FITTED = ("Qwen3-0.6B", "Qwen2.5-1.5B", "Llama-3.2-3B", "Qwen1.5-4B", "Qwen3-8B", "Qwen2.5-14B", "Qwen3-32B")
JUDGED = (
    "Qwen2.5-0.5B",
    "Llama-3.2-1B",
    "Qwen3-1.7B",
    "Qwen1.5-1.8B",
    "Qwen3-4B",
    "Vicuna-7B-v1.5",
    "Qwen2.5-7B",
    "Llama-3.1-8B",
    "Qwen3-14B",
    "Qwen2.5-32B",
)
SPLIT = ("Qwen3-8B", "Qwen3-32B", "Llama-3.1-8B", "Qwen2.5-32B")
"""Models that run on 2, 4 and 8 GPUs too."""
PROMPTS = (32, 50, 66, 100, 128, 200, 256, 400, 576, 626, 1024, 1500, 2048)
BATCHES = (1, 2, 4, 8, 16, 32)
GPUS = (1, 2, 4, 8)
MORE_CARDS = {
    # title, peak in bf16, fp8; memory and interconnect bandwidth: as aiconfigurator's system files state them
    "b300": ("NVIDIA B300 SXM", 2.25e15, 4.5e15, 7.75e12, 900e9),
    "gb200": ("NVIDIA GB200", 2.5e15, 5e15, 8e12, 900e9),
    "gb300": ("NVIDIA GB300", 2.5e15, 5e15, 8e12, 900e9),
    "rtx-pro-6000": ("NVIDIA RTX PRO 6000 Blackwell", 467.8e12, 935.6e12, 1.792e12, 64e9),
    "arc-b60": ("Intel Arc Pro B60", 98.304e12, 98.304e12, 456e9, 28.4e9),
}
"""With data, but not in the hardware catalogue."""


def hardware_of(card: str) -> Hardware:
    """From the catalogue, else from MORE_CARDS."""
    if card not in MORE_CARDS or card in hardware_catalog():
        return find_hardware(card)
    title, bf16, fp8, bandwidth, interconnect = MORE_CARDS[card]
    return replace(
        find_hardware("h100-sxm"),
        name=card,
        title=title,
        flops_per_s={"bf16": bf16, "fp16": bf16, "fp8": fp8},
        bandwidth_bytes_per_s=bandwidth,
        interconnect_bytes_per_s=interconnect,
        efficiency=efficiency_of(card),
    )


# ---- what aiconfigurator says --------------------------------------------------------------------------------------


def _dense(name: str) -> Dense:
    llm = llm_catalog()[name]
    assert isinstance(llm, Dense)
    return llm


@dataclass(frozen=True)
class Shape:
    """One pass of one model."""

    llm: Dense
    gpus: int
    batch: int
    tokens: int
    """Of the prompt: new in a prefill, before the new one in a decode step."""
    prefill: bool
    seconds: dict[str, float] = field(hash=False)
    """By kernel."""

    @property
    def rows(self) -> int:
        return self.batch * self.tokens if self.prefill else self.batch


def ask(card: str, names: Iterable[str], *, engine: str = "", precision: str = "bf16") -> list[Shape]:
    """Every shape of the models that aiconfigurator has data for."""
    shapes = []
    for name in names:
        llm = _dense(name)
        for gpus in GPUS if name in SPLIT and not engine and precision == "bf16" else (1,):
            try:
                model = Engine.of(llm, card, precision, gpus=gpus, engine=engine)
                for batch in BATCHES:
                    for tokens in PROMPTS:
                        for prefill in (True, False):
                            ops = model.prefill(batch, tokens) if prefill else model.decode_step(batch, tokens)
                            seconds = {op: value for op, value, _ in ops}
                            shapes.append(Shape(llm, gpus, batch, tokens, prefill, seconds))
            except InputError as error:
                say(f"{card}: {error}")
    return shapes


def ask_fp8(card: str, names: Iterable[str]) -> list[Shape]:
    """With the weights in fp8; nothing for a card without."""
    return ask(card, names, precision="fp8") if "fp8" in hardware_of(card).flops_per_s else []


# ---- the fit, one group of kernels at a time -----------------------------------------------------------------------


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
        """Seconds are fitted in microseconds."""
        return np.array([1e-6 if name.endswith("_s") else 1.0 for name in self.names])

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


def groups_of(shapes: list[Shape], quantised: list[Shape]) -> list[Group]:
    """The kernels of these shapes."""
    matmuls: list[tuple[float, ...]] = []
    attention: list[tuple[float, ...]] = []
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
            attention.append((rows, pairs, w, u, float(llm.qk_norm), seconds["attention"] / layers))
        else:
            cache.append((shape.batch * (shape.tokens + 1), u, seconds["attention"] / layers))
    low = [row for shape in quantised for row in _decoder_matmuls(shape)]
    groups = [
        Group(
            ("matmul_compute", "matmul_bandwidth", "matmul_overhead_s"),
            lambda clock, a: clock.matmuls(a[0], [(1.0, a[1], a[2])]),
            _columns(matmuls),
        ),
        Group(
            ("attention_compute", "attention_bandwidth", "attention_overhead_s", "qk_norm_overhead_s"),
            lambda clock, a: clock.attention(1.0, a[0], a[1], a[2], a[3], a[4]),
            _columns(attention),
        ),
        Group(
            ("cache_bandwidth", "cache_overhead_s"),
            lambda clock, a: clock.cache_read(1.0, a[0], a[1]),
            _columns(cache),
        ),
        Group(
            ("elementwise_bandwidth", "elementwise_overhead_s"),
            lambda clock, a: clock.elementwise(1.0, a[0], a[1]),
            _columns(elementwise),
        ),
        Group(
            ("interconnect", "interconnect_falloff", "all_reduce_overhead_s", "all_reduce_growth"),
            lambda clock, a: clock.all_reduces(1.0, a[0], a[1], a[2]),
            _columns(reduces),
        ),
    ]
    if low:
        names = ("quantised_compute", "quantised_overhead_s")
        groups.append(Group(names, lambda clock, a: clock.matmuls(a[0], [(1.0, a[1], a[2])]), _columns(low), "fp8"))
    return groups


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


def fit(hardware: Hardware, shapes: list[Shape], quantised: list[Shape]) -> tuple[Efficiency, int]:
    """The card's numbers, and how many different kernels they rest on."""
    from scipy.optimize import least_squares

    found = replace(Efficiency(), source=CALIBRATED)
    groups = groups_of(shapes, quantised)
    for group in groups:
        share = np.array([name in SHARES for name in group.names])
        bottom = np.where(share, 0.02, 0.0)
        top = np.where(share, 1.0, np.where(group.scale < 1, 1e3, 3.0))
        start = np.array([getattr(found, name) for name in group.names]) / group.scale

        def residuals(x: FloatArray, group: Group = group, base: Efficiency = found) -> FloatArray:
            return group.log_ratios(hardware, group.put(x, base))

        solved = least_squares(
            residuals,
            np.clip(start, bottom + 0.05, 0.95 * top),
            bounds=(bottom, top),
            diff_step=1e-3,
            loss="soft_l1",
            f_scale=0.1,
        )
        found = group.put(np.round(solved.x, 4), found, digits=4)
    return found, sum(group.columns.shape[1] for group in groups)
