"""The two nouns of every cost: a `Model`, what is made, and a `Run`, how it runs."""

from planner.configuration.model import IMAGE_FIRST, PROMPT_ORDERS, TEXT_FIRST, Model, cannot_make, cannot_share
from planner.configuration.released import ReleasedModel
from planner.configuration.run import Run

__all__ = ["IMAGE_FIRST", "PROMPT_ORDERS", "TEXT_FIRST", "Model", "ReleasedModel", "Run", "cannot_make", "cannot_share"]
