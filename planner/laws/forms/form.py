"""What a form of the law is: its formula, its parameters, and how it behaves.

N is the number of LLM parameters in units of `n_unit_params` (a billion, unless a law says otherwise), T the number of
visual tokens per image that enter the LLM, and Y the average downstream error.

A form needs a name, a formula, its parameters and `function`; all else can be left to the planner, which then fits it
by bounded least squares from many starts, and derives gradients and slopes by differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.laws.engine.projection import EXPONENT_MAX, Projection
from planner.laws.engine.tokens import BudgetLine

FloatArray = NDArray[np.float64]
Params = Mapping[str, float]

_STEP = 6e-6  # of central differences, relative: the cube root of rounding, where their two errors balance


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a form."""

    name: str
    low: float = 0.0
    """Lower bound, part of the fit."""
    high: float = math.inf
    """Upper bound, part of the fit."""
    starts: tuple[float, float] = (0.01, 1.0)
    """Between these a fit begins; spread evenly in the logarithm where both are above zero."""
    nodes: tuple[float, ...] = ()
    """Values at which a belief about several forms holds it, unless the form is linear in it; spread over `starts`
    where there are none."""
    linear: bool = False
    """Whether the form is linear in it, all else held: it is then solved for, not searched, where a fit begins."""
    log: bool = False
    """Whether its prior is flat in its logarithm, as for an exponent; else flat."""
    size: float = 1.0
    """How large it usually is at most: the standard deviation of a weak prior."""
    word: str = ""
    """What it is, in a message: "an exponent"."""
    meaning: str = ""
    """What it is, on the axis of a picture; {unit} stands for the unit of N."""
    latex: str = ""
    """Its symbol in LaTeX; the name without one."""
    offset: bool = False
    """Whether it is the error that stays, however large the model and however many its tokens."""
    takes_level_of: str = ""
    """"N", "T" or "NT": whether one level fewer of N, of T, is enough where it is fixed."""


_EXPONENTS = (0.02, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85, 1.0, 1.2)
# near enough that no exponent between two of them leaves a misfit that runs show


def exponent(name: str, letter: str, latex: str = "") -> Parameter:
    """The exponent of a power of N or T, between 0 and the largest that a run can tell from a step."""
    return Parameter(
        name=name, high=EXPONENT_MAX, starts=(0.005, 3.0), nodes=_EXPONENTS, log=True, word="an exponent",
        meaning=f"exponent of {letter}, no unit", latex=latex,
    )  # fmt: skip


def offset(name: str) -> Parameter:
    """The error that stays, however large the model and however many its tokens."""
    return Parameter(
        name=name, linear=True, offset=True, word="an offset", meaning="error that stays", takes_level_of="NT"
    )


@dataclass(frozen=True)
class Variant:
    """A simpler form: some parameters held."""

    name: str
    """"D = 0"."""
    fixed: Mapping[str, float]
    """Parameters that are held, and their values."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form of the law."""

    name: str
    formula: str
    """As text: "Y = A/N^alpha + B/T^beta + D"."""
    latex: str = ""
    """The same in LaTeX."""
    parameters: tuple[Parameter, ...]
    function: Callable[[Params, FloatArray, FloatArray], FloatArray]
    """(params, N, T) -> Y, with numpy: parameters, N and T may all be arrays that broadcast."""
    derivatives: Callable[[Params, FloatArray, FloatArray], tuple[FloatArray, ...]] | None = None
    """(params, N, T) -> dY / d parameter, one of each; differences of `function` without it."""
    slopes: Callable[[Params, FloatArray, FloatArray], tuple[FloatArray, FloatArray]] | None = None
    """(params, N, T) -> dY / d ln N and dY / d ln T; differences of `function` without it."""
    of_n: tuple[str, ...]
    """Parameters that carry the effect of N: where one is zero there is none. The one that shapes it stands last. None
    of a form of the tokens alone, which is for runs of one language model."""
    of_t: tuple[str, ...]
    """The same for T."""
    levels: tuple[int, int] = (3, 3)
    """Fewest levels of N, and of T, from which all its parameters can be determined."""
    variants: tuple[Variant, ...] = ()
    """Simpler forms to compare with."""
    best_tokens: Callable[[Params, BudgetLine], float] | None = None
    """A formula for the number of visual tokens with the least error on a budget, where there is one."""
    falls: str = "the error's term in {letter}"
    """What a factor on N, or on T, takes the same share off."""
    projection: Projection | None = None
    """Lets the exact engine fit the form; without it the general one does, slower."""
    simplifies: Form | None = None
    """The fuller form of which this one is a variant that has fewer parameters: where both can be fitted they are one
    opinion, and the fuller one stands for it."""

    def __post_init__(self) -> None:
        known = set(self.param_names)
        held = [name for variant in self.variants for name in variant.fixed]
        for name in (*self.of_n, *self.of_t, *held):
            if name not in known:
                raise InputError(
                    f"form {self.name!r}: of_n, of_t and variants name its parameters, {', '.join(self.param_names)}; "
                    f"got {shown(name)}"
                )
        if not self.of_t or not (self.of_n or self.levels[0] == 1):
            raise InputError(
                f"form {self.name!r}: of_n and of_t need a parameter each, that which shapes the effect; a form of the "
                "tokens alone has one level of N"
            )
        self._check_function()

    @property
    def held(self) -> Mapping[str, float]:
        """What the fuller form holds to become this one; nothing for a form that simplifies none.

        Raises:
            InputError: the fuller form has no such variant.
        """
        if self.simplifies is None:
            return {}
        for variant in self.simplifies.variants:
            if set(self.param_names) == set(self.simplifies.param_names) - set(variant.fixed):
                return variant.fixed
        raise InputError(
            f"form {self.name!r}: the form {self.simplifies.name!r} that it simplifies has no variant with the "
            f"parameters {', '.join(self.param_names)}"
        )

    def _check_function(self) -> None:
        """Parameters are tried many sets at a time: they are arrays too. Raises InputError."""
        params = {one.name: np.full((2, 1), min(max(one.starts[1], one.low), one.high)) for one in self.parameters}
        sizes = np.array([0.5, 1.0, 7.0])
        try:
            with np.errstate(all="ignore"):
                shape = np.shape(self.function(params, sizes, 16 * sizes))  # type: ignore[arg-type]  # arrays
        except Exception as error:  # a function from outside may fail in any way
            raise InputError(
                f"form {self.name!r}: its function fails on arrays ({error}); write it with numpy"
            ) from None
        if shape != (2, 3):
            raise InputError(
                f"form {self.name!r}: parameters of shape (2, 1) and 3 runs give errors of shape (2, 3); its function "
                f"gives {shape}"
            )

    @property
    def param_names(self) -> tuple[str, ...]:
        """In the order of the gradient's last axis."""
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def finite_without_tokens(self) -> bool:
        """Whether it gives an error at T = 0, so that runs without visual tokens can be fitted by it."""
        params = {one.name: min(max(one.starts[1], one.low), one.high) for one in self.parameters}
        with np.errstate(all="ignore"):
            return bool(np.isfinite(self.function(params, np.array([0.5, 1.0, 7.0]), np.zeros(3))).all())

    @property
    def non_negative(self) -> frozenset[str]:
        """Parameters that the form bounds below by zero."""
        return frozenset(parameter.name for parameter in self.parameters if parameter.low == 0)

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name."""
        return next(parameter for parameter in self.parameters if parameter.name == name)

    def of(self, letter: str) -> tuple[str, ...]:
        """Parameters that carry the effect of "N" or of "T"."""
        return self.of_n if letter == "N" else self.of_t

    def slope_of(self, letter: str) -> str:
        """The parameter that shapes the effect of "N" or of "T"."""
        return self.of(letter)[-1]

    def effect_of(self, letter: str) -> tuple[str, ...]:
        """All that the effect of "N" or of "T" depends on: what carries it, and what bends it too, such as a shift."""
        own = self.of(letter)
        more = [one.name for one in self.parameters if letter in one.takes_level_of and not one.offset]
        return (*own, *(name for name in more if name not in own))

    def value(self, params: Params, n: ArrayLike, t: ArrayLike) -> FloatArray:
        """Y at N (in the law's unit) and T; n and t broadcast against each other."""
        return self.function(params, np.asarray(n, float), np.asarray(t, float))

    def gradient(self, params: Params, n: ArrayLike, t: ArrayLike) -> FloatArray:
        """dY / d parameter, shape (*broadcast of params, n and t, parameters)."""
        n, t = np.broadcast_arrays(np.asarray(n, float), np.asarray(t, float))
        columns = self._differences(params, n, t) if self.derivatives is None else self.derivatives(params, n, t)
        shape = np.broadcast_shapes(n.shape, *map(np.shape, params.values()), *map(np.shape, columns))
        return np.stack([np.broadcast_to(column, shape) for column in columns], axis=-1)

    def log_slopes(self, params: Params, n: ArrayLike, t: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """dY / d ln N and dY / d ln T, each of the broadcast shape of n and t."""
        n, t = np.broadcast_arrays(np.asarray(n, float), np.asarray(t, float))
        if self.slopes is not None:
            in_n, in_t = self.slopes(params, n, t)
            return np.broadcast_to(in_n, n.shape), np.broadcast_to(in_t, n.shape)
        up, down = math.exp(_STEP), math.exp(-_STEP)
        in_n = (self.function(params, n * up, t) - self.function(params, n * down, t)) / (2 * _STEP)
        in_t = (self.function(params, n, t * up) - self.function(params, n, t * down)) / (2 * _STEP)
        return in_n, in_t

    def _differences(self, params: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
        """Central differences; at a bound, one-sided of the same order, so that no parameter leaves its bounds."""
        columns = []
        for parameter in self.parameters:
            name = parameter.name
            here = np.asarray(params[name], float)
            h = _STEP * np.maximum(np.abs(here), 0.1 * parameter.size)

            def at(steps: float, name: str = name, here: FloatArray = here, h: FloatArray = h) -> FloatArray:
                return self.function({**params, name: here + steps * h}, n, t)  # type: ignore[dict-item]  # arrays

            centred = (at(1.0) - at(-1.0)) / (2 * h)
            low, high = here - h < parameter.low, here + h > parameter.high
            if np.any(low):
                centred = np.where(low, (-3 * at(0.0) + 4 * at(1.0) - at(2.0)) / (2 * h), centred)
            if np.any(high):
                centred = np.where(high, (3 * at(0.0) - 4 * at(-1.0) + at(-2.0)) / (2 * h), centred)
            columns.append(centred)
        return tuple(columns)
