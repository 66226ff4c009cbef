"""measure(): one model on one device, stage by stage and as a whole."""

from __future__ import annotations

import copy
import gc
import math
from typing import Any

import numpy as np
import torch
from PIL import Image

from planner.base.errors import InputError, MeasurementError, UnknownNameError
from planner.base.quantities import shown, whole_number
from planner.bench.ceilings import measure_ceilings
from planner.bench.clock import Clock, Task, take
from planner.bench.counting import count_flops, memory_of, shell_of
from planner.bench.energy import WINDOW_S, energy_of
from planner.bench.environment import environment
from planner.bench.measurement import (
    COMPILE,
    EAGER,
    MODES,
    STATIC,
    Ceilings,
    Energy,
    Measurement,
    Method,
    ModelFacts,
    ProcessUse,
)
from planner.bench.meters import Gpu
from planner.bench.methods import check_images
from planner.bench.mode_stages import stages_of
from planner.bench.probes import probe
from planner.bench.process import peak_bytes
from planner.bench.rapl import Rapl
from planner.bench.requests import time_requests
from planner.bench.runnable import Runnable, Subject
from planner.bench.samples import WITHIN, Samples
from planner.costs.stages import Workload
from planner.vlm import PlannerVlmForConditionalGeneration, PlannerVlmProcessor
from planner.vlm.build import DTYPES, Progress
from planner.vlm.build_time import build_seconds
from planner.vlm.recipe import Recipe
from planner.vlm.weights import byte_tokenizer

_OTHER_PARTS = 6  # beside the stages: preprocessing, ceilings, FLOPs, memory, whole requests, energy
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def measure(
    model: PlannerVlmForConditionalGeneration,
    recipe: Recipe,
    workload: Workload,
    *,
    batch: int = 1,
    mode: str = "eager",
    seconds: float = 1.0,
    within: float = WITHIN,
    seed: int = 0,
    ceilings: Ceilings | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Times, memory, FLOPs and energy of a batch of equal requests, raw samples kept.

    Times are by CUDA events on a GPU and by the host's clock elsewhere, after warm-up, on fresh random inputs.

    Args:
        model: in evaluation mode, on its device; weights may be random.
        recipe: what it was built from, for the names of its parts; numbers are read off the model.
        workload: one request.
        batch: requests that run together.
        mode: "eager"; "static" (static cache, the decode step as a CUDA graph on a GPU); "compile".
        seconds: of sampling for each stage, at most, but for the fewest samples: seven. Energy is taken five times as
            long, 5 s at most, and is marked as not reliable below.
        within: sampling of a stage ends earlier where the 95 % interval of its median reaches so far at most, relative
            to it.
        seed: of the inputs.
        ceilings: of this device and precision, measured now if not given.
        progress: told what is done.

    Raises:
        InputError: a mode, count or dtype that cannot be measured; a request without images; text-first without a
            query; too little memory.
    """
    if mode not in MODES:
        raise UnknownNameError("mode", mode, MODES)
    whole_number(batch, "batch", 1)
    check_images(workload)
    if not (isinstance(seconds, int | float) and 0 < seconds < math.inf):
        raise InputError(f"seconds: expected a number above 0, got {shown(seconds)}")
    if not (isinstance(within, int | float) and 0 < within < 1):
        raise InputError(f"within: expected a share above 0 and below 1, got {shown(within)}")
    if mode != EAGER and tensor_parallel() > 1:
        raise InputError(f"mode {mode}: a model that several devices share is measured in the eager mode only")
    if model.config.prefix_asks and not workload.query_tokens:
        raise InputError("a text-first prompt asks the compressor by its query: expected query_tokens of at least 1")
    facts = facts_of(model, recipe)
    try:
        with torch.no_grad():
            subject = Subject(
                facts=facts,
                layers=_layers(model),
                stages=lambda requests, how: stages_of(model, workload, requests, mode=how, seed=seed),
                counted=lambda: count_flops(shell_of(model), workload),
                preprocess=lambda most: _preprocess(model, most),
                notes=tuple(_notes(model, workload)),
                build_s=build_seconds(model),
            )
            return measured(subject, workload, batch, mode, seconds, ceilings, progress, within)
    except torch.OutOfMemoryError:
        raise MeasurementError(
            f"{recipe} at batch {batch} does not fit in the memory of {model.device}: take a smaller batch, or measure "
            "it by slices"
        ) from None


def facts_of(model: PlannerVlmForConditionalGeneration, recipe: Recipe) -> ModelFacts:
    """What the model itself says that it is. Raises InputError for weights of a dtype that is not measured."""
    dtype = next(iter(model.language_model.parameters())).dtype
    if dtype not in _NAMES:
        raise InputError(f"weights in {dtype}: expected {', '.join(_NAMES.values())}")
    config = model.config
    return ModelFacts(
        llm=recipe.llm.name,
        visual_tokens=int(config.visual_tokens),
        vision=recipe.vision.name,
        compressor=str(config.compressor),
        prompt_order=str(config.prompt_order),
        precision=_NAMES[dtype],
        params=sum(weight.numel() for weight in model.parameters()),
        tensor_parallel=tensor_parallel(),
    )


def tensor_parallel() -> int:
    """Devices that share the model."""
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if there else 1


class _Teller:
    """Progress over the parts of a measurement."""

    def __init__(self, progress: Progress | None, parts: int) -> None:
        self._progress, self._parts, self._done = progress, parts, 0

    def __call__(self, what: str) -> None:
        if self._progress is not None:
            self._progress(what, self._done, self._parts)
        self._done += 1


def measured(
    subject: Subject,
    workload: Workload,
    batch: int,
    mode: str,
    seconds: float,
    ceilings: Ceilings | None,
    progress: Progress | None,
    within: float = WITHIN,
) -> Measurement:
    """Everything that is taken of a model, in its order; without gradients, and as `measure` says."""
    stages = subject.stages(batch, mode)
    facts, device = subject.facts, stages.device
    gpu = Gpu(device) if device.type == "cuda" else None
    clock = Clock(device)
    tasks = stages.tasks()
    told = _Teller(progress, _OTHER_PARTS + len(tasks))
    samples: dict[str, Samples] = {}
    notes = [*subject.notes, *_how(mode, gpu)]
    dtype = DTYPES[facts.precision]
    told("preprocessing")
    if subject.preprocess is not None:
        samples["preprocess"] = subject.preprocess(min(seconds, 0.5))
    told("ceilings of the device")
    if ceilings is None:
        ceilings = measure_ceilings(device, dtype, min(seconds, 0.5))
    told("counting FLOPs")
    flops = subject.counted()
    told("memory of a request")
    memory = memory_of(subject.stages(batch, EAGER if mode == EAGER else STATIC), gpu)
    probes = [probe(device, dtype)]
    for name, task in tasks.items():
        told(name.replace("_", " "))
        samples[name] = take(task, clock, seconds, gpu, within=within)
    told("whole requests")
    samples |= time_requests(stages, clock, seconds, gpu, within)
    probes.append(probe(device, dtype))
    told("energy")
    energy = _energy(stages, gpu, seconds)
    gc.collect()
    return Measurement(
        model=facts,
        workload=workload,
        batch=batch,
        mode=mode,
        samples=samples,
        flops=flops,
        memory=memory,
        energy=energy,
        ceilings=ceilings,
        method=Method(layers=subject.layers, layers_measured=(subject.layers,)),
        environment=environment(device, facts.precision, mode, gpu),
        notes=tuple(notes),
        probes=tuple(probes),
        process=ProcessUse(peak_bytes(), subject.build_s),
    )


def _notes(model: PlannerVlmForConditionalGeneration, workload: Workload) -> list[str]:
    """What a reader of the numbers should know of the model."""
    found = []
    config: Any = model.config.text_config
    longest = workload.cached_tokens + workload.prefilled_text_tokens + workload.generated_tokens
    longest += workload.images * int(model.config.visual_tokens)
    window = getattr(config, "sliding_window", None)
    windowed = any("sliding" in kind for kind in getattr(config, "layer_types", None) or ())
    if window and windowed and longest > window:
        found.append(
            f"some layers look at the last {window} tokens only, the request has {longest}: predictions count all of "
            "them, so FLOPs and KV cache are predicted too high"
        )
    return found


def _how(mode: str, gpu: Gpu | None) -> list[str]:
    """What a reader of the numbers should know of how they were taken."""
    found = []
    if mode == COMPILE:
        found.append("a compiled prefill writes its causal mask out, which is slow for long prompts")
        found.append("memory is that of the same requests with a static cache, not compiled")
    if gpu is not None and not gpu.facts():
        found.append("no counters of the GPU (package nvidia-ml-py): its clocks, energy and memory in use are not seen")
    return found


def _layers(model: PlannerVlmForConditionalGeneration) -> int:
    return int(model.config.text_config.num_hidden_layers)


# ---- what is timed ---------------------------------------------------------------------------------------------------


def _preprocess(model: PlannerVlmForConditionalGeneration, seconds: float) -> Samples:
    """Resizing and cutting an image of 640 x 480, and splitting a question into tokens, on the host."""
    config = copy.deepcopy(model.config)  # the processor tells the config its image token
    processor = PlannerVlmProcessor.from_config(config, byte_tokenizer(max(config.text_config.vocab_size, 512)))
    pixels = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    image, text = Image.fromarray(pixels), f"{processor.image_token}\nwhat stands on the table?"

    def prepare(turn: int) -> object:
        return processor(images=image, text=text, return_tensors="pt")

    return take(Task(prepare), Clock(torch.device("cpu")), seconds)


def _energy(stages: Runnable, gpu: Gpu | None, seconds: float) -> Energy:
    """Of requests one after the other, by the counter of the GPU or of the host's processors."""
    if tensor_parallel() > 1:
        return Energy(None, False, "not measured where several devices share a model")
    steps = max(stages.workload.generated_tokens - 1, 0)

    def serve(turn: int) -> None:
        stages.go_on(stages.begin(turn), steps)
        if gpu is not None:
            torch.cuda.synchronize(stages.device)

    return energy_of(serve, gpu or Rapl(), stages.batch, WINDOW_S * min(seconds, 1.0))
