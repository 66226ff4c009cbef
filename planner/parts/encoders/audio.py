"""Audio towers that are stored beside a vision tower. They do not run on images; their weights take memory.

Counts are those of transformers 5.23 at the sizes of the class, and what leads into the language model beside them;
other sizes are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.encoders.reading import Parts

_GEMMA_3N = {"hidden_size": 1536, "conf_num_hidden_layers": 12, "conf_conv_kernel_size": 5, "vocab_size": 128}
_GEMMA_4 = {"hidden_size": 1024, "num_hidden_layers": 12, "conv_kernel_size": 5, "output_proj_dims": 1536}
_PHI_4 = {"hidden_size": 1024, "intermediate_size": 1536, "num_blocks": 24, "nemo_conv_channels": 1024}


def gemma3n_audio(parts: Parts) -> int:
    """A conformer, and an embedder with a table of hard tokens and two norms."""
    given = _audio(parts, _GEMMA_3N)
    return 0 if given is None else 681_348_640 + 128 * 1536 + 2 * 1536 + 1536 * parts.llm_width


def gemma4_audio(parts: Parts) -> int:
    """A conformer and a matrix."""
    given = _audio(parts, _GEMMA_4, default=None)
    return 0 if given is None else 304_824_608 + 1536 * parts.llm_width


def gemma4_unified_audio(parts: Parts) -> int:
    """A matrix alone."""
    given = _audio(parts, {}, default=None)
    if given is None:
        return 0
    width = given.get("audio_embed_dim", 640)
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise SpecError(f"{parts.name}: expected 'audio_embed_dim' to be a whole number, got {shown(width)}")
    return width * parts.llm_width


def phi4_audio(parts: Parts) -> int:
    """A conformer, and two layers d -> H -> H for speech alone and two for speech beside images."""
    given = _audio(parts, _PHI_4)
    llm = parts.llm_width
    return 0 if given is None else 441_254_144 + 2 * (1024 * llm + llm) + 2 * (llm * llm + llm)


def _audio(
    parts: Parts, sizes: Mapping[str, Any], default: Mapping[str, Any] | None = MappingProxyType({})
) -> Mapping[str, Any] | None:
    """The audio part of a config, None where it has none; `default` is what its class takes where none is given.

    Raises SpecError for sizes other than the class's.
    """
    given = parts.outer.given.get("audio_config", default)
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise SpecError(f"{parts.name}: expected 'audio_config' to be an object, got {shown(given)}")
    for key, size in sizes.items():
        if given.get(key, size) != size:
            had = f"{key} = {shown(given[key])}"
            raise SpecError(f"{parts.name}: nothing is known of an audio tower with {had}; expected {size}")
    return given
