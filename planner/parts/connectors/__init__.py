"""Connectors: one file for each kind, and the registry of those that have a name."""

from planner.base.registry import Registry
from planner.parts.connectors.base import Connector
from planner.parts.connectors.mlp import Mlp

CONNECTORS: Registry[Connector] = Registry("connector", Connector)
"""Connectors whose cost is known, by name."""
CONNECTORS.register(Mlp())

__all__ = ["CONNECTORS", "Connector", "Mlp"]
