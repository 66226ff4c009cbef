"""Prompts as embeddings: the plain language model, given them, answers as the whole model does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM
from vlm.tiny import answers, asked, batch, image, model, pixels, text

ROWS = [text(1, 2, 3) + image() + text(4, 5), text(6) + image() + text(9, 10), text(1, 2)]


@pytest.mark.parametrize("family", ["qwen2", "phi", "gemma2"])
@pytest.mark.parametrize("order", ["image-first", "text-first"])
def test_the_exported_language_model_says_the_same(order: str, family: str, tmp_path: Path) -> None:
    built = model(family, prompt_order=order)
    built.language_model.save_pretrained(tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    inputs = batch(ROWS) | {"pixel_values": pixels(2)}
    if order == "image-first":
        inputs |= asked([[4], [9], [2]])
    expected = answers(built, inputs)
    embeds = built.to_prompt_embeds(inputs)
    assert [tuple(rows.shape) for rows in embeds] == [(len(row), 32) for row in ROWS]
    for rows, said in zip(embeds, expected, strict=True):
        alone = plain.generate(inputs_embeds=rows[None], max_new_tokens=6, min_new_tokens=6, do_sample=False)
        assert torch.equal(alone[0], said)


def test_without_images_or_mask() -> None:
    built = model()
    embeds = built.to_prompt_embeds({"input_ids": torch.tensor([[1, 2], [3, 4]])})
    assert torch.equal(torch.stack(embeds), built.get_input_embeddings()(torch.tensor([[1, 2], [3, 4]])))
    assert not embeds[0].requires_grad
