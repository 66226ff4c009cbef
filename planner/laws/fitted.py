"""FittedLaw: a law with everything that is needed to trust it; predict, save, load."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.errors import InputError, LawFileError
from planner.base.files import file_text, write_text
from planner.base.quantities import shown
from planner.laws.forms import FORMS, get_form

if TYPE_CHECKING:
    import lmfit

FloatArray = NDArray[np.float64]

FILE_FORMAT = "vlm-planner/law"
FORMAT_VERSION = 1

_NUMBERS = re.compile(r"\[\n[\s\d.,eE+-]+\]")  # lists of numbers are put on one line

CONVERGED = "converged"
AT_A_BOUND = "at a bound"
NOT_IDENTIFIED = "not identified"
GIVEN = "given"
LOSSES = ("least-squares", "huber")
WEIGHTINGS = ("equal", "error_se", "samples")
STATUSES = (CONVERGED, AT_A_BOUND, NOT_IDENTIFIED, GIVEN)


@dataclass(frozen=True, eq=False)
class FitData:
    """What a fit saw, in the order in which it saw it: enough to compute every interval again."""

    n: FloatArray
    """Language model sizes in units of `n_unit_params`."""
    t: FloatArray
    """Visual tokens."""
    y: FloatArray
    """Measured errors."""
    weights: FloatArray
    """Weights of the squared residuals, mean 1; a Huber fit's are those of its last iteration."""


@dataclass(frozen=True, kw_only=True)
class FittedLaw:
    """The error Y(N, T) of a vision-language model, fitted to measured runs.

    N counts LLM parameters by the nominal size in the model's name; T counts the visual tokens per image that enter
    the LLM. A law speaks for the LLM family, the tasks and the compressor that it was measured on.
    """

    form: str
    """"additive", "multiplicative" or "log-linear"."""
    params: Mapping[str, float]
    """Parameters at full precision; `A` and `c0` are errors at N = one unit (and T = 1, where both share a term)."""
    n_unit_params: float = 1e9
    """The unit of N, in parameters."""
    n_basis: str = "nominal"
    """Which count of parameters N is: the nominal size."""
    t_convention: str = "visual tokens per image that enter the LLM"
    """What T counts."""
    name: str = ""
    """What the law is called; shipped laws are found by it."""
    status: str = GIVEN
    """"converged", "at a bound", "not identified", or "given" for parameters that were not fitted here."""
    advice: str = ""
    """What the status means for whoever uses the law."""
    at_bound: tuple[str, ...] = ()
    """Parameters whose bound is part of the answer."""
    constraints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the user imposed, by parameter: value of a fixed one, expr of a tied one, min, max."""
    rss: float | None = None
    """Sum of squared residuals, unweighted."""
    rmse: float | None = None
    """sqrt(rss / n_runs)."""
    n_runs: int = 0
    """Runs that the law was fitted to."""
    weighting: str = "equal"
    """"equal", "error_se" or "samples": what weighted the residuals."""
    loss: str = "least-squares"
    """"least-squares", or "huber" on relative residuals."""
    huber_delta: float | None = None
    """Relative residual at which the Huber loss turns linear."""
    llms: tuple[str, ...] = ()
    """Language models of the runs."""
    tasks: tuple[str, ...] = ()
    """Tasks of the runs."""
    compressors: tuple[str, ...] = ()
    """Compressors of the runs; "none" is the uncompressed image."""
    vision: str = ""
    """Vision tower of the runs, where known."""
    sources: tuple[str, ...] = ()
    """Where the runs come from."""
    llm_params_levels: tuple[float, ...] = ()
    """Sizes that were measured, in parameters, ascending."""
    visual_tokens_levels: tuple[float, ...] = ()
    """Visual token counts that were measured, ascending."""
    runs_sha256: str = ""
    """Fingerprint of the runs, whatever the order of their rows."""
    remarks: tuple[str, ...] = ()
    """What reading or pooling the runs left out or merged."""
    joint: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Of a joint fit: the group, what it shares, all groups with their runs, and the kept profile; see `joint`."""
    data: FitData | None = field(default=None, repr=False, compare=False)
    """What the fit saw, in the file too; None for a law that was given."""

    def __post_init__(self) -> None:
        form = get_form(self.form)
        if set(self.params) != set(form.param_names):
            raise InputError(
                f"the {form.name} form ({form.formula}) has the parameters {', '.join(form.param_names)}; "
                f"got {', '.join(map(str, self.params)) or 'none'}"
            )
        for name in form.param_names:
            value = self.params[name]
            if not _is_number(value):
                raise InputError(f"parameter {name}: expected a finite number, got {shown(value)}")
        object.__setattr__(self, "params", {name: float(self.params[name]) for name in form.param_names})
        if not _is_number(self.n_unit_params) or self.n_unit_params <= 0:
            raise InputError(
                f"n_unit_params: expected a positive number of parameters, got {shown(self.n_unit_params)}"
            )

    @classmethod
    def given(cls, form: str, params: Mapping[str, float], **facts: Any) -> FittedLaw:
        """A law from known parameters, not fitted here; `facts` are further fields of FittedLaw.

        Raises:
            InputError: parameters that the form does not have, or that are not finite.
            UnknownNameError: no such form.
        """
        advice = "the parameters were given, not fitted here: nothing is known of how well they are determined"
        return cls(form=form, params=params, **({"advice": advice} | facts))

    def predict(self, llm_params: ArrayLike, visual_tokens: ArrayLike) -> float | FloatArray:
        """The error, between 0 and 1, at LLM sizes (in parameters) and visual tokens per image.

        Args:
            llm_params: nominal sizes in parameters (7e9), any shape.
            visual_tokens: above zero, any shape that broadcasts against `llm_params`.

        Returns:
            A float for two scalars, else an array of the broadcast shape.

        Raises:
            InputError: a size or a count that is not positive: a power law says nothing of zero tokens.
        """
        n, t = np.asarray(llm_params, float), np.asarray(visual_tokens, float)
        for name, values in (("llm_params", n), ("visual_tokens", t)):
            wrong = values[~(np.isfinite(values) & (values > 0))]
            if wrong.size:
                raise InputError(f"{name}: expected finite numbers above 0, got {shown(wrong.flat[0])}")
        error = get_form(self.form).value(self.params, n / self.n_unit_params, t)
        return float(error) if np.ndim(error) == 0 else error

    def outside(self, llm_params: float, visual_tokens: float) -> list[tuple[str, float, float]]:
        """Where a point lies outside the measured ranges: (quantity, nearest measured value, ratio to it, above 1)."""
        found = []
        for name, value, levels in (
            ("llm_params", llm_params, self.llm_params_levels),
            ("visual_tokens", visual_tokens, self.visual_tokens_levels),
        ):
            if levels and value > levels[-1] * (1 + 1e-9):
                found.append((name, levels[-1], value / levels[-1]))
            elif levels and value < levels[0] * (1 - 1e-9):
                found.append((name, levels[0], levels[0] / value))
        return found

    def to_dict(self) -> dict[str, Any]:
        """All that the file holds, as plain JSON types."""
        head: dict[str, Any] = {"format": FILE_FORMAT, "format_version": FORMAT_VERSION}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "joint" and not value:
                continue  # most laws come from no joint fit, and files from before there were any have no such field
            if isinstance(value, FitData):
                value = {column.name: getattr(value, column.name).tolist() for column in fields(value)}
            head[item.name] = list(value) if isinstance(value, tuple) else value
        return head

    def to_json(self) -> str:
        """The content of the law's file."""
        return _NUMBERS.sub(lambda found: " ".join(found[0].split()), file_text(self.to_dict()))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the law as JSON at full precision, atomically.

        Raises:
            OutputExistsError: the file exists and `overwrite` is false.
        """
        return write_text(path, self.to_json(), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FittedLaw:
        """Read a law written by `save`.

        Raises:
            LawFileError: the file cannot be read, is damaged, or was written by a newer version.
        """
        return cls.from_dict(read_law_file(path), Path(path).name)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the law") -> FittedLaw:
        """The law of a dictionary made by `to_dict`. Raises LawFileError."""
        if not isinstance(content, dict) or content.get("format") != FILE_FORMAT:
            raise LawFileError(
                f'{origin} is not a law: expected JSON with "format": "{FILE_FORMAT}"; make one with vlm-planner fit'
            )
        version = content.get("format_version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise LawFileError(f"{origin} is damaged: format_version {shown(version)} is no version number")
        if version > FORMAT_VERSION:
            raise LawFileError(
                f"{origin} has format version {version}, this vlm-planner reads up to {FORMAT_VERSION}: "
                "update vlm-planner"
            )
        values = {}
        for item in fields(cls):
            if item.name == "joint" and item.name not in content:
                continue
            if item.name not in content:
                raise LawFileError(f"{origin} is damaged: {item.name!r} is missing; fit it again")
            values[item.name] = _typed(content[item.name], str(item.type), item.name, origin)
        for name, known in (("form", FORMS), ("status", STATUSES), ("loss", LOSSES), ("weighting", WEIGHTINGS)):
            if values[name] not in known:
                raise LawFileError(f"{origin} is damaged: {name} {shown(values[name])} is not known; fit it again")
        try:
            return cls(**values)
        except InputError as error:
            raise LawFileError(f"{origin} is damaged: {error}") from None

    def to_lmfit(self) -> lmfit.model.ModelResult:
        """The fit as an lmfit ModelResult, for people who live there: report, confidence intervals, emcee.

        Parameters at a bound are held there, since lmfit's covariance is not defined at an active bound.

        Raises:
            InputError: the law was given, not fitted.
        """
        from planner.laws.lmfit_bridge import model_result

        return model_result(self)


def read_law_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON object of a law file. Raises LawFileError."""
    name = Path(path).name
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LawFileError(
            f"cannot read the law {path}: {error.strerror}; expected a JSON file written by vlm-planner fit"
        ) from None
    except UnicodeDecodeError:
        raise LawFileError(
            f"{name} is not a law: it is not UTF-8 text; expected JSON written by vlm-planner fit"
        ) from None
    except json.JSONDecodeError as error:
        raise LawFileError(
            f"{name} is not a law: it is damaged at line {error.lineno} ({error.msg}); fit it again"
        ) from None
    except (ValueError, RecursionError):
        raise LawFileError(f"{name} is not a law: no JSON that can be read; fit it again") from None
    return content if isinstance(content, dict) else {}


def _typed(value: Any, annotation: str, name: str, origin: str) -> Any:
    """A field's value from JSON, if it is of the field's kind. Raises LawFileError."""
    is_number = _is_number(value)
    if annotation == "str":
        good = isinstance(value, str)
    elif annotation.startswith("FitData"):
        return None if value is None else _fit_data(value, name, origin)
    elif annotation.startswith("tuple"):
        texts = "str" in annotation
        good = isinstance(value, list) and all(isinstance(e, str) if texts else _is_number(e) for e in value)
        value = tuple(cast("list[Any]", value)) if good else value
    elif annotation.startswith("Mapping"):
        good = isinstance(value, dict) and (name != "constraints" or all(map(_is_constraint, value.values())))
    elif annotation == "int":
        good = is_number and isinstance(value, int) and value >= 0
    else:
        good = is_number or (value is None and "None" in annotation)
    if not good:
        raise LawFileError(f"{origin} is damaged: {name!r} is {shown(value)}; fit it again")
    return value


def _fit_data(value: Any, name: str, origin: str) -> FitData:
    """The runs of a law file. Raises LawFileError."""
    columns = [value.get(item.name) if isinstance(value, dict) else None for item in fields(FitData)]
    lists = [column for column in columns if isinstance(column, list) and all(map(_is_number, column))]
    if len(lists) < 4 or len({len(column) for column in lists}) > 1 or not lists[0]:
        raise LawFileError(f"{origin} is damaged: {name!r} holds no four columns of numbers; fit it again")
    n, t, y, weights = (np.array(column, float) for column in lists)
    if min(n.min(), t.min(), weights.min()) <= 0:
        raise LawFileError(
            f"{origin} is damaged: {name!r} holds a size, count or weight that is not above 0; fit it again"
        )
    return FitData(n, t, y, weights)


def _is_number(value: Any) -> bool:
    """Whether a value from JSON is a number that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(float(value))
    except OverflowError:
        return False


def _is_constraint(value: Any) -> bool:
    """Whether a value from JSON is what `constraints` holds of a parameter."""
    if not isinstance(value, dict) or not set(value) <= {"value", "expr", "min", "max"}:
        return False
    return all(isinstance(v, str) if key == "expr" else _is_number(v) for key, v in value.items())
