"""The HTML file: one file that needs nothing else, in good order, and with enough contrast in both schemes."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib import resources
from pathlib import Path

import pytest
from tell.pages import PLANS, Page, plan, verdict

from planner.tell.document import (
    Axis,
    Block,
    Bullets,
    Chart,
    Code,
    Command,
    Document,
    Facts,
    Mark,
    Paragraph,
    Section,
    Table,
    Tick,
    Value,
    foreign,
    line,
    visible,
)
from planner.tell.recommendation import tell
from planner.tell.render import as_text
from planner.tell.render.html import html as html_of

STYLE = (resources.files("planner.tell.render") / "page.css").read_text("utf-8")
AXIS = Axis(("axis",), 1.0, 2.0, (Tick(1.0, Value("1", 1.0, "tick")),))
TEXT_CONTRAST, PICTURE_CONTRAST = 4.5, 3.0  # WCAG 2.2: 1.4.3 and 1.4.11, level AA
TEXT = {
    "ink": ("paper", "panel"),
    "soft": ("paper", "panel"),
    "link": ("paper",),
    "accent": ("paper",),
    "good": ("good-panel", "paper"),
    "warn": ("warn-panel", "paper"),
    "bad": ("bad-panel", "paper"),
}


@pytest.fixture(scope="module", params=PLANS)
def html(request: pytest.FixtureRequest) -> str:
    measured = verdict(of=request.param) if request.param in ("flops", "limits") else None
    return as_text(tell(plan(request.param), measured), ".html")


def test_the_file_needs_nothing_else(html: str) -> None:
    page = Page(html)
    assert page.all("script", "link", "iframe", "object", "embed", "form", "base") == [
        {"rel": "icon", "href": "data:,"}
    ]
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:,")), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"@import|url\(|https?:", STYLE)


def test_it_is_well_formed_and_every_id_is_there_once(html: str) -> None:
    page = Page(html)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        named = attributes.get("aria-labelledby", "").split() + [attributes.get("href", "")[1:]] * (
            "href" in attributes
        )
        assert [name for name in named if name and name not in ids and not name.startswith("ata:")] == []
    for picture in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ElementTree.fromstring(picture)
    body = html[html.index("<body>") : html.index("</html>")]
    ElementTree.fromstring(body)  # every element is closed where it should be


def test_landmarks_headings_and_tables_are_in_order(html: str) -> None:
    page = Page(html)
    assert page.all("html") == [{"lang": "en"}]
    for tag in ("header", "main", "footer", "nav", "h1", "title"):
        assert len(page.all(tag)) == (1 if tag != "title" else len(page.all("title")))
    assert len(page.all("h2")) == 7
    assert not page.all("h3", "h4")
    assert all("scope" in attributes for attributes in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(
        attributes.get("role") == "img" or attributes.get("aria-hidden") == "true" for attributes in page.all("svg")
    )
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_pictures_name_their_axes_with_units_and_hold_their_marks(html: str) -> None:
    for picture in re.findall(r'<svg viewBox="0 0 400 290".*?</svg>', html, re.DOTALL):
        root = ElementTree.fromstring(picture)
        labels = [one.text or "" for one in root.iter("text") if one.get("class") == "label"]
        assert len(labels) == 2
        assert labels[1] in ("predicted error, 1 - score", "average error")
        rings = [one for one in root.iter("circle") if one.get("class") == "ring"]
        assert len(rings) == 1
        for circle in root.iter("circle"):
            assert 0 <= float(circle.get("cx", "-1")) <= 400
            assert 0 <= float(circle.get("cy", "-1")) <= 290


def document(*opening: Block, sections: tuple[Section, ...] = (), tone: str = "") -> Document:
    return Document("law", "A law", ("It falls",), opening, sections, tone=tone)


@pytest.mark.parametrize(("count", "navs"), [(0, 0), (1, 0), (2, 1)])
def test_contents_are_listed_where_there_are_several(count: int, navs: int) -> None:
    sections = tuple(Section(f"part-{i}", f"Part {i}", (Paragraph(("Said.",)),)) for i in range(count))
    page = Page(html_of(document(Paragraph(("First.",)), sections=sections)))
    assert len(page.all("nav")) == navs
    assert [one["href"] for one in page.all("a")] == [f"#part-{i}" for i in range(count)] * navs


def test_rows_stand_in_their_groups_with_their_tones() -> None:
    rows = tuple((line(name), line("1")) for name in "abcd")
    tones, breaks = ("", "bad", "faint", ""), frozenset({0, 2})
    text = html_of(document(Table((), ("", "n"), rows, tones=tones, breaks=breaks, marked=3), tone="bad"))
    page = Page(text)
    assert [one.get("class", "") for one in page.all("tr")] == ["", "", "bad", "faint", "pick"]
    assert len(page.all("tbody")) == 2
    assert page.all("caption") == []
    assert page.all("div")[0]["aria-label"] == "Table"
    assert page.all("h1") == [{"class": "bad"}]
    assert "d <em>(the pick)</em>" in text


@pytest.mark.parametrize("told", ["<b>", "&amp;", "\u202e", "\x1b[0m", "{{ style }}", "{% raw %}", "'\""])
def test_every_text_of_a_document_is_shown_as_it_is(told: str) -> None:
    """In whatever place it stands: the engine escapes all that a template puts out."""
    value, seen = foreign(told, "text"), visible(told)
    mark = Mark(1.5, 1.5, "circle", (told,))
    blocks = (
        Paragraph((value, told, Code(told)), label=told),
        Bullets(((told,),)),
        Facts(((told, (value,)),)),
        Table((told,), ("", told), (((told,), (value,)),), (((told,), (told,)),)),
        Command((told, told), told),
        Chart("c", (told,), (told,), AXIS, AXIS, marks=(mark,), legend=(("dot", (told,)),)),
    )
    sections = (Section("one", told, blocks), Section("two", told, ()))
    text = html_of(Document("law", told, (told,), blocks[:2], sections, opening_title=told))
    page = Page(text)
    ordinary = {"p", "strong", "bdi", "code", "ul", "li", "dl", "div", "dt", "dd", "table", "caption", "span", "svg"}
    assert "b" not in {tag for tag, _ in page.elements}
    assert ordinary <= {tag for tag, _ in page.elements}
    assert text.isprintable() or set(filter(lambda ch: not ch.isprintable(), text)) == {"\n"}
    assert page.text.lower().count(seen.lower()) >= 24


@pytest.mark.parametrize(("tiles", "rows"), [(1, [1]), (5, [5]), (6, [3, 3]), (7, [4, 3]), (8, [4, 4]), (9, [5, 4])])
def test_tiles_stand_in_even_rows(tiles: int, rows: list[int]) -> None:
    text = html_of(document(Facts((("name", ("value",)),) * tiles, large=True)))
    columns = int(text.split('class="figures-large in-')[1].split('"')[0])
    assert [min(columns, tiles - start) for start in range(0, tiles, columns)] == rows
    assert columns == 5 or f".figures-large.in-{columns} {{ --columns: {columns}; }}" in STYLE


@pytest.mark.parametrize(("suffix", "loaded"), [(".md", "[]"), (".html", "['jinja2']")])
def test_a_report_loads_what_its_file_needs(suffix: str, loaded: str, tmp_path: Path) -> None:
    """The engine for HTML alone; neither torch, though a verdict is read, nor what draws pictures."""
    page = tmp_path / f"page{suffix}"
    files = plan("limits").save(tmp_path / "plan.json"), verdict(of="limits").save(tmp_path / "verdict.json")
    script = (
        "import sys, planner\n"
        f"planner.write_report({str(files[0])!r}, {str(page)!r}, {str(files[1])!r})\n"
        "print(sorted(sys.modules.keys() & {'torch', 'transformers', 'matplotlib', 'pandas', 'jinja2'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{loaded}\n"


def scheme(name: str) -> dict[str, str]:
    """The colours of a scheme: the last that the style gives them."""
    light, dark, printed = (block for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL))
    blocks = {"light": [light], "dark": [light, dark], "print": [light, dark, printed]}[name]
    return {key: value for block in blocks for key, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_reckoned_as_the_standard_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", ["light", "dark", "print"])
def test_text_and_pictures_have_contrast(name: str) -> None:
    colours = scheme(name)
    for text, grounds in TEXT.items():
        for ground in grounds:
            assert contrast(colours[text], colours[ground]) >= TEXT_CONTRAST, (text, ground)
    for mark in ("mark", "accent", "soft"):
        assert contrast(colours[mark], colours["paper"]) >= PICTURE_CONTRAST, mark


def test_the_style_uses_no_colour_but_those() -> None:
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", rules) == []
