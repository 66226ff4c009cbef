"""Distributions of requests: their means by hand, their spread, the caches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from planner.base.errors import InputError
from planner.traffic.requests import Requests


def test_all_alike() -> None:
    requests = Requests.fixed(849, 200, cached_tokens=10, images=2)
    means = requests.means
    assert (means.prompt_tokens, means.generated_tokens, means.cached_tokens, means.images) == (849, 200, 10, 2)
    # decode steps 1 .. 199 attend to 859 + 1 .. 859 + 199 tokens
    assert means.context_tokens == 859 + 100
    assert len(requests) == 1


def test_context_is_the_mean_over_decode_steps_written_out() -> None:
    requests = Requests(*map(np.array, ([10, 40], [3, 8], [5, 0], [0, 1], [0.25, 0.75])))
    seen = [15 + i for i in range(1, 3)] + 3 * [40 + i for i in range(1, 8)]
    assert requests.means.context_tokens == pytest.approx(np.mean(seen))


def test_requests_without_decode_steps_leave_their_prompts() -> None:
    assert Requests.fixed(30, 1, cached_tokens=4).means.context_tokens == 34


@pytest.mark.parametrize("cv", [0.2, 0.8, 1.5])
def test_spread_keeps_mean_and_variation(cv: float) -> None:
    requests = Requests.spread(900, 150, prompt_cv=cv, generated_cv=cv)
    for values, mean in ((requests.prompt_tokens, 900), (requests.generated_tokens, 150)):
        found = float(requests.weights @ values)
        variation = np.sqrt(requests.weights @ (values - found) ** 2) / found
        assert found == pytest.approx(mean, rel=0.003)  # whole tokens
        assert variation == pytest.approx(cv, rel=0.03)  # the end of the tail stands at its mean


def test_without_variation_it_is_fixed() -> None:
    assert Requests.spread(900, 150).means == Requests.fixed(900, 150).means


def test_drawn_as_often_as_they_weigh() -> None:
    requests = Requests(*map(np.array, ([1, 2, 3], [7] * 3, [0] * 3, [0] * 3, [0.5, 0.0, 0.5])))
    drawn = np.bincount(requests.draw(np.random.default_rng(1), 10_000), minlength=3)
    assert drawn[1] == 0
    assert drawn[0] == pytest.approx(5000, abs=200)  # four standard deviations


def test_every_row_alike() -> None:
    requests = Requests.of_rows([5, 6], 3, images=[0, 2])
    assert requests.weights.tolist() == [0.5, 0.5]
    assert requests.cached_tokens.tolist() == [0, 0]
    assert requests.generated_tokens.tolist() == [3, 3]


def test_cached_prefix_moves_tokens_and_computes_the_last() -> None:
    found = Requests.of_rows([100, 20], 5).with_cached_prefix(60, 0.5)
    assert sorted(zip(found.prompt_tokens.tolist(), found.cached_tokens.tolist(), strict=True)) == [
        (1, 19),
        (20, 0),
        (40, 60),
        (100, 0),
    ]
    assert found.means.prompt_tokens + found.means.cached_tokens == 60


def test_cached_images_are_found_one_by_one() -> None:
    found = Requests.of_rows([9, 9], 5, images=[2, 0]).with_cached_images(0.3)
    shares = [float(found.weights[found.images == n].sum()) for n in range(3)]
    assert shares == pytest.approx([0.5 + 0.5 * 0.09, 0.5 * 0.42, 0.5 * 0.49])
    assert len(Requests.fixed(9, 5, images=3).with_cached_images(1.0)) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Requests.fixed(0, 5),
            "prompt_tokens: expected 1 whole numbers from 1 on, one per row, got array([0])",
        ),
        (
            lambda: Requests.fixed(5, 1.5),  # type: ignore[arg-type]  # on purpose
            "generated_tokens: expected 1 whole numbers from 1 on, one per row, got array([1.5])",
        ),
        (lambda: Requests.of_rows([], 5), "requests: expected at least one, got none"),
        (
            lambda: Requests(*map(np.array, ([3], [3], [0], [0], [0.5]))),
            "weights: expected 1 shares from 0 on that sum to 1, got array([0.5])",
        ),
        (lambda: Requests.fixed(5, 5).with_cached_images(1.5), "share: expected a number from 0 to 1, got 1.5"),
        (lambda: Requests.spread(5, 5, prompt_cv=-1), "prompt_cv: expected a number from 0 on, got -1"),
    ],
)
def test_what_is_no_distribution(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as refused:
        make()
    assert str(refused.value) == message
