"""Benchmarks that an evaluation may be of, and how many questions each has; `planner.register` takes others.

Names are those of lmms-eval's tasks; sizes are those of the split that its task file names. They were compared with the
"data statistics" of EvalScope (docs/en/benchmarks: AI2D, ChartQA, DocVQA, InfographicVQA, MMBench, MMMU, MMStar,
OCRBench, POPE, RealWorldQA, VQAv2), with dataset_sizes.py of allenai/MolmoE-1B-0924 (ScienceQA-IMG), and with what
public evaluation code says of GQA testdev balanced, TextVQA validation and MME's file of VLMEvalKit.
"""

from __future__ import annotations

from collections.abc import Iterable

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.registry import Registry
from planner.laws.combined import Law
from planner.planning.deployment import several

DEFAULT_BENCHMARK = "mmmu_val"
"""Where neither a benchmark nor a number of questions is named, and none stands for the law's tasks."""
_READING = ("ocr-like (mean)", "ocr-like", "ocr", "docvqa", "text reading (mean)", "text")


@dataclass(frozen=True)
class Benchmark:
    """A set of questions on images."""

    name: str
    """The task of lmms-eval."""
    questions: int
    split: str = ""
    """Of the data set."""
    stands_for: tuple[str, ...] = ()
    """Tasks that a law's runs may name beside it: of a law of these it is the default."""

    @property
    def tasks(self) -> frozenset[str]:
        """All of its names, without regard to case, spaces and hyphens."""
        return frozenset(map(_plain, (self.name, *self.stands_for)))


BENCHMARKS: Registry[Benchmark] = Registry("benchmark", Benchmark)

for _one in (
    Benchmark("mmmu_val", 900, "MMMU, validation", ("mmmu",)),
    Benchmark("mmstar", 1500, "MMStar, val"),
    Benchmark("realworldqa", 765, "RealWorldQA, test"),
    Benchmark("ocrbench", 1000, "OCRBench, test"),
    Benchmark("scienceqa_img", 2017, "ScienceQA-IMG, test", ("sqa", "scienceqa")),
    Benchmark("mme", 2374, "MME, test", ("mme (total)",)),
    Benchmark("chartqa", 2500, "ChartQA, test"),
    Benchmark("infovqa_val", 2801, "InfographicVQA, validation", ("infovqa",)),
    Benchmark("ai2d", 3088, "AI2D, test"),
    Benchmark("mmbench_en_dev", 4329, "MMBench in English, dev", ("mmb", "mmbench")),
    Benchmark("textvqa_val", 5000, "TextVQA, validation", ("textvqa",)),
    Benchmark("docvqa_val", 5349, "DocVQA, validation", _READING),
    Benchmark("pope", 9000, "POPE, test"),
    Benchmark("gqa", 12578, "GQA, testdev balanced"),
    Benchmark("vqav2_val", 214354, "VQAv2, validation", ("vqav2",)),
):
    BENCHMARKS.register(_one)


def default_benchmarks(law: Law | None = None) -> tuple[Benchmark, ...]:
    """What released models are evaluated on where nothing is named: what stands for each task of the law, else one that
    all laws may be asked about."""
    tasks = () if law is None else tuple(_plain(task) for task in law.tasks)
    first = [next((one for one in BENCHMARKS if task in one.tasks), None) for task in tasks]
    found = tuple(dict.fromkeys(one for one in first if one is not None))
    return found if found and None not in first else (BENCHMARKS.find(DEFAULT_BENCHMARK),)


def questions_of(benchmarks: Iterable[Benchmark]) -> int:
    """Of all of them."""
    return sum(one.questions for one in benchmarks)


def _plain(name: str) -> str:
    return name.lower().replace(" ", "").replace("-", "")


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
