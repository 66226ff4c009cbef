"""What differs between the versions of transformers that a saved model runs on, and the sentence for all others.

    from 5.23   a list of layers as `output_hidden_states` keeps those alone, counted from the patch embeddings
    from 5.24   the argument and output `past_key_values` is called `cache`

Everything else that these modules call has the same public signature in all of them.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers

OLDEST = (5, 19)
"""Minor version that the model runs on at least."""
NEWEST = (5, 24)
"""The newest minor version that it was tested with."""


def check_version(version: str) -> None:
    """Warns of a transformers behind the tested ones, in one sentence. Raises ImportError for one before them."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    tested = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
    if numbers < OLDEST:
        raise ImportError(
            f"this model runs on transformers {tested}, got {version}: pip install 'transformers>={OLDEST[0]}."
            f"{OLDEST[1]},<{NEWEST[0]}.{NEWEST[1] + 1}'"
        )
    if numbers > NEWEST:
        warnings.warn(
            f"this model was tested with transformers {tested}, and this is {version}: if it fails, install "
            "one of those",
            stacklevel=2,
        )


check_version(transformers.__version__)  # before anything that an older one lacks

from transformers import AutoConfig, GenerationMixin, PreTrainedConfig  # noqa: E402
from transformers.utils import output_capturing  # noqa: E402

_ARGUMENTS = inspect.signature(GenerationMixin.prepare_inputs_for_generation).parameters
CACHE = "cache" if "cache" in _ARGUMENTS else "past_key_values"
"""What the argument and the output are called that hold keys and values."""
_SELECTS = hasattr(output_capturing, "select_hidden_states")


def written_with() -> dict[str, str]:
    """The versions that a folder is written with."""
    return {"transformers": transformers.__version__, "torch": str(torch.__version__)}


def layers_to_keep(layers: Sequence[int]) -> bool | list[int]:
    """`output_hidden_states` of a tower of which some layers are read: those alone where they can be chosen."""
    return sorted(set(layers)) if _SELECTS else True


def cache_of(outputs: Any) -> Any:
    """Keys and values of a language model's output."""
    return getattr(outputs, CACHE)


def given_cache(past_key_values: Any, cache: Any) -> Any:
    """The cache that a call was given, under either name. Raises ValueError where both were."""
    if past_key_values is not None and cache is not None:
        raise ValueError("expected cache or past_key_values, its former name, got both")
    return past_key_values if cache is None else cache


def make_sub_config(given: Any, model_type: str, defaults: Mapping[str, Any]) -> PreTrainedConfig:
    """A part's configuration: as it is, from the dictionary of a saved one, or the default one where None is given."""
    if isinstance(given, PreTrainedConfig):
        return given
    values = dict(defaults if given is None else given)
    return AutoConfig.for_model(values.pop("model_type", model_type), **values)
