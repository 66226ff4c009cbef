"""How engines serve the pick among released models, as it was planned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from planner.hardware import Hardware, released_precision
from planner.planning.limits import LIMITS

if TYPE_CHECKING:
    from planner.engines import Batching, EngineCommand, Held, Room
    from planner.planning.candidate import Candidate
    from planner.planning.result import Plan


def serving(plan: Plan) -> tuple[EngineCommand, ...]:
    """A command for each engine, or why it has none; () where the pick is to be trained.

    Where requests differ, the server takes the longest of them; of a file that does not say how long that is, it gets
    the model's own context.
    """
    best, load = plan.best, plan.load
    if best.released is None:
        return ()
    from planner.engines import engine_commands  # for a pick that exists alone

    room = serving_room(plan)
    tokens = None if room is None else room.context_tokens
    longest = load.longest or load.tail
    run = best.run(plan.deployment.hardware)
    return engine_commands(best.released, run, tokens, longest.images, *_shared(plan))


def serving_room(plan: Plan) -> Room | None:
    """The context that the commands of `serving` ask for; None where nothing is served, or it is the model's own."""
    best, load, released = plan.best, plan.load, plan.tried.released
    if best.released is None or released is None or (load.longest is None and load.requests > 1):
        return None
    from planner.engines import room_for

    return room_for(best.released, load.longest or load.tail, released.images.sizes)


def unserved(best: Candidate, images: int, card: Hardware | None) -> tuple[str, ...]:
    """What has to hold where engines serve the pick, but not in its precision, in a sentence; else ()."""
    if best.released is None or _titles(best, best.precision, images, True):
        return ()
    checkpoint = best.released.checkpoint
    dtype = released_precision(card, checkpoint.dtype)
    asked, own = _titles(best, best.precision, images, False), _titles(best, dtype, images, True)
    if best.precision == dtype or not own:
        return ()
    return (
        f"weights of {checkpoint.name} in {best.precision} can be found and served: {asked}, as known here, do not "
        f"make them from the released ones; in {dtype} {own} serve{'' if ',' in own else 's'} it",
    )


def no_engine(best: Candidate, images: int, card: Hardware | None) -> tuple[str, ...]:
    """That no engine serves the pick, neither in its precision nor in that of its files; () where one does."""
    if best.released is None or _titles(best, best.precision, images, True):
        return ()
    checkpoint = best.released.checkpoint
    if _titles(best, released_precision(card, checkpoint.dtype), images, True):
        return ()
    asked = _titles(best, best.precision, images, False)
    return (f"no engine known here ({asked}) serves {checkpoint.name}: you need a server of your own",)


def _titles(best: Candidate, precision: str, images: int, served: bool) -> str:
    """Of the engines that serve a released model in a precision, or do not."""
    from planner.engines import engine_commands

    assert best.released is not None
    commands = engine_commands(best.released, replace(best.run(None), precision=precision), None, images)
    return ", ".join(one.title for one in commands if (one.command is not None) == served)


def _shared(plan: Plan) -> tuple[Held | None, Batching | None]:
    """What the pick holds on a device, None without hardware; and how requests share it, None without a load."""
    from planner.engines import Batching, Held

    card = plan.deployment.hardware
    if card is None:
        return None, None
    limit = plan.budget.limits.get(LIMITS.find("memory_bytes").name)
    held = Held.of(plan.best.memory, card.memory_bytes, limit)
    if plan.deployment.traffic is None:
        return held, None
    from planner.planning.under_load.service import service_of

    service = service_of(plan.best, plan.load, plan.deployment)
    room = service.room
    taken = {"weights": room.weights_bytes, "kv_cache": room.bytes, "activations": room.activations_bytes}
    cached = any(kind.cached_tokens for kind in plan.load.kinds)
    return (
        replace(held, **taken, peak=held.reserve + sum(taken.values())),
        Batching(service.scheduler, int(room.tokens), cached),
    )
