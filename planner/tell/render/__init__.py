"""What makes the text of a file of a Document: one file each, found by the suffix of the file to be written."""

from planner.tell.document import Document
from planner.tell.render.renderer import RENDERERS, Renderer, renderer_of, suffixes

__all__ = ["RENDERERS", "Renderer", "as_text", "renderer_of", "suffixes"]


def as_text(document: Document, suffix: str) -> str:
    """The content of a file of that suffix, such as ".html". Raises InputError for one that nothing renders."""
    return renderer_of(f"page{suffix}").render(document)
