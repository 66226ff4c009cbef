"""Which cells of the hierarchy the models of a plan are: by the names of their language models and compressors.

A released model that published rows are of is known by `fitted_laws/evidence/checkpoints.csv`. Any other released model
is a study of its series, what is to be trained is one study of one's own: their levels are not known, only what the
population says of the differences between them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.cells import Cells, FloatArray, StrArray
from planner.laws.hierarchy.tasks import EvidenceTask

OWN_STUDY, OWN_TABLE = "what is to be trained", "not printed"

TRAINED, PRUNING, RELEASED = "trained", "pruning", "released"

_POPULATIONS = {
    "none": ("none", "none"),
    "resize": ("resize", "resize"),
    "average-pool": ("average-pooling", TRAINED),
    **{name: (name, PRUNING) for name in ("fastv", "sparsevlm", "visionzip", "prumerge", "prumerge+")},
    **{name: (name, PRUNING) for name in ("divprune", "mmtok", "dart", "mustdrop", "pyramiddrop", "vispruner")},
}
"""What a way to few tokens is called, in small letters -> (compressor of the evidence, population); others are trained
compressors of their own name. The second row of those that prune has no rows in the evidence: what is known of them is
what is known of pruning."""

_FAMILIES = {"Gemma2": "Gemma 2", "Llama-3.1": "Llama 3", "Llama-3.2": "Llama 3", "Vicuna-1.5": "Vicuna"}
"""What stands before the size in a name -> family of the evidence, where they differ."""

_BEFORE_THE_SIZE = re.compile(r"(.+?)[-_ ]?\d+(?:\.\d+)?[bm](?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Model:
    """What a name stands for in the evidence."""

    study: str
    family: str
    recipe: str
    checkpoint: str
    compressor: str
    """"" where the plan says it."""
    population: str
    llm_params: float
    """nan where the plan's nominal size is that of the language model."""


def series_of(name: str) -> str:
    """What stands before the size in a model's name: "Qwen2.5-VL" of "Qwen2.5-VL-7B-Instruct"; the name without one."""
    found = _BEFORE_THE_SIZE.match(name)
    return found.group(1) if found else name


def family_of(name: str) -> str:
    """The evidence's family of a language model; a new one of a name that it does not know."""
    series = series_of(name)
    return _FAMILIES.get(series, series)


def own_model(name: str, study: str = OWN_STUDY) -> Model:
    """A language model in a study of one's own."""
    return Model(study, family_of(name), "", f"{study} / {name}", "", "", np.nan)


def released_model(name: str) -> Model:
    """A released model: that of published rows, or one of a series that the evidence does not know."""
    known = _checkpoints().get(name.lower())
    if known is not None:
        return known
    series = series_of(name)
    return Model(series, series, "", f"{series} / {name}", "resize", RELEASED, np.nan)


def is_measured(name: str) -> bool:
    """Whether the evidence has rows of a released model's series."""
    return name.lower() in _checkpoints()


def cells_of(
    task: EvidenceTask,
    models: Sequence[Model],
    which: StrArray | np.ndarray[tuple[int], np.dtype[np.intp]],
    llm_params: FloatArray,
    visual_tokens: FloatArray,
    compressors: Sequence[str],
) -> Cells:
    """The cells of points.

    Args:
        task: of all of them.
        models: each once.
        which: position of each point's model, shape (points,).
        llm_params: nominal sizes in parameters, shape (points,).
        visual_tokens: per image, shape (points,).
        compressors: of each point, as the planner calls it; the model's own name of it goes before.
    """
    chosen = [models[int(i)] for i in which]
    ways = [
        (one.compressor, one.population) if one.compressor else _way(way)
        for one, way in zip(chosen, compressors, strict=True)
    ]
    own = np.array([one.llm_params for one in chosen], float)
    count = len(chosen)
    return Cells(
        study=np.array([one.study for one in chosen]),
        table=np.full(count, OWN_TABLE),
        task=np.full(count, task.name if task.measured else f"another {task.task_class} task"),
        task_class=np.full(count, task.task_class),
        family=np.array([one.family for one in chosen]),
        recipe=np.array([one.recipe for one in chosen]),
        checkpoint=np.array([one.checkpoint for one in chosen]),
        compressor=np.array([way for way, _ in ways]),
        population=np.array([population for _, population in ways]),
        llm_params=np.where(np.isnan(own), llm_params, own),
        visual_tokens=visual_tokens,
    )


def _way(name: str) -> tuple[str, str]:
    """(compressor of the evidence, population) of a way to few tokens."""
    return _POPULATIONS.get(name.strip().lower(), (name, TRAINED))


def trains(compressor: str) -> bool:
    """Whether a model is trained with a compressor, rather than pruned once it is trained with all its tokens."""
    return _way(compressor)[1] != PRUNING


@cache
def _checkpoints() -> dict[str, Model]:
    path = resources.files("fitted_laws") / "evidence" / "checkpoints.csv"
    found = {}
    for row in csv.DictReader(path.read_text("utf-8").splitlines()):
        checkpoint = " / ".join(filter(None, (row["study"], row["llm"], row["recipe"])))
        found[row["model"].lower()] = Model(
            row["study"],
            row["family"],
            row["recipe"],
            checkpoint,
            row["compressor"],
            row["population"],
            float(row["llm_params"]),
        )
    return found
