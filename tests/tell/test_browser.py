"""The page in a real browser: nothing is asked of the network, nothing runs over, everything can be read.

Needs Chromium with its driver and selenium; where one is missing the tests are skipped, but in CI (CI=true), which
installs them, they fail.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import needs_browser, opened
from tell.pages import REQUEST, plan, verdict

import planner
from planner.hardware import find_hardware

_AXE_PLACES = (os.environ.get("AXE_CORE", ""), "/usr/lib/node_modules/axe-core", "/usr/local/lib/node_modules/axe-core")
AXE = next((file for place in _AXE_PLACES if place and (file := Path(place) / "axe.min.js").is_file()), None)
"""The script of axe-core, where npm has put it; AXE_CORE names another folder."""

pytestmark = needs_browser()

REPORTS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "limits": lambda: (plan("limits"), verdict(of="limits")),
    "contested": lambda: (plan("contested"), None),
    "at least": lambda: (plan("at least"), None),
    "released": lambda: (
        planner.plan(
            budget=planner.Budget(ttft="150 ms"), models="released", image="1024x768", hardware="h100-sxm", **REQUEST
        ),
        None,
    ),
    "law": lambda: (planner.load_law("reasoning"), None),
    "cost": lambda: (planner.cost("Qwen2.5-7B", 144, **REQUEST, hardware="l4"), None),
    "verdict": lambda: (verdict(), None),
    "hardware": lambda: (find_hardware("l4"), None),
}
PLANS = ("limits", "contested", "at least")
TEXTS_MIN = {True: 150, False: 40}
"""Pieces of text on the page of a plan, and of anything else."""
SIZES = {"phone": (390, 844), "narrow": (320, 640), "laptop": (1280, 800)}

OVERLAPS = """
const found = [];
for (const svg of document.querySelectorAll('svg[role=img]')) {
  const box = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
  for (const [text, own] of texts) {
    if (own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1 || own.bottom > box.bottom + 1)
      found.push(text + ' runs out of its picture');
  }
  texts.forEach(([one, a], i) => texts.slice(i + 1).forEach(([other, b]) => {
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3) found.push(one + ' covers ' + other);
  }));
}
return found;
"""
CONTRAST = """
function parts(colour) { return colour.match(/[\\d.]+/g).map(Number); }
function light(colour) {
  const [r, g, b] = parts(colour).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function ground(element) {
  for (let one = element; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    if ((parts(colour)[3] ?? 1) > 0) return colour;
  }
  return 'rgb(255, 255, 255)';
}
const found = [];
let seen = 0;
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || element.closest('title, desc')) continue;
  const style = getComputedStyle(element);
  const ink = element.tagName === 'text' ? style.fill : style.color;
  const [low, high] = [light(ink), light(ground(element))].sort((a, b) => a - b);
  const ratio = (high + 0.05) / (low + 0.05);
  seen += 1;
  if (ratio < 4.5) found.push([element.tagName, element.textContent.slice(0, 40), ink, ground(element), ratio]);
}
return [seen, found];
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with opened(tmp_path_factory.mktemp("profile"), (1280, 800)) as found:
        yield found


@pytest.fixture(scope="module", params=REPORTS)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page's file."""
    name = str(request.param)
    thing, measured = REPORTS[name]()
    path = tmp_path_factory.mktemp("plan" if name in PLANS else "other") / "page.html"
    return planner.write_report(thing, path, measured).as_uri()


def of_a_plan(page: str) -> bool:
    return Path(page).parent.name.startswith("plan")


def show(browser: Any, page: str, size: str = "laptop", scheme: str = "light", medium: str = "screen") -> None:
    """Open a page as it is seen on a screen of that size, in that colour scheme."""
    width, height = SIZES[size]
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": features})
    view = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size != "laptop"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
    browser.get(page)


def asked(browser: Any) -> list[str]:
    """Addresses that the browser asked for since this was called last."""
    # its own pages may still be loading: chrome://
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("chrome://", "data:"))]  # which ask nothing of the network


def test_nothing_is_asked_of_the_network_and_nothing_is_complained_of(browser: Any, page: str) -> None:
    asked(browser)
    show(browser, page)
    assert set(asked(browser)) == {page}
    assert browser.get_log("browser") == []
    assert browser.title.startswith("Deployment recommendation: Train ") == of_a_plan(page)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_runs_over_the_side(browser: Any, page: str, size: str) -> None:
    show(browser, page, size)
    width = SIZES[size][0]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    wide = "return [...document.querySelectorAll('h1, p, li, dd, pre, svg')].filter(one => one.getBoundingClientRect()"
    assert browser.execute_script(f"{wide}.right > {width} + 1).map(one => one.outerHTML.slice(0, 80))") == []


@pytest.mark.parametrize("size", SIZES)
def test_no_words_of_a_picture_cover_others(browser: Any, page: str, size: str) -> None:
    show(browser, page, size)
    assert browser.execute_script(OVERLAPS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_told_from_its_ground(browser: Any, page: str, scheme: str) -> None:
    show(browser, page, scheme=scheme)
    seen, faint = browser.execute_script(CONTRAST)
    assert seen > TEXTS_MIN[of_a_plan(page)]
    assert faint == []


def test_print_is_dark_on_white_whatever_the_scheme(browser: Any, page: str) -> None:
    show(browser, page, scheme="dark", medium="print")
    style = "const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]"
    assert browser.execute_script(style) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
    navs = browser.execute_script(
        "return [...document.querySelectorAll('nav')].map(one => getComputedStyle(one).display)"
    )
    assert navs in (["none"], []) and (navs or not of_a_plan(page))
    seen, faint = browser.execute_script(CONTRAST)
    assert seen > TEXTS_MIN[of_a_plan(page)]
    assert faint == []
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF-")


@pytest.mark.skipif(AXE is None, reason="axe-core is not installed: npm install -g axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, page: str, scheme: str) -> None:
    show(browser, page, scheme=scheme)
    assert AXE is not None
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script("const done = arguments[0]; axe.run().then(done)")
    assert len(found["passes"]) > 15
    assert [(one["id"], one["help"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []
