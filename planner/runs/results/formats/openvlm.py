"""OpenVLM leaderboard: one JSON file, `results[model][task]` with percentages, `META` with the parts of a model.

So the leaderboard's own gen_table.py reads it, beside `time`. `META.Parameters` counts the whole model, so it is never
read as the size of the LLM; "Language Model" names that.
"""

from __future__ import annotations

from typing import Any

from planner.runs.results.format import ResultFile, ResultFormat, number_of
from planner.runs.results.reading import Reading
from planner.runs.results.scales import Rule

RULES = (
    Rule("MME", ("Overall", "Perception+Cognition"), {"Overall": 2800.0, "Perception": 2000.0, "Cognition": 800.0}),
    Rule("OCRBench", ("Final Score", "Final Score Norm"), {"Final Score": 1000.0, "Final Score Norm": 100.0}),
    Rule("LLaVABench", ()),
    Rule("COCO.*", ()),
    Rule("POPE", ("acc", "Overall"), full_mark=100.0),
    Rule("HallusionBench", ("aAcc", "Overall", "fAcc", "qAcc"), full_mark=100.0),
    Rule(".*", ("Overall",), full_mark=100.0),
)


class OpenVlm(ResultFormat):
    """The results of the OpenVLM leaderboard."""

    name = "openvlm"
    takes = "OpenVLM.json"
    rules = RULES

    def accepts(self, file: ResultFile) -> bool:
        content = file.json()
        results = content.get("results") if isinstance(content, dict) else None
        return isinstance(results, dict) and any(isinstance(one, dict) and "META" in one for one in results.values())

    def read(self, file: ResultFile) -> list[Reading]:
        content = file.json()
        readings = []
        for model, tasks in content["results"].items():
            if not isinstance(tasks, dict):
                continue
            meta = tasks.get("META")
            llm = str(meta.get("Language Model") or "") if isinstance(meta, dict) else ""
            for task, scores in tasks.items():
                if task == "META" or not isinstance(scores, dict):
                    continue
                values = {key: number for key, value in scores.items() if (number := _number(value)) is not None}
                unread = tuple(f"{key} is {value}" for key, value in scores.items() if key not in values)
                readings.append(
                    Reading(
                        model=str(model),
                        task=str(task),
                        values=values,
                        file=f"{file.shown}, {model}",
                        llm="" if llm.upper() in ("N/A", "NONE") else llm,
                        when=str(content.get("time") or ""),
                        unread=unread,
                    )
                )
        return readings


def _number(value: Any) -> float | None:
    try:
        return number_of(float(value)) if isinstance(value, str) else number_of(value)
    except ValueError:
        return None
