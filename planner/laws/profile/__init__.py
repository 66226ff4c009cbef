"""Profile intervals: `base` says what they are, `exact` and `refits` find them; `laws.intervals` is the door."""
