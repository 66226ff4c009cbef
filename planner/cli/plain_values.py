"""Values of options that need no library to read: text, numbers and flags.

Typer from 0.29 on reads every value, defaults too, through an adapter of pydantic's; to import pydantic and to build
the adapters takes about a fifth of a plan from cold. Here a parameter of a plain type reads what is plainly right
itself. Everything else, and so every error, is Typer's own; so is all of it in a Typer that keeps no such reader.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

from typer.core import TyperGroup

from planner.base.dataclass import dataclass

_PLAIN = (str, int, float, bool)
_LONGEST = 15
"""Digits of a number that is read here: every float of as many is exact."""


class PlainGroup(TyperGroup):
    """Verbs whose parameters read plain values themselves."""

    def get_params(self, ctx: Any) -> Any:
        """The parameters before any verb."""
        return _plainly(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb of that name, or None."""
        verb = super().get_command(ctx, cmd_name)
        if verb is not None:
            _plainly(verb.get_params(ctx))
        return verb


def _plainly(parameters: Any) -> Any:
    for parameter in parameters:
        read_plainly(parameter)
    return parameters


def read_plainly(parameter: Any) -> bool:
    """Let a parameter of Typer's read plain values itself. False, and nothing is changed, where it is none of those."""
    if getattr(parameter, "_runtime_param", "missing") is not None:
        return False  # this Typer has none, or it is made already
    kind, options = parameter.type_descriptor.annotation, parameter.type_descriptor.parameter_info
    each = get_args(kind)[0] if get_origin(kind) is list else kind
    if each not in _PLAIN or any(
        getattr(options, name, None) is not None for name in ("parser", "click_type", "min", "max")
    ):
        return False
    parameter._runtime_param = PlainReader(each)
    return True


@dataclass(frozen=True, repr=False)
class PlainReader:
    """Stands where Typer keeps a parameter's reader, until a value comes that is not plain."""

    kind: type
    """str, int, float or bool; of each value, where a parameter takes several."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value in its type. Raises what Typer raises."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if not several:
            plain = self._read(value)
            if plain is not None:
                return plain
        elif isinstance(value, (list, tuple)):
            read = [self._read(one) for one in value]
            if None not in read:
                return read
        param._runtime_param = None  # Typer makes its own
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)

    def _read(self, value: Any) -> Any:
        """None for what is not plain."""
        if type(value) is self.kind:
            return value
        if type(value) is not str or not value.isascii() or len(value) > _LONGEST:
            return None
        whole, point, part = value.removeprefix("-").partition(".")
        if self.kind is int and whole.isdigit() and not point:
            return int(value)
        if self.kind is float and whole.isdigit() and (part.isdigit() or not point):
            return float(value)
        return None
