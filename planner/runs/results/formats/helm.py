"""HELM: `<suite>/<run>/stats.json` beside `run_spec.json`, as `benchmark/runner.py` of crfm-helm 0.5 writes them.

A statistic counts where it is of the test split, or of the validation split of a run without one, and unperturbed.
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


class Helm(ResultFormat):
    """The statistics of a run of HELM or VHELM."""

    name = "helm"
    takes = "stats.json of HELM, beside its run_spec.json"
    rules = (
        Rule(".*", ("exact_match", "quasi_exact_match", "prefix_exact_match", "quasi_prefix_exact_match", "f1_score")),
    )

    def accepts(self, file: ResultFile) -> bool:
        return file.path.name == "stats.json" and isinstance(file.json(), list)

    def read(self, file: ResultFile) -> list[Reading]:
        spec_path = file.path.with_name("run_spec.json")
        try:
            spec = json.loads(read_text(spec_path, "the run_spec.json of HELM beside stats.json", RunsError))
            name, model = str(spec["name"]), str(spec["adapter_spec"]["model"])
        except (ValueError, KeyError, TypeError):
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
        return [
            Reading(
                model=model,
                task=_MODEL_PART.sub("", name).rstrip(":,"),
                values=values.get(split, {}),
                file=file.shown,
                names=(name, file.shown),
                samples=samples.get(split),
            )
        ]
