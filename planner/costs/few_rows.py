"""Seconds of products by their rows: the roofline, and what a card's table of few rows says in its place."""

from __future__ import annotations

import numpy as np

from planner.hardware.few_rows import FewRows
from planner.parts.walk import Number


def overlapping(compute_s: Number, traffic_s: Number, overlap: float) -> Number:
    """Seconds of a kernel that computes and moves bytes: (C^p + B^p)^(1/p)."""
    if np.all(overlap == 2):
        return np.sqrt(compute_s * compute_s + traffic_s * traffic_s)
    longer, shorter = np.maximum(compute_s, traffic_s), np.minimum(compute_s, traffic_s)
    share = shorter / np.maximum(longer, np.finfo(float).tiny)  # powers of seconds themselves would underflow
    found: Number = longer * (1 + share**overlap) ** (1 / overlap)
    return found


def only_few(table: FewRows | None, rows: Number) -> bool:
    """Whether a table speaks of all these rows, so that nobody needs the roofline."""
    return table is not None and bool(np.all(np.asarray(rows) <= table.most))


def by_rows(
    table: FewRows, rows: Number, read_s: Number, roofline_s: Number, last_roofline_s: Number, compute_s: Number
) -> Number:
    """Seconds of products whose time grows with few rows as a table says: see `planner.hardware.few_rows`.

    Args:
        table: of the card.
        rows: of each product.
        read_s: seconds in which the weights are read for one row.
        roofline_s: of the products, used beyond the table.
        last_roofline_s: of the same with as many rows as the last of the table.
        compute_s: of computing alone, below which nothing is.
    """
    few = table.at(rows) * read_s
    if only_few(table, rows):
        return few
    beyond = np.maximum(roofline_s + (table.times[-1] * read_s - last_roofline_s), compute_s)
    found: Number = np.where(np.asarray(rows) <= table.most, few, beyond)
    return found
