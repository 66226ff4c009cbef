"""The errors: what they are, what they carry, what the command line ends with."""

from __future__ import annotations

import pytest

from planner.base import errors
from planner.base.errors import (
    FitError,
    InputError,
    LawFileError,
    NothingFitsError,
    OutputExistsError,
    PlannerError,
    QuantityError,
    RunsError,
    SpecError,
    UnknownNameError,
    nearest_name,
)


@pytest.mark.parametrize(
    "kind", [QuantityError, RunsError, FitError, LawFileError, SpecError, OutputExistsError, UnknownNameError]
)
def test_bad_input_is_a_value_error_that_ends_with_2(kind: type[InputError]) -> None:
    assert issubclass(kind, InputError)
    assert issubclass(kind, ValueError)
    assert kind.exit_code == 2


def test_nothing_fits_is_no_bad_input_and_ends_with_1() -> None:
    assert issubclass(NothingFitsError, PlannerError)
    assert not issubclass(NothingFitsError, InputError)
    assert NothingFitsError.exit_code == 1


def test_every_error_of_the_module_is_a_planner_error() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) >= 10
    assert all(issubclass(kind, PlannerError) for kind in kinds)


def test_errors_carry_what_they_complain_about() -> None:
    assert QuantityError("no", [1]).value == [1]
    runs = RunsError("no", row="line 3", column="error")
    assert (runs.row, runs.column, str(runs)) == ("line 3", "error", "no")
    assert (RunsError("no").row, RunsError("no").column) == (None, None)
    assert OutputExistsError("a.json").path == "a.json"
    nothing = NothingFitsError("no", budget_flops=1.0, cheapest="x with 1 visual token", cheapest_flops=2.0)
    assert (nothing.budget_flops, nothing.cheapest, nothing.cheapest_flops) == (1.0, "x with 1 visual token", 2.0)


def test_an_unknown_name_with_a_near_one_suggests_it() -> None:
    error = UnknownNameError("compressor", "quec", ["quecc", "none"])
    assert str(error) == "no compressor is called 'quec'; did you mean 'quecc'?"
    assert (error.name, error.suggestion, error.known) == ("quec", "quecc", ("quecc", "none"))


def test_an_unknown_name_with_no_near_one_lists_all() -> None:
    error = UnknownNameError("compressor", "zzz", iter(["quecc", "none"]))
    assert str(error) == "no compressor is called 'zzz'; there are: quecc, none"
    assert error.suggestion is None


@pytest.mark.parametrize("name", ["CC", "no", ""])
def test_two_letters_are_too_few_to_be_a_part_of_a_name(name: str) -> None:
    assert UnknownNameError("compressor", name, ["quecc-large", "none-at-all"]).suggestion is None


def test_a_part_of_several_names_suggests_them_all() -> None:
    error = UnknownNameError("tower", "sigLIP", ["CLIP-L/14", "SigLIP-so400m/14-384", "SigLIP-so400m/14-224"])
    assert str(error) == ("no tower is called 'sigLIP'; did you mean 'SigLIP-so400m/14-384' or 'SigLIP-so400m/14-224'?")
    assert error.suggestion == "SigLIP-so400m/14-384"


def test_a_part_of_too_many_names_gets_the_list() -> None:
    known = [f"tower-of-size-{side}" for side in range(5)]
    error = UnknownNameError("tower", "size", known)
    assert (str(error), error.suggestion) == (f"no tower is called 'size'; there are: {', '.join(known)}", None)


def test_what_is_no_text_gets_the_list() -> None:
    assert str(UnknownNameError("form", 5, ["a", "b"])) == "no form is called 5; there are: a, b"


def test_a_long_list_is_replaced_in_the_text_only() -> None:
    error = UnknownNameError("model", "zzz", ["quecc", "none"], "see the catalog")
    assert str(error) == "no model is called 'zzz'; see the catalog"
    assert error.known == ("quecc", "none")


@pytest.mark.parametrize(
    ("name", "found"),
    [("aditive", "additive"), ("ADDITIVE", "additive"), ("Qwen2.5-7b", "Qwen2.5-7B"), ("zzz", None), ("", None)],
)
def test_nearest_name_ignores_case_and_gives_the_entry_as_listed(name: str, found: str | None) -> None:
    assert nearest_name(name, ["additive", "multiplicative", "Qwen2.5-7B"]) == found
