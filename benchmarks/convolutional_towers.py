"""Records what the convolutional vision towers compute: FastViTHD (FastVLM) and MobileNetV5 (Gemma 3n).

Their shapes stand in no config.json, so they are taken from timm, once: every matrix with its rows, inputs, outputs,
weights, count, values that it reads for a row and whether it is a depthwise convolution, every attention with its
queries, keys, width, head size and count, on an image of the tower's own size.

    python -m venv /tmp/timm && /tmp/timm/bin/pip install torch==2.13.0 timm==1.0.31
    /tmp/timm/bin/python benchmarks/convolutional_towers.py     # writes planner/parts/encoders/convolutional.json

timm needs torchvision, which the planner must not; so it has an environment of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "planner" / "parts" / "encoders" / "convolutional.json"
TOWERS: dict[str, tuple[int, dict[str, Any]]] = {
    "fastvit_mci3": (1024, {"inference_mode": True, "num_classes": 0, "global_pool": ""}),
    "mobilenetv5_300m_enc": (768, {"num_classes": 0}),
}
"""Architecture -> side of the image, and how Hugging Face builds it."""


def main() -> None:
    import timm  # type: ignore[import-not-found]  # in an environment of its own
    import torch

    timm.layers.set_fused_attn(False)
    found: dict[str, Any] = {"source": f"timm {timm.__version__}, torch {torch.__version__}"}
    for name, (side, options) in TOWERS.items():
        with torch.device("meta"):
            model = timm.create_model(name, pretrained=False, **options).eval()
        found[name] = {"side": side, **recorded(model, side)}
        print(name, found[name]["params"], flops(found[name]))
    TARGET.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def recorded(model: Any, side: int) -> dict[str, Any]:
    """Matrices as [rows, k, n, weights, read, depthwise, times], attentions as [queries, keys, width, head, times]."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    aten = torch.ops.aten
    matrices: Counter[tuple[float, ...]] = Counter()
    products: list[tuple[int, int, int, int]] = []

    class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if func is aten.convolution.default:
                weight = args[1]
                k = weight.shape[1] * weight.shape[2] * weight.shape[3]
                rows, depthwise = out.shape[2] * out.shape[3], int(weight.shape[1] == 1)
                matrices[rows, k, weight.shape[0], weight.numel(), args[0].numel() / rows, depthwise] += 1
            elif func in (aten.mm.default, aten.addmm.default):
                left, right = args[-2:]
                matrices[left.shape[0], left.shape[1], right.shape[1], right.numel(), left.shape[1], 0] += 1
            elif func is aten.bmm.default:
                left, right = args
                products.append((left.shape[0], left.shape[1], left.shape[2], right.shape[2]))
            return out

    with torch.no_grad(), Recorder():  # type: ignore[no-untyped-call]
        model.forward_features(torch.empty(1, 3, side, side, device="meta"))
    attentions: Counter[tuple[int, ...]] = Counter()
    for (heads, queries, size, keys), (_, _, back, out) in zip(products[::2], products[1::2], strict=True):
        if (back, out) != (keys, size):
            raise SystemExit(f"not an attention: {products}")
        attentions[queries, keys, heads * size, size] += 1
    return {
        "params": sum(one.numel() for one in model.parameters()),
        "matrices": [[*shape, times] for shape, times in matrices.items()],
        "attentions": [[*shape, times] for shape, times in attentions.items()],
    }


def flops(tower: dict[str, Any]) -> int:
    """Two for each multiply-add."""
    matrices: int = sum(2 * rows * k * n * times for rows, k, n, *_, times in tower["matrices"])
    pairs: int = sum(4 * queries * keys * width * times for queries, keys, width, _, times in tower["attentions"])
    return matrices + pairs


if __name__ == "__main__":
    main()
