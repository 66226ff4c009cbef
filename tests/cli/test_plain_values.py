"""Options read plain values themselves, with what Typer would have made of them, and leave the rest to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import pytest
import typer

from planner.cli.plain_values import PlainGroup, PlainReader, read_plainly

TEXTS = (
    "", "0", "-0", "7", "007", "-12", "+5", " 5 ", "1_000", "١", "1.5", "-2.25", ".5", "1.", "1e3", "-", ".", "--1",
    "inf", "nan", "999999999999999", "9" * 30, "0.1234567890123456789", "true", "no", "text", "é",
)  # fmt: skip
KINDS: dict[str, Any] = {"text": str, "whole number": int, "number": float, "flag": bool}
KEPT = pytest.mark.skipif(
    not hasattr(typer.core.TyperOption, "get_runtime_param"), reason="this Typer keeps no reader of a parameter"
)


def option(annotation: Any, **more: Any) -> Any:
    """An option of Typer's that takes such a value."""
    app = typer.Typer()

    @app.command()
    def verb(value: Annotated[Any, typer.Option(**more)] = None) -> None: ...

    verb.__annotations__["value"] = Annotated[annotation, typer.Option(**more)]
    (made, *_) = typer.main.get_command(app).params
    return made


def outcome(parameter: Any, value: Any) -> tuple[str, str]:
    """The type and the value that a parameter makes of one, or the error."""
    context = typer.Context(typer.core.TyperCommand("verb"))
    try:
        found = parameter.process_value(context, value)
    except typer.BadParameter as error:
        return "error", str(error)
    return type(found).__name__, repr(found)


@KEPT
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_what_typer_makes_of_it(kind: str) -> None:
    """Texts, defaults of every type and None, alone and in lists: values, types and errors."""
    for annotation in (KINDS[kind], list[KINDS[kind]]):
        one, oracle = option(annotation), option(annotation)
        assert read_plainly(one)
        alone = (None, *TEXTS, 3, 2.5, True, False)
        for value in alone if annotation is KINDS[kind] else (None, "a", [], *([each] for each in alone), ["1", "x"]):
            assert outcome(one, value) == outcome(oracle, value), value


@KEPT
def test_plain_values_are_read_here() -> None:
    """A reader that stays was enough; one that met anything else has been replaced by Typer's."""
    for annotation, value, plain in ((int, "50", True), (float, "2.5", True), (int, "1_000", False), (str, "a", True)):
        one = option(annotation)
        assert read_plainly(one)
        outcome(one, value)
        assert isinstance(one._runtime_param, PlainReader) == plain


@KEPT
def test_other_parameters_stay_typers() -> None:
    for annotation, more in ((int, {"min": 1}), (float, {"max": 2.0}), (str, {"parser": str.upper})):
        one = option(annotation, **more)
        assert not read_plainly(one)
        assert one._runtime_param is None
    assert outcome(option(int, min=1), "0")[0] == "error"


def test_a_typer_without_such_readers_is_left_alone() -> None:
    older = SimpleNamespace(name="value", type=int)
    assert not read_plainly(older)
    assert vars(older) == {"name": "value", "type": int}


@pytest.mark.parametrize("kept", [True, False])
def test_the_command_line_answers_the_same_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kept: bool
) -> None:
    if not kept:
        monkeypatch.setattr("planner.cli.plain_values.read_plainly", lambda parameter: False)
    app = typer.Typer(cls=PlainGroup)

    @app.callback()
    def top() -> None: ...

    @app.command()
    def verb(count: int = 1, share: float = 0.5, names: Annotated[list[str] | None, typer.Option()] = None) -> None:
        print((count, share, names))

    app(["verb", "--count", "3", "--names", "a", "--names", "b"], standalone_mode=False)
    app(["verb"], standalone_mode=False)
    assert capsys.readouterr().out == "(3, 0.5, ['a', 'b'])\n(1, 0.5, None)\n"
    with pytest.raises(typer.BadParameter, match="valid int"):
        app(["verb", "--count", "x"], standalone_mode=False)
