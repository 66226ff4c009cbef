"""Types with multi-head latent attention, by the classes of transformers (5.23)."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.parts.configs.reader import Flag, Number, flag, number
from planner.parts.configs.rules import BIAS
from planner.parts.configs.sparse import DEEPSEEK, named_or_first, sparse
from planner.parts.configs.values import Values
from planner.parts.llms import LatentAttention


@dataclass(frozen=True, kw_only=True)
class LatentRule:
    """How a type of model attends over latents."""

    bias: Flag = BIAS
    vectors: Number = 0
    """What it has besides norms of its latents and biases."""
    gate: Number = 0
    """Outputs of the matrix that gates what attention yields."""
    has_query_latent: bool = True
    """Whether queries are made of a latent where the config gives its width."""

    def blocks(self, values: Values, layers: int) -> list[LatentAttention]:
        """The attention of each layer."""
        hidden, heads = values.count("hidden_size"), values.count("num_attention_heads")
        one = LatentAttention(
            hidden_size=hidden,
            num_heads=heads,
            query_rank=values.count_or_none("q_lora_rank") if self.has_query_latent else None,
            latent=values.count("kv_lora_rank"),
            rotated=values.count("qk_rope_head_dim"),
            plain=values.count("qk_nope_head_dim"),
            value=values.count("v_head_dim", hidden // heads),
            bias=flag(values, self.bias),
            extra_vectors=number(values, self.vectors),
            gate_width=number(values, self.gate),
        )
        return [one] * layers


def all_dense(values: Values, layers: int) -> list[bool]:
    """Every layer has an MLP."""
    return [True] * layers


LATENT = LatentRule()
SUM = ("qk_head_dim",)
"""What saved files add: the sum of the two sizes of a query."""
NO_EXPERT_GAPS = (("moe_layer_freq", (None, 1)),)

for name in ("deepseek_v2", "deepseek_v3", "mistral4"):
    sparse(
        name,
        attention=LATENT,
        knows=("moe_layer_freq", "qk_head_dim"),
        must_be=(*NO_EXPERT_GAPS, ("mlp_bias", (None, False))),
        **DEEPSEEK,
    )
sparse("glm4_moe_lite", attention=LATENT, knows=SUM, **{**DEEPSEEK, "dense": named_or_first(default=1)})
sparse(
    "axk1",
    attention=LATENT,
    knows=("moe_layer_freq", "first_k_dense_replace", "qk_head_dim"),
    must_be=NO_EXPERT_GAPS,
    router_vectors=lambda v: v.count("hidden_size"),  # a norm behind the experts
    **{**DEEPSEEK, "dense": named_or_first("first_k_dense_replace", 1)},
)
sparse("minicpm3", attention=LATENT, dense=all_dense, mlp_bias="mlp_bias", knows=SUM)
sparse("youtu", attention=LATENT, dense=all_dense, knows=SUM)
