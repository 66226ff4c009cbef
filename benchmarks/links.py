"""Measured all-reduces that stand in for those of a card's usual tables, where these cannot be.

Of an L40S the tables that aiconfigurator-core 0.12.0 asks say 19, 3.7 and 1.9 GB/s at 2, 4 and 8 GPUs (vLLM 0.22.0,
SGLang 0.5.14; NCCL 2.27.3: 20, 5.2 and 1.4): traffic between more than 2 GPUs went through something slower than the
PCIe gen4 x16 of the card (32 GB/s in one direction, of which NCCL itself reckons with 24: "maxBw 24.0" in the log of
github.com/NVIDIA/nccl-tests/issues/307). Another table of the same package, of SGLang 0.5.12 with CUDA graphs, says
18.2, 21.5 and 20.8 GB/s: that is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LinkTable:
    """A table of all-reduces in the package."""

    path: str
    """Within its data."""
    backend: str
    title: str
    """Whose it is."""
    instead_of: str
    """What the usual tables would mean."""

    def seconds(self, gpus: int, numbers: float) -> float:
        """Of one all-reduce of so many numbers in bf16; between two sizes of the table on a line in logarithms."""
        sizes, seconds = self._read[gpus]
        return float(np.exp(np.interp(np.log(numbers), np.log(sizes), np.log(seconds))))

    @property
    def _read(self) -> Mapping[int, tuple[FloatArray, FloatArray]]:
        return _table(self.path, self.backend)


@cache
def _table(path: str, backend: str) -> Mapping[int, tuple[FloatArray, FloatArray]]:
    import pandas

    spec = find_spec("aiconfigurator_core")
    assert spec is not None and spec.origin is not None
    rows = pandas.read_parquet(Path(spec.origin).parent / "systems" / "data" / path)
    rows = rows[(rows["backend"] == backend) & (rows["allreduce_dtype"] == "bfloat16")].sort_values("message_size")
    found: dict[int, tuple[FloatArray, FloatArray]] = {}
    for gpus in (2, 4, 8):
        own = rows[rows["num_gpus"] == gpus]
        found[gpus] = own["message_size"].to_numpy(float), own["latency"].to_numpy(float) / 1e3
    return found


TABLES = {
    "l40s": LinkTable(
        "l40s/comm/sglang/0.5.12/custom_allreduce_perf.parquet",
        "sglang_graph",
        "SGLang 0.5.12",
        "the usual tables would mean 19, 3.7 and 1.9 GB/s at 2, 4 and 8 GPUs, far below PCIe gen4 x16",
    )
}
