"""Commands that serve a released model as it was planned: one file per engine, open to others."""

from planner.engines import llama_cpp, sglang, vllm
from planner.engines.base import ENGINES, Asked, Engine, EngineCommand, Refused, engine_commands

__all__ = ["ENGINES", "Asked", "Engine", "EngineCommand", "Refused", "engine_commands"]

for engine in (vllm.VLLM, sglang.SGLANG, llama_cpp.LLAMA_CPP):
    ENGINES.register(engine)
del engine, llama_cpp, sglang, vllm
