"""Any form at many sets of parameters at once: residuals, their derivatives, sums of squares.

Letters: P sets of parameters, p of them free, n runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.finite import finite
from planner.laws.forms.form import Form, Parameter

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """Runs, a form, and the parameters that are held; the free ones are what is tried."""

    form: Form
    n: FloatArray
    """Sizes in the law's unit, (n,)."""
    t: FloatArray
    """Visual tokens, (n,)."""
    y: FloatArray
    """Measured errors, (n,)."""
    root: FloatArray
    """Square roots of the weights, (n,)."""
    fixed: Mapping[str, float]

    @property
    def free(self) -> tuple[Parameter, ...]:
        """Parameters that are tried, in the form's order."""
        return tuple(one for one in self.form.parameters if one.name not in self.fixed)

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Least and greatest values of the free parameters, (p,) each."""
        return np.array([one.low for one in self.free]), np.array([one.high for one in self.free])

    def params(self, values: FloatArray) -> dict[str, Any]:
        """All parameters, each (P, 1) to broadcast against runs, from the free ones (P, p)."""
        free = {one.name: values[:, [k]] for k, one in enumerate(self.free)}
        held = {name: np.full((len(values), 1), value) for name, value in self.fixed.items()}
        return {name: free[name] if name in free else held[name] for name in self.form.param_names}

    def residual(self, values: FloatArray) -> FloatArray:
        """Weighted, (P, n); huge where the form gives no number."""
        with np.errstate(all="ignore"):
            out = (self.form.value(self.params(values), self.n, self.t) - self.y) * self.root
        return finite(np.broadcast_to(out, (len(values), len(self.y))), nan=1e100, most=1e100)

    def rss(self, values: FloatArray) -> FloatArray:
        """Weighted sums of squares, (P,)."""
        residual = self.residual(values)
        return np.asarray(np.einsum("pn,pn->p", residual, residual))

    def jacobian(self, values: FloatArray) -> FloatArray:
        """Of the weighted residuals, (P, n, p)."""
        return self.gradient(values, self.n, self.t) * self.root[:, None]

    def gradient(self, values: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
        """dY / d free parameter at points (m,) or (P, m), shape (P, m, p)."""
        columns = [self.form.param_names.index(one.name) for one in self.free]
        with np.errstate(all="ignore"):
            gradient = self.form.gradient(self.params(values), n, t)[..., columns]
        shape = (len(values), np.shape(n)[-1], len(columns))
        return finite(np.broadcast_to(gradient, shape), nan=0.0, most=1e100)
