"""Language models: one file for each kind, and for each block that layers are made of.

What the building blocks are not made of is loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from planner.parts.llms.base import Llm, stacked, stacks
from planner.parts.llms.dense import Dense

if TYPE_CHECKING:
    from planner.parts.llms.attention import GroupedAttention
    from planner.parts.llms.beside import ImageLayer
    from planner.parts.llms.block import Block
    from planner.parts.llms.experts import Experts
    from planner.parts.llms.indexed import IndexedAttention
    from planner.parts.llms.latent import LatentAttention
    from planner.parts.llms.layered import Layer, Layered
    from planner.parts.llms.linear import ChannelDelta, Lightning
    from planner.parts.llms.mlp import Linear, Mlp
    from planner.parts.llms.recurrent import GatedDelta, HeadedStateSpace, Recurrent, Selective, ShortConvolution
    from planner.parts.llms.streams import AltUp, PerLayerInputs

__all__ = [
    "AltUp",
    "Block",
    "ChannelDelta",
    "Dense",
    "Experts",
    "GatedDelta",
    "GroupedAttention",
    "HeadedStateSpace",
    "ImageLayer",
    "IndexedAttention",
    "LatentAttention",
    "Layer",
    "Layered",
    "Lightning",
    "Linear",
    "Llm",
    "Mlp",
    "PerLayerInputs",
    "Recurrent",
    "Selective",
    "ShortConvolution",
    "stacked",
    "stacks",
]

_FILES = {
    "attention": ("GroupedAttention",),
    "beside": ("ImageLayer",),
    "block": ("Block",),
    "experts": ("Experts",),
    "indexed": ("IndexedAttention",),
    "latent": ("LatentAttention",),
    "layered": ("Layer", "Layered"),
    "linear": ("ChannelDelta", "Lightning"),
    "mlp": ("Linear", "Mlp"),
    "recurrent": ("GatedDelta", "HeadedStateSpace", "Recurrent", "Selective", "ShortConvolution"),
    "streams": ("AltUp", "PerLayerInputs"),
}
_WHERE = {name: f"planner.parts.llms.{file}" for file, names in _FILES.items() for name in names}

if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> Any:
        """A kind, from its file."""
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(_WHERE[name]), name)
        return found
