"""Chat templates that place the images of a message, and LLaVA-1.5's own for language models without one."""

from __future__ import annotations

from .marking import marked
from .orders import PROMPT_ORDERS

IMAGE_TOKEN = "<image>"

_PLAIN_TEMPLATE = """
{%- for message in messages -%}
    {%- if message.role == 'system' -%}
        {{- message.content + ' ' -}}
    {%- elif message.role == 'user' -%}
        {{- 'USER: ' + message.content + ' ' -}}
    {%- else -%}
        {{- 'ASSISTANT:' -}}{%- generation -%}{{- ' ' + message.content + (eos_token or '') -}}{%- endgeneration -%}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- 'ASSISTANT:' -}}
{%- endif -%}
"""
"""LLaVA-1.5's conversation, for language models that bring no template."""

_FLATTEN = """
{%- set seen = namespace(messages=[]) -%}
{%- for message in messages -%}
    {%- if message.content is defined and message.content is not string and message.content is not none -%}
        {%- set parts = namespace(images='', text='') -%}
        {%- for part in message.content -%}
            {%- if part.type == 'image' -%}
                {%- set parts.images = parts.images + 'IMAGE_TOKEN' -%}
            {%- elif part.type == 'text' -%}
                {%- set parts.text = parts.text + part.text -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if parts.images -%}
            {%- set parts.text = JOINED -%}
        {%- endif -%}
        {%- set seen.messages = seen.messages + [dict(message, content=parts.text)] -%}
    {%- else -%}
        {%- set seen.messages = seen.messages + [message] -%}
    {%- endif -%}
{%- endfor -%}
{%- set messages = seen.messages -%}
"""


def chat_template(template: str | None, prompt_order: str, image_token: str = IMAGE_TOKEN) -> str:
    """A language model's own template, taught to place images before or behind the text of their message.

    Where it can be told, what the assistant wrote is marked for `return_assistant_tokens_mask`.
    """
    head = _FLATTEN.replace("IMAGE_TOKEN", image_token).replace("JOINED", PROMPT_ORDERS.find(prompt_order).joined)
    return head + marked(template or _PLAIN_TEMPLATE)
