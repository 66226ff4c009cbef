"""QueCC written out literally, in float64 with einsum and loops: the definition that the module must agree with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

State = dict[str, Tensor]


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return torch.einsum("...i,oi->...o", x, state[f"{name}.weight"]) + state[f"{name}.bias"]


def layer_norm(state: State, name: str, x: Tensor) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-6) * state[f"{name}.weight"] + state[f"{name}.bias"]


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def mlp(state: State, name: str, x: Tensor) -> Tensor:
    return layer_norm(state, f"{name}.3", linear(state, f"{name}.2", gelu(linear(state, f"{name}.0", x))))


def quecc(state: State, x: Tensor, levels: list[Tensor], text: Tensor | None, tokens: int, heads: int) -> Tensor:
    """Step by step as the paper defines it; `state` holds the module's parameters."""
    images, patches, width = x.shape
    grid = math.isqrt(patches)
    s = math.isqrt(tokens)
    r = grid // s
    if text is not None:
        embedded = layer_norm(state, "text_projection.1", linear(state, "text_projection.0", text))
        x = torch.stack([x[b] + embedded[b] for b in range(images)])
    q = mlp(state, "query_mlp", x)
    z = torch.cat(levels, dim=-1)
    keys, values = mlp(state, "key_mlp", z), mlp(state, "value_mlp", z)
    kernel, bias = state["downsample.weight"], state["downsample.bias"]  # (d, 1, r, r), (d)
    weights = torch.stack([kernel[:, 0, down, right] for down in range(r) for right in range(r)])  # (R, d)
    rows = []
    for b in range(images):
        for i in range(s):
            for j in range(s):
                inside = [(i * r + down) * grid + j * r + right for down in range(r) for right in range(r)]
                query = torch.einsum("rd,rd->d", q[b, inside], weights) + bias
                rows.append(attend(state, query, keys[b, inside], values[b, inside], heads))
    return torch.stack(rows).view(images, tokens, width)


def attend(state: State, query: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """One query (d) over one region (R, d), head by head."""
    q = linear(state, "attention.q_proj", query).view(heads, -1)
    k = linear(state, "attention.k_proj", keys).view(len(keys), heads, -1)
    v = linear(state, "attention.v_proj", values).view(len(values), heads, -1)
    scores = torch.einsum("he,rhe->hr", q, k) / math.sqrt(q.shape[1])
    weights = torch.exp(scores - scores.max(-1, keepdim=True).values)
    weights = weights / weights.sum(-1, keepdim=True)
    return linear(state, "attention.out_proj", torch.einsum("hr,rhe->he", weights, v).flatten())
