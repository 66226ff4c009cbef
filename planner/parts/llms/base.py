"""What every language model says of itself. A new kind is a subclass with a walk of its own; see `dense` for one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

from planner.base.dataclass import dataclass
from planner.parts.walk import Cache, Number, Pass, Walk, stored_weights


@dataclass(frozen=True, kw_only=True)
class Llm(ABC):
    """A language model.

    Two counts of its parameters are kept apart: `nominal_params`, the size in its name, enters the law; `params`, the
    exact count, enters the cost.
    """

    name: str
    family: str
    """Models trained alike at several sizes; a law speaks for one family."""
    model_type: str = ""
    """Hugging Face model type ("qwen2", "llama", ...); "" where transformers has none."""
    nominal_params: float
    """Size in the model's name, in parameters."""
    hidden_size: int
    """Width of an embedding, to which a connector leads."""
    num_layers: int
    num_heads: int
    """Query heads; GPUs share a model by heads."""
    vocab_size: int
    hf_id: str = ""
    source: str = ""
    """Where the numbers come from: for a model that was read from a config.json its path."""
    notes: tuple[str, ...] = ()
    """What reading the architecture had to assume."""

    @property
    @abstractmethod
    def params(self) -> int:
        """Exact count of distinct parameters, equal to that of the Hugging Face model."""

    def sized(self, nominal_params: float, notes: tuple[str, ...]) -> Self:
        """The same with another size in its name. What it is made of stays, so that a count once made is kept."""
        found = replace(self, nominal_params=nominal_params, notes=notes)
        if "params" in vars(self):
            vars(found)["params"] = vars(self)["params"]
        return found

    @property
    def active_params(self) -> int:
        """Those that a token passes: all but the experts that it is not routed to."""
        return self.params

    @abstractmethod
    def walk(self, todo: Pass, gpus: Number = 1.0) -> Walk:
        """The kernels of one pass, one GPU's share of them."""

    @abstractmethod
    def caches(self, gpus: Number = 1.0) -> Sequence[Cache]:
        """What a sequence keeps on one GPU, one entry for each kind of layer."""

    @abstractmethod
    def activation_values(self, gpus: Number = 1.0) -> Number:
        """Numbers that a new token keeps alive in the widest moment of a layer, on one GPU."""

    @property
    def images_beside(self) -> bool:
        """Whether images stand beside the sequence, and not in it."""
        return False

    @property
    def expert_params(self) -> int:
        """Parameters of routed experts, of which a token meets a few."""
        return 0

    @property
    def table_params(self) -> Number:
        """Weights of the tables in which tokens are looked up: the embedding, and those that layers have of their own;
        columns where it stands for many."""
        return self.hidden_size * self.vocab_size

    @property
    def head_params(self) -> Number:
        """Weights of an output head of its own; 0 where the embedding is the head. A kind that does not say so itself
        has one where as many weights are left beside its matrices and tables."""
        one = self.hidden_size * self.vocab_size
        return one if self.params - self.linear_params - self.table_params >= one else 0

    @property
    def linear_params(self) -> int:
        """Weights of the matrices that take the run's precision: what a token is multiplied with, the head left out."""
        return int(self.quantised_params)

    @cached_property
    def quantised_params(self) -> Number:
        """The same, for columns over many models too; counted in the walk."""
        return stored_weights(self.walk(Pass(1.0, 1.0)), quantised=True)

    @property
    def heads_text(self) -> str:
        """Its heads, as a table shows them."""
        return str(self.num_heads)

    @property
    def stack_key(self) -> Hashable:
        """Equal for models that can be costed in one go: those of a class that defines `columns` itself."""
        return type(self) if "columns" in vars(type(self)) else self

    def with_layers(self, layers: int) -> Self:
        """The same with only the first so many layers."""
        return replace(self, num_layers=layers)

    def obstacle(self, gpus: int) -> str:
        """What so many GPUs cannot share evenly, such as "10 heads"; "" where there is nothing."""
        return f"{self.num_heads} heads" if self.num_heads % gpus else ""

    def can_share(self, gpus: int) -> bool:
        """Whether so many GPUs can share it."""
        return not self.obstacle(gpus)

    def silicon_config(self) -> dict[str, object] | None:
        """The model as a Hugging Face config of an architecture that aiconfigurator knows; None where it is none."""
        return None


def stacked(llms: Sequence[Llm], shape: tuple[int, ...] = (-1, 1)) -> Llm:
    """Models of one `stack_key` as one object, whose numbers are columns (models, 1) or of another shape."""
    kind: Any = type(llms[0])
    found: Llm = llms[0] if llms[0].stack_key is llms[0] else kind.columns(llms, shape)
    return found


def stacks(llms: Sequence[Llm]) -> list[tuple[list[int], Llm]]:
    """Language models in groups that can be costed in one go, each with the positions of its members."""
    groups: dict[Hashable, list[int]] = {}
    for position, llm in enumerate(llms):
        groups.setdefault(llm.stack_key, []).append(position)
    return [(positions, stacked([llms[position] for position in positions])) for positions in groups.values()]
