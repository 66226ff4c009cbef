"""What is sent back, as OpenAI writes it: completions, chunks of a stream, usage."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Answering:
    """The answer to one request."""

    model: str
    prompt_tokens: int
    include_usage: bool = False
    usage_always: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def usage(self, generated_tokens: int) -> dict[str, Any]:
        """Tokens that the model read and wrote; image tokens are among those of the prompt."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": generated_tokens,
            "total_tokens": self.prompt_tokens + generated_tokens,
        }

    def whole(self, text: str, reason: str, generated_tokens: int) -> dict[str, Any]:
        """A chat completion."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage(generated_tokens)}

    def opening(self) -> bytes:
        """The first event of a stream, sent with the first token."""
        return self._chunk({"role": "assistant", "content": ""}, None, 0)

    def piece(self, text: str, generated_tokens: int) -> bytes:
        """The event of a token."""
        return self._chunk({"content": text}, None, generated_tokens)

    def closing(self, reason: str, generated_tokens: int) -> bytes:
        """The last events of a stream."""
        end = self._chunk({}, reason, generated_tokens)
        if self.include_usage:
            end += event({**self._head("chat.completion.chunk"), "choices": [], "usage": self.usage(generated_tokens)})
        return end + DONE

    def _chunk(self, delta: dict[str, str], reason: str | None, generated_tokens: int) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        content = {**self._head("chat.completion.chunk"), "choices": [choice]}
        if self.usage_always:
            content["usage"] = self.usage(generated_tokens)
        elif self.include_usage:
            content["usage"] = None
        return event(content)

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def event(content: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def model_card(name: str, created: int, context: int | None) -> dict[str, Any]:
    """An entry of GET /v1/models; `max_model_len` is vLLM's."""
    card = {"id": name, "object": "model", "created": created, "owned_by": "vlm-planner", "root": name}
    return card | ({} if context is None else {"max_model_len": context})
