"""How engines serve the pick among released models, as it was planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.engines import EngineCommand
    from planner.planning.result import Plan


def serving(plan: Plan) -> tuple[EngineCommand, ...]:
    """A command for each engine, or why it has none; () where the pick is to be trained.

    Where requests or images differ, the engine gets the model's own context, since some need more than 95 % of them do.
    """
    best, load, released = plan.best, plan.load.tail, plan.tried.released
    if best.released is None or released is None:
        return ()
    from planner.engines import engine_commands  # for a pick that exists alone

    tokens = None
    if plan.load.requests == 1 and len(released.images.sizes) == 1:
        text = load.cached_tokens + load.prefilled_text_tokens + load.generated_tokens
        tokens = text + load.images * int(best.released.visual_tokens)
    return engine_commands(best.released, best.run(plan.deployment.hardware), tokens, load.images)
