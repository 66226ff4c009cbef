"""Ask serve.py many times at once, and print how long it took as one JSON document.

    python load_test.py http://127.0.0.1:8000 --requests 20 --concurrency 2 --image photo.png

Times are the client's: `ttft_s` from sending to the first token, `request_s` to the last; both include waiting where
more is asked than the server answers at the same time. Without --image a picture of noise is sent. Any server that
speaks OpenAI's API can be loaded so.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import random
import struct
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

PERCENTILES = (50, 90, 99)


def model_name(url: str) -> str:
    """The first model that a server lists."""
    with urlopen(f"{url}/v1/models", timeout=30) as answer:
        return str(json.load(answer)["data"][0]["id"])


def body_of(model: str, image: bytes, question: str, max_tokens: int) -> bytes:
    """A greedy chat completion as a stream that ends in its usage."""
    uri = f"data:image/png;base64,{base64.b64encode(image).decode()}"  # servers look into the file itself
    content = [{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": question}]
    return json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()


def ask(url: str, body: bytes, timeout_s: float) -> dict[str, Any]:
    """One request: its times in seconds and tokens, or what went wrong."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "127.0.0.1", address.port or 80, timeout=timeout_s)
    started = time.perf_counter()
    first = None
    usage: dict[str, Any] | None = None
    try:
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            return {"error": f"status {answer.status}: {answer.read().decode(errors='replace').strip()}"}
        for line in answer:
            data = line.decode().removeprefix("data:").strip()
            if not data or data == "[DONE]":
                continue
            first = first or time.perf_counter()
            event = json.loads(data)
            if "error" in event:
                return {"error": str(event["error"])}
            usage = event.get("usage") or usage
    except (OSError, HTTPException, ValueError) as error:
        return {"error": str(error) or type(error).__name__}
    finally:
        connection.close()
    ended = time.perf_counter()
    if first is None or usage is None:
        return {"error": "the answer broke off"}
    return {"ttft_s": first - started, "request_s": ended - started, "generated_tokens": usage["completion_tokens"]}


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many per cent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def summary(values: list[float]) -> dict[str, float]:
    """Mean and percentiles."""
    return {"mean": sum(values) / len(values)} | {f"p{one}": percentile(values, one) for one in PERCENTILES}


def noise(side: int = 336, seed: int = 0) -> bytes:
    """A PNG of random pixels."""
    source = random.Random(seed)

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + source.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def main() -> None:
    parser = argparse.ArgumentParser(description="Load serve.py and print percentiles of its times as JSON.")
    parser.add_argument("url", help="as http://127.0.0.1:8000")
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--concurrency", type=int, default=1, help="requests under way at once")
    parser.add_argument("--model", help="name of the model; default: the first that the server lists")
    parser.add_argument("--image", help="image file; default: noise")
    parser.add_argument("--question", default="What is in the picture?")
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--warm-up", type=int, default=1, help="requests before, not counted")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds of a request")
    options = parser.parse_args()
    if options.requests < 1 or options.concurrency < 1:
        parser.error("--requests and --concurrency: expected at least 1")
    image = noise() if options.image is None else Path(options.image).read_bytes()
    url = options.url.rstrip("/").removesuffix("/v1")
    try:
        model = options.model or model_name(url)
    except (OSError, ValueError, LookupError) as error:
        sys.exit(f"{options.url}: no models listed: {error}")
    body = body_of(model, image, options.question, options.max_new_tokens)

    def one(_: int) -> dict[str, Any]:
        return ask(url, body, options.timeout)

    for i in range(options.warm_up):
        one(i)
    started = time.perf_counter()
    with ThreadPoolExecutor(options.concurrency) as pool:
        raw = list(pool.map(one, range(options.requests)))
    wall_s = time.perf_counter() - started
    good = [sample for sample in raw if "error" not in sample]
    tokens = sum(sample["generated_tokens"] for sample in good)
    content: dict[str, Any] = {
        "url": options.url,
        "requests": options.requests,
        "concurrency": options.concurrency,
        "failed": len(raw) - len(good),
        "wall_s": wall_s,
        "requests_per_second": len(good) / wall_s,
        "generated_tokens_per_second": tokens / wall_s,
    }
    if good:
        content |= {name: summary([sample[name] for sample in good]) for name in ("ttft_s", "request_s")}
    print(json.dumps(content | {"raw": raw}, indent=1))
    sys.exit(0 if len(good) == len(raw) else 1)


if __name__ == "__main__":
    main()
