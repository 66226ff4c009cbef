"""Vision towers as transformers builds them, by the type of their config."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .table import Table


class TowerFamily(ABC):
    """Towers of one architecture: layers of patches behind `embeddings.patch_embedding`, then a `post_layernorm`."""

    settings: Mapping[str, Any] = MappingProxyType({})
    """What a tower's config is given, so that nothing is made that is never run."""

    @abstractmethod
    def model_class(self) -> Any:
        """The class of transformers that reads a checkpoint of the tower."""

    @abstractmethod
    def image_processor(self, side: int) -> Any:
        """What makes pixels (3, side, side) of an image."""


class Clip(TowerFamily):
    """CLIP: a class token before the patches; images are cropped to a square."""

    def model_class(self) -> Any:
        from transformers import CLIPVisionModel  # here and below: a config is read without models or images

        return CLIPVisionModel

    def image_processor(self, side: int) -> Any:
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        return CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


class Siglip(TowerFamily):
    """SigLIP: patches alone, without its attention pool; images are squeezed into a square."""

    settings: Mapping[str, Any] = MappingProxyType({"vision_use_head": False})

    def model_class(self) -> Any:
        from transformers import SiglipVisionModel

        return SiglipVisionModel

    def image_processor(self, side: int) -> Any:
        from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

        return SiglipImageProcessorPil(size={"height": side, "width": side})


TOWERS: Table[TowerFamily] = Table("vision_config")
"""Families of towers by the `model_type` of their config."""
TOWERS.register("clip_vision_model", Clip())
TOWERS.register("siglip_vision_model", Siglip())
