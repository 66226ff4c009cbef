"""Language models: one file for each kind, and for each block that layers are made of."""

from planner.parts.llms.attention import GroupedAttention
from planner.parts.llms.base import Llm, stacked, stacks
from planner.parts.llms.beside import ImageLayer
from planner.parts.llms.block import Block
from planner.parts.llms.dense import Dense
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
