"""The pictures of the recommendation page in docs/pictures: `python docs/make_recommendation_pictures.py`.

Needs Chromium with its driver, selenium, pypdfium2 and pillow. The page is that of a plan on an L40S, as
the shipped law gives it.
"""

from __future__ import annotations

import base64
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

import planner

PICTURES = Path(__file__).parent / "pictures"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync",
)  # fmt: skip
LAPTOP, PHONE = (1280, 800), (390, 844)
GAP = 24
DPI = 60


def make_plan() -> planner.Plan:
    """Some of everything that a page can show."""
    return planner.plan(
        budget=planner.Budget(ttft_s=0.03, requests_per_second=12),
        query_tokens=50,
        generated_tokens=32,
        hardware="l40s",
        price_per_hour=1.2,
    )


def look(
    browser: Any, page: str, size: tuple[int, int], scheme: str, at: str | None = None, screens: int = 1
) -> Image.Image:
    """What a screen shows from an element on; several screens stand side by side."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen", "features": features})
    view = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
    browser.get(page)
    top = 0 if at is None else browser.execute_script(f"return document.querySelector('{at}').offsetTop")
    shots = []
    for i in range(screens):
        clip = {"x": 0, "y": top + i * size[1], "width": size[0], "height": size[1], "scale": 1}
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        shots.append(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB"))
    return beside(shots)


def beside(pictures: list[Image.Image]) -> Image.Image:
    """Pictures in a row on grey."""
    width = sum(one.width for one in pictures) + GAP * (len(pictures) - 1)
    row = Image.new("RGB", (width, max(one.height for one in pictures)), "#888888")
    left = 0
    for one in pictures:
        row.paste(one, (left, 0))
        left += one.width + GAP
    return row


def printed(browser: Any, page: str) -> Image.Image:
    """All sheets of paper, side by side: the browser's own PDF, drawn by the library with which it shows PDFs."""
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.get(page)
    paper = {"printBackground": True, "preferCSSPageSize": True, "paperWidth": 8.27, "paperHeight": 11.69}
    content = browser.execute_cdp_cmd("Page.printToPDF", paper)
    sheets = pypdfium2.PdfDocument(base64.b64decode(content["data"]))
    return beside([sheet.render(scale=DPI / 72).to_pil().convert("RGB") for sheet in sheets])


def keep(picture: Image.Image, name: str) -> None:
    """Write a small PNG."""
    picture.quantize(128).save(PICTURES / f"recommendation-{name}.png", optimize=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = planner.write_report(make_plan(), folder / "page.html").as_uri()
        options = Options()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            keep(look(browser, page, LAPTOP, "light"), "laptop")
            keep(look(browser, page, LAPTOP, "dark", at="#pictures"), "dark")
            keep(look(browser, page, PHONE, "light", screens=4), "phone")
            keep(printed(browser, page), "print")
        finally:
            browser.quit()


if __name__ == "__main__":
    main()
