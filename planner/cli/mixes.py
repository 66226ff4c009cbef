"""--mix of several verbs."""

from __future__ import annotations

import sys

from planner.laws.combined import Law
from planner.laws.shipped import load_mix, mix_note


def mix_of(text: str, form: str | None) -> Law:
    """The law of --mix; what is made of shares that do not sum to 1 or 100 is said on stderr. Raises InputError."""
    found = load_mix(text, form)
    say_shares(text)
    return found


def say_shares(text: str) -> None:
    """What is made of the shares of --mix, where they do not sum to 1 or 100, on stderr. Raises InputError."""
    if said := mix_note(text):
        print(f"note: {said}", file=sys.stderr)
