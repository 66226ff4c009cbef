"""FittedLaw: a law with everything that is needed to trust it; predict, save, load."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.codec import SPARSE
from planner.base.errors import InputError, LawFileError
from planner.base.file_format import FileFormat
from planner.base.files import file_text
from planner.base.quantities import shown
from planner.base.result import Result, above
from planner.base.stored import COUNT, Choice
from planner.laws.fit_data import CONSTRAINT, RUNS, is_number
from planner.laws.fit_data import FitData as FitData
from planner.laws.forms import get_form
from planner.laws.forms.latex import latex_of, with_unit
from planner.laws.one_size import check_size
from planner.laws.weighting import ERROR_SE, RELATIVE
from planner.runs.table import ERROR, KINDS

if TYPE_CHECKING:
    import lmfit
    import pandas as pd
    from matplotlib.figure import Figure

    from planner.laws.profile.base import Interval

FloatArray = NDArray[np.float64]

CONVERGED = "converged"
AT_A_BOUND = "at a bound"
NOT_IDENTIFIED = "not identified"
GIVEN = "given"
LOSSES = ("least-squares", "huber")
WEIGHTINGS = ("equal", "error_se", "samples")
STATUSES = (CONVERGED, AT_A_BOUND, NOT_IDENTIFIED, GIVEN)


@dataclass(frozen=True, kw_only=True, repr=False)
class FittedLaw(Result):
    """The error Y(N, T) of a vision-language model, fitted to measured runs.

    N counts LLM parameters by the nominal size in the model's name; T counts the visual tokens per image that enter
    the LLM. A law speaks for the LLM family, the tasks and the compressor that it was measured on.
    """

    form: str
    """Name of a form in `planner.laws.forms.FORMS`: "additive"."""
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
    status: Annotated[str, Choice(STATUSES)] = GIVEN
    """"converged", "at a bound", "not identified", or "given" for parameters that were not fitted here."""
    advice: str = ""
    """What the status means for whoever uses the law."""
    at_bound: tuple[str, ...] = ()
    """Parameters whose bound is part of the answer."""
    constraints: Mapping[str, Annotated[Mapping[str, Any], CONSTRAINT]] = field(default_factory=dict)
    """What the user imposed, by parameter: value of a fixed one, expr of a tied one, min, max."""
    rss: float | None = None
    """Sum of squared residuals, unweighted."""
    rmse: float | None = None
    """sqrt(rss / n_runs)."""
    n_runs: Annotated[int, COUNT] = 0
    """Runs that the law was fitted to."""
    weighting: Annotated[str, Choice(WEIGHTINGS)] = "equal"
    """"equal", "error_se" or "samples": what weighted the residuals."""
    error_se: Annotated[str, Choice(ERROR_SE)] = field(default=RELATIVE, metadata=SPARSE)
    """Whether only the ratios of the runs' standard errors count, or the numbers too ("absolute")."""
    stated_sd: float | None = field(default=None, metadata=SPARSE)
    """Standard error that the runs state for one of mean weight; None where they were weighted otherwise."""
    predicts: Annotated[str, Choice(KINDS)] = field(default=ERROR, metadata=SPARSE)
    """"error", a fraction of which a score is the rest, or "loss", of any size."""
    loss: Annotated[str, Choice(LOSSES)] = "least-squares"
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
    """Visual token counts that were measured, ascending; without 0, where there is no image."""
    runs_sha256: str = ""
    """Fingerprint of the runs that were given, whatever the order of their rows."""
    remarks: tuple[str, ...] = ()
    """What reading or pooling the runs left out or merged."""
    joint: Mapping[str, Any] = field(default_factory=dict, repr=False, metadata=SPARSE)
    """Of a joint fit: the group, what it shares, all groups with their runs, and the kept profile; see `joint`."""
    level_known: ClassVar[bool] = True  # it predicts errors, not only their differences
    reckons_with_transfer: ClassVar[bool] = False  # it speaks for the models, tasks and compressor of its runs
    data: Annotated[FitData, RUNS] | None = field(default=None, repr=False, compare=False)
    """What the fit saw, in the file too; None for a law that was given."""

    def __post_init__(self) -> None:
        form = get_form(self.form)
        object.__setattr__(self, "form", form.name)
        if set(self.params) != set(form.param_names):
            raise InputError(
                f"the {form.name} form ({form.formula}) has the parameters {', '.join(form.param_names)}; "
                f"got {', '.join(map(str, self.params)) or 'none'}"
            )
        for name in form.param_names:
            value = self.params[name]
            if not is_number(value):
                raise InputError(f"parameter {name}: expected a finite number, got {shown(value)}")
        object.__setattr__(self, "params", {name: float(self.params[name]) for name in form.param_names})
        if not is_number(self.n_unit_params) or self.n_unit_params <= 0:
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

    def predict(
        self,
        llm_params: ArrayLike,
        visual_tokens: ArrayLike,
        llm: ArrayLike | None = None,
        *,
        compressor: str = "",
        released: bool = False,
    ) -> float | FloatArray:
        """The error, or loss, at LLM sizes (in parameters) and visual tokens per image.

        Args:
            llm_params: nominal sizes in parameters (7e9), any shape.
            visual_tokens: above zero, any shape that broadcasts against `llm_params`.
            llm: names of the language models: one form alone says the same of all models of a size.
            compressor, released: what makes the tokens, and whether `llm` names released models: the same of all.

        Returns:
            A float for two scalars, else an array of the broadcast shape.

        Raises:
            InputError: a size or a count that is not positive; another size, of a law of the tokens alone.
        """
        self.check_points(llm_params, visual_tokens)
        check_size(self, np.asarray(llm_params, float))
        n, t = np.asarray(llm_params, float), np.asarray(visual_tokens, float)
        error = get_form(self.form).value(self.params, n / self.n_unit_params, t)
        return float(error) if np.ndim(error) == 0 else error

    @staticmethod
    def check_points(llm_params: ArrayLike, visual_tokens: ArrayLike) -> None:
        """Raises InputError for a size or a count that is not positive."""
        for name, given in (("llm_params", llm_params), ("visual_tokens", visual_tokens)):
            values = np.asarray(given, float)
            wrong = values[~(np.isfinite(values) & (values > 0))]
            if wrong.size:
                raise InputError(f"{name}: expected finite numbers above 0, got {shown(wrong.flat[0])}")

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

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """Profile-likelihood intervals of every parameter, by its name; true at active bounds too.

        Args:
            level: probability that an interval holds the true value.

        Raises:
            InputError: the law was given, not fitted.
            FitError: it has constraints, or too few runs.
        """
        return dict(above().intervals_of(self, level))

    def plot(self, query_tokens: int = 50, generated_tokens: int = 0, bands: bool = True) -> Figure:
        """Measured runs and law over inference FLOPs; see `planner.plot_law`. Raises InputError."""
        return above().picture_of(self, query_tokens=query_tokens, generated_tokens=generated_tokens, bands=bands)

    def to_latex(self, digits: int = 4) -> str:
        """The formula with the fitted numbers in LaTeX, and the unit of N; `digits` are significant ones.

        A term that is zero, as an irreducible error D at its bound, is left out.

        Raises:
            InputError: the form has no formula in LaTeX.
        """
        return with_unit(latex_of(get_form(self.form), self.params, digits), self.n_unit_params)

    def to_frame(self) -> pd.DataFrame:
        """The runs that the law was fitted to, a row each, beside what it says of them. Raises InputError without."""
        import pandas as pd

        data = self.data
        if data is None:
            raise InputError("to_frame needs a fitted law: this one was given, it has no runs")
        predicted = get_form(self.form).value(self.params, data.n, data.t)
        columns = {
            "llm_params": data.n * self.n_unit_params,
            "visual_tokens": data.t,
            "error": data.y,
            "predicted_error": predicted,
            "residual": data.y - predicted,
            "weight": data.weights,
        }
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        runs = f", {self.n_runs} runs" if self.n_runs else ""
        bound = f": {', '.join(self.at_bound)}" if self.at_bound else ""
        return f"FittedLaw({name}{self.form}{runs}, {self.status}{bound})"

    def to_dict(self) -> dict[str, Any]:
        """All that the file holds, as plain JSON types."""
        return LAW_FILE.to_dict(self)

    def to_json(self) -> str:
        """The content of the law's file."""
        return file_text(self.to_dict())

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the law as JSON at full precision, atomically.

        Raises:
            OutputExistsError: the file exists and `overwrite` is false.
        """
        return LAW_FILE.write(path, self, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FittedLaw:
        """Read a law written by `save`.

        Raises:
            LawFileError: the file cannot be read, is damaged, or was written by a newer version.
        """
        return LAW_FILE.read(path)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the law") -> FittedLaw:
        """The law of a dictionary made by `to_dict`. Raises LawFileError."""
        return LAW_FILE.from_dict(content, origin)

    def to_lmfit(self) -> lmfit.model.ModelResult:
        """The fit as an lmfit ModelResult, for people who live there: report, confidence intervals, emcee.

        Parameters at a bound are held there, since lmfit's covariance is not defined at an active bound.

        Raises:
            InputError: the law was given, not fitted.
        """
        from planner.laws.lmfit_bridge import model_result

        return model_result(self)


LAW_FILE = FileFormat(
    "vlm-planner/law",
    1,
    FittedLaw,
    "a law",
    "vlm-planner fit -o",
    error=LawFileError,
    advice="fit it again",
)
"""The file of one law."""
