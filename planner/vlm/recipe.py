"""What is to be built, by name: language model, tower, compressor, visual tokens, prompt order, with both configs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from planner.base.errors import InputError, SpecError, UnknownNameError
from planner.base.quantities import shown, whole_number
from planner.configuration import IMAGE_FIRST, PROMPT_ORDERS, Model
from planner.parts.catalog import (
    DEFAULT_COMPRESSOR,
    DEFAULT_CONNECTOR,
    DEFAULT_VISION,
    find_compressor,
    find_connector,
    find_llms,
    find_vision,
    shipped_config,
)
from planner.parts.compressors import Compressor
from planner.parts.configs import read_llm, read_tower
from planner.parts.connectors import CONNECTORS, Connector, Mlp
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.planning.candidate import Candidate
from planner.planning.result import Plan

from .configuration import PlannerVlmConfig
from .modules import module_name

Picked = Candidate | Plan | Mapping[str, Any]
"""A pick: a plan (its best), one of its candidates, or a plan as `Plan.to_dict` writes it."""

PROJECTOR = "mlp"
"""What a connector says in `built_as` where it is the projector of these models."""
_UNUSED = ("architectures", "transformers_version", "_name_or_path", "auto_map", "dtype", "torch_dtype")


@dataclass(frozen=True)
class Recipe:
    """A model's parts, each known both as the planner counts it and as transformers builds it."""

    llm: Llm
    vision: Tower
    compressor: Compressor
    visual_tokens: int
    """Per image."""
    prompt_order: str
    """"image-first" or "text-first"."""
    llm_config: Mapping[str, Any] = field(hash=False, repr=False)
    """Values of the language model's Hugging Face config."""
    vision_config: Mapping[str, Any] = field(hash=False, repr=False)
    """The same of the whole tower."""
    connector: Connector = field(default_factory=Mlp)

    @property
    def model(self) -> Model:
        """The model as the planner counts it."""
        return Model(self.llm, self.vision, self.compressor, self.visual_tokens, self.prompt_order, self.connector)

    def __str__(self) -> str:
        return str(self.model)

    def with_llm(self, config: PreTrainedConfig, place: str) -> Recipe:
        """The same with the config of a checkpoint, which must be one of this language model.

        Raises:
            InputError: another architecture; the vocabulary may differ.
        """
        values = config.to_dict()
        spec = read_llm(
            self.llm.name,
            values,
            family=self.llm.family,
            nominal_params=self.llm.nominal_params,
            hf_id=self.llm.hf_id,
            source=place,
        )
        _check_same(spec, self.llm, ("num_kv_heads",), place)
        return replace(self, llm=spec, llm_config=values)

    def with_vision(self, config: PreTrainedConfig, place: str) -> Recipe:
        """The same with the config of a tower's checkpoint. Raises InputError for another tower."""
        values = getattr(config, "vision_config", config).to_dict()
        spec = read_tower(self.vision.name, values, params=self.vision.params, source=place)
        _check_same(spec, self.vision, ("image_size", "patch_size"), place)
        return replace(self, vision=spec, vision_config=values)

    def config(self) -> PlannerVlmConfig:
        """The model's configuration. Raises InputError where a part has no torch code here."""
        try:
            compressor = module_name(self.compressor)
        except InputError as error:
            raise InputError(f"cannot build {self}: {error}") from None
        if self.connector.built_as != PROJECTOR:
            raise InputError(
                f"cannot build {self}: the connector {self.connector.name} has a known cost but no torch module; "
                f"expected one of {', '.join(one.name for one in CONNECTORS if one.built_as == PROJECTOR)}"
            )
        for part in (self.llm, self.vision):
            if not part.model_type:
                raise InputError(
                    f"cannot build {self}: of {part.name} the cost is known, and no model type of transformers; "
                    "expected a part that was read from a config.json"
                )
        try:
            return PlannerVlmConfig(
                vision_config=_hf_config(self.vision.model_type, self.vision_config, self.vision.name),
                text_config=_hf_config(self.llm.model_type, self.llm_config, self.llm.name),
                compressor=compressor,
                visual_tokens=self.visual_tokens,
                prompt_order=self.prompt_order,
                compressor_heads=self.compressor.heads,
                compressor_options=dict(self.compressor.build_options()) or None,
            )
        except ValueError as error:
            raise InputError(f"cannot build {self}: {_one_line(error)}") from None


def make_recipe(
    candidate: Picked | None = None,
    *,
    llm: str | Llm | None = None,
    visual_tokens: int | None = None,
    vision: str | Tower | None = None,
    compressor: str | Compressor | None = None,
    connector: str | Connector | None = None,
    prompt_order: str | None = None,
) -> Recipe:
    """A recipe from a pick, from names, or from a pick with some names put in its place.

    Args:
        candidate: a plan, one of its candidates, or a plan read from its JSON file.
        llm: name, or path of a config.json.
        visual_tokens: per image; by default all patches where there is no compressor.
        vision: name or path of a config.json; CLIP-ViT-L/14-336 by default.
        compressor: "quecc" by default.
        connector: "mlp" by default.
        prompt_order: "image-first" by default.

    Raises:
        InputError: a part that is not named, is not known, or does not go with the others.
    """
    picked = _picked(candidate, known={name for name, part in (("llm", llm), ("vision", vision)) if part is not None})
    llm = llm if llm is not None else picked.get("llm")
    if llm is None:
        raise InputError("no language model named: give a plan, or a name such as Qwen2.5-0.5B")
    found = find_llms(llm)
    if len(found) > 1:
        raise InputError(f"{llm} names {len(found)} language models, expected one, such as {found[0].name}")
    tower = find_vision(vision or picked.get("vision") or DEFAULT_VISION)
    squeeze = find_compressor(compressor or picked.get("compressor") or DEFAULT_COMPRESSOR)
    order = prompt_order or picked.get("prompt_order") or IMAGE_FIRST
    if order not in PROMPT_ORDERS:
        raise UnknownNameError("prompt order", order, PROMPT_ORDERS)
    tokens = visual_tokens if visual_tokens is not None else picked.get("visual_tokens")
    if tokens is None and not squeeze.strides:
        tokens = tower.patches
    if tokens is None:
        raise InputError("visual_tokens is missing: say how many tokens an image becomes")
    tokens = whole_number(tokens, "visual_tokens", 1)
    if tokens not in squeeze.visual_tokens(tower):
        raise InputError(
            f"{tower.name} has a grid of {tower.grid_text} patches, of which {squeeze.name} makes "
            f"{', '.join(map(str, squeeze.visual_tokens(tower)))} visual tokens, not {tokens}"
        )
    return Recipe(
        llm=found[0],
        vision=tower,
        compressor=squeeze,
        connector=find_connector(connector or picked.get("connector") or DEFAULT_CONNECTOR),
        visual_tokens=tokens,
        prompt_order=order,
        llm_config=_values("llm", found[0].name, found[0].source),
        vision_config=_values("vision", tower.name, tower.source),
    )


def planned_precision(candidate: Picked | None) -> str | None:
    """The precision of a pick's weights as it was planned; None without a pick."""
    if isinstance(candidate, Mapping):
        best = candidate.get("best", candidate)
        found = best.get("precision") if isinstance(best, Mapping) else None
        return found if isinstance(found, str) else None
    best = candidate.best if isinstance(candidate, Plan) else candidate
    return best.precision if isinstance(best, Candidate) else None


def _picked(candidate: Picked | None, known: Set[str]) -> Mapping[str, Any]:
    """The parts of a pick by name; specs where it holds them, and paths of what the catalogue does not have.

    Args:
        candidate: the pick.
        known: parts that are named otherwise, whose files need not be there.
    """
    if candidate is None:
        return {}
    names = ("llm", "visual_tokens", "vision", "compressor", "prompt_order")
    if isinstance(candidate, Mapping):
        best = candidate.get("best", candidate)
        if not isinstance(best, Mapping) or not all(isinstance(best.get(name), (str, int)) for name in names):
            raise InputError("expected a plan as vlm-planner plan -o writes it, with llm and visual_tokens of the best")
        if best.get("model_source"):
            raise InputError(_exists(str(best["model_source"])))
        return {**best, **_sources(candidate, known)}
    best = candidate.best if isinstance(candidate, Plan) else candidate
    if not isinstance(best, Candidate):
        raise InputError(f"expected a plan or one of its candidates, got {shown(candidate)}")
    if best.released is not None:
        raise InputError(_exists(best.released.checkpoint.hub_id or best.released.checkpoint.source))
    return {name: getattr(best, name) for name in (*names, "connector")}


def _exists(model: str) -> str:
    """Why a released model is not made of parts, in a sentence."""
    return (
        f"the plan's pick is the released model {model}, which is not made of parts: "
        "build_released(plan.best.released) makes its true architecture"
    )


def _sources(plan: Mapping[str, Any], known: Set[str]) -> dict[str, str]:
    """The config.json of each part of a plan's pick that is not in the catalogue. Raises InputError if it is gone."""
    inputs = plan.get("inputs")
    if not isinstance(inputs, Mapping):
        return {}
    models = [one for one in inputs.get("llms") or () if isinstance(one, Mapping)]
    own = next((one.get("source") for one in models if one.get("name") == plan["best"]["llm"]), None)
    parts = {
        "llm": (own, "language model", "--llm-config"),
        "vision": (inputs.get("vision_source"), "vision tower", "--vision"),
    }
    found = {}
    for part, (source, what, option) in parts.items():
        if part in known or not isinstance(source, str):
            continue
        if not Path(source).exists():
            raise InputError(
                f"the plan's {what} was read from {source}, which is gone: give its config.json with {option}"
            )
        found[part] = source
    return found


def _values(kind: str, name: str, source: str) -> Mapping[str, Any]:
    """Config values of a part: the catalogue's, or those of the config.json that it was read from."""
    shipped = shipped_config(kind, name, source)
    if shipped is not None:
        return shipped
    path = Path(source)
    if not path.exists():
        what, option = ("language model", "--llm-config") if kind == "llm" else ("vision tower", "--vision")
        raise InputError(f"the plan's {what} was read from {source}, which is gone: give its config.json with {option}")
    try:
        values = json.loads((path / "config.json" if path.is_dir() else path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise SpecError(f"cannot find the config of {name}: give the path of its config.json") from None
    nested = values.get("text_config" if kind == "llm" else "vision_config")
    return nested if isinstance(nested, Mapping) else values


def _hf_config(model_type: str, values: Mapping[str, Any], name: str) -> PreTrainedConfig:
    try:
        return AutoConfig.for_model(
            model_type, **{key: value for key, value in values.items() if key not in (*_UNUSED, "model_type")}
        )
    except Exception as error:  # validation of many kinds, by transformers and by its dataclasses
        raise InputError(f"{name}: transformers cannot use its config: {_one_line(error)}") from None


def _check_same(found: Llm | Tower, expected: Llm | Tower, further: tuple[str, ...], place: str) -> None:
    for name in ("num_layers", "hidden_size", "intermediate_size", "num_heads", *further):
        there, wanted = getattr(found, name), getattr(expected, name)
        if there != wanted:
            what = name.replace("num_", "number of ").replace("_", " ")
            raise InputError(
                f"{place} is not {expected.name}: its {what} is {there}, expected {wanted}; name the model that it is, "
                "or give its config.json"
            )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
