"""Commands that serve a released model as it was planned: one file per engine, open to others."""

from planner.engines import llama_cpp, sglang, vllm
from planner.engines.base import ENGINES, Asked, Batching, Engine, EngineCommand, Held, Refused, engine_commands
from planner.engines.room import Room, room_for

__all__ = [
    "ENGINES",
    "Asked",
    "Batching",
    "Engine",
    "EngineCommand",
    "Held",
    "Refused",
    "Room",
    "engine_commands",
    "room_for",
]

for engine in (vllm.VLLM, sglang.SGLANG, llama_cpp.LLAMA_CPP):
    ENGINES.register(engine)
del engine, llama_cpp, sglang, vllm
