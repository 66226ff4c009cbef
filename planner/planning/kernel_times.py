"""Times of candidates with the language model's seconds from measured kernels, one candidate at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.configuration import Model, Run
from planner.costs.latency import MIXED, Latency
from planner.costs.silicon import KernelTimes, kernel_times, with_kernels
from planner.costs.stages import Workload
from planner.planning.deployment import Deployment


def measured_times(
    ours: Latency, models: Sequence[Model], deployment: Deployment, workload: Workload, run: Run
) -> Latency:
    """Times over (batch, tensor parallel, models, visual tokens), with seconds and sources of measured kernels.

    Args:
        ours: the times without them.
        models: each with one language model and one or a few numbers of visual tokens, as many for each.
        deployment: its batches and GPUs for one model are the first two axes.
        workload: the request.
        run: how each runs, but for batch and GPUs.

    Raises:
        InputError: no kernel times are known of one of them.
    """
    shape = (len(deployment.batches), len(deployment.tensor_parallel), len(models), np.size(models[0].visual_tokens))
    seconds: dict[str, NDArray[np.float64]] = {}
    sources: dict[str, set[str]] = {}
    for b, batch in enumerate(deployment.batches):
        for t, devices in enumerate(deployment.tensor_parallel):
            for i, model in enumerate(models):
                if not model.llm.can_share(devices):
                    continue  # no candidate: it keeps the times that it had
                one_way = replace(run, batch=batch, tensor_parallel=devices)
                for name, found in kernel_times(model, workload, one_way).items():
                    if name not in seconds:
                        seconds[name] = np.array(np.broadcast_to(getattr(ours, name).seconds, shape), float)
                    seconds[name][b, t, i] = found.seconds
                    sources.setdefault(name, set()).add(found.source)
    said = {name: tags.pop() if len(tags) == 1 else MIXED for name, tags in sources.items()}
    return with_kernels(ours, {name: KernelTimes(seconds[name], said[name]) for name in seconds})
