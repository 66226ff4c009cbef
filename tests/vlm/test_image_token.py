"""The image token lies inside the embedding, wherever it can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AddedToken, AutoTokenizer
from vlm.tiny import VOCABULARY, answers, config, model, picture, tokenizer

from planner.vlm.build import make_processor
from planner.vlm.image_token import reserved_token, with_image_token
from planner.vlm.processing import PlannerVlmProcessor


def full(*names: str) -> Any:
    """A tokenizer whose last ids are these special tokens."""
    made = tokenizer()
    made.add_tokens([AddedToken(name, special=True, normalized=False) for name in names], special_tokens=True)
    return made


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (("<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|other|>"), "<|reserved_special_token_1|>"),
        (("<unused0>", "<file_sep>"), "<unused0>"),
        (("<repo_name>", "<file_sep>", "<|tool|>"), "<file_sep>"),
        (("[control_8]",), "[control_8]"),
        (("<\uff5cplace\u2581holder\u2581no\u25810\uff5c>",), "<\uff5cplace\u2581holder\u2581no\u25810\uff5c>"),
        (("<|im_start|>", "<think>"), None),
    ],
)
def test_a_reserved_token_becomes_the_image_token(names: tuple[str, ...], taken: str | None) -> None:
    made = full(*names)
    rows, place = len(made), made.convert_tokens_to_ids(taken) if taken else len(made)
    assert reserved_token(made, rows) == taken
    seen = with_image_token(made, "<image>", rows)
    assert seen.convert_tokens_to_ids("<image>") == place
    assert len(seen) == rows + (taken is None)
    assert seen("a<image>b")["input_ids"][1] == place
    if taken is not None:
        assert taken not in seen.get_vocab() and len(seen(taken)["input_ids"]) > 1
    assert (seen.eos_token, seen.pad_token) == (made.eos_token, made.pad_token)
    assert seen("what is it?")["input_ids"] == made("what is it?")["input_ids"]


def test_where_the_embedding_has_room_nothing_is_renamed() -> None:
    made = full("<unused0>")
    seen = with_image_token(made, "<image>", len(made) + 1)
    assert seen is made and "<unused0>" in seen.get_vocab() and seen.convert_tokens_to_ids("<image>") == len(made) - 1
    assert with_image_token(seen, "<image>", 7) is seen  # it has one already


def test_a_token_of_the_template_is_not_taken() -> None:
    made = full("<unused0>", "<unused1>")
    made.chat_template = "{{ '<unused1>' }}"
    assert reserved_token(made, len(made)) == "<unused0>"
    assert reserved_token(made, len(made) - 2) is None


def test_a_renamed_token_is_saved(tmp_path: Path) -> None:
    made = full("<unused0>")
    settings = config()
    settings.text_config.vocab_size = len(made)
    processor = PlannerVlmProcessor.from_config(settings, made)
    assert settings.image_token_id == len(made) - 1
    processor.save_pretrained(tmp_path)
    read = AutoTokenizer.from_pretrained(tmp_path)
    assert read.get_vocab() == processor.tokenizer.get_vocab() and len(read) == len(made)


def test_an_embedding_without_a_row_to_spare_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"<|{number}|>" for number in range(VOCABULARY - 258)]
    built = model("llama")
    monkeypatch.setattr("planner.vlm.build.byte_tokenizer", lambda _: full(*names))
    made = make_processor(built)
    assert built.config.image_token_id == made.image_token_id == VOCABULARY
    rows = built.get_input_embeddings().weight
    assert built.config.text_config.vocab_size == len(rows) == 320 and built.get_output_embeddings().weight is rows
    inputs = made(images=picture(), text="<image>\nWhat is it?", return_tensors="pt")
    assert torch.isfinite(built(**inputs).logits).all()
    assert not (answers(built, inputs) == made.image_token_id).any()
