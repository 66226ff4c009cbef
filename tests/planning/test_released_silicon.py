"""Released models timed by measured kernels: each candidate as it costs alone; what has none is left out by name."""

from __future__ import annotations

import sys
from itertools import product
from typing import Any

import pytest

import planner
from planner.base.errors import InputError
from planner.costs import silicon
from planner.costs.silicon import Engine
from planner.costs.stages import Workload
from planner.parts.llms import Llm
from planner.planning.result import Plan

REQUEST = Workload(query_tokens=30, generated_tokens=16, system_tokens=4)


class MadeUp:
    """Kernels whose times are plain functions of the shape and the model, as aiconfigurator hands them over."""

    def __init__(self, size: float) -> None:
        self.size = size

    def run_static_per_op(
        self, batch_size: int, isl: int, osl: int, prefix: int = 0, mode: str = ""
    ) -> tuple[list[tuple[str, float, float, str]], list[tuple[str, float, float, str]]]:
        if isl > 3000:
            raise ValueError("the table ends at 3000 tokens")
        prefill = 1e-9 * self.size * batch_size * (isl - prefix)
        step = 1e-9 * self.size * (1 + 1e-4 * isl * batch_size)
        return [("context_gemm", prefill, 0.0, "silicon")], [("generation_gemm", step, 0.0, "silicon")]


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of aiconfigurator, which is installed by hand."""

    def engine(llm: Llm, system: str, backend: str, weights: str, kv: str, gpus: int) -> Engine:
        return Engine(MadeUp(llm.params / gpus * {"bfloat16": 2, "fp8": 1}[weights]), llm.name)

    monkeypatch.setattr(silicon, "_engine", engine)


def plan(models: str, *, image: Any = "640x480", **options: Any) -> Plan:
    budget = options.pop("budget", planner.Budget(latency="100 s"))
    asked = {"workload": REQUEST, "hardware": "h100-sxm", "latency_source": "silicon", **options}
    return planner.plan(budget=budget, models=models, image=image, **asked)


@pytest.mark.usefixtures("package")
def test_every_candidate_is_timed_as_it_is_alone() -> None:
    models = "Qwen/Qwen3-VL-2B-Instruct,Qwen/Qwen3-VL-8B-Instruct,llava-hf/llava-1.5-7b-hf"
    ways = list(product(("bf16", "fp8"), (1, 4), (1, 2)))
    plans = [plan(models, precision=way[0], batch=way[1], tensor_parallel=way[2]) for way in ways]
    seen = [one for found in plans for one in (found.best, *found.runners_up)]
    assert len({one.name for one in seen}) > 5
    for one in seen:
        assert one.released is not None and one.latency is not None
        alone = planner.released_cost(
            one.released.checkpoint,
            one.released.image,
            REQUEST,
            knobs=one.released.turned,
            precision=one.precision,
            batch=one.batch,
            tensor_parallel=one.tensor_parallel,
            hardware="h100-sxm",
            latency_source="silicon",
        ).latency
        assert alone is not None
        assert dict(one.latency.sources) == dict(alone.sources)
        assert one.latency.sources["decode_step"] == "silicon"
        for name in ("ttft_s", "tpot_s", "request_s"):
            assert float(getattr(one.latency, name)) == pytest.approx(float(getattr(alone, name)), rel=1e-12)
            assert one.quantities[name] == float(getattr(one.latency, name))
    together = plan(models, precision=("bf16", "fp8"), batch=(1, 4), tensor_parallel=(1, 2))
    assert len(together.all_candidates.batch) == sum(len(found.all_candidates.batch) for found in plans)
    assert together.best in [found.best for found in plans]
    assert Plan.from_dict(together.to_dict()) == together
    assert planner.replan(together).best == together.best


@pytest.mark.usefixtures("package")
def test_throughput_goes_by_the_mean_image() -> None:
    several = plan("llava-hf/llava-v1.6-mistral-7b-hf", image={"336x336": 0.9, "1000x200": 0.1}).best
    one = plan("llava-hf/llava-v1.6-mistral-7b-hf", image="1000x200").best
    assert several.latency is not None and one.latency is not None
    long = several.latency.throughput_requests_per_s
    assert several.quantities["requests_per_second"] > 1.02 * float(long)
    assert one.quantities["requests_per_second"] == pytest.approx(float(one.latency.throughput_requests_per_s))


@pytest.mark.usefixtures("package")
def test_what_has_no_kernels_is_left_out_by_name_or_refused() -> None:
    found = plan("qwen3-vl", image="600x400")
    assert found.tried.released is not None
    left_out = dict(found.tried.released.refused)
    assert "which Qwen3-VL-30B-A3B-Instruct has not" in left_out["Qwen/Qwen3-VL-30B-A3B-Instruct"]
    assert not any("A3B" in name for name in (one.name for one in found.all_candidates.llms))
    with pytest.raises(InputError, match="which Qwen3-VL-30B-A3B-Instruct has not; leave out the silicon source"):
        plan("Qwen/Qwen3-VL-30B-A3B-Instruct")
    with pytest.raises(InputError, match="no model among these has measured kernels: aiconfigurator has no kernel"):
        plan("qwen3-vl", hardware="rtx-4090")
    with pytest.raises(InputError, match="for Qwen3-VL-2B-Instruct: the table ends at 3000 tokens"):
        plan("Qwen/Qwen3-VL-2B-Instruct", image="4000x3000")


@pytest.mark.usefixtures("package")
def test_gpus_that_cannot_share_a_model_are_no_reason_to_leave_it_out() -> None:
    found = plan("Qwen/Qwen2.5-VL-7B-Instruct", tensor_parallel=(1, 8))  # 28 heads
    assert found.best.tensor_parallel == 1


def test_without_the_package_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    silicon._engine.cache_clear()
    monkeypatch.setitem(sys.modules, "aiconfigurator_core", None)
    monkeypatch.setitem(sys.modules, "aiconfigurator_core.sdk", None)
    with pytest.raises(InputError, match=r"pip install aiconfigurator-core==0\.12\.0$"):
        plan("Qwen/Qwen3-VL-2B-Instruct")


def test_with_the_package() -> None:
    pytest.importorskip("aiconfigurator_core")
    roofline = plan("Qwen/Qwen3-VL-8B-Instruct", latency_source="roofline").best
    measured = plan("Qwen/Qwen3-VL-8B-Instruct").best
    assert measured.latency is not None and roofline.latency is not None
    assert float(measured.latency.tpot_s) == pytest.approx(float(roofline.latency.tpot_s), rel=0.15)
    assert measured.latency.encoder == roofline.latency.encoder
