"""Numbers do not change: what version 0.1.0 gave for 780 commands is what this version gives, or `DIFFERS` says why.

Counts, FLOPs and bytes are compared to the last one. Seconds are sums of kernels, whose order of adding may change
(`SECONDS`); what a solver gives ends where no step gains more than rounding (`SOLVED`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden import record_file
from golden.record import run

from planner.hardware.catalog import HARDWARE, hardware_catalog
from planner.hardware.efficiency import Efficiency
from planner.laws.forms import FORMS

ROOT = Path(__file__).parents[2]
RECORDED = record_file.read()

SECONDS = 1e-12
SOLVED = 1e-9
NEAR_ZERO = 1e-15  # an error, a probability or a coefficient below this is rounding of zero

ALONE = "of one form that is asked for, intervals and odds are its own; they were those of all forms"
AVERAGED = "the average of all forms reckons with what they leave out, and knows measured models by name"
DIFFERS: dict[tuple[str, str], str] = {
    ("--visual-tokens 0 ", ""): "without an image neither tower, compressor nor query pass runs",
    **{("^plan ", place): ALONE for place in ("interval", "probability_best", "expected_regret", "tied")},
    ("^next-run .*--together ", "together.expected_gain"): "the gain of several runs is summed run by run",
    ("^(plan|next-run|fit|show) .*(--form auto|law-average|law-mix)", ""): AVERAGED,
}
"""(pattern of a command, part of a path) -> why that number is another one now."""

MOVED = {("cost", "params"): "params.llm"}
"""(verb, path) -> where the number stands now."""

FORMS_THEN = ("additive", "multiplicative", "log-linear")
"""Forms of 0.1.0: what compares or averages all forms is asked of these."""

EVERY, EVERY_JOINT = 6, 30
"""One command in so many runs by default, all with -m slow; a joint fit, with its profiles, takes a second."""


@pytest.fixture(autouse=True)
def forms_as_then() -> Iterator[None]:
    """Forms that came later are left out, so that every number of a comparison is compared too."""
    now = tuple(FORMS)
    for form in now:
        if form.name not in FORMS_THEN:
            FORMS.remove(form.name)
    yield
    for form in now:
        if form.name not in FORMS_THEN:
            FORMS.register(form)


@pytest.fixture(autouse=True)
def efficiencies_as_then() -> Iterator[None]:
    """The efficiencies of 0.1.0, which were fitted again since: the formulas that use them are compared."""
    cards = json.loads((Path(__file__).parent / "efficiency_then.json").read_text(encoding="utf-8"))["cards"]
    now = {name: HARDWARE.find(name) for name in cards if name in hardware_catalog()}
    for name, card in now.items():
        HARDWARE.register(replace(card, efficiency=Efficiency.from_dict(cards[name])), replace=True)
    yield
    for card in now.values():
        HARDWARE.register(card, replace=True)


def tolerance(path: str) -> float:
    """Relative tolerance of a number."""
    if path.endswith(("_s", ".seconds", "_per_second", "_per_s", "speed_of_light_share", "energy_joules", "price")):
        return SECONDS
    whole = ("flops", "bytes", "tokens", "params", "batch", "parallel", "#", "candidates", "fit", ".total", "n_runs")
    return 0.0 if path.endswith(whole) and not path.startswith("params.") else SOLVED


def is_same(recorded: Any, now: Any, path: str) -> bool:
    if isinstance(recorded, str) or recorded is None or now is None or isinstance(now, str):
        return bool(recorded == now)
    return math.isclose(recorded, now, rel_tol=tolerance(path), abs_tol=NEAR_ZERO)


def as_before(command: Sequence[str]) -> Sequence[str]:
    """A command that asks what 0.1.0 answered by itself: of one form, as without --form all forms decide now; with
    candidates that are as the law was measured, as others widen interval and odds now; and with static batches, as a
    rate is a load now."""
    averages = any("law-average" in word or "law-mix" in word for word in command)
    alone = command[0] in ("plan", "next-run") and "--form" not in command and not averages
    measured = ["--as-measured", "compressor,family"] if command[0] in ("plan", "next-run") else []
    static = ["--scheduler", "static"] if "--requests-per-second" in command else []
    return [*command, *(["--form", "additive"] if alone else []), *measured, *static]


def differences(record: Mapping[str, Any]) -> list[str]:
    code, numbers = run(as_before(record["command"]))
    command = " ".join(record["command"])
    if code != record["code"]:
        return [f"{command}: exit code {record['code']} before, {code} now"]
    verb = record["command"][0]
    now = {path: numbers.get(MOVED.get((verb, path), path)) for path in record["numbers"]}
    return [
        f"{command}: {path} {recorded!r} before, {now[path]!r} now"
        for path, recorded in record["numbers"].items()
        if not is_same(recorded, now[path], path)
        and not any(re.search(part, command) and place in path for part, place in DIFFERS)
    ]


def compare(records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(ROOT)  # the commands name tables by their place in the checkout
    return [line for record in records for line in differences(record)]


def test_some_numbers_are_those_of_the_version_before(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [one for i, one in enumerate(RECORDED) if i % (EVERY_JOINT if "--by" in one["command"] else EVERY) == 0]
    assert len(some) > 100
    assert compare(some, monkeypatch) == []


@pytest.mark.slow
def test_all_numbers_are_those_of_the_version_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compare(RECORDED, monkeypatch) == []


def test_enough_is_recorded() -> None:
    assert len(RECORDED) >= 500
    verbs = {record["command"][0] for record in RECORDED if record["code"] == 0}
    assert verbs == {"fit", "show", "compare", "holdout", "optimum", "next-run", "cost", "convention", "plan"}
    numbers = sum(len(record["numbers"]) for record in RECORDED)
    assert numbers > 20_000


def test_a_number_that_moved_is_found() -> None:
    assert is_same(1.0, 1.0 + 1e-13, "ttft_s") and not is_same(1.0, 1.0 + 1e-11, "ttft_s")
    assert is_same(0.5, 0.5 + 1e-10, "best.predicted_error") and not is_same(0.5, 0.5 + 1e-8, "best.predicted_error")
    assert not is_same(10**12, 10**12 + 1, "best.flops.total")
    assert not is_same("Qwen3-8B", "Qwen3-4B", "best.llm") and not is_same(None, 3, "tied#")


def test_the_files_are_as_the_recorder_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {file.name: file.read_text(encoding="utf-8") for file in record_file.FOLDER.iterdir()}
    monkeypatch.setattr(record_file, "FOLDER", tmp_path / "numbers")
    record_file.write(RECORDED)
    assert {file.name: file.read_text(encoding="utf-8") for file in record_file.FOLDER.iterdir()} == files
    assert record_file.read() == RECORDED


@pytest.mark.parametrize(
    ("numbers", "tree"),
    [
        ({"a.b": 0.1, "a.c": None, "d": "x"}, {"a": {"b": 0.1, "c": None}, "d": "x"}),
        ({"a#": 2, "a.0": 1, "a.1": None}, {"a#": [1, None]}),
        ({"a.b#": 2, "a.b.0.c": 1, "a.b.1.c": 2}, {"a": {"b#": {"c": [1, 2]}}}),
        ({"a#": 0}, {"a#": 0}),
        ({"a#": 3, "a.0": 1}, {"a#": 3, "a": {"0": 1}}),
        ({"a#": 2, "a.0.c": 1, "a.1.d": 2}, {"a#": 2, "a": {"0": {"c": 1}, "1": {"d": 2}}}),
        ({"a#": 1, "a.0.b#": 1, "a.0.b.0": 5}, {"a#": 1, "a": {"0": {"b#": [5]}}}),
        ({"v1.5-7B.c": 1}, {"v1": {"5-7B": {"c": 1}}}),
    ],
)
def test_a_tree_keeps_every_path(numbers: dict[str, Any], tree: dict[str, Any]) -> None:
    assert record_file.fold(numbers) == tree
    assert dict(record_file.unfold(tree)) == numbers
