"""From the compressor that a plan counts to the torch class that is built for it, built in or from another package."""

from __future__ import annotations

from pkgutil import resolve_name

from torch import nn

from planner.base.errors import InputError
from planner.parts import compressors

from .baselines import COMPRESSORS
from .modeling import PlannerVlmForConditionalGeneration
from .quecc import Compressor


def module_name(part: compressors.Compressor) -> str:
    """The name in `COMPRESSORS` of a compressor's torch class; one from another package is registered under the part's.

    Raises:
        InputError: it has none, or one that cannot be built.
    """
    if not part.built_as:
        known = ", ".join(known.name for known in compressors.COMPRESSORS if known.built_as)
        raise InputError(
            f"the compressor {part.name} has a known cost but no torch module; expected one of {known}, or a "
            "built_as that names its class"
        )
    if ":" not in part.built_as:
        if part.built_as not in COMPRESSORS:
            raise InputError(
                f"the compressor {part.name} is built as {part.built_as!r}: expected one of {', '.join(COMPRESSORS)}, "
                'or a class such as "package.module:Class"'
            )
        return part.built_as
    try:
        found = resolve_name(part.built_as)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"the torch class {part.built_as} of the compressor {part.name} is missing: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Compressor)):
        raise InputError(
            f"the torch class {part.built_as} of the compressor {part.name} is no subclass of planner.vlm.Compressor"
        )
    try:
        COMPRESSORS.register(part.name, found)
    except ValueError as error:
        raise InputError(str(error)) from None
    return part.name


def make_known(name: object) -> None:
    """Registers the torch class of a compressor that a saved model names. Raises UnknownNameError, InputError."""
    if name not in COMPRESSORS:
        module_name(compressors.COMPRESSORS.find(name))


def check_compressor(model: PlannerVlmForConditionalGeneration, predicted: int) -> None:
    """Refuses a compressor whose random weights could not be made, or which is another than the plan counted.

    Args:
        model: on any device.
        predicted: parameters that the plan counted for the compressor.

    Raises:
        InputError: which it is.
    """
    kind = type(model.compressor).__name__
    for module in model.compressor.modules():
        if any(True for _ in module.parameters(recurse=False)) and not callable(
            getattr(module, "reset_parameters", None)
        ):
            raise InputError(
                f"the compressor {kind} has weights in {type(module).__name__}, which has no reset_parameters() that "
                "makes them"
            )
    built = count(model.compressor)
    if built != predicted:
        raise InputError(f"the compressor {kind} has {built:,} parameters, the plan counted {predicted:,} for it")


def count(module: nn.Module) -> int:
    """Distinct parameters of a module."""
    return sum(weight.numel() for weight in module.parameters())
