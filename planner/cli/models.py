"""Verbs on models: build, ask, export. Only they need torch and transformers."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from planner.base.codec import encode
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown, whole_number
from planner.cli.common import Force, Json, app, json_text, parse_names, parse_seed, show_story
from planner.cli.released_build import build_released_model
from planner.cli.running import needs_torch, progress_bar
from planner.planning.load_plan import load_plan

Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:1; default: a GPU where there is one.")]


@app.command()
def build(
    plan_file: Annotated[str | None, typer.Option("--from", help="Plan that plan -o wrote: its best is built.")] = None,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Folder to write; must not exist.")] = None,
    model: Annotated[
        str | None, typer.Option(help="A released model instead (hub id, folder or config.json), with its own parts.")
    ] = None,
    llm: Annotated[str | None, typer.Option(help="Language model; with --from, in place of the plan's.")] = None,
    llm_config: Annotated[str | None, typer.Option(help="Path of a Hugging Face config.json instead.")] = None,
    visual_tokens: Annotated[int | None, typer.Option(help="Visual tokens per image.")] = None,
    vision: Annotated[str | None, typer.Option(help="Vision tower; default CLIP-ViT-L/14-336.")] = None,
    compressor: Annotated[str | None, typer.Option(help="quecc (default), tokenpacker, average-pool, none.")] = None,
    prompt_order: Annotated[str | None, typer.Option(help="image-first (default) or text-first.")] = None,
    image_fit: Annotated[
        str | None, typer.Option(help="Images to squares: pad (default for CLIP), crop, resize (default for SigLIP).")
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            help="random; pretrained (hub); llm=PATH,vision=PATH: folder, GGUF file, hub id; with --model a folder."
        ),
    ] = "random",
    dtype: Annotated[str | None, typer.Option(help="bf16, fp16 or fp32; default: the plan's, else bf16.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or meta: no weights but with -o.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Of random weights.")] = 0,
    count_with: Annotated[
        str | None, typer.Option(help="transformers: with --model, counts an architecture that is not known.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make the model of a plan, of names, or a released one: a folder that transformers loads, and its parameters."""
    if output is None and device != "meta":
        raise InputError("-o is missing: name the folder to write, or say --device meta for the parameters alone")
    parts = {"--llm": llm, "--llm-config": llm_config, "--visual-tokens": visual_tokens}
    parts |= {"--vision": vision, "--compressor": compressor, "--prompt-order": prompt_order}
    parts["--image-fit"] = image_fit
    how: dict[str, Any] = {"weights": weights, "device": device, "seed": seed, "force": force, "as_json": as_json}
    if model is not None:
        others = {"--from": plan_file, **parts}
        build_released_model(model, output, dtype=dtype, count_with=count_with, others=others, **how)
        return
    if count_with is not None:
        raise InputError("--count-with counts a model as it is published: name it with --model")
    picked = None if plan_file is None else load_plan(plan_file)
    if picked is not None and (released := picked.best.released) is not None:
        build_released_model(released, output, dtype=dtype, planned=picked.best.precision, others=parts, **how)
        return
    if llm is not None and llm_config is not None:
        raise InputError(f"--llm {llm} and --llm-config {llm_config}: give one of them")
    parse_seed(seed)
    chosen = _read_weights(weights)
    with needs_torch("build"):
        from planner.vlm.build import (
            build_recipe,
            default_dtype,
            fitted,
            make_processor,
            params_table,
            read_device,
            weights_bytes,
        )
        from planner.vlm.image_fit import IMAGE_FITS
        from planner.vlm.recipe import make_recipe, planned_precision
        from planner.vlm.saving import check_output, save_model
        from planner.vlm.weights import find_sources
    if image_fit is not None and image_fit not in IMAGE_FITS:
        raise UnknownNameError("image fit", image_fit, IMAGE_FITS)
    if image_fit is not None and output is None:
        raise InputError("--image-fit is kept by the folder that is written: name it with -o")
    if output is not None:
        check_output(Path(output), force)
    recipe = make_recipe(
        picked,
        llm=_config_file(llm_config) or llm,
        visual_tokens=visual_tokens,
        vision=vision,
        compressor=compressor,
        prompt_order=prompt_order,
    )
    sources = find_sources(chosen, recipe)
    recipe = fitted(recipe, sources)
    place = read_device(device)
    in_memory = bool(sources) or output is None
    kind, planned = dtype or default_dtype(picked), planned_precision(picked)
    notes = []
    if planned not in (None, kind):
        notes.append(f"the plan's weights are in {planned}, these are in {kind}")
    with progress_bar() as progress:
        # random weights are made on the way to the disk, layer by layer
        made = build_recipe(
            recipe, sources, dtype=kind, device=place if in_memory else "meta", seed=seed, progress=progress
        )
        table, rows = params_table(made, recipe), made.config.text_config.vocab_size
        if output is not None:
            processor = make_processor(made, sources, image_fit=image_fit)
            if made.config.text_config.vocab_size > rows:
                notes.append(
                    f"the vocabulary has no token to spare for images: the embedding got "
                    f"{made.config.text_config.vocab_size - rows} rows more than the plan counted"
                )
            where = "cpu" if place.type == "meta" else place
            save_model(made, processor, output, overwrite=force, seed=seed, device=where, progress=progress)
            if "llm" not in sources:
                notes.append("random weights have no tokenizer: one token a byte, made here")
    content = {
        "output": output,
        "llm": recipe.llm.name,
        "visual_tokens": recipe.visual_tokens,
        "vision": recipe.vision.name,
        "compressor": recipe.compressor.name,
        "prompt_order": recipe.prompt_order,
        "dtype": kind,
        "weights": {part: str(sources[part]) if part in sources else "random" for part in ("llm", "vision")},
        "weights_bytes": weights_bytes(made),
        "params": {row.part.replace(" ", "_"): {"built": row.built, "predicted": row.predicted} for row in table},
        "notes": notes,
    }
    if output is not None:
        print(f"wrote {output}", file=sys.stderr)
    if as_json:
        print(json_text(content))
        return
    from planner.tell.build import build_story

    show_story(build_story(content))


@app.command()
def ask(
    model: Annotated[str, typer.Argument(help="Folder that build wrote.")],
    image: Annotated[str, typer.Argument(help="Image file.")],
    question: Annotated[str, typer.Argument(help="What to ask about it.")],
    max_new_tokens: Annotated[int, typer.Option(help="Tokens of the answer, at most.")] = 32,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Ask a built model about an image; prints its answer."""
    whole_number(max_new_tokens, "--max-new-tokens", 1)
    if not question.strip():
        raise InputError("the question is empty: say what to ask about the image")
    with needs_torch("ask"):
        import torch

        from planner.vlm.answering import answer, read_image
        from planner.vlm.build import default_device
        from planner.vlm.saving import load_model
    picture = read_image(image)
    place = device or default_device()
    with progress_bar() as progress:
        progress(f"loading {model}", 0, 1)
        # many CPUs compute in 16 bits only by detours
        loaded, processor = load_model(model, place, torch.float32 if place == "cpu" else None)
    start = time.perf_counter()
    said = answer(loaded, processor, picture, question, max_new_tokens=max_new_tokens)
    if not said.text:
        print("the answer is empty: untrained weights say nothing of use", file=sys.stderr)
    if not as_json:
        print(said.text)
        return
    content = {
        "answer": said.text,
        "prompt_tokens": said.prompt_tokens,
        "generated_tokens": said.generated_tokens,
        "device": place,
        "seconds": time.perf_counter() - start,
    }
    print(json_text(content))


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="Folder that build wrote.")],
    output: Annotated[str, typer.Option("-o", "--output", help="Folder to write; must not exist.")],
    engine: Annotated[
        str | None, typer.Option(help="Write what this engine serves by itself, with its command: vllm.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a built model for a serving engine; without --engine its LLM alone, as a plain checkpoint with its
    tokenizer, for engines that take prompt embeddings."""
    with needs_torch("export"):
        from planner.make.engine_folder import export_for_engine
        from planner.vlm.saving import export_llm
    content: dict[str, Any] = {"output": output}
    with progress_bar() as progress:
        progress(f"writing {output}", 0, 1)
        if engine is None:
            folder = export_llm(model, output, overwrite=force)
        else:
            content["serving"] = encode(export_for_engine(model, output, engine, overwrite=force), "serving")
            folder = Path(output)
    content |= {
        "files": sorted(file.name for file in folder.iterdir()),
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
    }
    if as_json:
        print(json_text(content))
        return
    from planner.tell.build import export_blocks

    show_story(tuple(export_blocks(content)))


def _read_weights(text: str) -> str | dict[str, str]:
    """ "random", "pretrained", or sources by part: "llm=PATH,vision=PATH"."""
    if "=" not in text:
        return text
    pairs = [part.partition("=") for part in parse_names(text)]
    if not all(name and place for name, _, place in pairs):
        raise InputError(f"--weights: expected random, pretrained or llm=PATH,vision=PATH, got {shown(text)}")
    return {name: place for name, _, place in pairs}


def _config_file(path: str | None) -> str | None:
    """The path of a config, which must be one: a name would be taken from the catalogue."""
    if path is not None and not Path(path).exists():
        raise InputError(f"--llm-config {path}: no such file; expected a Hugging Face config.json")
    return path
