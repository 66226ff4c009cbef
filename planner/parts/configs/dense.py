"""Dense decoders: what their transformers classes (5.23) fix in code, and what their configs say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.parts.configs.reader import (
    LLM_READERS,
    Flag,
    Labels,
    LlmReader,
    Number,
    common,
    flag,
    named,
    number,
    values_of,
)
from planner.parts.configs.rules import BIAS, PER_HEAD, WHOLE, head_size, kv_heads, mlp_width
from planner.parts.configs.windows import (
    Rule,
    all_but_every,
    all_but_first_of,
    by_types_alone,
    everywhere,
    everywhere_or_by_types,
    from_layer_on,
    where_no_field_is,
)
from planner.parts.llms import Dense

OWN_HEADS = "own heads"
"""Head by head, each head with weights of its own."""


@dataclass(frozen=True, kw_only=True)
class DenseReader(LlmReader):
    """One type of dense decoder."""

    gated_mlp: Flag = True
    mlp_width: Number = mlp_width
    head_size: Number = head_size
    kv_heads: Number = kv_heads
    qkv_bias: Flag = False
    o_bias: Flag = False
    mlp_bias: Flag = False
    head_bias: Flag = False
    norms_per_layer: Number = 2
    final_norm: Flag = True
    norm_weights: Number = 1
    """Weights of a norm for each number of the model's width: 2 with a bias, 0 without weights."""
    qk_norm: Flag = False
    qk_norm_kind: str = PER_HEAD
    layer_vectors: Number = 0
    """Further parameters of a layer that no matrix product takes."""
    other_params: Number = 0
    """The same outside of the layers: learned positions, the norm of the embedding."""
    windows: Rule | None = None
    """Which layers have one; None: its class has no windows."""
    sees_whole_prompt: Flag = False
    """Whether the tokens of a prompt see those behind them too."""
    qk_norm_weights: int = 1
    """Of a norm of queries or keys for each number: 2 with a bias."""
    same_as_width: tuple[str, ...] = ()
    """Keys that must be the model's width, where they are given."""
    square: bool = False
    """Whether the heads must have the model's width together: the class's output projection has no other."""
    knows: tuple[str, ...] = ()
    must_be: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """Keys, and the values of them that are known."""

    @property
    def reads(self) -> tuple[str, ...]:
        return self.knows if self.windows else (*self.knows, "sliding_window")

    def read(self, config: Mapping[str, Any], labels: Labels) -> Dense:
        """A dense decoder. Raises SpecError for a value that is missing or no count."""
        values = values_of(config, labels, self.name)
        for key, known in self.must_be:
            if values.get(key) not in known:
                raise values.wrong(key, " or ".join(map(repr, known)))
        shared = common(values, labels)
        heads, hidden, layers = shared["num_heads"], shared["hidden_size"], shared["num_layers"]
        size, kv = number(values, self.head_size), number(values, self.kv_heads)
        for key in self.same_as_width:
            if values.count(key, hidden) != hidden:
                raise values.wrong(key, f"the model's width of {hidden}")
        if self.square and heads * size != hidden:
            raise SpecError(f"{labels.name}: expected {heads} heads of {size} to make a width of {hidden}")
        norm = hidden * number(values, self.norm_weights)
        normed = flag(values, self.qk_norm)
        qk = {PER_HEAD: 2 * size, WHOLE: (heads + kv) * size, OWN_HEADS: (heads + kv) * size}[self.qk_norm_kind]
        found = Dense(
            **shared,
            intermediate_size=number(values, self.mlp_width),
            num_kv_heads=kv,
            head_dim=size,
            tied_embeddings=values.tied(),
            gated_mlp=flag(values, self.gated_mlp),
            qkv_bias=flag(values, self.qkv_bias),
            o_bias=flag(values, self.o_bias),
            mlp_bias=flag(values, self.mlp_bias),
            head_bias=flag(values, self.head_bias),
            qk_norm=normed,
            norm_params_per_layer=number(values, self.norms_per_layer) * norm
            + normed * qk * self.qk_norm_weights
            + number(values, self.layer_vectors),
            final_norm_params=flag(values, self.final_norm) * norm,
            other_params=number(values, self.other_params),
            windows=(self.windows or where_no_field_is)(values, layers),
            sees_whole_prompt=flag(values, self.sees_whole_prompt),
        )
        return named(found, labels)


PATTERN = ("sliding_window_pattern",)
BOTH_WAYS = "use_bidirectional_attention"
LIKE_QWEN2: dict[str, Any] = {"qkv_bias": True, "windows": from_layer_on}
LIKE_QWEN3: dict[str, Any] = {"qkv_bias": BIAS, "o_bias": BIAS, "qk_norm": True}
LIKE_LLAMA: dict[str, Any] = {"qkv_bias": BIAS, "o_bias": BIAS, "mlp_bias": "mlp_bias"}
LIKE_GEMMA3: dict[str, Any] = {"qkv_bias": BIAS, "o_bias": BIAS, "norms_per_layer": 4, "qk_norm": True}
LIKE_OLMO: dict[str, Any] = {"qkv_bias": BIAS, "o_bias": BIAS}

for reader in (
    DenseReader(name="llama", **LIKE_LLAMA),
    DenseReader(name="mistral", windows=everywhere),
    DenseReader(name="qwen2", **LIKE_QWEN2),
    DenseReader(name="qwen3", **LIKE_QWEN3, windows=from_layer_on),
    DenseReader(name="gemma", qkv_bias=BIAS, o_bias=BIAS, sees_whole_prompt=BOTH_WAYS),
    DenseReader(
        name="gemma2",
        qkv_bias=BIAS,
        o_bias=BIAS,
        norms_per_layer=4,
        windows=all_but_every(2),
        sees_whole_prompt=BOTH_WAYS,
    ),
    DenseReader(
        name="gemma3_text",
        **LIKE_GEMMA3,
        windows=all_but_every(6),
        knows=PATTERN,
        must_be=((BOTH_WAYS, (None, False)),),
    ),
    DenseReader(name="vaultgemma", qkv_bias=BIAS, o_bias=BIAS, windows=all_but_every(2)),
    DenseReader(
        name="phi",
        gated_mlp=False,
        qkv_bias=True,
        o_bias=True,
        mlp_bias=True,
        head_bias=True,
        norms_per_layer=1,
        norm_weights=2,
        qk_norm="qk_layernorm",
        must_be=(("qk_layernorm", (None, False)),),
    ),
    DenseReader(name="phi3", windows=everywhere),
    DenseReader(name="qwen2_vl_text", **LIKE_QWEN2),
    DenseReader(name="qwen2_5_vl_text", **LIKE_QWEN2),
    DenseReader(name="qwen2_5_omni_text", **LIKE_QWEN2),
    DenseReader(name="qwen3_vl_text", **LIKE_QWEN3),
    DenseReader(name="arcee", gated_mlp=False, **LIKE_LLAMA),
    DenseReader(name="apertus", gated_mlp=False, qkv_bias=BIAS, o_bias=BIAS, qk_norm=True, layer_vectors=2),
    DenseReader(name="cwm", windows=all_but_first_of(4), mlp_bias="mlp_bias"),
    DenseReader(name="ministral", windows=everywhere_or_by_types),
    DenseReader(name="ministral3", windows=everywhere),
    DenseReader(name="helium", qkv_bias=BIAS, mlp_bias="mlp_bias", square=True),
    DenseReader(name="olmo", **LIKE_OLMO, norm_weights=0),
    DenseReader(name="olmo2", **LIKE_OLMO, qk_norm=True, qk_norm_kind=WHOLE),
    DenseReader(name="olmo3", **LIKE_OLMO, qk_norm=True, qk_norm_kind=WHOLE, windows=all_but_every(4)),
    DenseReader(name="smollm3", **LIKE_LLAMA, windows=by_types_alone),
    *(DenseReader(name=name, **LIKE_LLAMA) for name in ("granite", "granite4_vision_text", "granite_docling_text")),
    DenseReader(name="seed_oss", qkv_bias=BIAS, o_bias="attention_out_bias", mlp_bias="mlp_bias"),
    DenseReader(name="glm", qkv_bias=BIAS),
    DenseReader(name="glm4", qkv_bias=BIAS, norms_per_layer=4),
    DenseReader(
        name="cohere", qkv_bias=BIAS, o_bias=BIAS, norms_per_layer=1, qk_norm="use_qk_norm", qk_norm_kind=OWN_HEADS
    ),
    DenseReader(name="cohere2", qkv_bias=BIAS, o_bias=BIAS, norms_per_layer=1, windows=all_but_every(4), knows=PATTERN),
    DenseReader(name="ernie4_5", qkv_bias="use_bias", o_bias="use_bias", mlp_bias="use_bias"),
    DenseReader(name="exaone4", qk_norm=True, windows=all_but_every(4)),
    DenseReader(name="hyperclovax", **LIKE_LLAMA, norms_per_layer=lambda v: 2 + 2 * v.flag("use_post_norm")),
    DenseReader(name="internlm3", qkv_bias="qkv_bias", o_bias="bias", mlp_bias="bias"),
    DenseReader(name="iquestcoder", **LIKE_LLAMA),
    DenseReader(name="jais2", gated_mlp=False, **LIKE_LLAMA, norm_weights=2),
    DenseReader(name="nemotron", gated_mlp=False, **LIKE_LLAMA, norm_weights=2),
    DenseReader(name="nanochat", gated_mlp=False, qkv_bias=BIAS, o_bias=BIAS, norm_weights=0),
    DenseReader(
        name="stablelm",
        qkv_bias="use_qkv_bias",
        norm_weights=2,
        norms_per_layer=lambda v: 2 - v.flag("use_parallel_residual"),
        qk_norm="qk_layernorm",
        qk_norm_kind=OWN_HEADS,
    ),
    DenseReader(
        name="starcoder2",
        gated_mlp=False,
        qkv_bias="use_bias",
        o_bias="use_bias",
        mlp_bias="use_bias",
        norm_weights=2,
        windows=everywhere,
    ),
    *(DenseReader(name=name, **LIKE_OLMO, qk_norm=True) for name in ("hunyuan_v1_dense", "hunyuan_vl_text")),
    DenseReader(name="glm4v_text", qkv_bias=True, norms_per_layer=4),
    DenseReader(name="glm_ocr_text", norms_per_layer=4),
    DenseReader(name="paddleocr_vl_text", qkv_bias="use_bias", o_bias="use_bias", mlp_bias="use_bias"),
    DenseReader(name="cosmos3_edge_text", gated_mlp=False, **LIKE_LLAMA),
    DenseReader(name="phi4_multimodal", windows=everywhere),
    DenseReader(
        name="molmo2_text",
        qkv_bias=BIAS,
        qk_norm=True,
        other_params=lambda v: v.count("additional_vocab_size", 0, minimum=0) * v.count("hidden_size"),
        must_be=(("tie_word_embeddings", (False,)), ("qk_norm_type", ("qwen3",)), ("norm_after", (False,))),
    ),
    DenseReader(name="emu3_text_model", **LIKE_LLAMA),
    DenseReader(name="chameleon", **LIKE_LLAMA, qk_norm=True, qk_norm_kind=OWN_HEADS, qk_norm_weights=2),
    DenseReader(
        name="bitnet",
        qkv_bias=BIAS,
        o_bias=BIAS,
        layer_vectors=lambda v: v.count("hidden_size") + v.count("intermediate_size"),
    ),
    DenseReader(
        name="granite_swa",
        **LIKE_LLAMA,
        layer_vectors=lambda v: v.count("num_attention_heads"),
        windows=all_but_first_of(4),
    ),
):
    LLM_READERS.register(reader)
