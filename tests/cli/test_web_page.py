"""The page of ``mbu-ops web`` over HTTP, as far as no browser is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mbu_ops.families import get_family
from mbu_ops_cli.web import server

testing = pytest.importorskip("starlette.testclient")
ADDRESS = "http://127.0.0.1:7860"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name in (*server.QUIET, "GRADIO_TEMP_DIR"):
            patch.setenv(name, "before")
        with server.private_folder() as folder, testing.TestClient(server.application(folder), ADDRESS) as client:
            yield client


@pytest.fixture(scope="module")
def config(client: Any) -> dict[str, Any]:
    """What Gradio tells the browser of the page."""
    found: dict[str, Any] = client.get("/config").json()
    return found


def test_the_page_asks_no_other_machine_for_anything(client: Any) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    # what the browser would load: fonts, scripts, styles, pictures; links and what describes the page load nothing
    loaded = re.findall(r"""(?:src|<link[^>]*href)=["'](?:https?:)?//([^"'/]+)""", answer.text)
    assert loaded == []
    assert "@import" not in client.get("/theme.css").text
    assert "fonts.g" not in answer.text + client.get("/theme.css").text


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_other_pages_are_refused(client: Any, headers: dict[str, str]) -> None:
    assert client.get("/", headers=headers).status_code == 403
    assert client.post("/gradio_api/upload", files={"files": b"x"}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "path", ["/etc/passwd", str(ROOT / "pyproject.toml"), str(Path(__file__)), "../pyproject.toml"]
)
def test_files_of_this_machine_are_not_served(client: Any, path: str) -> None:
    assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)


def test_an_upload_beyond_the_limit_is_refused(client: Any) -> None:
    long = bytes(server.MAX_BYTES + 1)
    assert client.post("/gradio_api/upload", files={"files": ("long.png", long)}).status_code == 413
    assert client.post("/gradio_api/upload", files={"files": ("short.png", b"x")}).status_code == 200


def test_there_is_nothing_to_call_from_outside(client: Any, config: dict[str, Any]) -> None:
    assert client.get("/gradio_api/info").json() == {"named_endpoints": {}, "unnamed_endpoints": {}}
    assert {event["api_visibility"] for event in config["dependencies"]} == {"private"}
    assert [client.get(path).status_code for path in ("/docs", "/openapi.json", "/gradio_api/mcp/")] == [404, 404, 404]


def test_work_is_done_one_at_a_time(config: dict[str, Any]) -> None:
    assert {event["queue"] for event in config["dependencies"]} == {True, False}


def test_the_page_offers_what_the_families_bring(config: dict[str, Any]) -> None:
    parts = {part["props"].get("elem_id"): part["props"] for part in config["components"]}
    offered = [name for _, name in parts["thing"]["choices"]]
    assert offered[:3] == [attribute.name for attribute in get_family("faces").attributes][:3]
    assert "Edit" in json.dumps(parts["edit"])
