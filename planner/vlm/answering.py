"""One question about one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from planner.base.errors import InputError

from .modeling import PlannerVlmForConditionalGeneration
from .pictures import upright


@dataclass(frozen=True)
class Answer:
    """What a model said."""

    text: str
    prompt_tokens: int
    """Image tokens among them."""
    generated_tokens: int


def read_image(file: str) -> Image.Image:
    """An image file, upright in RGB, as `upright` reads it. Raises InputError."""
    path = Path(file)
    if not path.exists():
        raise InputError(f"cannot read {file}: no such file")
    try:
        found: Image.Image = upright(path)
    except ValueError as error:
        said = str(error)
        raise InputError(said if file in said else f"{file}: {said}") from None
    return found


def asked(processor: Any, image: Image.Image, question: str) -> Any:
    """A question about an image as the model takes it, in the chat template of its language model."""
    content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


@torch.no_grad()
def answer(
    model: PlannerVlmForConditionalGeneration,
    processor: Any,
    image: Image.Image,
    question: str,
    *,
    max_new_tokens: int = 32,
) -> Answer:
    """The model's greedy answer, in its own chat template."""
    inputs = asked(processor, image, question).to(model.device)
    given = inputs["input_ids"].shape[1]
    said = model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)[0, given:]
    return Answer(processor.decode(said, skip_special_tokens=True).strip(), given, len(said))
