"""Ask a stock engine that serves the exported language model, with prompts as embeddings.

    python prompt_embeds_client.py my-vlm my-llm photo.png 'What is on the table?' --url http://127.0.0.1:8001

This process runs vision tower, compressor and query pass; the engine gets the rows that enter the language model. The
rows are sent as the Completions API of vLLM takes them: a torch tensor, saved and base64-encoded, as `prompt_embeds`.
The field `prompt` is left out: vLLM refuses an empty one.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def load(folder: str, device: str = "cpu") -> tuple[Any, Any]:
    """Model and processor of a folder that `vlm-planner build` wrote; its Python modules are run."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    options: Any = {"local_files_only": True, "trust_remote_code": True}
    processors: Any = AutoProcessor
    model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto", **options)
    return model.to(device).eval(), processors.from_pretrained(folder, **options)


def prompt_rows(model: Any, processor: Any, image: Any, question: str) -> Any:
    """The embeddings of a whole prompt, image and chat template included, shape (tokens, width), on the CPU."""
    import torch

    content = [{"type": "image", "image": image.convert("RGB")}, {"type": "text", "text": question}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    ).to(model.device)
    with torch.inference_mode():
        return model.to_prompt_embeds(inputs)[0].cpu()


def body(served_model: str, rows: Any, max_tokens: int, **options: Any) -> dict[str, Any]:
    """What is posted to /v1/completions; `options` are further fields of the request, such as `stream`."""
    import torch

    buffer = io.BytesIO()
    torch.save(rows.clone(), buffer)
    return {
        "model": served_model,
        "prompt_embeds": base64.b64encode(buffer.getvalue()).decode("ascii"),
        "max_tokens": max_tokens,
        "temperature": 0.0,
        **options,
    }


def post(url: str, content: dict[str, Any], timeout_s: float = 600.0) -> dict[str, Any]:
    """The engine's answer. Raises HTTPError, whose body says what was refused."""
    request = Request(f"{url}/v1/completions", json.dumps(content).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=timeout_s) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask an engine that takes prompt embeddings about an image.")
    parser.add_argument("model", help="folder that vlm-planner build wrote")
    parser.add_argument("served_model", help="the language model as the engine names it")
    parser.add_argument("image")
    parser.add_argument("question")
    parser.add_argument("--url", default="http://127.0.0.1:8001")
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    from PIL import Image

    with Image.open(options.image) as image:
        rows = prompt_rows(*load(options.model, options.device), image, options.question)
    try:
        answer = post(options.url, body(options.served_model, rows, options.max_tokens))
    except HTTPError as error:
        sys.exit(f"{options.url} answered HTTP {error.code}: {error.read().decode(errors='replace').strip()}")
    print(answer["choices"][0]["text"].strip())


if __name__ == "__main__":
    main()
