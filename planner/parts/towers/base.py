"""What every vision tower says of itself. A new kind is a subclass with a walk of its own; see `vit` for one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from planner.base.dataclass import dataclass
from planner.parts.walk import Number, Walk


@dataclass(frozen=True, kw_only=True)
class Tower(ABC):
    """A vision tower: an image becomes a grid of features."""

    name: str
    model_type: str = ""
    """Hugging Face model type; "" where transformers has none."""
    hidden_size: int
    """Width of a feature."""
    params: int = 0
    """Exact parameter count of the whole tower, 0 if unknown."""
    hf_id: str = ""
    """Repository on the Hugging Face hub, "" if there is none."""
    source: str = ""

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the features that one image becomes."""

    @property
    @abstractmethod
    def params_run(self) -> int:
        """Parameters of the tower as it is built: what runs up to the last layer whose features are used."""

    @abstractmethod
    def walk(self, images: Number) -> Walk:
        """The kernels of so many images, up to the last layer used."""

    @abstractmethod
    def activation_values(self, feature_layers: int) -> Number:
        """Numbers that one image keeps alive in the widest moment, when the features of so many layers are kept."""

    @property
    def patches(self) -> int:
        """Features of one image: the most visual tokens that it can become."""
        rows, columns = self.grid
        return rows * columns

    @property
    def grid_text(self) -> str:
        """As it is written: "24 x 24"."""
        rows, columns = self.grid
        return f"{rows} x {columns}"
