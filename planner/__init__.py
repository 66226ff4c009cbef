"""vlm-planner: the best (language model, visual tokens) pair of a vision-language model under an inference budget.

import planner

plan = planner.plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
print(plan)                                      # the pick, its cost stage by stage, what it assumes

law = planner.fit(planner.read_runs("runs.csv")) # from one's own measured runs
law.save("my-law.json")
plan = planner.plan("my-law.json", budget=planner.Budget("2 TFLOPs"), llms="qwen2.5",
                    workload=planner.Workload(query_tokens=50, generated_tokens=32))
"""

from planner.costs.flops import request_flops
from planner.costs.stages import Workload
from planner.errors import InputError, NothingFitsError, PlannerError
from planner.laws.fit import fit
from planner.laws.fitted import FittedLaw
from planner.laws.shipped import load_law, load_mix, shipped_names
from planner.models.catalog import find_llms, find_vision, llm_catalog, load_llm_config, vision_catalog
from planner.planning.optimum import optimum
from planner.planning.request import Budget
from planner.planning.result import Candidate, ContinuousOptimum, Plan
from planner.planning.search import plan
from planner.runs import Runs, read_runs, validate, write_runs

__version__ = "0.1.0"

__all__ = [
    "Budget",
    "Candidate",
    "ContinuousOptimum",
    "FittedLaw",
    "InputError",
    "NothingFitsError",
    "Plan",
    "PlannerError",
    "Runs",
    "Workload",
    "find_llms",
    "find_vision",
    "fit",
    "llm_catalog",
    "load_law",
    "load_llm_config",
    "load_mix",
    "optimum",
    "plan",
    "read_runs",
    "request_flops",
    "shipped_names",
    "validate",
    "vision_catalog",
    "write_runs",
]
