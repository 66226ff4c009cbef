"""What a law was measured on, and what a candidate is, in the same names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.combined import MIX, CombinedLaw, Law
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.law import EvidenceLaw
from planner.parts.catalog import family_of
from planner.parts.released import Checkpoint
from planner.parts.released.select import family_of_released
from planner.planning.table import CandidateTable
from planner.planning.tried import Released

FloatArray = NDArray[np.float64]
Labels = NDArray[np.str_]

UNCOMPRESSED = "none"


@dataclass(frozen=True)
class Origin:
    """What one task's law was measured on."""

    weight: float
    """Share of the task in the workload, 1 of a law that is no mix."""
    families: tuple[str, ...]
    """Families of the language models, or of the released models, of the runs; () where the runs name none."""
    models: frozenset[str]
    """Names of the models of the runs in lower case."""
    compressors: tuple[str, ...]
    """Those of the runs; () where the runs name none."""
    tasks: tuple[str, ...]
    """That the error is the mean of; () where the runs name none."""

    @classmethod
    def of(cls, law: FittedLaw, weight: float, released: bool) -> Origin:
        """Of a law of one task."""
        label = _released_family if released else _family
        return cls(
            weight=weight,
            families=tuple(dict.fromkeys(map(label, law.llms))),
            models=frozenset(name.lower() for name in law.llms),
            compressors=law.compressors,
            tasks=law.tasks,
        )


def measured_with(compressors: tuple[str, ...]) -> tuple[str, ...]:
    """Compressors of runs, without "none" where others are."""
    return tuple(name for name in compressors if name != UNCOMPRESSED) or compressors


def origins_of(law: Law, released: bool) -> tuple[Origin, ...]:
    """Of each task of a law; of all forms of an average the same."""
    return tuple(Origin.of(one, weight, released) for one, weight in tasks_of(law))


def tasks_of(law: Law) -> tuple[tuple[FittedLaw, float], ...]:
    """A law of each task with its share; one of all forms of an average; none of published results, which reckon with
    transfer themselves."""
    if isinstance(law, EvidenceLaw):
        return ()
    if not isinstance(law, CombinedLaw):
        return ((law, 1.0),)
    if law.kind != MIX:
        return ((law.runs_of, 1.0),)
    shares = zip(law.members, law.weights, strict=True)
    return tuple((one, weight * share) for member, share in shares for one, weight in tasks_of(member))


@dataclass(frozen=True, eq=False)
class Targets:
    """What the candidates of a plan are, of shape (rows,) each."""

    llm_params: FloatArray
    visual_tokens: FloatArray
    family: Labels
    """Of the language model; of a released model its own family."""
    compressor: Labels
    """What makes the visual tokens; of a released model its family, as each has its own connector and images."""
    checkpoint: Labels
    """Name of a released model; "" of what is to be trained."""
    hub_id: Labels
    """Of a released model in lower case."""
    released: bool

    @classmethod
    def of(cls, table: CandidateTable, released: Released | None) -> Targets:
        """Of the candidates of a table."""
        which = table.llm_index
        if released is None:
            families = np.array([family_of(one.name) or one.family for one in table.llms])[which]
            made_by = np.array([setup["compressor"] for setup in table.setups])[table.setup_index]
            nothing = np.zeros(len(table), "<U1")
            return cls(table.llm_params, table.visual_tokens, families, made_by, nothing, nothing, False)
        models = released.selection.checkpoints
        own = np.array([checkpoint_family(one) for one in models])[which]
        names = np.array([one.name for one in models])[which]
        hub = np.array([one.hub_id.lower() for one in models])[which]
        return cls(table.llm_params, table.visual_tokens, own, own, names, hub, True)

    def at(self, rows: NDArray[np.intp]) -> Targets:
        """Some of them."""
        return Targets(
            self.llm_params[rows],
            self.visual_tokens[rows],
            self.family[rows],
            self.compressor[rows],
            self.checkpoint[rows],
            self.hub_id[rows],
            self.released,
        )

    def named_in(self, names: frozenset[str]) -> NDArray[np.bool_]:
        """Which are released models of such names, (rows,)."""
        if not self.released:
            return np.zeros(len(self.family), bool)
        return np.isin(np.char.lower(self.checkpoint), list(names)) | np.isin(self.hub_id, list(names))


def checkpoint_family(one: Checkpoint) -> str:
    """Of a released model."""
    return _released_family(one.hub_id or one.name)


def _family(name: str) -> str:
    return family_of(name) or name


def _released_family(name: str) -> str:
    return family_of_released(name)
