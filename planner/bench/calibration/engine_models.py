"""The models of load tests: what runs behind the name that a server goes by, and how it was started."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, PlannerError, UnknownNameError
from planner.base.quantities import counted, shown
from planner.bench.loadtests import LoadTest
from planner.configuration import IMAGE_FIRST, Model, ReleasedModel, Run
from planner.hardware import Hardware, default_precision, released_precision
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_VISION, find_llms
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.released import Checkpoint, find_checkpoint
from planner.parts.towers import Tower
from planner.traffic.scheduler import Scheduler
from planner.traffic.usual import vllm_defaults

Described: TypeAlias = "Checkpoint | Llm | Model"
"""What a served name stands for: a released model, a language model, or one model with its visual tokens."""


@dataclass(frozen=True)
class Parts:
    """Beside the language model, where the served model is built from parts."""

    vision: str | Tower = DEFAULT_VISION
    compressor: str | Compressor = DEFAULT_COMPRESSOR
    prompt_order: str = IMAGE_FIRST


def describe(model: str | os.PathLike[str] | Described) -> Described:
    """What a name stands for: a released model by hub id or folder, else a language model by name or config.json.

    Raises:
        InputError: neither is known by that name.
    """
    if isinstance(model, Checkpoint | Llm | Model):
        return model
    try:
        return find_checkpoint(model)
    except PlannerError as error:
        try:
            found = find_llms(model)
        except UnknownNameError:
            raise error from None
    if len(found) > 1:
        raise InputError(
            f"{shown(str(model))} names {len(found)} language models, expected one, such as {found[0].name}"
        )
    return found[0]


def described(
    tests: Iterable[LoadTest], models: Mapping[str, str | os.PathLike[str] | Described]
) -> dict[str, Described]:
    """Served name -> what it stands for.

    Args:
        tests: whose models are asked for.
        models: by served name; "" stands for the one model that is served.

    Raises:
        InputError: several models behind one description, a name that no test has, or one that stands for nothing.
    """
    names = list(dict.fromkeys(one.model for one in tests))
    unknown = [name for name in models if name and name not in names]
    if unknown:
        raise InputError(f"models: no result is of {shown(unknown[0])}; expected one of {', '.join(map(shown, names))}")
    others = [name for name in names if name not in models]
    if "" in models and len(others) > 1:
        raise InputError(
            f"the results are of {counted(len(others), 'model')} ({', '.join(others)}): say for each which it is, as "
            f"{others[0]}=DESCRIPTION, by models="
        )
    return {name: _of_name(name, models) for name in names}


def _of_name(name: str, models: Mapping[str, str | os.PathLike[str] | Described]) -> Described:
    given = models.get(name, models.get(""))
    if given is not None:
        return describe(given)
    try:
        return describe(name)
    except PlannerError as error:
        raise InputError(
            f"which model is served as {shown(name)} is not known ({error}): say its hub id, folder or config.json by "
            "models="
        ) from None


def model_of(test: LoadTest, what: Described, parts: Parts) -> Model:
    """The model of one test, for its images. Raises InputError for what neither its file nor the user says."""
    if isinstance(what, Model):
        return replace(what, visual_tokens=0) if test.images == 0 and not isinstance(what, ReleasedModel) else what
    if isinstance(what, Checkpoint):
        if test.images is None:
            raise InputError(f"{test.origin} does not say how many images a request has: say images (0: text alone)")
        if test.images and not test.image:
            raise InputError(f"{test.origin} does not say how large its images are: say image, as 448x448")
        return ReleasedModel.of_checkpoint(what, test.image or None, images=test.images)
    if test.images and not test.visual_tokens:
        raise InputError(f"{test.origin} does not say how many tokens an image becomes: say visual_tokens")
    tokens = test.visual_tokens or 0 if test.images else 0
    return Model.of(what, tokens, vision=parts.vision, compressor=parts.compressor, prompt_order=parts.prompt_order)


def run_of(test: LoadTest, what: Described, hardware: Hardware) -> Run:
    """How the model of one test runs, by what is said of the server. Raises InputError."""
    said = test.settings
    wanted = said.get("precision")
    if wanted is None:
        wanted = (
            released_precision(hardware, what.dtype) if isinstance(what, Checkpoint) else default_precision(hardware)
        )
    gpus = said.get("tensor_parallel", 1)
    if isinstance(gpus, bool) or not isinstance(gpus, int):
        raise InputError(f"{test.origin}: tensor_parallel: expected a whole number, got {shown(gpus)}")
    return Run(hardware, str(wanted), said.get("kv_precision"), tensor_parallel=gpus)


def scheduler_of(test: LoadTest, hardware: Hardware, changed: Mapping[str, int]) -> Scheduler:
    """The scheduler of one test: what is said of the server, else `changed`, else vLLM's defaults for the hardware."""
    usual = vllm_defaults(hardware, test.engine_named)
    values = {name: getattr(usual, name) for name in ("max_num_seqs", "max_num_batched_tokens")}
    values |= changed
    values |= {name: test.settings[name] for name in values if name in test.settings}
    values["max_num_seqs"] = min(values["max_num_seqs"], values["max_num_batched_tokens"])
    return replace(usual, **values)
