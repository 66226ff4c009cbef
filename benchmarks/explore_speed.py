"""How long from an input on the explorer's page to new numbers? Server side, and over HTTP with the answer's JSON.

    python benchmarks/explore_speed.py

Each row moves one control through many positions and asks for each of them once, so that nothing is remembered but what
is known of a law. Wall-clock time needs a quiet machine, or a low niceness on a busy one; both are in the result. CPU
time, of all threads, stands beside it. The aim: 100 ms.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from environment import environment, say, write_result

from planner.explore.link import write_link
from planner.explore.offer import make_offer
from planner.explore.serving.app import answer
from planner.explore.serving.run import HOST, listen, make_server
from planner.explore.state import State

AIM_S = 0.1
OFFER = make_offer()
BUDGETS = tuple(float(flops) for flops in np.geomspace(2e12, 5e13, 40))
USUAL = State({"flops": 2e12, "ttft_s": 0.2}, hardware="l40s", llms=("Qwen1.5", "Qwen2.5", "Qwen3"))
ALL_MODELS = State(limits={"flops": 2e13, "ttft_s": 0.5}, hardware="h100-sxm", llms=OFFER.llms)
EVERYTHING = replace(
    ALL_MODELS,
    compressors=OFFER.compressors,
    prompt_orders=OFFER.prompt_orders,
    precisions=("bf16", "fp8", "int4"),
    batch=None,
)


def under(state: State, flops: float) -> State:
    return replace(state, limits={**state.limits, "flops": flops})


def cases() -> dict[str, list[State]]:
    """What is moved -> the states asked for, in order."""
    return {
        "fresh page, the budget moves": [State({"flops": flops}) for flops in BUDGETS],
        "three families on a GPU, the budget moves": [under(USUAL, flops) for flops in BUDGETS],
        "three families on a GPU, query tokens move": [replace(USUAL, query_tokens=25 * k) for k in range(40)],
        "all models on a GPU, the budget moves": [under(ALL_MODELS, flops) for flops in BUDGETS],
        "all models, a mix, the budget moves": [replace(under(ALL_MODELS, flops), law="mix") for flops in BUDGETS],
        "all models, a mix, its share moves": [replace(ALL_MODELS, law="mix", ocr_percent=p) for p in range(5, 100, 5)],
        "everything chosen, the budget moves": [under(EVERYTHING, flops) for flops in BUDGETS],
    }


def row(what: str, states: list[State], ask: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Times of asking for each state once, after one that warms up."""
    ask(write_link(replace(states[0], cached_tokens=1, ocr_percent=1), OFFER))
    wall, cpu, inside = [], [], []
    for state in states:
        query = write_link(state, OFFER)
        start, start_cpu = time.perf_counter(), time.process_time()
        found = ask(query)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
        inside.append(found["computed_in_s"])
        if found["view"]["message"] or found["complaints"]:
            raise SystemExit(f"{query}: {found['view']['message'] or found['complaints']}")
    result: dict[str, Any] = {
        "what": what,
        "states": len(states),
        "points_drawn": len(found["view"]["chart"]["marks"]),
        "computed_s": {"median": statistics.median(inside), "min": min(inside), "max": max(inside)},
        "http_s": {"median": statistics.median(wall), "min": min(wall), "max": max(wall)},
        "cpu_s": {"median": statistics.median(cpu), "max": max(cpu)},
        "share_under_aim": sum(seconds < AIM_S for seconds in wall) / len(wall),
    }
    say(
        f"{what}: {1e3 * result['http_s']['median']:.0f} ms, at most {1e3 * result['http_s']['max']:.0f} ms "
        f"(CPU {1e3 * result['cpu_s']['median']:.0f} ms)"
    )
    return result


def main() -> None:
    load_before = os.getloadavg()[0]
    with listen(0) as listening:
        port = listening.getsockname()[1]
        server = make_server(OFFER, listening)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        connection = http.client.HTTPConnection(HOST, port)

        def ask(query: str) -> dict[str, Any]:
            connection.request("GET", f"/plan?{query}")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found

        answer("", OFFER)
        rows = [row(what, states, ask) for what, states in cases().items()]
        connection.close()
        server.should_exit = True
        thread.join()
    content = {
        "environment": environment(("numpy", "starlette", "uvicorn")),
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        "load_average": {"before": load_before, "after": os.getloadavg()[0]},
        "aim_s": AIM_S,
        "rows": rows,
    }
    write_result("explore_speed", content)


if __name__ == "__main__":
    main()
