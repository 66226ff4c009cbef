"""What is too large, too long, too much or from elsewhere is refused before it costs anything."""

from __future__ import annotations

import asyncio
import base64
import re
import struct
import time
import zlib
from typing import Any

import pytest
from serve.asking import ask, ask_all, chat, message, uri
from vlm.tiny import picture

from planner.base.errors import InputError
from planner.serve.guard import Guard
from planner.serve.metrics import Metrics
from planner.serve.settings import Settings


def bomb(side: int) -> str:
    """A PNG of so many pixels along each side, without any."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return "data:image/png;base64," + base64.b64encode(file + chunk(b"IDAT", b"") + chunk(b"IEND", b"")).decode()


@pytest.mark.parametrize("side", [5_000, 13_000, 2**31 - 1])
def test_pixels_are_counted_before_they_are_decoded(app: Any, side: int) -> None:
    content = [{"type": "image_url", "image_url": {"url": bomb(side)}}, {"type": "text", "text": "x"}]
    reply = asyncio.run(ask(app, "/v1/chat/completions", chat("", messages=[{"role": "user", "content": content}])))
    assert (reply.status, reply.error["code"]) == (400, "image_too_large")
    assert "an image of more than 16777216 pixels" in reply.error["message"]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_formats_that_are_read(app: Any, form: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": uri(picture(), form)}}, {"type": "text", "text": "x"}]
    (reply,) = ask_all(app, [chat("", messages=[{"role": "user", "content": content}], max_tokens=1)])
    assert reply.status == 200, reply.body


def test_sizes_of_a_request(serving: Any) -> None:
    with serving(max_body_bytes=20_000, max_images=2, max_prompt_tokens=60) as (app, _):
        large, many, long, claimed = (
            asyncio.run(ask(app, "/v1/chat/completions", body, **options))
            for body, options in (
                (chat("x" * 30_000), {}),
                (chat("x", 1, 2, 3), {}),
                (chat("x" * 60), {}),
                (chat("x"), {"headers": {"content-length": "9" * 30}}),
            )
        )
    assert (large.status, claimed.status) == (413, 413)
    assert (many.status, many.error["message"]) == (400, "at most 2 images per request, got 3")
    assert (long.status, long.error["code"]) == (400, "context_length_exceeded")


def test_a_full_queue_says_when_to_come_back(serving: Any) -> None:
    with serving(max_batch=1, max_queue=1) as (app, service):
        replies = ask_all(app, [chat("what?", 1, max_tokens=60, ignore_eos=True)] * 6)
        text = service.metrics.text(service.engine.running, service.waiting)
    assert sorted(reply.status for reply in replies) == [200, 200, 429, 429, 429, 429]
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.error["code"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) >= 1
    assert 'vlm_planner:requests_refused_total{model_name="tiny",status="429"} 4' in text


def test_a_request_that_takes_too_long_is_ended(serving: Any) -> None:
    with serving(timeout_s=0.3, max_batch=1) as (app, service):
        body = chat("what?", 1, max_tokens=450, ignore_eos=True)
        whole, waiting, streamed = ask_all(app, [body, body, {**body, "stream": True}])
        until = time.monotonic() + 5
        while service.engine.running and time.monotonic() < until:  # the client is told first
            time.sleep(0.01)
        assert service.engine.running == 0
    assert (whole.status, waiting.status) == (408, 408)
    assert whole.error["code"] == "timeout"
    assert whole.headers["x-should-retry"] == "false"
    assert streamed.status == 408 or streamed.events[-1]["error"]["code"] == "timeout"


def test_settings_have_ranges() -> None:
    for name, value in (
        ("max_batch", 0),
        ("max_batch", True),
        ("max_pixels", 10**9),
        ("timeout_s", 0),
        ("grace_s", "x"),
    ):
        with pytest.raises(InputError, match=f"^{name}: expected"):
            Settings(**{name: value})  # type: ignore[arg-type]


# ---- who may ask -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1@evil.example", "10.0.0.1", "", "a:b"])
def test_another_host_is_refused(app: Any, host: str) -> None:
    reply = asyncio.run(ask(app, "/v1/models", headers={"host": host}))
    assert reply.status == 421
    assert "ask it as http://127.0.0.1" in reply.error["message"]


@pytest.mark.parametrize(
    "header",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_pages_of_other_sites_are_refused(app: Any, header: dict[str, str]) -> None:
    reply = asyncio.run(ask(app, "/v1/chat/completions", chat("x"), headers=header))
    assert (reply.status, reply.error["message"]) == (403, "asked by a page of another site")


def test_names_of_this_host(app: Any) -> None:
    for host in ("127.0.0.1", "localhost:9000", "[::1]:8000", "LOCALHOST"):
        assert asyncio.run(ask(app, "/v1/models", headers={"host": host})).status == 200
    own = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
    assert asyncio.run(ask(app, "/v1/models", headers=own)).status == 200


def test_an_open_server_takes_addresses_and_names_that_were_allowed(app: Any) -> None:
    opened = Guard(app.app, "0.0.0.0", ["Model.Example"])
    for host, status in (("10.0.0.1:8000", 200), ("model.example", 200), ("evil.example", 421), ("[fe80::1]", 200)):
        assert asyncio.run(ask(opened, "/v1/models", headers={"host": host})).status == status, host


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_metrics_are_in_prometheus_format(serving: Any) -> None:
    with serving() as (app, _):
        ask_all(app, [chat("what?", 1, max_tokens=5, ignore_eos=True)] * 3 + [chat("x", n=2)])
        for _ in range(100):  # an answer is passed on before its row is cleared
            reply = asyncio.run(ask(app, "/metrics"))
            if b'requests_running{model_name="tiny"} 0' in reply.body:
                break
            time.sleep(0.05)
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    values: dict[str, float] = {}
    for line in reply.body.decode().splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) [a-z_]+:[a-z0-9_]+ .+", line)
            continue
        found = re.fullmatch(r'([a-z_]+:[a-z0-9_]+\{model_name="tiny"(?:,[a-z_]+="[^"]*")?\}) (\S+)', line)
        assert found is not None, line
        values[found[1].replace('model_name="tiny"', "").replace("{,", "{")] = float(found[2])
    assert values["vllm:generation_tokens_total{}"] == 15
    assert values['vllm:request_success_total{finished_reason="length"}'] == 3
    assert values['vlm_planner:requests_refused_total{status="400"}'] == 1
    assert values["vllm:time_to_first_token_seconds_count{}"] == 3
    assert values["vllm:inter_token_latency_seconds_count{}"] == 12
    assert values['vllm:e2e_request_latency_seconds_bucket{le="+Inf"}'] == 3
    assert values["vllm:num_requests_running{}"] == values["vllm:num_requests_waiting{}"] == 0


def test_names_of_models_are_escaped() -> None:
    assert 'model_name="a\\"b\\\\c\\nd"' in Metrics('a"b\\c\nd').text(0, 0)


def test_messages_in_wrong_order_are_refused(app: Any) -> None:
    turns = [message("x"), {"role": "system", "content": "late"}]
    reply = asyncio.run(ask(app, "/v1/chat/completions", chat("", messages=turns)))
    assert (reply.status, reply.error["message"]) == (400, "messages: a system message stands first, and only there")
