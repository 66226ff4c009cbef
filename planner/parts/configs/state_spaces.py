"""State spaces with heads (Mamba 2, Nemotron-H, Falcon-H1) and Falcon Mamba, by their transformers classes (5.23)."""

from __future__ import annotations

from collections.abc import Callable

from planner.base.errors import SpecError
from planner.parts.configs.hybrids import FORMER, step_rank
from planner.parts.configs.layers import AttentionRule, LayeredReader
from planner.parts.configs.reader import LLM_READERS
from planner.parts.configs.rules import BIAS
from planner.parts.configs.values import Values
from planner.parts.llms import Block, Experts, HeadedStateSpace, Layer, Mlp, Selective

# ---- Mamba 2, Falcon Mamba -------------------------------------------------------------------------------------------


def mamba2_layers(values: Values) -> list[Layer]:
    """A state space in every layer, and nothing else."""
    hidden = values.count("hidden_size")
    block = HeadedStateSpace(
        hidden_size=hidden,
        kernel=values.count("conv_kernel"),
        heads=values.count("num_heads"),
        head_dim=values.count("head_dim"),
        groups=values.count("n_groups"),
        state=values.count("state_size"),
        chunk=values.count("chunk_size"),
        conv_bias=values.flag("use_conv_bias"),
        bias=values.flag("use_bias"),
    )
    expanded = values.count("expand") * hidden
    if block.inner != expanded:
        raise values.wrong("num_heads", f"as many heads of {block.head_dim} as make {expanded} ('expand' widths)")
    return [Layer(blocks=(block,), vectors=hidden)] * values.count("num_hidden_layers")


def falcon_mamba_layers(values: Values) -> list[Layer]:
    """The same with a step for each channel."""
    hidden = values.count("hidden_size")
    block = Selective(
        hidden_size=hidden,
        kernel=values.count("conv_kernel"),
        inner=values.count("intermediate_size", values.count("expand") * hidden),
        state=values.count("state_size"),
        step_rank=step_rank(values, "time_step_rank"),
        conv_bias=values.flag("use_conv_bias"),
        bias=values.flag("use_bias"),
    )
    return [Layer(blocks=(block,), vectors=hidden)] * values.count("num_hidden_layers")


# ---- Nemotron-H ------------------------------------------------------------------------------------------------------

LETTERS = {"M": "linear_attention", "E": "moe", "*": "full_attention", "-": "mlp"}
FORMER_KEYS = {
    "n_groups": "mamba_n_groups",
    "conv_kernel": "mamba_d_conv",
    "use_conv_bias": "mamba_conv_bias",
    "chunk_size": "mamba_chunk_size",
}
"""Key -> what older files call it; the older one goes first, as in the class."""


def nemotron_types(values: Values) -> list[str]:
    """Of each layer, what it is. Raises SpecError for a letter or a type that is not known."""
    pattern, types = values.get("hybrid_override_pattern"), values.get("layers_block_type")
    if types is None and isinstance(pattern, str):
        types = [LETTERS.get(letter) for letter in pattern]
        if not types or None in types:
            raise values.wrong("hybrid_override_pattern", f"a text of {' '.join(LETTERS)}, one for each layer")
    elif types is None:
        types = list(LETTERS.values())
    known = [FORMER.get(str(one), str(one)) for one in types] if isinstance(types, list | tuple) else []
    if not known or not set(known) <= set(LETTERS.values()):
        raise values.wrong("layers_block_type", f"a list of {', '.join(sorted(LETTERS.values()))}")
    return known


def nemotron_layers(values: Values) -> list[Layer]:
    """A state space, attention, an MLP, or experts: one block in each layer."""
    types = nemotron_types(values)
    found = {one: nemotron_block(values, one) for one in set(types)}
    return [Layer(blocks=(found[one],), vectors=values.count("hidden_size")) for one in types]


def nemotron_block(values: Values, what: str) -> Block:
    """The block of a layer."""
    makers: dict[str, Callable[[Values], Block]] = {
        "linear_attention": nemotron_state,
        "full_attention": lambda v: AttentionRule().blocks(v, 1)[0],
        "mlp": lambda v: Mlp(
            hidden_size=v.count("hidden_size"),
            width=v.count("intermediate_size"),
            gated=False,
            bias=v.flag("mlp_bias"),
        ),
        "moe": nemotron_experts,
    }
    return makers[what](values)


def nemotron_state(values: Values) -> HeadedStateSpace:
    """Mamba 2, its sizes under new or former keys."""

    def key(name: str) -> str:
        former = FORMER_KEYS[name]
        return former if former in values.given else name

    return HeadedStateSpace(
        hidden_size=values.count("hidden_size"),
        kernel=values.count(key("conv_kernel")),
        heads=values.count("mamba_num_heads"),
        head_dim=values.count("mamba_head_dim"),
        groups=values.count(key("n_groups")),
        state=values.count("ssm_state_size"),
        chunk=values.count(key("chunk_size")),
        conv_bias=values.flag(key("use_conv_bias")),
        bias=values.flag("use_bias"),
    )


def nemotron_experts(values: Values) -> Experts:
    """Plain experts, in a narrower width of their own where the config gives one, and a shared one."""
    hidden, shared = values.count("hidden_size"), values.count("moe_shared_expert_intermediate_size")
    latent = values.count("moe_latent_size", 0, minimum=0)
    biases = shared + hidden + ((latent + hidden) if latent else 0)
    return Experts(
        hidden_size=hidden,
        width=values.count("moe_intermediate_size"),
        experts=values.count("n_routed_experts"),
        per_token=values.count("num_experts_per_tok"),
        shared_width=shared,
        gated=False,
        latent=latent,
        extra_vectors=values.flag("mlp_bias") * biases,
    )


# ---- Falcon-H1 -------------------------------------------------------------------------------------------------------


def falcon_h1_layers(values: Values) -> list[Layer]:
    """State space and attention side by side, then an MLP."""
    hidden, heads = values.count("hidden_size"), values.count("mamba_n_heads")
    inner = values.count("mamba_d_ssm", values.count("mamba_expand") * hidden)
    size = inner // heads if values.get("mamba_d_head") == "auto" else values.count("mamba_d_head")
    if heads * size != inner:
        raise SpecError(f"{values.name}: expected {heads} heads of {size} to make a state space of {inner} channels")
    into, out = values.flag("mamba_proj_bias"), values.flag("projectors_bias")
    state = HeadedStateSpace(
        hidden_size=hidden,
        kernel=values.count("mamba_d_conv"),
        heads=heads,
        head_dim=size,
        groups=values.count("mamba_n_groups"),
        state=values.count("mamba_d_state"),
        chunk=values.count("mamba_chunk_size"),
        conv_bias=values.flag("mamba_conv_bias"),
        bias=into,
        normed=values.flag("mamba_rms_norm"),
    )
    (attention,) = AttentionRule(qkv_bias=BIAS, o_bias=BIAS).blocks(values, 1)
    mlp = Mlp(hidden_size=hidden, width=values.count("intermediate_size"), bias=values.flag("mlp_bias"))
    layer = Layer(blocks=(state, attention, mlp), vectors=(2 + out - into) * hidden)
    return [layer] * values.count("num_hidden_layers")


for reader in (
    LayeredReader(
        name="mamba2",
        layers=mamba2_layers,
        attends=False,
        knows=("intermediate_size", "norm_before_gate"),
        must_be=(("rms_norm", (None, True)),),
    ),
    LayeredReader(name="falcon_mamba", layers=falcon_mamba_layers, attends=False, knows=("intermediate_size",)),
    LayeredReader(
        name="nemotron_h",
        layers=nemotron_layers,
        knows=(*FORMER_KEYS.values(), "mamba_expand", "num_hidden_layers", "attention_head_dim"),
    ),
    LayeredReader(
        name="falcon_h1",
        layers=falcon_h1_layers,
        knows=("mlp_expansion_factor",),
        must_be=(("mamba_use_mlp", (None, True)), ("attn_layer_indices", (None,))),
    ),
):
    LLM_READERS.register(reader)
