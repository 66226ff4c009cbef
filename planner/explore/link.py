"""A state <-> the query string of a link, and the same plan as a command.

A link says the budget, the request and the law always, the rest where it is not as on a fresh page:
    ?budget=2TFLOPs&query_tokens=50&generated_tokens=32&law=reasoning
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.explore.offer import MIX, OWN, Offer, mix_text
from planner.explore.settings import Setting, changed, fresh_state, settings_of
from planner.explore.state import State
from planner.planning.deployment import default_batches
from planner.planning.limits import as_option, find_limit
from planner.planning.under_load.asked import STATIC

ALWAYS = ("budget", "query_tokens", "generated_tokens", "law")
PAIRS_MAX = 40


def read_link(query: str, offer: Offer) -> tuple[State, tuple[str, ...]]:
    """The state of a query string, and a sentence for each part that cannot be used and stays as on a fresh page."""
    state, wrong = fresh_state(offer), []
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=PAIRS_MAX)
    except ValueError:
        return state, (f"the link has more than {PAIRS_MAX} parts; none of them is used",)
    settings = settings_of(offer)
    read: dict[Setting, Any] = {}
    seen: set[str] = set()
    for key, text in pairs:
        setting = settings.get(key)
        if setting is None:
            wrong.append(f"the link sets {shown(key)}, which this page does not have; it is left out")
        elif key in seen:
            wrong.append(f"the link sets {key} twice; the first counts")
        else:
            seen.add(key)
            try:
                read[setting] = setting.read(text, offer)
            except InputError as error:
                wrong.append(f"{error}; it stays at {setting.write(setting.of(state)) or 'none'}")
    return changed(state, read), tuple(wrong)


def write_link(state: State, offer: Offer) -> str:
    """The query string of a state, without the question mark; `read_link` gives the state back."""
    fresh, texts = fresh_state(offer), texts_of(state, offer)
    kept = {
        setting.key: texts[setting.key]
        for setting in settings_of(offer).values()
        if setting.key in ALWAYS or setting.of(state) != setting.of(fresh)
    }
    return urlencode(kept, safe=",/")


def texts_of(state: State, offer: Offer) -> dict[str, str]:
    """Every setting as text, by its key."""
    return {key: setting.write(setting.of(state)) for key, setting in settings_of(offer).items()}


def command_of(state: State, offer: Offer) -> str:
    """The command that prints the same plan."""
    texts = texts_of(state, offer)
    parts = ["vlm-planner", "plan"]
    for kind in offer.limits:
        if kind.name in state.limits:
            parts += as_option(kind, state.limits[kind.name])
    given = {"price_per_hour": state.hourly_price, "hardware": state.hardware, "gpus": state.gpus_in_all}
    for key, value in given.items():
        if value is not None:
            parts += [f"--{key.replace('_', '-')}", texts[key]]
    parts += _load_words(state, texts)
    parts += ["--query-tokens", texts["query_tokens"], "--generated-tokens", texts["generated_tokens"]]
    if state.cached_tokens:
        parts += ["--cached-tokens", texts["cached_tokens"]]
    batches = offer.batches if state.batch is None else (state.batch,)
    if not (state.carries_load or batches == default_batches(map(find_limit, state.limits)) == (1,)):
        parts += ["--batch", ",".join(map(str, batches))]
    fresh, settings = State(), settings_of(offer)
    for key in ("compressor", "prompt_order", "precision"):
        if settings[key].of(state) != settings[key].of(fresh):
            parts += [f"--{key.replace('_', '-')}", texts[key]]
    for family in state.llms:
        parts += ["--llms", family]
    if state.law == MIX:
        parts += ["--mix", mix_text(state.ocr_percent)]
    elif offer.laws[state.law] is not None and state.law != fresh.law:
        parts += offer.own_words if state.law == OWN else ["--law", state.law]
    return shlex.join(parts)


def _load_words(state: State, texts: Mapping[str, str]) -> list[str]:
    """Options of the load; its rate stands among the limits."""
    fresh, words = State(), list[str]()
    if state.concurrency is not None:
        words += ["--concurrency", texts["concurrency"]]
    if state.load == STATIC:
        words += ["--scheduler", STATIC]
    if state.carries_load and state.percentile != fresh.percentile:
        words += ["--percentile", texts["percentile"]]
    return words
