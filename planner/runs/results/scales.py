"""Full marks of benchmarks: which metric stands for a task and what its best value is, by tool and task.

A value never says its own scale: .62 may be a fraction of 1 or a bad score of 100. What is not listed here is not
guessed: the user names its full mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from planner.base.dataclass import dataclass

UNBOUNDED = re.compile(
    r"(?i)(cider|spice|meteor|bleu|rouge|chrf|\bter\b|perplexity|ppl|bits_per_byte|relative score|llava_(all|conv"
    r"|detail|complex)|\belo\b|loss|latency|throughput|tokens|seconds|_time\b)"
)
"""Metrics without a best value, or that no share of right answers stands behind: no error is 1 minus these."""

SUM = "+"
"""Joins metrics whose sum is the score: "perception+reasoning"."""


@dataclass(frozen=True)
class Rule:
    """The scale of some tasks of one tool."""

    tasks: str
    """Regular expression of the whole task's name, without regard to case."""
    metrics: tuple[str, ...]
    """Metrics that may stand for the task, the first that a file has is taken; joined by + for a sum."""
    marks: Mapping[str, float] = field(default_factory=dict)
    """Full mark of each metric."""
    full_mark: float = 1.0
    """Full mark of the metrics that `marks` does not list."""

    def matches(self, task: str) -> bool:
        return re.fullmatch(self.tasks, task, re.IGNORECASE) is not None

    def mark(self, metric: str) -> float:
        """Full mark of a metric, or of a sum of metrics."""
        return sum(self.marks.get(part, self.full_mark) for part in metric.split(SUM))


def rule_for(rules: Iterable[Rule], task: str) -> Rule | None:
    """The first rule that matches a task."""
    return next((rule for rule in rules if rule.matches(task)), None)


def benchmark_key(task: str) -> str:
    """The benchmark behind a task's name, for comparing names of different tools: "TextVQA_VAL" is "textvqa"."""
    key = re.sub(r"[^a-z0-9]+", "_", task.lower()).strip("_")
    for end in _SPLITS:
        key = re.sub(rf"_{end}$", "", key)
    return _SAME.get(key, key)


_SPLITS = (
    "v11", "circular", "no_mask", "test_core", "testcore", "mini", "testmini", "val2014", "lite", "img", "image",
    "val", "validation", "test", "testdev_balanced", "dev_val", "dev", "en", "format", "all",
)  # fmt: skip
_SAME = {
    "scienceqa_full": "scienceqa",
    "seed_bench": "seedbench",
    "seed": "seedbench",
    "hallusionbench": "hallusion_bench",
}
_SAME |= {
    "infographicvqa": "infovqa",
    "math_vista": "mathvista",
    "sqa": "scienceqa",
    "mmb": "mmbench",
    "vizwiz": "vizwiz_vqa",
}

CHANCE = {
    "pope": 0.5,  # yes or no, balanced
    "mme": 1050 / 2800,  # a pair: half of 100 for accuracy and a quarter of 100 for both right, in all 14 parts
    "ai2d": 0.25,  # four choices
    "seedbench": 0.25,
    "mmstar": 0.246,  # data set card Lin-Chen/MMStar, mini-leaderboard: random choice
    "hallusion_bench": 0.5,  # aAcc: yes or no
    "blink": 0.3809,  # arXiv 2404.12390, abstract: 51.26 % is 13.17 points above random guessing
    "gqa": 0.0, "textvqa": 0.0, "docvqa": 0.0, "infovqa": 0.0, "chartqa": 0.0, "ocrbench": 0.0, "vqav2": 0.0,
    "vizwiz_vqa": 0.0, "ok_vqa": 0.0, "mmvet": 0.0, "ocrvqa": 0.0,
}  # fmt: skip
"""What guessing scores, as a fraction of the full mark; open answers are not guessed."""
