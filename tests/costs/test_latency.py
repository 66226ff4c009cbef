"""Latency: known answers by hand, agreement with the FLOP count, and what must hold for any request."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from costs.loose import request_flops, request_latency, speed_limit_tokens
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planner.base.errors import InputError, UnknownNameError
from planner.costs.kernels import StageClock
from planner.costs.latency import LATENCY_STAGES, Latency
from planner.costs.memory import weights_bytes
from planner.costs.rates import Rates
from planner.costs.stage_time import BOUNDS, StageTime
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware, hardware_catalog
from planner.hardware.efficiency import SHARES, SOURCES, Efficiency, efficiency_of
from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog
from planner.parts.compressors import Compressor
from planner.parts.llms import Dense, Llm
from planner.parts.towers import Tower

TOWER = vision_catalog()["CLIP-ViT-L/14-336"]
QUECC, NONE = compressor_catalog()["quecc"], compressor_catalog()["none"]
H100 = hardware_catalog()["h100-sxm"]
VICUNA = llm_catalog()["Vicuna-7B-v1.5"]

NO_LOSSES = Efficiency.from_dict(
    dict.fromkeys(SHARES, 1.0)
    | dict.fromkeys([name for name in Efficiency.__dataclass_fields__ if name.endswith("_s")], 0.0)
    | {"interconnect_falloff": 0.0, "all_reduce_growth": 0.0}
)
PLAIN = replace(
    H100,
    name="plain",
    flops_per_s={"bf16": 1e12, "fp8": 2e12, "int8": 2e12, "fp32": 1e11},
    bandwidth_bytes_per_s=1e9,
    interconnect_bytes_per_s=1e8,
    efficiency=NO_LOSSES,
)
ONLY_COMPUTE = replace(PLAIN, bandwidth_bytes_per_s=1e30)
ONLY_BANDWIDTH = replace(PLAIN, flops_per_s=dict.fromkeys(("bf16", "fp8", "int8", "fp32"), 1e30))

TINY = Dense(
    name="tiny", family="tiny", model_type="llama", nominal_params=1e6, hidden_size=64, intermediate_size=128,
    num_layers=2, num_heads=4, num_kv_heads=2, head_dim=16, vocab_size=1000,
    tied_embeddings=False, norm_params_per_layer=128, final_norm_params=64,
)  # fmt: skip
WEIGHTS = 64 * (2 * 64 + 2 * 32) + 3 * 64 * 128
"""Of a layer of TINY's matrices: q and o 64 wide, k and v 32, MLP 128."""


def latency(
    llm: Llm = TINY,
    visual_tokens: object = 4,
    workload: Workload | None = None,
    *,
    compressor: Compressor = NONE,
    hardware: Hardware = PLAIN,
    vision: Tower = TOWER,
    **options: object,
) -> Latency:
    return request_latency(
        llm,
        visual_tokens,  # type: ignore[arg-type]
        workload or Workload(6, 3),
        vision=vision,
        compressor=compressor,
        hardware=hardware,
        **options,  # type: ignore[arg-type]
    )


def stages(found: Latency) -> dict[str, StageTime]:
    return {name: getattr(found, name) for name in LATENCY_STAGES}


def numbers(found: Latency) -> list[float]:
    """All numbers of one candidate."""
    parts = [value for stage in stages(found).values() for value in vars(stage).values()]
    return [float(found.ttft_s), float(found.request_s), float(found.throughput_requests_per_s), *parts]


# ---- known answers -----------------------------------------------------------------------------------------------


def test_without_bandwidth_limit_a_stage_takes_its_flops_at_the_peak() -> None:
    workload = Workload(6, 3, cached_tokens=5, system_tokens=2)
    found = latency(VICUNA, 16, workload, compressor=QUECC, hardware=ONLY_COMPUTE)
    flops = request_flops(VICUNA, 16, workload, vision=TOWER, compressor=QUECC)
    for stage in ("encoder", "compressor", "query_pass", "prefill"):
        assert stages(found)[stage].seconds == pytest.approx(float(getattr(flops, stage)) / 1e12, rel=1e-12)
        assert stages(found)[stage].bound == "compute"


def test_bytes_of_a_decode_step_by_hand() -> None:
    step = latency(hardware=ONLY_BANDWIDTH).decode_step
    weights = 2 * (2 * WEIGHTS + 64 * 1000)  # two layers and the head, 2 bytes each
    products = 2 * 2 * ((64 + 64 + 2 * 32) + (64 + 64) + (64 + 256) + (128 + 64)) + 2 * (64 + 1000)  # in and out
    cache = 2 * 2 * 2 * 32 * (6 + 4 + 1.5)  # layers, keys and values, 2 bytes, width, mean tokens
    elementwise = 2 * (2 * (2 * 4 * 64 + 3 * 128) + 2 * 64)
    assert step.bytes == weights + products + cache + elementwise
    assert step.seconds == pytest.approx(float(step.bytes) / 1e9, rel=1e-12)
    assert step.bound == "bandwidth"
    assert step.ideal_s == pytest.approx(step.seconds, rel=1e-12)


def test_weights_of_lower_precision_are_read_faster_but_the_head_stays_wide() -> None:
    def read(precision: str) -> float:
        all_of_it, head = (
            float(latency(llm, hardware=ONLY_BANDWIDTH, precision=precision).decode_step.bytes)
            for llm in (TINY, replace(TINY, num_layers=0))
        )
        return all_of_it - head

    inputs = 2 * (64 + 64 + 64 + 128)
    assert read("bf16") - read("int4") == pytest.approx(2 * WEIGHTS * (2 - 0.5 - 2 / 128))
    # an input is quantised (2 bytes read, 1 written), then read as 1 byte instead of 2
    assert read("bf16") - read("fp8") == pytest.approx(2 * WEIGHTS - inputs * (3 + 1 - 2))
    assert read("fp8") == read("int8")
    assert read("fp32") > read("bf16") == read("fp16")


@pytest.mark.parametrize("overlap", [1.0, 1.5, 2.0, 8.0, 1000.0])
def test_compute_and_bandwidth_overlap_as_far_as_the_card_says(overlap: float) -> None:
    """Where both take equally long, a product takes 2 ** (1 / p) times that: 2 for p = 1, 1 without end."""
    card = replace(PLAIN, bandwidth_bytes_per_s=1e12, efficiency=replace(NO_LOSSES, overlap=overlap))
    llm = replace(TINY, num_layers=0, hidden_size=4096, vocab_size=4096)
    batch = 4096 * 4096 / (4096 * 4096 - 2 * 4096)  # flops 2 b k n = bytes 2 (k n + 2 b k), at 1e12 both
    found = latency(llm, 0, Workload(1, 2), hardware=card, batch=np.array([batch]))
    logits = found.decode_step.seconds - 2 * 2 * 4096 * batch / 1e12  # the embedding
    assert logits == pytest.approx(2 ** (1 / overlap) * 2 * batch * 4096 * 4096 / 1e12, rel=1e-6)


def test_launches_cost_their_overhead() -> None:
    card = replace(
        PLAIN,
        flops_per_s={"bf16": 1e30},
        bandwidth_bytes_per_s=1e30,
        efficiency=replace(
            NO_LOSSES,
            matmul_overhead_s=1.0,
            attention_overhead_s=100.0,
            qk_norm_overhead_s=1e4,
            cache_overhead_s=1e6,
            elementwise_overhead_s=1e8,
        ),
    )
    found = latency(hardware=card)
    assert found.decode_step.seconds == pytest.approx(2 * 4 + 1 + 2 * 1e6 + (2 * 3 + 1) * 1e8)
    assert found.prefill.seconds == pytest.approx(2 * 4 + 1 + 2 * 100 + (2 * 3 + 1) * 1e8)
    assert found.encoder.seconds == pytest.approx(1 + 23 * 4 + 23 * 100 + (23 * 3 + 1) * 1e8)
    assert found.prefill.bound == "overhead"
    normed = replace(TINY, qk_norm=True)
    assert latency(normed, hardware=card).prefill.seconds == pytest.approx(float(found.prefill.seconds) + 2e4)


def test_all_reduces_of_two_gpus_by_hand() -> None:
    one, two = (latency(hardware=PLAIN, tensor_parallel=n).prefill for n in (1, 2))
    assert one.interconnect_s == 0
    # (2 layers x 2 + 1) sums of 10 rows of 64 numbers, 2 bytes; a ring of two sends each byte once
    assert two.interconnect_s == pytest.approx(5 * 10 * 64 * 2 / 1e8)
    slow = replace(PLAIN, interconnect_bytes_per_s=1e3)
    assert latency(hardware=slow, tensor_parallel=2).prefill.bound == "interconnect"


def test_a_gpu_keeps_at_least_one_key_value_head() -> None:
    two, four = (latency(hardware=ONLY_BANDWIDTH, tensor_parallel=n, workload=Workload(10**6, 2)) for n in (2, 4))
    assert two.decode_step.bytes == pytest.approx(four.decode_step.bytes, rel=1e-2)


def test_totals() -> None:
    found = latency(workload=Workload(6, 5), batch=4)
    ttft = sum(float(stages(found)[name].seconds) for name in LATENCY_STAGES[:-1])
    assert found.ttft_s == pytest.approx(ttft)
    assert found.tpot_s == found.decode_step.seconds
    assert found.request_s == pytest.approx(ttft + 4 * float(found.tpot_s))
    assert found.throughput_requests_per_s == pytest.approx(4 / float(found.request_s))
    for generated in (0, 1):
        short = latency(workload=Workload(6, generated))
        assert short.request_s == short.ttft_s


def test_8b_on_an_h100_takes_what_kernels_take() -> None:
    """66 tokens, batch 1: the kernels of a serving engine take 8.5 ms, of which a bare roofline explains 4.9."""
    found = latency(llm_catalog()["Qwen3-8B"], 16, Workload(50, 32), hardware=H100)
    assert found.prefill.seconds == pytest.approx(8.4e-3, rel=0.05)
    assert found.prefill.ideal_s == pytest.approx(4.9e-3, rel=0.05)
    assert found.tpot_s == pytest.approx(6.3e-3, rel=0.05)
    assert found.source == "calibrated"


# ---- columns, sources, errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["image-first", "text-first"])
def test_many_candidates_at_once_are_as_each_alone(order: str) -> None:
    llms = tuple(llm_catalog().values())
    tokens = np.array([1.0, 36.0, 576.0])
    workload = Workload(50, 32, cached_tokens=3, system_tokens=7)
    many = latency(Dense.columns(llms), tokens, workload, compressor=QUECC, hardware=H100, prompt_order=order)
    assert np.shape(many.request_s) == (len(llms), 3)
    for i, llm in enumerate(llms):
        for j, v in enumerate(tokens):
            one = latency(llm, int(v), workload, compressor=QUECC, hardware=H100, prompt_order=order)
            assert numbers(many.at(i, j)) == pytest.approx(numbers(one), rel=1e-12)


def test_batches_and_gpus_broadcast() -> None:
    batch, gpus = np.array([1, 8])[:, None], np.array([1, 2, 4])
    many = latency(VICUNA, 16, hardware=H100, batch=batch, tensor_parallel=gpus)
    assert many.shape == np.shape(many.request_s) == (2, 3)
    one = latency(VICUNA, 16, hardware=H100, batch=8, tensor_parallel=2)
    assert numbers(many.at(1, 1)) == pytest.approx(numbers(one), rel=1e-12)


def test_dictionary_of_a_candidate() -> None:
    content = latency().to_dict()
    assert set(content) == {
        "ttft_s", "tpot_s", "request_s", "throughput_requests_per_s", "speed_of_light_share", "source", *LATENCY_STAGES
    }  # fmt: skip
    assert content["query_pass"] == {"seconds": 0.0, "bytes": 0.0, "bound": "compute", "source": "roofline"}


@pytest.mark.parametrize(
    ("card", "source"), [("h100-sxm", "calibrated"), ("rtx-4090", "transferred"), ("plain", "roofline")]
)
def test_source(card: str, source: str) -> None:
    assert latency(hardware={**hardware_catalog(), "plain": PLAIN}[card]).source == source


def test_qk_norm_is_a_fact_of_the_model() -> None:
    for llm in llm_catalog().values():
        assert llm.qk_norm == (llm.family == "Qwen3")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"precision": "bf61"}, UnknownNameError, r"^no precision is called 'bf61'; did you mean 'bf16'\?$"),
        ({"kv_precision": "int4"}, UnknownNameError, r"^no precision of a KV cache is called 'int4'; did you mean"),
        ({"visual_tokens": -1}, InputError, r"^visual_tokens: expected counts of at least 0, got -1.0$"),
        ({"batch": 0}, InputError, r"^batch: expected at least 1, got 0$"),
        ({"tensor_parallel": np.array([1, 0])}, InputError, r"^tensor_parallel: expected at least 1, got 0$"),
        (
            {"precision": "fp8", "hardware": hardware_catalog()["a100-80gb"]},
            InputError,
            r"^NVIDIA A100 SXM4 80 GB does not compute in fp8; it does in: fp32, bf16, fp16, int8, int4$",
        ),
        (
            {"tensor_parallel": 2, "hardware": replace(PLAIN, interconnect_bytes_per_s=0.0)},
            InputError,
            r"^NVIDIA H100 SXM5 80 GB has no interconnect in the catalogue; expected tensor_parallel = 1$",
        ),
    ],
)
def test_errors(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        latency(**options)  # type: ignore[arg-type]


def test_bf16_weights_run_in_fp16_on_a_card_without_bf16() -> None:
    t4 = hardware_catalog()["t4"]
    assert latency(hardware=t4).ttft_s == latency(hardware=t4, precision="fp16").ttft_s


# ---- speed limit -------------------------------------------------------------------------------------------------


def test_speed_limit_is_where_one_token_would_save_five_percent() -> None:
    workload = Workload(50, 32)

    def ttft(tokens: int) -> float:
        return float(latency(VICUNA, tokens, workload, compressor=QUECC, hardware=H100).ttft_s)

    limit = speed_limit_tokens(VICUNA, workload, vision=TOWER, compressor=QUECC, hardware=H100)
    assert isinstance(limit, int)
    assert 1 < limit < TOWER.patches
    assert ttft(1) >= 0.95 * ttft(limit)
    assert ttft(1) < 0.95 * ttft(limit + 1)
    several = speed_limit_tokens(Dense.columns((VICUNA, TINY)), workload, vision=TOWER, compressor=QUECC, hardware=H100)
    assert np.asarray(several).tolist() == [limit, TOWER.patches]
    assert speed_limit_tokens(VICUNA, workload, vision=TOWER, compressor=QUECC, hardware=H100, batch=32) < limit


# ---- efficiencies ------------------------------------------------------------------------------------------------


def test_every_card_has_efficiencies() -> None:
    for name, card in hardware_catalog().items():
        assert card.efficiency == efficiency_of(name)
        if card.interconnect_bytes_per_s:  # devices at the edge are not calibrated, and say so
            assert card.efficiency.source in ("calibrated", "transferred")
            assert card.efficiency.origin
        else:
            assert card.efficiency == Efficiency()
    assert efficiency_of("nothing") == Efficiency()


@pytest.mark.parametrize("name", ["l40s", "l4", "a10g", "rtx-4090"])
@pytest.mark.parametrize("gpus", [2, 4, 8])
def test_all_reduces_over_pcie_gen4_are_plausible(name: str, gpus: int) -> None:
    """A ring of n sends 2 (n - 1) / n of the bytes: 18 to 22 GB/s as SGLang 0.5.12 measured it on an L40S; NCCL reckons
    with 24 of the 32 GB/s of a PCIe gen4 x16. The card's usual tables would mean 19, 3.7 and 1.9 GB/s."""
    card = find_hardware(name)
    assert "all-reduces" in card.efficiency.origin
    for numbers in (card.efficiency, card.efficiency.multi_head):
        clock = StageClock(Rates.of(replace(card, efficiency=numbers), "fp16"))
        clock.all_reduces(1.0, 1e5, 4096.0, float(gpus))
        sent = 2 * (gpus - 1) / gpus * 1e5 * 4096 * 2
        assert 16e9 < sent / float(clock.stage().seconds) < 24e9


def test_efficiencies_survive_json() -> None:
    assert Efficiency.from_dict(H100.efficiency.to_dict()) == H100.efficiency


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"matmul_compute": 1.2}, r"^efficiency: matmul_compute: expected a share above 0 and up to 1, got 1.2$"),
        ({"cache_bandwidth": 0}, r"^efficiency: cache_bandwidth: expected a share above 0 and up to 1, got 0.0$"),
        ({"matmul_overhead_s": -1e-6}, r"^efficiency: matmul_overhead_s: expected a number of at least 0, got -1e-06$"),
        ({"matmul_overhead_s": "fast"}, r"^efficiency: matmul_overhead_s: expected a number, got 'fast'$"),
        ({"source": "guess"}, rf"^efficiency: source: expected one of {', '.join(SOURCES)}, got 'guess'$"),
        ({"matmul": 1}, r"^efficiency: no entry of an efficiency is called 'matmul'; did you mean 'matmul_compute'\?$"),
    ],
)
def test_efficiencies_that_cannot_be(content: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Efficiency.from_dict(content)


# ---- properties --------------------------------------------------------------------------------------------------

any_llm = st.sampled_from(list(llm_catalog().values()))
any_card = st.sampled_from(list(hardware_catalog().values()))
any_compressor = st.sampled_from(list(compressor_catalog().values()))
any_order = st.sampled_from(["image-first", "text-first"])
any_workload = st.builds(
    Workload,
    query_tokens=st.integers(1, 2000),
    generated_tokens=st.integers(0, 1000),
    cached_tokens=st.integers(0, 4000),
    system_tokens=st.integers(0, 1000),
    images=st.integers(1, 4),
)


@settings(deadline=None)
@given(
    any_llm,
    any_card,
    st.integers(1, 729),
    any_workload,
    any_compressor,
    any_order,
    st.sampled_from(["query_tokens", "cached_tokens", "system_tokens", "images", "visual_tokens", "batch"]),
    st.integers(1, 300),
)
def test_more_of_anything_never_costs_less(
    llm: Llm,
    card: Hardware,
    visual_tokens: int,
    workload: Workload,
    compressor: Compressor,
    order: str,
    kind: str,
    extra: int,
) -> None:
    def times(tokens: int, request: Workload, batch: int) -> list[float]:
        options = {"compressor": compressor, "hardware": card, "prompt_order": order, "batch": batch}
        found = latency(llm, tokens, request, **options)  # type: ignore[arg-type]
        return [float(stage.seconds) for stage in stages(found).values()]

    less = times(visual_tokens, workload, 1)
    if kind == "visual_tokens":
        more = times(visual_tokens + extra, workload, 1)
    elif kind == "batch":
        more = times(visual_tokens, workload, 1 + extra)
    else:
        more = times(visual_tokens, replace(workload, **{kind: getattr(workload, kind) + extra}), 1)
    assert all(after >= before * (1 - 1e-12) for before, after in zip(less, more, strict=True))


@settings(deadline=None)
@given(any_llm, any_card, st.integers(1, 729), any_workload, any_compressor, st.floats(1, 10), st.floats(1, 10))
def test_a_faster_card_is_never_slower(
    llm: Llm,
    card: Hardware,
    visual_tokens: int,
    workload: Workload,
    compressor: Compressor,
    wider: float,
    stronger: float,
) -> None:
    better = replace(
        card,
        bandwidth_bytes_per_s=card.bandwidth_bytes_per_s * wider,
        flops_per_s={name: rate * stronger for name, rate in card.flops_per_s.items()},
    )
    slow, fast = (latency(llm, visual_tokens, workload, compressor=compressor, hardware=x) for x in (card, better))
    for name in LATENCY_STAGES:
        assert stages(fast)[name].seconds <= float(stages(slow)[name].seconds) * (1 + 1e-12)


@settings(deadline=None)
@given(any_llm, any_card, st.integers(1, 729), any_workload, any_compressor, any_order, st.sampled_from([1, 2, 4, 8]))
def test_nothing_beats_the_speed_of_light(
    llm: Llm,
    card: Hardware,
    visual_tokens: int,
    workload: Workload,
    compressor: Compressor,
    order: str,
    gpus: int,
) -> None:
    assume(gpus == 1 or card.interconnect_bytes_per_s)
    found = latency(
        llm,
        visual_tokens,
        workload,
        compressor=compressor,
        hardware=card,
        prompt_order=order,
        tensor_parallel=gpus,
    )
    assert 0 < float(found.speed_of_light_share) <= 1
    for stage in stages(found).values():
        assert stage.bound in BOUNDS
        assert stage.seconds >= float(stage.ideal_s) * (1 - 1e-12)


@settings(deadline=None)
@given(any_llm, st.integers(1, 729), any_workload)
def test_text_first_still_reads_the_weights_twice(llm: Llm, visual_tokens: int, workload: Workload) -> None:
    """Unlike in FLOPs the query pass is not free: run ahead of the image it still reads all weights."""
    image_first, text_first = (
        latency(llm, visual_tokens, workload, compressor=QUECC, hardware=H100, prompt_order=order)
        for order in ("image-first", "text-first")
    )
    assert text_first.query_pass.seconds == 0
    weights_s = 2.0 * llm.linear_params / H100.bandwidth_bytes_per_s
    assert text_first.prefill.seconds >= 2 * weights_s
    assert text_first.decode_step.seconds == image_first.decode_step.seconds


@pytest.mark.parametrize("card", ["h100-sxm", "h200", "b200", "a100-80gb", "l40s", "rtx-4090"])
def test_a_decode_step_at_batch_1_reads_the_weights_once(card: str) -> None:
    hardware = hardware_catalog()[card]
    times_read = {}
    for name, llm in llm_catalog().items():
        if llm.nominal_params >= 7e9:
            read_s = (float(weights_bytes(llm)) - 2 * llm.embedding_params) / hardware.bandwidth_bytes_per_s
            times_read[name] = float(latency(llm, 16, Workload(50, 32), hardware=hardware).tpot_s) / read_s
    assert len(times_read) > 15
    assert {name: times for name, times in times_read.items() if not 1 <= times <= 3} == {}
