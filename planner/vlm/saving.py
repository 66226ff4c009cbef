"""Saved folders: whole or not at all, never over another one without being asked, one shard in memory at a time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from planner.base.errors import InputError, OutputExistsError
from planner.base.files import refuse_existing
from planner.base.quantities import format_bytes
from planner.base.version import __version__

from .build import Progress, free_bytes, read_device, weights_bytes
from .configuration import PlannerVlmConfig
from .materialise import materialise, seeded, tied_names, units, weights_of
from .modeling import PlannerVlmForConditionalGeneration
from .modules import make_known
from .processing import PlannerVlmProcessor

SHARD_BYTES = 2 * 2**30
"""At most in one file, unless a single layer is larger."""
_WEIGHTS = "model.safetensors"


def save_model(
    model: PlannerVlmForConditionalGeneration,
    processor: PlannerVlmProcessor,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Path:
    """Writes a folder that AutoModelForImageTextToText and AutoProcessor load.

    A model on the meta device gets random weights on the way to the disk, the same as `build` gives for this seed, so
    that it may be larger than the memory.

    Args:
        model: what to save.
        processor: of `make_processor`.
        folder: must not exist, unless `overwrite`.
        overwrite: whether a model that was saved there is replaced.
        shard_bytes: size of a file of weights, at most.
        seed: of random weights.
        device: where random weights are made.
        progress: told what is done.

    Raises:
        OutputExistsError: the folder exists.
        InputError: it cannot be written, the disk is too small, or the model has adapters that are not merged.
    """
    target = Path(folder)
    _check_whole(model)
    model.config.written_with = {"vlm-planner": __version__}
    with whole_folder(target, overwrite=overwrite, needed_bytes=weights_bytes(model)) as part:
        if any(weight.device.type == "meta" for weight in model.parameters()):
            _stream_random(model, part, shard_bytes, seed, read_device(device), progress)
            model.save_pretrained(part / "shell", state_dict={})
            for file in (part / "shell").iterdir():
                if file.suffix != ".safetensors":
                    file.rename(part / file.name)
            shutil.rmtree(part / "shell")
        else:
            if progress is not None:
                progress(f"writing {target.name}", 0, 1)
            model.save_pretrained(part, max_shard_size=shard_bytes)
        processor.save_pretrained(part)
    return target


def _check_whole(model: Any) -> None:
    """Refuses a model that PEFT has wrapped, of which only the adapters would be written."""
    wrapped = not isinstance(model, PlannerVlmForConditionalGeneration)
    if wrapped or any(".base_layer." in name for name, _ in model.named_parameters()):
        what = f"a {type(model).__name__}" if wrapped else "one with adapters in it"
        raise InputError(
            f"save_model expects a whole model, got {what}: merge its adapters first (model.merge_and_unload() of "
            "PEFT), or write them alone with its save_pretrained"
        )


def load_model(
    folder: str | os.PathLike[str], device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> tuple[PlannerVlmForConditionalGeneration, Any]:
    """A saved model and its processor, by default in the dtype that it was saved in.

    Raises:
        InputError: the folder holds no model that `save_model` wrote, or the device has too little free memory.
    """
    path, place = Path(folder), read_device(device)
    config = _config_of(path)
    if config.get("model_type") != PlannerVlmConfig.model_type:
        raise InputError(f"{path} holds no model that vlm-planner build wrote: expected its config.json")
    try:
        make_known(config.get("compressor", PlannerVlmConfig.compressor))
    except InputError as error:
        raise InputError(f"cannot load {path}: {error}; register the compressor before the model is loaded") from None
    needed, free = sum(file.stat().st_size for file in path.glob("*.safetensors")), free_bytes(place)
    if free is not None and needed > free:
        raise InputError(f"{path} needs {format_bytes(needed)} for its weights, {place} has {format_bytes(free)} free")
    try:
        found: Any = AutoModelForImageTextToText.from_pretrained(
            path, local_files_only=True, trust_remote_code=False, output_loading_info=True, dtype=dtype or "auto"
        )
        processor = AutoProcessor.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # a damaged folder fails in many ways
        raise InputError(f"cannot load {path}: {' '.join(str(error).split())[:200]}{_other_version(config)}") from None
    model, info = found
    if info["missing_keys"]:
        raise InputError(f"{path} lacks {len(info['missing_keys'])} weights, such as {min(info['missing_keys'])}")
    return model.to(place).eval(), processor


def _other_version(config: dict[str, Any]) -> str:
    """That a folder was written with another transformers than the one that cannot load it; "" if with the same."""
    wrote = (config.get("written_with") or {}).get("transformers", transformers.__version__)
    if wrote == transformers.__version__:
        return ""
    return f" (it was written with transformers {wrote}, this is {transformers.__version__})"


def export_llm(
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Writes the language model of a saved model, with the tokenizer, as a plain checkpoint for serving engines.

    Given the rows of `to_prompt_embeds`, it answers as the whole model does.

    Raises:
        OutputExistsError: the output exists.
        InputError: no model in the folder, or the output cannot be written.
    """
    target = Path(output)
    check_output(target, overwrite)
    model, processor = load_model(folder)
    return write_llm(model, processor, target, overwrite=overwrite, shard_bytes=shard_bytes)


def write_llm(
    model: PlannerVlmForConditionalGeneration,
    processor: Any,
    target: Path,
    *,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """As `export_llm`, of a model that is loaded."""
    llm = model.language_model
    llm.generation_config = model.generation_config
    needed = sum(weight.numel() * weight.element_size() for weight in llm.parameters())
    with whole_folder(target, overwrite=overwrite, needed_bytes=needed) as part:
        llm.save_pretrained(part, max_shard_size=shard_bytes)
        processor.tokenizer.save_pretrained(part)
    return target


def check_output(target: Path, overwrite: bool) -> None:
    """Refuses what could not be written anyway, before any work.

    Raises:
        OutputExistsError: something is there, and is not to be overwritten.
        InputError: it is to be overwritten and is no saved model, or its folder is not there.
    """
    refuse_existing(target, overwrite)
    if target.exists() and not (target.is_dir() and (_config_of(target) or not any(target.iterdir()))):
        raise InputError(f"{target} is no folder of a saved model: it is not overwritten; name another folder")
    if not target.absolute().parent.is_dir():
        raise InputError(f"cannot write {target}: there is no folder {target.parent}")


@contextmanager
def whole_folder(target: Path, *, overwrite: bool, needed_bytes: int) -> Iterator[Path]:
    """A temporary folder beside the target, which becomes the target at the end; gone after an error."""
    check_output(target, overwrite)
    parent = target.absolute().parent
    free = shutil.disk_usage(parent).free
    if needed_bytes > free:
        raise InputError(f"{target} needs {format_bytes(needed_bytes)}, the disk has {format_bytes(free)} free")
    try:
        part = Path(tempfile.mkdtemp(dir=parent, prefix=f".{target.name[:40]}.", suffix=".part"))
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from None
    try:
        yield part
        for file in part.iterdir():
            _sync(file)
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o777 & ~umask)
        _put(part, target, overwrite)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put(part: Path, target: Path, overwrite: bool) -> None:
    """Moves the finished folder to its place; what was there is removed only when the new one stands."""
    if not target.exists():
        part.rename(target)
        return
    if not overwrite:
        raise OutputExistsError(target)
    old = part.with_suffix(".old")
    target.rename(old)
    try:
        part.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("rb") as opened:
        os.fsync(opened.fileno())


def _config_of(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _stream_random(
    model: PlannerVlmForConditionalGeneration,
    folder: Path,
    shard_bytes: int,
    seed: int,
    device: torch.device,
    progress: Progress | None,
) -> None:
    """Makes the weights unit by unit and writes them; leaves the model on the meta device."""
    tied = tied_names(model)
    listed = list(units(model))
    shards: list[tuple[Path, list[str]]] = []
    waiting: dict[str, Tensor] = {}
    total = 0

    def write() -> None:
        file = folder / f"shard-{len(shards) + 1}"
        save_file({name: value.contiguous() for name, value in waiting.items()}, file, metadata={"format": "pt"})
        shards.append((file, list(waiting)))
        waiting.clear()

    with seeded(seed, device):
        for step, (name, unit, owner) in enumerate(listed):
            if progress is not None:
                progress(f"random weights into {len(shards) + 1} shards", step, len(listed))
            materialise(name, unit, owner, device, tied)
            made = {key: value.detach().cpu() for key, value in weights_of(name, unit, tied).items()}
            size = sum(value.numel() * value.element_size() for value in made.values())
            if waiting and sum(v.numel() * v.element_size() for v in waiting.values()) + size > shard_bytes:
                write()
            waiting |= made
            total += size
            unit.to("meta")
    write()
    model.tie_weights(recompute_mapping=False)
    if len(shards) == 1:
        shards[0][0].rename(folder / _WEIGHTS)
        return
    places: dict[str, str] = {}
    for number, (file, names) in enumerate(shards, start=1):
        final = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        file.rename(folder / final)
        places |= dict.fromkeys(names, final)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    (folder / f"{_WEIGHTS}.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
