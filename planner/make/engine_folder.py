"""Folders that a serving engine serves by itself, with the command that does it.

vLLM builds a saved model through its backend for models of transformers: `AutoModel` of the folder, without a head. A
compressor that reads no query, or whose query has an encoder of its own, runs inside: an image then becomes tokens by
itself, or with the question that the request carries beside it (`mm_processor_kwargs`). A compressor that asks the
language model cannot: the engine owns that model's attention and its cache. The folder then holds the language model,
and a client of ours sends whole prompts as embeddings.
"""

from __future__ import annotations

import json
import os
import shlex
from abc import ABC, abstractmethod
from importlib import resources
from pathlib import Path
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.registry import Registry
from planner.vlm.build import Progress
from planner.vlm.configuration import PlannerVlmConfig
from planner.vlm.saving import SHARD_BYTES, check_output, load_model, save_model, write_llm

CLIENT = "prompt_embeds_client.py"
PAGE = "SERVE.md"


@dataclass(frozen=True)
class EngineFolder:
    """What was written, and how it is served."""

    engine: str
    folder: str
    served_model: str
    """As requests name it."""
    command: str
    """Serves it, typed where the folder is named as it was here."""
    by_rows: bool
    """Whether prompts come as embeddings, which `prompt_embeds_client.py` makes."""
    asks: bool
    """Whether the question of a request has to stand in `mm_processor_kwargs` too."""
    checked: str
    """What was seen of it."""

    def request(self, question: str) -> dict[str, Any]:
        """What a chat completion must hold beside its messages."""
        return {"mm_processor_kwargs": {"queries": question}} if self.asks else {}


class FolderEngine(ABC):
    """An engine that serves saved folders."""

    name: str
    title: str

    @abstractmethod
    def check(self, config: PlannerVlmConfig) -> None:
        """Raises InputError for a model that the engine cannot serve in any way."""

    @abstractmethod
    def serve(self, config: PlannerVlmConfig, folder: Path) -> EngineFolder:
        """How a folder of this model is served."""


FOLDER_ENGINES: Registry[FolderEngine] = Registry("engine", FolderEngine)
"""Engines by name."""


class VllmFolder(FolderEngine):
    """vLLM, by its backend for models of transformers."""

    name = "vllm"
    title = "vLLM"

    def check(self, config: PlannerVlmConfig) -> None:
        if config.query.runs_llm:
            return
        if not config.compressor_class.__module__.startswith("planner.vlm."):
            raise InputError(
                f"compressor {config.compressor!r} comes from {config.compressor_class.__module__}, which a saved "
                "folder does not carry: vLLM cannot load it; expected a compressor of vlm-planner"
            )
        if config.image_token_id >= config.text_config.vocab_size:
            raise InputError(
                f"image token {config.image_token_id} lies outside the embedding of {config.text_config.vocab_size} "
                "rows, which vLLM looks up: build the model again with this version"
            )

    def serve(self, config: PlannerVlmConfig, folder: Path) -> EngineFolder:
        by_rows, asks = config.query.runs_llm, config.asks_beside_the_prompt and not config.query.runs_llm
        flags = ["--enable-prompt-embeds"] if by_rows else ["--trust-remote-code", "--limit-mm-per-prompt"]
        flags += [] if by_rows else ['{"image": 1}']
        flags += ["--trust-request-mm-kwargs"] if asks else []
        words = ["vllm", "serve", str(folder), "--served-model-name", folder.name, *flags]
        return EngineFolder(
            engine=self.name,
            folder=str(folder),
            served_model=folder.name,
            command=shlex.join(words),
            by_rows=by_rows,
            asks=asks,
            checked="vLLM 0.32.0 on a CPU, greedy tokens equal to transformers' (benchmarks/engine_parity.py)",
        )


FOLDER_ENGINES.register(VllmFolder())


def export_for_engine(
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    engine: str,
    *,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress | None = None,
) -> EngineFolder:
    """Writes a folder that an engine serves, with a page that says how.

    Args:
        folder: of a model that `build` wrote.
        output: must not exist, unless `overwrite`.
        engine: of FOLDER_ENGINES: "vllm".
        overwrite: whether a model that was saved there is replaced.
        shard_bytes: size of a file of weights, at most.
        progress: told what is done.

    Raises:
        OutputExistsError: the output exists.
        InputError: no model in the folder, one that the engine cannot serve, an output that cannot be written.
        UnknownNameError: an engine that is not known here.
    """
    found, target = FOLDER_ENGINES.find(engine), Path(output)
    check_output(target, overwrite)
    model, processor = load_model(folder)
    found.check(model.config)
    served = found.serve(model.config, target)
    if served.by_rows:
        write_llm(model, processor, target, overwrite=overwrite, shard_bytes=shard_bytes)
        source = resources.files("planner.make").joinpath(CLIENT)
        (target / CLIENT).write_text(source.read_text("utf-8"), encoding="utf-8")
    else:
        save_model(model, processor, target, overwrite=overwrite, shard_bytes=shard_bytes, progress=progress)
    (target / PAGE).write_text(page(served, str(folder), found.title), encoding="utf-8")
    return served


def page(served: EngineFolder, source: str, title: str) -> str:
    """The page beside the weights: the command, a request, and what to mind."""
    lines = [f"# {served.served_model} in {title}", "", "```sh", served.command, "```", ""]
    if served.by_rows:
        lines += [
            "The compressor asks the language model for its query, whose attention the engine replaces: prompts are",
            "sent as embeddings, by a process that runs tower, compressor and query pass of the whole model.",
            "",
            "```sh",
            f"python {CLIENT} {shlex.quote(source)} {served.served_model} photo.png 'What is on the table?' "
            "--url http://127.0.0.1:8000",
            "```",
        ]
    else:
        body: dict[str, Any] = {"model": served.served_model, **served.request("What is on the table?")}
        lines += [
            "Requests are those of OpenAI's chat completions, with an image as `image_url` in the message, one image a",
            "prompt.",
        ]
        if served.asks:
            lines += [
                "Each carries its question a second time, for the compressor; without it the compressor is asked an",
                "empty question:",
                "",
                "```json",
                json.dumps(body | {"messages": [_MESSAGE]}, indent=1),
                "```",
                "",
                "The engine keys its caches of images by these arguments too: the same image with another question has",
                "tokens of its own.",
            ]
    lines += ["", f"Seen: {served.checked}.", ""]
    return "\n".join(lines)


_MESSAGE = {
    "role": "user",
    "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,..."}},
        {"type": "text", "text": "What is on the table?"},
    ],
}
