"""The page over HTTP: what it serves, and what it refuses."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
from explore.conftest import Ask
from explore.states import states
from hypothesis import Phase, example, given, settings

import planner
from planner.explore.link import write_link
from planner.explore.offer import make_offer
from planner.explore.state import State

pytest.importorskip("starlette", reason="needs the extra [app]")
from planner.explore.serving.app import answer

OFFER = make_offer()
QUERY = "budget=5TFLOPs&query_tokens=50&generated_tokens=32&law=reasoning&llms=Qwen2.5"


def test_a_plan_comes_back_with_its_link(ask: Ask) -> None:
    reply = ask(f"/plan?{QUERY}")
    found = json.loads(reply.body)
    plan = planner.plan(budget=5e12, query_tokens=50, generated_tokens=32, llms="Qwen2.5")
    assert (reply.status, found["complaints"]) == (200, [])
    assert found["view"]["pick"] == str(plan.best)
    assert sorted(found["link"].split("&")) == sorted(QUERY.split("&"))
    assert found["numbers"]["flops"] == 5e12
    assert found["command"].startswith("vlm-planner plan --budget 5TFLOPs ")
    assert json.loads(ask("/plan").body)["texts"]["query_tokens"] == str(State().query_tokens)


def test_the_plan_can_be_downloaded(ask: Ask) -> None:
    reply = ask(f"/plan.json?{QUERY}")
    plan = planner.plan(budget=5e12, query_tokens=50, generated_tokens=32, llms="Qwen2.5")
    assert reply.status == 200
    assert reply.headers["content-disposition"] == 'attachment; filename="vlm-plan.json"'
    assert json.loads(reply.body) == json.loads(json.dumps(plan.to_dict()))


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(states(OFFER))
@example(State(hardware="h100-sxm", price_per_hour=5.8e299))
def test_every_state_has_an_answer_that_is_json(state: State) -> None:
    """However large the numbers: a plan, or why there is none."""
    found = answer(write_link(state, OFFER), OFFER)
    assert found["complaints"] == ()
    assert bool(found["view"]["message"]) != bool(found["view"]["pick"])
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("name", ["recommendation.html", "recommendation.md"])
def test_the_recommendation_is_that_of_the_plan(ask: Ask, tmp_path: Path, name: str) -> None:
    reply = ask(f"/{name}?{QUERY}")
    plan = planner.plan(budget=5e12, query_tokens=50, generated_tokens=32, llms="Qwen2.5")
    assert reply.status == 200
    assert reply.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert reply.body == planner.write_report(plan, tmp_path / name).read_bytes()


@pytest.mark.parametrize("file", ["plan.json", "recommendation.html", "recommendation.md"])
def test_no_download_of_another_plan_than_that_of_the_link(ask: Ask, file: str) -> None:
    bad, nothing = ask(f"/{file}?budget=much"), ask(f"/{file}?budget=1e9")
    assert (bad.status, nothing.status) == (400, 409)
    assert bad.body.decode().startswith("budget: expected")
    assert nothing.body.decode().startswith("nothing fits 1 GFLOPs")
    assert {"content-disposition"} & (bad.headers.keys() | nothing.headers.keys()) == set()


# ---- nothing from elsewhere --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/app.js", "/chart.js", "/style.css", "/icon.svg"])
def test_the_page_asks_nobody_else(ask: Ask, path: str) -> None:
    reply = ask(path)
    text = reply.body.decode()
    named = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert (reply.status, named) == (200, set())
    assert not re.search(r"@import|url\(|//cdn|src=\"//", text)


@pytest.mark.parametrize("path", ["/", "/plan", "/app.js", "/nothing", "/plan.json?budget=much"])
def test_every_answer_forbids_foreign_scripts_frames_and_copies(ask: Ask, path: str) -> None:
    headers = ask(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert not any(name.startswith("access-control") for name in headers)


def test_the_page_has_no_script_or_style_in_line(ask: Ask) -> None:
    """The policy above would stop it, so that it would not work."""
    text = ask("/").body.decode()
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", text)


# ---- hostile requests --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1", "localhost:1", "[::1]:{port}",
     "127.0.0.1:{port}@evil.example", "0.0.0.0:{port}", ""],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/plan", "/plan.json"])
def test_another_host_is_refused(ask: Ask, port: int, host: str, path: str) -> None:
    """What a browser sends once a foreign name has been rebound to 127.0.0.1."""
    reply = ask(path, headers={"Host": host.format(port=port)})
    assert reply.status in (400, 421)
    assert b"pick" not in reply.body


def test_this_host_goes_by_two_names(ask: Ask, port: int) -> None:
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
        assert ask("/plan", headers={"Host": host}).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1:{port}"])
def test_another_origin_is_refused(ask: Ask, port: int, origin: str) -> None:
    assert ask("/plan", headers={"Origin": origin.format(port=port)}).status == 403
    assert ask("/plan", headers={"Origin": f"http://127.0.0.1:{port}"}).status == 200


def test_a_link_may_be_followed_from_another_site_but_nothing_more(ask: Ask) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(f"/?{QUERY}", headers=followed).status == 200
    assert ask(f"/plan.json?{QUERY}", headers=followed).status == 403
    assert ask("/", headers=followed | {"Sec-Fetch-Dest": "iframe"}).status == 403
    assert ask("/plan", headers=followed | {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}).status == 403
    assert ask("/plan", headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/plan", "/upload", "/gradio_api/upload", "/app.js"])
def test_nothing_is_taken_in(ask: Ask, method: str, path: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="../../x"\r\n\r\nhello\r\n--x--\r\n'
    reply = ask(path, method, {"Content-Type": "multipart/form-data; boundary=x"}, body)
    assert reply.status == 405


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/..%2fpyproject.toml", "/%2e%2e/%2e%2e/etc/passwd", "/app.js/../index.html", "//etc/passwd",
     "/index.html", "/page/index.html", "/static/../../link.py", "/file=/etc/passwd", "/gradio_api/file=/etc/passwd",
     "/plan/../../etc/passwd", "/app.js%00.css", "/..\\..\\etc\\passwd", "/docs", "/openapi.json", "/APP.JS"],
)  # fmt: skip
def test_no_address_is_a_path(ask: Ask, path: str) -> None:
    reply = ask(path)
    assert reply.status == 404
    assert reply.body == b"Not Found"


@pytest.mark.parametrize(
    "key", ["law", "hardware", "llms", "compressor", "precision", "prompt_order", "batch", "budget"]
)
def test_a_path_as_a_value_is_refused_by_name(ask: Ask, tmp_path: Path, key: str) -> None:
    secret = tmp_path / "config.json"
    secret.write_text('{"secret": "swordfish"}', encoding="utf-8")
    for value in (str(secret), str(tmp_path), f"file://{secret}", "http://evil.example/law.json", "../law.json", "cpu"):
        found = json.loads(ask(f"/plan?{key}={value}").body)
        assert len(found["complaints"]) == 1
        assert found["view"]["pick"] == "Qwen1.5-4B with 64 visual tokens"  # that of a fresh page
        assert "swordfish" not in json.dumps(found)
        assert ask(f"/plan.json?{key}={value}").status == 400


def test_what_looks_like_a_page_is_text(ask: Ask) -> None:
    reply = ask("/plan?law=%3Cscript%3Ealert(1)%3C/script%3E")
    assert reply.headers["content-type"] == "application/json"
    assert ask("/plan.json?law=%3Cscript%3E").headers["content-type"].startswith("text/plain")


def test_an_endless_link_is_refused(ask: Ask) -> None:
    assert ask("/plan?llms=" + "x" * 5000).status == 414


def test_it_listens_on_this_host_alone(port: int) -> None:
    """127.0.0.2 is this host too, but not the address that is listened on: a socket on all addresses would answer."""
    with socket.socket() as other:
        other.settimeout(5)
        with pytest.raises(OSError):
            other.connect(("127.0.0.2", port))
