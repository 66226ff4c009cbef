"""The compressors that QueCC is compared with."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from vlm.tiny import asked, batch, image, model, pixels, text

import planner.configuration
from planner.vlm.baselines import COMPRESSORS, TokenPacker, make_compressor
from planner.vlm.orders import PROMPT_ORDERS
from planner.vlm.quecc import admissible_tokens
from planner.vlm.table import Table

SIZES = {"width": 16, "grid_side": 6, "levels": 2, "heads": 2}


def patches(images: int = 2) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(images, 36, 16)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_one_interface(name: str) -> None:
    x = patches()
    for tokens in (36,) if name == "none" else admissible_tokens(6):
        module = make_compressor(name, visual_tokens=tokens, text_width=8, **SIZES)
        text = torch.randn(2, 8) if module.reads_text else None
        levels = [x, x] if module.reads_levels else []
        assert module(x, levels, text).shape == (2, tokens, 16)
        assert module.reads_text == (name == "quecc")


@pytest.mark.parametrize("name", ["average-pool", "matryoshka"])
def test_average_pooling_is_that_of_torch(name: str) -> None:
    x = patches()
    for tokens in admissible_tokens(6):
        s = int(tokens**0.5)
        expected = functional.adaptive_avg_pool2d(x.transpose(1, 2).reshape(2, 16, 6, 6), s).flatten(2).transpose(1, 2)
        torch.testing.assert_close(make_compressor(name, visual_tokens=tokens, **SIZES)(x), expected)


def test_matryoshka_serves_every_size_and_the_others_their_own() -> None:
    x = patches()
    one = make_compressor("matryoshka", visual_tokens=36, **SIZES)
    for tokens in admissible_tokens(6):
        expected = make_compressor("average-pool", visual_tokens=tokens, **SIZES)(x)
        assert torch.equal(one(x, visual_tokens=tokens), expected)
    with pytest.raises(ValueError, match="1, 4, 9, 36 visual tokens, not 5"):
        one(x, visual_tokens=5)
    with pytest.raises(ValueError, match="built for 4 visual tokens, got 9"):
        make_compressor("average-pool", visual_tokens=4, **SIZES)(x, visual_tokens=9)


def test_matryoshka_nests() -> None:
    one, x = make_compressor("matryoshka", visual_tokens=36, **SIZES), patches()
    torch.testing.assert_close(one(x, visual_tokens=9).mean(1), one(x, visual_tokens=1)[:, 0])


def test_without_a_compressor_every_patch_is_a_token() -> None:
    x = patches()
    assert make_compressor("none", visual_tokens=36, **SIZES)(x) is x
    with pytest.raises(ValueError, match="all 36 patches are visual tokens, got 4"):
        make_compressor("none", visual_tokens=4, **SIZES)


def test_tokenpacker_attends_within_regions_and_asks_with_interpolated_patches() -> None:
    x = patches(1)
    module = TokenPacker(width=16, grid_side=6, visual_tokens=9, levels=1, heads=2)
    level = patches(1).requires_grad_(True)
    module(x, [level])[0, 0].sum().backward()
    seen = level.grad.abs().sum(-1).view(6, 6) > 0
    assert seen[:2, :2].all() and seen.sum() == 4
    # halving a grid bilinearly is averaging 2 x 2 patches
    asked = []
    module.query_layer.register_forward_pre_hook(lambda _, arguments: asked.append(arguments[0]))
    module(x, [level])
    torch.testing.assert_close(asked[0], make_compressor("average-pool", visual_tokens=9, **SIZES)(x))


def test_tokenpacker_keeps_the_dtype() -> None:
    x = patches().bfloat16()
    module = TokenPacker(width=16, grid_side=6, visual_tokens=4, levels=1, heads=2).bfloat16()
    assert module(x, [x]).dtype == torch.bfloat16


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"^compressor: expected one of quecc, .*, none, got 'resampler'$"):
        make_compressor("resampler", visual_tokens=4, **SIZES)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_the_name_of_a_compressor_decides_nothing(name: str) -> None:
    COMPRESSORS.register("another", COMPRESSORS.find(name))
    try:
        options = {"visual_tokens": 36 if name == "none" else 4}
        first, second = (model(compressor=called, **options) for called in (name, "another"))
        given = batch([text(1, 2, 3) + image(options["visual_tokens"]) + text(4, 5)]) | {"pixel_values": pixels(1)}
        if first.config.asks_beside_the_prompt:
            given |= asked([[4, 5]])
        assert first.config.layers_read == second.config.layers_read
        assert torch.equal(first(**given).logits, second(**given).logits)
    finally:
        COMPRESSORS.remove("another")


def test_a_table_is_open_and_keeps_what_it_has() -> None:
    table: Table[object] = Table("fruit")
    apple = table.register("apple", object())
    assert table.register("apple", apple) is table.find("apple") is table["apple"] is apple
    assert (list(table), len(table), "pear" in table) == (["apple"], 1, False)
    with pytest.raises(ValueError, match=r"^fruit: there is another 'apple' already; choose another name$"):
        table.register("apple", object())
    with pytest.raises(ValueError, match=r"^fruit: expected one of apple, got 'appel'; did you mean 'apple'\?$"):
        table.find("appel")
    with pytest.raises(ValueError, match=r"^fruit: expected one of apple, got None$"):
        table.find(None)
    table.remove("apple")
    assert list(table) == []


def test_prompt_orders_are_the_planners() -> None:
    assert tuple(PROMPT_ORDERS) == planner.configuration.PROMPT_ORDERS
