"""Ask a stock engine that serves the exported language model, with prompts as embeddings.

    python prompt_embeds_client.py my-vlm my-llm photo.png 'What is on the table?' --url http://127.0.0.1:8001

This process runs vision tower, compressor and query pass; the engine gets the rows that enter the language model. The
rows are sent as the Completions API of vLLM takes them: a torch tensor, saved and base64-encoded, as `prompt_embeds`.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
from typing import Any
from urllib.request import Request, urlopen


def prompt_rows(folder: str, image_file: str, question: str, device: str) -> Any:
    """The embeddings of a whole prompt, image and chat template included, shape (tokens, width), on the CPU."""
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    options: Any = {"local_files_only": True, "trust_remote_code": True}
    processors: Any = AutoProcessor
    model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto", **options)
    processor: Any = processors.from_pretrained(folder, **options)
    with Image.open(image_file) as image:
        content = [{"type": "image", "image": image.convert("RGB")}, {"type": "text", "text": question}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    ).to(device)
    with torch.inference_mode():
        return model.to(device).eval().to_prompt_embeds(inputs)[0].cpu()


def body(served_model: str, rows: Any, max_tokens: int) -> bytes:
    """What is posted to /v1/completions."""
    import torch

    buffer = io.BytesIO()
    torch.save(rows, buffer)
    content = {
        "model": served_model,
        "prompt": "",
        "prompt_embeds": base64.b64encode(buffer.getvalue()).decode("ascii"),
        "max_tokens": max_tokens,
        "temperature": 0.0,
    }
    return json.dumps(content).encode()


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
    rows = prompt_rows(options.model, options.image, options.question, options.device)
    content = body(options.served_model, rows, options.max_tokens)
    request = Request(f"{options.url}/v1/completions", content, {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        print(json.load(answer)["choices"][0]["text"].strip())


if __name__ == "__main__":
    main()
