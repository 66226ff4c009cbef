"""FLOPs against a literal count: loops over layers, matrices, heads and attended pairs, in whole numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from costs.loose import compressor_flops, decoder_flops, encoder_flops, request_flops
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.base.errors import UnknownNameError
from planner.configuration import PROMPT_ORDERS
from planner.costs.flops import CONVENTIONS, Flops
from planner.costs.stages import STAGES, Workload
from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog
from planner.parts.compressors import Compressor
from planner.parts.llms import Dense, Llm
from planner.parts.towers import Tower

TOWER = vision_catalog()["CLIP-ViT-L/14-336"]
QUECC, TOKENPACKER, POOL, NONE = (
    compressor_catalog()[name] for name in ("quecc", "tokenpacker", "average-pool", "none")
)


# ---- the literal count -------------------------------------------------------------------------------------------


@cache
def causal_pairs(new_tokens: int, cached_tokens: int) -> int:
    """Pairs (token, what it attends to): itself and all that stands before it, counted one by one."""
    pairs = 0
    for position in range(cached_tokens, cached_tokens + new_tokens):
        for _attended in range(position + 1):
            pairs += 1
    return pairs


@cache
def all_pairs(tokens: int) -> int:
    """Pairs where every token attends to every token, counted one by one."""
    pairs = 0
    for _ in product(range(tokens), range(tokens)):
        pairs += 1
    return pairs


def matrix(inputs: int, outputs: int, rows: int) -> int:
    """FLOPs of rows through a linear layer: a multiplication and an addition for each weight."""
    return 2 * inputs * outputs * rows


def counted_decoder(llm: Llm, new_tokens: int, cached_tokens: int) -> int:
    h, m, d = llm.hidden_size, llm.intermediate_size, llm.head_dim
    queries, keys = llm.num_heads * d, llm.num_kv_heads * d
    shapes = [(h, queries), (h, keys), (h, keys), (queries, h)]
    shapes += [(h, m), (m, h)] if llm.model_type == "phi" else [(h, m), (h, m), (m, h)]
    pairs = causal_pairs(new_tokens, cached_tokens)
    flops = 0
    for _layer in range(llm.num_layers):
        for inputs, outputs in shapes:
            flops += matrix(inputs, outputs, new_tokens)
        for _head in range(llm.num_heads):
            flops += 2 * d * pairs  # scores
            flops += 2 * d * pairs  # mix of values
    return flops


def counted_head(llm: Llm) -> int:
    return matrix(llm.hidden_size, llm.vocab_size, 1)


def counted_decode(llm: Llm, steps: int, context_tokens: int) -> int:
    flops = 0
    for step in range(steps):
        flops += counted_decoder(llm, 1, context_tokens + step)
        flops += counted_head(llm)
    return flops


def counted_encoder(vision: Tower) -> int:
    d, side = vision.hidden_size, vision.image_size // vision.patch_size
    flops = 0
    for _patch in product(range(side), range(side)):
        flops += matrix(3 * vision.patch_size * vision.patch_size, d, 1)
    tokens = side * side + (1 if vision.model_type == "clip_vision_model" else 0)
    for _layer in range(vision.num_layers - 1):  # features come from the second-last layer
        for inputs, outputs in [(d, d)] * 4 + [(d, vision.intermediate_size), (vision.intermediate_size, d)]:
            flops += matrix(inputs, outputs, tokens)
        flops += 2 * d * all_pairs(tokens) + 2 * d * all_pairs(tokens)  # all heads together are d wide
    return flops


def counted_compressor(name: str, vision: Tower, llm: Llm, visual_tokens: int) -> int:
    d, h, v = vision.hidden_size, llm.hidden_size, visual_tokens
    side = vision.image_size // vision.patch_size
    patches = side * side
    flops = matrix(d, h, v) + matrix(h, h, v)  # projector
    if name in ("average-pool", "none"):
        return flops
    for _key_or_value in range(2):
        flops += matrix(4 * d, d, patches) + matrix(d, d, patches)  # MLP over four layers of the tower
    if name == "quecc":
        flops += matrix(h, d, 1)  # text feature
        flops += matrix(d, d, patches) + matrix(d, d, patches)  # query MLP
    else:
        flops += matrix(d, d, v)  # layer over the interpolated queries
    flops += matrix(d, d, v) + matrix(d, d, v)  # query and output projections of the attention
    return flops + min(projected_attention(d, patches, v), absorbed_attention(d, patches, v))


def projected_attention(d: int, patches: int, v: int) -> int:
    """Keys and values of all patches; scores and mixes of each query in its region."""
    flops = matrix(d, d, patches) + matrix(d, d, patches)
    for _query in range(v):
        for _patch_of_its_region in range(patches // v):
            flops += 2 * d + 2 * d
    return flops


def absorbed_attention(d: int, patches: int, v: int, heads: int = 8) -> int:
    """Each head of each query goes through the key matrix, scores and mixes what is d wide, and through the value's."""
    flops = 0
    for _query in range(v):
        for _head in range(heads):
            flops += matrix(d // heads, d, 1) + matrix(d, d // heads, 1)
            for _patch_of_its_region in range(patches // v):
                flops += 2 * d + 2 * d
    return flops


def counted_request(
    llm: Llm, visual_tokens: int, workload: Workload, vision: Tower, compressor: str, prompt_order: str
) -> dict[str, int]:
    encoder = squeezed = new_tokens = 0
    for _image in range(workload.images):
        encoder += counted_encoder(vision)
        squeezed += counted_compressor(compressor, vision, llm, visual_tokens)
        new_tokens += visual_tokens
    new_tokens += workload.system_tokens + workload.query_tokens
    extra = compressor == "quecc" and prompt_order == "image-first"
    return {
        "encoder": encoder,
        "compressor": squeezed,
        "query_pass": counted_decoder(llm, workload.query_tokens, 0) if extra else 0,
        "prefill": counted_decoder(llm, new_tokens, workload.cached_tokens) + counted_head(llm),
        "decode": counted_decode(llm, workload.generated_tokens, workload.cached_tokens + new_tokens),
    }


def stages(flops: Flops) -> dict[str, float]:
    return {stage: float(getattr(flops, stage)) for stage in STAGES}


# ---- exact equality ----------------------------------------------------------------------------------------------

LLMS = {
    "Qwen1.5-0.5B": "multi-head, tied head",
    "Qwen2.5-7B": "grouped-query",
    "Qwen3-0.6B": "attention wider than the model",
    "Phi-2": "MLP without gate",
    "Vicuna-13B-v1.5": "multi-head",
    "Llama-3.1-70B": "grouped-query, 80 layers",
}
WORKLOADS = {
    "plain": Workload(50, 32),
    "one token each": Workload(1, 1),
    "no text": Workload(0, 0),
    "text cached": Workload(0, 20, cached_tokens=300),
    "all kinds": Workload(40, 10, cached_tokens=120, system_tokens=35, images=3),
}
MADE_BY = [("quecc", 1), ("quecc", 36), ("tokenpacker", 4), ("tokenpacker", 144), ("average-pool", 16), ("none", 576)]


@pytest.mark.parametrize("name", LLMS)
def test_every_stage_equals_the_literal_count(name: str) -> None:
    llm = llm_catalog()[name]
    got, counted = {}, {}
    for case in product(WORKLOADS, MADE_BY, PROMPT_ORDERS):
        text, (compressor, visual_tokens), order = case
        flops = request_flops(
            llm,
            visual_tokens,
            WORKLOADS[text],
            vision=TOWER,
            compressor=compressor_catalog()[compressor],
            prompt_order=order,
        )
        literal = counted_request(llm, visual_tokens, WORKLOADS[text], TOWER, compressor, order)
        got[case] = stages(flops) | {"total": flops.total}
        counted[case] = literal | {"total": sum(literal.values())}
    assert len(counted) == 60
    assert got == counted


@pytest.mark.parametrize("tower", vision_catalog())
def test_every_tower_equals_the_literal_count(tower: str) -> None:
    vision, llm = vision_catalog()[tower], llm_catalog()["Qwen2.5-1.5B"]
    assert encoder_flops(vision) == counted_encoder(vision)
    for compressor in (QUECC, TOKENPACKER, POOL, NONE):
        for v in compressor.visual_tokens(vision):
            flops = compressor_flops(compressor, vision, llm.hidden_size, np.array(float(v)))
            assert flops == counted_compressor(compressor.name, vision, llm, v)


def test_decoder_over_nothing_costs_nothing() -> None:
    assert decoder_flops(llm_catalog()["Phi-2"], 0, 1000) == 0


def test_paper_convention_is_2_n_times_tokens() -> None:
    got, counted = {}, {}
    nothing = {"encoder": 0, "compressor": 0, "query_pass": 0}
    for case in product(LLMS, WORKLOADS, PROMPT_ORDERS):
        llm, workload = llm_catalog()[case[0]], WORKLOADS[case[1]]
        flops = request_flops(
            llm, 16, workload, vision=TOWER, compressor=QUECC, convention="paper", prompt_order=case[2]
        )
        prefill = 2 * llm.nominal_params * (workload.system_tokens + workload.query_tokens + 16 * workload.images)
        decode = 2 * llm.nominal_params * workload.generated_tokens
        got[case] = stages(flops) | {"total": flops.total}
        counted[case] = nothing | {"prefill": prefill, "decode": decode, "total": prefill + decode}
    assert got == counted


def test_paper_convention_in_numbers() -> None:
    flops = request_flops(
        llm_catalog()["Qwen1.5-7B"], 36, Workload(50, 14), vision=TOWER, compressor=QUECC, convention="paper"
    )
    assert flops.total == 2 * 7e9 * (50 + 36 + 14) == 1.4e12


# ---- known sizes -------------------------------------------------------------------------------------------------


def test_encoder_takes_about_a_third_of_a_teraflop() -> None:
    assert 0.35e12 < encoder_flops(TOWER) < 0.37e12


@pytest.mark.parametrize("visual_tokens", [1, 4, 9, 16, 36])
def test_quecc_takes_17_gigaflops_less_the_absorbed_projections(visual_tokens: int) -> None:
    v, hidden = np.array(float(visual_tokens)), llm_catalog()["Qwen1.5-7B"].hidden_size
    projector = compressor_flops(POOL, TOWER, hidden, v)
    absorbed = 2 * 2 * (TOWER.patches - visual_tokens) * TOWER.hidden_size**2
    assert compressor_flops(QUECC, TOWER, hidden, v) - projector + absorbed == pytest.approx(0.017e12, rel=0.03)


def test_encoder_costs_more_than_the_prefill_of_a_small_llm() -> None:
    flops = request_flops(llm_catalog()["Qwen1.5-1.8B"], 1, Workload(50, 0), vision=TOWER, compressor=QUECC)
    assert flops.encoder > flops.prefill


@pytest.mark.parametrize("name", ["Qwen1.5-1.8B", "Qwen1.5-7B", "Qwen1.5-72B"])
def test_query_pass_nearly_doubles_the_prefill_of_one_visual_token(name: str) -> None:
    flops = request_flops(llm_catalog()[name], 1, Workload(50, 0), vision=TOWER, compressor=QUECC)
    assert 0.9 < flops.query_pass / flops.prefill < 1


def test_twice_the_matrix_weights_per_token_is_within_3_percent_of_the_prefill() -> None:
    """Head and attention stay small from 16 to 256 tokens; below 1B the head alone may take up to 5 percent."""
    shares = {}
    for (name, llm), tokens in product(llm_catalog().items(), (16, 32, 64, 128, 256)):
        flops = request_flops(llm, tokens, Workload(0, 0), vision=TOWER, compressor=NONE)
        shares[name, tokens] = float(flops.prefill / (2 * llm.linear_params * tokens))
    largest = {name: 1.03 if llm.nominal_params >= 1e9 else 1.05 for name, llm in llm_catalog().items()}
    assert {case: share for case, share in shares.items() if not 1 <= share < largest[case[0]]} == {}


def test_nominal_size_counts_a_small_llm_too_high() -> None:
    llm = llm_catalog()["Qwen2.5-0.5B"]
    assert llm.nominal_params > 1.25 * llm.linear_params


# ---- many at once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("compressor", [QUECC, TOKENPACKER, POOL], ids=lambda spec: spec.name)
def test_arrays_equal_one_by_one(compressor: Compressor, convention: str) -> None:
    llms = tuple(llm_catalog().values())
    tokens = compressor.visual_tokens(TOWER)
    workload = Workload(60, 11, cached_tokens=90, system_tokens=13, images=2)
    options = {"vision": TOWER, "compressor": compressor, "convention": convention}
    together = request_flops(Dense.columns(llms), np.array(tokens), workload, **options)
    assert np.shape(together.total) == (len(llms), len(tokens))
    for (i, llm), (j, v) in product(enumerate(llms), enumerate(tokens)):
        alone = request_flops(llm, v, workload, **options)
        assert together.at(i, j).to_dict() == alone.to_dict()


def test_every_stage_has_the_shape_of_the_candidates() -> None:
    llms = tuple(llm_catalog().values())[:3]
    for convention in CONVENTIONS:
        flops = request_flops(
            Dense.columns(llms),
            np.array([1, 4]),
            Workload(5, 5),
            vision=TOWER,
            compressor=NONE,
            convention=convention,
        )
        assert [np.shape(getattr(flops, stage)) for stage in STAGES] == [(3, 2)] * 5


def test_dictionary_holds_plain_floats() -> None:
    flops = request_flops(llm_catalog()["Phi-2"], 4, Workload(5, 5), vision=TOWER, compressor=QUECC)
    content = flops.to_dict()
    assert list(content) == ["total", *STAGES]
    assert {type(value) for value in content.values()} == {float}
    assert content["total"] == sum(content[stage] for stage in STAGES)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"convention": "papre"}, r"^no convention is called 'papre'; did you mean 'paper'\?$"),
        ({"prompt_order": "x"}, r"^no prompt order is called 'x'; there are: image-first, text-first$"),
        ({"prompt_order": "x", "convention": "paper"}, r"^no prompt order is called 'x'"),
    ],
)
def test_unknown_names(option: dict[str, str], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        request_flops(
            llm_catalog()["Phi-2"],
            4,
            Workload(5, 5),
            vision=TOWER,
            compressor=QUECC,
            convention=option.get("convention", "full"),
            prompt_order=option.get("prompt_order", "image-first"),
        )


# ---- properties --------------------------------------------------------------------------------------------------

any_llm = st.sampled_from(list(llm_catalog().values()))
any_tower = st.sampled_from(list(vision_catalog().values()))
any_compressor = st.sampled_from(list(compressor_catalog().values()))
any_workload = st.builds(
    Workload,
    query_tokens=st.integers(0, 2000),
    generated_tokens=st.integers(0, 1000),
    cached_tokens=st.integers(0, 4000),
    system_tokens=st.integers(0, 1000),
    images=st.integers(1, 4),
)
any_visual_tokens = st.integers(1, 729)


@settings(deadline=None)
@given(
    any_llm,
    any_visual_tokens,
    any_workload,
    any_tower,
    any_compressor,
    st.sampled_from(CONVENTIONS),
    st.sampled_from(PROMPT_ORDERS),
)
def test_stages_are_not_negative_and_sum_to_the_total(
    llm: Llm,
    visual_tokens: int,
    workload: Workload,
    vision: Tower,
    compressor: Compressor,
    convention: str,
    prompt_order: str,
) -> None:
    flops = request_flops(
        llm,
        visual_tokens,
        workload,
        vision=vision,
        compressor=compressor,
        convention=convention,
        prompt_order=prompt_order,
    )
    parts = stages(flops)
    assert all(part >= 0 for part in parts.values())
    assert float(flops.total) == sum(parts.values())


@settings(deadline=None)
@given(
    any_llm,
    any_visual_tokens,
    any_workload,
    any_compressor,
    st.sampled_from(PROMPT_ORDERS),
    st.sampled_from(["query_tokens", "generated_tokens", "cached_tokens", "system_tokens", "images", "visual_tokens"]),
    st.integers(1, 500),
)
def test_more_tokens_of_any_kind_cost_more(
    llm: Llm,
    visual_tokens: int,
    workload: Workload,
    compressor: Compressor,
    prompt_order: str,
    kind: str,
    extra: int,
) -> None:
    def total(tokens: int, request: Workload, convention: str) -> float:
        flops = request_flops(
            llm,
            tokens,
            request,
            vision=TOWER,
            compressor=compressor,
            convention=convention,
            prompt_order=prompt_order,
        )
        return float(flops.total)

    more_tokens, more = visual_tokens, workload
    if kind == "visual_tokens":
        more_tokens += extra
    else:
        more = replace(workload, **{kind: getattr(workload, kind) + extra})
    assert total(more_tokens, more, "full") > total(visual_tokens, workload, "full")
    if kind == "cached_tokens":  # the paper's Q = 0: cached text is free
        assert total(more_tokens, more, "paper") == total(visual_tokens, workload, "paper")
    else:
        assert total(more_tokens, more, "paper") > total(visual_tokens, workload, "paper")


@settings(deadline=None)
@given(any_llm, any_visual_tokens, any_workload, any_tower, any_compressor)
def test_text_first_is_image_first_without_the_query_pass(
    llm: Llm, visual_tokens: int, workload: Workload, vision: Tower, compressor: Compressor
) -> None:
    image_first, text_first = (
        request_flops(llm, visual_tokens, workload, vision=vision, compressor=compressor, prompt_order=order)
        for order in ("image-first", "text-first")
    )
    assert stages(text_first) == {**stages(image_first), "query_pass": 0.0}
    assert text_first.total <= image_first.total
    assert (text_first.total < image_first.total) == (compressor is QUECC and workload.query_tokens > 0)


@settings(deadline=None)
@given(any_llm, any_visual_tokens, any_workload, any_compressor)
def test_cached_tokens_cost_attention_only(
    llm: Llm, visual_tokens: int, workload: Workload, compressor: Compressor
) -> None:
    cached, fresh = (
        stages(request_flops(llm, visual_tokens, request, vision=TOWER, compressor=compressor))
        for request in (workload, replace(workload, cached_tokens=0))
    )
    prefilled = workload.system_tokens + workload.query_tokens + workload.images * visual_tokens
    per_token = 4 * llm.num_layers * llm.num_heads * llm.head_dim * workload.cached_tokens
    assert cached["prefill"] - fresh["prefill"] == per_token * prefilled
    assert cached["decode"] - fresh["decode"] == per_token * workload.generated_tokens
    for stage in ("encoder", "compressor", "query_pass"):
        assert cached[stage] == fresh[stage]
