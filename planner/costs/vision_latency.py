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
        clock.matmuls(patches, [(2, k * d, d), (4, d, d)])  # key and value MLPs, key and value projections
        clock.matmuls(tokens, [(2, d, d)])  # query and output projections
        clock.elementwise(5, patches, 2 * 4 * d + 2 * d)  # activation and norm of both MLPs; regional attention
    if compressor.name == "quecc":
        clock.matmuls(images, [(1, h, d)])  # the text feature
        clock.matmuls(patches, [(2, d, d)])  # query MLP
        clock.elementwise(4, patches, 2 * d + 4 * d + 2 * d)  # text added, activation and norm, convolution
    elif compressor.name == "tokenpacker":
        clock.matmuls(tokens, [(1, d, d)])  # query layer
        clock.elementwise(1, patches, d)  # interpolation
    elif compressor.strides:
        clock.elementwise(1, patches, d)  # average pooling
    clock.matmuls(tokens, [(1, d, h), (1, h, h)])  # projector
    clock.elementwise(1, tokens, 2 * h)
    return clock.stage()
