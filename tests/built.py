"""Hypothesis strategies of everything that our files hold, built from the fields of its dataclass: a new field is in.

Numbers are of any size that a quantity may have, texts and keys any text. Where values depend on each other, or a
constructor takes only some, `SPECIAL` says how a field, or a whole class, is made.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal

import numpy as np
from hypothesis import strategies as st

import planner.parts
from planner.base.codec import AsGiven
from planner.base.file_format import FileFormat
from planner.base.stored import Choice, Number, Whole
from planner.bench.grid_verdict import GridVerdict
from planner.bench.measurement import Measurement
from planner.bench.samples import Samples
from planner.bench.verdict import Verdict
from planner.costs.latency import LATENCY_STAGES, Latency
from planner.costs.memory import Memory
from planner.costs.stage_time import StageTime
from planner.costs.stages import STAGES, Workload
from planner.hardware import PRECISIONS, Hardware
from planner.hardware.efficiency import EXPONENTS_FROM_1, SHARES, SOURCES, Efficiency
from planner.hardware.few_rows import FewRows
from planner.hardware.host_costs import HostCosts
from planner.laws.combined import LAW_PART, CombinedLaw
from planner.laws.fit_data import CONSTRAINT, RUNS, FitData
from planner.laws.fitted import FittedLaw
from planner.laws.forms import FORMS
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.hierarchy.mix import TaskShare
from planner.parts.llms import Dense
from planner.parts.llms.layered import Layer, Layered
from planner.parts.stored import Part
from planner.planning.plan_record import CandidateRecord, Points

Strategy = st.SearchStrategy[Any]

TEXTS = st.text(max_size=12)
NAMES = TEXTS.filter(lambda text: bool(text.strip()))
NUMBERS = st.floats(-1e15, 1e15, allow_subnormal=False)
POSITIVES = st.floats(1e-9, 1e15)
COUNTS_MAX = 2**53
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
_PLAIN: dict[Any, Strategy] = {
    str: TEXTS,
    float: NUMBERS,
    int: st.integers(-COUNTS_MAX, COUNTS_MAX),
    bool: st.booleans(),
    type(None): st.none(),
    Any: JSON,
    object: JSON,
}


def several(one: Strategy, least: int = 0) -> Strategy:
    return st.lists(one, min_size=least, max_size=least + 1).map(tuple)


def of(hint: Any) -> Strategy:
    """Values of a type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        scalars = [one for one in arguments if typing.get_origin(one) is not np.ndarray]  # of one candidate: no columns
        return st.one_of(*map(of, scalars))
    if origin is tuple:
        return several(of(arguments[0])) if Ellipsis in arguments else st.tuples(*map(of, arguments))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(TEXTS, of(arguments[1]), max_size=2)
    if origin is np.ndarray:
        return st.lists(NUMBERS, max_size=3).map(lambda values: np.array(values, float))
    if dataclasses.is_dataclass(hint):
        return parts(hint) if inspect.isabstract(hint) else made(hint)
    raise TypeError(f"no strategy for {hint}: say in tests/built.py how such values are made")


def _annotated(hint: Any, customs: tuple[Any, ...]) -> Strategy:
    for custom in customs:
        if custom in (LAW_PART, CONSTRAINT, RUNS):
            return {LAW_PART: laws, CONSTRAINT: _constraint, RUNS: _runs}[custom]()
        if isinstance(custom, Choice):
            return st.sampled_from(custom.values)
        if isinstance(custom, Whole):
            return st.integers(-COUNTS_MAX if custom.least is None else custom.least, COUNTS_MAX)
        if isinstance(custom, Number):
            return POSITIVES if custom.above else POSITIVES | st.just(0.0)
        if isinstance(custom, AsGiven):
            return of(custom.hint)
        if isinstance(custom, Part):
            return parts(custom.base)
        if isinstance(custom, FileFormat):
            return made(custom.cls)
    return of(hint)


def made(cls: Any, **given: Strategy) -> Strategy:
    """Objects of a dataclass, each field by its type."""
    return _made(cls, **given) if given else _made_once(cls)


@cache
def _made_once(cls: Any) -> Strategy:
    return _made(cls)


def _made(cls: Any, **given: Strategy) -> Strategy:
    special = SPECIAL.get(cls, {})
    if callable(special):
        found: Strategy = special(**given)
        return found
    hints = typing.get_type_hints(cls, include_extras=True)
    chosen = {one.name: of(hints[one.name]) for one in dataclasses.fields(cls) if one.init and one.name not in special}
    return st.builds(cls, **{**chosen, **{name: one() for name, one in special.items()}, **given})


for _one in pkgutil.walk_packages(planner.parts.__path__, "planner.parts."):
    importlib.import_module(_one.name)  # kinds of parts are loaded when they are asked for; below all of them are


def parts(base: type[Any]) -> Strategy:
    """Parts of every kind that is built in."""

    def below(cls: type[Any]) -> Iterator[type[Any]]:
        for one in cls.__subclasses__():
            yield one
            yield from below(one)

    kinds = [
        one
        for one in below(base)
        if not (inspect.isabstract(one) or one.__name__.startswith("_")) and one.__module__.startswith("planner.")
    ]
    return st.one_of(*map(made, kinds))


# ---- laws ------------------------------------------------------------------------------------------------------------


def fitted_laws(form: str | None = None, **given: Strategy) -> Strategy:
    """Laws of one form, or of any."""
    chosen = [FORMS.find(form)] if form else list(FORMS)
    hints = typing.get_type_hints(FittedLaw, include_extras=True)
    fields = {one.name: of(hints[one.name]) for one in dataclasses.fields(FittedLaw)}
    fields["n_unit_params"] = POSITIVES
    return st.one_of(
        *(
            st.builds(
                FittedLaw,
                **{
                    **fields,
                    "form": st.just(one.name),
                    "params": st.fixed_dictionaries(dict.fromkeys(one.param_names, NUMBERS)),
                    **given,
                },
            )
            for one in chosen
        )
    )


def combined_laws(members: Strategy | None = None, **given: Strategy) -> Strategy:
    """Averages and mixes, of fitted laws unless said otherwise."""
    hints = typing.get_type_hints(CombinedLaw, include_extras=True)
    others = {
        one.name: of(hints[one.name])
        for one in dataclasses.fields(CombinedLaw)
        if one.name not in ("members", "weights")
    }
    one = fitted_laws() if members is None else members
    pairs = st.lists(st.tuples(one, st.floats(1e-6, 1e6)), min_size=1, max_size=2)

    def build(pairs: list[tuple[Any, float]], **values: Any) -> CombinedLaw:
        return CombinedLaw(members=tuple(law for law, _ in pairs), weights=tuple(one for _, one in pairs), **values)

    return st.builds(build, pairs=pairs, **{**others, **given})


def laws() -> Strategy:
    return fitted_laws() | combined_laws()


def _constraint() -> Strategy:
    return st.fixed_dictionaries({}, optional={"value": NUMBERS, "expr": TEXTS, "min": NUMBERS, "max": NUMBERS})


def _runs() -> Strategy:
    numbers = [one.name for one in _fields(FitData) if one.name != "llm"]
    row = st.fixed_dictionaries({name: NUMBERS if name == "y" else POSITIVES for name in numbers} | {"llm": TEXTS})
    return st.builds(_fit_data, st.lists(row, min_size=1, max_size=3), st.booleans())


def _fit_data(rows: list[dict[str, Any]], named: bool) -> FitData:
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "llm"}
    return FitData(**columns, llm=tuple(row["llm"] for row in rows) if named else ())


def _fields(cls: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls)


# ---- what depends on each other --------------------------------------------------------------------------------------

_SHARES = st.floats(1e-6, 1.0)
_TIMES = several(POSITIVES | st.just(0.0), least=1)


def _environment() -> Strategy:
    return st.builds(lambda device, more: {**more, "device": device}, TEXTS, st.dictionaries(TEXTS, JSON, max_size=2))


def _points() -> Strategy:
    pairs = st.lists(st.tuples(POSITIVES, POSITIVES), max_size=3)
    return pairs.map(lambda own: Points(*(np.array([pair[i] for pair in own], float) for i in range(2))))


def _quantities() -> Strategy:
    """Beside the fields of a candidate, so that none has the name of a field."""
    fields = {one.name for one in _fields(CandidateRecord)}
    return st.dictionaries(TEXTS.filter(lambda name: name not in fields), NUMBERS, max_size=2)


def _dense(**given: Strategy) -> Strategy:
    """As many windows as layers, or none."""
    hints = typing.get_type_hints(Dense, include_extras=True)
    fields = {one.name: of(hints[one.name]) for one in _fields(Dense)}
    window = st.lists(st.none() | st.integers(1, COUNTS_MAX), max_size=3).map(tuple)

    def build(windows: tuple[int | None, ...], num_layers: int, **values: Any) -> Dense:
        return Dense(windows=windows, num_layers=len(windows) or num_layers, **values)

    return st.builds(build, **{**fields, "windows": window, **given})


def _of_a_card() -> Strategy:
    card = st.fixed_dictionaries({"name": TEXTS, "title": TEXTS, "source": TEXTS}, optional={"origin": TEXTS})
    return st.none() | card


def _all_but_one_level(cls: type[Measurement]) -> Strategy:
    """Slices of slices are not measured."""
    return several(made(cls, slices=st.just(())))


@st.composite
def _layered(draw: st.DrawFn, **given: Strategy) -> Layered:
    """Decoders by their layers: each layer is of one of the kinds."""
    hints = typing.get_type_hints(Layered, include_extras=True)
    kinds = tuple(draw(st.lists(made(Layer), min_size=1, max_size=2)))
    order = tuple(draw(st.lists(st.integers(0, len(kinds) - 1), max_size=4)))
    fixed = {"kinds": kinds, "order": order, "num_layers": len(order)}
    rest = {one.name: given.get(one.name, of(hints[one.name])) for one in _fields(Layered) if one.name not in fixed}
    return Layered(**fixed, **{name: draw(one) for name, one in rest.items()})


SPECIAL: dict[Any, Any] = {
    Layered: _layered,
    FittedLaw: fitted_laws,
    CombinedLaw: combined_laws,
    EvidenceLaw: {"mix": lambda: st.lists(made(TaskShare), min_size=1, max_size=2).map(tuple)},
    FitData: _runs,
    Points: _points,
    Workload: {one.name: lambda: st.integers(0, COUNTS_MAX) for one in _fields(Workload)},
    Efficiency: {
        **{
            one.name: lambda: st.floats(0.0, 1e6)
            for one in _fields(Efficiency)
            if one.type == "float" and one.name not in SHARES
        },
        **{name: lambda: _SHARES for name in SHARES},
        **dict.fromkeys(EXPONENTS_FROM_1, lambda: st.floats(1.0, 1e6)),
        "multi_head": lambda: st.none() | st.deferred(lambda: made(Efficiency, multi_head=st.none())),
        "source": lambda: st.sampled_from(SOURCES),
        "ttft_error": lambda: st.none() | POSITIVES,
        "tpot_error": lambda: st.none() | POSITIVES,
        "few_rows": lambda: st.dictionaries(st.sampled_from(["fp32", "bf16", "Q4_K_M"]), made(FewRows), max_size=2),
    },
    FewRows: lambda: st.builds(
        lambda times: FewRows(tuple(map(float, range(1, len(times) + 2))), (1.0, *times)), several(POSITIVES, least=1)
    ),
    HostCosts: {**dict.fromkeys(("step_s", "prefill_s", "request_s"), lambda: POSITIVES), "source": lambda: NAMES},
    Hardware: {
        "name": lambda: NAMES,
        "title": lambda: NAMES,
        "flops_per_s": lambda: st.dictionaries(st.sampled_from(PRECISIONS), POSITIVES, min_size=1),
        "memory_bytes": lambda: POSITIVES,
        "power_w": lambda: st.none() | POSITIVES,
        "source": lambda: st.dictionaries(
            st.sampled_from(["flops_per_s", "memory_bytes", "bandwidth_bytes_per_s", "interconnect", "power_w"]), TEXTS
        ),
    },
    Samples: {"seconds": lambda: _TIMES, "waited": lambda: st.none() | st.floats(0.0, 1.0)},
    Measurement: {
        "samples": lambda: st.dictionaries(
            TEXTS | st.sampled_from(["ttft", "prefill"]), made(Samples), min_size=1, max_size=2
        ),
        "environment": _environment,
        # of none or one; where () is a choice beside them, it is drawn nearly always
        "slices": lambda: st.deferred(lambda: _all_but_one_level(Measurement)),
    },
    Verdict: {
        "checks": lambda: several(of(typing.get_type_hints(Verdict)["checks"].__args__[0]), least=1),
        "hardware": _of_a_card,
    },
    GridVerdict: {"cells": lambda: several(made(Verdict), least=1)},
    Dense: _dense,
    CandidateRecord: {"quantities": _quantities},
    StageTime: {"seconds": lambda: POSITIVES | st.just(0.0)},
    Latency: {
        "sources": lambda: st.fixed_dictionaries(dict.fromkeys(LATENCY_STAGES, TEXTS)),
        "prefill": lambda: made(StageTime, seconds=POSITIVES),  # no request is answered in no time
    },
    Memory: {"peak_stage": lambda: st.sampled_from([float(place) for place in range(len(STAGES))])},
}
"""Class -> how some of its fields are made, or what makes it."""
