"""QueCC's compressor against the layout of the reference; prefill with reuse of the prefix against without.

    python benchmarks/compressor_speed.py          about seven minutes on one idle core, more where a GPU is found
    python benchmarks/compressor_speed.py --quick  one batch size on the CPU; writes no results

Compressor: a CLIP-L tower's features (576 patches, width 1024, 4 layers) to V tokens, forward alone and forward with
backward. The reference layout, written here after the definition: features of the layers side by side, MLPs with the
patches first, queries, keys and values copied into regions, one nn.MultiheadAttention over V x B of them, called as it
is by default (it returns the attention weights too). "no weights" is the same with `need_weights=False`. All share
their weights and inputs, and are called in turn; outputs and a gradient are compared first.

Prefill: a language model of 6 layers of width 896 with a small tower, whose share in the time is small. The prompt is
a system text, a question, an image and a suffix; "image-first" runs the question alone and then the whole prompt;
"text-first" goes on from the cache of what stands before the image; "text-first, recomputed" runs that twice.

On the CPU the time is that of one thread in CPU seconds, which other work on the machine disturbs least.
"""

from __future__ import annotations

import contextlib
import gc
import io
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from environment import environment, say, write_result
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPVisionConfig, Qwen2Config

from planner.vlm import PlannerVlmConfig, PlannerVlmForConditionalGeneration
from planner.vlm.quecc import QueCC, convert_reference_state_dict, token_mlp

WIDTH, GRID, LEVELS, HEADS, TEXT_WIDTH = 1024, 24, 4, 8, 896
TOKENS = (1, 4, 16, 36, 144, 576)
# device, dtype, batch -> visual tokens that are measured
SETTINGS: tuple[tuple[str, torch.dtype, int, tuple[int, ...]], ...] = (
    *(("cpu", dtype, 1, TOKENS) for dtype in (torch.float32, torch.bfloat16)),
    *(("cpu", dtype, 4, (1, 36)) for dtype in (torch.float32, torch.bfloat16)),
    *(("cpu", dtype, 16, (36,)) for dtype in (torch.float32, torch.bfloat16)),
    *(("cuda", torch.bfloat16, batch, TOKENS) for batch in (1, 4, 16, 128)),
)
ROUNDS = {"cpu": 3, "cuda": 30}

WHY = (
    "Of the reference's 14 P d^2 multiply-adds (P patches of width d, 4 layers) the 2 of the key and value projections "
    "are absorbed into V queries; the 12 of the three MLPs stay, each with an activation or a norm behind it: at most "
    "14 / 12 = 1.17 x forward and, with a frozen tower, 34 / 28 = 1.21 x forward and backward, where all time goes "
    "into matrix products. More than that is data that is not moved, attention weights that are not returned, and "
    "the depth-wise convolution, whose backward pass in torch is slow in bf16 at few tokens."
)

SYSTEM, QUESTION, SUFFIX = 32, 48, 8
PREFILL_BATCHES = (1, 4)
PREFILL_TOKENS = (1, 36)


# ---- the layout of the reference -------------------------------------------------------------------------------------


class ReferenceLayout(nn.Module):
    """The same compressor, with the names and the data movement of the reference."""

    def __init__(self, visual_tokens: int, need_weights: bool = True) -> None:
        super().__init__()
        self.need_weights = need_weights
        self.s = int(visual_tokens**0.5)
        self.side = GRID // self.s
        self.text_projection = nn.Sequential(nn.Linear(TEXT_WIDTH, WIDTH), nn.LayerNorm(WIDTH, eps=1e-6))
        self.q_proj = token_mlp(WIDTH, WIDTH)
        self.k_proj = token_mlp(LEVELS * WIDTH, WIDTH)
        self.v_proj = token_mlp(LEVELS * WIDTH, WIDTH)
        self.q_downsample = nn.Conv2d(WIDTH, WIDTH, kernel_size=self.side, stride=self.side, groups=WIDTH)
        self.clip_attn = nn.MultiheadAttention(WIDTH, HEADS)

    def regions(self, values: Tensor) -> Tensor:
        """Patches first, (P, B, d), into regions (R, V B, d), step by step."""
        _, batch, width = values.shape
        rows = values.reshape(self.s, self.side, GRID, batch, width).permute(0, 2, 1, 3, 4)  # (s, g, r, B, d)
        grid = rows.reshape(self.s, self.s, self.side, self.side, batch, width).permute(0, 1, 3, 2, 4, 5)
        split = grid.reshape(self.s, self.s, self.side**2, batch, width)
        return split.permute(2, 0, 1, 3, 4).reshape(self.side**2, -1, width)

    def forward(self, x: Tensor, levels: list[Tensor], text: Tensor) -> Tensor:
        x_multi = torch.cat(levels, dim=2)
        keys = self.k_proj(x_multi).permute(1, 0, 2)
        values = self.v_proj(x_multi).permute(1, 0, 2)
        x = x + self.text_projection(text[:, None])
        grid = self.q_proj(x).reshape(len(x), GRID, GRID, WIDTH).permute(0, 3, 1, 2)
        queries = self.q_downsample(grid).flatten(2).permute(2, 0, 1)  # (V, B, d)
        asked = queries.reshape(1, -1, WIDTH)
        mixed, _ = self.clip_attn(asked, self.regions(keys), self.regions(values), need_weights=self.need_weights)
        tokens: Tensor = mixed.reshape(self.s**2, len(x), WIDTH).permute(1, 0, 2)
        return tokens


@torch.no_grad()
def counted_flops(make: Callable[[], nn.Module]) -> int:
    """FLOPs over one image, forward, by FlopCounterMode."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        x, *levels = (torch.empty(1, GRID**2, WIDTH) for _ in range(LEVELS + 1))
        make()(x, levels, torch.empty(1, TEXT_WIDTH))
    return int(counter.get_total_flops())


# ---- timing ----------------------------------------------------------------------------------------------------------


def seconds_of(call: Callable[[], Any], device: str) -> float:
    if device == "cpu":
        start = time.process_time()
        call()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def in_turn(calls: Mapping[str, Callable[[], Any]], device: str, rounds: int) -> dict[str, float]:
    """Median seconds of each call; every round makes all of them, beginning with another one."""
    names = list(calls)
    for name in names:
        calls[name]()  # warm up
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            seconds[name].append(seconds_of(calls[name], device))
    return {name: statistics.median(values) for name, values in seconds.items()}


def difference(mine: Tensor | None, theirs: Tensor | None) -> float:
    """The largest difference, relative to the largest value."""
    assert mine is not None and theirs is not None
    return float((mine.float() - theirs.float()).abs().max() / theirs.float().abs().max())


def first_gradient(mlp: nn.Sequential) -> Tensor | None:
    """The gradient of its first layer's weights."""
    return next(mlp.parameters()).grad


def make_ours(visual_tokens: int) -> QueCC:
    return QueCC(
        width=WIDTH, grid_side=GRID, visual_tokens=visual_tokens, text_width=TEXT_WIDTH, levels=LEVELS, heads=HEADS
    )


# ---- compressor ------------------------------------------------------------------------------------------------------


def measure_compressor(device: str, dtype: torch.dtype, batch: int, visual_tokens: int) -> dict[str, Any]:
    torch.manual_seed(0)
    reference = ReferenceLayout(visual_tokens)
    lean = ReferenceLayout(visual_tokens, need_weights=False)
    lean.load_state_dict(reference.state_dict())
    ours = make_ours(visual_tokens)
    converted = convert_reference_state_dict(reference.state_dict())
    ours.load_state_dict({name.removeprefix("compressor."): value for name, value in converted.items()})
    modules: dict[str, nn.Module] = {"ours": ours, "reference": reference, "no_weights": lean}
    for module in modules.values():
        module.to(device, dtype)
    x, *levels = (torch.randn(batch, GRID**2, WIDTH, device=device, dtype=dtype) for _ in range(LEVELS + 1))
    text = torch.randn(batch, TEXT_WIDTH, device=device, dtype=dtype)
    up = torch.randn(batch, visual_tokens, WIDTH, device=device, dtype=dtype)

    def forward(module: nn.Module) -> Tensor:
        with torch.no_grad():
            tokens: Tensor = module(x, levels, text)
        return tokens

    def both(module: nn.Module) -> None:
        """Gradients of the text feature and of the weights, as in training with a frozen tower."""
        module.zero_grad(set_to_none=True)
        module(x, levels, text.detach().requires_grad_()).backward(up)

    differences = {"output": difference(forward(ours), forward(reference))}
    both(ours)
    both(reference)
    differences["gradient"] = difference(first_gradient(ours.value_mlp), first_gradient(reference.v_proj))
    rounds = ROUNDS[device]
    flops = {
        "ours": counted_flops(partial(make_ours, visual_tokens)),
        "reference": counted_flops(partial(ReferenceLayout, visual_tokens)),
    }
    result: dict[str, Any] = {}
    for stage, run_stage in (("forward", forward), ("forward_backward", both)):
        calls = {name: partial(run_stage, module) for name, module in modules.items()}
        seconds = in_turn(calls, device, rounds)
        result[stage] = {
            "seconds": {name: round(value, 6) for name, value in seconds.items()},
            "reference_over_ours": round(seconds["reference"] / seconds["ours"], 3),
            "no_weights_over_ours": round(seconds["no_weights"] / seconds["ours"], 3),
        }
    return {"rounds": rounds, "largest_difference": differences, "forward_flops_of_an_image": flops} | result


def compressor_rows(quick: bool) -> Iterator[dict[str, Any]]:
    for device, dtype, batch, tokens in SETTINGS[:1] if quick else SETTINGS:
        for visual_tokens in tokens:
            setting = {
                "device": device,
                "dtype": str(dtype).removeprefix("torch."),
                "batch": batch,
                "visual_tokens": visual_tokens,
            }
            if device == "cuda" and not torch.cuda.is_available():
                yield setting | {"note": "not measured: no GPU"}
                continue
            measured = measure_compressor(device, dtype, batch, visual_tokens)
            ratios = [measured[stage]["reference_over_ours"] for stage in ("forward", "forward_backward")]
            say(f"{device} {setting['dtype']} batch {batch}, V = {visual_tokens}: {ratios[0]:.2f} x, {ratios[1]:.2f} x")
            yield setting | measured
            gc.collect()
            if device == "cuda":
                torch.cuda.empty_cache()


# ---- prefill ---------------------------------------------------------------------------------------------------------


def make_vlm(order: str, visual_tokens: int) -> Any:
    """The same weights for both orders of the prompt."""
    torch.manual_seed(0)
    config = PlannerVlmConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=48,
            patch_size=4,
        ),
        text_config=Qwen2Config(
            vocab_size=1000,
            hidden_size=896,
            intermediate_size=4864,
            num_hidden_layers=6,
            num_attention_heads=14,
            num_key_value_heads=2,
            bos_token_id=None,
            eos_token_id=None,
        ),
        visual_tokens=visual_tokens,
        prompt_order=order,
    )
    model = PlannerVlmForConditionalGeneration(config)
    model.train(False)
    return model


def measure_prefill(batch: int, visual_tokens: int, device: str, dtype: torch.dtype) -> dict[str, Any]:
    torch.manual_seed(0)
    model = {}
    calls: dict[str, Callable[[], Any]] = {}
    ids = torch.randint(1000, (batch, SYSTEM + QUESTION + SUFFIX), device=device)
    system, question, suffix = torch.split(ids, [SYSTEM, QUESTION, SUFFIX], dim=1)
    pixels = torch.randn(batch, 3, 48, 48, device=device, dtype=dtype)
    for order in ("image-first", "text-first"):
        model[order] = make_vlm(order, visual_tokens).to(device, dtype)
    image = torch.full((batch, visual_tokens), model["text-first"].config.image_token_id, device=device)
    text_first = torch.cat([system, question, image, suffix], 1)
    image_first = torch.cat([system, image, question, suffix], 1)

    def call(order: str, prompt: Tensor, **options: Any) -> Tensor:
        with torch.no_grad():
            logits: Tensor = model[order](input_ids=prompt, pixel_values=pixels, logits_to_keep=1, **options).logits
        return logits

    calls["text-first"] = lambda: call("text-first", text_first)
    # asking for all hidden states turns the reuse off
    calls["text-first, recomputed"] = lambda: call("text-first", text_first, output_hidden_states=True)
    calls["image-first"] = lambda: call("image-first", image_first, query_input_ids=question)
    reused, recomputed = calls["text-first"](), calls["text-first, recomputed"]()
    seconds = in_turn(calls, device, ROUNDS[device])
    return {
        "device": device,
        "dtype": str(dtype).removeprefix("torch."),
        "batch": batch,
        "visual_tokens": visual_tokens,
        "tokens": {"system": SYSTEM, "question": QUESTION, "suffix": SUFFIX},
        "largest_difference": difference(reused, recomputed),
        "seconds": {name: round(value, 6) for name, value in seconds.items()},
        "recomputed_over_reused": round(seconds["text-first, recomputed"] / seconds["text-first"], 3),
        "image_first_over_reused": round(seconds["image-first"] / seconds["text-first"], 3),
    }


def prefill_rows(quick: bool) -> Iterator[dict[str, Any]]:
    places: list[tuple[str, torch.dtype]] = [("cpu", torch.float32)]
    if torch.cuda.is_available():
        places.append(("cuda", torch.bfloat16))
    for device, dtype in places:
        for batch in PREFILL_BATCHES[: 1 if quick else None]:
            for visual_tokens in PREFILL_TOKENS:
                row = measure_prefill(batch, visual_tokens, device, dtype)
                say(
                    f"prefill, {device}, batch {batch}, V = {visual_tokens}: recomputed "
                    f"{row['recomputed_over_reused']:.2f} x, image-first {row['image_first_over_reused']:.2f} x"
                )
                yield row


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    torch.set_num_threads(1)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    rows: dict[str, list[dict[str, Any]]] = {"prefill": [], "compressor": []}
    result = {
        "environment": environment(("torch", "transformers")) | {"gpu": gpu, "threads": 1},
        "why_not_more": WHY,
        "complete": False,
        **rows,
    }
    for kind, source in (("prefill", prefill_rows(quick)), ("compressor", compressor_rows(quick))):
        for row in source:
            rows[kind].append(row)
            if not quick:  # written down row by row
                with contextlib.redirect_stdout(io.StringIO()):
                    write_result("compressor_speed", result)
    if not quick:
        write_result("compressor_speed", result | {"complete": True})


if __name__ == "__main__":
    main()
