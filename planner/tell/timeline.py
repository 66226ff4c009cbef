"""A second of an engine as a chart: a bar for each iteration, as wide as it is long and as high as its tokens."""

from __future__ import annotations

import numpy as np

from planner.tell import values as v
from planner.tell.axes import log_axis
from planner.tell.chart import Axis, Bar, Chart, Mark, Rule, Tick
from planner.tell.document import Line, Value, line
from planner.traffic.course import Step
from planner.traffic.timeline import Timeline

_FLOOR = 0.7
"""Tokens at the foot of the bars: an iteration of one token is seen."""
_TICKS = 6


def timeline_chart(told: Timeline) -> Chart:
    """Decode steps below, tokens of prompts above them, a dot where images are encoded."""
    steps = told.steps
    tops = [max(step.decodes + step.prefill_tokens, 1) for step in steps] or [1]
    bars = [bar for step in steps for bar in _bars(told, step)]
    y = log_axis(line("tokens of an iteration"), [_FLOOR, 1.5 * max(tops)], _tokens)
    images = [
        Mark(
            (step.start_s + step.seconds / 2 - told.start_s),
            1.2 * (step.decodes + step.prefill_tokens),
            "dot",
            line(v.count(step.images, "images of an iteration"), " images encoded"),
        )
        for step in steps
        if step.images and step.start_s + step.seconds / 2 <= told.start_s + told.seconds
    ]
    budget = told.token_budget
    rule = Rule(float(budget), line("at most ", v.count(budget, "tokens of an iteration"), " tokens"), "y")
    legend = [
        ("decode", line("decode steps, a token of each sequence")),
        ("prefill", line("tokens of prompts")),
        *([("dot", line("images are encoded"))] if images else []),
    ]
    return Chart(
        key="timeline",
        caption=line("A second of one engine: its iterations, simulated request by request"),
        alt=_told(told),
        x=_seconds(told.seconds),
        y=y,
        marks=tuple(images),
        bars=tuple(bars),
        rules=(rule,),
        legend=tuple(legend),
    )


def _bars(told: Timeline, step: Step) -> list[Bar]:
    start = step.start_s - told.start_s
    end, decodes = min(start + step.seconds, told.seconds), float(step.decodes)
    found = [Bar(start, end, _FLOOR, decodes, "decode")] if decodes else []
    if step.prefill_tokens:
        found.append(Bar(start, end, decodes or _FLOOR, decodes + step.prefill_tokens, "prefill"))
    return found


def _seconds(seconds: float) -> Axis:
    places = np.linspace(0.0, seconds, _TICKS).tolist()
    return Axis(line("time"), 0.0, seconds, tuple(Tick(at, _time(at, "on the axis: time")) for at in places))


def _told(told: Timeline) -> Line:
    """How many iterations there are, and what prompts make of their length."""
    prompts = [step.seconds for step in told.steps if step.prefill_tokens]
    alone = [step.seconds for step in told.steps if not step.prefill_tokens]
    found = line(
        "At ", v.significant(told.requests_per_second, "requests per second of one engine", "1/s"),
        " requests per second, ", v.count(len(told.steps), "iterations"), " iterations in ",
        v.seconds(told.seconds, "what is shown"),
    )  # fmt: skip
    if prompts:
        found = line(found, "; ", v.count(len(prompts), "iterations with prompts"), " with prompts take ",
                     _time(float(np.mean(prompts)), "mean of iterations with prompts"), " on average")  # fmt: skip
    if alone:
        found = line(found, "; those of decode steps alone ",
                     _time(float(np.mean(alone)), "mean of iterations without prompts"))  # fmt: skip
    busy = min(sum(prompts) + sum(alone), told.seconds)
    return line(found, ". It is busy ", v.share(busy, told.seconds, "time in which an iteration runs"), " of the time.")


def _time(value: float, what: str) -> Value:
    return v.seconds(value, what)


def _tokens(value: float) -> Value:
    return v.tokens(value, "on the axis: tokens of an iteration")
