"""A block of a decoder layer: what mixes tokens, or what works on each token alone. A layer is a few of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator
from typing import ClassVar

from planner.base.dataclass import dataclass
from planner.parts.columns import alike
from planner.parts.walk import Cache, Kernel, Number, Pass


@dataclass(frozen=True, kw_only=True)
class Block(ABC):
    """One block. Its matrices stand in its walk; what no matrix product takes is counted by `vectors`."""

    columns_if_alike: ClassVar[tuple[str, ...] | None] = None
    """The fields that decide which kernels its walk has: blocks that are `alike` in them are costed in one go, as one
    block whose other numbers are columns. None: its walk takes no columns. A class says it for itself, not for those
    that are derived from it."""

    @property
    def stack_key(self) -> Hashable | None:
        """Equal for blocks that can be costed in one go; None: costed alone."""
        kind = type(self)
        if self.columns_if_alike is None or "columns_if_alike" not in vars(kind):
            return None
        return kind, *(alike(getattr(self, name)) for name in self.columns_if_alike)

    @property
    def vectors(self) -> int:
        """Parameters that no matrix product takes: norms, biases, small kernels."""
        return 0

    @property
    def table_params(self) -> int:
        """Those of them that stand in a table of tokens."""
        return 0

    @property
    def expert_params(self) -> int:
        """Parameters of routed experts."""
        return 0

    @property
    def idle_expert_params(self) -> int:
        """Those of them that a token does not meet."""
        return 0

    @abstractmethod
    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        """The kernels of `times` such blocks, one GPU's share; they count for nothing where `times` is 0."""

    def cache(self, times: Number, gpus: Number = 1.0) -> Cache | None:
        """What a sequence keeps in `times` such blocks, on one GPU."""
        return None

    @abstractmethod
    def moved_values(self, gpus: Number = 1.0) -> Number:
        """Numbers that the element-wise kernels between its products move for a token."""

    @property
    def extra_launches(self) -> int:
        """Element-wise kernels beyond the three of a layer: its two norms and an activation."""
        return 0

    @abstractmethod
    def alive_values(self, gpus: Number = 1.0) -> Number:
        """Numbers of a token that live at the same time in its widest moment, the residual and the norm left out."""

    def obstacle(self, gpus: int) -> str:
        """What so many GPUs cannot share evenly, such as "10 heads"; "" where there is nothing."""
        return ""


def uneven(gpus: int, *counts: tuple[int, str]) -> str:
    """The first of some counts, each with its name, that so many GPUs cannot share evenly; "" where there is none."""
    return next((name.format(count) for count, name in counts if count % gpus), "")


def uneven_attention(heads: int, kv_heads: int, gpus: int) -> str:
    """The same of attention: key/value heads may also be held by several GPUs each."""
    if kv_heads % gpus and gpus % kv_heads and not heads % gpus:
        return f"{kv_heads} key/value heads"
    return uneven(gpus, (heads, "{} heads"))
