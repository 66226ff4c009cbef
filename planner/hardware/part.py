"""A hardware profile as a part of another file."""

from __future__ import annotations

from typing import Any

from planner.base.place import Place
from planner.hardware.card import Hardware


class _Profile:
    """Written as a profile's own file is, read with the same checks."""

    def encode(self, value: Hardware, place: Place) -> dict[str, Any]:
        if not isinstance(value, Hardware):
            raise place.wrong("a Hardware", value)
        return value.to_dict()

    def decode(self, content: Any, place: Place) -> Hardware:
        return Hardware.from_dict(content, f"{place.path} of {place.origin}")


PROFILE_PART = _Profile()
