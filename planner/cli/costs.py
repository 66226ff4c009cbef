"""Verbs on costs: cost, convention."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import planner
from planner.base.errors import InputError
from planner.base.quantities import parse_flops
from planner.cli.common import (
    CachedTokens,
    Connector,
    GeneratedTokens,
    Json,
    QueryTokens,
    SystemTokens,
    app,
    json_text,
    show_story,
)
from planner.configuration import Model
from planner.costs.convert import MEANINGS, convert, counts
from planner.costs.request import released_cost, request_cost
from planner.parts.catalog import (
    DEFAULT_COMPRESSOR,
    DEFAULT_CONNECTOR,
    DEFAULT_VISION,
    LLMS,
    find_compressor,
    find_llms,
    find_vision,
)
from planner.parts.llms import Llm

OneLlm = Annotated[str | None, typer.Argument(help="Language model: a name or the path of a config.json.")]
LlmConfig = Annotated[str | None, typer.Option(help="Path of a Hugging Face config.json instead of a name.")]
VisualTokens = Annotated[int, typer.Option(help="Visual tokens per image.")]
MaybeVisualTokens = Annotated[
    int | None, typer.Option(help="Visual tokens per image, of parts to build from (instead of --image).")
]
Image = Annotated[
    str | None, typer.Option(help="Width x height in pixels, such as 1024x768, for a released model or a folder.")
]
Knobs = Annotated[
    list[str] | None, typer.Option("--knob", metavar="NAME=VALUE", help="Setting of the image processor; repeatable.")
]
Model_ = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        help="A released model (hub id), a folder or a config.json with --image; a language model with "
        "--visual-tokens.",
    ),
]
Vision = Annotated[str, typer.Option(help="Vision tower.")]
Compressor = Annotated[str, typer.Option(help="quecc, tokenpacker, average-pool or none.")]
PromptOrder = Annotated[str, typer.Option(help="image-first, or text-first (query pass free).")]
Images = Annotated[int, typer.Option(help="Images per request; 0: text alone.")]


@app.command()
def cost(
    query_tokens: QueryTokens,
    generated_tokens: GeneratedTokens,
    model: Model_ = None,
    image: Image = None,
    knob: Knobs = None,
    visual_tokens: MaybeVisualTokens = None,
    llm_config: LlmConfig = None,
    cached_tokens: CachedTokens = 0,
    system_tokens: SystemTokens = 0,
    images: Images = 1,
    vision: Vision = DEFAULT_VISION,
    compressor: Compressor = DEFAULT_COMPRESSOR,
    connector: Connector = DEFAULT_CONNECTOR,
    convention: Annotated[
        str | None, typer.Option(help="full, paper or torch; default: full, of a counted model torch.")
    ] = None,
    prompt_order: PromptOrder = "image-first",
    hardware: Annotated[str | None, typer.Option(help="Card, profile (.json) or cpu: adds times.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of the LLM: bf16, fp16, fp32, fp8, int8, w8a16 (8-bit weights alone), int4 or a GGUF type such as "
            "Q4_K_M; default: bf16, on a T4 fp16; of a released model the dtype that its files name, "
            "fp16 for bf16 on a T4."
        ),
    ] = None,
    kv_precision: Annotated[str | None, typer.Option(help="Of the KV cache; default 16 bits.")] = None,
    batch: Annotated[int, typer.Option(help="Requests that run together.")] = 1,
    tensor_parallel: Annotated[int, typer.Option(help="GPUs that share the LLM.")] = 1,
    latency_source: Annotated[str, typer.Option(help="roofline, or silicon (aiconfigurator).")] = "roofline",
    count_with: Annotated[
        str | None,
        typer.Option(help="transformers: counts an architecture that is not known, with the version installed."),
    ] = None,
    as_json: Json = False,
) -> None:
    """What one request costs, stage by stage: FLOPs, bytes, seconds, memory."""
    load = planner.Workload(query_tokens, generated_tokens, cached_tokens, system_tokens, images)
    runs: dict[str, Any] = {
        "precision": precision,
        "kv_precision": kv_precision,
        "batch": batch,
        "tensor_parallel": tensor_parallel,
        "hardware": hardware,
        "latency_source": latency_source,
    }
    parts: dict[str, Any] = {
        "vision": vision,
        "compressor": compressor,
        "connector": connector,
        "prompt_order": prompt_order,
    }
    name = one_name(model, llm_config)
    if is_released(name, image, visual_tokens, knob, load):
        refuse_parts(parts)
        found = released_cost(
            name, image, load, knobs=parse_knobs(knob), count_with=count_with, convention=convention, **runs
        )
    else:
        if count_with is not None:
            raise InputError("--count-with counts a model as it is published: give --image instead of --visual-tokens")
        found = request_cost(
            _one(model, llm_config), visual_tokens or 0, load, convention=convention or "full", **parts, **runs
        )
    if as_json:
        print(json_text(found.to_dict()))
        return
    from planner.tell.cost import cost_story

    show_story(cost_story(found))


def is_released(
    name: str, image: str | None, visual_tokens: int | None, knob: list[str] | None, load: planner.Workload
) -> bool:
    """Whether a model comes with its own vision side. Raises InputError for options that exclude each other."""
    if image is not None and visual_tokens is not None:
        raise InputError("--image and --visual-tokens exclude each other: a released model makes its own visual tokens")
    if visual_tokens is not None:
        if knob:
            raise InputError("--knob turns a released model's image processor: give --image instead of --visual-tokens")
        short = name.lower().rpartition("/")[2]
        if name not in LLMS and short in {one.lower().rpartition("/")[2] for one in planner.released_ids()}:
            raise InputError(
                f"{name} is a released model, which makes its own visual tokens: give --image instead of "
                "--visual-tokens"
            )
        return False
    if image is None and load.images:
        raise InputError(
            "how many visual tokens? give --image WxH for a released model, --visual-tokens for parts to build from, "
            "or --images 0 for text alone"
        )
    return image is not None or name not in LLMS


def refuse_parts(parts: dict[str, Any]) -> None:
    """Raises InputError where a released model is given parts to build from."""
    own = {
        "vision": DEFAULT_VISION,
        "compressor": DEFAULT_COMPRESSOR,
        "connector": DEFAULT_CONNECTOR,
        "prompt_order": "image-first",
    }
    for name, value in parts.items():
        if value != own[name]:
            raise InputError(
                f"--{name.replace('_', '-')} chooses a part to build from; a released model brings its own"
            )


def parse_knobs(given: list[str] | None) -> dict[str, object]:
    """ "NAME=VALUE" of each. Raises InputError, also for two values of one knob."""
    found: dict[str, object] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--knob: expected NAME=VALUE, such as max_pixels=401408, got {text!r}")
        name, value = name.strip(), value.strip()
        if found.get(name, value) != value:
            raise InputError(f"--knob: expected one value of {name}, got {found[name]!r} and {value!r}")
        found[name] = value
    return found


@app.command()
def convention(
    query_tokens: QueryTokens,
    visual_tokens: Annotated[int | None, typer.Option(help="Visual tokens per image; of text alone none.")] = None,
    generated_tokens: GeneratedTokens = 0,
    llm: OneLlm = None,
    llm_config: LlmConfig = None,
    images: Images = 1,
    vision: Vision = DEFAULT_VISION,
    compressor: Compressor = DEFAULT_COMPRESSOR,
    prompt_order: PromptOrder = "image-first",
    printed: Annotated[str | None, typer.Option(help="A number to convert, such as 1.3TFLOPs.")] = None,
    counted: Annotated[str, typer.Option(help="How it was counted: full, paper, torch, fastv or gated.")] = "fastv",
    as_json: Json = False,
) -> None:
    """The same request in every way of counting FLOPs; converts a printed number."""
    load = planner.Workload(query_tokens, generated_tokens, images=images)
    if visual_tokens is None and load.images:
        raise InputError("--visual-tokens is missing: say how many an image becomes, or --images 0 for text alone")
    visual_tokens = visual_tokens or 0
    spec = _one(llm, llm_config)
    model = Model(spec, find_vision(vision), find_compressor(compressor), visual_tokens, prompt_order)
    same = counts(model, load)
    value = None if printed is None else parse_flops(printed, "--printed")
    converted = None if value is None else {name: convert(value, counted, name, same) for name in same}
    if as_json:
        content: dict[str, Any] = {"llm": spec.name, "visual_tokens": visual_tokens, "flops": same}
        if converted is not None:
            content |= {"printed": {"value": value, "counted": counted}, "converted": converted}
        print(json_text(content))
        return
    from planner.tell.cost import conventions_table

    show_story((conventions_table(spec.name, visual_tokens, same, MEANINGS, converted),))


def one_name(llm: str | None, llm_config: str | None) -> str:
    """The name or the path of a language model, whichever is given. Raises InputError for both or neither."""
    if (llm is None) == (llm_config is None):
        raise InputError("name one language model: LLM or --llm-config PATH/config.json, see vlm-planner catalog")
    return llm or llm_config or ""


def _one(llm: str | None, llm_config: str | None) -> Llm:
    """The one language model that is named."""
    name = one_name(llm, llm_config)
    found = find_llms(name)
    if len(found) > 1:
        raise InputError(f"{name} names {len(found)} language models, expected one, such as {found[0].name}")
    return found[0]
