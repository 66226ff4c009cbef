"""The model of a measurement, found again by the names that the measurement has: of parts, or a released one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, PlannerError, UnknownNameError
from planner.base.quantities import format_params, shown
from planner.bench.measurement import Measurement, ModelFacts
from planner.configuration import Model, ReleasedModel
from planner.parts.catalog import find_compressor, find_llms, find_vision
from planner.parts.llms import Llm
from planner.parts.released import Checkpoint, find_checkpoint
from planner.parts.towers import Tower

_PARAMS_OFF = 0.02
"""Between the parameters of the measured model and those of its description; more is another model."""
_Named = TypeVar("_Named", Llm, Tower, Checkpoint)


@dataclass(frozen=True)
class Known:
    """Models and parts, by name, that are neither shipped nor where they were when they were measured."""

    llms: Mapping[str, Llm]
    towers: Mapping[str, Tower]
    checkpoints: Mapping[str, Checkpoint]

    @classmethod
    def of(cls, llms: Iterable[Llm], towers: Iterable[Tower], models: Iterable[Checkpoint]) -> Known:
        """By their own names."""
        return cls(_by_name(llms), _by_name(towers), _by_name(models))

    def model(self, one: Measurement) -> Model:
        """What was measured. Raises InputError where it is not known, or another model by now."""
        found = self._released(one) if one.model.image else self._of_parts(one.model)
        expected = float(found.params)
        if abs(one.model.params / expected - 1) > _PARAMS_OFF:
            raise InputError(
                f"the measured model of {one.model.llm} has {format_params(one.model.params)} parameters, its "
                f"description {format_params(expected)}: name the config.json that it was built from"
            )
        return found

    def _of_parts(self, facts: ModelFacts) -> Model:
        compressor = find_compressor(facts.compressor)
        llm, tower = self._llm(facts.llm), self._tower(facts.vision)
        return Model(llm, tower, compressor, facts.visual_tokens, facts.prompt_order)

    def _released(self, one: Measurement) -> ReleasedModel:
        facts = one.model
        checkpoint = self.checkpoints.get(facts.llm)
        try:
            checkpoint = checkpoint or find_checkpoint(facts.source or facts.llm)
        except PlannerError as error:
            why = "" if isinstance(error, UnknownNameError) else f" ({error})"
            raise InputError(
                f"the released model {shown(facts.llm)} was measured and is not found again{why}: name its folder with "
                "models="
            ) from None
        return ReleasedModel.of_names(checkpoint, facts.image, images=one.workload.images)

    def _llm(self, name: str) -> Llm:
        if name in self.llms:
            return self.llms[name]
        try:
            return find_llms(name)[0]
        except PlannerError:
            raise InputError(
                f"the language model {shown(name)} was measured and is not in the catalogue: name its config.json with "
                "--llm-config"
            ) from None

    def _tower(self, name: str) -> Tower:
        if name in self.towers:
            return self.towers[name]
        try:
            return find_vision(name)
        except PlannerError:
            raise InputError(
                f"the vision tower {shown(name)} was measured and is not in the catalogue: name its config.json with "
                "--vision"
            ) from None


def _by_name(things: Iterable[_Named]) -> Mapping[str, _Named]:
    return {one.name: one for one in things}
