"""llama.cpp: `llama-server`, with weights and the vision side ("mmproj") as GGUF files.

Its images are cut by its own code (tools/mtmd), which has one setting, the tokens of an image, and only for models of
dynamic resolution: `--image-max-tokens`, an area as pixel budgets are. It knows no number of images per prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from planner.base.dataclass import dataclass
from planner.engines.base import Asked, Batching, Engine, Refused, refused_knob, shrink_text
from planner.hardware.gguf import GGUF_BITS
from planner.parts.images import ImageRule
from planner.parts.images.base import RESIZE
from planner.parts.images.native import NativeResolution
from planner.parts.images.pixel_budget import PixelBudget

Options = Callable[[ImageRule], dict[str, int]]
"""Options that set what an image becomes, from a rule: also where no knob is turned, since defaults differ."""

GGUF_REPOSITORIES = (
    "SmolVLM-Instruct",
    "SmolVLM-256M-Instruct",
    "SmolVLM-500M-Instruct",
    "SmolVLM2-500M-Video-Instruct",
    "pixtral-12b",
    "Qwen2-VL-2B-Instruct",
    "Qwen2-VL-7B-Instruct",
    "Qwen2.5-VL-3B-Instruct",
    "Qwen2.5-VL-7B-Instruct",
    "Qwen2.5-VL-32B-Instruct",
    "Mistral-Small-3.1-24B-Instruct-2503",
    "Llama-4-Scout-17B-16E-Instruct",
    "gemma-3-4b-it",
    "gemma-3-12b-it",
    "gemma-3-27b-it",
    "gemma-4-E2B-it",
    "gemma-4-E4B-it",
    "gemma-4-26B-A4B-it",
    "gemma-4-31B-it",
)
"""Released models whose weights and mmproj lie in ggml-org/NAME-GGUF, as docs/multimodal.md of llama.cpp lists them."""
FILES = {"bf16": "BF16", "fp16": "F16", "fp32": "F32", **{name: name for name in GGUF_BITS}}
"""Names of files with weights of a precision."""
CACHES = {"bf16": "bf16", "fp16": "f16", "fp32": "f32"}


@dataclass(frozen=True)
class _Cut:
    """How it cuts the images of an architecture."""

    options: Options | None = None
    knobs: tuple[str, ...] = ()
    """Knobs that the options set."""
    client_edge: str = ""
    """Setting of the rule, a longer side that the client must shrink images to; "" where it need not."""
    note: str = ""


def _pixels(rule: ImageRule) -> dict[str, int]:
    """A budget of pixels, in tokens. A GLM counts two frames of an image."""
    assert isinstance(rule, PixelBudget)
    token = rule.pixels_per_token
    return {
        "--image-min-tokens": max(1, -(-int(rule.setting("min_pixels")) // token)),
        "--image-max-tokens": max(1, int(rule.setting("max_pixels")) // token),
    }


def _soft(rule: ImageRule) -> dict[str, int]:
    return {"--image-max-tokens": int(rule.setting("max_soft_tokens"))}


def _views(rule: ImageRule) -> dict[str, int]:
    return {
        "--image-min-tokens": int(rule.setting("min_image_tokens")),
        "--image-max-tokens": int(rule.setting("max_image_tokens")),
    }


def _side(rule: ImageRule) -> dict[str, int]:
    """As many tokens as a square of the longest side has, so that nothing is shrunk further."""
    assert isinstance(rule, NativeResolution)
    return {"--image-max-tokens": (rule.longest_edge // rule.block) ** 2}


_PIXELS = _Cut(_pixels, ("max_pixels", "min_pixels"))
_SOFT = _Cut(
    _soft, ("max_soft_tokens",), note="images that are smaller than the budget are not enlarged, so have fewer tokens"
)
_SIDE = _Cut(_side, ("longest_edge",), client_edge="longest_edge")
ARCHITECTURES: Mapping[str, _Cut] = {
    "Gemma3ForConditionalGeneration": _Cut(),
    "Gemma3nForConditionalGeneration": _Cut(),
    "Gemma4ForConditionalGeneration": _SOFT,
    "Gemma4UnifiedForConditionalGeneration": _SOFT,
    "Glm4vForConditionalGeneration": _PIXELS,
    "Glm4vMoeForConditionalGeneration": _PIXELS,
    "Idefics3ForConditionalGeneration": _Cut(),
    "Lfm2VlForConditionalGeneration": _Cut(_views, ("max_image_tokens", "min_image_tokens")),
    "Llama4ForConditionalGeneration": _Cut(),
    "LlavaForConditionalGeneration": _SIDE,  # of Pixtral: others have no GGUF here
    "Mistral3ForConditionalGeneration": _SIDE,
    "Qwen2VLForConditionalGeneration": _PIXELS,
    "Qwen2_5_VLForConditionalGeneration": _PIXELS,
    "Qwen3VLForConditionalGeneration": _PIXELS,
    "Qwen3VLMoeForConditionalGeneration": _PIXELS,
    "Qwen3_5ForConditionalGeneration": _PIXELS,
    "Qwen3_5MoeForConditionalGeneration": _PIXELS,
    "SmolVLMForConditionalGeneration": _Cut(),
}
"""Architectures of our catalogue that conversion/ turns into a model and an mmproj, and how tools/mtmd cuts images."""

SEQUENCES_MAX = 256
"""LLAMA_MAX_SEQ of src/llama-cparams.h."""

_COMPUTERS = (
    *("SXM4", "SXM5", "SXM6", "OAM", "PCIe card"),
    *("system on module", "system on chip", "integrated GPU", "laptop processor"),
)
"""Forms of hardware on which llama-server is started; on a phone an app links the library."""


@dataclass(frozen=True, kw_only=True)
class _LlamaCpp(Engine):
    def serve(self, asked: Asked) -> tuple[list[str], list[str], tuple[str, ...]]:
        self.refuse_unknown(asked, ARCHITECTURES)
        cut = ARCHITECTURES[asked.architecture]
        repository = self._repository(asked)
        for name in asked.turned:
            if name not in cut.knobs:
                raise refused_knob(self, asked, name)
        file = self._file(asked)
        options = cut.options(asked.model.rule) if cut.options is not None else {}
        knob = [word for name, value in options.items() for word in (name, str(value))]
        words = ["llama-server", "-hf", f"{repository}:{file}", *self._split(asked)]
        words += self._context(asked) if asked.batching is None else self._shared(asked.batching)
        notes = [f"whether {repository} holds a {file} file is not known here: llama-server says so when it starts"]
        notes += [cut.note] if cut.note else []
        if asked.batching is not None and (most := asked.batching.scheduler.max_num_seqs) > SEQUENCES_MAX:
            notes.append(
                f"it runs at most {SEQUENCES_MAX} sequences at once, and the plan is for up to {most}: what was "
                "planned holds while no more of them run"
            )
        if int(asked.run.tensor_parallel) > 1:
            notes.append("its tensor parallelism (--split-mode tensor) is called experimental by its makers")
        return [*words, *self._cache(asked), *knob], knob if asked.turned else [], tuple(notes)

    def client(self, asked: Asked) -> str:
        edges = [asked.model.turned.get(RESIZE.name)]
        if edge := ARCHITECTURES[asked.architecture].client_edge:
            edges.append(asked.model.rule.setting(edge))
        known = [int(edge) for edge in edges if edge]
        return shrink_text(min(known)) if known else ""

    def _repository(self, asked: Asked) -> str:
        name = asked.model.checkpoint.name
        if not asked.model.checkpoint.hub_id or name not in GGUF_REPOSITORIES:
            raise Refused(
                f"no GGUF of {name} and its mmproj is known here; make both with convert_hf_to_gguf.py of llama.cpp, "
                "the second with --mmproj"
            )
        return f"ggml-org/{name}-GGUF"

    def _file(self, asked: Asked) -> str:
        precision = asked.run.precision
        if precision not in FILES:
            raise Refused(f"llama.cpp has no weights in {precision}; choose {', '.join(FILES)}")
        return FILES[precision]

    def _split(self, asked: Asked) -> list[str]:
        gpus = int(asked.run.tensor_parallel)
        if gpus == 1:
            return ["--split-mode", "none"]
        return ["--split-mode", "tensor", "--tensor-split", ",".join(["1"] * gpus)]

    def _context(self, asked: Asked) -> list[str]:
        """Its context is shared among the slots, one for each request that runs."""
        slots = int(asked.run.batch)
        tokens = asked.context_tokens or asked.model.checkpoint.context_tokens
        return ["--parallel", str(slots), *(["--ctx-size", str(tokens * slots)] if tokens else [])]

    def _shared(self, batching: Batching) -> list[str]:
        """One cache for all sequences, and as many tokens of an iteration as planned, computed in one pass."""
        scheduler = batching.scheduler
        tokens = str(scheduler.max_num_batched_tokens)
        return [
            *("--parallel", str(min(scheduler.max_num_seqs, SEQUENCES_MAX)), "--cont-batching"),
            *("--kv-unified", "--ctx-size", str(batching.kv_tokens)),
            *("--batch-size", tokens, "--ubatch-size", tokens),
            "--cache-prompt" if batching.prefix_cache else "--no-cache-prompt",
        ]

    def _cache(self, asked: Asked) -> list[str]:
        cache = asked.run.kv_precision or asked.wide
        if cache not in CACHES:
            raise Refused(f"llama.cpp has no KV cache in {cache}; choose {', '.join(CACHES)}")
        return ["--cache-type-k", CACHES[cache], "--cache-type-v", CACHES[cache]]


LLAMA_CPP = _LlamaCpp(
    name="llama.cpp",
    title="llama.cpp",
    version="0c1e57098",
    source="commit 0c1e57098 in llama-cpp-python 0.3.36 of PyPI: common/arg.cpp, tools/mtmd, conversion",
    runs_on=dict.fromkeys(("NVIDIA", "AMD", "Apple", "Intel", "Qualcomm"), _COMPUTERS),
    not_on=": an app links its library there",
    parsed=False,
)
