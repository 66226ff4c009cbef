"""Where a calibration starts: the card of the catalogue that was measured, or a profile of the measured ceilings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.bench.calibration.pool import Pool
from planner.bench.devices import recognise
from planner.bench.measurement import Ceilings
from planner.hardware import CPU, Hardware, find_hardware, host_cpu
from planner.hardware.card import HOST
from planner.hardware.efficiency import Efficiency
from planner.hardware.few_rows import FewRows

MEASURED = "measured"
"""How the source of a peak begins that was measured, and may be raised."""


def start_of(pool: Pool, hardware: Hardware | str | None = None) -> Hardware:
    """The profile that a calibration changes.

    Args:
        pool: the measurements.
        hardware: a card or a profile to start from; by default the one that the device's name says, else the measured
            ceilings. How products of few rows grow is always that measured, where it was.

    Raises:
        InputError: nothing says how much memory the device has.
    """
    found = find_hardware(hardware) if hardware is not None else _of_device(pool)
    table = measured_table(one.ceilings for one in pool.measurements)
    if table is None:
        return found
    reached = found.efficiency
    return replace(found, efficiency=replace(reached, few_rows={**reached.few_rows, pool.precision: table}))


def _of_device(pool: Pool) -> Hardware:
    device = str(pool.environment.get("device", ""))
    on_host = pool.environment.get("device_type", CPU) == CPU
    card = recognise(pool.environment)
    if card is not None and pool.precision in card.flops_per_s:
        return card
    return _measured(pool, device, on_host)


def peaks_are_measured(hardware: Hardware) -> bool:
    """Whether its peaks are what it reached once, so that a kernel may reach more."""
    return str(hardware.source.get("flops_per_s", "")).startswith(MEASURED)


def _measured(pool: Pool, device: str, on_host: bool) -> Hardware:
    ceilings = [one.ceilings for one in pool.measurements]
    rate = max(one.matmul_flops_per_s for one in ceilings)
    bandwidth = best_bandwidth(ceilings)
    precision = pool.precision
    facts = pool.environment
    where = "with PyTorch, before the models ran"
    return Hardware(
        name=CPU if on_host else re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-") or "gpu",
        title=f"{device or 'this host'}, {_threads(facts.get('threads'))}" if on_host else device,
        flops_per_s={precision: rate},
        memory_bytes=_memory_bytes(pool, device, on_host),
        bandwidth_bytes_per_s=bandwidth,
        power_w=facts.get("power_limit_w"),
        source={
            "flops_per_s": f"{MEASURED} {where}: the best large matrix product in {precision}",
            "bandwidth_bytes_per_s": f"{MEASURED} {where}: the best of a large copy (read plus written) and a sum",
            "memory_bytes": "read from the operating system" if on_host else "as the driver reports it",
        },
        efficiency=Efficiency(),
        form_factor=HOST if on_host else "",
    )


def _threads(count: object) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def best_bandwidth(ceilings: Iterable[Ceilings]) -> float:
    """Bytes per second of the best of all copies and sums."""
    return max(max(one.copy_bytes_per_s, one.read_bytes_per_s) for one in ceilings)


def measured_table(ceilings: Iterable[Ceilings]) -> FewRows | None:
    """The middle of all tables of few rows that were measured, those with other rows than the first left out."""
    tables = list(dict.fromkeys(one.few_rows for one in ceilings if one.few_rows is not None))
    if not tables:
        return None
    rows = tables[0].rows
    middle = np.median([one.times for one in tables if one.rows == rows], axis=0)
    return FewRows(rows, tuple(map(float, middle)))


def _memory_bytes(pool: Pool, device: str, on_host: bool) -> float:
    known = pool.environment.get("device_memory_bytes")
    if isinstance(known, int | float) and known > 0:
        return float(known)
    if on_host:
        return host_cpu().memory_bytes
    raise InputError(f"the measurements do not say how much memory {shown(device)} has: name a card with --hardware")
