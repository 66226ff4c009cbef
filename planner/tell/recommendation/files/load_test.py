"""Ask serve.py many times at once, and print how long it took as one JSON document.

    python load_test.py http://127.0.0.1:8000 --requests 20 --concurrency 2 --image photo.png

Times are the client's: `ttft_s` from sending to the first token, `request_s` to the last. serve.py answers one request
at a time, so with a concurrency above 1 both include waiting. Without --image a picture of noise is sent.
"""

from __future__ import annotations

import argparse
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
from urllib.parse import urlencode, urlsplit

PERCENTILES = (50, 90, 99)


def ask(url: str, image: bytes, question: str, max_new_tokens: int, timeout_s: float) -> dict[str, Any]:
    """One request: its times in seconds and tokens, or what went wrong."""
    address = urlsplit(url)
    query = urlencode({"question": question, "max_new_tokens": max_new_tokens, "stream": 1})
    connection = HTTPConnection(address.hostname or "127.0.0.1", address.port or 80, timeout=timeout_s)
    started = time.perf_counter()
    first = None
    last: dict[str, Any] = {}
    try:
        connection.request("POST", f"/answer?{query}", image, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        if answer.status != 200:
            return {"error": f"status {answer.status}: {answer.read().decode(errors='replace').strip()}"}
        for line in answer:
            first = first or time.perf_counter()
            last = json.loads(line)
    except (OSError, HTTPException, ValueError) as error:
        return {"error": str(error) or type(error).__name__}
    finally:
        connection.close()
    ended = time.perf_counter()
    if first is None or not last.get("done"):
        return {"error": "the answer broke off"}
    return {"ttft_s": first - started, "request_s": ended - started, "generated_tokens": last["generated_tokens"]}


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
    parser.add_argument("--image", help="image file; default: noise")
    parser.add_argument("--question", default="What is in the picture?")
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--warm-up", type=int, default=1, help="requests before, not counted")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds of a request")
    options = parser.parse_args()
    if options.requests < 1 or options.concurrency < 1:
        parser.error("--requests and --concurrency: expected at least 1")
    image = noise() if options.image is None else Path(options.image).read_bytes()

    def one(_: int) -> dict[str, Any]:
        return ask(options.url, image, options.question, options.max_new_tokens, options.timeout)

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
