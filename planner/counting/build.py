"""A model of transformers on the meta device, from a config alone: no weights, no network, no code of a repository."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
)

from planner.base.errors import InputError, SpecError
from planner.base.quantities import shown

_SAYS_NOTHING = {"architectures", "auto_map", "torch_dtype", "dtype", "transformers_version", "model_type"}


@contextmanager
def quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def build(name: str, config: Mapping[str, Any]) -> tuple[Any, Any]:
    kind = str(config.get("model_type") or "")
    if kind not in CONFIG_MAPPING:
        raise SpecError(
            f"{name}: transformers {transformers.__version__} has no model of the type {shown(kind)} either, and code "
            "from a repository is never run, so its cost cannot be counted"
        )
    if config.get("quantization_config"):
        raise SpecError(f"{name}: a quantised checkpoint of an unknown type cannot be counted")
    config_class = CONFIG_MAPPING[kind]
    try:
        settings = config_class.from_dict(dict(config))
        _check_keys(name, config, config_class)
        mappings = (MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING)
        model_class: Any = next((found[type(settings)] for found in mappings if type(settings) in found), None)
        if model_class is None:
            raise SpecError(
                f"{name}: transformers {transformers.__version__} has no language or image-text model of the type "
                f"{shown(kind)}, so its cost cannot be counted"
            )
        named = config.get("architectures") or [model_class.__name__]
        if model_class.__name__ not in named:
            raise SpecError(
                f"{name}: its architecture {shown(named[0])} is not {model_class.__name__}, which transformers would "
                "count, so its cost cannot be counted"
            )
        settings._attn_implementation = "eager"
        settings._experts_implementation = "batched_mm"
        with torch.device("meta"):
            return model_class._from_config(settings, attn_implementation="eager").eval(), settings
    except InputError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise SpecError(f"{name}: transformers cannot build it from this config: {text[:200]}") from None


def _check_keys(name: str, config: Mapping[str, Any], config_class: Any) -> None:
    """A value that the class never reads may mean another architecture. Raises SpecError."""
    known = {*config_class().to_dict(), *getattr(config_class, "attribute_map", {}), *_SAYS_NOTHING}
    for key, value in config.items():
        tells = value not in (None, False, 0, 1) and not isinstance(value, str) and value != [] and value != {}
        if (tells or value is True) and key not in known and not key.startswith("_") and not key.endswith("_token_id"):
            raise SpecError(
                f"{name}: its class in transformers does not read {key!r} ({shown(value)}), so its cost cannot be "
                "counted"
            )
