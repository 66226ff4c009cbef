"""Rules that many types of models share: how a size follows from the values of a config."""

from __future__ import annotations

from collections.abc import Callable

from planner.parts.configs.values import Values

PER_HEAD = "per head"
"""Queries and keys are normalised head by head, with one weight for each number of a head."""
WHOLE = "whole"
"""Over all heads, or head by head, with a weight for each number of all heads."""

BIAS = "attention_bias"


def head_size(values: Values) -> int:
    """`head_dim` where there is one and the class reads it, else the width shared by the heads."""
    shared = values.count("hidden_size") // values.count("num_attention_heads")
    return values.count("head_dim", shared) if values.reads("head_dim") else shared


def undivided_head_size(values: Values) -> int:
    """The width shared by the heads. Raises SpecError where the config gives another."""
    shared = values.count("hidden_size") // values.count("num_attention_heads")
    if values.get("head_dim") not in (None, shared):
        raise values.wrong("head_dim", f"the width shared by the heads ({shared})")
    return shared


def kv_heads(values: Values) -> int:
    """`num_key_value_heads`, else as many as there are query heads."""
    return values.count("num_key_value_heads", values.count("num_attention_heads"))


def mlp_width(values: Values) -> int:
    """`intermediate_size`."""
    return values.count("intermediate_size")


def four_times(key: str) -> Callable[[Values], int]:
    """An MLP of four times the model's width where the config gives no other."""
    return lambda values: values.count(key, 4 * values.count("hidden_size"))


def heads(values: Values) -> int:
    """Query heads."""
    return values.count("num_attention_heads")


def query_width(values: Values) -> int:
    """Query heads x head size."""
    return heads(values) * head_size(values)


def count_of(key: str, minimum: int = 0) -> Callable[[Values], int]:
    """A count of the config; 0 where it has none."""
    return lambda values: values.count(key, 0, minimum=minimum)


def product(*keys: str) -> Callable[[Values], int]:
    """The product of counts; 0 where one is missing or null."""

    def found(values: Values) -> int:
        result = 1
        for key in keys:
            result *= values.count(key, 0, minimum=0)
        return result

    return found
