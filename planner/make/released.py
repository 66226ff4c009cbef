"""From a released model's published config to the model itself, with random or with its own weights."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForImageTextToText, PreTrainedConfig
from transformers.utils import logging

from planner.base.errors import InputError, MeasurementError
from planner.base.quantities import format_bytes, shown
from planner.configuration import ReleasedModel
from planner.make.pixels import PIXEL_MAKERS
from planner.make.vision import connector_modules
from planner.parts.released import Checkpoint, find_checkpoint, published_files
from planner.vlm.build import Progress, free_bytes, read_device, read_dtype
from planner.vlm.build_time import watched
from planner.vlm.materialise import seeded
from planner.vlm.weights import PRETRAINED, RANDOM

PARTS = ("llm", "vision", "connector", "audio")
_REASON_MAX = 200


def config_of(model: Checkpoint | ReleasedModel) -> PreTrainedConfig:
    """The config of a model for transformers, with what turned knobs change in it.

    Raises:
        InputError: a model type that transformers does not have, or values that it cannot use.
    """
    checkpoint = model if isinstance(model, Checkpoint) else model.checkpoint
    values = published_files(checkpoint)["config.json"]
    kind = values.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise InputError(f"cannot build {checkpoint.name}: transformers has no model type {shown(kind)}")
    if isinstance(model, ReleasedModel) and (maker := PIXEL_MAKERS.get(kind)) is not None:
        values = {**values, **maker.config_values(model)}
    try:
        found: PreTrainedConfig = CONFIG_MAPPING[kind].from_dict(values)
    except Exception as error:  # validation of many kinds, by transformers and by its dataclasses
        raise InputError(f"cannot build {checkpoint.name}: its config is refused: {_one_line(error)}") from None
    return found


@watched
def build_released(
    model: str | os.PathLike[str] | Checkpoint | ReleasedModel,
    *,
    weights: str = RANDOM,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device = "cpu",
    seed: int = 0,
    progress: Progress | None = None,
) -> Any:
    """The true architecture of a released model, by transformers, without code from elsewhere.

    Args:
        model: hub id, folder, config.json or checkpoint; or one with its knobs turned (some stand in the config), such
            as `plan.best.released`.
        weights: "random"; "pretrained", from the hub; or a folder with the model's safetensors.
        dtype: "bf16", "fp16", "fp32" or a torch dtype; by default the one that its files name.
        device: any; "meta" gives all shapes and no weights.
        seed: of random weights.
        progress: told what is done.

    Returns:
        The model of transformers, in evaluation mode.

    Raises:
        InputError: an architecture or weights that cannot be built or loaded here.
        MeasurementError: too little free memory.
    """
    chosen = model if isinstance(model, ReleasedModel) else find_checkpoint(model)
    checkpoint = chosen.checkpoint if isinstance(chosen, ReleasedModel) else chosen
    kind, place = read_dtype(dtype or checkpoint.dtype), read_device(device)
    config = config_of(chosen)
    shell = _shell(checkpoint, config, kind)
    if place.type == "meta":
        if weights != RANDOM:
            raise InputError("the meta device holds no weights: leave out the weights, or name another device")
        return shell.eval()
    _check_memory(checkpoint, shell, place)
    if progress is not None:
        progress(f"{'random weights of' if weights == RANDOM else 'loading'} {checkpoint.name}", 0, 1)
    if weights != RANDOM:
        return _loaded(checkpoint, config, weights, kind, place).eval()
    del shell
    gc.collect()
    with seeded(seed, place), torch.device(place):
        made = _auto(config).from_config(config, dtype=kind)
    return made.eval()


def params_by_part(model: Any, checkpoint: Checkpoint) -> dict[str, tuple[int, int]]:
    """(built, predicted) parameters of each part; audio where there is some; all that is beside the language model in
    one row where it is not known which of a model's modules are which."""
    predicted = checkpoint.params_by_part()
    maker = PIXEL_MAKERS.get(getattr(model.config, "model_type", None))
    llm = _weights(model.get_decoder(), model.get_output_embeddings())
    if maker is not None:
        apart = _weights(*(model.base_model.get_submodule(path) for path in maker.apart))
        llm = {key: size for key, size in llm.items() if key not in apart}
    rows = {"language_model": (_size(llm), predicted["llm"])}
    beside = {key: size for key, size in _weights(model).items() if key not in llm}
    if maker is None:
        return rows | {"vision_side": (_size(beside), sum(predicted[part] for part in PARTS[1:]))}
    hearing = _weights(*(model.base_model.get_submodule(path) for path in maker.audio)) if predicted["audio"] else {}
    elsewhere = hearing | _weights(*connector_modules(model, maker))
    tower = {key for key in _weights(maker.tower(model)) if key not in elsewhere}
    connector = {key: size for key, size in beside.items() if key not in tower and key not in hearing}
    return rows | {
        "vision_tower": (sum(beside[key] for key in tower), predicted["vision"]),
        "connector": (_size(connector), predicted["connector"]),
        **({"audio": (_size(hearing), predicted["audio"])} if predicted["audio"] else {}),
    }


def _weights(*modules: Any) -> dict[int, int]:
    """Parameters of modules, each once: its size by its identity."""
    return {id(weight): weight.numel() for module in modules if module is not None for weight in module.parameters()}


def _size(weights: Mapping[int, int]) -> int:
    return sum(weights.values())


def _auto(config: PreTrainedConfig) -> Any:
    """The class of the model: with images where there is one of its type, else of text."""
    known = AutoModelForImageTextToText._model_mapping
    return AutoModelForImageTextToText if type(config) in known else AutoModelForCausalLM


def _shell(checkpoint: Checkpoint, config: PreTrainedConfig, dtype: torch.dtype) -> Any:
    """The model on the meta device. Raises InputError where transformers cannot make it."""
    try:
        with torch.device("meta"):
            return _auto(config).from_config(config, dtype=dtype)
    except Exception as error:  # a package that it needs, a class that is not there
        raise InputError(f"cannot build {checkpoint.name}: {_one_line(error)}") from None


def _check_memory(checkpoint: Checkpoint, shell: Any, device: torch.device) -> None:
    needed = sum(weight.numel() * weight.element_size() for weight in shell.parameters())
    free = free_bytes(device)
    if free is not None and needed > free:
        raise MeasurementError(
            f"{checkpoint.name} needs {format_bytes(needed)} for its weights, {device} has {format_bytes(free)} free: "
            "take a smaller dtype or model, or another device"
        )


def _loaded(
    checkpoint: Checkpoint, config: PreTrainedConfig, weights: str, dtype: torch.dtype, device: torch.device
) -> Any:
    """The model with every weight from a checkpoint. Raises InputError where one is missing."""
    place, local = _place(checkpoint, weights)
    with _telling(place, local):
        model, info = _auto(config).from_pretrained(
            place,
            config=config,
            dtype=dtype,
            device_map=None if device.type == "cpu" else {"": device},
            local_files_only=local,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
        )
    other = sorted(str(wrong[0]) for wrong in info["mismatched_keys"])
    if other:
        raise InputError(
            f"{place} holds another model than {checkpoint.name}: {len(other)} weights have other shapes, such as "
            f"{other[0]}"
        )
    if missing := info["missing_keys"]:
        raise InputError(f"{place} lacks {len(missing)} weights of {checkpoint.name}, such as {min(missing)}")
    return model


def _place(checkpoint: Checkpoint, weights: str) -> tuple[str, bool]:
    """Where weights are, and whether that is here. Raises InputError."""
    if weights == PRETRAINED:
        if not checkpoint.hub_id:
            raise InputError(f"no hub id of {checkpoint.name} is known: give the folder of its weights, --weights PATH")
        return checkpoint.hub_id, False
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        raise InputError(f"weights: expected random, pretrained or a folder with safetensors, got {shown(weights)}")
    if not any(folder.glob("*.safetensors")):
        raise InputError(f"weights: {folder} holds no safetensors")
    return str(folder), True


@contextmanager
def _telling(place: str, local: bool) -> Iterator[None]:
    """What a checkpoint may lack, in one sentence."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    except Exception as error:  # of many kinds, by what was missing where
        if local:
            raise InputError(f"cannot load the weights of {place}: {_one_line(error)}") from None
        raise InputError(
            f"cannot load {place} from the Hugging Face hub (offline, gated, or no such model): download it where "
            "there is a network, and give its folder as --weights PATH"
        ) from None
    finally:
        logging.set_verbosity(level)


def _one_line(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:_REASON_MAX]
