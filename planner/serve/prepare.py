"""From a chat to the model's inputs: images decoded, the template filled in, lengths checked. Off the event loop."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from planner.serve.chat import Chat, ImagePart
from planner.serve.images import decoded
from planner.serve.refusal import Refused, failed
from planner.serve.settings import Settings


@dataclass(frozen=True)
class Prepared:
    """What the model is given, and how long the answer may be."""

    chat: Chat
    inputs: Mapping[str, Any]
    """Of the model, one row, not padded."""
    prompt_tokens: int
    """Image tokens among them."""
    max_tokens: int


class Preparer:
    """A model's processor and the limits of a prompt. One call at a time: tokenizers are not made for threads."""

    def __init__(self, processor: Any, config: Any, settings: Settings) -> None:
        self._processor, self._config, self._settings = copy(processor), config, settings
        self._processor.max_positions = None  # the limit below is lower, and its refusal is OpenAI's
        self.context: int | None = getattr(config.text_config, "max_position_embeddings", None)
        limits = [one for one in (settings.max_prompt_tokens, self.context and self.context - 1) if one]
        self._prompt_max = min(limits, default=None)
        self._longest = max(map(len, processor.tokenizer.get_vocab()))  # characters of a token, at most

    def __call__(self, chat: Chat) -> Prepared:
        """The inputs of a chat. Raises Refused."""
        if len(chat.images) > self._settings.max_images:
            raise Refused(
                f"at most {self._settings.max_images} images per request, got {len(chat.images)}", param="messages"
            )
        characters = sum(len(part) for one in chat.messages for part in one.parts if isinstance(part, str))
        if self._prompt_max is not None and characters > self._prompt_max * self._longest:
            raise _too_long(self._prompt_max, f"at least {characters // self._longest}")
        inputs = self._inputs(chat)
        ids = inputs["input_ids"]
        places = int((ids == self._config.image_token_id).sum())
        if places != len(chat.images) * self._config.visual_tokens:
            raise Refused(
                f"messages: the text holds {self._processor.image_token}, which stands for an image; send images as "
                "image_url and leave it out",
                param="messages",
            )
        count = int(ids.shape[1])
        if self._prompt_max is not None and count > self._prompt_max:
            raise _too_long(self._prompt_max, str(count))
        return Prepared(chat, inputs, count, self._answer_max(chat, count))

    def _answer_max(self, chat: Chat, prompt_tokens: int) -> int:
        most = self._settings.max_tokens
        if chat.max_tokens is not None and chat.max_tokens > most:
            raise Refused(f"max_tokens: this server allows {most}, got {chat.max_tokens}", param="max_tokens")
        if self.context is None:
            return chat.max_tokens or most
        left = self.context - prompt_tokens
        if chat.max_tokens is not None and chat.max_tokens > left:
            raise Refused(
                f"This model's maximum context length is {self.context} tokens. However, you requested "
                f"{prompt_tokens + chat.max_tokens} tokens ({prompt_tokens} in the messages, {chat.max_tokens} in the "
                "completion). Please reduce the length of the messages or completion.",
                param="messages",
                code="context_length_exceeded",
            )
        return min(chat.max_tokens or most, left)

    def _inputs(self, chat: Chat) -> Any:
        conversation = [
            {
                "role": message.role,
                "content": [
                    {"type": "image", "image": decoded(part, self._settings)}
                    if isinstance(part, ImagePart)
                    else {"type": "text", "text": part}
                    for part in message.parts
                ],
            }
            for message in chat.messages
        ]
        try:
            return self._processor.apply_chat_template(
                conversation, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
            )
        except (TemplateError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise Refused(f"messages: the model's chat template refuses them: {reason}", param="messages") from None
        except Exception as error:
            raise failed(error) from error


def _too_long(most: int, came: str) -> Refused:
    return Refused(
        f"the prompt has {came} tokens, images included; this server takes {most}",
        param="messages",
        code="context_length_exceeded",
    )
