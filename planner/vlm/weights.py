"""Pretrained parts: from a local folder, a GGUF file or, where a hub id is given, the Hugging Face hub."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from huggingface_hub import constants
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging
from transformers.utils.output_capturing import maybe_install_capturing_hooks

from planner.base.errors import InputError
from planner.base.quantities import shown

from .recipe import Recipe
from .towers import TOWERS

RANDOM = "random"
PRETRAINED = "pretrained"

Weights = str | Mapping[str, str]
""""random", "pretrained" (the hub ids of the catalogue), or {"llm": PATH_OR_ID, "vision": PATH_OR_ID}."""

_PARTS = {"llm": "language model", "vision": "vision tower"}
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class Source:
    """Where a part comes from."""

    part: str
    """"llm" or "vision"."""
    place: str
    """A folder, or a hub id."""
    gguf: str | None = None
    """Name of a GGUF file in the folder."""
    on_hub: bool = False

    def __str__(self) -> str:
        return str(Path(self.place) / self.gguf) if self.gguf else self.place

    @property
    def options(self) -> dict[str, Any]:
        """Where transformers shall look."""
        file = {"gguf_file": self.gguf} if self.gguf else {}
        return {"pretrained_model_name_or_path": self.place, "local_files_only": not self.on_hub or _offline(), **file}

    def config(self) -> PreTrainedConfig:
        """Raises InputError where there is none that transformers can use."""
        with self._telling("config"):
            return AutoConfig.from_pretrained(**self.options, trust_remote_code=False)

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Raises InputError where there is none."""
        files = () if self.on_hub or self.gguf else Path(self.place).iterdir()
        if files and not any(file.name in _TOKENIZER_FILES for file in files):  # transformers would make an empty one
            raise InputError(f"{self} has no tokenizer: put the language model's tokenizer.json there")
        with self._telling("tokenizer"):
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(**self.options, trust_remote_code=False)
            return tokenizer

    def language_model(self, config: PreTrainedConfig, dtype: torch.dtype, device: torch.device) -> Any:
        """The causal language model, every weight from the checkpoint. Raises InputError."""
        return self._model(AutoModelForCausalLM, config, dtype, device)

    def tower(self, config: PreTrainedConfig, dtype: torch.dtype, device: torch.device) -> Any:
        """The vision tower, cut as the config says, as the whole model has it. Raises InputError."""
        tower = self._model(TOWERS.find(config.model_type).model_class(), config, dtype, device)
        tower.post_layernorm = nn.Identity()
        maybe_install_capturing_hooks(tower)
        return tower

    def _model(self, kind: Any, config: PreTrainedConfig, dtype: torch.dtype, device: torch.device) -> Any:
        with self._telling("weights"):
            model, info = kind.from_pretrained(
                **self.options,
                config=config,
                dtype=dtype,
                device_map=None if device.type == "cpu" else {"": device},
                output_loading_info=True,
                trust_remote_code=False,
                **({} if self.gguf else {"use_safetensors": True}),
            )
        missing = [*info["missing_keys"], *(str(wrong[0]) for wrong in info["mismatched_keys"])]
        if missing:
            raise InputError(f"{self} lacks {len(missing)} weights of this {_PARTS[self.part]}, such as {missing[0]}")
        return model

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """What a checkpoint may lack, in one sentence."""
        level = logging.get_verbosity()
        logging.set_verbosity_error()  # weights that are not used (layers cut off, text towers) are no news
        try:
            yield
        except Exception as error:  # of many kinds, by what was missing where
            reason = " ".join(str(error).split())
            if self.gguf and isinstance(error, ImportError):
                raise InputError("a GGUF file needs the packages gguf and accelerate: pip install gguf") from None
            if self.on_hub:
                raise InputError(
                    f"cannot load the {what} of {self} from the Hugging Face hub (offline, gated, or no such model): "
                    f"download it where there is a network, and give its folder as {self.part}=PATH"
                ) from None
            raise InputError(
                f"cannot load the {what} of a {_PARTS[self.part]} from {self}: {reason[:200] or type(error).__name__}"
            ) from None
        finally:
            logging.set_verbosity(level)


def find_sources(weights: Weights, recipe: Recipe | None = None) -> dict[str, Source]:
    """Where the pretrained parts come from, by part; nothing for random weights.

    Args:
        weights: see `Weights`.
        recipe: whose hub ids "pretrained" means.

    Raises:
        InputError: no such part, folder, file or hub id.
    """
    if isinstance(weights, str):
        if weights == RANDOM:
            return {}
        if weights != PRETRAINED:
            raise InputError(f"weights: expected random, pretrained or llm=PATH,vision=PATH, got {shown(weights)}")
        if recipe is None:
            raise InputError("weights pretrained: name the language model")
        ids = {"llm": recipe.llm.hf_id, "vision": recipe.vision.hf_id}
        for part, name in (("llm", recipe.llm.name), ("vision", recipe.vision.name)):
            if not ids[part]:
                raise InputError(f"no hub id of {name} is known: give its folder, as {part}=PATH")
        return {part: Source(part, place, on_hub=True) for part, place in ids.items()}
    unknown = [part for part in weights if part not in _PARTS]
    if unknown or not weights:
        raise InputError(f"weights: expected parts of llm and vision, got {shown(', '.join(unknown))}")
    return {part: _source(part, str(place)) for part, place in weights.items()}


def _source(part: str, place: str) -> Source:
    path = Path(place).expanduser()
    if path.is_file():
        if path.suffix.lower() != ".gguf" or part != "llm":
            kinds = "a folder or a GGUF file" if part == "llm" else "a folder"
            raise InputError(f"{part}={place}: expected {kinds} of a {_PARTS[part]}, or a hub id")
        return Source(part, str(path.parent), gguf=path.name)
    if path.is_dir():
        packed = sorted(file.name for file in path.glob("*.gguf"))
        if not (path / "config.json").is_file() and packed and part == "llm":
            if len(packed) > 1:
                raise InputError(f"{part}={place}: {len(packed)} GGUF files there, name one, such as {packed[0]}")
            return Source(part, str(path), gguf=packed[0])
        return Source(part, str(path))
    if _HUB_ID.fullmatch(place) and not place.endswith(".gguf"):
        return Source(part, place, on_hub=True)
    raise InputError(f"{part}={place}: no such folder or GGUF file, and no hub id such as Qwen/Qwen2.5-0.5B")


def _offline() -> bool:
    """Whether the hub cannot be reached, without the many retries of a download; its cache may still have a model."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return constants.HF_HUB_OFFLINE
    try:
        socket.getaddrinfo(urlparse(constants.ENDPOINT).hostname, 443)
    except OSError:
        return True
    return constants.HF_HUB_OFFLINE


def byte_tokenizer(vocab_size: int) -> PreTrainedTokenizerFast:
    """A tokenizer made here, for random weights: one token a byte, an end and a pad.

    Args:
        vocab_size: of the language model.

    Raises:
        InputError: less than those 258.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if vocab_size < len(alphabet) + 2:
        raise InputError(
            f"a vocabulary of {vocab_size} is too small for the {len(alphabet) + 2} tokens of a byte level"
        )
    backend = Tokenizer(models.BPE(vocab={byte: number for number, byte in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=backend)
    made.add_special_tokens({"eos_token": "</s>", "pad_token": "<pad>"})
    return made
