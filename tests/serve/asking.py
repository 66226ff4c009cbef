"""A client of the application in this process, without a socket, and what it asks."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from vlm.tiny import picture

URL = "http://127.0.0.1:8000"


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return dict(self.json["error"])

    @property
    def events(self) -> list[Any]:
        """Of a stream, which must end in [DONE]."""
        *events, done, rest = self.body.decode().split("\n\n")
        assert (done, rest) == ("data: [DONE]", "")
        return [json.loads(event.removeprefix("data: ")) for event in events]

    @property
    def text(self) -> str:
        """Of a stream or a whole answer."""
        if self.headers["content-type"].startswith("text/event-stream"):
            return "".join(one["choices"][0]["delta"].get("content", "") for one in self.events if one["choices"])
        return str(self.json["choices"][0]["message"]["content"])


async def ask(app: Any, path: str, body: Any = None, *, gone_after: int | None = None, **options: Any) -> Reply:
    """One request; the client hangs up after so many pieces of the answer (0: before any)."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    headers = {"host": "127.0.0.1:8000", "content-type": "application/json"} | options.get("headers", {})
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": options.get("method", "GET" if body is None else "POST"),
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
    }
    waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    waiting.put_nowait({"type": "http.request", "body": content, "more_body": False})
    if gone_after == 0:
        asyncio.get_running_loop().call_later(0.2, waiting.put_nowait, {"type": "http.disconnect"})
    told: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        told.append(message)
        if gone_after and len(told) == gone_after + 1:
            waiting.put_nowait({"type": "http.disconnect"})

    await app(scope, waiting.get, send)
    head = told[0] if told else {"status": 0, "headers": []}
    found = {name.decode(): value.decode() for name, value in head["headers"]}
    return Reply(head["status"], found, b"".join(one.get("body", b"") for one in told))


def ask_all(app: Any, bodies: Sequence[Any]) -> list[Reply]:
    """Chat completions at the same time."""

    async def together() -> list[Reply]:
        return await asyncio.gather(*(ask(app, "/v1/chat/completions", body) for body in bodies))

    return asyncio.run(together())


def uri(image: Image.Image, form: str = "PNG") -> str:
    """A data URI."""
    file = io.BytesIO()
    image.save(file, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def message(text: str, *seeds: int, role: str = "user") -> dict[str, Any]:
    """A turn with pictures of noise before its text."""
    parts = [{"type": "image_url", "image_url": {"url": uri(picture(seed))}} for seed in seeds]
    return {"role": role, "content": [*parts, {"type": "text", "text": text}]}


def chat(text: str, *seeds: int, **options: Any) -> dict[str, Any]:
    """The body of a greedy chat completion."""
    return {"model": "tiny", "messages": [message(text, *seeds)], "max_tokens": 8, "temperature": 0, **options}
