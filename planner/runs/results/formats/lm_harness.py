"""lm-evaluation-harness: `<output>/<model>/results_<time>.json`, as lm_eval 0.4.13 writes it; metrics are fractions."""

from __future__ import annotations

import re

from planner.runs.results.format import ResultFile, ResultFormat
from planner.runs.results.formats.lmms_eval import harness_readings, has_results
from planner.runs.results.reading import Reading
from planner.runs.results.scales import Rule

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T[\d\-.:]*\d)")


class LmHarness(ResultFormat):
    """A results file of lm-evaluation-harness."""

    name = "lm-eval"
    takes = "results_<time>.json of lm-evaluation-harness"
    rules = (Rule(".*", ("acc", "exact_match", "acc_norm", "f1", "em")),)

    def accepts(self, file: ResultFile) -> bool:
        content = file.json()
        return has_results(content) and "lm_eval_version" in content

    def read(self, file: ResultFile) -> list[Reading]:
        return harness_readings(file, _TIME)
