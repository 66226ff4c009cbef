"""The page: its controls, written from the offer into the page's frame."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib import resources

from planner.base.dataclass import dataclass
from planner.explore.offer import MIX, OWN, Offer
from planner.explore.settings import ANY, NONE
from planner.explore.state import NO_LOAD
from planner.hardware import hardware_catalog
from planner.parts.catalog import compressor_catalog
from planner.planning.limits import LimitKind
from planner.planning.under_load.asked import CONTINUOUS, PERCENTILES, STATIC

_STEPS = 1000
_SCALES: dict[str, dict[str, str]] = {
    "most": {"none": "high"},
    "least": {"none": "low"},
    "count": {"zero": ""},
    "whole": {"none": "low", "whole": ""},
    "share": {"linear": "5"},
    "percentile": {"linear": "1"},
}
"""Kind of slider -> what the page's script reads."""


@dataclass(frozen=True)
class Slider:
    """A number with a slider beside it, logarithmic unless it is a share or a percentile."""

    key: str
    title: str
    low: float
    """In `unit`."""
    high: float
    unit: str = ""
    unit_size: float = 1.0
    """Of the unit, in the base unit."""
    kind: str = "most"
    """"most": the right end is no limit; "least": the left end; "whole": likewise, of whole numbers; "count": from 0;
    "share": linear, in steps of 5; "percentile": linear, in steps of 1."""
    placeholder: str = ""
    hint: str = ""
    hint_when: str = ""
    """Setting with the value at which the hint is shown; always by default."""

    field: str = ""
    """Of the answer's numbers; the key by default."""

    @classmethod
    def of(cls, kind: LimitKind) -> Slider:
        """That of a limit."""
        scale = kind.slider
        assert scale is not None, "what is on offer has a slider"
        return cls(
            kind.keyword,
            f"{kind.heading}, at least" if kind.at_least and not kind.of_all_gpus else kind.heading,
            scale.low,
            scale.high,
            scale.unit,
            scale.unit_size,
            kind="least" if kind.at_least else "most",
            placeholder="none" if kind.of_all_gpus else "no limit",
            hint="needs a GPU" if kind.needs else "",
            hint_when="hardware=none" if kind.needs else "",
            field=kind.name,
        )

    def html(self) -> str:
        data: dict[str, object] = {
            "for": self.key,
            "field": self.field or self.key,
            "low": self.low,
            "high": self.high,
            "unit": self.unit,
        }
        data |= {"unit-size": self.unit_size, **_SCALES[self.kind]}
        attributes = " ".join(f'data-{name}="{escape(str(value))}"' for name, value in data.items())
        return (
            f'<div class="control"><label for="{self.key}">{escape(self.title)}</label>'
            f'<input type="text" id="{self.key}" name="{self.key}" placeholder="{escape(self.placeholder)}" '
            f'inputmode="{"text" if self.unit else "numeric"}" maxlength="40">'
            f'<input type="range" min="0" max="{_STEPS}" step="1" aria-label="{escape(self.title)}" {attributes}>'
            f"{_hint(self.hint, self.hint_when)}</div>"
        )


REQUEST = (
    Slider("query_tokens", "Query tokens", 0, 2000, kind="count"),
    Slider("generated_tokens", "Generated tokens", 0, 2000, kind="count"),
    Slider("cached_tokens", "Cached text tokens", 0, 20_000, kind="count", hint="already in the KV cache: no prefill"),
)
CONCURRENCY = Slider(
    "concurrency", "Requests at once", 1, 1000, kind="whole", placeholder="none", hint="the same load, said otherwise"
)
LEAST, MOST = PERCENTILES
PERCENTILE = Slider("percentile", "Percentile that keeps the limits", LEAST, MOST, kind="percentile")
GPUS = Slider("gpus", "GPUs in all", 1, 64, kind="whole", placeholder="as needed")
SCHEDULED = {CONTINUOUS: "continuous batching", STATIC: "static batches"}
HOUR = Slider("price_per_hour", "Price of a GPU hour", 0.1, 20, placeholder="unknown", hint="in any currency")
OCR = Slider("ocr_percent", "Share of reading tasks (OCR), %", 0, 100, kind="share")


def page_of(offer: Offer) -> str:
    """The page for an offer."""
    frame = resources.files(__package__).joinpath("page", "index.html").read_text("utf-8")
    return frame.replace("{{controls}}", "\n".join(_groups(offer)))


def _groups(offer: Offer) -> Iterable[str]:
    rates = [kind for kind in offer.limits if kind.of_all_gpus]
    yield _group("Limits, at most", *(Slider.of(kind).html() for kind in offer.limits if kind not in rates))
    yield _group("Request", *(slider.html() for slider in REQUEST))
    schedulers = [(name, SCHEDULED.get(name, name)) for name in offer.schedulers]
    yield _group(
        "Load",
        *(Slider.of(kind).html() for kind in rates),
        CONCURRENCY.html(),
        _when(f"load=!{NO_LOAD}", _select("scheduler", "Scheduler", schedulers)),
        _when(f"load={CONTINUOUS}", PERCENTILE.html()),
    )
    laws = [(name, _law_title(name, offer)) for name in offer.laws]
    mixed = _when(f"law={MIX}", OCR.html())
    yield _group("Tasks", _select("law", "Law", laws), mixed)
    cards = [(NONE, "none: no times"), *((name, hardware_catalog()[name].title) for name in offer.hardware)]
    batches = [*((str(count), str(count)) for count in offer.batches), (ANY, f"any up to {offer.batches[-1]}")]
    yield _group(
        "Deployment",
        _select("hardware", "GPU", cards),
        _when(f"load=!{CONTINUOUS}", _select("batch", "Batch", batches)),
        _when(f"hardware=!{NONE}", GPUS.html(), HOUR.html()),
        _chips("precision", "Precision of the LLM", offer.precisions, "none chosen: the one that the GPU has"),
    )
    titles = {name: compressor_catalog()[name].title.partition(" (")[0] for name in offer.compressors}
    yield _group(
        "Candidates",
        _chips("llms", "Language models", offer.llms, "none chosen: the family that the law was measured on"),
        _chips("compressor", "Compressor", offer.compressors, "of several the best is picked", titles),
        _chips("prompt_order", "Prompt order", offer.prompt_orders, "text-first: the query pass becomes the prefix"),
    )


def _law_title(name: str, offer: Offer) -> str:
    if name == MIX:
        return "mix of tasks"
    law = offer.laws[name]
    return f"own: {law.name or 'the law file'}" if name == OWN and law is not None else name


def _group(title: str, *parts: str) -> str:
    return f"<fieldset><legend>{escape(title)}</legend>{''.join(parts)}</fieldset>"


def _select(key: str, title: str, choices: Iterable[tuple[str, str]]) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in choices)
    label = f'<label for="{key}">{escape(title)}</label>'
    return f'<div class="control">{label}<select id="{key}" name="{key}">{options}</select></div>'


def _chips(key: str, title: str, names: Iterable[str], hint: str, titles: dict[str, str] | None = None) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" value="{escape(name)}"><span>{escape((titles or {}).get(name, name))}</span>'
        "</label>"
        for name in names
    )
    label = f'<span class="label" id="{key}-label">{escape(title)}</span>'
    group = f'<div class="chips" role="group" data-name="{key}" aria-labelledby="{key}-label">{boxes}</div>'
    return f'<div class="control">{label}{group}{_hint(hint)}</div>'


def _when(condition: str, *parts: str) -> str:
    """Controls that are shown while a setting has a value: "law=mix", "hardware=!none"."""
    return f'<div data-when="{condition}" hidden>{"".join(parts)}</div>'


def _hint(text: str, when: str = "") -> str:
    shown = f' data-when="{when}"' if when else ""
    return f'<p class="hint"{shown}>{escape(text)}</p>' if text else ""
