"""What the assistant wrote is marked in chat templates, and their text stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers.utils.chat_template_utils import render_jinja_template
from vlm.tiny import config, picture, processor

from planner.vlm import chat_template
from planner.vlm.marking import has_marks, marked

SMOLLM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe "
    "brief<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
    "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN = """{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "tool" %}
        {{- message.content }}
    {%- endif %}
{%- endfor %}
"""
SPACED = """{% for message in messages %}
  {{ '[' + message["role"] + '] ' + message["content"] | trim + eos_token }}
{% endfor %}"""
OTHER = "{% for message in messages %}{% set said = message['content'] + '</s>' %}{{ said }}{% endfor %}"
TALK = [
    {"role": "user", "content": "What is it?"},
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "And there?"},
    {"role": "assistant", "content": "A {dog}."},
]


def rendered(template: str, **options: Any) -> tuple[str, list[str]]:
    text, spans = render_jinja_template([TALK], chat_template=template, eos_token="</s>", **options)
    return text[0], [text[0][start:end] for start, end in (spans[0] if spans else ())]


@pytest.mark.parametrize(
    ("template", "learned"),
    [
        (SMOLLM, ["A cat.<|im_end|>", "A {dog}.<|im_end|>"]),
        (QWEN, ["A cat.<|im_end|>", "A {dog}.<|im_end|>"]),
        (SPACED, ["A cat.</s>", "A {dog}.</s>"]),
    ],
)
def test_the_usual_shape_is_marked(template: str, learned: list[str]) -> None:
    assert not has_marks(template) and has_marks(marked(template))
    assert rendered(marked(template), return_assistant_tokens_mask=True) == (rendered(template)[0], learned)
    assert marked(marked(template)) == marked(template)


def test_another_shape_stays_as_it_is() -> None:
    assert marked(OTHER) == OTHER


@pytest.mark.parametrize("template", [None, SMOLLM])
def test_the_mask_covers_the_answers(template: str | None) -> None:
    made = processor(config())
    made.chat_template = chat_template(template, "image-first")
    first = [{"type": "image", "image": picture()}, {"type": "text", "text": "What is it?"}]
    talk = [{"role": "user", "content": first}, *TALK[1:]]
    options: dict[str, Any] = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
    inputs = made.apply_chat_template(talk, return_assistant_tokens_mask=True, **options)
    mask = torch.as_tensor(inputs["assistant_masks"][0]).bool()
    first, end = (" ", "</s>") if template is None else ("", "<|im_end|>")
    learned = f"{first}A cat.{end}{first}A {{dog}}.{end}"  # what stands behind the prompt for an answer
    assert made.tokenizer.decode(inputs["input_ids"][0][mask]) == learned


def test_a_template_without_marks_is_refused() -> None:
    made = processor(config())
    made.chat_template = chat_template(OTHER, "image-first")
    with pytest.raises(ValueError, match=r"does not say what the assistant wrote.*expected \{% generation %\}"):
        made.apply_chat_template(TALK, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
