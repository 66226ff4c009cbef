"""Released models by hub id, and models by the folder or the config.json that they stand in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from planner.base.errors import SpecError, UnknownNameError, near_names, nearest_name
from planner.base.files import read_json
from planner.parts.released.checkpoint import Checkpoint, read_checkpoint

FILES = ("config.json", "preprocessor_config.json", "processor_config.json", "PROVENANCE.json")

_OF_A_PATH = (".", "/", "~")
"""How a path begins that is never the name of a model."""
_NEAR_MAX = 4  # ids that a suggestion may list


@cache
def released_ids() -> tuple[str, ...]:
    """Hub ids of the released models whose files are shipped, in alphabetical order without regard to case; those of
    `variant_ids` are not among them."""
    return tuple(sorted((one.name.replace("--", "/", 1) for one in _shipped().iterdir()), key=str.lower))


@cache
def variant_ids() -> tuple[str, ...]:
    """Hub ids of models that have the sizes of a shipped one, such as those that think or are quantised: a law ranks
    them as it, so that they are compared where they are named alone."""
    return tuple(_variants())


def find_checkpoint(model: str | os.PathLike[str] | Checkpoint) -> Checkpoint:
    """A model by hub id ("Qwen/Qwen3-VL-8B-Instruct", or its last part), folder or config.json.

    Raises:
        UnknownNameError: no such released model, with the nearest ids.
        InputError: a file that cannot be read, or a model of which something is not known.
    """
    if isinstance(model, Checkpoint):
        return model
    path = Path(model)
    if path.suffix == ".json" or path.is_dir() or os.fspath(model).startswith(_OF_A_PATH):
        return _from_folder(path)
    wanted = os.fspath(model).lower()
    for hub_id in (*released_ids(), *variant_ids()):
        if wanted in (hub_id.lower(), hub_id.lower().partition("/")[2]):
            return read_released(hub_id)
    raise unknown_model("released model", model)


def unknown_model(what: str, name: str | os.PathLike[str], others: tuple[str, ...] = ()) -> UnknownNameError:
    """The error for a name that is that of no released model, with those ids that begin so, else the nearest.

    Args:
        what: that is called so.
        name: as it was given.
        others: further names that may be meant.
    """
    ids, wanted = (*released_ids(), *variant_ids()), os.fspath(name).strip().lower()
    listed = "vlm-planner catalog --released lists them"
    start = _letters(wanted)
    begin = tuple(one for one in ids if start and any(_letters(two).startswith(start) for two in (one, _tail(one))))
    if len(begin) > _NEAR_MAX:
        return UnknownNameError(
            what, name, ids, f"{len(begin)} begin so: name one, such as {begin[0]}; {listed}", near=()
        )
    if begin:
        return UnknownNameError(what, name, ids, near=begin)
    tails = {_tail(one): one for one in ids}
    near = nearest_name(wanted, others) or tails.get(nearest_name(wanted.rpartition("/")[2], tails) or "")
    return UnknownNameError(what, name, ids, listed, near=(near,) if near else near_names(name, (*others, *ids)))


def _letters(name: str) -> str:
    """ "qwen3vl8b" of "Qwen3-VL-8B": what is left where people write hyphens differently."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == ".")


def _tail(hub_id: str) -> str:
    """ "qwen3-vl-8b-instruct" of "Qwen/Qwen3-VL-8B-Instruct"."""
    return hub_id.lower().rpartition("/")[2]


def published_files(model: Checkpoint) -> dict[str, dict[str, Any]]:
    """The config.json of a model and the files of its processors, by name, as they were published.

    Raises:
        InputError: the folder that the model was read from is gone, or holds something else now.
    """
    if model.hub_id:
        shipped = dict(zip(FILES[:3], _files(model.hub_id), strict=False))
        return {name: content for name, content in shipped.items() if content is not None}
    path = Path(model.source)
    file = path if path.suffix == ".json" else path / FILES[0]
    beside = [name for name in FILES[1:3] if (file.parent / name).is_file()]
    return {FILES[0]: dict(_read(file)), **{name: dict(_read(file.parent / name)) for name in beside}}


@cache
def read_released(hub_id: str) -> Checkpoint:
    """One of `released_ids` or of `variant_ids`. Raises SpecError where something about it is not known."""
    config, preprocessor, processor, provenance = _files(hub_id)
    assert config is not None
    licence = _licences().get(hub_id, {})
    found = read_checkpoint(
        hub_id.partition("/")[2],
        config,
        preprocessor,
        processor,
        hub_id=hub_id,
        licence=licence.get("licence"),
        source=hub_id,
        provenance=provenance,
    )
    weights = _weights()
    return replace(
        found,
        notes=(*found.notes, *_thinking(hub_id)),
        licence_source=licence.get("source", ""),
        converted_from=weights["converted_from"].get(hub_id, {}).get("from", ""),
        pretrained=weights["pretrained"].get(hub_id, ""),
    )


def _thinking(hub_id: str) -> tuple[str, ...]:
    """What has to be said of a model that writes its reasoning before the answer."""
    known = _thinks()
    if hub_id in known["always"]:
        return ("it thinks before it answers: generated tokens have to count that too, often thousands of them",)
    if hub_id in known["when_told"]:
        return ("it can think before it answers: where it does, generated tokens have to count that too",)
    return ()


@cache
def _weights() -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = json.loads(
        (resources.files(__package__) / "weights.json").read_text("utf-8")
    )
    return found


@cache
def _thinks() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((resources.files(__package__) / "thinking.json").read_text("utf-8"))
    return found


def _files(hub_id: str) -> tuple[dict[str, Any] | None, ...]:
    """The content of each of FILES; of a variant that of the model whose sizes it has, with what is otherwise."""
    variant = _variants().get(hub_id)
    folder = _shipped() / (hub_id if variant is None else variant["of"]).replace("/", "--", 1)
    config, *others, provenance = (_read_shipped(folder / name) for name in FILES)
    if variant is not None and config is not None:
        config |= variant["config"]
        provenance = {**(provenance or {}), "hub_id": hub_id, "variant_of": variant["of"], "variant": variant["source"]}
    return (config, *others, provenance)


@cache
def _variants() -> Mapping[str, Mapping[str, Any]]:
    content = json.loads((resources.files(__package__) / "variants.json").read_text("utf-8"))
    found: Mapping[str, Mapping[str, Any]] = content["variants"]
    return found


def _from_folder(path: Path) -> Checkpoint:
    """Raises InputError."""
    name, config, source = read_folder(path)
    folder = path.parent if path.suffix == ".json" else path
    preprocessor, processor = (_read(folder / one) if (folder / one).is_file() else None for one in FILES[1:3])
    return read_checkpoint(name, config, preprocessor, processor, source=source)


def read_folder(path: Path) -> tuple[str, Mapping[str, Any], str]:
    """Name, values and source of a folder with a config.json, or of the file itself. Raises InputError."""
    file = path if path.suffix == ".json" else path / "config.json"
    config = _read(file)
    own = file.parent.resolve().name if file.name == FILES[0] else file.stem
    name = str(config.get("_name_or_path") or "") or own
    source = str(path)  # without "./" the name of a folder would be looked for among models, once it is gone
    if path.suffix != ".json" and not path.is_absolute() and not source.startswith(_OF_A_PATH):
        source = f"./{source}"
    return name.rstrip("/").rpartition("/")[2], config, source


def _read(path: Path) -> Mapping[str, Any]:
    content = read_json(path, "the config.json of a model", SpecError, lenient=True)
    if not isinstance(content, Mapping):
        raise SpecError(f"{path}: expected a JSON object, the config.json of a model")
    return content


def _read_shipped(path: Traversable) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return found


@cache
def _licences() -> Mapping[str, Mapping[str, str]]:
    content = json.loads((resources.files(__package__) / "licences.json").read_text("utf-8"))
    found: Mapping[str, Mapping[str, str]] = content["licences"]
    return found


@cache
def _shipped() -> Traversable:
    return resources.files(__package__) / "configs"
