"""Memory against real models on the CPU, to the byte, and against counts by hand and by brute force."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from costs.loose import compressor_params, request_memory
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.base.codec import decode, encode
from planner.base.errors import InputError, UnknownNameError
from planner.configuration import PROMPT_ORDERS
from planner.costs.memory import CONTEXT_BYTES, Memory, weights_bytes
from planner.costs.stages import STAGES, Workload
from planner.hardware.precision import KV_BYTES, WEIGHT_PRECISIONS
from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog
from planner.parts.configs import read_llm
from planner.parts.llms import Dense, Llm
from planner.parts.towers import Tower

TOWER = vision_catalog()["CLIP-ViT-L/14-336"]
QUECC, NONE = compressor_catalog()["quecc"], compressor_catalog()["none"]


def memory(llm: Llm, visual_tokens: int, workload: Workload, **options: Any) -> Memory:
    parts = {"vision": TOWER, "compressor": QUECC} | options
    return request_memory(llm, visual_tokens, workload, **parts).at()


# ---- real models on the CPU --------------------------------------------------------------------------------------

SIZES = {
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 131,
    "pad_token_id": 0,
}
MODELS = {
    "grouped-query, biases": ("qwen2", SIZES),
    "tied": ("qwen2", SIZES | {"tie_word_embeddings": True}),
    "QK-norm, wide heads": ("qwen3", SIZES | {"head_dim": 32}),
    "multi-head": ("llama", SIZES | {"num_key_value_heads": 4}),
    "no gate, LayerNorm": ("phi", SIZES | {"num_key_value_heads": 4}),
    "fused projections": ("phi3", SIZES),
    "one key/value head": ("gemma", SIZES | {"num_key_value_heads": 1, "head_dim": 24}),
}


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize(("model_type", "config"), MODELS.values(), ids=MODELS)
def test_weights_and_cache_have_the_bytes_of_a_real_model(
    model_type: str, config: dict[str, Any], precision: str
) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    made = transformers.CONFIG_MAPPING[model_type](**config)
    model = transformers.AutoModelForCausalLM.from_config(made, dtype=dtype).eval()
    llm = read_llm("small", config, model_type=model_type)
    assert weights_bytes(llm, precision) == sum(weight.nbytes for weight in model.parameters())

    batch, workload = 3, Workload(11, 5, cached_tokens=7, system_tokens=2)
    known = transformers.DynamicCache(config=model.config)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # too small to share
    with torch.no_grad():
        for tokens in [workload.cached_tokens, workload.prefilled_text_tokens + 9, *[1] * workload.generated_tokens]:
            ids = torch.zeros(batch, tokens, dtype=torch.long)
            model(input_ids=ids, past_key_values=known, use_cache=True, logits_to_keep=1)
    torch.set_num_threads(threads)
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in known.layers)
    assert memory(llm, 9, workload, precision=precision, batch=batch).kv_cache == held


@pytest.mark.parametrize("tower", ["CLIP-ViT-L/14-336", "SigLIP-so400m/14-384"])
@pytest.mark.parametrize(
    "name",
    [
        "average-pool",
        "none",
        "quecc",
        "tokenpacker",
    ],
)
def test_parameters_of_compressor_and_projector_are_those_of_the_modules(name: str, tower: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from planner.vlm.baselines import make_compressor
    from planner.vlm.quecc import Projector

    vision, spec, llm_width = vision_catalog()[tower], compressor_catalog()[name], 896
    for tokens in spec.visual_tokens(vision):
        sizes = {"width": vision.hidden_size, "grid_side": vision.grid_side, "visual_tokens": tokens}
        with torch.device("meta"):
            modules = [make_compressor(name, **sizes, text_width=llm_width), Projector(vision.hidden_size, llm_width)]
        counted = sum(weight.numel() for module in modules for weight in module.parameters())
        assert compressor_params(spec, vision, llm_width, tokens) == counted, tokens


# ---- by hand -----------------------------------------------------------------------------------------------------


def test_weights_by_precision_by_hand() -> None:
    """Qwen2.5-0.5B: 14 query and 2 key/value heads of 64, width 896, MLP 4864, 24 layers, tied embeddings."""
    llm = llm_catalog()["Qwen2.5-0.5B"]
    matrices = 24 * (896 * (2 * 896 + 2 * 128) + 3 * 896 * 4864)
    rest = 494_032_768 - matrices
    assert (matrices, rest) == (357_826_560, 136_206_208)
    assert weights_bytes(llm, "fp32") == 4 * 494_032_768
    assert weights_bytes(llm, "bf16") == weights_bytes(llm, "fp16") == 2 * 494_032_768
    assert weights_bytes(llm, "fp8") == weights_bytes(llm, "int8") == matrices + 2 * rest
    assert weights_bytes(llm, "int4") == matrices / 2 + 2 * matrices / 128 + 2 * rest == 456_916_736
    assert weights_bytes(llm) == weights_bytes(llm, "bf16")


def test_cache_by_precision_by_hand() -> None:
    """Qwen2.5-7B: keys and values of 28 layers, 4 heads of 128; 2 images of 16 tokens; 3 requests."""
    llm = llm_catalog()["Qwen2.5-7B"]
    workload = Workload(50, 32, cached_tokens=100, system_tokens=8, images=2)
    numbers = 3 * 2 * 28 * 4 * 128 * (100 + 8 + 50 + 2 * 16 + 32)
    for precision, one in {"fp32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "int8": 1}.items():
        assert memory(llm, 16, workload, kv_precision=precision, batch=3).kv_cache == one * numbers
    assert memory(llm, 16, workload, precision="int4", batch=3).kv_cache == 2 * numbers
    assert memory(llm, 16, workload, precision="fp32", batch=3).kv_cache == 4 * numbers


def test_tower_and_compressor_stand_beside_the_llm_in_16_bits() -> None:
    llm, workload = llm_catalog()["Qwen2.5-7B"], Workload(50, 32)
    beside = TOWER.params_run + int(compressor_params(QUECC, TOWER, llm.hidden_size, 16))
    for precision in WEIGHT_PRECISIONS:
        wide = 4 if precision == "fp32" else 2
        whole = memory(llm, 16, workload, precision=precision)
        assert whole.weights == weights_bytes(llm, precision) + wide * beside
        assert whole.reserve == CONTEXT_BYTES


def test_heads_of_the_cache_are_shared_as_far_as_there_are_any() -> None:
    llm, workload = llm_catalog()["Qwen2.5-7B"], Workload(50, 32)  # 4 key/value heads
    whole = memory(llm, 16, workload).kv_cache
    shares = [memory(llm, 16, workload, tensor_parallel=gpus).kv_cache / whole for gpus in (2, 4, 7, 14, 28)]
    assert shares == [1 / 2, 1 / 4, 1 / 4, 1 / 4, 1 / 4]


def test_prefill_of_a_gated_mlp_by_hand() -> None:
    """Qwen2.5-7B, 66 tokens: residual, norm, gate, up and product in bf16, the prompt beside them, and the logits."""
    llm, workload = llm_catalog()["Qwen2.5-7B"], Workload(50, 1)
    found = memory(llm, 16, workload, compressor=compressor_catalog()["average-pool"])
    assert found.prefill == 2 * 66 * (2 * 3584 + 3 * 18944 + 3584) + (2 + 4) * 152064
    assert found.query_pass == 0


def test_without_a_gate_the_mlp_is_narrower() -> None:
    llm = llm_catalog()["Phi-2"]  # width 2560, MLP 10240: two of it against 6 x 2560 in the attention
    found = memory(llm, 16, Workload(50, 1), compressor=compressor_catalog()["average-pool"])
    assert found.prefill == 2 * 66 * (2 * 2560 + 2 * 10240 + 2560) + (2 + 4) * 51200


# ---- the peak and who owns it ------------------------------------------------------------------------------------


def test_peak_is_the_stage_that_needs_the_most() -> None:
    llm, workload = llm_catalog()["Qwen2.5-7B"], Workload(50, 32, cached_tokens=64)
    for batch, order in product((1, 7), PROMPT_ORDERS):
        found = memory(llm, 16, workload, batch=batch, prompt_order=order)
        token = batch * 2.0 * llm.kv_values_per_token
        held = dict.fromkeys(STAGES, 64 * token) | {"prefill": (64 + 66) * token, "decode": (64 + 66 + 32) * token}
        needed = max(held[stage] + getattr(found, stage) for stage in STAGES)
        assert found.peak == found.weights + found.reserve + needed
        assert found.peak == found.fixed() + batch * found.per_request
        assert found.activations == max(getattr(found, stage) for stage in STAGES)


OWNERS = {
    "weights": ("Qwen2.5-7B", 16, Workload(50, 32), 1),
    "KV cache": ("Qwen1.5-0.5B", 1, Workload(20000, 100), 4),
    "activations of encoder": ("SmolLM2-135M", 1, Workload(50, 32), 64),
    "activations of prefill": ("Qwen2.5-0.5B", 1, Workload(20000, 1), 8),
}


@pytest.mark.parametrize("owner", OWNERS)
def test_owner_of_the_peak(owner: str) -> None:
    name, visual_tokens, workload, batch = OWNERS[owner]
    assert memory(llm_catalog()[name], visual_tokens, workload, batch=batch).owner() == owner


def test_owner_is_there_at_the_peak() -> None:
    """The peak is in the prefill, where the cache is the largest part and the encoder's activations are gone."""
    llm, workload = llm_catalog()["Qwen1.5-0.5B"], Workload(50, 1)
    found = memory(llm, 144, workload, batch=256, compressor=compressor_catalog()["tokenpacker"], precision="int4")
    cache = found.kv_cache * (50 + 144) / (50 + 144 + 1)
    assert found.peak == pytest.approx(found.weights + found.reserve + cache + found.prefill)
    assert cache > max(found.prefill, found.weights)
    assert found.owner() == "KV cache"


def test_dictionary_names_bytes() -> None:
    found = memory(llm_catalog()["Qwen2.5-0.5B"], 4, Workload(5, 5))
    content = found.to_dict()
    names = [item.name for item in fields(Memory) if item.name != "peak_stage"]
    assert list(content) == [*(f"{name}_bytes" for name in names), "peak_stage", "owner"]
    assert (content.pop("peak_stage"), content.pop("owner")) == ("encoder", "weights")
    assert {type(value) for value in content.values()} == {float}
    assert content["peak_bytes"] == found.peak


def test_a_file_names_the_stage_of_the_peak() -> None:
    found = memory(llm_catalog()["Qwen2.5-0.5B"], 144, Workload(5000, 5))
    content = encode(found, "memory")
    assert content["peak_stage"] == STAGES[int(found.peak_stage)] == "prefill"
    assert decode(Memory, content, "memory") == found
    for wrong in ("prefil", 3.0, None):
        with pytest.raises(InputError, match="peak_stage: expected one of encoder, compressor, query_pass, prefill"):
            decode(Memory, {**content, "peak_stage": wrong}, "memory")


@pytest.mark.parametrize("order", PROMPT_ORDERS)
@pytest.mark.parametrize("compressor", sorted(compressor_catalog()))
def test_weights_cache_and_activations_of_one_stage_make_the_peak(compressor: str, order: str) -> None:
    requests = [Workload(50, 1), Workload(50, 500), Workload(5000, 9, images=4), Workload(0, 1, 3000)]
    peaks = set()
    for name, workload, batch in product(("SmolLM2-135M", "Qwen1.5-0.5B", "Qwen2.5-7B"), requests, (1, 256)):
        found = memory(
            llm_catalog()[name],
            144,
            workload,
            compressor=compressor_catalog()[compressor],
            prompt_order=order,
            batch=batch,
        )
        stage = STAGES[int(found.peak_stage)]
        peaks.add(stage)
        activations = float(getattr(found, stage))
        assert found.peak == found.weights + found.reserve + found.peak_kv_cache + activations
        parts = {"weights": found.weights, "KV cache": found.peak_kv_cache, f"activations of {stage}": activations}
        assert found.owner() == max(parts, key=lambda part: float(parts[part])).replace("_", " ")
    assert {"encoder", "prefill", "decode"} <= peaks


# ---- brute force and properties ----------------------------------------------------------------------------------

any_llm = st.sampled_from(list(llm_catalog().values()))
any_tower = st.sampled_from(list(vision_catalog().values()))
any_compressor = st.sampled_from(list(compressor_catalog().values()))
any_order = st.sampled_from(PROMPT_ORDERS)
any_precision = st.sampled_from(WEIGHT_PRECISIONS)
any_kv = st.sampled_from([None, *KV_BYTES])
any_workload = st.builds(
    Workload,
    query_tokens=st.integers(0, 2000),
    generated_tokens=st.integers(0, 1000),
    cached_tokens=st.integers(0, 4000),
    system_tokens=st.integers(0, 1000),
    images=st.integers(1, 4),
)
any_tokens = st.integers(1, 729)


@settings(deadline=None, max_examples=60)
@given(
    any_llm,
    st.sampled_from(QUECC.visual_tokens(TOWER)),
    any_workload,
    any_compressor,
    any_order,
    any_precision,
    st.floats(0, 40),
    st.booleans(),
)
def test_requests_that_fit_are_the_largest_batch_whose_peak_fits(
    llm: Llm,
    visual_tokens: int,
    workload: Workload,
    compressor: Any,
    order: str,
    precision: str,
    size: float,
    exactly: bool,
) -> None:
    options = {"compressor": compressor, "prompt_order": order, "precision": precision}

    def peak(batch: int) -> float:
        return float(memory(llm, visual_tokens, workload, batch=batch, **options).peak)

    one = memory(llm, visual_tokens, workload, **options)
    room = peak(max(round(size), 1)) if exactly else float(one.fixed() + size * one.per_request)
    largest = 0
    while peak(largest + 1) <= room:
        largest += 1
    assert one.requests_that_fit(room) == largest
    assert memory(llm, visual_tokens, workload, batch=17, **options).requests_that_fit(room) == largest


def test_where_not_even_the_weights_fit_no_request_does() -> None:
    assert memory(llm_catalog()["Qwen2.5-72B"], 16, Workload(50, 32)).requests_that_fit(24 * 2.0**30) == 0


@settings(deadline=None)
@given(
    any_llm, any_tokens, any_workload, any_tower, any_compressor, any_order, any_precision, any_kv, st.integers(1, 9)
)
def test_tensor_parallel_never_needs_more_memory_of_a_gpu(
    llm: Llm,
    visual_tokens: int,
    workload: Workload,
    vision: Tower,
    compressor: Any,
    order: str,
    precision: str,
    kv_precision: str | None,
    batch: int,
) -> None:
    found = [
        memory(
            llm,
            visual_tokens,
            workload,
            vision=vision,
            compressor=compressor,
            prompt_order=order,
            precision=precision,
            kv_precision=kv_precision,
            batch=batch,
            tensor_parallel=gpus,
        )
        for gpus in (1, 2, 4, 8)
    ]
    for fewer, more in pairwise(found):
        assert more.peak < fewer.peak
        for part in ("weights", "kv_cache", *STAGES, "reserve", "per_request"):
            assert getattr(more, part) <= getattr(fewer, part), part


@settings(deadline=None)
@given(
    any_llm,
    any_tokens,
    any_workload,
    any_compressor,
    any_order,
    any_precision,
    st.sampled_from(
        ["query_tokens", "generated_tokens", "cached_tokens", "system_tokens", "images", "visual_tokens", "batch"]
    ),
    st.integers(1, 500),
)
def test_more_of_anything_never_needs_less(
    llm: Llm,
    visual_tokens: int,
    workload: Workload,
    compressor: Any,
    order: str,
    precision: str,
    kind: str,
    extra: int,
) -> None:
    options = {"compressor": compressor, "prompt_order": order, "precision": precision}
    more_tokens, more, batch = visual_tokens, workload, 1
    if kind == "visual_tokens":
        more_tokens += extra
    elif kind == "batch":
        batch += extra
    else:
        more = replace(workload, **{kind: getattr(workload, kind) + extra})
    less_of_it = memory(llm, visual_tokens, workload, **options)
    more_of_it = memory(llm, more_tokens, more, batch=batch, **options)
    assert more_of_it.per_request >= less_of_it.per_request
    assert more_of_it.kv_cache >= less_of_it.kv_cache
    if kind not in ("cached_tokens", "images"):
        assert more_of_it.kv_cache > less_of_it.kv_cache
    # QueCC's convolution has a kernel over the region of one visual token: fewer weights with more tokens
    shrunk = less_of_it.weights - more_of_it.weights
    assert shrunk == 0 or (compressor is QUECC and kind == "visual_tokens" and shrunk > 0)
    assert more_of_it.peak >= less_of_it.peak - shrunk


@settings(deadline=None)
@given(any_llm, any_tokens, any_workload, any_compressor, any_order, st.integers(1, 64))
def test_fewer_bits_never_need_more(
    llm: Llm, visual_tokens: int, workload: Workload, compressor: Any, order: str, batch: int
) -> None:
    options = {"compressor": compressor, "prompt_order": order, "batch": batch}
    peaks = [memory(llm, visual_tokens, workload, precision=one, **options).peak for one in ("fp32", "bf16", "fp8")]
    peaks.append(memory(llm, visual_tokens, workload, precision="int4", **options).peak)
    peaks.append(memory(llm, visual_tokens, workload, precision="int4", kv_precision="fp8", **options).peak)
    assert peaks == sorted(peaks, reverse=True)


@pytest.mark.parametrize("precision", ["bf16", "int4"])
@pytest.mark.parametrize("order", PROMPT_ORDERS)
def test_arrays_equal_one_by_one(order: str, precision: str) -> None:
    llms = tuple(llm_catalog().values())[::5]
    tokens, batches, gpus = (1, 16, 576), (1, 8), (1, 4)
    workload = Workload(60, 11, cached_tokens=90, system_tokens=13, images=2)
    options = {"vision": TOWER, "compressor": QUECC, "prompt_order": order, "precision": precision}
    together = request_memory(
        Dense.columns(llms),
        np.array(tokens),
        workload,
        batch=np.array(batches).reshape(-1, 1, 1, 1),
        tensor_parallel=np.array(gpus).reshape(-1, 1, 1),
        **options,
    )
    assert np.shape(together.peak) == (2, 2, len(llms), 3)
    for (b, batch), (t, n), (i, llm), (j, v) in product(*map(enumerate, (batches, gpus, llms, tokens))):
        alone = request_memory(llm, v, workload, batch=batch, tensor_parallel=n, **options)
        assert together.at(b, t, i, j).to_dict() == alone.at().to_dict()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"precision": "int2"}, "no precision is called 'int2'; did you mean 'int8'?"),
        ({"precision": "4"}, "no precision is called '4'; there are: fp32, bf16, fp16, fp8, int8, int4"),
        ({"kv_precision": "int4"}, "no precision of a KV cache is called 'int4'; did you mean 'int8'?"),
        ({"prompt_order": "text"}, "no prompt order is called 'text'; did you mean 'text-first'?"),
    ],
)
def test_unknown_names(option: dict[str, str], message: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        memory(llm_catalog()["Phi-2"], 4, Workload(5, 5), **option)
    assert str(caught.value) == message
