"""The forms of the law: one file each, found by name in `FORMS`.

A form from outside is registered by `planner.base.registry.register(form)`, or by an entry point.
"""

from __future__ import annotations

from planner.base.registry import Registry
from planner.laws.forms.additive import ADDITIVE
from planner.laws.forms.form import Form, Parameter, Variant, exponent, offset
from planner.laws.forms.interaction import INTERACTION
from planner.laws.forms.log_linear import LOG_LINEAR
from planner.laws.forms.log_power import LOG_POWER
from planner.laws.forms.log_shifted import LOG_SHIFTED
from planner.laws.forms.multiplicative import MULTIPLICATIVE
from planner.laws.forms.saturating import SATURATING

__all__ = ["DEFAULT_FORM", "FORMS", "Form", "Parameter", "Variant", "exponent", "get_form", "offset"]

FORMS: Registry[Form] = Registry("form", Form)
"""Every form of the law."""
for _form in (ADDITIVE, MULTIPLICATIVE, LOG_LINEAR, LOG_POWER, LOG_SHIFTED, INTERACTION, SATURATING):
    FORMS.register(_form)

DEFAULT_FORM = ADDITIVE.name


def get_form(name: str) -> Form:
    """The form of that name. Raises UnknownNameError."""
    return FORMS.find(name)
