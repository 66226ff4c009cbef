"""Seconds of what stands before the language model: the vision tower, and compressor and projector.

The kernels are those that `planner.costs.flops` counts, with the same letters, and the element-wise ones between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.costs.kernels import Number, Rates, StageClock, StageTime
from planner.models.specs import CompressorSpec, VisionSpec

FloatArray = NDArray[np.float64]


def encoder_time(vision: VisionSpec, rates: Rates, images: FloatArray) -> StageTime:
    """The tower over so many images, up to the last layer used; attention is bidirectional: S^2 pairs."""
    d, m, s = vision.hidden_size, vision.intermediate_size, vision.patches + vision.class_token
    layers, rows = vision.layers_run, images * s
    clock = StageClock(rates)
    clock.matmuls(images * vision.patches, [(1, 3 * vision.patch_size**2, d)])
    clock.matmuls(rows, [(layers, d, 3 * d), (layers, d, d), (layers, d, m), (layers, m, d)])
    clock.attention(layers, rows, rows * s, d, d)
    # two norms with the residual sum, and the activation
    clock.elementwise(3 * layers + 1, rows, layers * (2 * 4 * d + 2 * m) + 2 * d)
    return clock.stage()


def compressor_time(
    compressor: CompressorSpec,
    vision: VisionSpec,
    llm_hidden_size: Number,
    visual_tokens: FloatArray,
    rates: Rates,
    images: FloatArray,
) -> StageTime:
    """Compressor and projector over so many images."""
    d, k = vision.hidden_size, compressor.feature_layers
    patches, tokens = images * vision.patches, images * visual_tokens
    h = np.asarray(llm_hidden_size, float)
    clock = StageClock(rates)
    if compressor.name in ("quecc", "tokenpacker"):
        # key and value projections over all patches, or absorbed into queries and outputs: the fewer FLOPs
        absorbed = visual_tokens * d + vision.patches * compressor.heads < vision.patches * (d + 1)
        clock.matmuls(patches, [(2, k * d, d), (np.where(absorbed, 2, 4), d, d)])  # key and value MLPs, projections
        clock.matmuls(tokens, [(np.where(absorbed, 4, 2), d, d)])  # query and output projections, what is absorbed
        # each patch once; where absorbed, each head sees its full width
        clock.attention(1, patches, np.where(absorbed, compressor.heads, 1) * patches, d, d)
        clock.elementwise(4, patches, 2 * 4 * d)  # activation and norm of both MLPs
    if compressor.name == "quecc":
        clock.matmuls(images, [(1, h, d)])  # the text feature
        clock.matmuls(patches, [(2, d, d)])  # query MLP
        # text added, activation and norm; in the weighted sums a copy by region, products, and sums
        clock.elementwise(6, patches, 2 * d + 4 * d + (2 + 2 + 1) * d)
    elif compressor.name == "tokenpacker":
        clock.matmuls(tokens, [(1, d, d)])  # query layer
        clock.elementwise(1, patches, d)  # interpolation
    elif compressor.strides:
        clock.elementwise(1, patches, d)  # average pooling
    clock.matmuls(tokens, [(1, d, h), (1, h, h)])  # projector
    clock.elementwise(1, tokens, 2 * h)
    return clock.stage()
