"""Benchmarks that an evaluation may be of, and how many questions each has; `planner.register` takes others.

Names are those of lmms-eval's tasks; sizes are those of the split that its task file names. They were compared with the
"data statistics" of EvalScope (docs/en/benchmarks: AI2D, ChartQA, DocVQA, InfographicVQA, MMBench, MMMU, MMStar,
OCRBench, POPE, RealWorldQA, VQAv2), with dataset_sizes.py of allenai/MolmoE-1B-0924 (ScienceQA-IMG), and with what
public evaluation code says of GQA testdev balanced, TextVQA validation and MME's file of VLMEvalKit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from planner.base.errors import InputError
from planner.base.registry import Registry
from planner.laws.combined import Law
from planner.planning.deployment import several

DEFAULT_BENCHMARK = "mmmu_val"
"""Where neither a benchmark nor a number of questions is named, and none stands for the law's tasks."""
_READING = ("ocr-like (mean)", "ocr-like", "ocr", "ocrbench", "docvqa", "textvqa", "textvqa_val", "infovqa_val")


@dataclass(frozen=True)
class Benchmark:
    """A set of questions on images."""

    name: str
    """The task of lmms-eval."""
    questions: int
    split: str = ""
    """Of the data set."""
    stands_for: tuple[str, ...] = ()
    """Tasks that a law's runs may name beside it: of a law of these alone it is the default."""


BENCHMARKS: Registry[Benchmark] = Registry("benchmark", Benchmark)

for _one in (
    Benchmark("mmmu_val", 900, "MMMU, validation"),
    Benchmark("mmstar", 1500, "MMStar, val"),
    Benchmark("realworldqa", 765, "RealWorldQA, test"),
    Benchmark("ocrbench", 1000, "OCRBench, test"),
    Benchmark("scienceqa_img", 2017, "ScienceQA-IMG, test"),
    Benchmark("mme", 2374, "MME, test"),
    Benchmark("chartqa", 2500, "ChartQA, test"),
    Benchmark("infovqa_val", 2801, "InfographicVQA, validation"),
    Benchmark("ai2d", 3088, "AI2D, test"),
    Benchmark("mmbench_en_dev", 4329, "MMBench in English, dev"),
    Benchmark("textvqa_val", 5000, "TextVQA, validation"),
    Benchmark("docvqa_val", 5349, "DocVQA, validation", _READING),
    Benchmark("pope", 9000, "POPE, test"),
    Benchmark("gqa", 12578, "GQA, testdev balanced"),
    Benchmark("vqav2_val", 214354, "VQAv2, validation"),
):
    BENCHMARKS.register(_one)


def default_benchmark(law: Law | None = None) -> Benchmark:
    """What released models are evaluated on where nothing is named: the first that stands for all tasks of the law."""
    tasks = set() if law is None else {task.lower() for task in law.tasks}
    found = (one for one in BENCHMARKS if tasks and tasks <= {one.name, *one.stands_for})
    return next(found, BENCHMARKS.find(DEFAULT_BENCHMARK))


def find_benchmarks(names: str | Benchmark | Iterable[str | Benchmark]) -> tuple[Benchmark, ...]:
    """Benchmarks by name, each once; a text may name several, separated by commas.

    Raises:
        UnknownNameError: no such benchmark is known.
        InputError: none is named.
    """
    found: dict[str, Benchmark] = {}
    for entry in several(names):
        if isinstance(entry, Benchmark):
            found.setdefault(entry.name, entry)
            continue
        parts = [part.strip() for part in entry.split(",") if part.strip()] if isinstance(entry, str) else [entry]
        for part in parts:
            one = BENCHMARKS.find(part)
            found.setdefault(one.name, one)
    if not found:
        raise InputError(f"benchmark: expected at least one, such as {DEFAULT_BENCHMARK}, got none")
    return tuple(found.values())
