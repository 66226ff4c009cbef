"""vLLM: `vllm serve`.

Knobs are keyword arguments of the model's own image processor, in --mm-processor-kwargs. Listed are those that vLLM's
class of the architecture reads when it counts an image's tokens (vllm/model_executor/models), since a setting that only
the processor sees would disagree with that count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from planner.base.dataclass import dataclass
from planner.engines.base import Asked, Batching, Held, share, tight
from planner.engines.hub import HubEngine, Spellings, both_edges, longest_edge, plain
from planner.traffic.cache_room import MEMORY_SHARE

_PIXELS: Spellings = {"max_pixels": plain, "min_pixels": plain}
_SPLIT: Spellings = {"longest_edge": longest_edge, "do_image_splitting": plain}
_SOFT: Spellings = {"max_soft_tokens": plain}
_FRAMED: Spellings = {"max_pixels": both_edges, "min_pixels": both_edges}
_CROPS: Spellings = {"do_pan_and_scan": plain, "pan_and_scan_max_num_crops": plain}
_TILES: Spellings = {"max_patches": plain, "min_patches": plain, "crop_to_patches": plain}
ARCHITECTURES: Mapping[str, Spellings] = {
    "Gemma3ForConditionalGeneration": _CROPS,
    "Gemma3nForConditionalGeneration": {},
    "Gemma4ForConditionalGeneration": _SOFT,
    "Gemma4UnifiedForConditionalGeneration": _SOFT,
    "Glm4vForConditionalGeneration": _FRAMED,
    "Glm4vMoeForConditionalGeneration": _FRAMED,
    "Idefics3ForConditionalGeneration": _SPLIT,
    "InternVLForConditionalGeneration": _TILES,
    "Lfm2VlForConditionalGeneration": {"max_image_tokens": plain, "max_tiles": plain},
    "Llama4ForConditionalGeneration": {},
    "LlavaForConditionalGeneration": {},
    "LlavaNextForConditionalGeneration": {},
    "LlavaOnevisionForConditionalGeneration": {},
    "Mistral3ForConditionalGeneration": {"longest_edge": longest_edge},
    "Molmo2ForConditionalGeneration": {},
    "PaliGemmaForConditionalGeneration": {},
    "Qwen2VLForConditionalGeneration": _PIXELS,
    "Qwen2_5_VLForConditionalGeneration": _PIXELS,
    "Qwen3VLForConditionalGeneration": _PIXELS,
    "Qwen3VLMoeForConditionalGeneration": _PIXELS,
    "Qwen3_5ForConditionalGeneration": _PIXELS,
    "Qwen3_5MoeForConditionalGeneration": _PIXELS,
    "SmolVLMForConditionalGeneration": _SPLIT,
}
"""Architectures of our catalogue that its registry lists, each with the knobs that it reads."""


@dataclass(frozen=True, kw_only=True)
class _Vllm(HubEngine):
    def start_words(self, asked: Asked) -> list[str]:
        return ["vllm", "serve", asked.path]

    def limit_words(self, asked: Asked) -> list[str]:
        context = [] if asked.context_tokens is None else ["--max-model-len", str(asked.context_tokens)]
        # Memory is set aside for videos unless they are ruled out; a model that takes none never looks at their limit
        # (allowed_mm_limits in vllm/multimodal/processing/context.py).
        return [*context, "--limit-mm-per-prompt", json.dumps({"image": asked.images, "video": 0})]

    def memory_words(self, held: Held) -> tuple[list[str], tuple[str, ...]]:
        """Of what is on the device it takes a share for weights, cache, activations and graphs, the driver's own part
        aside (request_memory in vllm/v1/worker/utils.py), and refuses to start where less is free. What is left of the
        share after weights and a trial prefill is its cache, so more than the plan holds does no harm."""
        least = share(held.peak - held.reserve, held.device, up=True)
        most = share(held.limit - held.reserve, held.device, up=False)
        taken = held.share_taken(MEMORY_SHARE, least, most)
        notes = (tight(self, held, "--enforce-eager or a smaller --max-num-batched-tokens"),)
        return ["--gpu-memory-utilization", f"{taken:g}"], tuple(filter(None, notes))

    def batching_words(self, batching: Batching) -> list[str]:
        scheduler = batching.scheduler
        return [
            *("--max-num-seqs", str(scheduler.max_num_seqs)),
            *("--max-num-batched-tokens", str(scheduler.max_num_batched_tokens)),
            "--enable-chunked-prefill" if scheduler.chunked_prefill else "--no-enable-chunked-prefill",
            "--enable-prefix-caching" if batching.prefix_cache else "--no-enable-prefix-caching",
        ]

    def knob_words(self, settings: dict[str, object]) -> list[str]:
        return ["--mm-processor-kwargs", json.dumps(settings)]


VLLM = _Vllm(
    name="vllm",
    title="vLLM",
    version="0.33.0",
    source="vllm 0.33.0 of PyPI: vllm/engine/arg_utils.py, vllm/config, vllm/model_executor/models",
    runs_on={"NVIDIA": (), "AMD": ("OAM",)},
    parsed=True,
    architectures=ARCHITECTURES,
    quantised={"fp8": "fp8_per_channel"},  # scales per row and per token; its method "fp8" wants a quantised checkpoint
    stored={
        "awq": (),
        "gptq": (),
        "fp8": (),
        "fbgemm_fp8": ("--allow-deprecated-quantization",),
        "compressed-tensors": (),
    },
    caches={"bf16": "bfloat16", "fp16": "float16", "fp8": "fp8"},
)
