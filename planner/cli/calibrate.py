"""The verb that fits a hardware profile to measurements: calibrate."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.base.errors import InputError, MeasurementError, PlannerError
from planner.base.files import check_target
from planner.base.quantities import counted, positive_number
from planner.cli.common import (
    Force,
    Json,
    app,
    json_text,
    parse_counts,
    parse_names,
    parse_seed,
    parse_share,
    show_story,
)
from planner.cli.engine_results import EngineOptions, calibrate_to_engine, hold_load_tests
from planner.cli.running import (
    RETAKES_HELP,
    SECONDS_HELP,
    WITHIN_HELP,
    going_on,
    needs_torch,
    progress_bar,
    warn_of_load,
)
from planner.hardware import Hardware, find_hardware
from planner.parts.catalog import DEFAULT_COMPRESSOR, find_llms, find_vision, load_llm_config
from planner.parts.released import find_checkpoint

if TYPE_CHECKING:
    from planner.bench.measurement import Measurement

UNFINISHED = ".unfinished"
"""Ending of the folder beside a profile that is still being measured."""


@app.command()
def calibrate(
    output: Annotated[str, typer.Option("-o", "--output", help="Profile to write, such as my-gpu.json.")],
    llms: Annotated[str | None, typer.Option(help="Language models; default: three sizes that fit.")] = None,
    llm_config: Annotated[list[str] | None, typer.Option(help="Path of a config.json; may be said again.")] = None,
    visual_tokens: Annotated[str | None, typer.Option(help="Per image, as 1,16,144.")] = None,
    batch: Annotated[str | None, typer.Option(help="Requests that run together, as 1,8.")] = None,
    query_tokens: Annotated[int | None, typer.Option(help="New text tokens of a request.")] = None,
    generated_tokens: Annotated[int | None, typer.Option(help="Answer tokens of a request.")] = None,
    vision: Annotated[str | None, typer.Option(help="Vision tower, or the path of its config.json.")] = None,
    compressor: Annotated[str, typer.Option(help="quecc, tokenpacker, average-pool or none.")] = DEFAULT_COMPRESSOR,
    prompt_order: Annotated[str, typer.Option(help="image-first or text-first.")] = "image-first",
    precision: Annotated[str | None, typer.Option(help="bf16, fp16 or fp32; default bf16 on a GPU, else fp32.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:1; default: a GPU where there is one.")] = None,
    mode: Annotated[str, typer.Option(help="eager; static (CUDA graph of the decode step); compile.")] = "eager",
    seconds: Annotated[float | None, typer.Option(help=SECONDS_HELP)] = None,
    within: Annotated[str, typer.Option(help=WITHIN_HELP)] = "3%",
    retakes: Annotated[int, typer.Option(min=0, max=20, help=RETAKES_HELP)] = 2,
    allow_unstable: Annotated[
        bool, typer.Option("--allow-unstable", help="Calibrate on a busy machine, and from unstable measurements.")
    ] = False,
    hardware: Annotated[
        str | None, typer.Option(help="Card or profile to start from; default: by the device's name.")
    ] = None,
    taken: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Folder of measurements, or results of load tests of an engine (GuideLLM, AIPerf, vllm bench serve): "
            "nothing is measured.",
        ),
    ] = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[RESULTS]...", help="Further results of load tests, with --from.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="That load tests measured, with its version: 'vLLM 0.32.0'.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="That load tests measured: hub id, folder, LLM or config.json; SERVED=MODEL for several, said again."
        ),
    ] = None,
    image: Annotated[str | None, typer.Option(help="Size of the load tests' images, as 448x448.")] = None,
    images: Annotated[int | None, typer.Option(help="Images per request of the load tests; 0: text alone.")] = None,
    input_counts: Annotated[
        str | None, typer.Option(help="What the load tests' input tokens hold: all, or text (without images).")
    ] = None,
    requests_per_second: Annotated[float | None, typer.Option(help="Of load tests whose files do not say it.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Of load tests whose files do not say it.")] = None,
    tool_version: Annotated[str | None, typer.Option(help="Of the load tester, where its files do not say it.")] = None,
    tensor_parallel: Annotated[int | None, typer.Option(help="GPUs that share the load tests' model.")] = None,
    max_num_seqs: Annotated[
        int | None, typer.Option(help="Of the load tests' engine; default: its own, fitted.")
    ] = None,
    max_num_batched_tokens: Annotated[
        int | None, typer.Option(help="Of the load tests' engine; default: its own, fitted.")
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(help="With --from: folders of released models that moved since they were measured."),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Folder for measurements; default: one beside the profile, until that is written. A run that was "
            "ended goes on from there."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights and inputs.")] = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Measure this device, or take load tests of an engine, and fit a hardware profile for plan --hardware."""
    from planner.bench.calibration.result import record_path

    target = Path(output)
    if target.suffix != ".json":
        raise InputError(f"-o {output}: a profile's name ends in .json, so that --hardware finds it")
    for file in (target, record_path(target)):
        check_target(file, force)
    asked = EngineOptions(
        engine, tool_version, tuple(model or ()), image, images, input_counts, requests_per_second, concurrency,
        tensor_parallel, max_num_seqs, max_num_batched_tokens, precision, visual_tokens, query_tokens, generated_tokens,
        vision, compressor, prompt_order, hardware,
    )  # fmt: skip
    results = [] if taken is None else [taken, *(more or ())]
    if more and taken is None:
        raise InputError(f"{more[0]}: results go with --from")
    if hold_load_tests(results):
        calibrate_to_engine(results, target, asked, force, as_json)
        return
    asked.refuse_without_load_tests()
    if len(results) > 1:
        raise InputError(f"--from: expected one folder of measurements, got {len(results)}")
    card = None if hardware is None else find_hardware(hardware)
    configs = [(path, load_llm_config(path)) for path in llm_config or ()]
    named = [] if llms is None else list(find_llms(parse_names(llms)))
    tower = None if vision is None else find_vision(vision)
    if models is not None and taken is None:
        raise InputError("--models goes with --from: measure released models first, with measure MODEL --image WxH -o")
    moved = [] if models is None else [find_checkpoint(one) for one in parse_names(models)]
    if taken is not None:
        from planner.bench.calibration.take import read_folder

        if keep is not None:
            raise InputError("--from reads measurements and --keep writes them: give one of them")
        notes: tuple[str, ...] = ()
        measurements = read_folder(taken)
    else:
        with needs_torch("calibrate"):
            import planner.vlm  # noqa: F401 - what is measured needs it, and is loaded later
            from planner.bench.calibration.take import measure_device
        folder = target.with_suffix(UNFINISHED) if keep is None else Path(keep)
        with going_on(folder), progress_bar() as progress:
            measurements, notes = measure_device(
                [*named, *(spec for _, spec in configs)],
                visual_tokens=None if visual_tokens is None else parse_counts(visual_tokens),
                batches=None if batch is None else parse_counts(batch, "--batch"),
                query_tokens=query_tokens,
                generated_tokens=generated_tokens,
                vision=vision,
                compressor=compressor,
                prompt_order=prompt_order,
                precision=precision,
                device=device,
                mode=mode,
                seconds=None if seconds is None else positive_number(seconds, "--seconds"),
                within=parse_share(within, "--within", 1.0),
                retakes=retakes,
                seed=parse_seed(seed),
                keep=folder,
                sources={spec.name: path for path, spec in configs},
                progress=progress,
                ready=partial(_ready, device, folder, allow_unstable),
                say=lambda text: print(text, file=sys.stderr),
            )
    known: dict[str, Any] = {
        "llms": [spec for _, spec in configs],
        "towers": [] if tower is None else [tower],
        "models": moved,
    }
    known["allow_unstable"] = allow_unstable
    try:
        _finish(measurements, card, known, target, notes, force, as_json)
    except MeasurementError:
        if taken is None:
            print(f"what was measured is kept in {folder}; the same command goes on there", file=sys.stderr)
        raise
    if taken is None and keep is None:
        _remove(folder)


def _ready(device: str | None, folder: Path, allow_unstable: bool) -> None:
    """Before anything is measured. Raises MeasurementError on a busy machine."""
    warn_of_load(device, refuse=None if allow_unstable else "a calibration")
    _tell_kept(folder)


def _tell_kept(folder: Path) -> None:
    """Says that measurements of an earlier run are used, and when they were taken."""
    from planner.bench.calibration.take import read_folder

    if any(folder.glob("*.json")):
        found = read_folder(folder)
        dates = sorted(str(one.environment.get("measured_at", "unknown"))[:10] for one in found)
        when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        print(f"going on with {counted(len(found), 'measurement')} in {folder}, taken {when}", file=sys.stderr)


def _remove(folder: Path) -> None:
    """The folder of a run that is finished, with its measurements; nothing that others put there."""
    from planner.bench.measurement import Measurement

    for file in folder.glob("*.json"):
        with contextlib.suppress(PlannerError):
            Measurement.load(file)
            file.unlink()
    with contextlib.suppress(OSError):  # others put something there
        folder.rmdir()


def _finish(
    measurements: tuple[Measurement, ...],
    card: Hardware | None,
    known: Mapping[str, Any],
    output: Path,
    notes: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Fit, write, show."""
    from planner.bench.answers import answers_of
    from planner.bench.calibrate import calibrate as fitted

    found = fitted(measurements, card, **known)
    profile, record = found.save(output, overwrite=force)
    print(f"wrote {profile} and, beside it, {record.name}", file=sys.stderr)
    answers = answers_of(measurements)
    if as_json:
        content = {
            "output": str(profile),
            "record": str(record),
            "left_out": list(notes),
            "calibration": found.to_dict(),
            "answers": [answer.to_dict() for answer in answers],
        }
        print(json_text(content))
        return
    from planner.tell.answers import answer_blocks
    from planner.tell.calibration import calibration_story
    from planner.tell.document import Section

    show_story(calibration_story(found))
    largest = max(measurements, key=lambda one: one.model.params).model.llm
    own = [answer for answer in answers if answer.subject.startswith(f"{largest}, ")]
    show_story(Section("answers", "What the measurements answer", answer_blocks(own)))
