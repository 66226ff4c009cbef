"""Memory of this process on the host."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


def peak_bytes(status: Path = _STATUS) -> int | None:
    """Most that was resident at once since the program began: VmHWM, "peak resident set size" (proc(5)), as ru_maxrss
    of getrusage(2) can be that of the program that started this one; by getrusage, or Windows' peak working set,
    elsewhere. None where no one tells."""
    with contextlib.suppress(OSError):
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(encoding="ascii", errors="replace"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    with contextlib.suppress(ImportError):
        resource: Any = importlib.import_module("resource")
        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
    import psutil

    peak = getattr(psutil.Process().memory_info(), "peak_wset", None)
    return None if peak is None else int(peak)
