"""Verbs that run models to measure them: measure, verify."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import planner
from planner.base.errors import InputError
from planner.base.files import check_target, write_text
from planner.base.quantities import positive_number
from planner.cli.common import (
    CachedTokens,
    Force,
    GeneratedTokens,
    Json,
    QueryTokens,
    SystemTokens,
    app,
    check_output,
    json_text,
    parse_counts,
    parse_seed,
    parse_share,
    show_story,
)
from planner.cli.costs import (
    Compressor,
    Image,
    Knobs,
    LlmConfig,
    Model_,
    PromptOrder,
    Vision,
    one_name,
    parse_knobs,
    refuse_parts,
)
from planner.cli.running import (
    RETAKES_HELP,
    SECONDS_HELP,
    WITHIN_HELP,
    going_on,
    needs_torch,
    progress_bar,
    watched,
)
from planner.cli.verifying import (
    need_images,
    need_released,
    parse_tolerance,
    refuse_beside_measured,
    refuse_parts_of_a_pick,
)
from planner.configuration import ReleasedModel
from planner.hardware import find_hardware
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_VISION
from planner.planning.load_plan import load_plan

Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:1; default: a GPU where there is one.")]
Mode = Annotated[str, typer.Option(help="eager; static (CUDA graph of the decode step on a GPU); compile.")]
Seconds = Annotated[float, typer.Option(help=SECONDS_HELP)]
Within = Annotated[str, typer.Option(help=WITHIN_HELP)]
Retakes = Annotated[int, typer.Option(min=0, max=20, help=RETAKES_HELP)]
MeasuredImages = Annotated[
    int, typer.Option("--images", help="Images per request, 1 or more: text alone is not measured.")
]
MethodName = Annotated[str, typer.Option("--method", help="whole; slices (k and 2k decoder layers); auto.")]


@app.command()
def measure(
    query_tokens: QueryTokens,
    generated_tokens: GeneratedTokens,
    model: Model_ = None,
    visual_tokens: Annotated[
        str | None, typer.Option(help="Visual tokens per image, as 1,16,144, of parts to build from.")
    ] = None,
    image: Image = None,
    knob: Knobs = None,
    llm_config: LlmConfig = None,
    cached_tokens: CachedTokens = 0,
    system_tokens: SystemTokens = 0,
    images: MeasuredImages = 1,
    vision: Vision = DEFAULT_VISION,
    compressor: Compressor = DEFAULT_COMPRESSOR,
    prompt_order: PromptOrder = "image-first",
    precision: Annotated[str | None, typer.Option(help="bf16, fp16 or fp32; default bf16 on a GPU, else fp32.")] = None,
    batch: Annotated[str, typer.Option(help="Requests that run together, as 1,8.")] = "1",
    device: Device = None,
    method: MethodName = "auto",
    mode: Mode = "eager",
    seconds: Seconds = 1.0,
    within: Within = "3%",
    retakes: Retakes = 2,
    seed: Annotated[int, typer.Option(help="Of weights and inputs.")] = 0,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Folder for one JSON file a shape.")] = None,
    csv: Annotated[str | None, typer.Option(help="Write every sample to this CSV file, a row each.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Measure a model with random weights on this device, stage by stage; several shapes answer questions."""
    need_images(images)
    name = one_name(model, llm_config)
    batches = parse_counts(batch, "--batch")
    is_released = own_parts(image, visual_tokens, knob)
    if is_released:
        refuse_parts({"vision": vision, "compressor": compressor, "prompt_order": prompt_order})
    counts = () if visual_tokens is None else parse_counts(visual_tokens)
    positive_number(seconds, "--seconds")
    if csv is not None:
        check_target(Path(csv), force)
    workload = planner.Workload(query_tokens, generated_tokens, cached_tokens, system_tokens, images)
    with needs_torch("measure"):
        from planner.bench.answers import answers_of
        from planner.bench.released import sweep_released
        from planner.bench.sweep import sweep
        from planner.bench.tidy import csv_text
    how: dict[str, Any] = {"precision": precision, "device": device, "method": method, "mode": mode}
    how |= {
        "seconds": seconds,
        "within": parse_share(within, "--within", 1.0),
        "retakes": retakes,
        "seed": parse_seed(seed),
        "folder": None if output is None else Path(output),
    }
    with going_on(how["folder"], "-o FOLDER"), progress_bar() as progress:
        how["progress"] = watched(progress, device)
        if is_released:
            released = ReleasedModel.of_checkpoint(name, image, knobs=parse_knobs(knob), images=images)
            found = sweep_released(released, batches, workload, **how)
        else:
            parts: dict[str, Any] = {"vision": vision, "compressor": compressor, "prompt_order": prompt_order}
            found = sweep(name, counts, batches, workload, **parts, **how)
    if output is not None:
        print(f"wrote {len(found)} measurements into {output}", file=sys.stderr)
    if csv is not None:
        write_text(csv, csv_text(found), overwrite=force)
        print(f"wrote {csv}", file=sys.stderr)
    if as_json:
        content = [one.to_dict() for one in found]
        print(json_text({"measurements": content, "answers": [answer.to_dict() for answer in answers_of(found)]}))
        return
    from planner.tell.measurement import measurements_story

    show_story(measurements_story(found))


@app.command()
def verify(
    plan_file: Annotated[
        str | None, typer.Argument(metavar="[PLAN]", help="Plan that plan -o wrote; without one a released --model.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder that build wrote, default: built here, random; without a plan a released model (hub id, "
            "folder or config.json)."
        ),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(help="Of a released model that is built here: random, pretrained (hub), or a folder with them."),
    ] = "random",
    measured: Annotated[
        str | None, typer.Option(help="Judge this measurement of the pick, which measure -o wrote; nothing is built.")
    ] = None,
    image: Image = None,
    knob: Knobs = None,
    query_tokens: Annotated[int | None, typer.Option(help="New text tokens of a request, without a plan.")] = None,
    generated_tokens: Annotated[int | None, typer.Option(help="Answer tokens of a request, without a plan.")] = None,
    images: MeasuredImages = 1,
    batch: Annotated[int, typer.Option(help="Requests that run together, without a plan.")] = 1,
    llm_config: LlmConfig = None,
    vision: Annotated[str | None, typer.Option(help="config.json of a tower that the catalogue lacks.")] = None,
    hardware: Annotated[str | None, typer.Option(help="Card or profile (.json) to predict times with.")] = None,
    precision: Annotated[str | None, typer.Option(help="bf16, fp16 or fp32, in place of the plan's.")] = None,
    grid: Annotated[str | None, typer.Option(help="Verify neighbours in (LLM, tokens) too; folder of cells.")] = None,
    device: Device = None,
    method: MethodName = "auto",
    mode: Mode = "eager",
    seconds: Seconds = 1.0,
    within: Within = "3%",
    retakes: Retakes = 2,
    tolerance: Annotated[str | None, typer.Option(help="Of times, as .15 or 15%; any: not judged.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and inputs.")] = 0,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Write the verdict to this JSON file.")] = None,
    junit: Annotated[str | None, typer.Option(help="Write the checks to this JUnit XML file, for a CI server.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Build the pick, measure it here, and judge the plan's numbers; exit code 1 if one fails, 3 if times could not be
    measured steadily."""
    need_images(images)
    if output is not None:
        check_output("a verdict", output, force)
    if junit is not None:
        check_target(Path(junit), force)
    positive_number(seconds, "--seconds")
    allowed = None if tolerance is None else parse_tolerance(tolerance)
    own = {"--image": image, "--knob": knob, "--query-tokens": query_tokens, "--generated-tokens": generated_tokens}
    if plan_file is None:
        need_released(model, own, {"--llm-config": llm_config, "--vision": vision, "--grid": grid})
    elif extra := [option for option, value in own.items() if value is not None]:
        raise InputError(f"{extra[0]} says what is verified without a plan: leave it out, or leave out {plan_file}")
    elif model is not None and weights != "random":
        raise InputError(f"--model {model} and --weights {weights}: with a plan, give one of them")
    if measured is not None:
        said: dict[str, object] = {"--model": plan_file and model, "--grid": grid, "--device": device, "--seed": seed}
        said |= {"--weights": weights != "random", "--method": method != "auto", "--mode": mode != "eager"}
        refuse_beside_measured(measured, said | {"--seconds": seconds != 1, "--within": within != "3%"})
    if grid is not None and (model is not None or weights != "random"):
        raise InputError("--grid builds each neighbour itself: leave out --model and --weights")
    with needs_torch("verify"):
        from planner.bench.exit_codes import exit_code
        from planner.bench.expected import as_planned
        from planner.bench.expected_released import ExpectedReleased
        from planner.bench.grid import verify_grid
        from planner.bench.ranks import rank
        from planner.bench.released import precision_here
        from planner.bench.verify import verify as verified
        from planner.bench.verify import with_device_profile
    card = None if hardware is None else find_hardware(hardware)
    wanted: Any
    if plan_file is None:
        asked = ReleasedModel.of_checkpoint(str(model), image, knobs=parse_knobs(knob), images=images)
        load = planner.Workload(query_tokens or 0, generated_tokens or 0, images=images)
        wanted = ExpectedReleased(asked, load, batch, precision or precision_here(device), 1, card)
    else:
        picked = load_plan(plan_file)
        if picked.best.released is not None:
            refuse_parts_of_a_pick({"--llm-config": llm_config, "--vision": vision, "--grid": grid})
        wanted = as_planned(picked, llm=llm_config, vision=vision, hardware=card, precision=precision)
        weights = model or weights
    if measured is None:
        wanted = with_device_profile(wanted, device)
    options: dict[str, Any] = {
        "device": device,
        "method": method,
        "mode": mode,
        "seconds": seconds,
        "within": parse_share(within, "--within", 1.0),
        "retakes": retakes,
        "tolerance": allowed,
        "seed": parse_seed(seed),
    }
    with going_on(None if grid is None else Path(grid)), progress_bar() as progress:
        options["progress"] = watched(progress, device)
        if grid is not None:
            result: Any = verify_grid(wanted, grid, **options)
        else:
            result = verified(None, wanted, weights=weights, measurement=measured, **options)
    if rank() != 0:  # one process of several speaks for all
        return
    content = result.to_dict()
    if output is not None:
        result.save(output, overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    if junit is not None:
        from planner.tell.junit import junit as junit_text
        from planner.tell.junit import suites_of

        write_text(junit, junit_text(suites_of(result)), overwrite=force)
        print(f"wrote {junit}", file=sys.stderr)
    if as_json:
        print(json_text(content))
    else:
        from planner.tell.stories import story_of

        show_story(story_of(result))
    if code := exit_code(result):
        raise typer.Exit(code)


def own_parts(image: str | None, visual_tokens: str | None, knob: list[str] | None) -> bool:
    """Whether a model comes with its own vision side. Raises InputError for options that exclude each other."""
    if (image is None) == (visual_tokens is None):
        raise InputError("give either --image WxH, for a released model, or --visual-tokens, for parts to build from")
    if knob and image is None:
        raise InputError("--knob turns a released model's image processor: give --image instead of --visual-tokens")
    return image is not None
