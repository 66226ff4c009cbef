"""Results of load tests of serving engines, as the tools write them, read as one kind of record."""

from planner.bench.loadtests.aiperf import AiPerf
from planner.bench.loadtests.aiperf_csv import AiPerfCsv
from planner.bench.loadtests.aiperf_records import AiPerfRecords
from planner.bench.loadtests.format import LOAD_TESTS, LoadTestFile, LoadTestFormat
from planner.bench.loadtests.guidellm import GuideLlm
from planner.bench.loadtests.load_test import ARRIVALS, LoadTest, Rows, Spread
from planner.bench.loadtests.reading import LoadTests, expect_load_tests, is_load_test, read_load_tests
from planner.bench.loadtests.said import Said
from planner.bench.loadtests.vllm_bench import VllmBench

__all__ = [
    "ARRIVALS",
    "LOAD_TESTS",
    "LoadTest",
    "LoadTestFile",
    "LoadTestFormat",
    "LoadTests",
    "Rows",
    "Said",
    "Spread",
    "expect_load_tests",
    "is_load_test",
    "read_load_tests",
]

for _format in (VllmBench(), GuideLlm(), AiPerfCsv(), AiPerfRecords(), AiPerf()):
    LOAD_TESTS.register(_format)
