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
    make_console,
)
from planner.configuration import Model
from planner.costs.convert import MEANINGS, convert, counts
from planner.costs.request import request_cost
from planner.parts.catalog import (
    DEFAULT_COMPRESSOR,
    DEFAULT_CONNECTOR,
    DEFAULT_VISION,
    find_compressor,
    find_llms,
    find_vision,
)
from planner.parts.llms import Llm

OneLlm = Annotated[str | None, typer.Argument(help="Language model: a name or the path of a config.json.")]
LlmConfig = Annotated[str | None, typer.Option(help="Path of a Hugging Face config.json instead of a name.")]
VisualTokens = Annotated[int, typer.Option(help="Visual tokens per image.")]
Vision = Annotated[str, typer.Option(help="Vision tower.")]
Compressor = Annotated[str, typer.Option(help="quecc, tokenpacker, average-pool or none.")]
PromptOrder = Annotated[str, typer.Option(help="image-first, or text-first (query pass free).")]
Images = Annotated[int, typer.Option(help="Images per request.")]


@app.command()
def cost(
    visual_tokens: VisualTokens,
    query_tokens: QueryTokens,
    generated_tokens: GeneratedTokens,
    llm: OneLlm = None,
    llm_config: LlmConfig = None,
    cached_tokens: CachedTokens = 0,
    system_tokens: SystemTokens = 0,
    images: Images = 1,
    vision: Vision = DEFAULT_VISION,
    compressor: Compressor = DEFAULT_COMPRESSOR,
    connector: Connector = DEFAULT_CONNECTOR,
    convention: Annotated[str, typer.Option(help="full, paper or torch.")] = "full",
    prompt_order: PromptOrder = "image-first",
    hardware: Annotated[str | None, typer.Option(help="Card, profile (.json) or cpu: adds times.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="Of the LLM: bf16, fp16, fp32, fp8, int8 or int4; default: bf16, on a T4 fp16.")
    ] = None,
    kv_precision: Annotated[str | None, typer.Option(help="Of the KV cache; default 16 bits.")] = None,
    batch: Annotated[int, typer.Option(help="Requests that run together.")] = 1,
    tensor_parallel: Annotated[int, typer.Option(help="GPUs that share the LLM.")] = 1,
    latency_source: Annotated[str, typer.Option(help="roofline, or silicon (aiconfigurator).")] = "roofline",
    as_json: Json = False,
) -> None:
    """What one request costs, stage by stage: FLOPs, bytes, seconds, memory."""
    found = request_cost(
        _one(llm, llm_config),
        visual_tokens,
        planner.Workload(query_tokens, generated_tokens, cached_tokens, system_tokens, images),
        vision=vision,
        compressor=compressor,
        connector=connector,
        convention=convention,
        prompt_order=prompt_order,
        precision=precision,
        kv_precision=kv_precision,
        batch=batch,
        tensor_parallel=tensor_parallel,
        hardware=hardware,
        latency_source=latency_source,
    )
    if as_json:
        print(json_text(found.to_dict()))
        return
    from planner.tell.cost import print_cost

    print_cost(make_console(), found)


@app.command()
def convention(
    visual_tokens: VisualTokens,
    query_tokens: QueryTokens,
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
    spec = _one(llm, llm_config)
    model = Model(spec, find_vision(vision), find_compressor(compressor), visual_tokens, prompt_order)
    same = counts(model, planner.Workload(query_tokens, generated_tokens, images=images))
    value = None if printed is None else parse_flops(printed, "--printed")
    converted = None if value is None else {name: convert(value, counted, name, same) for name in same}
    if as_json:
        content: dict[str, Any] = {"llm": spec.name, "visual_tokens": visual_tokens, "flops": same}
        if converted is not None:
            content |= {"printed": {"value": value, "counted": counted}, "converted": converted}
        print(json_text(content))
        return
    from planner.tell.cost import print_conventions

    print_conventions(make_console(), f"{spec.name}, {visual_tokens} visual tokens", same, MEANINGS, converted)


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
