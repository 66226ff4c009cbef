"""The forms of the law: one file each, found by name in `FORMS`.

A form from outside is registered by `planner.base.registry.register(form)`, or by an entry point.
"""

from __future__ import annotations

from planner.base.registry import Registry
from planner.laws.forms.additive import ADDITIVE
from planner.laws.forms.additive_d0 import ADDITIVE_D0
from planner.laws.forms.form import Form, Parameter, Variant, exponent, offset
from planner.laws.forms.interaction import INTERACTION
from planner.laws.forms.log_linear import LOG_LINEAR
from planner.laws.forms.log_power import LOG_POWER
from planner.laws.forms.log_shifted import LOG_SHIFTED
from planner.laws.forms.multiplicative import MULTIPLICATIVE
from planner.laws.forms.saturating import SATURATING
from planner.laws.forms.tokens import TOKENS_LOG, TOKENS_POWER

__all__ = [
    "DEFAULT_FORM",
    "FORMS",
    "Form",
    "Parameter",
    "Variant",
    "exponent",
    "forms_for",
    "get_form",
    "offset",
    "opinion_of",
    "opinions",
]

FORMS: Registry[Form] = Registry("form", Form)
"""Every form of the law."""
for _form in (
    ADDITIVE,
    MULTIPLICATIVE,
    LOG_LINEAR,
    LOG_POWER,
    LOG_SHIFTED,
    INTERACTION,
    SATURATING,
    ADDITIVE_D0,
    TOKENS_POWER,
    TOKENS_LOG,
):
    FORMS.register(_form)

DEFAULT_FORM = ADDITIVE.name


def get_form(name: str) -> Form:
    """The form of that name. Raises UnknownNameError."""
    return FORMS.find(name)


def opinion_of(form: Form) -> Form:
    """The fuller form that stands for a variant of it, where that is registered; else the form itself."""
    fuller = form.simplifies
    return fuller if fuller is not None and FORMS.get(fuller.name) == fuller else form


def opinions() -> tuple[Form, ...]:
    """The registered forms of N and T that are not a variant of another one: what beliefs choose between."""
    return tuple(form for form in forms_for(2) if opinion_of(form) == form)


def forms_for(sizes: int) -> tuple[Form, ...]:
    """The registered forms for runs of so many sizes of language models: of one, those of the tokens alone."""
    return tuple(form for form in FORMS if bool(form.of_n) == (sizes > 1))
