"""Chat completions as OpenAI's clients see them, against the model's own generate()."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch
from serve.asking import ask, ask_all, chat, message, uri
from vlm.tiny import picture

TURNS = [
    {"role": "system", "content": "be brief"},
    message("what is here?", 1, 2),
    {"role": "assistant", "content": "noise"},
    message("and here?", 3),
]


def alone(parts: tuple[Any, Any], messages: list[dict[str, Any]], count: int = 8) -> tuple[str, int]:
    """What generate() says, and the tokens of the prompt; pictures by their place among those of the turns."""
    model, processor = parts
    seeds = iter((1, 2, 3))
    conversation = []
    for one in messages:
        content = [{"type": "text", "text": one["content"]}] if isinstance(one["content"], str) else one["content"]
        read = [
            {"type": "image", "image": picture(next(seeds))} if part["type"] != "text" else part for part in content
        ]
        conversation.append({"role": one["role"], "content": read})
    inputs = processor.apply_chat_template(
        conversation, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    given = inputs["input_ids"].shape[1]
    with torch.no_grad():
        said = model.generate(**inputs, max_new_tokens=count, do_sample=False)[0, given:]
    return processor.decode(said, skip_special_tokens=True), given


def test_several_images_in_several_turns(app: Any, tiny_parts: tuple[Any, Any]) -> None:
    text, given = alone(tiny_parts, TURNS)
    (reply,) = ask_all(app, [chat("", messages=TURNS)])
    assert reply.status == 200, reply.body
    assert reply.text == text
    assert reply.json["usage"] == {"prompt_tokens": given, "completion_tokens": 8, "total_tokens": given + 8}
    assert reply.json["object"] == "chat.completion"
    assert reply.json["choices"][0]["finish_reason"] == "length"


def test_a_stream_says_the_same_piece_by_piece(app: Any) -> None:
    body = chat("what?", 1)
    whole, streamed, counted = ask_all(
        app,
        [
            body,
            {**body, "stream": True},
            {**body, "stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}},
        ],
    )
    assert streamed.text == counted.text == whole.text
    assert streamed.headers["content-type"].startswith("text/event-stream")
    first, *pieces, end = streamed.events
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(pieces) == 8 and "usage" not in first
    assert end["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}
    assert counted.events[-1]["choices"] == []
    assert counted.events[-1]["usage"] == whole.json["usage"]
    assert [one["usage"]["completion_tokens"] for one in counted.events[1:9]] == list(range(1, 9))
    assert len({one["id"] for one in counted.events}) == 1


def test_a_stop_text_ends_the_answer_before_itself(app: Any) -> None:
    body = chat("what?", 1, max_tokens=24)
    (whole,) = ask_all(app, [body])
    stop = whole.text[3:5]
    cut, streamed = ask_all(app, [{**body, "stop": ["never said", stop]}, {**body, "stop": stop, "stream": True}])
    assert cut.text == streamed.text == whole.text[: whole.text.index(stop)]
    assert cut.json["choices"][0]["finish_reason"] == "stop"
    assert cut.json["usage"]["completion_tokens"] < 24


def test_seeds_repeat_an_answer_whatever_runs_beside_it(app: Any) -> None:
    body = chat("what?", 1, temperature=1.5, top_p=0.9, max_tokens=12)
    (alone_,) = ask_all(app, [{**body, "seed": 5}])
    again, other, *_ = ask_all(app, [{**body, "seed": 5}, {**body, "seed": 6}, chat("beside", 2), body])
    assert again.text == alone_.text
    assert other.text != alone_.text
    (best,) = ask_all(app, [{**body, "top_p": 1e-9}])
    assert best.text == ask_all(app, [{**body, "temperature": 0}])[0].text


def test_ends_of_answers_count_unless_they_are_ignored(serving: Any, tiny_parts: tuple[Any, Any]) -> None:
    with serving() as (app, service):
        (free,) = ask_all(app, [chat("what?", 1, max_tokens=12)])
        told = service.engine._voice
        tokens = tiny_parts[1].tokenizer(free.text[:3], add_special_tokens=False)["input_ids"]
        object.__setattr__(told, "ends", (tokens[-1],))  # as if that byte ended answers
        body = chat("what?", 1, max_tokens=12)
        ended, ignored, later = ask_all(app, [body, {**body, "ignore_eos": True}, {**body, "min_tokens": 5}])
    assert ended.json["choices"][0]["finish_reason"] == "stop"
    assert ended.json["usage"]["completion_tokens"] < 12
    assert ignored.json["usage"]["completion_tokens"] == 12
    assert later.json["usage"]["completion_tokens"] >= 5


def test_models_are_listed_as_openai_lists_them(app: Any) -> None:
    listed = asyncio.run(ask(app, "/v1/models")).json
    (card,) = listed["data"]
    assert (listed["object"], card["id"], card["object"], card["max_model_len"]) == ("list", "tiny", "model", 512)
    assert asyncio.run(ask(app, "/v1/models/tiny")).json == card
    assert asyncio.run(ask(app, "/v1/models/other")).error["code"] == "model_not_found"


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"model": "gpt-5"}, 404, "The model `gpt-5` does not exist"),
    ({"model": None}, 400, "you must provide a model parameter"),
    ({"n": 2}, 400, "n: this server does not carry it out, got 2"),
    ({"logprobs": True}, 400, "logprobs: this server does not carry it out"),
    ({"tools": [{"type": "function"}]}, 400, "tools: this server does not carry it out"),
    ({"response_format": {"type": "json_object"}}, 400, "response_format: this server"),
    ({"colour": 1}, 400, "Unrecognized request argument supplied: 'colour'"),
    ({"max_tokens": 0}, 400, "max_tokens: expected a whole number from 1"),
    ({"max_tokens": 9999}, 400, "max_tokens: this server allows 4096"),
    ({"max_tokens": 511}, 400, "maximum context length is 512 tokens"),
    ({"max_tokens": 4, "max_completion_tokens": 5}, 400, "differ: give one of them"),
    ({"temperature": 10**400}, 400, "temperature: expected a number from 0 to 2"),
    ({"temperature": float("nan")}, 400, "temperature: expected a number from 0 to 2"),
    ({"top_p": "much"}, 400, "top_p: expected a number"),
    ({"stop": [""]}, 400, "stop: expected a text or a list of texts"),
    ({"stream": "yes"}, 400, "stream: expected true or false"),
    ({"stream_options": {"include_usage": True}}, 400, "stream_options goes with"),
    ({"messages": []}, 400, "messages: expected a list of at least one message"),
    ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages[0].role: expected system"),
    ({"messages": [{"role": "user", "content": 5}]}, 400, "messages[0].content: expected a text"),
    ({"messages": [message("x", 1, role="system")]}, 400, "images stand in messages of the user"),
    ({"messages": [message("x" * 600)]}, 400, "this server takes 511"),
    ({"messages": [message("x" * 10**6)]}, 400, "the prompt has at least"),
]


@pytest.mark.parametrize(("change", "status", "complaint"), BAD, ids=lambda value: str(value)[:40])
def test_what_cannot_be_done_is_refused_as_openai_does(
    app: Any, change: dict[str, Any], status: int, complaint: str
) -> None:
    reply = asyncio.run(ask(app, "/v1/chat/completions", chat("what?") | change))
    assert (reply.status, set(reply.error)) == (status, {"message", "type", "param", "code"}), reply.body
    assert complaint in reply.error["message"]
    assert reply.error["type"] == "invalid_request_error"


def test_what_changes_nothing_passes(app: Any) -> None:
    neutral = {"n": 1, "tools": [], "user": "me", "logprobs": False, "presence_penalty": 0, "top_k": -1, "seed": None}
    (reply,) = ask_all(app, [chat("what?", **neutral)])
    assert reply.status == 200


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://example.com/a.png", "this server fetches nothing"),
        ("file:///etc/passwd", "this server fetches nothing"),
        ("/etc/passwd", "expected data:image/png;base64,"),
        ("data:text/plain;base64,AAAA", "expected data:image/png;base64,"),
        ("data:image/png;base64,%%%", "is no base64"),
        ("data:image/png;base64,AAAA", "no image that can be read"),
        (uri(picture(size=(40, 30)))[:-40], "no image that can be read"),
    ],
)
def test_images_that_cannot_be_read(app: Any, url: str, complaint: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "x"}]
    reply = asyncio.run(ask(app, "/v1/chat/completions", chat("", messages=[{"role": "user", "content": content}])))
    assert reply.status == 400, reply.body
    assert complaint in reply.error["message"]
    assert reply.error["param"] == "messages[0].content[0]"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"[" * 100_000, b"\xff", b'{"a":' + b"9" * 5000 + b"}"])
def test_bodies_that_are_no_request(app: Any, body: bytes) -> None:
    assert asyncio.run(ask(app, "/v1/chat/completions", body, method="POST")).status == 400


def test_addresses_and_methods_that_are_not_there(app: Any) -> None:
    assert asyncio.run(ask(app, "/v1/embeddings", {})).status == 404
    assert asyncio.run(ask(app, "/v1/chat/completions")).status == 405
    assert "Unknown request URL" in asyncio.run(ask(app, "/", {})).error["message"]
    form = {"content-type": "text/plain"}
    assert asyncio.run(ask(app, "/v1/chat/completions", chat("x"), headers=form)).status == 415
