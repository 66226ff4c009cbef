"""Load tests of a serving engine -> a hardware profile that predicts them under traffic, with what that is worth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import counted, format_percent
from planner.bench.calibration.engine_fit import EngineFit, fit_engine
from planner.bench.calibration.engine_models import Described, Parts, described
from planner.bench.calibration.engine_numbers import OF_HOST, Numbers
from planner.bench.calibration.engine_points import NUMBERS, points_of
from planner.bench.calibration.engine_replay import replay
from planner.bench.calibration.engine_result import EngineCalibration, TestNumbers
from planner.bench.calibration.engine_scheduler import Constants, fit_scheduler
from planner.bench.calibration.result import Parameter
from planner.bench.loadtests import LoadTest, Said, read_load_tests
from planner.hardware import Hardware, find_hardware

FloatArray = NDArray[np.float64]

FEWEST_TESTS = 2
ENOUGH_TESTS = 8
"""Fewer are fitted, with a warning."""
JUDGED = {"ttft_error": "ttft_p50", "tpot_error": "tpot_p50"}
"""Fields of an efficiency -> number whose left-out error they hold; where a file has no percentile, the mean."""


def calibrate_engine(
    results: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Sequence[LoadTest],
    hardware: str | os.PathLike[str] | Hardware,
    *,
    models: str | os.PathLike[str] | Described | Mapping[str, str | os.PathLike[str] | Described] | None = None,
    said: Said | None = None,
    parts: Parts | None = None,
) -> EngineCalibration:
    """Fit a hardware profile to load tests of GuideLLM, AIPerf or vllm bench serve.

    Args:
        results: files and folders of results, or load tests.
        hardware: what to start from: a card by name, or a profile.
        models: what runs behind the served name: a released model by hub id or folder, or a language model by name or
            config.json; by served name where there are several. By default what the served name says.
        said: what the files do not say: engine and version, images, settings of the server.
        parts: beside a language model that got a vision tower of its own.

    Raises:
        InputError: files that cannot be read or used, tests of several engines or versions, of a model that is not
            known, or fewer than two tests.
    """
    tests, notes = _tests(results, said)
    engine, tool = _one_engine(tests)
    start = find_hardware(hardware)
    given = {} if models is None else models if isinstance(models, Mapping) else {"": models}
    known = described(tests, given)
    built = parts or Parts()
    points = points_of(tests, known, start, built)
    if len(points) < FEWEST_TESTS:
        raise InputError(
            f"expected at least {FEWEST_TESTS} load tests, got {len(points)}: measure other rates and lengths too"
        )
    source = f"{engine}, measured by {tool}"
    found = fit_engine(points, Numbers.of(start, points, source))
    found, constants = fit_scheduler(found, tests, known, start, built)
    return _Account(found, constants, start, engine, tool, notes).calibration()


def _tests(
    results: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Sequence[LoadTest], said: Said | None
) -> tuple[tuple[LoadTest, ...], tuple[str, ...]]:
    many = [results] if isinstance(results, str | os.PathLike) else list(results)
    tests = [one for one in many if isinstance(one, LoadTest)]
    if tests and len(tests) == len(many):
        return tuple((said or Said()).of(one) for one in tests), ()
    read = read_load_tests([one for one in many if not isinstance(one, LoadTest)], said)
    return read.tests, read.notes


def _one_engine(tests: Sequence[LoadTest]) -> tuple[str, str]:
    """Engine and tool. Raises InputError where a test does not say its engine, or two were made with others."""
    for test in tests:
        if not (test.engine and test.engine_version):
            raise InputError(
                f"{test.origin} does not say which engine it measured: say engine and version by engine=, as "
                "'vLLM 0.32.0'"
            )
    first = tests[0]
    for what in ("engine_named", "measured_with"):
        for test in tests:
            one, other = getattr(first, what), getattr(test, what)
            if one != other:
                raise InputError(
                    f"results of different versions are not pooled: {first.origin} is of {one}, {test.origin} of "
                    f"{other}; calibrate each separately"
                )
    return first.engine_named, first.measured_with


@dataclass(frozen=True, eq=False)
class _Account:
    """What a fit comes to."""

    fit: EngineFit
    constants: Sequence[Constants]
    start: Hardware
    engine: str
    tool: str
    notes: tuple[str, ...]

    def calibration(self) -> EngineCalibration:
        found = self.fit
        tests = self._tests(self._predictions())
        profile, notes = found.numbers.profile(found.x, "")
        draft = EngineCalibration(profile, self.start, self.engine, self.tool, (), tests, found.noise)
        judged: dict[str, Any] = {field: self._judged(draft, number) for field, number in JUDGED.items()}
        efficiency = replace(
            profile.efficiency,
            framework=self.engine,
            origin=self._origin(judged),
            **judged,
        )
        conditions = {"engine": self.engine, "load_test": self.tool, **self._scheduler()}
        profile = replace(profile, efficiency=efficiency, conditions=conditions)
        return replace(
            draft,
            hardware=profile,
            parameters=(*self._parameters(profile), *(one.parameter for one in self.constants)),
            notes=(*self.notes, *notes, *self._warnings()),
            scheduler=self._scheduler(),
        )

    # ---- predictions -------------------------------------------------------------------------------------------------

    def _predictions(self) -> dict[str, FloatArray]:
        """(tests, NUMBERS) by name in PREDICTIONS; NaN where there is none."""
        found = self.fit
        files = [one.test.origin.partition(",")[0] for one in found.points]
        models = [one.test.model for one in found.points]
        return {
            "before": replay(found.points, self.start).numbers,
            "fitted": found.fitted.numbers,
            "left_out": self._each([found.left_out[place] for place in range(len(found.points))]),
            **self._without("left_out_file", files, skip=len(set(files)) == len(files)),
            **self._without("left_out_model", models),
        }

    def _each(self, optima: Sequence[FloatArray]) -> FloatArray:
        """Every test predicted with numbers of its own."""
        found = self.fit
        rows = [
            replay([point], found.numbers.hardware(x)).numbers[0] for point, x in zip(found.points, optima, strict=True)
        ]
        return np.array(rows)

    def _without(self, name: str, groups: Sequence[str], skip: bool = False) -> dict[str, FloatArray]:
        """Predicted without all tests of a group; nothing where there is one group, or every test is one."""
        if skip or len(set(groups)) < 2:
            return {}
        found, middle = self.fit, self.fit.x
        off = found.left_out - middle
        low, high = found.numbers.bounds
        together = {one: off[[group == one for group in groups]].sum(axis=0) for one in set(groups)}
        return {name: self._each([np.clip(middle + together[group], low, high) for group in groups])}

    def _tests(self, predictions: Mapping[str, FloatArray]) -> tuple[TestNumbers, ...]:
        rows = []
        for place, (point, left) in enumerate(zip(self.fit.points, self.fit.why_not, strict=True)):
            test = point.test
            prompt, generated = point.service_request
            rows.append(
                TestNumbers(
                    origin=test.origin,
                    model=test.model,
                    load=test.load,
                    requests_per_second=test.requests_per_second,
                    concurrency=test.concurrency,
                    prompt_tokens=prompt,
                    generated_tokens=generated,
                    images=point.workload.images,
                    image=test.image,
                    completed=test.completed,
                    failed=test.failed,
                    utilisation=float(self.fit.fitted.utilisation[place]),
                    left=left,
                    measured=dict(point.measured),
                    predicted={
                        name: {
                            number: float(value)
                            for number, value in zip(NUMBERS, table[place], strict=True)
                            if np.isfinite(value)
                        }
                        for name, table in predictions.items()
                    },
                )
            )
        return tuple(rows)

    # ---- numbers -----------------------------------------------------------------------------------------------------

    def _parameters(self, profile: Hardware) -> tuple[Parameter, ...]:
        found, numbers = self.fit, self.fit.numbers
        low, high = found.ends
        columns = [numbers.values(x, profile) for x in (found.x, low, high)]
        before = [getattr(self.start.efficiency, name) for name in numbers.shares]
        before += [getattr(self.start.efficiency.host, name) for name in OF_HOST]
        return tuple(
            Parameter(
                name=name,
                value=float(columns[0][place]),
                low=float(columns[1][place]),
                high=float(columns[2][place]),
                start=float(before[place]),
                identified=bool(found.identified[place]),
                at_bound=bool(found.at_bound[place]) and name not in OF_HOST,
            )
            for place, name in enumerate(numbers.names)
        )

    def _scheduler(self) -> dict[str, int]:
        names = ("max_num_seqs", "max_num_batched_tokens")
        alike = {name: {getattr(one.scheduler, name) for one in self.fit.points} for name in names}
        return {name: values.pop() for name, values in alike.items() if len(values) == 1}

    def _judged(self, draft: EngineCalibration, number: str) -> float | None:
        errors = draft.errors("left_out", number) or draft.errors("left_out", number.replace("p50", "mean"))
        return None if errors is None else errors.median

    # ---- words -------------------------------------------------------------------------------------------------------

    def _origin(self, judged: Mapping[str, float | None]) -> str:
        count = sum(not left for left in self.fit.why_not)
        names = list(dict.fromkeys(one.test.model for one in self.fit.points))
        models = ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"
        text = f"fitted to {counted(count, 'load test')} of {models} on {self.engine}, measured by {self.tool}"
        said = [
            f"{field.removesuffix('_error').upper()} {format_percent(error, 1.0)}"
            for field, error in judged.items()
            if error is not None
        ]
        return f"{text}; median error of tests left out: {', '.join(said)}" if said else text

    def _warnings(self) -> list[str]:
        found = self.fit
        notes = [
            f"{point.test.origin} ({point.test.load}): {left}, so its times do not count"
            for point, left in zip(found.points, found.why_not, strict=True)
            if left
        ]
        few = [
            f"{point.test.origin}: {point.test.failed} of {point.test.tried} requests failed"
            for point, left in zip(found.points, found.why_not, strict=True)
            if point.test.failed and not left
        ]
        notes += few
        good = sum(not left for left in found.why_not)
        if good < ENOUGH_TESTS:
            notes.append(
                f"only {counted(good, 'test')} below saturation: from {ENOUGH_TESTS} on intervals can be trusted"
            )
        if not all(one.test.tool_version for one in found.points):
            notes.append(f"which version of {found.points[0].test.tool} measured is not known")
        open_names = [name for name, known in zip(found.numbers.names, found.identified, strict=True) if not known]
        if open_names:
            words = ", ".join(name.removesuffix("_s").replace("_", " ") for name in open_names)
            notes.append(f"these tests do not determine {words}: that stays near its previous value")
        return notes
