"""Grids of square tiles that an image is laid out on: the two ways in which processors choose one."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=64)
def grids(least: int, most: int) -> tuple[tuple[int, int], ...]:
    """(columns, rows) of every grid with so many tiles, fewest tiles first, then fewest columns."""
    found = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if least <= c * r <= most]
    return tuple(sorted(found, key=lambda grid: grid[0] * grid[1]))


def closest_grid(width: int, height: int, tile: int, least: int, most: int) -> tuple[int, int]:
    """(columns, rows) of the grid whose shape is closest to the image's.

    Of equally close ones a later one, with more tiles, is taken while the image has more than half of its pixels.
    Source: `get_optimal_tiled_canvas` of GOT-OCR 2 in transformers 5.23, as InternVL, Aya, LFM2-VL and Phi-4 use it.
    """
    ratio, area = width / height, width * height
    best, distance = (1, 1), float("inf")
    for columns, rows in grids(least, most):
        apart = abs(ratio - columns / rows)
        if apart < distance:
            best, distance = (columns, rows), apart
        elif apart == distance and area > 0.5 * tile * tile * columns * rows:
            best = (columns, rows)
    return best


def least_distorting_size(width: int, height: int, sizes: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """(height, width) among the sizes that keeps most of the image's pixels, and of those wastes the fewest.

    Source: `select_best_resolution` of transformers 5.23, as LLaVA-NeXT and LLaVA-OneVision use it.
    """
    best, kept_most, wasted_least = sizes[0], 0, float("inf")
    for rows, columns in sizes:
        scale = min(columns / width, rows / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        wasted = rows * columns - kept
        if kept > kept_most or (kept == kept_most and wasted < wasted_least):
            best, kept_most, wasted_least = (rows, columns), kept, wasted
    return best
