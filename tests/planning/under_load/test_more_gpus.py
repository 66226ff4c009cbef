"""More GPUs carry what fewer do: the best plan of them is never worse."""

from __future__ import annotations

from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import planner
from planner.base.errors import NothingFitsError

REQUESTS = st.fixed_dictionaries(
    {
        "query_tokens": st.sampled_from([20, 120, 600]),
        "generated_tokens": st.sampled_from([16, 100, 300]),
        "hardware": st.sampled_from(["h100-sxm", "l40s", "l4", "a100-80gb"]),
        "llms": st.sampled_from([("qwen3",), ("qwen2.5",), ("qwen1.5",)]),
        "tensor_parallel": st.sampled_from([1, (1, 2)]),
    }
)

DRAWN = [Phase.generate]
"""What breaks a law is told as it was drawn: to look for something simpler takes minutes."""


@settings(max_examples=5, deadline=None, derandomize=True, phases=DRAWN)
@given(
    REQUESTS,
    st.sampled_from(["40 ms", "80 ms", "150 ms", "400 ms"]),
    st.sampled_from([1, 3, 10, 30]),
    st.integers(1, 6),
    st.integers(1, 4),
)
def test_the_best_plan_of_more_gpus_is_never_worse(
    asked: dict[str, Any], ttft: str, rate: float, gpus: int, more: int
) -> None:
    budget = planner.Budget(ttft=ttft, requests_per_second=rate)
    try:
        fewer = planner.plan(budget=budget, gpus=gpus, **asked)
    except NothingFitsError:
        return  # more may carry something, or nothing
    assert planner.plan(budget=budget, gpus=gpus + more, **asked).best.error <= fewer.best.error
