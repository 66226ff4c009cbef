"""Requests from a CSV: the mean one and the long one, and what is planned on which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.base.errors import InputError, QuantityError
from planner.costs.stages import Workload
from planner.planning.request import Budget, Load
from planner.planning.search import plan
from planner.planning.traffic import read_traffic

THREE = "query_tokens,generated_tokens\n10,100\n20,200\n60,310\n"


def write(folder: Path, text: str, name: str = "traffic.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


# ---- reading -----------------------------------------------------------------------------------------------------


def test_mean_and_95th_percentile_by_hand(tmp_path: Path) -> None:
    """Means 30 and 203.3; of three values the percentile lies 1.9 of the way: 20 + .9 x 40 and 200 + .9 x 110."""
    found = read_traffic(write(tmp_path, THREE))
    assert found == Load(Workload(30, 204), Workload(56, 299), 3, longest=Workload(60, 310))


def test_all_columns_and_others(tmp_path: Path) -> None:
    text = "user, images ,query_tokens,cached_tokens,generated_tokens,system_tokens\na,1,10,0,5,7\nb,3,10,100,5,7\n"
    found = read_traffic(write(tmp_path, text))
    assert found.mean == Workload(10, 5, cached_tokens=50, system_tokens=7, images=2)
    assert found.tail == Workload(10, 5, cached_tokens=95, system_tokens=7, images=3)
    assert found.requests == 2
    assert found.longest == Workload(10, 5, cached_tokens=100, system_tokens=7, images=3)


def test_one_request_is_both(tmp_path: Path) -> None:
    found = read_traffic(write(tmp_path, "query_tokens,generated_tokens\n50,32\n"))
    assert found == Load(Workload(50, 32), Workload(50, 32), 1)


def test_as_spreadsheets_write_it(tmp_path: Path) -> None:
    file = tmp_path / "traffic.csv"
    file.write_bytes(b'\xef\xbb\xbf"query_tokens";'.replace(b";", b",") + b'"generated_tokens"\r\n"50.0","32"\r\n')
    assert read_traffic(file).mean == Workload(50, 32)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 900), st.integers(1, 5)), min_size=1, max_size=40))
def test_against_sorted_values(tmp_path: Path, rows: list[tuple[int, int, int]]) -> None:
    lines = [f"{q},{g},{images}" for q, g, images in rows]
    file = write(tmp_path, "\n".join(["query_tokens,generated_tokens,images", *lines]) + "\n")

    def quantile(values: list[int]) -> int:
        """Linear between order statistics, in hundredths: exact."""
        ordered, place = sorted(values), 95 * (len(values) - 1)
        low, rest = divmod(place, 100)
        next_up = ordered[min(low + 1, len(values) - 1)]
        return -(-(100 * ordered[low] + rest * (next_up - ordered[low])) // 100)

    columns = [list(column) for column in zip(*rows, strict=True)]
    means = [-(-sum(column) // len(column)) for column in columns]
    tails = [quantile(column) for column in columns]
    found = read_traffic(file)
    assert found.mean == Workload(means[0], means[1], images=means[2])
    assert found.tail == Workload(tails[0], tails[1], images=tails[2])
    assert found.requests == len(rows)


BAD = {
    "no column of queries": (
        "generated_tokens\n5\n",
        "{file}: the column 'query_tokens' is missing; expected query_tokens, generated_tokens, got generated_tokens",
    ),
    "no column of answers": (
        "query_tokens,answer\n5,5\n",
        "{file}: the column 'generated_tokens' is missing; expected query_tokens, generated_tokens, "
        "got query_tokens, answer",
    ),
    "empty": (
        "",
        "{file}: the column 'query_tokens' is missing; expected query_tokens, generated_tokens, got none",
    ),
    "no rows": ("query_tokens,generated_tokens\n", "{file}: expected one row a request, got none"),
    "a word": (
        "query_tokens,generated_tokens\n5,5\nmany,5\n",
        "{file}, row 3: expected query_tokens to be a whole number of at least 0, got 'many'",
    ),
    "a negative count": (
        "query_tokens,generated_tokens\n5,-1\n",
        "{file}, row 2: expected generated_tokens to be a whole number of at least 0, got '-1'",
    ),
    "half a token": (
        "query_tokens,generated_tokens\n5.5,1\n",
        "{file}, row 2: expected query_tokens to be a whole number of at least 0, got '5.5'",
    ),
    "an empty cell": (
        "query_tokens,generated_tokens\n5,\n",
        "{file}, row 2: expected generated_tokens to be a whole number of at least 0, got ''",
    ),
    "a short row": (
        "query_tokens,generated_tokens\n5\n",
        "{file}, row 2: expected generated_tokens to be a whole number of at least 0, got None",
    ),
    "endless tokens": (
        "query_tokens,generated_tokens\n5,inf\n",
        "{file}, row 2: expected generated_tokens to be a whole number of at least 0, got 'inf'",
    ),
    "no image": (
        "query_tokens,generated_tokens,images\n5,5,0\n",
        "{file}, row 2: expected images to be a whole number of at least 1, got '0'",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_file_ends_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_traffic(file)
    assert str(caught.value) == message.replace("{file}", str(file))


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_traffic(tmp_path / "no.csv")
    assert str(caught.value) == (
        f"cannot read {tmp_path / 'no.csv'}: No such file or directory; expected a CSV of requests"
    )


def test_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "traffic.csv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError) as caught:
        read_traffic(file)
    assert str(caught.value) == f"{file} is no CSV of text; expected the columns query_tokens, generated_tokens"


@pytest.mark.parametrize("counts", [{"query_tokens": 50}, {"generated_tokens": 5}, {"cached_tokens": 9}])
def test_file_and_counts_together_are_refused(tmp_path: Path, counts: dict[str, int]) -> None:
    with pytest.raises(QuantityError, match=r"^workload: give a Workload or token counts, not both$"):
        plan(budget="2 TFLOPs", workload=write(tmp_path, THREE), **counts)


# ---- planning on it ----------------------------------------------------------------------------------------------


def test_times_and_memory_hold_for_the_long_request_the_rest_for_the_mean(tmp_path: Path) -> None:
    file = write(tmp_path, THREE)
    load = read_traffic(file)
    options = {"llms": ["Qwen2.5-0.5B", "Qwen2.5-7B"], "hardware": "l4", "batch": [1, 8], "price_per_hour": 1.5}
    budget = Budget(flops=1e18, request_s=1e6)
    both = plan(budget=budget, workload=file, **options)
    mean, tail = (plan(budget=budget, workload=one, **options) for one in (load.mean, load.tail))
    assert (both.load, both.workload) == (load, load.mean)
    of_tail = ("ttft_s", "tpot_s", "request_s", "peak_memory_bytes")
    assert set(both.table.quantities) == set(mean.table.quantities)
    for name, column in both.table.quantities.items():
        other = tail if name in of_tail else mean
        np.testing.assert_array_equal(column, other.table.quantities[name], err_msg=name)
    content = both.to_dict()
    assert content["workload"] == vars(load.mean)
    assert content["workload_p95"] == vars(load.tail)
    assert "workload_p95" not in mean.to_dict()


def test_file_of_one_request_is_that_request(tmp_path: Path) -> None:
    file = write(tmp_path, "query_tokens,generated_tokens,images\n50,32,2\n")
    options = {"budget": Budget(flops=2e12, ttft_s=1.0), "hardware": "l4"}
    assert plan(workload=file, **options).to_dict() == plan(workload=Workload(50, 32, images=2), **options).to_dict()


def test_longer_tail_never_fits_more(tmp_path: Path) -> None:
    short = write(tmp_path, "query_tokens,generated_tokens\n" + "50,32\n" * 18 + "70,52\n" * 2, "short.csv")
    long = write(tmp_path, "query_tokens,generated_tokens\n" + "50,32\n" * 18 + "300,150\n" * 2, "long.csv")
    budget = Budget(ttft_s="80 ms", request_s="2 s")
    quick, slow = (plan(budget=budget, workload=file, hardware="l4") for file in (short, long))
    assert slow.best.predicted_error >= quick.best.predicted_error
    assert slow.fitting_count < quick.fitting_count
    assert quick.workload.query_tokens == 52
