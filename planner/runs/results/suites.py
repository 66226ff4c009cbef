"""Named sets of tasks, so that an average is the same one everywhere."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.base.registry import Registry


@dataclass(frozen=True)
class Suite:
    """A set of tasks; each is matched with its name in the files, whatever the split and the tool."""

    name: str
    tasks: tuple[str, ...]
    source: str
    """Who averages these tasks."""


SUITES: Registry[Suite] = Registry("suite of tasks", Suite)

for _suite in (
    Suite("text", ("textvqa", "docvqa", "chartqa", "infovqa"), "tasks that read the text in an image"),
    Suite("tokenpacker", ("mmbench", "vizwiz", "vqav2", "gqa", "pope", "mmvet"), "arXiv 2407.02392, Table 1"),
    Suite(
        "openvlm",
        ("mmbench", "mmstar", "mmmu", "mathvista", "ocrbench", "ai2d", "hallusion_bench", "mmvet"),
        "average of the OpenVLM leaderboard",
    ),
):
    SUITES.register(_suite)
