"""The shipped specs, and a spec from any Hugging Face config.json.

A language model is named by its name ("Qwen2.5-7B"), by its family ("qwen2.5"; "llama" takes all families that begin
so), by "all", or by the path of a config.json. Names are read without regard to case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from planner.errors import InputError, SpecError, UnknownNameError
from planner.models.configs import llm_spec, vision_spec
from planner.models.specs import COMPRESSORS, CompressorSpec, LlmSpec, VisionSpec
from planner.quantities import parse_params

DEFAULT_VISION = "CLIP-ViT-L/14-336"
DEFAULT_COMPRESSOR = "quecc"

_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?[BMbm])(?![A-Za-z0-9])")


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(resources.files(__package__).joinpath("catalog.json").read_text("utf-8"))
    return content


@cache
def llm_catalog() -> dict[str, LlmSpec]:
    """The shipped language models by name, in families by ascending size."""
    return {
        name: llm_spec(
            name,
            entry["config"],
            family=entry["family"],
            model_type=entry["model_type"],
            nominal_params=entry["nominal_params"],
            hf_id=entry["hf_id"],
            source=entry["source"],
        )
        for name, entry in _content()["llm"].items()
    }


@cache
def vision_catalog() -> dict[str, VisionSpec]:
    """The shipped vision towers by name."""
    return {
        name: vision_spec(
            name, entry["config"], model_type=entry["model_type"], params=entry["params"], source=entry["source"]
        )
        for name, entry in _content()["vision"].items()
    }


def find_llms(selection: str | LlmSpec | Iterable[str | LlmSpec]) -> tuple[LlmSpec, ...]:
    """The language models of a selection, each once: names, families, "all", config.json paths, specs, or a mixture.

    A text may name several, separated by commas.

    Raises:
        UnknownNameError: a name that is no model, family or file.
        SpecError: a config.json that cannot be used.
        InputError: an empty selection.
    """
    entries = [selection] if isinstance(selection, (str, LlmSpec)) else list(selection)
    found: dict[str, LlmSpec] = {}
    for entry in entries:
        if isinstance(entry, LlmSpec):
            found[entry.name] = entry
            continue
        for name in filter(None, (part.strip() for part in entry.split(","))):
            found |= {spec.name: spec for spec in _named(name)}
    if not found:
        raise InputError("no language model named; expected a name, a family, 'all', or the path of a config.json")
    return tuple(found.values())


def find_vision(name: str | VisionSpec) -> VisionSpec:
    """A vision tower by name or config.json path. Raises UnknownNameError or SpecError."""
    if isinstance(name, VisionSpec):
        return name
    by_lower = {known.lower(): spec for known, spec in vision_catalog().items()}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    if _is_path(name):
        return vision_spec(_name_of(Path(name)), _read_config(Path(name)), source=name)
    raise UnknownNameError("vision tower", name, vision_catalog())


def find_compressor(name: str | CompressorSpec) -> CompressorSpec:
    """A compressor by name. Raises UnknownNameError."""
    if isinstance(name, CompressorSpec):
        return name
    if name.lower() not in COMPRESSORS:
        raise UnknownNameError("compressor", name, COMPRESSORS)
    return COMPRESSORS[name.lower()]


def family_of(llm: str) -> str | None:
    """The catalogue's family of a language model's name, whatever its suffixes; None if there is none."""
    catalog = llm_catalog()
    if llm in catalog:
        return catalog[llm].family
    families = {spec.family for spec in catalog.values()}
    fitting = [family for family in families if re.match(rf"{re.escape(family)}(?![\d.])", llm, re.IGNORECASE)]
    return max(fitting, key=len, default=None)


def load_llm_config(path: str | Path) -> LlmSpec:
    """The spec of a config.json (or of the folder that holds one). Raises SpecError.

    The nominal size is read from the name ("my-model-7B"), else the exact count stands in for it.
    """
    path = Path(path)
    config = _read_config(path)
    label = str(config.get("_name_or_path") or "") or _name_of(path)
    name = Path(label).name or _name_of(path)
    size = _SIZE.findall(name)
    return llm_spec(name, config, nominal_params=parse_params(size[-1]) if size else None, source=str(path))


def _named(name: str) -> Iterable[LlmSpec]:
    catalog = llm_catalog()
    lower = name.lower()
    if lower == "all":
        return catalog.values()
    exact = [spec for spec in catalog.values() if spec.name.lower() == lower or spec.hf_id.lower() == lower]
    if exact:
        return exact
    families = sorted({spec.family for spec in catalog.values()})
    chosen = [family for family in families if family.lower() == lower]
    chosen = chosen or [family for family in families if re.match(rf"{re.escape(lower)}(?=[-\d]|$)", family.lower())]
    if chosen:
        return [spec for spec in catalog.values() if spec.family in chosen]
    if _is_path(name):
        return [load_llm_config(name)]
    listed = f"there are the families {', '.join(families)}, their models, 'all', and the path of any config.json"
    raise UnknownNameError("language model or family", name, [*families, *catalog], listed)


def _is_path(name: str) -> bool:
    return name.endswith(".json") or Path(name).is_dir()


def _name_of(path: Path) -> str:
    """What a config is called: its folder, unless the file has a name of its own."""
    return path.resolve().parent.name if path.name == "config.json" else path.stem if path.suffix else path.name


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "config.json" if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"cannot read {file}: {error.strerror}; expected a Hugging Face config.json") from None
    except ValueError:
        raise SpecError(f"{file} is not JSON; expected a Hugging Face config.json") from None
    if not isinstance(content, dict):
        raise SpecError(f"{file} holds no JSON object; expected a Hugging Face config.json")
    return content
