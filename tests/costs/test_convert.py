"""Ways of counting FLOPs against each other: printed numbers of papers, and identities between the formulas."""

from __future__ import annotations

import math
from itertools import product

import pytest
from costs.loose import decoder_flops, request_flops
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.base.errors import UnknownNameError
from planner.configuration import Model
from planner.costs.convert import COUNTS, MAC_STYLES, MEANINGS, convert, counts, macs_of_prefill
from planner.costs.flops import CONVENTIONS
from planner.costs.stages import Workload
from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog
from planner.parts.llms import Llm

TOWER = vision_catalog()["CLIP-ViT-L/14-336"]
VICUNA = llm_catalog()["Vicuna-7B-v1.5"]


def same_request(llm: Llm, visual_tokens: int, workload: Workload, compressor: str = "none") -> dict[str, float]:
    return counts(Model(llm, TOWER, compressor_catalog()[compressor], visual_tokens), workload)


def test_formulas_by_hand() -> None:
    """LLaVA-1.5-7B: 32 layers of width 4096, MLP 11008; 576 visual tokens."""
    n, d, m = 576, 4096, 11008
    assert macs_of_prefill(VICUNA, 576, "fastv") == 32 * (4 * n * d**2 + 2 * n**2 * d + 2 * n * d * m)
    assert macs_of_prefill(VICUNA, 576, "gated") == 32 * (4 * n * d**2 + 2 * n**2 * d + 3 * n * d * m)


def test_a_printed_number_is_met() -> None:
    """Papers on compression print 3.82 "TFLOPs" for the 576 visual tokens of LLaVA-1.5-7B: multiply-adds."""
    assert round(macs_of_prefill(VICUNA, 576, "gated") / 1e12, 2) == 3.82
    assert round(decoder_flops(VICUNA, 576, 0, causal=False) / 1e12, 2) == 7.63


@pytest.mark.parametrize("tokens", [1, 66, 576])
def test_multiply_adds_are_half_of_what_runs_where_the_formula_fits_the_model(tokens: int) -> None:
    """Phi-2 has two MLP matrices, Vicuna three; both have as many key/value heads as query heads."""
    for name, style in (("Phi-2", "fastv"), ("Vicuna-7B-v1.5", "gated"), ("Qwen1.5-7B", "gated")):
        llm = llm_catalog()[name]
        assert 2 * macs_of_prefill(llm, tokens, style) == decoder_flops(llm, tokens, 0, causal=False)


def test_what_the_formulas_do_not_know() -> None:
    grouped = llm_catalog()["Qwen2.5-7B"]
    assert 2 * macs_of_prefill(grouped, 66, "gated") > decoder_flops(grouped, 66, 0, causal=False)
    assert 2 * macs_of_prefill(VICUNA, 66, "fastv") < decoder_flops(VICUNA, 66, 0, causal=False)


def test_tokens_are_all_that_the_prefill_sees() -> None:
    workload = Workload(50, 32, cached_tokens=999, system_tokens=8, images=3)
    found = same_request(VICUNA, 16, workload, "quecc")
    assert list(found) == list(COUNTS) == [*CONVENTIONS, *MAC_STYLES] == list(MEANINGS)
    for style in MAC_STYLES:
        assert found[style] == macs_of_prefill(VICUNA, 8 + 50 + 3 * 16, style)
    for convention in CONVENTIONS:
        flops = request_flops(
            VICUNA, 16, workload, vision=TOWER, compressor=compressor_catalog()["quecc"], convention=convention
        )
        assert found[convention] == flops.total


def test_a_request_is_converted_into_itself() -> None:
    same = same_request(llm_catalog()["Qwen2.5-7B"], 36, Workload(50, 32), "quecc")
    pairs = list(product(COUNTS, COUNTS))
    converted = {(counted, wanted): convert(same[counted], counted, wanted, same) for counted, wanted in pairs}
    assert converted == pytest.approx({pair: same[pair[1]] for pair in pairs}, rel=1e-15)


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(list(llm_catalog().values())),
    st.sampled_from(compressor_catalog()["quecc"].visual_tokens(TOWER)),
    st.builds(Workload, query_tokens=st.integers(0, 500), generated_tokens=st.integers(0, 100)),
    st.sampled_from(COUNTS),
    st.sampled_from(COUNTS),
    st.floats(1e6, 1e18),
)
def test_there_and_back(
    llm: Llm, visual_tokens: int, workload: Workload, counted: str, wanted: str, value: float
) -> None:
    same = same_request(llm, visual_tokens, workload, "quecc")
    there = convert(value, counted, wanted, same)
    assert convert(there, wanted, counted, same) == pytest.approx(value, rel=1e-12)
    assert convert(value, counted, counted, same) == pytest.approx(value, rel=1e-15)
    assert math.isfinite(there)
    assert there > 0


@pytest.mark.parametrize(("counted", "wanted"), [("macs", "full"), ("full", "macs")])
def test_unknown_way_of_counting(counted: str, wanted: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        convert(1e12, counted, wanted, same_request(VICUNA, 16, Workload(50, 0)))
    assert str(caught.value) == ("no way of counting is called 'macs'; there are: full, paper, torch, fastv, gated")


def test_mistyped_way_of_counting_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"^no way of counting is called 'fatsv'; did you mean 'fastv'\?$"):
        convert(1e12, "fatsv", "full", same_request(VICUNA, 16, Workload(50, 0)))
