"""The regional attention's two ways give the same, the cheaper runs, and nothing that replaces a layer is passed by."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import FlopCounterMode

from planner.vlm.attention import RegionAttention, absorbing_pays, is_plain
from planner.vlm.baselines import make_compressor
from planner.vlm.quecc import QueCC, RegionConv2d, admissible_tokens

WIDTH, HEADS, PATCHES = 32, 4, 36


def attention(dtype: torch.dtype = torch.float64) -> RegionAttention:
    torch.manual_seed(0)
    made = RegionAttention(WIDTH, HEADS)
    with torch.no_grad():
        for layer in (made.q_proj, made.k_proj):
            layer.weight.mul_(4)  # scores far enough apart that the softmax is no mean
            nn.init.normal_(layer.bias)
    return made.to(dtype)


def inputs(tokens: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    return tuple(torch.randn(2, count, WIDTH, dtype=dtype) for count in (tokens, PATCHES, PATCHES))  # type: ignore[return-value]


def way(module: RegionAttention, tokens: int) -> str:
    """Which way a call takes."""
    taken: list[str] = []
    for name in ("_projected", "_absorbed"):
        own = getattr(module, name)
        setattr(module, name, lambda *given, name=name, own=own: taken.append(name[1:]) or own(*given))
    module(*inputs(tokens, module.out_proj.weight.dtype))
    for name in ("_projected", "_absorbed"):
        delattr(module, name)
    assert len(taken) == 1
    return taken[0]


@pytest.mark.parametrize("tokens", [1, 4, 9, 36])
def test_both_ways_give_the_same_forward_and_backward(tokens: int) -> None:
    module, given = attention(), [part.requires_grad_() for part in inputs(tokens)]
    wanted = [*given, *module.q_proj.parameters(), *module.k_proj.parameters(), *module.v_proj.parameters()]
    up = torch.randn(2, tokens, WIDTH, dtype=torch.float64)
    found = []
    for attend in (module._projected, module._absorbed):
        output = attend(module.q_proj(given[0]), *given[1:])
        found.append([output, *torch.autograd.grad(output, wanted, up)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("tokens", [1, 4, 9])
def test_bf16_is_near_the_truth_either_way(tokens: int) -> None:
    module = attention(torch.bfloat16)
    given = inputs(tokens, torch.bfloat16)
    exact = copy.deepcopy(module).double()
    truth = exact._projected(exact.q_proj(given[0].double()), *(part.double() for part in given[1:]))
    for attend in (module._projected, module._absorbed):
        output = attend(module.q_proj(given[0]), *given[1:])
        assert output.dtype == torch.bfloat16
        assert (output.double() - truth).std() < 0.02 * truth.std()  # 8 bits of mantissa: steps of 0.004


@pytest.mark.parametrize(("grid", "width", "heads"), [(24, 1024, 8), (27, 1152, 8), (14, 768, 8), (7, 768, 12)])
def test_absorbing_pays_wherever_a_region_has_several_patches(grid: int, width: int, heads: int) -> None:
    *fewer, all_of_them = admissible_tokens(grid)
    sizes = {"width": width, "heads": heads, "patches": grid * grid}
    assert all(absorbing_pays(tokens=tokens, **sizes) for tokens in fewer)
    assert not absorbing_pays(tokens=all_of_them, **sizes)
    assert not absorbing_pays(tokens=1, width=width, heads=width, patches=grid * grid)  # heads one number wide


def test_the_cheaper_way_runs() -> None:
    assert [way(attention(), tokens) for tokens in (1, 4, 9, 36)] == ["absorbed"] * 3 + ["projected"]


# ---- layers that are more than W x + b ---------------------------------------------------------------------------


class Doubled(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


def doubled(module: RegionAttention, name: str) -> None:
    linear = Doubled(WIDTH, WIDTH).double()
    linear.load_state_dict(getattr(module, name).state_dict())
    setattr(module, name, linear)


def hooked(module: RegionAttention, name: str) -> None:
    getattr(module, name).register_forward_hook(lambda _, __, output: 2 * output)


def pre_hooked(module: RegionAttention, name: str) -> None:
    getattr(module, name).register_forward_pre_hook(lambda _, given: (2 * given[0],))


def parametrized(module: RegionAttention, name: str) -> None:
    linear = parametrizations.weight_norm(getattr(module, name))
    with torch.no_grad():
        linear.parametrizations.weight.original0.mul_(2)


def placed(module: RegionAttention, name: str) -> None:
    """As accelerate keeps weights elsewhere until they are called: here on the meta device."""
    linear = getattr(module, name)
    elsewhere = {key: 2 * value.detach() for key, value in linear.named_parameters()}
    add_hook_to_module(linear, AlignDevicesHook(execution_device="cpu", offload=True, weights_map=elsewhere))


def adapted(module: RegionAttention, name: str) -> None:
    inject_adapter_in_model(LoraConfig(r=4, target_modules=[name], init_lora_weights=False), module)


def without_bias(module: RegionAttention, name: str) -> None:
    getattr(module, name).bias = None


CHANGES = [doubled, hooked, pre_hooked, parametrized, placed, adapted, without_bias]


@pytest.mark.parametrize("name", ["k_proj", "v_proj"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_layer_is_called(change: Callable[[RegionAttention, str], None], name: str) -> None:
    module = attention()
    plain = module(*inputs(4))
    change(module, name)
    module.double()
    assert not is_plain(getattr(module, name))
    assert way(module, 4) == "projected"
    queries, keys, values = inputs(4)
    changed = module(queries, keys, values)
    shows = not (change is without_bias and name == "k_proj")  # a key's bias moves no softmax
    assert bool((changed - plain).abs().max() > 1e-3) is shows
    # with what the layers say written into plain ones, the absorbed way gives the same
    twin, rest = attention(), torch.eye(WIDTH, dtype=torch.float64)
    layer: Any = getattr(module, name)
    with torch.no_grad():
        bias = layer(torch.zeros(1, WIDTH, dtype=torch.float64))[0]
        getattr(twin, name).weight.copy_((layer(rest) - bias).T)
        getattr(twin, name).bias.copy_(bias)
    assert way(twin, 4) == "absorbed"
    torch.testing.assert_close(twin(queries, keys, values), changed, atol=1e-10, rtol=1e-10)


def test_backward_hooks_are_called() -> None:
    module, seen = attention(), []
    module.k_proj.register_full_backward_hook(lambda *_: seen.append("k"))
    module(*(part.requires_grad_() for part in inputs(4))).sum().backward()
    assert seen == ["k"]


def test_a_weight_that_is_no_plain_tensor_is_left_to_its_layer() -> None:
    class Packed(Tensor):
        def __tensor_flatten__(self) -> tuple[list[str], None]:
            return [], None

    module = attention()
    assert is_plain(module.k_proj)
    module.k_proj.weight = nn.Parameter(module.k_proj.weight.detach().as_subclass(Packed))
    assert not is_plain(module.k_proj)


# ---- in a graph, under autocast, without data --------------------------------------------------------------------


@pytest.mark.parametrize("hook", [False, True])
def test_compiles_as_one_graph_with_its_gradients(hook: bool) -> None:
    torch.manual_seed(0)
    built = QueCC(width=WIDTH, grid_side=6, visual_tokens=4, text_width=8, levels=2, heads=HEADS)
    if hook:
        hooked(built.attention, "v_proj")
    x, text = torch.randn(2, PATCHES, WIDTH), torch.randn(2, 8)
    torch._dynamo.reset()
    compiled = torch.compile(built, fullgraph=True, backend="aot_eager")
    found = []
    for call in (built, compiled):
        output = call(x, [x, -x], text)
        found.append([output, *torch.autograd.grad(output.square().sum(), list(built.parameters()))])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["quecc", "tokenpacker"])
def test_autocast_computes_in_bf16(name: str) -> None:
    built = make_compressor(name, width=WIDTH, grid_side=6, visual_tokens=4, text_width=8, levels=1, heads=HEADS)
    x, text = torch.randn(2, PATCHES, WIDTH), torch.randn(2, 8)
    given = (x, [x], text if built.reads_text else None)
    with torch.autocast("cpu", torch.bfloat16):
        half = built(*given)
    assert half.dtype == torch.bfloat16
    whole = built(*given)
    assert 0 < (half.float() - whole).std() < 0.05 * whole.std()
    half.float().sum().backward()
    assert all(weight.grad is not None and weight.grad.dtype == torch.float32 for weight in built.parameters())


def test_fake_tensors_take_the_same_way() -> None:
    with FakeTensorMode(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        RegionAttention(WIDTH, HEADS)(*(torch.empty(1, count, WIDTH) for count in (4, PATCHES, PATCHES)))
    assert counter.get_total_flops() == 4 * 4 * WIDTH**2 + 4 * (4 * WIDTH**2 + PATCHES * HEADS * WIDTH)


# ---- the queries' convolution ------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, 2, 3, 6])
def test_the_weighted_sum_is_the_depth_wise_convolution(side: int) -> None:
    torch.manual_seed(0)
    ours = RegionConv2d(WIDTH, side).double()
    theirs = nn.Conv2d(WIDTH, WIDTH, side, stride=side, groups=WIDTH).double()
    theirs.load_state_dict(ours.state_dict())
    grid = torch.randn(2, WIDTH, 6, 6, dtype=torch.float64, requires_grad=True)
    found = []
    for module in (ours, theirs):
        output = module(grid)
        assert output.shape == (2, WIDTH, 6 // side, 6 // side)
        found.append([output, *torch.autograd.grad(output.sin().sum(), [grid, *module.parameters()])])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)
