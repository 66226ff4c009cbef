"""How to hold a device still while it is measured: clocks, power limit, cores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

_BOUND = ("OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")


def steady_advice(facts: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """What would make times steadier, with the command; nothing of what is so already.

    Args:
        facts: of `planner.bench.environment.environment`.
        environ: variables of the process.
    """
    return tuple(_of_gpu(facts) if facts.get("device_type") == "cuda" else _of_host(facts, environ))


def _of_gpu(facts: Mapping[str, Any]) -> list[str]:
    """By `nvidia-smi`: "-lgc MIN,MAX" locks the SM clock, which NVML sets (nvmlDeviceSetGpuLockedClocks) and does not
    tell, "-pl W" sets the power limit."""
    most, limit, default = (facts.get(name) for name in ("sm_clock_max_mhz", "power_limit_w", "power_limit_default_w"))
    boost = "" if most is None else f", of at most {most} MHz and low enough for the power limit"
    found = [
        f"lock the GPU's clocks: sudo nvidia-smi -lgc MHZ,MHZ with one clock{boost}; sudo nvidia-smi -rgc unlocks; "
        "whether they are locked now is not known, as NVML does not tell"
    ]
    if limit is not None and default is not None and limit < default:
        found.append(
            f"the GPU's power limit is {limit:g} W, by default {default:g} W: sudo nvidia-smi -pl {default:g}, unless "
            "it is limited in service too"
        )
    return found


def _of_host(facts: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    found = []
    governor, cores, threads = facts.get("governor"), facts.get("cores"), facts.get("threads") or 1
    if governor not in (None, "performance"):
        found.append(f"the clocks' governor is {governor}: sudo cpupower frequency-set -g performance")
    if facts.get("turbo"):
        found.append("turbo is on, and clocks follow the temperature: switch it off in the firmware, or measure longer")
    if cores is not None and cores > 1 and not any(environ.get(name) for name in _BOUND):
        found.append(
            f"threads may move between cores: OMP_PROC_BIND=close OMP_PLACES=cores taskset -c 0-{threads - 1} "
            "vlm-planner ...; with several sockets numactl --cpunodebind=0 --membind=0 instead of taskset"
        )
    return found
