"""What users type is text, also where it spells a control token or the placeholder of an image.

A typed token gets a mark behind its first character: U+FDD0, which Unicode keeps from all text. So it no longer matches
when a prompt is searched for placeholders and tokens; the tokens of the mark itself are dropped afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import BatchEncoding

MARK = "\ufdd0"
_PADDING = ("padding", "pad_to_multiple_of", "return_tensors", "return_attention_mask", "padding_side")


def mark(text: str, tokens: Sequence[str]) -> str:
    """The text with every one of these tokens marked as typed."""
    found = [token for token in sorted(tokens, key=len, reverse=True) if token and token in text]
    if not found:
        return text
    return re.sub("|".join(map(re.escape, found)), lambda match: match[0][0] + MARK + match[0][1:], text)


def unmark(text: str) -> str:
    """The text as it was typed."""
    return text.replace(MARK, "")


def mark_messages(messages: Sequence[Mapping[str, Any]], tokens: Sequence[str]) -> list[dict[str, Any]]:
    """A conversation with all of its texts marked."""
    return [{**message, "content": _marked(message["content"], tokens)} if "content" in message else dict(message)
            for message in messages]  # fmt: skip


def control_tokens(tokenizer: Any) -> list[str]:
    """What a tokenizer does not read as text."""
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    return list(dict.fromkeys([*added, *tokenizer.all_special_tokens]))


class TypedTokenizer:
    """A tokenizer that reads marked tokens as text; all else is the tokenizer's own."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, text: str | Sequence[str], **kwargs: Any) -> BatchEncoding:
        """As of any tokenizer.

        Raises:
            ValueError: typed control tokens, for a tokenizer that cannot say where its tokens stand.
        """
        alone = isinstance(text, str)
        texts = [text] if isinstance(text, str) else list(text)
        if not any(MARK in one for one in texts):
            return self._tokenizer(text, **kwargs)
        if not self._tokenizer.is_fast:
            raise ValueError(
                "the text spells a control token of the language model, which this tokenizer cannot read as text: "
                "write it otherwise"
            )
        padding = {name: kwargs.pop(name) for name in _PADDING if name in kwargs}
        tensors, offsets = padding.pop("return_tensors", None), kwargs.pop("return_offsets_mapping", False)
        rows = self._tokenizer(texts, return_offsets_mapping=True, **kwargs)
        kept = [_kept(one, spans) for one, spans in zip(texts, rows["offset_mapping"], strict=True)]
        values = {name: [[row[place] for place in places] for row, places in zip(rows[name], kept, strict=True)]
                  for name in rows}  # fmt: skip
        spans = values.pop("offset_mapping")
        padded = self._tokenizer.pad(values, **{"padding": False, **padding})
        if offsets:
            longest = [len(row) for row in padded["input_ids"]]
            left = padding.get("padding_side", self._tokenizer.padding_side) == "left"
            blank = [[(0, 0)] * (width - len(row)) for width, row in zip(longest, spans, strict=True)]
            padded["offset_mapping"] = [
                fill + row if left else row + fill for fill, row in zip(blank, spans, strict=True)
            ]
        if alone and tensors is None:
            padded = BatchEncoding({name: value[0] for name, value in padded.items()})
        return BatchEncoding(dict(padded), tensor_type=tensors)


def _kept(text: str, spans: Sequence[tuple[int, int]]) -> list[int]:
    """The tokens that are not of a mark. Raises ValueError where a token is of a mark and of text."""
    places = []
    for place, (start, end) in enumerate(spans):
        piece = text[start:end]
        if MARK not in piece:
            places.append(place)
        elif piece.strip(MARK):
            raise ValueError(
                f"the text spells a control token near {unmark(text[max(start - 20, 0) : end + 20])!r}, which this "
                "tokenizer cannot read as text: write it otherwise"
            )
    return places


def _marked(content: Any, tokens: Sequence[str]) -> Any:
    if isinstance(content, str):
        return mark(content, tokens)
    if isinstance(content, (list, tuple)):
        return [
            {**part, "text": mark(part["text"], tokens)}
            if isinstance(part, Mapping) and isinstance(part.get("text"), str)
            else part
            for part in content
        ]
    return content
