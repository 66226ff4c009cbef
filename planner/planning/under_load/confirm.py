"""What the closed form let through, best first, until a finer level confirms one.

A numerical solution of the queue answers for one candidate in some 50 ms, where seats and KV cache are not full. Where
it takes more of a limit than the closed form said, others are taken to need as much more: those that would break the
limit are passed over. What it does not answer for, as its seats or its cache are full at times or nine tenths of its
capacity are used, is not planned for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from planner.planning.blocks import Space, candidate_at
from planner.planning.deployment import Deployment
from planner.planning.limits import Limit
from planner.planning.request import Load
from planner.planning.under_load.asked import ARRIVING, RATE
from planner.planning.under_load.carry import carried
from planner.planning.under_load.columns import settled
from planner.planning.under_load.most import most_of
from planner.planning.under_load.served import TIMES, Carried
from planner.planning.under_load.service import service_of

_BY_REPLICAS = {"replicas", "gpus", "requests_per_second", "price_per_million_requests", "energy_joules"}
"""What grows with the replicas."""
_LESS = 0.999
"""Of what arrives: carried at most by what does not keep up with it."""
_MORE_MAX = 1.5
"""Than the closed form said a candidate needs, as far as others are taken to need as much more."""
_TIMES_MORE = 2
"""Replicas than the closed form gave, at most."""


class Confirming:
    """A space whose candidates a finer level confirms or refutes, one by one."""

    def __init__(self, space: Space, limits: Sequence[Limit], load: Load, deployment: Deployment) -> None:
        self.carried: dict[int, Carried | None] = {}
        """By row; None where it does not keep up with the load."""
        self.confirmed: int | None = None
        """The first row that was."""
        self._limits, self._times = limits, [limit for limit in limits if limit.percentile is not None]
        self._quantities = {name: np.array(column) for name, column in space.table.quantities.items()}
        self._fits = np.array(space.table.fits)
        self._more = dict.fromkeys((limit.column for limit in self._times), 1.0)
        """How much more of a limit was needed than the closed form said, at most."""
        self._full: dict[tuple[int, int, int], float] = {}
        """How much a candidate was used that was full, by all but its visual tokens."""
        self._asked_replicas: dict[int, float] = {}
        """That the closed form gave a row."""
        self._space, self._load, self._deployment = space, load, deployment

    @property
    def space(self) -> Space:
        """With what is known by now."""
        table = replace(self._space.table, quantities=self._quantities, fits=self._fits.copy())
        return replace(self._space, table=table)

    def first(self, order: Iterable[int]) -> bool:
        """Whether one of these rows is confirmed; those in front of it are refuted, or passed over."""
        self._fits &= settled(self._quantities)
        self.confirmed = next((int(row) for row in order if self.holds(int(row))), None)
        return self.confirmed is not None

    def holds(self, row: int) -> bool:
        """Whether a row keeps the limits, by the finer level; where GPUs follow from the load, with more replicas than
        the closed form gave it."""
        if row in self.carried:
            return bool(self._fits[row])
        if not self._fits[row] or not self._likely(row):
            return False
        kept = self._carry(row)
        while not kept and self._grow(row):
            kept = self._carry(row)
        return kept

    def settle(self, row: int) -> Carried | None:
        """A confirmed row with the most that it carries, which takes the place of what the closed form said that it
        keeps up with: where a limit of time breaks first, that is less."""
        found, traffic = self.carried[row], self._deployment.traffic
        assert found is not None and traffic is not None
        if found.most is None:
            candidate = candidate_at(self.space, row, self._deployment.kv_precision, {})
            most = most_of(service_of(candidate, self._load, self._deployment), found, traffic)
            found = self.carried[row] = replace(found, most=most)
            self._quantities[RATE][row] = most.requests_per_second
        return found

    def _carry(self, row: int) -> bool:
        """Whether it keeps the limits with the replicas that it has."""
        traffic, known = self._deployment.traffic, self._at(row)
        assert traffic is not None
        candidate = candidate_at(self.space, row, self._deployment.kv_precision, {})
        found = self.carried[row] = carried(candidate, self._load, self._deployment)
        for name in TIMES:
            self._quantities[name][row] = np.inf if found is None else found.time_s(name, traffic.percentile)
        if found is None:  # it carries less than arrives
            self._quantities[RATE][row] = min(known[RATE], known[ARRIVING] * _LESS)
            self._full[self._way(row)] = float(known["utilisation"])
        taken = self._at(row)
        self._fits[row] = found is not None and all(limit.met(taken) for limit in self._limits)
        for limit in self._times:
            if found is not None and not limit.met(taken):
                more = min(float(taken[limit.column] / known[limit.column]), _MORE_MAX)
                self._more[limit.column] = max(self._more[limit.column], more)
        return bool(self._fits[row])

    def _way(self, row: int) -> tuple[int, int, int]:
        """Language model, setup and GPUs of a row: candidates that differ in visual tokens alone."""
        table = self._space.table
        return int(table.llm_index[row]), int(table.setup_index[row]), int(table.tensor_parallel[row])

    def _grow(self, row: int) -> bool:
        """Add a replica, or a tenth of them; False where GPUs are given, or the times are not what is broken."""
        broken = [limit for limit in self._limits if not limit.met(self._at(row))]
        if self._deployment.gpus is not None or any(limit.percentile is None for limit in broken):
            return False
        replicas = self._quantities["replicas"][row]
        if replicas >= _TIMES_MORE * self._asked_replicas.setdefault(row, replicas):
            return False
        factor = (replicas + max(1.0, replicas // 10)) / replicas
        for name in _BY_REPLICAS & self._quantities.keys():
            self._quantities[name][row] *= factor
        return True

    def _likely(self, row: int) -> bool:
        """Whether it would keep the limits if it needed as much more of them as others did; else it counts as what it
        would need."""
        values = self._at(row)
        full = values["utilisation"] >= self._full.get(self._way(row), np.inf)
        if self._deployment.gpus is None and not full:
            return True
        needed = {limit.column: values[limit.column] * self._more[limit.column] for limit in self._times}
        if not full and all(limit.met(needed) for limit in self._times):
            return True
        for name, value in needed.items():
            self._quantities[name][row] = np.inf if full else value
        if full:
            self._quantities[RATE][row] = min(values[RATE], values[ARRIVING] * _LESS)
        self._fits[row] = False
        return False

    def _at(self, row: int) -> dict[str, Any]:
        return {name: column[row] for name, column in self._quantities.items()}
