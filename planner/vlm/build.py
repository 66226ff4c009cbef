"""From a pick to the model itself, and the count of its parameters beside the prediction."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from planner.base.errors import InputError, MeasurementError, UnknownNameError
from planner.base.quantities import format_bytes, shown
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.vlm.build_time import watched

from .materialise import make_shell, materialise, seeded, tied_names, units
from .modeling import PlannerVlmForConditionalGeneration
from .modules import check_compressor, count
from .processing import PlannerVlmProcessor
from .recipe import Picked, Recipe, make_recipe, planned_precision
from .weights import RANDOM, Source, Weights, byte_tokenizer, find_sources

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
ROWS = 64
"""Rows of an embedding come in multiples of so many: matrix products of odd sizes are slow."""
_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")
_MODULES = {"llm": "language_model", "vision": "vision_tower"}

Progress = Callable[[str, int, int], None]
"""(what is done, steps done, steps in all)."""


@dataclass(frozen=True)
class PartParams:
    """One part's parameters."""

    part: str
    built: int
    """Distinct parameters of the module."""
    predicted: int
    """What the planner's costs count for it."""


def build(
    candidate: Picked | None = None,
    *,
    llm: str | Llm | None = None,
    visual_tokens: int | None = None,
    vision: str | Tower | None = None,
    compressor: str | Compressor | None = None,
    prompt_order: str | None = None,
    weights: Weights = RANDOM,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> PlannerVlmForConditionalGeneration:
    """The model of a pick, ready to train or to run.

    Args:
        candidate: a plan (its best), one of its candidates, or a plan read from its JSON file.
        llm: name or path of a config.json; with a pick, in place of its own. So the four below.
        visual_tokens: per image.
        vision: the tower, CLIP-ViT-L/14-336 by default.
        compressor: "quecc" by default.
        prompt_order: "image-first" by default.
        weights: "random"; "pretrained" for the hub ids of the catalogue; or a folder, a GGUF file (LLM only) or a hub
            id for "llm", "vision" or both. What is not named is random.
        dtype: "bf16", "fp16", "fp32" or a torch dtype; by default that of the plan, "bf16" where it is quantised and
            without a plan.
        device: any; "meta" gives all shapes and no weights.
        seed: of random weights.

    Returns:
        The model, in evaluation mode. `make_processor` makes what feeds it.

    Raises:
        InputError: parts that do not go together, weights that cannot be loaded, too little free memory.
    """
    recipe = make_recipe(
        candidate,
        llm=llm,
        visual_tokens=visual_tokens,
        vision=vision,
        compressor=compressor,
        prompt_order=prompt_order,
    )
    sources = find_sources(weights, recipe)
    kind = dtype or default_dtype(candidate)
    return build_recipe(fitted(recipe, sources), sources, dtype=kind, device=device, seed=seed)


def default_dtype(candidate: Picked | None) -> str:
    """The precision that a pick was planned in; bf16 without a pick, and where quantisers have to make it."""
    planned = planned_precision(candidate)
    return planned if planned in DTYPES else "bf16"


def fitted(recipe: Recipe, sources: dict[str, Source]) -> Recipe:
    """The recipe with the configs of its checkpoints. Raises InputError where they are of other models."""
    if "llm" in sources:
        recipe = recipe.with_llm(sources["llm"].config(), str(sources["llm"]))
    if "vision" in sources:
        recipe = recipe.with_vision(sources["vision"].config(), str(sources["vision"]))
    return recipe


@watched
def build_recipe(
    recipe: Recipe,
    sources: dict[str, Source],
    *,
    dtype: str | torch.dtype = "bf16",
    device: str | torch.device = "cpu",
    seed: int = 0,
    progress: Progress | None = None,
) -> PlannerVlmForConditionalGeneration:
    """As `build`, of a recipe that is `fitted` to its sources."""
    kind, place = read_dtype(dtype), read_device(device)
    model = make_shell(recipe.config(), kind)
    check_compressor(model, compressor_params(recipe))
    if place.type != "meta":
        _check_memory(model, recipe, place)
        for step, (part, source) in enumerate(sources.items()):
            if progress is not None:
                progress(f"loading {source}", step, len(sources))
            setattr(model, _MODULES[part], _load(source, model, kind, place))
            gc.collect()
        random = [
            (name, unit, owner)
            for name, unit, owner in units(model)
            if name.partition(".")[0] not in {_MODULES[part] for part in sources}
        ]
        tied = tied_names(model)
        with seeded(seed, place):
            for step, (name, unit, owner) in enumerate(random):
                if progress is not None:
                    progress("random weights", step, len(random))
                materialise(name, unit, owner, place, tied)
        model.tie_weights(recompute_mapping=False)
    elif sources:
        raise InputError("the meta device holds no weights: leave out the weights, or name another device")
    if "llm" in sources:
        model.generation_config = _generation_config(model.language_model)
    return model.eval()


def _generation_config(llm: Any) -> GenerationConfig:
    """The language model's, without settings of sampling where it does not sample, which could not be saved."""
    settings = llm.generation_config.to_dict()
    if not settings.get("do_sample"):
        settings = {name: value for name, value in settings.items() if name not in _SAMPLING}
    return GenerationConfig.from_dict(settings)


def _load(source: Source, model: Any, dtype: torch.dtype, device: torch.device) -> Any:
    if source.part == "llm":
        return source.language_model(model.config.text_config, dtype, device)
    return source.tower(model.config.vision_config, dtype, device)


def make_processor(
    model: PlannerVlmForConditionalGeneration,
    weights: Weights | dict[str, Source] = RANDOM,
    *,
    image_fit: str | None = None,
) -> PlannerVlmProcessor:
    """What turns images and text into the model's inputs; tells the model its image token and its end.

    Where the vocabulary fills the embedding and reserves no token that could become the image token, the embedding gets
    further rows for it, which count as parameters of the model.

    Args:
        model: what it is for.
        weights: as the model was built with: the language model's tokenizer comes from there. Where its weights are
            random, a byte-level tokenizer is made.
        image_fit: how images become squares: "pad" with the mean colour, "crop" to the middle, "resize" with
            distortion; by default "pad" for CLIP, as LLaVA-1.5 and QueCC do, and "resize" for SigLIP.

    Raises:
        InputError: a checkpoint without a tokenizer.
        ValueError: an unknown image_fit.
    """
    known = isinstance(weights, dict) and all(isinstance(source, Source) for source in weights.values())
    sources: Any = weights if known else None
    if sources is None:
        sources = {} if weights == RANDOM else _sources_of(model, weights)
    source: Source | None = sources.get("llm")
    if source is None:
        tokenizer: Any = byte_tokenizer(model.config.text_config.vocab_size)
        for settings in (model.generation_config, model.config.text_config):
            settings.bos_token_id = None
            settings.eos_token_id = tokenizer.eos_token_id
            settings.pad_token_id = tokenizer.pad_token_id
    else:
        tokenizer = source.tokenizer()
    processor = PlannerVlmProcessor.from_config(model.config, tokenizer, image_fit=image_fit)
    _make_room(model, processor.image_token_id)
    if model.generation_config.pad_token_id is None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id
    if model.generation_config.eos_token_id is None:
        model.generation_config.eos_token_id = tokenizer.eos_token_id
    return processor


def _make_room(model: PlannerVlmForConditionalGeneration, image_token_id: int) -> None:
    """Further rows of the embeddings, up to the image token's: engines look every id up."""
    embeds = [(model, model.config.text_config.vocab_size)]
    if model.config.query_config is not None:
        embeds.append((model.query_encoder, model.config.query_config.vocab_size))
    for part, rows in embeds:
        if image_token_id >= rows:
            part.resize_token_embeddings(image_token_id + 1, pad_to_multiple_of=ROWS, mean_resizing=False)


def _sources_of(model: PlannerVlmForConditionalGeneration, weights: Any) -> dict[str, Source]:
    if isinstance(weights, str):  # "pretrained": transformers notes where each part came from
        place = getattr(model.language_model.config, "_name_or_path", "")
        weights = {"llm": place}
    return find_sources(weights)


def params_table(model: PlannerVlmForConditionalGeneration, recipe: Recipe) -> tuple[PartParams, ...]:
    """Every part's parameters, counted in the model and predicted by the planner, which must agree."""
    parts = (
        ("vision tower", model.vision_tower, recipe.vision.params_run),
        ("compressor", model.compressor, compressor_params(recipe)),
        ("projector", model.projector, int(recipe.model.beside_params) - compressor_params(recipe)),
        ("language model", model.language_model, recipe.llm.params),
    )
    return tuple(PartParams(part, count(module), predicted) for part, module, predicted in parts)


def compressor_params(recipe: Recipe) -> int:
    """What the planner's costs count for the compressor."""
    return int(recipe.compressor.params(recipe.vision, recipe.llm.hidden_size, recipe.visual_tokens))


def read_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """A dtype by name. Raises UnknownNameError."""
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype not in DTYPES:
        raise UnknownNameError("dtype", dtype, DTYPES)
    return DTYPES[dtype]


def read_device(device: str | torch.device) -> torch.device:
    """A device that is there. Raises InputError."""
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise InputError(f"device: expected cpu, cuda, cuda:1 or meta, got {shown(device)}") from None
    if place.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (place.index or 0) >= count:
            raise MeasurementError(f"device {device}: PyTorch sees {count} CUDA devices here")
        place = torch.device("cuda", place.index if place.index is not None else torch.cuda.current_device())
    return place


def default_device() -> str:
    """The GPU where there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def weights_bytes(model: PlannerVlmForConditionalGeneration) -> int:
    """Bytes of all weights, tied ones once."""
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


def _check_memory(model: PlannerVlmForConditionalGeneration, recipe: Recipe, device: torch.device) -> None:
    needed, free = weights_bytes(model), free_bytes(device)
    if free is not None and needed > free:
        raise MeasurementError(
            f"{recipe} needs {format_bytes(needed)} for its weights, {device} has {format_bytes(free)} free: take a "
            "smaller dtype or model, or another device"
        )


def free_bytes(device: torch.device) -> int | None:
    """Free memory of a device, bytes; of the host what its control group leaves; None where it is not known."""
    if device.type == "cuda":  # what PyTorch keeps of freed tensors is as good as free
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + kept)
    if device.type != "cpu":
        return None
    import psutil

    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return free if limit == "max" else min(free, max(int(limit) - int(used), 0))
    except (OSError, ValueError):
        return free
