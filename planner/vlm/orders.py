"""Prompt orders: where the image's tokens stand in a prompt."""

from __future__ import annotations

from dataclasses import dataclass

from .table import Table


@dataclass(frozen=True)
class PromptOrder:
    """Where the images of a message stand beside its text."""

    name: str
    text_ahead: bool
    """Whether the text stands before the images, so that the prompt's own pass has read the query when they come."""
    joined: str
    """Jinja: a message's text, of the images' tokens `parts.images` and of `parts.text`."""


PROMPT_ORDERS: Table[PromptOrder] = Table("prompt_order")
"""Prompt orders by name."""
IMAGE_FIRST = PromptOrder("image-first", text_ahead=False, joined=r"parts.images + '\n' + parts.text")
TEXT_FIRST = PromptOrder("text-first", text_ahead=True, joined=r"parts.text + '\n' + parts.images")
for order in (IMAGE_FIRST, TEXT_FIRST):
    PROMPT_ORDERS.register(order.name, order)
