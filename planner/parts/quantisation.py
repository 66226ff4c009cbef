"""Quantised checkpoints: what their `quantization_config` says of the bits that are stored.

    method                a weight     beside it
    awq                   4 bits       a 16-bit scale and a 4-bit zero for each group of inputs
    gptq                  4 or 8 bits  a 16-bit scale and a zero of as many bits for each group of inputs
    mxfp4                 4 bits       an 8-bit scale for each 32 inputs; the routed experts alone
    bitsandbytes          4 bits       32 bits for each 64 weights; quantised once more 8, and 32 for each 256 of those
    fp8, fbgemm_fp8       8 bits       a 32-bit scale for each block of weights, or for each output
    compressed-tensors    4 or 8 bits  a 16-bit scale for each group or output; a zero of as many bits where asymmetric
                          4-bit float  an 8-bit scale for each group of inputs (NVFP4: 16, MXFP4: 32)

Weights of 8 bits beside inputs of 16 (gptq; compressed-tensors without input_activations) are w8a16: their products run
in 16 bits, as those of weights of 4 bits do. Embeddings, norms, biases, routers, towers and the output head stay in 16
bits; a config that quantises the head is refused. Scales are counted for whole matrices: a block that a matrix does not
fill counts as the part that it fills.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.configs.nested import TEXT_KEYS
from planner.parts.llms import Llm
from planner.parts.walk import Matmul, Pass

WIDE_BYTES = 2.0
STAYS_WIDE = re.compile(
    r"lm_head|visual|vision|image|multi_modal|mlp1|embed|norm|router|audio|(?<!up_)gate(?!_proj|_up)|\bmtp\b|eh_proj"
)
"""Parts of names of modules that are left as they are here too: a router is a gate, the gate of an MLP is none."""


@dataclass(frozen=True)
class Quantisation:
    """How the matrices of a language model are stored."""

    method: str
    precision: str
    """As our precisions call it."""
    bits: int
    """Of a weight."""
    group: tuple[int, int] = (0, 1)
    """Inputs and outputs that share a scale; 0: all inputs."""
    beside_bits: float = 16.0
    """Of a scale and its zero."""
    experts_alone: bool = False
    """Whether only routed experts are quantised."""

    def weights_bytes(self, llm: Llm) -> float:
        """Bytes of the weights of a language model, as they are stored."""
        quantised = bits = 0.0
        for kernel in llm.walk(Pass(1.0, 1.0)):
            if not isinstance(kernel, Matmul) or not kernel.quantised:
                continue
            if not self.experts_alone or kernel.touched is not None:  # of experts, some are touched
                weights = float(kernel.stored_weights)
                inputs = self.group[0] or float(kernel.k)
                quantised += weights
                bits += weights * self.bits + weights / (inputs * self.group[1]) * self.beside_bits
        return bits / 8 + WIDE_BYTES * (llm.params - quantised)


def read_quantisation(name: str, config: Mapping[str, Any]) -> Quantisation | None:
    """How a checkpoint is quantised; None where its config does not say that it is.

    Raises:
        SpecError: a method, a number of bits or modules left out that are not known.
    """
    given = _given(config)
    if given is None:
        return None
    method = given.get("quant_method") if isinstance(given, Mapping) else None
    if method is None and isinstance(given, Mapping) and {"load_in_4bit", "load_in_8bit"} & set(given):
        method = "bitsandbytes"  # as transformers reads files from before the key
    read = _METHODS.get(str(method))
    if read is None:
        known = ", ".join(_METHODS)
        raise SpecError(f"{name}: expected quantization_config to name a method of {known}, got {shown(method)}")
    for key in ("modules_to_not_convert", "ignore", "ignored_layers", "llm_int8_skip_modules"):
        _check_left_out(name, key, given.get(key), read is _mxfp4)
    return read(name, given)


PLACES = ("quantization_config", "compression_config")
"""What a config calls it, today and formerly."""


def _given(config: Mapping[str, Any]) -> Any:
    """What a config says, or the language model in it."""
    parts = [config, *(part for key in TEXT_KEYS if isinstance(part := config.get(key), Mapping))]
    return next((part[key] for part in parts for key in PLACES if part.get(key) is not None), None)


def _check_left_out(name: str, key: str, modules: Any, attention_is_wide: bool) -> None:
    if not isinstance(modules, list | tuple | None):
        raise SpecError(f"{name}: expected {key} of quantization_config to be a list of modules, got {shown(modules)}")
    for module in modules or ():
        stays = STAYS_WIDE.search(str(module)) or (attention_is_wide and "self_attn" in str(module))
        if not stays:
            raise SpecError(f"{name}: quantization_config leaves out {shown(module)} ({key}), whose size is not known")


def _bits(name: str, value: Any, known: Sequence[int]) -> int:
    if value not in known or isinstance(value, bool):
        expected = " or ".join(map(str, known))
        raise SpecError(f"{name}: expected quantization_config to store {expected} bits a weight, got {shown(value)}")
    return int(value)


def _grouped(name: str, given: Mapping[str, Any]) -> Quantisation:
    gptq = given["quant_method"] == "gptq"
    bits = _bits(name, given.get("bits", given.get("w_bit")), (4, 8) if gptq else (4,))
    if given.get("lm_head"):
        raise SpecError(f"{name}: quantization_config quantises the output head, whose cost is not known")
    group = given.get("group_size", given.get("q_group_size", 128))
    if isinstance(group, bool) or not isinstance(group, int):
        raise SpecError(f"{name}: expected group_size of quantization_config to be a whole number, got {shown(group)}")
    precision = "int4" if bits == 4 else "w8a16"
    return Quantisation(str(given["quant_method"]), precision, bits, (max(group, 0), 1), 16.0 + bits)


def _mxfp4(name: str, given: Mapping[str, Any]) -> Quantisation:
    return Quantisation("mxfp4", "int4", 4, (32, 1), 8.0, experts_alone=True)


def _bitsandbytes(name: str, given: Mapping[str, Any]) -> Quantisation:
    if given.get("load_in_8bit"):
        return Quantisation("bitsandbytes", "int8", 8, (0, 1), 32.0)
    if not given.get("load_in_4bit"):
        raise SpecError(f"{name}: expected quantization_config to load in 4 or 8 bits, and it says neither")
    beside = 8.0 + 32.0 / 256 if given.get("bnb_4bit_use_double_quant") else 32.0
    return Quantisation("bitsandbytes", "int4", 4, (64, 1), beside)


def _fp8(name: str, given: Mapping[str, Any]) -> Quantisation:
    block = given.get("weight_block_size")
    if block is None:
        return Quantisation(str(given["quant_method"]), "fp8", 8, (0, 1), 32.0)
    if not isinstance(block, list) or len(block) != 2 or not all(isinstance(one, int) and one > 0 for one in block):
        raise SpecError(f"{name}: expected weight_block_size to be two whole numbers, got {shown(block)}")
    return Quantisation(str(given["quant_method"]), "fp8", 8, (block[1], block[0]), 32.0)


def _compressed(name: str, given: Mapping[str, Any]) -> Quantisation:
    groups = given.get("config_groups")
    kinds = list(groups.values()) if isinstance(groups, Mapping) else []
    weights = kinds[0].get("weights") if len(kinds) == 1 and isinstance(kinds[0], Mapping) else None
    if not isinstance(weights, Mapping) or kinds[0].get("targets") != ["Linear"]:
        raise SpecError(f"{name}: expected one config_groups of all Linear modules in quantization_config")
    if not any("lm_head" in str(module) for module in given.get("ignore") or ()):
        raise SpecError(f"{name}: quantization_config quantises the output head ('lm_head' is not in its 'ignore')")
    bits, floating = _bits(name, weights.get("num_bits"), (4, 8)), weights.get("type") == "float"
    if floating and bits == 4:
        if weights.get("strategy") not in ("group", "tensor_group") or weights.get("group_size") not in (16, 32):
            raise SpecError(f"{name}: weights in floats of 4 bits are known in groups of 16 or 32 alone")
        return Quantisation("compressed-tensors", "int4", 4, (int(weights["group_size"]), 1), 8.0)
    precision = "int4" if bits == 4 else "fp8" if floating else "int8"
    if bits == 8 and kinds[0].get("input_activations") is None:
        precision = "w8a16"
    zero = 0.0 if weights.get("symmetric", True) else float(bits)
    group = weights.get("group_size") if weights.get("strategy") == "group" else 0
    return Quantisation("compressed-tensors", precision, bits, (int(group or 0), 1), 16.0 + zero)


_METHODS = {
    "awq": _grouped,
    "gptq": _grouped,
    "bitsandbytes": _bitsandbytes,
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "compressed-tensors": _compressed,
    "mxfp4": _mxfp4,
}
