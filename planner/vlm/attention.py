"""Attention of each query to the patches of its own region, in the cheaper of two ways that give the same sums.

    project   k_p = W_k x_p + b_k and v_p = W_v z_p + b_v of all P patches, then one fused attention
    absorb    q_h . k_p = (W_k,h^T q_h) . x_p + q_h . b_k   and   sum_p a_p v_p,h = W_v,h (sum_p a_p z_p) + b_v,h

Absorbed (arXiv 2405.04434 does the same to a key/value cache), the two matrices meet the T queries instead of the P
patches, and scores and sums are over d numbers for each head instead of d / h:

    multiply-adds   project  2 P d^2 + 2 P d        absorb  2 T d^2 + 2 P h d

Letters as in `quecc`; x_p and z_p are what the keys and values of patch p are projected from, a_p its weight.
"""

from __future__ import annotations

from torch import Tensor, baddbmm, nn
from torch.nn import functional


class RegionAttention(nn.Module):
    """Multi-head attention of (B, T, d) queries, regions as batch."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"expected attention heads that divide the width {width}, got {heads}")
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Queries (B, T, d), keys and values (B, P, d) in the order of `by_region` -> (B, T, d)."""
        tokens, width = queries.shape[1:]
        pays = absorbing_pays(width=width, heads=self.heads, tokens=tokens, patches=keys.shape[1])
        attend = self._absorbed if pays and is_plain(self.k_proj) and is_plain(self.v_proj) else self._projected
        return self.out_proj(attend(self.q_proj(queries), keys, values))

    def _projected(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        batch, tokens, width = queries.shape
        heads = (self.heads, width // self.heads)
        # (B, T, d) -> (B T, 1, h, d/h) -> (B T, h, 1, d/h), and (B, P, d) -> (B T, R, h, d/h) -> (B T, h, R, d/h)
        q = queries.reshape(batch * tokens, 1, *heads).transpose(1, 2)
        k = self.k_proj(keys).view(batch * tokens, -1, *heads).transpose(1, 2)
        v = self.v_proj(values).view(batch * tokens, -1, *heads).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(q, k, v)  # (B T, h, 1, d/h)
        return mixed.reshape(batch, tokens, width)

    def _absorbed(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        batch, tokens, width = queries.shape
        heads = (self.heads, width // self.heads)
        q = queries.reshape(batch * tokens, *heads).transpose(0, 1) * heads[1] ** -0.5  # (h, B T, d/h)
        k, v = (part.view(batch * tokens, -1, width) for part in (keys, values))  # (B T, R, d)
        asked = (q @ self.k_proj.weight.view(*heads, width)).transpose(0, 1)  # (B T, h, d)
        # the same for all patches, so that the softmax drops it; in training the bias wants its gradient of zero
        shift = (q * self.k_proj.bias.view(self.heads, 1, -1)).sum(-1).t()[..., None]  # (B T, h, 1)
        weights = baddbmm(shift, asked, k.transpose(1, 2)).softmax(-1)  # (B T, h, R)
        mixed = (weights @ v).transpose(0, 1)  # (h, B T, d)
        heard = mixed @ self.v_proj.weight.view(*heads, width).transpose(1, 2)  # (h, B T, d/h)
        return heard.transpose(0, 1).reshape(batch, tokens, width) + self.v_proj.bias


def absorbing_pays(*, width: int, heads: int, tokens: int, patches: int) -> bool:
    """Whether the absorbed way takes fewer multiply-adds; `planner.costs.flops` counts by the same rule."""
    return tokens * width + patches * heads < patches * (width + 1)


def is_plain(linear: nn.Module) -> bool:
    """Whether a layer is W x + b and nothing else, so that W and b may be used without calling it.

    It is not where LoRA, a quantiser or a parametrization has replaced it, where its weight is a tensor subclass
    (quantised, sharded), or where hooks wait for its call.
    """
    hooks = (
        linear._forward_hooks,
        linear._forward_pre_hooks,
        linear._backward_hooks,
        linear._backward_pre_hooks,
    )
    return (
        type(linear) is nn.Linear
        and linear.bias is not None
        and not any(hooks)
        and "forward" not in linear.__dict__  # accelerate's hooks put a function there
        and not hasattr(linear.weight, "__tensor_flatten__")
    )
