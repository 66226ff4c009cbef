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
    image_fit: str
    """How images become squares unless another way is chosen (`IMAGE_FITS`)."""

    @abstractmethod
    def model_class(self) -> Any:
        """The class of transformers that reads a checkpoint of the tower."""

    @abstractmethod
    def image_processor(self, settings: Mapping[str, Any]) -> Any:
        """What makes pixels (3, side, side) of an image, with the settings of an `ImageFit`."""


class Clip(TowerFamily):
    """CLIP: a class token before the patches; images are padded to a square, as LLaVA-1.5 and QueCC do."""

    image_fit = "pad"

    def model_class(self) -> Any:
        from transformers import CLIPVisionModel  # here and below: a config is read without models or images

        return CLIPVisionModel

    def image_processor(self, settings: Mapping[str, Any]) -> Any:
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        return CLIPImageProcessorPil(**settings)


class Siglip(TowerFamily):
    """SigLIP: patches alone, without its attention pool; images are squeezed into a square, as it was trained."""

    image_fit = "resize"
    settings: Mapping[str, Any] = MappingProxyType({"vision_use_head": False})

    def model_class(self) -> Any:
        from transformers import SiglipVisionModel

        return SiglipVisionModel

    def image_processor(self, settings: Mapping[str, Any]) -> Any:
        from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

        return SiglipImageProcessorPil(**settings)


TOWERS: Table[TowerFamily] = Table("vision_config")
"""Families of towers by the `model_type` of their config."""
TOWERS.register("clip_vision_model", Clip())
TOWERS.register("siglip_vision_model", Siglip())
