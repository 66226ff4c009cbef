"""Where the image token comes from: an id that the language model's embedding has.

Serving engines look every id of a prompt up, the image token's as well, although the visual tokens then take its place:
an id behind the embedding ends in a crash there. A vocabulary that is as long as the embedding has no room for another
token, but most have some that no text contains, which their makers keep for such use; one of them is renamed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import AddedToken, AutoTokenizer

_KEPT = re.compile(
    r"\W*(reserved\w*|unused\w*|place.?holder[\w▁]*|dummy\w*|extra_\w+|control_\d+|special_\d+)\W*", re.IGNORECASE
)
"""As Llama ("<|reserved_special_token_7|>"), Gemma ("<unused7>"), Phi, Mistral, DeepSeek and others name them."""
_OF_CODE = re.compile(r"<\|?(file_sep|filename|gh_stars|jupyter_\w+|issue_\w+|repo_?name|empty_output)\|?>")
"""What separates the files of training on code, in vocabularies that keep none; no conversation contains it."""


def with_image_token(tokenizer: Any, image_token: str, rows: int) -> Any:
    """The tokenizer with an image token, whose id lies inside an embedding of so many rows wherever it can.

    Args:
        tokenizer: the language model's; it gets the token, unless one of its tokens has to be renamed.
        image_token: how it is written in prompts.
        rows: of the embedding.

    Returns:
        The same tokenizer, or one that was read anew with the token in place of a reserved one.
    """
    known = tokenizer.get_vocab()
    if image_token in known:
        return tokenizer
    if len(tokenizer) >= rows and (kept := reserved_token(tokenizer, rows)) is not None:
        renamed = _renamed(tokenizer, kept, image_token)
        if renamed is not None:
            return renamed
    tokenizer.add_tokens([AddedToken(image_token, special=True, normalized=False)], special_tokens=True)
    return tokenizer


def reserved_token(tokenizer: Any, rows: int) -> str | None:
    """A token of the vocabulary that no text contains, inside an embedding of so many rows; the last of several."""
    roles = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token}
    template = str(tokenizer.chat_template or "")
    free = [
        token.content
        for place, token in sorted(tokenizer.added_tokens_decoder.items())
        if place < rows and token.content not in roles and token.content not in template
    ]
    for kind in (_KEPT, _OF_CODE):
        fitting = [content for content in free if kind.fullmatch(content)]
        if fitting:
            return fitting[-1]
    return None


def _renamed(tokenizer: Any, old: str, new: str) -> Any | None:
    """The tokenizer read anew with one token renamed; None where it has no file that says its tokens."""
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        tokens = Path(folder) / "tokenizer.json"
        if not tokens.is_file():
            return None
        content = json.loads(tokens.read_text(encoding="utf-8"))
        for added in content["added_tokens"]:
            if added["content"] == old:
                added |= {"content": new, "special": True, "normalized": False}
        vocabulary = content["model"].get("vocab")
        if isinstance(vocabulary, dict) and old in vocabulary:
            vocabulary[new] = vocabulary.pop(old)
        elif isinstance(vocabulary, list):
            content["model"]["vocab"] = [[new if piece == old else piece, *rest] for piece, *rest in vocabulary]
        tokens.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        for name in ("tokenizer_config.json", "special_tokens_map.json"):
            file = Path(folder) / name
            if file.is_file():
                said = _replaced(json.loads(file.read_text(encoding="utf-8")), old, new)
                file.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
        read = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    read.name_or_path = tokenizer.name_or_path
    read.init_kwargs["name_or_path"] = tokenizer.name_or_path
    return read


def _replaced(said: Any, old: str, new: str) -> Any:
    if isinstance(said, dict):
        return {name: _replaced(value, old, new) for name, value in said.items()}
    if isinstance(said, list):
        return [_replaced(value, old, new) for value in said]
    return new if said == old else said
