"""The two nouns of every cost: a `Model`, what is made, and a `Run`, how it runs."""

from typing import TYPE_CHECKING, Any

from planner.configuration.model import IMAGE_FIRST, PROMPT_ORDERS, TEXT_FIRST, Model, cannot_make, cannot_share
from planner.configuration.run import Run

if TYPE_CHECKING:
    from planner.configuration.released import ReleasedModel

__all__ = ["IMAGE_FIRST", "PROMPT_ORDERS", "TEXT_FIRST", "Model", "ReleasedModel", "Run", "cannot_make", "cannot_share"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A released model, with encoders and image rules, is imported when it is asked for: most plans have none."""
        if name != "ReleasedModel":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from planner.configuration.released import ReleasedModel

        return ReleasedModel
