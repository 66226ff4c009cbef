"""SGLang: `python -m sglang.launch_server`.

What stands under "image" in --mm-process-config goes to the model's own image processor with each request
(srt/multimodal/processors/base_processor.py), and the tokens are counted in what it returns. Requests cannot change it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from planner.base.dataclass import dataclass
from planner.engines.base import Asked, Batching, Held, share, tight
from planner.engines.hub import HubEngine, Spellings, both_edges, plain

_PIXELS: Spellings = {"max_pixels": both_edges, "min_pixels": both_edges}
_SOFT: Spellings = {"max_soft_tokens": plain}
ARCHITECTURES: Mapping[str, Spellings] = {
    "Gemma3ForConditionalGeneration": {"do_pan_and_scan": plain, "pan_and_scan_max_num_crops": plain},
    "Gemma3nForConditionalGeneration": {},
    "Gemma4ForConditionalGeneration": _SOFT,
    "Gemma4UnifiedForConditionalGeneration": _SOFT,
    "Glm4vForConditionalGeneration": _PIXELS,
    "Glm4vMoeForConditionalGeneration": _PIXELS,
    "Lfm2VlForConditionalGeneration": {
        "max_image_tokens": plain,
        "min_image_tokens": plain,
        "max_tiles": plain,
        "do_image_splitting": plain,
    },
    "Llama4ForConditionalGeneration": {"max_patches": plain},
    "LlavaForConditionalGeneration": {},
    "Mistral3ForConditionalGeneration": {},
    "MllamaForConditionalGeneration": {"max_image_tiles": plain},
    "Qwen2VLForConditionalGeneration": _PIXELS,
    "Qwen2_5_VLForConditionalGeneration": _PIXELS,
    "Qwen3VLForConditionalGeneration": _PIXELS,
    "Qwen3VLMoeForConditionalGeneration": _PIXELS,
    "Qwen3_5ForConditionalGeneration": _PIXELS,
    "Qwen3_5MoeForConditionalGeneration": _PIXELS,
}
"""Architectures of our catalogue that its models list as an EntryClass, each with the knobs that it passes on."""

STATIC = 0.8
"""About what it takes by itself for a model that sees: of 80 GB all but 10 GiB, times .95 or less for the tower."""


@dataclass(frozen=True, kw_only=True)
class _Sglang(HubEngine):
    def start_words(self, asked: Asked) -> list[str]:
        return ["python", "-m", "sglang.launch_server", "--model-path", asked.path]

    def limit_words(self, asked: Asked) -> list[str]:
        context = [] if asked.context_tokens is None else ["--context-length", str(asked.context_tokens)]
        return [*context, "--limit-mm-data-per-request", json.dumps({"image": asked.images})]

    def memory_words(self, held: Held) -> tuple[list[str], tuple[str, ...]]:
        """Of what is free it takes a share for weights and cache alone; activations, graphs and the tower's work must
        fit beside it (srt/arg_groups/memory_hook.py)."""
        free = held.device - held.reserve
        least = share(held.weights + held.kv_cache, free, up=True)
        most = share(held.limit - held.reserve - held.activations, free, up=False)
        taken = held.share_taken(STATIC, least, most)
        notes = (tight(self, held, "--disable-cuda-graph or a smaller --chunked-prefill-size"),)
        return ["--mem-fraction-static", f"{taken:g}"], tuple(filter(None, notes))

    def batching_words(self, batching: Batching) -> list[str]:
        """Left to itself it runs prompts in iterations of their own (srt/managers/scheduler.py), and keeps what it
        computed of them in a radix tree."""
        scheduler = batching.scheduler
        chunk = scheduler.max_num_batched_tokens if scheduler.chunked_prefill else -1
        return [
            *("--max-running-requests", str(scheduler.max_num_seqs)),
            *("--chunked-prefill-size", str(chunk)),
            *("--max-prefill-tokens", str(scheduler.max_num_batched_tokens)),
            *(["--enable-mixed-chunk"] if scheduler.chunked_prefill else []),
            *([] if batching.prefix_cache else ["--disable-radix-cache"]),
        ]

    def knob_words(self, settings: dict[str, object]) -> list[str]:
        return ["--mm-process-config", json.dumps({"image": settings})]


SGLANG = _Sglang(
    name="sglang",
    title="SGLang",
    version="0.5.23",
    source="sglang 0.5.23 of PyPI: sglang/srt/arg_groups/fields, sglang/srt/models, sglang/srt/multimodal/processors",
    runs_on={"NVIDIA": (), "AMD": ("OAM",)},
    parsed=True,
    architectures=ARCHITECTURES,
    quantised={"fp8": "fp8"},
    stored={
        "awq": (),
        "gptq": (),
        "fp8": (),
        "compressed-tensors": (),
        "bitsandbytes": ("--load-format", "bitsandbytes"),
    },
    caches={"bf16": "bf16", "fp8": "fp8_e4m3"},
)
