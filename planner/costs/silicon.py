"""Latency of the language model from measured kernels: NVIDIA's aiconfigurator, a package that one installs by hand.

aiconfigurator-core ended with 0.12.0, so no extra of ours asks for it. Its successor, aisimulate 0.13.0, is on PyPI
only as a stub that fetches its wheel from NVIDIA's own index, and pins jax, flax and a nightly tensorflow-probability.

Its tables hold kernel times of serving engines with CUDA graphs; between their points it interpolates. The query pass,
prefill, decode step and the sums over GPUs come from it; tower and compressor from `planner.costs.latency`.

Sources of a stage, in the package's words: "silicon" (from tables), "empirical" (formulas fitted to some), "sol" (speed
of light), "mixed". Element-wise kernels are formulas in every stage and are left out of the verdict.
"""

from __future__ import annotations

import importlib
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.configuration import Model, Run
from planner.costs.frameworks import is_multi_head
from planner.costs.latency import MIXED, Latency, latency
from planner.costs.stages import Workload, passes
from planner.parts.llms import Llm
from planner.parts.walk import Number

FloatArray = NDArray[np.float64]
Op = tuple[str, float, str]
"""Kernel, seconds, source."""


@dataclass(frozen=True)
class System:
    """A card as the package knows it."""

    name: str
    """Its name there."""
    grouped: str = "vllm"
    """The engine whose kernels stand for models with grouped queries (GQA)."""
    multi_head: str = "sglang"
    """The engine whose kernels stand for models without: those of vLLM end at 8 key/value heads in a decode step,
    where the card's entry says no other."""

    def engine_of(self, llm: Llm) -> str:
        """The engine whose tables measure the model's kind of attention."""
        return self.multi_head if is_multi_head(llm) else self.grouped

    @property
    def engines(self) -> tuple[str, ...]:
        """Those whose kernels stand for some model."""
        return tuple(dict.fromkeys((self.grouped, self.multi_head)))


SYSTEMS = {
    "a100-80gb": System("a100_sxm"),
    "h100-sxm": System("h100_sxm"),
    "h200": System("h200_sxm"),
    "b200": System("b200_sxm", multi_head="vllm"),
    "b300": System("b300_sxm"),
    "gb200": System("gb200"),
    "gb300": System("gb300"),
    "l40s": System("l40s"),
    "rtx-pro-6000": System("rtx_pro_6000_server"),
    "arc-b60": System("b60", multi_head="vllm"),
}
"""The cards with data. vLLM, where its tables measure the model's kind of attention, else SGLang."""
_WEIGHTS = {"bf16": "bfloat16", "fp16": "bfloat16", "fp8": "fp8", "int8": "sq", "w8a16": "int8_wo", "int4": "int4_wo"}
_KV = {"bf16": "bfloat16", "fp16": "bfloat16", "fp8": "fp8", "int8": "int8"}
_ELEMENTWISE = ("embedding", "add_norm_1", "add_norm_2", "act_gate", "p2p")


def silicon_latency(model: Model, workload: Workload, run: Run) -> Latency:
    """As `latency.latency`, for one LLM and one or a few numbers of visual tokens: each takes about 1 ms.

    Bytes, bounds and the speed of light remain those of `latency`.

    Raises:
        InputError: aiconfigurator is not installed, or has no data for this card, model or precision.
    """
    return with_kernels(latency(model, workload, run), kernel_times(model, workload, run))


def with_kernels(ours: Latency, measured: Mapping[str, KernelTimes]) -> Latency:
    """Times with the seconds of measured kernels in the stages that have some."""
    stages = {name: replace(getattr(ours, name), seconds=one.seconds) for name, one in measured.items()}
    return replace(ours, **stages, sources={**ours.sources, **{name: one.source for name, one in measured.items()}})


def kernel_times(model: Model, workload: Workload, run: Run) -> dict[str, KernelTimes]:
    """Times of the language model by stage, for one LLM and one or a few numbers of visual tokens.

    Raises:
        InputError: no hardware, aiconfigurator is not installed, or has no data for this card, model or precision.
    """
    if run.hardware is None:
        raise InputError("times need hardware: give the run an accelerator, such as l4")
    batch = int(run.batch)
    engine = Engine.of(model.llm, run.hardware.name, run.precision, run.kv_precision, int(run.tensor_parallel))
    query_pass: list[Op] = []
    prefills: list[list[Op]] = []
    steps: list[list[Op]] = []
    for v in np.ravel(model.visual_tokens):
        tokens = passes(replace(model, visual_tokens=float(v)), workload).tokens
        cached, prefix, new = tokens.cached, tokens.prefix, round(float(tokens.prefill))
        if tokens.query_pass:
            query_pass = without_logits(engine.prefill(batch, tokens.query_pass))
        ahead = without_logits(engine.prefill(batch, prefix, cached)) if prefix else []
        prefills.append(ahead + engine.prefill(batch, new - prefix, cached + prefix))
        steps.append(engine.decode_step(batch, cached + new + max(tokens.decode, 1) // 2))
    shape = np.shape(model.visual_tokens)
    found = {"query_pass": [query_pass], "prefill": prefills, "decode_step": steps}
    return {
        name: KernelTimes(
            _shaped([sum(op[1] for op in ops) for ops in runs], shape), source_of([op for ops in runs for op in ops])
        )
        for name, runs in found.items()
        if runs != [[]]
    }


@dataclass(frozen=True)
class KernelTimes:
    """Of one stage."""

    seconds: Number
    source: str
    """In the package's words."""


class Engine:
    """One model on one card as aiconfigurator sees it."""

    def __init__(self, handle: Any, name: str) -> None:
        self._handle = handle
        self._name = name
        self._known: dict[tuple[tuple[str, Any], ...], Any] = {}

    @classmethod
    def of(
        cls,
        llm: Llm,
        card: str,
        precision: str = "bf16",
        kv_precision: str | None = None,
        gpus: int = 1,
        engine: str = "",
    ) -> Engine:
        """The kernels of a serving engine, by default that of SYSTEMS. Raises InputError, with what is missing."""
        if card not in SYSTEMS:
            raise InputError(f"aiconfigurator has no kernel times of {card}; it has those of: {', '.join(SYSTEMS)}")
        kv_precision = kv_precision or "bf16"
        if precision not in _WEIGHTS or kv_precision not in _KV:
            raise InputError(
                f"aiconfigurator has no kernel times for weights in {precision} and a KV cache in {kv_precision}; "
                f"expected one of {', '.join(_WEIGHTS)}, and of {', '.join(_KV)}"
            )
        if llm.silicon_config() is None:
            raise InputError(
                f"aiconfigurator knows gated MLPs without attention windows only, which {llm.name} has not; leave out "
                "the silicon source"
            )
        system = SYSTEMS[card]
        return _engine(llm, system.name, engine or system.engine_of(llm), _WEIGHTS[precision], _KV[kv_precision], gpus)

    def prefill(self, batch: int, new_tokens: int, cached_tokens: int = 0) -> list[Op]:
        """Kernels of a pass over new tokens, and the logits of the last one."""
        context, _ = self._run(batch_size=batch, isl=cached_tokens + new_tokens, osl=1, prefix=cached_tokens)
        return _ops(context)

    def decode_step(self, batch: int, context_tokens: int) -> list[Op]:
        """Kernels of one token behind so many."""
        _, generation = self._run(batch_size=batch, isl=context_tokens, osl=2, mode="static_gen")
        return _ops(generation)

    def _run(self, **shape: Any) -> Any:
        key = tuple(sorted(shape.items()))
        if key in self._known:
            return self._known[key]
        try:
            found = self._known[key] = self._handle.run_static_per_op(**shape)
            return found
        except Exception as error:  # the package has no common base of its errors
            raise InputError(f"aiconfigurator has no kernel times for {self._name}: {_first_words(error)}") from None


def without_logits(ops: list[Op]) -> list[Op]:
    return [op for op in ops if op[0] != "logits_gemm"]


def source_of(ops: list[Op]) -> str:
    """The source that all kernels share, element-wise ones left out; "mixed" if they differ."""
    found = {source for name, seconds, source in ops if seconds > 0 and name not in _ELEMENTWISE}
    return found.pop() if len(found) == 1 else MIXED


def _ops(values: Sequence[tuple[str, float, float, str]]) -> list[Op]:
    return [(name.split("_", 1)[1], milliseconds / 1e3, source) for name, milliseconds, _, source in values]


def _shaped(seconds: list[float], shape: tuple[int, ...]) -> FloatArray | float:
    return np.reshape(seconds, shape) if shape and len(seconds) > 1 else seconds[0]


@lru_cache(maxsize=256)
def _engine(llm: Llm, system: str, backend: str, weights: str, kv: str, gpus: int) -> Engine:
    try:
        sdk = importlib.import_module("aiconfigurator_core.sdk")
    except ImportError:
        raise InputError(
            "the silicon source needs aiconfigurator-core, of which 0.12.0 is the last release: "
            "pip install aiconfigurator-core==0.12.0"
        ) from None
    # it says much about tables that no dense model asks for
    logging.getLogger("aiconfigurator_core").setLevel(logging.ERROR)
    name = f"{llm.name} on {gpus} x {system} ({backend}, weights {weights}, KV cache {kv})"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(llm.silicon_config()), encoding="utf-8")
        try:
            handle = sdk.EngineHandle.compile(
                folder, system, backend, tp_size=gpus, gemm_quant_mode=weights, kvcache_quant_mode=kv
            )
        except Exception as error:
            raise InputError(f"aiconfigurator has no kernel times for {name}: {_first_words(error)}") from None
    return Engine(handle, name)


def _first_words(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else f"{text[:157]}..."
