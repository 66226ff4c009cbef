"""Serve a model that `vlm-planner build` wrote: an image and a question in, an answer out.

    python serve.py my-vlm
    curl --data-binary @photo.png 'http://127.0.0.1:8000/answer?question=What+is+on+the+table%3F'

GET  /health   {"status": "ready", ...}
POST /answer   the body is the image file; in the query: question, max_new_tokens (32), stream (0 or 1).
               One JSON object; with stream=1 a line of JSON for every token as it comes, the last one with "done".

This is a reference server, to try a model and to compare an engine with: one request at a time, greedy answers, no
authentication. It listens on 127.0.0.1 only. Loading runs the Python modules in the model's folder.
"""

from __future__ import annotations

import argparse
import io
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
IMAGE_BYTES_MAX = 32 * 2**20
NEW_TOKENS_MAX = 4096


class Refused(Exception):
    """A request that cannot be answered: an HTTP status and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Model:
    """A loaded model, which answers one question at a time."""

    def __init__(self, folder: str, device: str, dtype: str) -> None:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.device = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        kinds = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
        self.dtype = dtype if dtype != "auto" else "fp32" if self.device == "cpu" else "bf16"
        options: Any = {"local_files_only": True, "trust_remote_code": True}
        processors: Any = AutoProcessor
        model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=kinds[self.dtype], **options)
        self._model = model.to(self.device).eval()
        self._processor: Any = processors.from_pretrained(folder, **options)
        self._lock = threading.Lock()
        self.folder = folder

    def answer(self, image: Any, question: str, max_new_tokens: int, say: Callable[[str], None]) -> dict[str, Any]:
        """Answer, telling `say` the text of every token; returns the whole answer with its times."""
        import torch

        content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
        arrived = time.perf_counter()
        with self._lock, torch.inference_mode():
            started = time.perf_counter()
            inputs = self._processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            ).to(self.device)
            pieces = Pieces(self._processor.tokenizer, say)
            self._model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False, streamer=pieces)
            ended = time.perf_counter()
        return {
            "answer": pieces.text.strip(),
            "prompt_tokens": int(inputs["input_ids"].shape[1]),
            "generated_tokens": len(pieces.tokens),
            "waited_s": started - arrived,
            "ttft_s": pieces.first_at - started,
            "request_s": ended - started,
        }


class Pieces:
    """What `generate` tells about each token; the first call brings the prompt."""

    def __init__(self, tokenizer: Any, say: Callable[[str], None]) -> None:
        self.tokens: list[int] = []
        self.text = ""
        self.first_at = time.perf_counter()
        self._tokenizer, self._say, self._prompt_seen = tokenizer, say, False

    def put(self, tokens: Any) -> None:
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        if not self.tokens:
            self.first_at = time.perf_counter()
        self.tokens += tokens.reshape(-1).tolist()
        whole = self._tokenizer.decode(self.tokens, skip_special_tokens=True)
        piece = "" if whole.endswith("\ufffd") else whole[len(self.text) :]  # half a character waits for the other half
        self.text += piece
        self._say(piece)

    def end(self) -> None:
        self.text = self._tokenizer.decode(self.tokens, skip_special_tokens=True)


class Handler(BaseHTTPRequestHandler):
    """One request; `model` is set on the class."""

    model: Model
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if urlsplit(self.path).path != "/health":
            self._send(404, {"error": "there is GET /health and POST /answer"})
            return
        facts = {"model": self.model.folder, "device": self.model.device, "dtype": self.model.dtype}
        self._send(200, {"status": "ready", **facts})

    def do_POST(self) -> None:
        try:
            image, question, max_new_tokens, stream = self._read()
        except Refused as refused:
            self.close_connection = True  # the body may not have been read
            self._send(refused.status, {"error": str(refused)})
            return
        if not stream:
            self._send(200, self.model.answer(image, question, max_new_tokens, lambda _: None))
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        told = self.model.answer(image, question, max_new_tokens, lambda piece: self._line({"text": piece}))
        self._line({"done": True, **told})
        self.wfile.write(b"0\r\n\r\n")

    def _read(self) -> tuple[Any, str, int, bool]:
        """Image, question, tokens and stream of a request. Raises Refused."""
        address = urlsplit(self.path)
        if address.path != "/answer":
            raise Refused(404, "there is GET /health and POST /answer")
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        question = query.get("question", "").strip()
        if not question:
            raise Refused(400, "question: expected a text in the query, as /answer?question=What+is+this%3F")
        tokens = query.get("max_new_tokens", "32")
        if not (tokens.isascii() and tokens.isdigit() and 1 <= int(tokens) <= NEW_TOKENS_MAX):
            raise Refused(400, f"max_new_tokens: expected a whole number from 1 to {NEW_TOKENS_MAX}")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(411, "Content-Length is missing: send the image file as the body")
        if int(length) > IMAGE_BYTES_MAX:
            raise Refused(413, f"the image is larger than {IMAGE_BYTES_MAX} bytes")
        return _image(self.rfile.read(int(length))), question, int(tokens), query.get("stream", "0") == "1"

    def _send(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _line(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode() + b"\n"
        self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: questions are nobody's business."""


def _image(content: bytes) -> Any:
    """The picture in a file's bytes. Raises Refused."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Refused(400, "the body is no image file that can be read") from None


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a model that vlm-planner build wrote, on this machine only.")
    parser.add_argument("model", help="folder of the model")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--dtype", default="auto", choices=["auto", "bf16", "fp16", "fp32"])
    options = parser.parse_args()
    Handler.model = Model(options.model, options.device, options.dtype)
    server = ThreadingHTTPServer((HOST, options.port), Handler)
    print(f"serving {options.model} on http://{HOST}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
