"""QueCC against its definition, its parameter formula, its predicted FLOPs and the reference's state dict."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from costs.loose import compressor_flops
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from vlm.literal import quecc as literal_quecc

from planner.parts.catalog import compressor_catalog, vision_catalog
from planner.vlm.baselines import make_compressor
from planner.vlm.quecc import Projector, QueCC, admissible_tokens, by_region, convert_reference_state_dict

TOWERS = {"clip-336": (24, 32, 8, 4), "siglip-384": (27, 36, 4, 3)}
"""Grid side, width (a 32nd of the real one), heads, feature layers."""
CASES = [(tower, tokens) for tower, (grid, *_) in TOWERS.items() for tokens in admissible_tokens(grid)]
TEXT_WIDTH = 40


def inputs(grid: int, width: int, levels: int, images: int = 2) -> tuple[Tensor, list[Tensor], Tensor]:
    torch.manual_seed(1)
    patches = torch.randn(levels + 1, images, grid * grid, width, dtype=torch.float64)
    return patches[0], list(patches[1:]), torch.randn(images, TEXT_WIDTH, dtype=torch.float64)


@pytest.mark.parametrize(
    ("tower", "tokens", "query_aware"),
    [(*case, True) for case in CASES] + [("clip-336", 4, False), ("siglip-384", 9, False)],
)
def test_agrees_with_the_definition_forward_and_backward(tower: str, tokens: int, query_aware: bool) -> None:
    grid, width, heads, levels = TOWERS[tower]
    torch.manual_seed(0)
    text_width = TEXT_WIDTH if query_aware else None
    module = QueCC(
        width=width, grid_side=grid, visual_tokens=tokens, text_width=text_width, levels=levels, heads=heads
    ).double()
    x, multi, text = inputs(grid, width, levels, images=1 if tokens > 30 else 2)
    leaves = [x, *multi, text]
    outputs, gradients = [], []
    for compute in (
        lambda: module(x, multi, text if query_aware else None),
        lambda: literal_quecc(dict(module.named_parameters()), x, multi, text if query_aware else None, tokens, heads),
    ):
        for leaf in leaves:
            leaf.requires_grad_(True)
        output = compute()
        loss = (output * torch.linspace(-1, 1, output.numel(), dtype=torch.float64).view_as(output)).sum()
        wanted = [*module.parameters(), *(leaves if query_aware else leaves[:-1])]
        outputs.append(output)
        gradients.append(torch.autograd.grad(loss, wanted))
    assert outputs[0].shape == (len(x), tokens, width)
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-10, rtol=0)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


@pytest.mark.slow
def test_agrees_with_the_definition_at_full_width() -> None:
    torch.manual_seed(0)
    module = QueCC(width=1024, grid_side=24, visual_tokens=16, text_width=TEXT_WIDTH).double()
    x, multi, text = inputs(24, 1024, 4, images=1)
    literal = literal_quecc(dict(module.named_parameters()), x, multi, text, 16, 8)
    torch.testing.assert_close(module(x, multi, text), literal, atol=1e-6, rtol=0)


@pytest.mark.parametrize("tower", sorted(vision_catalog()))
@pytest.mark.parametrize("name", sorted(compressor_catalog()))
def test_flops_are_those_predicted(tower: str, name: str) -> None:
    vision, spec = vision_catalog()[tower], compressor_catalog()[name]
    width = vision.hidden_size
    for llm_width, tokens in product((896, 3584), spec.visual_tokens(vision)):
        with torch.device("meta"):
            module = make_compressor(
                name, width=width, grid_side=vision.grid_side, visual_tokens=tokens, text_width=llm_width
            )
            projector = Projector(width, llm_width)
            x, text = torch.empty(1, vision.patches, width), torch.empty(1, llm_width)
            with FlopCounterMode(display=False) as counter:
                projector(module(x, [x] * 4, text if module.reads_text else None))
        predicted = float(compressor_flops(spec, vision, llm_width, tokens))  # type: ignore[arg-type]
        assert counter.get_total_flops() == predicted, (llm_width, tokens)


@pytest.mark.parametrize("tokens", admissible_tokens(24))
def test_parameters_follow_the_formula(tokens: int) -> None:
    d, h, k, r = 1024, 3584, 4, int(24 / tokens**0.5)
    with torch.device("meta"):
        compressor = QueCC(width=d, grid_side=24, visual_tokens=tokens, text_width=h, levels=k)
        projector = Projector(d, h)
    expected = (2 * d**2 + 4 * d) + 2 * ((k + 1) * d**2 + 4 * d) + (d * r**2 + d) + (h * d + 3 * d) + (4 * d**2 + 4 * d)
    assert sum(p.numel() for p in compressor.parameters()) == expected
    assert sum(p.numel() for p in projector.parameters()) == d * h + h + h**2 + h


@pytest.mark.parametrize("tokens", admissible_tokens(12))
def test_regions_stand_one_behind_the_other(tokens: int) -> None:
    grid, s = 12, int(tokens**0.5)
    r = grid // s
    place = torch.arange(grid * grid, dtype=torch.float32).view(1, -1, 1)
    ordered = by_region([place, -place], grid, tokens)
    assert ordered.shape == (1, grid * grid, 2) and ordered.is_contiguous()
    for token, region in enumerate(ordered[0, :, 0].view(tokens, r * r).int()):
        rows, columns = region // grid, region % grid
        assert set((rows // r).tolist()) == {token // s} and set((columns // r).tolist()) == {token % s}
    assert (ordered[..., 1] == -ordered[..., 0]).all()


def test_a_query_sees_its_own_region_only() -> None:
    module = QueCC(width=16, grid_side=6, visual_tokens=4, text_width=None, levels=2, heads=2)
    x, levels = torch.randn(1, 36, 16), [torch.randn(1, 36, 16, requires_grad=True) for _ in range(2)]
    module(x, levels)[0, 3].sum().backward()  # the lower right quadrant
    seen = levels[0].grad.abs().sum(-1).view(6, 6) > 0
    assert seen[3:, 3:].all() and not seen[:3].any() and not seen[:, :3].any()


@pytest.mark.parametrize("prefix", ["model.mm_projector.", "mm_projector.", ""])
def test_reference_weights_load_and_give_the_same_tokens(prefix: str) -> None:
    torch.manual_seed(0)
    reference = ReferenceLayout(width=32, text_width=24, llm_width=48, region=4)
    state = {f"{prefix}{name}": value for name, value in reference.state_dict().items()}
    if prefix:
        state["model.layers.0.mlp.weight"] = torch.zeros(1)  # the rest of a model is left alone
    converted = convert_reference_state_dict(state)
    whole = nn.ModuleDict(
        {
            "compressor": QueCC(width=32, grid_side=12, visual_tokens=9, text_width=24),
            "projector": Projector(32, 48),
        }
    )
    whole.load_state_dict(converted, strict=True)
    x, levels, text = torch.randn(2, 144, 32), [torch.randn(2, 144, 32) for _ in range(4)], torch.randn(2, 24)
    ours = whole["projector"](whole["compressor"](x, levels, text))
    torch.testing.assert_close(ours, reference(x, torch.cat(levels, -1), text), atol=2e-6, rtol=0)


def test_reference_compressor_alone_converts() -> None:
    reference = ReferenceLayout(width=32, text_width=24, llm_width=48, region=4)[0]
    converted = convert_reference_state_dict(reference.state_dict())
    module = QueCC(width=32, grid_side=12, visual_tokens=9, text_width=24)
    module.load_state_dict({name.removeprefix("compressor."): value for name, value in converted.items()})


def test_converter_refuses_other_weights() -> None:
    with pytest.raises(ValueError, match="found no 'clip_attn"):
        convert_reference_state_dict({"q_proj.weight": torch.zeros(1)})
    state = ReferenceLayout(width=8, text_width=8, llm_width=8, region=2).state_dict() | {"5.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"called '5\.weight'"):
        convert_reference_state_dict(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"visual_tokens": 5}, "24 x 24 patches gives 1, 4, 9, 16, 36, 64, 144, 576 visual tokens, not 5"),
        ({"visual_tokens": 25}, "not 25"),
        ({"visual_tokens": 0}, "not 0"),
        ({"visual_tokens": -4}, "not -4"),
        ({"heads": 7}, "divide the width 32, got 7"),
        ({"heads": 0}, "divide the width 32, got 0"),
    ],
)
def test_refuses_what_does_not_fit(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QueCC(**{"width": 32, "grid_side": 24, "visual_tokens": 4, "text_width": 8} | options)


def test_text_feature_must_be_there_when_it_is_read_and_only_then() -> None:
    x = torch.randn(1, 16, 8)
    aware = QueCC(width=8, grid_side=4, visual_tokens=4, text_width=6, levels=1)
    blind = QueCC(width=8, grid_side=4, visual_tokens=4, text_width=None, levels=1)
    assert aware.reads_text and not blind.reads_text
    with pytest.raises(ValueError, match="text feature of width 6, got none"):
        aware(x, [x])
    with pytest.raises(ValueError, match=r"text feature none, got \(1, 6\)"):
        blind(x, [x], torch.zeros(1, 6))


class ReferenceLayout(nn.Sequential):
    """The modules of the reference under its names: nn.MultiheadAttention over B x T regions, then the projector."""

    def __init__(self, *, width: int, text_width: int, llm_width: int, region: int) -> None:
        super().__init__(
            _ReferenceCompressor(width, text_width, region),
            nn.Linear(width, llm_width),
            nn.GELU(),
            nn.Linear(llm_width, llm_width),
        )

    def forward(self, x: Tensor, z: Tensor, text: Tensor) -> Tensor:
        return self[3](self[2](self[1](self[0](x, z, text))))


class _ReferenceCompressor(nn.Module):
    def __init__(self, width: int, text_width: int, region: int) -> None:
        super().__init__()

        def mlp(width_in: int) -> nn.Sequential:
            layers = (nn.Linear(width_in, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width, eps=1e-6))
            return nn.Sequential(*layers)

        self.region = region
        self.clip_attn = nn.MultiheadAttention(width, 8, batch_first=True)
        self.q_proj, self.k_proj, self.v_proj = mlp(width), mlp(4 * width), mlp(4 * width)
        self.q_downsample = nn.Conv2d(width, width, region, stride=region, groups=width)
        self.text_projection = nn.Sequential(nn.Linear(text_width, width), nn.LayerNorm(width, eps=1e-6))
        nn.init.normal_(self.clip_attn.in_proj_bias)  # zero as built, which would hide a mistake

    def forward(self, x: Tensor, z: Tensor, text: Tensor) -> Tensor:
        images, patches, width = x.shape
        grid, r = int(patches**0.5), self.region
        queries = (
            self.q_proj(x + self.text_projection(text)[:, None]).transpose(1, 2).reshape(images, width, grid, grid)
        )
        queries = self.q_downsample(queries).flatten(2).transpose(1, 2)
        tokens = queries.shape[1]

        def regions(features: Tensor) -> Tensor:
            blocks = features.transpose(1, 2).reshape(images, width, grid, grid).unfold(2, r, r).unfold(3, r, r)
            return blocks.permute(0, 2, 3, 4, 5, 1).reshape(images * tokens, r * r, width)

        keys, values = regions(self.k_proj(z)), regions(self.v_proj(z))
        return self.clip_attn(queries.reshape(images * tokens, 1, width), keys, values)[0].view(images, tokens, width)
