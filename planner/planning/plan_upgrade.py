"""Plans of version 0.1: their files named the parts without their numbers, and kept bytes and times of the pick alone.

What is missing is computed again, from the parts of those names; where that does not give the numbers which the file
does hold, the file is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from planner.base.codec import decode, encode
from planner.base.errors import InputError
from planner.base.place import Place
from planner.costs.request import request_cost
from planner.costs.stages import Workload
from planner.hardware import Hardware
from planner.parts.catalog import find_compressor, find_llms, find_vision
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.stored import Part
from planner.parts.towers import Tower

_SAME = 1e-9
"""Relative: sums in another order differ by less."""
_LISTS = ("runners_up", "tied", "frontier", "best_of_each")


@np.errstate(over="raise", divide="raise", invalid="raise")
def from_first(content: dict[str, Any], place: Place) -> dict[str, Any]:
    """Version 1 -> 2. Raises InputError where a part is gone, or costs something else than it did."""
    inputs = content["inputs"]
    llms = {one["name"]: _llm(one["name"], one["source"], place) for one in inputs["llms"]}
    own = content["best"]["vision"]
    towers = {name: _tower(name, inputs["vision_source"] if name == own else None, place) for name in inputs["vision"]}
    compressors = {name: find_compressor(name) for name in inputs["compressor"]}
    card = content["hardware_profile"]
    costs = _Costs(
        llms,
        towers,
        compressors,
        workload=decode(Workload, inputs["workload_p95"], place.at("inputs").at("workload_p95")),
        hardware=None if card is None else Hardware.from_dict(card, f"hardware_profile of {place.origin}"),
        latency_source=inputs["latency_source"],
    )
    limits = {
        name: {
            **limit,
            "keeps_better_out": limit["binds"],
            "relaxed": costs.added(limit["relaxed"], place.at("limits").at(name)),
        }
        for name, limit in content["limits"].items()
    }
    return {
        **content,
        "best": costs.added(content["best"], place.at("best")),
        **{name: [costs.added(one, place.at(name)) for one in content[name]] for name in _LISTS},
        "next_up": costs.added(content["next_up"], place.at("next_up")),
        "limits": limits,
        "earlier_sha256": content["sha256"],
        "parts": {
            "llms": {name: Part(Llm).encode(one, place) for name, one in llms.items()},
            "vision": {name: Part(Tower).encode(one, place) for name, one in towers.items()},
            "compressors": {name: Part(Compressor).encode(one, place) for name, one in compressors.items()},
        },
    }


class _Costs:
    """Adds to the candidates of a first version what they cost."""

    def __init__(
        self,
        llms: Mapping[str, Llm],
        towers: Mapping[str, Tower],
        compressors: Mapping[str, Compressor],
        *,
        workload: Workload,
        hardware: Hardware | None,
        latency_source: str,
    ) -> None:
        self.llms, self.towers, self.compressors = llms, towers, compressors
        self.workload, self.hardware, self.latency_source = workload, hardware, latency_source
        self._known: dict[tuple[Any, ...], dict[str, Any]] = {}

    def added(self, one: Any, place: Place) -> Any:
        """A candidate as version 2 holds it; None for None."""
        if one is None:
            return None
        names = ("llm", "visual_tokens", "vision", "compressor", "prompt_order", "precision", "kv_precision")
        key = tuple(one[name] for name in (*names, "tensor_parallel", "batch"))
        if key not in self._known:
            self._known[key] = self._cost(one, place)
        return {**one, "total_flops": one["flops"]["total"], **self._known[key]}

    def _cost(self, one: Mapping[str, Any], place: Place) -> dict[str, Any]:
        found = request_cost(
            self.llms[one["llm"]],
            one["visual_tokens"],
            self.workload,
            vision=self.towers[one["vision"]],
            compressor=self.compressors[one["compressor"]],
            prompt_order=one["prompt_order"],
            precision=one["precision"],
            kv_precision=one["kv_precision"],
            batch=one["batch"],
            tensor_parallel=one["tensor_parallel"],
            hardware=self.hardware,
            latency_source=self.latency_source,
        )
        latency = found.latency
        now = {"peak_memory_bytes": float(found.memory.peak)}
        if latency is not None:
            now |= {"ttft_s": float(latency.ttft_s), "request_s": float(latency.request_s)}
        for name, value in now.items():
            if abs(one[name] - value) > _SAME * abs(value):
                raise place.at(name).complaint(f"{one[name]} was planned, {value} is predicted now")
        return {"memory": encode(found.memory), "latency": None if latency is None else encode(latency)}


def _llm(name: str, source: str | None, place: Place) -> Llm:
    return replace(find_llms(name if source is None else _there(source, "language model", place))[0], name=name)


def _tower(name: str, source: str | None, place: Place) -> Tower:
    return replace(find_vision(name if source is None else _there(source, "vision tower", place)), name=name)


def _there(source: str, what: str, place: Place) -> str:
    if not Path(source).exists():
        raise InputError(f"{place.origin}: its {what} was read from {source}, which is gone; {place.advice}")
    return source
