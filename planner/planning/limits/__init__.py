"""What a budget may limit: the table of limits, and what each of them is to the candidates of a plan."""

from planner.planning.limits.kinds import LIMITS, RELAXED_BY, Limit, LimitKind, Slider, find_limit, limits_in_unit_of
from planner.planning.limits.needs import HARDWARE, POWER, PRICE_PER_HOUR, Need
from planner.planning.limits.slack import (
    Slack,
    all_met,
    binds,
    computed_columns,
    conflict,
    gpus_that_do,
    limits_of,
    met_by_none,
    slacks,
)
from planner.planning.limits.table import BUILT_IN, as_option, show_price

__all__ = [
    "BUILT_IN",
    "HARDWARE",
    "LIMITS",
    "POWER",
    "PRICE_PER_HOUR",
    "RELAXED_BY",
    "Limit",
    "LimitKind",
    "Need",
    "Slack",
    "Slider",
    "all_met",
    "as_option",
    "binds",
    "computed_columns",
    "conflict",
    "find_limit",
    "gpus_that_do",
    "limits_in_unit_of",
    "limits_of",
    "met_by_none",
    "show_price",
    "slacks",
]
