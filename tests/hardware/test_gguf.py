"""Bits per weight of GGUF files against those that llama.cpp prints for whole files of Llama 3.1 8B."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import planner
from planner.configuration import Run
from planner.costs.memory import weights_bytes
from planner.costs.rates import Rates
from planner.costs.seconds import Clocks
from planner.hardware import find_hardware
from planner.hardware.gguf import BLOCK_BITS, GGUF_BITS, GGUF_TYPES, LAYER_WEIGHTS
from planner.hardware.precision import WEIGHT_BYTES
from planner.parts.catalog import llm_catalog
from planner.parts.llms import stacks
from planner.parts.released import find_checkpoint, released_ids
from planner.parts.walk import Pass

EMBEDDED = 128256 * 4096
"""Weights of the embeddings, and again of the output head."""
PRINTED = {"Q4_K_M": 4.8944, "Q5_K_S": 5.5704, "Q5_K_M": 5.7036, "Q6_K": 6.5633, "Q8_0": 8.5008}
"""Bits per weight, tools/quantize/README.md of llama.cpp."""
HEAD = {"Q8_0": "Q8_0"}
"""Type of the output head, Q6_K where nothing else is said; embeddings have the file's base type."""
STEP = Pass(1.0, 1.0, 100.0, logits=True, step=True)
"""One token behind 100."""


@pytest.mark.parametrize(("name", "bits"), PRINTED.items())
def test_whole_files(name: str, bits: float) -> None:
    base = "_".join(name.split("_")[:2])
    layers, head = 32 * LAYER_WEIGHTS, BLOCK_BITS[HEAD.get(name, "Q6_K")]
    whole = (GGUF_BITS[name] * layers + (BLOCK_BITS[base] + head) * EMBEDDED) / (layers + 2 * EMBEDDED)
    assert whole == pytest.approx(bits, rel=5e-4)  # norms, in 32 bits, are left out


def test_products_run_in_sixteen_bits() -> None:
    card = find_hardware("h100-sxm")
    for name, bits in GGUF_BITS.items():
        rates = Rates.of(card, name)
        assert rates.flops_per_s == card.rate("bf16")
        assert (rates.weight_bytes, rates.input_bytes) == (bits / 8, 2.0)
        assert WEIGHT_BYTES[name] == bits / 8


def test_a_run_takes_them() -> None:
    assert str(Run.of("apple-m4-max", precision="Q4_K_M")) == "Q4_K_M on apple-m4-max, batch 1"
    wide, narrow = (
        planner.cost(
            "Qwen3-8B",
            576,
            query_tokens=50,
            generated_tokens=32,
            hardware="apple-m4-max",
            precision=name,
            kv_precision="fp16",
        )
        for name in ("bf16", "Q4_K_M")
    )
    assert wide.flops == narrow.flops
    assert 0.25 < narrow.memory.weights / wide.memory.weights < 0.5


# ---- whole files -----------------------------------------------------------------------------------------------------

GIGABYTES = {
    "Llama-3.1-8B": {"Q4_K_M": 4.92, "Q5_K_S": 5.60, "Q5_K_M": 5.73, "Q6_K": 6.60},  # bartowski/Meta-Llama-3.1-8B-...
    "Llama-3.1-70B": {"Q4_K_M": 42.52},  # bartowski/Meta-Llama-3.1-70B-Instruct-GGUF
    "Qwen2.5-7B": {"Q4_K_M": 4.68, "Q5_K_M": 5.44, "Q6_K": 6.25, "Q8_0": 8.10},  # DevQuasar/Qwen.Qwen2-VL-7B-GGUF
    "Qwen/Qwen2-VL-2B-Instruct": {"Q4_K_M": 0.986, "Q6_K": 1.27, "Q8_0": 1.65},  # lmstudio-community/Qwen2-VL-2B-...
    "google/gemma-3-4b-it": {"Q4_K_M": 2.49, "Q8_0": 4.13},  # ggml-org/gemma-3-4b-it-GGUF
    "google/gemma-3-12b-it": {"Q4_K_M": 7.30, "Q5_K_S": 8.23, "Q5_K_M": 8.44, "Q6_K": 9.66, "Q8_0": 12.5},  # cortexso
}
"""Of files on the Hugging Face hub, as their repositories list them; the vision side is a file of its own."""


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in GIGABYTES.items() for kind in kinds])
def test_weights_are_as_large_as_published_files(name: str, kind: str) -> None:
    """Within 1 %: the lists show three digits, a file holds some megabytes of vocabulary as well, and the share of
    raised matrices is that of one model."""
    llm = find_checkpoint(name).llm if "/" in name else llm_catalog()[name]
    assert float(weights_bytes(llm, kind)) / 1e9 == pytest.approx(GIGABYTES[name][kind], rel=0.01)


def test_tables_head_and_vectors_by_hand() -> None:
    """Two layers of width 256, whole blocks: 18 bytes for 32 weights in Q4_0, 210 for 256 in Q6_K; 4 for a norm's."""
    llm = replace(
        llm_catalog()["Qwen2.5-7B"],
        hidden_size=256,
        intermediate_size=512,
        num_layers=2,
        num_heads=2,
        num_kv_heads=1,
        head_dim=128,
        vocab_size=1000,
        norm_params_per_layer=2 * 256,
        final_norm_params=256,
    )
    matrices = 2 * (256 * (256 + 2 * 128) + 256 * 256 + 3 * 256 * 512)
    vectors = 2 * ((256 + 2 * 128) + 2 * 256) + 256  # biases and norms
    assert llm.params == matrices + 2 * 256 * 1000 + vectors
    table, head = 256_000, 256_000
    assert weights_bytes(llm, "Q4_0") == (matrices + table) * 18 / 32 + head * 210 / 256 + 4 * vectors
    assert weights_bytes(llm, "Q8_0") == (matrices + table + head) * 34 / 32 + 4 * vectors
    tied = replace(llm, tied_embeddings=True)
    assert weights_bytes(tied, "Q4_0") == matrices * 18 / 32 + table * 210 / 256 + 4 * vectors
    narrow = replace(
        llm, hidden_size=224, head_dim=112, norm_params_per_layer=448, final_norm_params=224
    )  # 7 x 32: no whole block of 256
    assert narrow.linear_params == 2 * (224 * (224 + 2 * 112) + 224 * 224 + 3 * 224 * 512)
    down = 2 * 224 * 512  # its rows have 512
    rest = narrow.linear_params - down
    vectors = 2 * ((224 + 2 * 112) + 2 * 224) + 224
    expected = rest * 24 / 32 + down * 176 / 256 + 224_000 * (24 + 34) / 32 + 4 * vectors  # Q5_1, Q5_K; Q5_1, Q8_0
    assert weights_bytes(narrow, "Q5_K_S") == expected


@pytest.mark.parametrize("kind", GGUF_TYPES)
def test_many_models_at_once_weigh_what_each_does(kind: str) -> None:
    llms = [find_checkpoint(hub_id).llm for hub_id in released_ids()]
    for members, stack in stacks(llms):
        whole = np.broadcast_to(np.asarray(weights_bytes(stack, kind)), (len(members), 1))[:, 0]
        alone = [float(weights_bytes(llms[position], kind)) for position in members]
        assert whole.tolist() == pytest.approx(alone, rel=1e-12)


def test_a_table_for_each_layer_is_quantised_too() -> None:
    """Gemma 3n keeps a second table of tokens, a slice for each layer; its head is its first table."""
    llm = find_checkpoint("google/gemma-3n-E2B-it").llm
    own = int(llm.table_params) - llm.hidden_size * llm.vocab_size
    assert own == 262_144 * 30 * 256
    assert llm.head_params == 0
    assert float(weights_bytes(llm, "Q8_0")) < 1.1 * llm.params


# ---- what a step reads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_K_M", "Q5_K_S", "Q8_0"])
@pytest.mark.parametrize("name", ["Qwen2.5-0.5B", "Qwen2.5-1.5B", "Llama-3.2-1B"])
def test_a_step_reads_what_the_file_holds(name: str, kind: str) -> None:
    """All matrices and the head, which is the table of tokens here; only vectors, 4 bytes in the file, are no product.
    Rows of Qwen2.5-0.5B, 896 and 4864 long, are of no whole blocks of 256."""
    llm, card = llm_catalog()[name], find_hardware("apple-m4-max")
    assert llm.head_params == 0
    read = {
        one: float(Clocks.of(card, Run(card, one, "fp16"), llm).time(llm.walk(STEP)).bytes) for one in ("bf16", kind)
    }
    vectors = llm.params - llm.linear_params - llm.table_params
    saved = float(weights_bytes(llm, "bf16")) - float(weights_bytes(llm, kind)) + 2 * vectors
    assert read["bf16"] - read[kind] == pytest.approx(saved, rel=1e-9)


def test_a_head_of_its_own_is_read_and_the_table_is_not() -> None:
    llm, card = llm_catalog()["Qwen2.5-7B"], find_hardware("apple-m4-max")
    wide, narrow = (
        float(Clocks.of(card, Run(card, one, "fp16"), llm).time(llm.walk(STEP)).bytes) for one in ("bf16", "Q4_K_M")
    )
    matrices, head = llm.linear_params * (2 - GGUF_BITS["Q4_K_M"] / 8), llm.head_params * (2 - 210 / 256)
    assert wide - narrow == pytest.approx(matrices + head, rel=1e-9)


@pytest.mark.parametrize("kind", GGUF_TYPES)
def test_many_models_at_once_are_read_as_each_is(kind: str) -> None:
    file, llms = GGUF_TYPES[kind], [find_checkpoint(hub_id).llm for hub_id in released_ids()]
    for members, stack in stacks(llms):
        for bits in (file.matrix_bits, file.head_bits):
            whole = np.broadcast_to(np.asarray(bits(stack)), (len(members), 1))[:, 0]
            assert whole.tolist() == pytest.approx([float(bits(llms[i])) for i in members], rel=1e-12)


def test_whole_blocks_have_the_bits_of_the_type_to_the_last_digit() -> None:
    llm = llm_catalog()["Llama-3.1-8B"]
    assert {name: one.matrix_bits(llm) for name, one in GGUF_TYPES.items()} == GGUF_BITS
