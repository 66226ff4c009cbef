"""From the values of a Hugging Face config to a part. A type of model that has no reader is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.base.errors import SpecError, UnknownArchitectureError, nearest_name
from planner.base.quantities import shown
from planner.parts.configs.dense import DenseReader
from planner.parts.configs.nested import language_model
from planner.parts.configs.reader import LLM_READERS, TOWER_READERS, Labels, LlmReader, TowerReader
from planner.parts.configs.vit import VitReader
from planner.parts.llms import Llm
from planner.parts.towers import Tower

__all__ = [
    "LLM_READERS",
    "TOWER_READERS",
    "DenseReader",
    "Labels",
    "LlmReader",
    "TowerReader",
    "VitReader",
    "read_llm",
    "read_tower",
]


def _further() -> None:
    """Readers of what the building blocks are not; loaded when one is asked for."""
    from planner.parts.configs import (  # noqa: F401
        gemma,
        hybrids,
        indexed,
        latent,
        linear,
        older,
        sparse,
        state_spaces,
        uniform,
    )


LLM_READERS.fill_with(_further)


def read_llm(
    name: str,
    config: Mapping[str, Any],
    *,
    family: str = "",
    model_type: str = "",
    nominal_params: float | None = None,
    hf_id: str = "",
    source: str = "",
    whole: bool = True,
) -> Llm:
    """The language model of a config, of a vision-language model's too.

    Args:
        name: what to call it.
        config: the values of a config.json; what it leaves out is the default of its class in transformers.
        family: defaults to the name.
        model_type: overrides the config's own.
        nominal_params: size in the model's name; the exact count if it is not known.
        hf_id: repository on the hub.
        source: where the values come from.
        whole: whether the config is the model's own file; if not, only the sizes that it gives are its own.

    Raises:
        SpecError: a value is missing or no count, nothing is known of this type of model, or of something in the config
            that may change what it is made of.
    """
    found = language_model(name, config, model_type)
    values = found.values
    reader = LLM_READERS.get(values.type)
    if reader is None:
        raise UnknownArchitectureError(f"{name}: {_unknown(values.type)}")
    if not found.outer:
        values.check_class()
    values.check_keys(reader.reads)
    labels = Labels(name, family=family, nominal_params=nominal_params, hf_id=hf_id, source=source, whole=whole)
    return reader.read(values, labels)


def read_tower(
    name: str, config: Mapping[str, Any], *, model_type: str = "", params: int = 0, hf_id: str = "", source: str = ""
) -> Tower:
    """The vision tower of a config; a vision-language model's `vision_config` is used where there is one.

    Raises:
        SpecError: a value is missing or no count, or nothing is known of this type of tower.
    """
    if isinstance(config.get("vision_config"), Mapping):
        config = config["vision_config"]
    found = model_type or str(config.get("model_type", ""))
    reader = TOWER_READERS.get(found)
    if reader is None:
        known = " or ".join(TOWER_READERS.names())
        raise SpecError(f"{name}: model type {shown(found)} is no vision tower of {known}")
    return reader.read(config, Labels(name, params=params, hf_id=hf_id, source=source))


def _unknown(model_type: str) -> str:
    if not model_type:
        return "the config has no model_type, so its cost cannot be counted"
    near = nearest_name(model_type, LLM_READERS.names())
    hint = "" if near is None else f" (the nearest known one is {near})"
    return f"nothing is known of language models of the type {shown(model_type)}{hint}, so its cost cannot be counted"
