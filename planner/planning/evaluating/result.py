"""NextEvaluations: the evaluations of released models that could be made next, and their file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from planner.base.dataclass import dataclass
from planner.base.file_format import FileFormat
from planner.base.files import read_json
from planner.base.result import Result
from planner.base.stored import COUNT, Number
from planner.parts.images import settings_text
from planner.planning.released_record import KnobRecord
from planner.planning.result import Plan

if TYPE_CHECKING:
    import pandas as pd

_PLAN = "_plan"


@dataclass(frozen=True)
class Evaluation:
    """One released model with its knob at one value: what an evaluation of it costs, and what it promises."""

    DERIVED: ClassVar[tuple[str, ...]] = ("gain_per_cost",)

    model: str
    hub_id: str | None
    """None of a folder's model."""
    knob: KnobRecord | None
    """None where everything stands as published."""
    llm_params: float
    """Size of its language model, as the law takes it."""
    visual_tokens: int
    """Per image, of mixed sizes the mean."""
    predicted_error: float | None
    """The law's; None where only differences of errors are known."""
    fits: bool
    """Whether it keeps every limit of the plan, and so could be picked."""
    precision: str
    tensor_parallel: int
    """GPUs that it is spread over for the evaluation."""
    flops: float
    """Of all questions."""
    seconds: float | None
    """Of all questions, one after the other; None without hardware."""
    gpu_hours: float | None
    """None without hardware."""
    price: float | None
    """None without a price per hour."""
    cost: Annotated[float, Number(0.0, above=True)]
    """What evaluations are ranked by: GPU-hours, or FLOPs without hardware."""
    noise_sd: float
    """Standard deviation of its measured error: that of the law's runs, and of the draw of its questions."""
    expected_gain: float
    """Expected fall of the true error of what is picked, a fraction like the error itself."""
    probability_pick_changes: float
    """How likely something else is picked after the evaluation."""
    command: str | None
    """What runs it in lmms-eval; nobody has run it. None where it cannot be said."""
    refusal: str
    """Why there is no command."""

    @property
    def gain_per_cost(self) -> float:
        """Expected gain for each GPU-hour, or FLOP."""
        return self.expected_gain / self.cost

    @property
    def setting(self) -> str:
        """Its knob as it is typed, "max_pixels=401408"; "" as published."""
        return _typed(self.knob)

    def __str__(self) -> str:
        turned = f" at {self.setting}" if self.knob is not None else ""
        return f"{self.model}{turned} with {self.visual_tokens} visual token{'s' * (self.visual_tokens != 1)}"


@dataclass(frozen=True)
class Picked:
    """What the plan picks now."""

    model: str
    hub_id: str | None
    knob: KnobRecord | None
    llm_params: float
    visual_tokens: int

    @property
    def setting(self) -> str:
        """Its knob as it is typed, "max_pixels=401408"; "" as published."""
        return _typed(self.knob)


def _typed(knob: KnobRecord | None) -> str:
    return "" if knob is None else settings_text({knob.name: knob.value})


@dataclass(frozen=True)
class LawHead:
    """The law that evaluations are ranked by."""

    name: str
    form: str
    status: str
    advice: str
    title: str
    """In a few words, with its runs."""


@dataclass(frozen=True)
class Asked:
    """What an evaluation is, and what it is for."""

    benchmarks: tuple[str, ...]
    """Tasks of lmms-eval; () where only a number of questions was given."""
    questions: int
    query_tokens: float
    """Text tokens of a question: those of the plan's request."""
    generated_tokens: float
    images: str
    """Their sizes, in words."""
    convention: str
    """How FLOPs are counted."""
    hardware: str | None
    budget: Mapping[str, float]
    """The plan's limits."""
    per_cost: bool
    """Whether evaluations are ranked by gain for the cost."""


@dataclass(frozen=True)
class LeftOut:
    """Evaluations that are not proposed."""

    measured: Annotated[int, COUNT]
    """The law has a run of that model with so many visual tokens."""
    too_large: Annotated[int, COUNT]
    """The model fits into the memory of no number of GPUs that was named, or the question not into its context."""


@dataclass(frozen=True, repr=False)
class NextEvaluations(Result):
    """Evaluations of released models that could be made, ranked by what they are expected to do for a plan's pick."""

    next: tuple[Evaluation, ...]
    """The most useful first."""
    together: tuple[Evaluation, ...]
    """Evaluations to be made at once, in the order in which they were chosen; () where one alone was asked for."""
    together_gain: float | None
    """What they are expected to gain."""
    pick: Picked
    expected_regret_now: float
    """How much larger the pick's error is expected to be than that of the best candidate: no evaluation gains more."""
    expected_regret_by_law: float | None
    """The same if all models followed the law; None of published results, which know no such law."""
    model_sd: float | None
    """Standard deviation of a model's own offset from the law, in error, where it was given; None: models are off the
    law by what the plan knows of other families, recipes and connectors."""
    interval_parts: Mapping[str, float]
    """Half-widths of the 95 % interval of the pick's error by what they are of, the law first; {} where the law is all,
    or `model_sd` was given."""
    noise_sd: float
    """Standard deviation of a run of the law about what it measures, without the draw of an evaluation's questions."""
    asked: Asked
    law: LawHead
    left_out: LeftOut
    extrapolates: tuple[str, ...]
    """Where the plan's pick lies outside what the law was fitted to."""

    @property
    def plan(self) -> Plan | None:
        """The plan whose pick they would better; None of a result that was read from a file."""
        found: Plan | None = self.__dict__.get(_PLAN)
        return found

    @classmethod
    def of_plan(cls, plan: Plan, **fields: Any) -> NextEvaluations:
        """With the plan whose pick they would better."""
        made = cls(**fields)
        object.__setattr__(made, _PLAN, plan)
        return made

    @property
    def best(self) -> Evaluation:
        """The one to make first."""
        return self.next[0]

    def __str__(self) -> str:
        return f"{self.best}, expected gain {self.best.expected_gain:.3g}"

    def __repr__(self) -> str:
        return f"NextEvaluations({self})"

    def to_frame(self) -> pd.DataFrame:
        """A row for each evaluation that could be made, the most useful first."""
        import pandas as pd

        rows = [{**vars(one), "knob": one.setting, "gain_per_cost": one.gain_per_cost} for one in self.next]
        return pd.DataFrame(rows)

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """All that its file holds, as plain JSON types, of the first `top` evaluations."""
        return NEXT_EVALUATIONS_FILE.to_dict(self if top is None else replace(self, next=self.next[:top]))

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the evaluations") -> NextEvaluations:
        """What a dictionary holds that `to_dict` made, but for `plan`. Raises InputError."""
        return NEXT_EVALUATIONS_FILE.from_dict(content, origin)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NextEvaluations:
        """Read a file that `save` or `vlm-planner next-run --models ... -o` wrote. Raises InputError."""
        return cls.from_dict(read_json(path, NEXT_EVALUATIONS_FILE.expected), Path(path).name)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write it as JSON, atomically. Raises OutputExistsError."""
        return NEXT_EVALUATIONS_FILE.write(path, self, overwrite=overwrite)


NEXT_EVALUATIONS_FILE = FileFormat(
    "vlm-planner evaluations",
    1,
    NextEvaluations,
    "evaluations",
    "vlm-planner next-run --models ... -o",
)
