"""The body of a chat completion: every field read, defaulted or refused; what OpenAI does not know is refused as there.

Fields of the API that this server does not carry out are taken where they change nothing (`"n": 1`, `"tools": []`) and
refused where they would. `ignore_eos`, `min_tokens`, `top_k` and `repetition_penalty` are vLLM's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from planner.base.quantities import shown
from planner.serve.refusal import Refused

STOPS_MAX, STOP_CHARACTERS_MAX = 16, 1000
SEED_MAX = 2**63 - 1
DEPTH_MAX = 10**6  # of top_k


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen."""

    temperature: float = 1.0
    """0: the most probable token."""
    top_p: float = 1.0
    top_k: int = 0
    """0: all tokens."""
    repetition_penalty: float | None = None
    """Divides the logits of tokens that were there before; None: as the model's generation config says."""
    seed: int | None = None


@dataclass(frozen=True)
class ImagePart:
    """An image of a message, not decoded yet."""

    url: str
    where: str
    """The field, for messages."""


Part: TypeAlias = str | ImagePart


@dataclass(frozen=True)
class Message:
    """One turn."""

    role: str
    """system, user or assistant."""
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Chat:
    """What is asked for."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    max_tokens: int | None
    min_tokens: int
    stop: tuple[str, ...]
    ignore_eos: bool
    stream: bool
    include_usage: bool
    """Whether the stream ends in a chunk with the usage."""
    usage_always: bool
    """Whether each chunk has the usage so far (vLLM's `continuous_usage_stats`)."""

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """All images, in the order in which they stand."""
        return tuple(part for message in self.messages for part in message.parts if isinstance(part, ImagePart))


def _absent(value: Any) -> bool:
    return value is None


_UNLESS_CALLED: Callable[[Any], bool] = ("none", "auto").__contains__
"""Of what is to be called, where there is nothing to call."""
NEUTRAL: dict[str, Callable[[Any], bool]] = {
    "n": lambda value: value == 1,
    "logprobs": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
    "presence_penalty": lambda value: value == 0,
    "frequency_penalty": lambda value: value == 0,
    "logit_bias": lambda value: value == {},
    "tools": lambda value: value == [],
    "tool_choice": _UNLESS_CALLED,
    "functions": lambda value: value == [],
    "function_call": _UNLESS_CALLED,
    "response_format": lambda value: value == {"type": "text"},
    "modalities": lambda value: value == ["text"],
    "audio": _absent,
    "prediction": _absent,
    "web_search_options": _absent,
    "best_of": lambda value: value == 1,
    "use_beam_search": lambda value: value is False,
    "min_p": lambda value: value == 0,
    "length_penalty": lambda value: value == 1,
    "skip_special_tokens": lambda value: value is True,
    "add_generation_prompt": lambda value: value is True,
}
"""Field -> whether a value of it leaves the answer as it is. Others are refused; null always passes."""
FREE = frozenset(
    ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
     "parallel_tool_calls", "reasoning_effort", "verbosity", "request_id", "priority")
)  # fmt: skip
"""Fields that say nothing about the answer of this model: any value passes."""
READ = frozenset(
    ("model", "messages", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "max_tokens",
     "max_completion_tokens", "min_tokens", "stop", "ignore_eos", "stream", "stream_options")
)  # fmt: skip


def read_chat(body: Any) -> Chat:
    """A chat completion's body, from JSON. Raises Refused."""
    if not isinstance(body, Mapping):
        raise Refused(f"the body is expected to be a JSON object, got {shown(body)}")
    unknown = [name for name in body if name not in READ | FREE | NEUTRAL.keys()]
    if unknown:
        raise Refused(f"Unrecognized request argument supplied: {shown(unknown[0])}", param=str(unknown[0])[:80])
    for name, passes in NEUTRAL.items():
        value = body.get(name)
        if value is not None and not passes(value):
            raise Refused(
                f"{name}: this server does not carry it out, got {shown(value)}; leave the field out",
                param=name,
                code="unsupported_value",
            )
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refused("you must provide a model parameter: its name, as GET /v1/models lists it", param="model")
    stream = _flag(body, "stream")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, Mapping):
        raise Refused(f"stream_options: expected an object, got {shown(options)}", param="stream_options")
    if options is not None and not stream:
        raise Refused('stream_options goes with "stream": true', param="stream_options")
    max_tokens = _whole(body, "max_tokens", 1)
    completion = _whole(body, "max_completion_tokens", 1)
    if max_tokens is not None and completion is not None and max_tokens != completion:
        raise Refused("max_tokens and max_completion_tokens differ: give one of them", param="max_tokens")
    return Chat(
        model=model,
        messages=_messages(body.get("messages")),
        sampling=Sampling(
            temperature=_number(body, "temperature", 0.0, 2.0, 1.0),
            top_p=_number(body, "top_p", 0.0, 1.0, 1.0),
            top_k=max(_whole(body, "top_k", -1, DEPTH_MAX) or 0, 0),
            repetition_penalty=None
            if body.get("repetition_penalty") is None
            else _number(body, "repetition_penalty", 0.01, 100.0, 1.0),
            seed=_whole(body, "seed", -SEED_MAX, SEED_MAX),
        ),
        max_tokens=max_tokens if completion is None else completion,
        min_tokens=_whole(body, "min_tokens", 0) or 0,
        stop=_stop(body.get("stop")),
        ignore_eos=_flag(body, "ignore_eos"),
        stream=stream,
        include_usage=_flag(options or {}, "include_usage", "stream_options."),
        usage_always=_flag(options or {}, "continuous_usage_stats", "stream_options."),
    )


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise Refused(f"messages: expected a list of at least one message, got {shown(value)}", param="messages")
    read = tuple(_message(entry, f"messages[{place}]") for place, entry in enumerate(value))
    if any(message.role == "system" for message in read[1:]):
        raise Refused("messages: a system message stands first, and only there", param="messages")
    if not any(message.role == "user" for message in read):
        raise Refused("messages: expected a message of the user", param="messages")
    return read


def _message(entry: Any, where: str) -> Message:
    if not isinstance(entry, Mapping):
        raise Refused(f"{where}: expected an object with role and content, got {shown(entry)}", param=where)
    role = entry.get("role")
    role = "system" if role == "developer" else role
    if role not in ("system", "user", "assistant"):
        raise Refused(
            f"{where}.role: expected system, developer, user or assistant, got {shown(role)}", param=f"{where}.role"
        )
    for name in ("tool_calls", "function_call", "tool_call_id", "audio"):
        if entry.get(name):
            raise Refused(f"{where}.{name}: this model calls no tools and hears nothing", param=f"{where}.{name}")
    content = entry.get("content")
    if isinstance(content, str):
        return Message(role, (content,))
    if not isinstance(content, list) or not content:
        raise Refused(
            f"{where}.content: expected a text or a list of parts, got {shown(content)}", param=f"{where}.content"
        )
    return Message(role, tuple(_part(part, role, f"{where}.content[{place}]") for place, part in enumerate(content)))


def _part(part: Any, role: str, where: str) -> Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" or (kind == "refusal" and role == "assistant"):
        text = part.get(kind)
        if not isinstance(text, str):
            raise Refused(f"{where}.{kind}: expected a text, got {shown(text)}", param=where)
        return text
    if kind != "image_url":
        raise Refused(f"{where}.type: expected text or image_url, got {shown(kind)}", param=where)
    if role != "user":
        raise Refused(f"{where}: images stand in messages of the user, not of the {role}", param=where)
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str):
        raise Refused(f"{where}.image_url.url: expected a data URI, got {shown(url)}", param=where)
    detail = image.get("detail") if isinstance(image, Mapping) else None
    if detail not in (None, "auto", "low", "high", "original"):
        raise Refused(f"{where}.image_url.detail: expected auto, low or high, got {shown(detail)}", param=where)
    return ImagePart(url, where)


def _stop(value: Any) -> tuple[str, ...]:
    listed = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
        raise Refused(f"stop: expected a text or a list of texts, none empty, got {shown(value)}", param="stop")
    if len(listed) > STOPS_MAX or any(len(one) > STOP_CHARACTERS_MAX for one in listed):
        raise Refused(f"stop: expected up to {STOPS_MAX} texts of up to {STOP_CHARACTERS_MAX} characters", param="stop")
    return tuple(listed)


def _flag(values: Mapping[str, Any], name: str, where: str = "") -> bool:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise Refused(f"{where}{name}: expected true or false, got {shown(value)}", param=f"{where}{name}")
    return bool(value)


def _whole(values: Mapping[str, Any], name: str, least: int, most: int = 2**31 - 1) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused(f"{name}: expected a whole number from {least} to {most}, got {shown(value)}", param=name)
    return value


def _number(values: Mapping[str, Any], name: str, least: float, most: float, default: float) -> float:
    value = values.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{name}: expected a number, got {shown(value)}", param=name)
    if not least <= value <= most:
        raise Refused(f"{name}: expected a number from {least:g} to {most:g}, got {shown(value)}", param=name)
    return float(value)
