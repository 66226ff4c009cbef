"""Any state that the page can be in."""

from __future__ import annotations

from hypothesis import strategies as st

from planner.explore.offer import Offer
from planner.explore.state import State
from planner.planning.limits import LimitKind

USUAL = {
    "flops": (2e11, 1e14),
    "ttft_s": (0.01, 1.0),
    "memory_bytes": (2e9, 1e11),
    "price_per_million_requests": (1.0, 1e4),
}


def states(offer: Offer, *, usual: bool = False) -> st.SearchStrategy[State]:
    """States over all that is on offer; `usual` ones have numbers near those that people ask for, and are cheap."""

    def number(low: float, high: float) -> st.SearchStrategy[float | None]:
        given = st.floats(low, high) if usual else st.floats(1e-300, 1e300)
        return st.none() | given

    def limit(kind: LimitKind) -> st.SearchStrategy[float]:
        if usual:
            return st.floats(*USUAL[kind.name])
        if kind.of_all_gpus:
            return st.floats(1e-12, 1e12)  # a load beyond overflows, which numpy warns of
        return st.floats(1e6 if kind.name in ("flops", "memory_bytes") else 1e-300, 1e300)  # as few as can be typed

    def some(names: tuple[str, ...], least: int) -> st.SearchStrategy[tuple[str, ...]]:
        most = 2 if usual else len(names)
        chosen = st.sets(st.sampled_from(names), min_size=least, max_size=most)
        return chosen.map(lambda found: tuple(name for name in names if name in found))

    kinds = [kind for kind in offer.limits if not (usual and kind.of_all_gpus)]  # a plan under a load takes a while
    counts = st.integers(0, 3000 if usual else 1_000_000)
    return st.builds(
        State,
        limits=st.fixed_dictionaries({}, optional={kind.name: limit(kind) for kind in kinds}),
        price_per_hour=number(0.5, 5.0),
        query_tokens=counts,
        generated_tokens=counts,
        cached_tokens=counts,
        hardware=st.none() | st.sampled_from(offer.hardware),
        gpus=st.none() | st.integers(1, 8 if usual else 10_000),
        concurrency=st.none() if usual else st.none() | st.integers(1, 100_000),
        scheduler=st.sampled_from(offer.schedulers),
        percentile=st.sampled_from((50.0, 90.0, 95.0, 99.0)) if usual else st.floats(50.0, 99.0),
        batch=st.none() | st.sampled_from(offer.batches),
        compressors=some(offer.compressors, 1),
        prompt_orders=some(offer.prompt_orders, 1),
        llms=some(offer.llms, 0),
        precisions=some(offer.precisions, 0),
        law=st.sampled_from(list(offer.laws)),
        ocr_percent=st.integers(0, 100),
    )
