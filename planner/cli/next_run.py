"""What to measure next: next-run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

import planner
from planner.base.errors import InputError
from planner.base.quantities import whole_number
from planner.cli.common import (
    FormName,
    GeneratedTokens,
    Json,
    QueryTokens,
    app,
    json_text,
    parse_counts,
    parse_names,
    show_story,
)
from planner.cli.limits import NO_LIMIT, takes_limits
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_VISION

DEFAULT_SIZES = "0.5B,1.8B,4B,7B,14B"
DEFAULT_TOKENS = "1,4,16,36,64,144,576"


@app.command(name="next-run")
@takes_limits
def next_run(
    law: Annotated[str, typer.Argument(help="Shipped law, as the catalog lists them, or the path of a law file.")],
    *,
    limits: Mapping[str, float],
    query_tokens: QueryTokens,
    generated_tokens: GeneratedTokens,
    images: Annotated[int, typer.Option(help="Images per request.")] = 1,
    form: FormName = None,
    sizes: Annotated[str, typer.Option(help="Sizes of language models that could be measured.")] = DEFAULT_SIZES,
    visual_tokens: Annotated[str, typer.Option(help="Visual tokens that could be measured.")] = DEFAULT_TOKENS,
    text_tokens: Annotated[
        int | None, typer.Option(help="Text tokens of a training sample; default: query + generated tokens.")
    ] = None,
    llms: Annotated[
        list[str] | None,
        typer.Option(help="Candidates of the pick: models, families, 'all'; default: the family of the law."),
    ] = None,
    vision: Annotated[str, typer.Option(help="Vision tower.")] = DEFAULT_VISION,
    compressor: Annotated[str, typer.Option(help="quecc, tokenpacker, average-pool or none.")] = DEFAULT_COMPRESSOR,
    convention: Annotated[str, typer.Option(help="full (every stage) or paper (2N(Q+V+G), LLM only).")] = "full",
    prompt_order: Annotated[str, typer.Option(help="image-first, or text-first (query pass free).")] = "image-first",
    hardware: Annotated[str | None, typer.Option(help="Card, profile (.json) or cpu; its memory is a limit.")] = None,
    price_per_hour: Annotated[float | None, typer.Option(help="Of one GPU, any currency.")] = None,
    criterion: Annotated[str, typer.Option(help="regret (error of the pick) or d-optimal (parameters).")] = "regret",
    per_cost: Annotated[bool, typer.Option("--per-cost", help="Rank by gain for the training FLOPs.")] = False,
    noise: Annotated[
        float | None, typer.Option(help="Standard deviation of a run's error; default: the fit's.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many runs to show.")] = 5,
    together: Annotated[int, typer.Option(help="Also choose this many runs to be made at once.")] = 1,
    as_json: Json = False,
) -> None:
    """Rank the runs that could be made next by how much better the pick is expected to get."""
    whole_number(top, "--top", 1)
    whole_number(together, "--together", 1)
    if not limits:
        raise InputError(NO_LIMIT)
    found = planner.next_run(
        law,
        form=form,
        budget=planner.Budget(convention=convention, limits=limits),
        workload=planner.Workload(query_tokens, generated_tokens, images=images),
        sizes=parse_names(sizes),
        visual_tokens=parse_counts(visual_tokens),
        text_tokens=text_tokens,
        criterion=criterion,
        per_cost=per_cost,
        noise_sd=noise,
        together=together,
        llms=llms,
        vision=vision,
        compressor=compressor,
        prompt_order=prompt_order,
        hardware=hardware,
        price_per_hour=price_per_hour,
    )
    if as_json:
        print(json_text(found.to_dict(top)))
        return
    from planner.tell.next_run import next_run_story

    show_story(next_run_story(found, top))
