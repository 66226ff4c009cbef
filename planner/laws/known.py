"""What plans ask of the shipped laws, worked out once and shipped: the laws of the other forms, the nodes of their
likelihood regions, posterior draws. A first plan reads them instead of refitting and drawing.

    known(law, "draws 948 0", compute)      the shipped arrays, bit for bit those that compute() gives, or compute()

The data package holds two JSON files for each set of runs, made by `python -m fitted_laws.make_known`; its numbers are
the bytes of arrays, base64. A law finds its entry by the hash of its runs, its form and its exact parameters, so that a
law that was fitted otherwise computes as ever. What rests on the runs alone is found by their hash, the weighting and
the unit of N, and stands there once for the laws of all forms.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.laws.fitted import FittedLaw

FloatArray = NDArray[np.float64]
Arrays = Mapping[str, FloatArray]

T = TypeVar("T")

FILE_FORMAT = "vlm-planner known"
FORMAT_VERSION = 2
FOLDER = "known"
"""In the data package."""

_DIGITS = 16  # of the hash of the runs that a file is called by
_state: dict[str, Any] = {"read": True, "recorded": None}


def known(law: FittedLaw, what: str, compute: Callable[[], Arrays]) -> Arrays:
    """The shipped arrays of a law, or those that `compute` gives.

    Args:
        law: whose.
        what: which arrays; the same text is always computed in the same way.
        compute: works them out.
    """
    return _recall(law, what, compute, packed, unpacked)


def known_law(law: FittedLaw, what: str, compute: Callable[[], FittedLaw]) -> FittedLaw:
    """The shipped law beside a law, or the one that `compute` gives; as `known`."""
    return _recall(law, what, compute, FittedLaw.to_dict, FittedLaw.from_dict)


def _recall(
    law: FittedLaw, what: str, compute: Callable[[], T], pack: Callable[[T], Any], unpack: Callable[[Any], T]
) -> T:
    free = not law.constraints and not law.joint
    if free and _state["read"] and law.runs_sha256 in _shipped_runs():
        found = _entries(law.runs_sha256, _is_light(what)).get(_key(law, what))
        if found is not None:
            return unpack(found)
    result = compute()
    if free and _state["recorded"] is not None:
        _state["recorded"].setdefault(law.runs_sha256, {})[_key(law, what)] = pack(result)
    return result


@contextmanager
def computed() -> Iterator[dict[str, dict[str, Any]]]:
    """Nothing is read inside; what is computed instead is collected, by the hash of the runs and by key."""
    before = dict(_state)
    _state.update(read=False, recorded={})
    try:
        yield _state["recorded"]
    finally:
        _state.update(before)


def files_of(runs_sha256: str, entries: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries of a set of runs by the name of the file that they belong in: light ones are read by every plan."""
    light = {key: entry for key, entry in entries.items() if _is_light(key.partition(": ")[2])}
    heavy = {key: entry for key, entry in entries.items() if key not in light}
    return {_file_name(runs_sha256, True): light, _file_name(runs_sha256, False): heavy}


def _is_light(what: str) -> bool:
    """Whether it rests on the runs alone."""
    return what.startswith(("beside ", "belief "))


def _file_name(runs_sha256: str, light: bool) -> str:
    return f"{runs_sha256[:_DIGITS]}.{'laws' if light else 'draws'}.json"


_TYPES = ("uint16", "float64")
"""Of numbers in a file, little-endian: the first that holds all of an array to the bit is taken."""


def packed(arrays: Arrays) -> dict[str, Any]:
    """Arrays as JSON holds them: shape, and the bytes of little-endian numbers under the name of their type."""
    return {name: _packed(np.asarray(array, "<f8")) for name, array in arrays.items()}


def _packed(array: FloatArray) -> dict[str, Any]:
    for kind in _TYPES:
        with np.errstate(invalid="ignore"):
            stored = array.astype(np.dtype(kind).newbyteorder("<"))
        if stored.astype("<f8").tobytes() == array.tobytes():
            break
    return {"shape": list(array.shape), kind: b64encode(stored.tobytes()).decode("ascii")}


def unpacked(content: Mapping[str, Any]) -> Arrays:
    """The arrays of `packed`."""
    return {name: _unpacked(one) for name, one in content.items()}


def _unpacked(content: Mapping[str, Any]) -> FloatArray:
    kind = next(kind for kind in _TYPES if kind in content)
    stored = np.frombuffer(b64decode(content[kind]), np.dtype(kind).newbyteorder("<"))
    found: FloatArray = stored.astype("<f8").reshape(content["shape"])
    return found


def _key(law: FittedLaw, what: str) -> str:
    if _is_light(what):
        return f"{law.n_unit_params:g} {law.weighting} {law.loss}: {what}"
    params = " ".join(f"{name}={float(value).hex()}" for name, value in law.params.items())
    return f"{law.form} {law.n_unit_params:g} {law.weighting} {law.loss} {params}: {what}"


@cache
def _shipped_runs() -> frozenset[str]:
    """Hashes of the sets of runs that have files."""
    folder = resources.files("fitted_laws") / FOLDER
    return frozenset(json.loads((folder / "index.json").read_text("utf-8"))["runs"])


@cache
def _entries(runs_sha256: str, light: bool) -> Mapping[str, Any]:
    file = resources.files("fitted_laws") / FOLDER / _file_name(runs_sha256, light)
    content = json.loads(file.read_text("utf-8"))
    entries: dict[str, Any] = content["entries"] if content["format_version"] == FORMAT_VERSION else {}
    return entries
