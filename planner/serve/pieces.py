"""Tokens to text, piece by piece: no half characters, and nothing of a stop text or behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_HALF = "\ufffd"
"""How a tokenizer writes bytes that are no character yet."""


class Pieces:
    """The text of one answer as it grows."""

    def __init__(self, tokenizer: Any, stop: Sequence[str]) -> None:
        self.stop = tuple(stop)
        self.stopped = False
        """Whether a stop text came: the answer ends."""
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._begin = self._read = 0  # text of the tokens before _read is out; decoding goes on from _begin
        self._held = ""  # text that may become a stop text

    def add(self, token: int) -> str:
        """The text that is certain once this token is there; empty where it waits for the next."""
        self._tokens.append(token)
        return self._checked(self._decoded(), last=False)

    def end(self) -> str:
        """What was kept back, at the end of the answer."""
        return "" if self.stopped else self._checked(self._decoded(last=True), last=True)

    def _decoded(self, last: bool = False) -> str:
        before = self._text(self._tokens[self._begin : self._read])
        text = self._text(self._tokens[self._begin :])
        if len(text) <= len(before) or (text.endswith(_HALF) and not last):
            return ""
        self._begin, self._read = self._read, len(self._tokens)
        return text[len(before) :]

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def _checked(self, piece: str, last: bool) -> str:
        if not self.stop:
            return piece
        text = self._held + piece
        found = [place for stop in self.stop if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = 0 if last else max(_overlap(text, stop) for stop in self.stop)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of a text with which a stop text begins."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-size:])), 0)
