"""Memory of a device by what takes it, as a table and as a sentence."""

from __future__ import annotations

from planner.costs.memory import Memory
from planner.costs.stages import STAGES
from planner.tell import values as v
from planner.tell.document import Line, Table, joined, line
from planner.tell.stages import stage_title


def memory_table(memory: Memory) -> Table:
    """Bytes at the peak by what takes them."""
    whole = float(memory.peak)
    owners = {
        "weights": memory.weights,
        "KV cache": memory.peak_kv_cache,
        "activations": memory.peak_activations,
        "reserve": memory.reserve,
    }
    rows = tuple(
        (line(name), line(v.size(float(count), f"bytes of the {name}")), line(v.share(float(count), whole, name)))
        for name, count in owners.items()
    )
    foot = (line("peak"), line(v.size(whole, "peak memory per device")), ())
    caption = line(f"memory at the peak: {stage_title(STAGES[int(memory.peak_stage)], short=True)}")
    return Table(caption, ("", "bytes", "share"), rows, (foot,))


def before_the_prompt(memory: Memory) -> bool:
    """Whether the peak is before the prompt is in the cache, so that what is held there says little of it."""
    return STAGES[int(memory.peak_stage)] not in ("prefill", "decode")


def cache_at_end(memory: Memory, batch: int) -> Line:
    """ "KV cache of a request comes to 7 MiB at the end"."""
    of = line("a request") if batch == 1 else line(v.count(batch, "requests that run together"), " requests")
    at_end = v.size(float(memory.kv_cache), "bytes of the KV cache at the end")
    return line("KV cache of ", of, " comes to ", at_end, " at the end")


def memory_line(memory: Memory, batch: int) -> Line:
    """Peak memory in a sentence, with what takes the most of it."""
    stage, held = STAGES[int(memory.peak_stage)], float(memory.peak_kv_cache)
    parts = [line("weights ", v.size(float(memory.weights), "bytes of the weights"))]
    parts += [line("KV cache ", v.size(held, "bytes of the KV cache at the peak"))] if held else []
    parts += [
        line("activations ", v.size(memory.peak_activations, "bytes of the activations at the peak")),
        line("reserve ", v.size(float(memory.reserve), "bytes of driver and libraries")),
    ]
    where, later = " at the peak", line()
    if stage != "decode":
        where += f", in the {stage_title(stage)}"
    if before_the_prompt(memory):
        later = line("; the ", cache_at_end(memory, batch))
    peak = v.size(float(memory.peak), "peak memory per device")
    taken = joined(parts, ", ")
    return line("memory per device: ", peak, f"{where} (", taken, f"); most of it: {memory.owner()}", later)
