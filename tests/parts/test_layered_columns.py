"""Decoders of unlike blocks costed side by side: equal, to the last digit, to each costed alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pytest

from planner.configuration import Run
from planner.costs.flops import walk_flops
from planner.costs.seconds import Clocks
from planner.costs.stage_time import StageTime
from planner.hardware import find_hardware
from planner.parts.llms import (
    AltUp,
    Block,
    ChannelDelta,
    Experts,
    GatedDelta,
    GroupedAttention,
    HeadedStateSpace,
    ImageLayer,
    IndexedAttention,
    LatentAttention,
    Layer,
    Layered,
    Lightning,
    Linear,
    Llm,
    Mlp,
    PerLayerInputs,
    Selective,
    ShortConvolution,
    stacked,
    stacks,
)
from planner.parts.walk import Kernel, Number, Pass

WIDTHS = (512, 768, 1280)


def blocks(h: int) -> dict[str, Block]:
    """Every block, several of them in more than one way, of a model of width h."""
    heads = {"hidden_size": h, "num_heads": h // 64, "num_kv_heads": 4, "head_dim": 64}
    recurrent: dict[str, Any] = {"hidden_size": h, "kernel": 4}
    experts: dict[str, Any] = {"hidden_size": h, "width": h // 2, "experts": h // 32, "per_token": 3}
    latent: dict[str, Any] = {**heads, "latent": h // 4, "rotated": 32, "plain": 64, "value": 96}
    del latent["num_kv_heads"], latent["head_dim"]
    return {
        "attention": GroupedAttention(**heads, qk_norm=h > 600, gate_width=0 if h < 600 else h),
        "window": GroupedAttention(**heads, window=h / 2),
        "chunks": GroupedAttention(**heads, window=h / 4, chunked=True),
        "values": GroupedAttention(**heads, value_dim=h // 8),
        "borrowed": GroupedAttention(**heads, borrows=True, sees_whole_prompt=True),
        "key is value": GroupedAttention(**heads, key_is_value=True),
        "latent": LatentAttention(**latent, query_rank=None),
        "latent queries": LatentAttention(**latent, query_rank=h // 3, gate_width=h),
        "selected": IndexedAttention(**latent, query_rank=h // 3, selected=h, index_heads=4, index_dim=h // 8),
        "selected before": IndexedAttention(**latent, query_rank=h // 3, selected=h, index_heads=0, index_dim=64),
        "experts": Experts(**experts),
        "narrow experts": Experts(**experts, latent=h // 4, gated=False),
        "shared expert": Experts(**experts, shared_width=h, shared_gate=True, gated=h > 600),
        "all experts": Experts(**experts, router_outputs=7, runs_all=True),
        "mlp": Mlp(hidden_size=h, width=3 * h, gated=h > 600),
        "linear": Linear(steps=((h, 64), (64, h)), rows_per_token=1 + h % 3),
        "convolution": ShortConvolution(**recurrent),
        "fixed decay": Lightning(hidden_size=h, heads=4, head_dim=h // 8, chunk=128),
        "channels": ChannelDelta(**recurrent, heads=h // 64, head_dim=64, gate_rank=64),
        "channels, plain gates": ChannelDelta(**recurrent, heads=4, head_dim=h // 8, gate_rank=None),
        "delta": GatedDelta(**recurrent, key_heads=2, value_heads=4, key_dim=64, value_dim=h // 8),
        "selective": Selective(**recurrent, inner=2 * h, state=16, step_rank=h // 16),
        "headed": HeadedStateSpace(**recurrent, heads=h // 32, head_dim=64, groups=1, state=h // 8, chunk=256),
        "inputs of layers": PerLayerInputs(hidden_size=h, layers=6, width=h // 8, vocab_size=1000),
        "streams": AltUp(hidden_size=h, streams=4),
    }


def model(name: str, h: int, *kinds: tuple[int, str], around: tuple[str, ...] = ()) -> Layered:
    """So many layers each of some blocks, named with spaces between."""
    known = blocks(h)
    layers = tuple(Layer(blocks=tuple(known[one] for one in names.split("+"))) for _, names in kinds)
    order = tuple(place for place, (count, _) in enumerate(kinds) for _ in range(count))
    return Layered(
        name=name,
        family="planted",
        nominal_params=1e9 + h,
        hidden_size=h,
        num_layers=len(order),
        num_heads=h // 64,
        vocab_size=32_000 + h,
        kinds=layers,
        order=order,
        tied_embeddings=h > 600,
        around=tuple(known[one] for one in around),
    )


def models() -> Iterator[Layered]:
    for h in WIDTHS:
        yield model(f"windows {h}", h, (5, "window+mlp"), (1, "attention+mlp"))
        yield model(f"hybrid {h}", h, (h // 256, "delta+experts"), (2, "attention+experts"), around=("linear",))
        yield model(f"latent {h}", h, (1, "latent+mlp"), (3, "latent queries+shared expert"))
        yield model(f"selected {h}", h, (2, "selected+narrow experts"), (h // 256, "selected before+mlp"))
        yield model(f"linear {h}", h, (2, "channels+experts"), (3, "fixed decay+mlp"), (1, "channels, plain gates+mlp"))
        yield model(f"chunks {h}", h, (3, "chunks+all experts"), (1, "attention+all experts"))
        yield model(f"borrowed {h}", h, (4, "key is value+mlp"), (2, "borrowed+mlp"), around=("inputs of layers",))
    yield model("states", 512, (3, "selective+mlp"), (2, "headed"), (4, "convolution+mlp"))
    yield model("values", 768, (3, "values+mlp+linear"))
    yield model("streams", 512, (3, "streams+attention+mlp"))


def times(walk: Iterator[Kernel], precision: str) -> StageTime:
    card = find_hardware("h100-sxm")
    return Clocks.of(card, Run(card, precision)).time(walk)


@dataclass(frozen=True)
class Request:
    """A pass of many models, each with as many tokens as it sees."""

    new_tokens: Number
    cached_tokens: Number
    step: bool = False

    def of(self, members: list[int] | int) -> Pass:
        tokens, cached = (np.asarray(one)[members] for one in (self.new_tokens, self.cached_tokens))
        shape = (-1, 1) if isinstance(members, list) else ()
        batch = np.array([1.0, 16.0]).reshape(-1, 1, 1, 1)
        return Pass(batch, tokens.reshape(shape), cached.reshape(shape), logits=True, step=self.step)


COUNT = len(list(models()))
REQUESTS = {
    "prompt": Request(np.linspace(40, 900, COUNT).round(), np.zeros(COUNT)),
    "behind a cache": Request(np.linspace(900, 40, COUNT).round(), np.linspace(0, 3000, COUNT).round()),
    "step": Request(np.ones(COUNT), np.linspace(30, 4000, COUNT).round() + 0.5, step=True),
}


def numbers(llm: Llm, todo: Pass) -> dict[str, Number]:
    """All that costs read off a language model."""
    gpus = np.array([1.0, 2.0, 8.0]).reshape(-1, 1, 1)
    found: dict[str, Number] = {
        "full": walk_flops(llm.walk(todo)),
        "torch": walk_flops(llm.walk(todo), masked=False),
        "params": llm.params,
        "linear_params": llm.linear_params,
        "activations": llm.activation_values(gpus),
        "kept": sum((one.values_per_token * one.kept(todo.cached_tokens) for one in llm.caches(gpus)), np.zeros(1)),
        "states": sum((one.constant_values for one in llm.caches(gpus)), np.zeros(1)),
    }
    for precision in ("bf16", "fp8", "int4"):
        stage = times(iter(llm.walk(todo, gpus)), precision)
        found |= {f"{precision} {one.name}": getattr(stage, one.name) for one in fields(StageTime)}
    return found


@pytest.mark.parametrize("asked", REQUESTS)
def test_side_by_side_costs_what_each_costs_alone(asked: str) -> None:
    request, llms = REQUESTS[asked], list(models())
    groups = stacks(llms)
    assert len(groups) == 2  # the products of "streams" begin with one that is not quantised
    for members, llm in groups:
        together = numbers(llm, request.of(members))
        for place, member in enumerate(members):
            for name, value in numbers(llms[member], request.of(member)).items():
                shape = (2, 3, len(members), 1)
                own, alone = np.broadcast_to(together[name], shape)[:, :, place], np.broadcast_to(value, (2, 3, 1, 1))
                assert (own == alone[:, :, 0]).all(), (llms[member].name, name)


def test_a_model_may_stand_there_several_times() -> None:
    llms = list(models())[:3]
    again = [llms[place] for place in (2, 0, 0, 1, 2)]
    found = stacked(again)
    assert np.ravel(found.params).tolist() == [llm.params for llm in again]
    assert np.ravel(found.linear_params).tolist() == [llm.linear_params for llm in again]


def test_images_beside_the_sequence_stand_apart() -> None:
    beside = ImageLayer(hidden_size=512, num_heads=8, num_kv_heads=4, head_dim=64, width=1024)
    plain = model("plain", 512, (2, "attention+mlp"))
    layers = (*plain.kinds, Layer(blocks=(beside,)))
    seeing = Layered(**{**vars_of(plain), "name": "seeing", "kinds": layers, "order": (0, 0, 1), "num_layers": 3})
    assert [members for members, _ in stacks([plain, seeing, plain])] == [[0, 2], [1]]


def vars_of(llm: Layered) -> dict[str, Any]:
    return {one.name: getattr(llm, one.name) for one in fields(llm)}


class FromOutside(Mlp):
    """Of a class that does not say that its walk takes columns."""


def test_blocks_that_do_not_take_columns_are_costed_alone() -> None:
    known = model("known", 512, (2, "attention+mlp"))
    layer = Layer(blocks=(FromOutside(hidden_size=512, width=1024),))
    outside = Layered(**{**vars_of(known), "name": "outside", "kinds": (layer,), "order": (0, 0)})
    assert [members for members, _ in stacks([known, outside, known])] == [[0, 2], [1]]
    assert stacked([outside]) is outside
