"""Results of evaluation tools, read as measured runs."""

from planner.runs.results.format import RESULTS, ResultFile, ResultFormat
from planner.runs.results.formats.helm import Helm
from planner.runs.results.formats.lm_harness import LmHarness
from planner.runs.results.formats.lmms_eval import LmmsEval
from planner.runs.results.formats.openvlm import OpenVlm
from planner.runs.results.formats.tables import AnyTable
from planner.runs.results.formats.tensorboard import TensorBoard
from planner.runs.results.formats.vlmevalkit import VlmEvalKit
from planner.runs.results.formats.wandb import Wandb
from planner.runs.results.imported import Imported
from planner.runs.results.importing import import_results, results_skeleton
from planner.runs.results.reading import Reading
from planner.runs.results.scales import Rule
from planner.runs.results.suites import SUITES, Suite

__all__ = [
    "RESULTS",
    "SUITES",
    "Imported",
    "Reading",
    "ResultFile",
    "ResultFormat",
    "Rule",
    "Suite",
    "import_results",
    "results_skeleton",
]

for _format in (AnyTable(), Wandb(), TensorBoard(), Helm(), OpenVlm(), LmHarness(), VlmEvalKit(), LmmsEval()):
    RESULTS.register(_format)
