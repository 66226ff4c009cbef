"""Tokens to text: whole characters, and nothing behind a stop text."""

from __future__ import annotations

import pytest
from vlm.tiny import tokenizer

from planner.serve.pieces import Pieces

TEXT = "naïve — 🙂 done\n"


def test_pieces_are_whole_characters() -> None:
    told = tokenizer()
    pieces = Pieces(told, ())
    said = [pieces.add(token) for token in told(TEXT)["input_ids"]]
    assert "".join(said) + pieces.end() == TEXT
    assert not any("\ufffd" in piece for piece in said)
    assert said[2:4] == ["", "ï"]


def test_half_a_character_at_the_end_is_said_as_the_tokenizer_does() -> None:
    told = tokenizer()
    tokens = told("a🙂")["input_ids"][:-1]
    pieces = Pieces(told, ())
    assert "".join(map(pieces.add, tokens)) + pieces.end() == told.decode(tokens)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (("done",), "naïve — 🙂 "),
        (("🙂", "ve"), "naï"),
        (("none", "doner"), TEXT),
        (("\n\n",), TEXT),
        (("e d", "\n"), "naïve — 🙂 done"),
    ],
)
def test_stop_texts(stop: tuple[str, ...], expected: str) -> None:
    told = tokenizer()
    pieces, said = Pieces(told, stop), ""
    for token in told(TEXT)["input_ids"]:
        said += pieces.add(token)
        assert expected.startswith(said)
        if pieces.stopped:
            break
    assert said + pieces.end() == expected
    assert pieces.stopped == (expected != TEXT)
