"""The command that evaluates a released model with lmms-eval, or why there is none.

Read in lmms-eval 0.7.2: lmms_eval/models (which name loads which class of transformers, and what its constructor
takes), lmms_eval/__main__.py (options). Settings of the image processor are always said where it takes them, as its own
defaults are others than the published ones; where it takes none, only a model as it is published can be evaluated.
Nobody has run these commands.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from planner.base.dataclass import dataclass
from planner.configuration import ReleasedModel
from planner.engines.base import WIDE

TITLE = "lmms-eval 0.7.2"
NOT_RUN = "not run"


@dataclass(frozen=True)
class _Loader:
    """A model of lmms-eval."""

    name: str
    """Of its option --model."""
    settings: tuple[str, ...] = ()
    """Of the image processor, that its constructor takes by the processor's own names."""
    simple: bool = False
    """Whether --force_simple is needed: its class for chat templates leaves images as large as they come."""
    owner: str = ""
    """The only owner of repositories that it is written for; "": any."""


_PIXELS = ("min_pixels", "max_pixels")
LOADERS: Mapping[str, _Loader] = {
    "Gemma3ForConditionalGeneration": _Loader("gemma3"),
    "Glm4vForConditionalGeneration": _Loader("glm4v"),
    "Glm4vMoeForConditionalGeneration": _Loader("glm4v"),
    "InternVLForConditionalGeneration": _Loader("internvl_hf", ("min_patches", "max_patches")),
    "Lfm2VlForConditionalGeneration": _Loader("lfm2_5_vl"),
    "Llama4ForConditionalGeneration": _Loader("llama4_scout"),
    "LlavaForConditionalGeneration": _Loader("llava_hf", owner="llava-hf"),
    "LlavaNextForConditionalGeneration": _Loader("llava_hf", owner="llava-hf"),
    "LlavaOnevisionForConditionalGeneration": _Loader("llava_hf", owner="llava-hf"),
    "MllamaForConditionalGeneration": _Loader("llama_vision"),
    "Phi4MultimodalForCausalLM": _Loader("phi4_multimodal"),
    "Qwen2VLForConditionalGeneration": _Loader("qwen2_vl", _PIXELS),
    "Qwen2_5_VLForConditionalGeneration": _Loader("qwen2_5_vl", _PIXELS, simple=True),
    "Qwen3VLForConditionalGeneration": _Loader("qwen3_vl", _PIXELS, simple=True),
    "Qwen3VLMoeForConditionalGeneration": _Loader("qwen3_vl", _PIXELS, simple=True),
}
"""By the class that a model's config.json names."""


def evaluation_command(
    model: ReleasedModel, precision: str, tensor_parallel: int, tasks: Sequence[str]
) -> tuple[str | None, str]:
    """The command and "", or None and the sentence why there is none.

    Args:
        model: with its knob turned.
        precision: of its weights.
        tensor_parallel: GPUs that it is spread over.
        tasks: of lmms-eval; () where the benchmark has no name.
    """
    checkpoint, rule = model.checkpoint, model.rule
    loader = LOADERS.get(checkpoint.architecture)
    if loader is None or (loader.owner and checkpoint.hub_id.partition("/")[0] != loader.owner):
        return None, f"{TITLE} has no model that is known to load {checkpoint.name}"
    if precision not in WIDE:
        return None, f"{TITLE} loads the weights as released, not in {precision}"
    other = next((name for name in model.turned if name not in loader.settings), None)
    if other is not None:
        return None, f"{TITLE} has no argument that sets {other} of {checkpoint.name}"
    if not tasks:
        return None, "the benchmark has no name: name one that lmms-eval has"
    path = checkpoint.hub_id or checkpoint.source
    if "," in path or "=" in path:
        return None, f"{TITLE} takes no path with a comma or an equals sign"
    arguments = [f"pretrained={path}", *(f"{name}={rule.setting(name)}" for name in loader.settings)]
    arguments += ["device_map=auto"] if tensor_parallel > 1 else []
    words = ["python", "-m", "lmms_eval", "--model", loader.name, "--model_args", ",".join(arguments)]
    words += ["--tasks", ",".join(tasks), "--batch_size", "1", "--output_path", "results"]
    words += ["--force_simple"] if loader.simple else []
    return shlex.join(words), ""
