"""One candidate of a plan's file, in the words and numbers of a page."""

from __future__ import annotations

from dataclasses import dataclass

from planner.costs.stages import STAGES
from planner.parts.catalog import compressor_catalog
from planner.planning.limits import Limit
from planner.tell import values as v
from planner.tell.document import Line, Value, foreign, line
from planner.tell.recommendation.fields import Fields

NAME_MAX = 60


@dataclass(frozen=True)
class Pick:
    """A candidate; the fields of its dictionary that a page shows."""

    fields: Fields
    llm: str
    llm_params: float
    visual_tokens: int
    error: float
    interval: tuple[float, float] | None
    odds: float | None
    regret: float | None
    total_flops: float
    compressor: str
    prompt_order: str

    @classmethod
    def of(cls, fields: Fields) -> Pick:
        """Raises InputError where a field is missing or wrong."""
        ends = None if fields.content.get("interval") is None else fields.numbers("interval")
        return cls(
            fields=fields,
            llm=fields.text("llm"),
            llm_params=fields.number("llm_params"),
            visual_tokens=fields.whole("visual_tokens"),
            error=fields.number("predicted_error"),
            interval=None if ends is None else (ends[0], ends[-1]) if ends else None,
            odds=fields.maybe_number("probability_best"),
            regret=fields.maybe_number("expected_regret"),
            total_flops=fields.number("flops", "total"),
            compressor=fields.text("compressor"),
            prompt_order=fields.text("prompt_order"),
        )

    def __str__(self) -> str:
        return f"{self.llm} with {self.visual_tokens} visual tokens"

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two candidates the same."""
        rest = ("vision", "precision", "tensor_parallel", "batch")
        own = tuple(repr(self.fields.content.get(name)) for name in rest)
        return (self.llm, self.visual_tokens, self.compressor, self.prompt_order, *own)

    @property
    def name(self) -> Value:
        return foreign(self.llm, "language model", NAME_MAX)

    @property
    def title(self) -> Line:
        """ "Qwen1.5-4B with 64 visual tokens"."""
        return line(self.name, " with ", v.visual_tokens(self.visual_tokens))

    @property
    def error_value(self) -> Value:
        return v.error(self.error, f"predicted error of {self}")

    @property
    def interval_text(self) -> Line:
        if self.interval is None:
            return ("not known",)
        return v.interval(*self.interval, "the predicted error")

    def quantity(self, name: str) -> float:
        """What a limit looks at, by name with unit."""
        return self.total_flops if name == "total_flops" else self.fields.number(name)

    def cost(self, limit: Limit, what: str = "") -> Value:
        """What it takes of a limit."""
        return v.limited(limit, self.quantity(limit.column), what or f"{limit.title} of {self}")

    def stage_flops(self) -> dict[str, float]:
        return {stage: self.fields.number("flops", stage) for stage in STAGES}


def picks(plan: Fields, key: str) -> tuple[Pick, ...]:
    """The candidates of a list of the plan."""
    return tuple(Pick.of(one) for one in plan.parts(key))


def limits_in(plan: Fields) -> tuple[Limit, ...]:
    """The limits of the plan, the first one first: candidates are compared along it."""
    return tuple(v.limit_kind(name, one.number("limit")) for name, one in plan.items("limits"))


def compressor_title(name: str) -> Value:
    title = compressor_catalog()[name].title if name in compressor_catalog() else name
    return foreign(title, "compressor", NAME_MAX)


def limit_text(limit: Limit) -> Line:
    """ "TTFT at most 30 ms"; FLOPs name themselves."""
    value = v.limited(limit, limit.value, f"limit: {limit.title}")
    if limit.kind.names_itself:
        return line(value, " for a request")
    return line(f"{limit.title} {'at least' if limit.at_least else 'at most'} ", value)
