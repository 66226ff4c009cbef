"""A built released model as a folder: weights, config, the files of its processors, and where all of it comes from."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from planner.base.version import __version__
from planner.parts.released import Checkpoint, published_files
from planner.vlm.build import weights_bytes
from planner.vlm.saving import SHARD_BYTES, whole_folder
from planner.vlm.weights import RANDOM

MANIFEST = "vlm-planner.json"
_TOKENIZER = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "chat_template*", "*.model")


def save_released(
    model: Any,
    checkpoint: Checkpoint,
    folder: str | os.PathLike[str],
    *,
    weights: str = RANDOM,
    seed: int = 0,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Writes a folder that transformers, engines and `find_checkpoint` read; whole or not at all.

    Args:
        model: of `build_released`, not on the meta device.
        checkpoint: what it was built from.
        folder: must not exist, unless `overwrite`.
        weights: where they came from, as `build_released` took it; a folder's tokenizer is copied.
        seed: of random weights.
        overwrite: whether a model that was saved there is replaced.
        shard_bytes: size of a file of weights, at most.

    Raises:
        OutputExistsError: the folder exists.
        InputError: it cannot be written, or the disk is too small.
    """
    target = Path(folder)
    with whole_folder(target, overwrite=overwrite, needed_bytes=weights_bytes(model)) as part:
        model.save_pretrained(part, max_shard_size=shard_bytes)
        for name, content in published_files(checkpoint).items():
            if name != "config.json":  # transformers wrote the one of the model as it is
                (part / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        source = Path(weights).expanduser()
        if source.is_dir():
            for pattern in _TOKENIZER:
                for file in source.glob(pattern):
                    shutil.copyfile(file, part / file.name)
        (part / MANIFEST).write_text(
            json.dumps(_manifest(model, checkpoint, weights, seed), indent=2) + "\n", encoding="utf-8"
        )
    return target


def _manifest(model: Any, checkpoint: Checkpoint, weights: str, seed: int) -> dict[str, Any]:
    return {
        "vlm_planner": __version__,
        "model": checkpoint.name,
        "hub_id": checkpoint.hub_id or None,
        "revision": checkpoint.revision,
        "licence": checkpoint.licence,
        "weights": weights,
        "seed": seed if weights == RANDOM else None,
        "params": sum(weight.numel() for weight in model.parameters()),
        "dtype": str(model.dtype).removeprefix("torch."),
    }
