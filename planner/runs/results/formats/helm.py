"""HELM: `<suite>/<run>/stats.json` beside `run_spec.json`, as `benchmark/runner.py` of crfm-helm 0.5 writes them.

A statistic counts where it is of the test split, or of the validation split of a run without one, unperturbed, and of
no part of the split. Fields that are null are left out of both files. Which metric stands for a scenario of VHELM is
what `benchmark/static/schema_vhelm.yaml` calls its main one: mostly the match of the answer's beginning. Captions and
open answers are rated from 1 to 5 there, which is no share of right answers, and their exact match is no score.
"""

from __future__ import annotations

import json
import re
from typing import Any

from planner.base.errors import RunsError
from planner.base.files import read_text
from planner.runs.results.format import ResultFile, ResultFormat, number_of
from planner.runs.results.reading import Reading
from planner.runs.results.scales import Rule

_MODEL_PART = re.compile(r"[,:](?:model|model_deployment|groups)=[^,]*")

_REST = r"([,:].*)?"  # arguments of the scenario, as in mmmu:subject=Accounting
_BY_BEGINNING = (
    "(a_okvqa|blink|exams_v|fair_face|gqa|hateful_memes|mm_star|mme|mmmu|pairs|pope|seed_bench|unicorn|viz_wiz|vqa)"
) + _REST
_RATED = (
    "(bingo|crossmodal_3600|flickr30k|mementos|mm_safety_bench|mscoco_captioning|mscoco_captioning_long|vibe_eval)"
) + _REST


class Helm(ResultFormat):
    """The statistics of a run of HELM or VHELM."""

    name = "helm"
    takes = "stats.json of HELM, beside its run_spec.json"
    rules = (
        Rule(_RATED, ()),
        Rule(r"math_vista" + _REST, ("exact_match",)),
        Rule(r"real_world_qa" + _REST, ("quasi_leave_articles_exact_match", "quasi_exact_match", "exact_match")),
        Rule(_BY_BEGINNING, ("quasi_prefix_exact_match", "quasi_exact_match", "exact_match")),
        Rule(".*", ("exact_match", "quasi_exact_match", "prefix_exact_match", "quasi_prefix_exact_match", "f1_score")),
    )

    def accepts(self, file: ResultFile) -> bool:
        return file.path.name == "stats.json" and isinstance(file.json(), list)

    def read(self, file: ResultFile) -> list[Reading]:
        spec_path = file.path.with_name("run_spec.json")
        try:
            spec = json.loads(read_text(spec_path, "the run_spec.json of HELM beside stats.json", RunsError))
            adapter = spec["adapter_spec"]
            name, model = str(spec["name"]), str(adapter.get("model") or adapter["model_deployment"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RunsError(
                f"{file.shown}: its run_spec.json names no run and model; expected what HELM writes"
            ) from None
        values: dict[str, dict[str, float]] = {}
        samples: dict[str, int] = {}
        for stat in file.json():
            about: Any = stat.get("name") if isinstance(stat, dict) else None
            if not isinstance(about, dict) or about.get("perturbation") or about.get("sub_split"):
                continue
            mean, split = number_of(stat.get("mean")), str(about.get("split") or "")
            if mean is None:
                continue
            values.setdefault(split, {})[str(about.get("name"))] = mean
            if about.get("name") == "num_instances":
                samples[split] = int(mean)
        split = next((one for one in ("test", "valid") if one in values), "")
        asked, most = samples.get(split), number_of(adapter.get("max_eval_instances"))
        capped = most is not None and asked is not None and asked >= most
        return [
            Reading(
                model=model,
                task=_MODEL_PART.sub("", name).rstrip(":,"),
                values=values.get(split, {}),
                file=file.shown,
                names=(name, file.shown),
                samples=asked,
                note=f"at most {most:.0f} questions were asked (max_eval_instances)" if capped else "",
            )
        ]
