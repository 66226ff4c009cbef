"""Language models: one file for each kind."""

from planner.parts.llms.base import Llm, stack_key, stacked, stacks
from planner.parts.llms.dense import Dense

__all__ = ["Dense", "Llm", "stack_key", "stacked", "stacks"]
