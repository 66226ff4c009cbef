"""The parts that have a name, shipped or registered from outside, and parts from any Hugging Face config.json.

A language model is named by its name ("Qwen2.5-7B"), by its family ("qwen2.5"; "llama" takes all families that begin
so), by "all", or by the path of a config.json. Names are read without regard to case.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from planner.base.errors import InputError, SpecError, UnknownNameError
from planner.base.files import read_json
from planner.base.quantities import shown
from planner.base.registry import Registry
from planner.parts.compressors import COMPRESSORS, Compressor
from planner.parts.configs import read_llm, read_tower
from planner.parts.connectors import CONNECTORS, Connector
from planner.parts.llms import Llm
from planner.parts.sizes import nominal_params
from planner.parts.towers import Tower

DEFAULT_VISION = "CLIP-ViT-L/14-336"
DEFAULT_COMPRESSOR = "quecc"
DEFAULT_CONNECTOR = "mlp"

Llms: TypeAlias = "str | os.PathLike[str] | Llm | Iterable[str | os.PathLike[str] | Llm]"
"""How language models may be named."""


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(resources.files(__package__).joinpath("catalog.json").read_text("utf-8"))
    return content


def _register_shipped_llms() -> None:
    for name, entry in _content()["llm"].items():
        LLMS.register(
            read_llm(
                name,
                entry["config"],
                family=entry["family"],
                model_type=entry["model_type"],
                nominal_params=entry["nominal_params"],
                hf_id=entry["hf_id"],
                source=entry["source"],
                whole=False,
            )
        )


def _register_shipped_towers() -> None:
    for name, entry in _content()["vision"].items():
        TOWERS.register(
            read_tower(
                name,
                entry["config"],
                model_type=entry["model_type"],
                params=entry["params"],
                hf_id=entry["hf_id"],
                source=entry["source"],
            )
        )


LLMS: Registry[Llm] = Registry("language model", Llm, fill=_register_shipped_llms)
"""Language models by name; the shipped ones first, in families by ascending size."""
TOWERS: Registry[Tower] = Registry("vision tower", Tower, fill=_register_shipped_towers)
"""Vision towers by name, the shipped ones first."""


def llm_catalog() -> dict[str, Llm]:
    """The registered language models by name, the shipped ones in families by ascending size."""
    return {llm.name: llm for llm in LLMS}


def vision_catalog() -> dict[str, Tower]:
    """The registered vision towers by name."""
    return {tower.name: tower for tower in TOWERS}


def compressor_catalog() -> dict[str, Compressor]:
    """The registered compressors by name."""
    return {compressor.name: compressor for compressor in COMPRESSORS}


def shipped_config(kind: str, name: str, source: str) -> dict[str, Any] | None:
    """The config values of a shipped part ("llm", "vision") that was read from that source; None for another part."""
    entry = _content()[kind].get(name)
    config: dict[str, Any] | None = entry["config"] if entry is not None and entry["source"] == source else None
    return config


def find_llms(selection: Llms) -> tuple[Llm, ...]:
    """The language models of a selection, each once: names, families, "all", config.json paths, specs, or a mixture.

    A text may name several, separated by commas.

    Raises:
        UnknownNameError: a name that is no model, family or file.
        SpecError: a config.json that cannot be used.
        InputError: an empty selection, or two different models of one name.
    """
    entries: list[Any] = [selection]
    if isinstance(selection, Iterable) and not isinstance(selection, str | os.PathLike):
        entries = list(selection)
    specs: list[Llm] = []
    for entry in entries:
        if isinstance(entry, Llm):
            specs.append(entry)
        elif isinstance(entry, os.PathLike):
            specs.append(load_llm_config(Path(entry)))
        elif not isinstance(entry, str):
            raise InputError(f"llms: expected names, families, paths of config.json or Llm objects, got {shown(entry)}")
        else:
            for name in filter(None, (part.strip() for part in entry.split(","))):
                specs += _named(name)
    found: dict[str, Llm] = {}
    for spec in specs:
        if found.setdefault(spec.name, spec) != spec:
            raise InputError(f"two different models are called {spec.name!r}: rename the folder of one")
    if not found:
        raise InputError("no language model named; expected a name, a family, 'all', or the path of a config.json")
    return tuple(found.values())


def find_vision(name: str | Tower) -> Tower:
    """A vision tower by name or config.json path. Raises UnknownNameError or SpecError."""
    if isinstance(name, Tower):
        return name
    if not isinstance(name, str):
        raise InputError(f"vision: expected the name of a tower, a config.json or a Tower, got {shown(name)}")
    known = TOWERS.get(name)
    if known is not None:
        return known
    if _is_path(name):
        return read_tower(_name_of(Path(name)), _read_config(Path(name)), source=name)
    raise UnknownNameError("vision tower", name, vision_catalog())


def find_compressor(name: str | Compressor) -> Compressor:
    """A compressor by name. Raises UnknownNameError."""
    if isinstance(name, Compressor):
        return name
    return COMPRESSORS.find(name)


def find_connector(name: str | Connector) -> Connector:
    """A connector by name. Raises UnknownNameError."""
    if isinstance(name, Connector):
        return name
    return CONNECTORS.find(name)


def family_of(llm: str) -> str | None:
    """The catalogue's family of a language model's name, whatever its suffixes; None if there is none."""
    catalog = llm_catalog()
    name = llm.rpartition("/")[2]  # a hub id names its owner first
    if name in catalog:
        return catalog[name].family
    families = {spec.family for spec in catalog.values()}
    fitting = [family for family in families if re.match(rf"{re.escape(family)}(?![\w.])", name, re.IGNORECASE)]
    return max(fitting, key=len, default=None)


def load_llm_config(path: str | Path) -> Llm:
    """The spec of a config.json (or of the folder that holds one). Raises SpecError.

    The nominal size is read from the name ("my-model-7B"), else the exact count stands in for it.
    """
    path = Path(path)
    config = _read_config(path)
    label = str(config.get("_name_or_path") or "") or _name_of(path)
    name = Path(label).name or _name_of(path)
    spec = read_llm(name, config, family=family_of(name) or name, source=str(path))
    nominal = nominal_params(name, spec.params)
    if nominal is None:
        return spec
    return read_llm(name, config, family=spec.family, nominal_params=nominal, source=str(path))


def _named(name: str) -> Iterable[Llm]:
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
    if path.is_dir():
        return path.resolve().name
    return path.resolve().parent.name if path.name == "config.json" else path.stem


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "config.json" if path.is_dir() else path
    content = read_json(file, "a Hugging Face config.json", SpecError, lenient=True)
    if not isinstance(content, dict):
        raise SpecError(f"{file} holds no JSON object; expected a Hugging Face config.json")
    return content
