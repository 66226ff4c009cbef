"""From a config.json that nobody here knows to a checkpoint with counted numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.counting import store
from planner.counting.count import Count
from planner.counting.parts import CountedLlm, CountedVision, UnknownImages
from planner.parts.encoders import TextOnly
from planner.parts.encoders.base import Bridge
from planner.parts.images.none import NoImages
from planner.parts.released import Checkpoint
from planner.parts.released.checkpoint import context_of, dtype_of
from planner.parts.released.find import read_folder
from planner.parts.sizes import nominal_params


def counted_checkpoint(model: str | os.PathLike[str]) -> Checkpoint:
    """A model as transformers counts it.

    Args:
        model: folder or config.json.

    Raises:
        InputError: transformers is missing, does not know the model either, or cannot run it on the meta device.
    """
    name, config, source = read_folder(Path(model))
    try:
        installed = version("transformers")
    except PackageNotFoundError:
        raise InputError(
            "count_with='transformers' needs the packages torch and transformers; pip install 'vlm-planner[vlm]'"
        ) from None
    path = store.file_of(config, installed)
    count, said = store.load(path, installed)
    notes = [said] if said else []
    if count is None:
        from planner.counting.meta import count_model

        count = count_model(name, config)
        unsaved = store.save(path, count)
        notes += [unsaved] if unsaved else []
    return _checkpoint(name, config, source, count, tuple(notes))


def _checkpoint(name: str, config: Mapping[str, Any], source: str, count: Count, notes: tuple[str, ...]) -> Checkpoint:
    counted = f"counted with transformers {count.transformers}"
    dtype, said = dtype_of(name, config, _text(config))
    llm = CountedLlm(
        name=name,
        family=name,
        model_type=str(config.get("model_type")),
        nominal_params=float(nominal_params(name, count.llm_params) or count.llm_params),
        hidden_size=count.hidden_size,
        num_layers=count.num_layers,
        num_heads=count.num_heads,
        vocab_size=count.vocab_size,
        source=source,
        count=count,
    )
    beside = count.vision_params + count.connector_params + count.audio_params
    vision = CountedVision(
        name=name,
        vision_params=count.vision_params,
        bridge=Bridge(vectors=count.connector_params),
        audio_params=count.audio_params,
    )
    return Checkpoint(
        name=name,
        llm=llm,
        encoder=vision if beside else TextOnly(name=name),
        rule=UnknownImages(model=name) if beside else NoImages(model=name),
        context_tokens=context_of(name, _text(config)),
        dtype=dtype,
        notes=(
            f"{counted} ({count.model_class}): parameters, cache and FLOPs; attention is charged for all pairs of "
            "tokens, and times and activations rest on the matrices that ran",
            *said,
            *notes,
        ),
        source=source,
        counted=counted,
    )


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.get("text_config")
    return found if isinstance(found, Mapping) else config
