"""lmms-eval: `<output>/<model>/<time>_results.json`.

Read from lmms-eval 0.7: `evaluator.py` and `loggers/evaluation_tracker.py` write the file, the full marks are those of
the tasks' own aggregation functions in `lmms_eval/tasks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from planner.runs.results.format import ResultFile, ResultFormat, number_of
from planner.runs.results.reading import Reading
from planner.runs.results.scales import Rule

_TIME = re.compile(r"(\d{8}_\d{6})")
ITEM_MEANS = frozenset(
    ("exact_match", "acc", "acc_norm", "anls", "relaxed_overall", "relaxed_human_split", "relaxed_augmented_split",
     "pope_accuracy")
)  # fmt: skip
"""Metrics that are the mean of a number from 0 to 1 an item, so that a spread of items is their standard error."""

RULES = (
    Rule(
        "mme",
        ("mme_perception_score+mme_cognition_score",),
        {"mme_perception_score": 2000.0, "mme_cognition_score": 800.0},
    ),
    Rule("mmbench.*", ("gpt_eval_score",), full_mark=100.0),
    Rule("mmvet", ("gpt_eval_score",), full_mark=100.0),
    Rule("mathvista.*", ("llm_as_judge_eval", "gpt_eval_score"), full_mark=100.0),
    Rule("hallusion_bench.*", ("aAcc", "qAcc", "fAcc"), full_mark=100.0),
    Rule("vstar_bench.*", ("vstar_overall_acc",), full_mark=100.0),
    Rule("videomme.*", ("videomme_perception_score",), full_mark=100.0),
    Rule("llava_in_the_wild.*", ()),
    Rule("pope.*", ("pope_accuracy", "pope_f1_score", "pope_precision", "pope_recall")),
    Rule("ocrbench.*", ("ocrbench_accuracy",)),
    Rule("mmmu.*", ("mmmu_acc",)),
    Rule("mmstar.*", ("average",)),
    Rule("seedbench.*", ("seed_all", "seed_image", "seed_video")),
    Rule("chartqa.*", ("relaxed_overall", "relaxed_human_split", "relaxed_augmented_split")),
    Rule("(docvqa|infovqa).*", ("anls",)),
    Rule("refcoco.*_rec.*", ("refcoco_ACC@0.5", "refcoco_IoU")),
    Rule("mmvp", ("mmvp_accuracy", "mmvp_pair_accuracy")),
    Rule("cv_bench.*", ("cv_bench_acc",)),
    Rule("blink.*", ("blink_acc",)),
    Rule(".*", ("exact_match", "acc", "accuracy")),
)


class LmmsEval(ResultFormat):
    """A results file of lmms-eval."""

    name = "lmms-eval"
    takes = "<time>_results.json of lmms-eval"
    rules = RULES

    def accepts(self, file: ResultFile) -> bool:
        content = file.json() if file.path.name.endswith("results.json") or "lmms" in file.path.name else None
        return has_results(content) and "lm_eval_version" not in (content or {})

    def read(self, file: ResultFile) -> list[Reading]:
        return harness_readings(file, _TIME)


def has_results(content: Any) -> bool:
    """Whether a document is one of a harness: results and configs by task."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("results"), dict)
        and ("configs" in content or "n-samples" in content or "versions" in content)
    )


def harness_readings(file: ResultFile, time: re.Pattern[str]) -> list[Reading]:
    """The readings of a file that lmms-eval or lm-evaluation-harness wrote: both write the same structure."""
    content = file.json()
    config = _mapping(content.get("config"))
    arguments = _arguments(config.get("model_args"))
    model = str(content.get("model_name") or "") or _named(arguments) or (file.folders or (file.path.stem,))[0]
    found = time.search(file.path.name)
    when = found[1] if found else str(content.get("date") or "")
    groups = {name: tuple(subtasks) for name, subtasks in _mapping(content.get("group_subtasks")).items() if subtasks}
    counts = _mapping(content.get("n-samples"))
    limit = config.get("limit")
    readings = []
    for task, results in content["results"].items():
        results = _mapping(results)
        values = {key: number for key, value in results.items() if (number := _value(key, value)) is not None}
        unread = tuple(
            f"{key.split(',')[0]} is {'null' if value is None else value}"
            for key, value in results.items()
            if "," in key and "_stderr" not in key and number_of(value) is None
        )
        subtasks = groups.get(task, ())
        if subtasks and not values:
            continue  # a group without a number of its own: its subtasks speak for themselves
        count = _mapping(counts.get(task))
        readings.append(
            Reading(
                model=model,
                task=str(task),
                values=values,
                file=file.shown,
                names=(arguments, file.shown),
                when=when,
                standard_errors=_standard_errors(results),
                samples=int(count["effective"]) if number_of(count.get("effective")) else None,
                limited=_limited([_mapping(counts.get(name)) for name in (subtasks or (task,))], limit),
                subtasks=subtasks,
                unread=unread,
            )
        )
    return readings


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _arguments(value: Any) -> str:
    """Arguments of the model as one text."""
    if isinstance(value, dict):
        return ",".join(f"{key}={one}" for key, one in value.items())
    return str(value or "")


def _named(arguments: str) -> str:
    found = re.search(r"(?:pretrained|model|model_version|path)=([^,]+)", arguments)
    return found[1] if found else ""


def _value(key: str, value: Any) -> float | None:
    """The number under a metric's key; "alias", "samples" and standard errors are none."""
    if "_stderr" in key or "," not in key:
        return None
    return number_of(value)


def _standard_errors(results: Mapping[str, Any]) -> dict[str, float]:
    """Standard errors in the unit of the metric; the spread of the items only where the metric is their mean."""
    found: dict[str, float] = {}
    for key in results:
        metric, comma, kind = key.partition(",")
        if not comma or "_stderr" in metric:
            continue
        own = number_of(results.get(f"{metric}_stderr,{kind}"))
        if own is None and metric in ITEM_MEANS:
            own = number_of(results.get(f"{metric}_stderr_clt,{kind}"))
        if own:
            found[key] = own
    return found


def _limited(counts: list[Mapping[str, Any]], limit: Any) -> str:
    for count in counts:
        original, effective = number_of(count.get("original")), number_of(count.get("effective"))
        if original is not None and effective is not None and effective < original:
            return f"{effective:g} of {original:g} samples"
    if not any(counts) and number_of(limit):
        return f"run with a limit of {limit:g}"
    return ""
