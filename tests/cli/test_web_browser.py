"""The page of ``mbu-ops web`` in headless Chromium, from the photo to the result."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from mbu_ops.families import get_family

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE = 60_000
"""Milliseconds that a step may take on a busy machine."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install it (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(OPTIONS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the page, and stop it as Ctrl-C does while a window still shows it: then nothing of it is left."""
    folder = tmp_path_factory.mktemp("temporary")
    process = subprocess.Popen(
        [sys.executable, "-c", f"import tempfile; tempfile.tempdir = {str(folder)!r}\n"
         "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
         "from mbu_ops_cli.app import run; raise SystemExit(run(['web', '--port', '0', '--no-open']))"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        yield address
        browser.new_page().goto(address)
        kept = [path.name for path in folder.iterdir()]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert said.strip().endswith("stopped")
    assert "ERROR" not in said
    assert any(name.startswith("mbu-ops-web-") for name in kept)
    assert list(folder.glob("mbu-ops-web-*")) == []


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page in a window of its own, which must load all from there and raise nothing."""
    width, height = getattr(request, "param", (1280, 900))
    opened = browser.new_page(viewport={"width": width, "height": height})
    opened.set_default_timeout(PATIENCE)
    errors: list[str] = []
    own = re.compile(rf"{re.escape(address)}/|data:|blob:")
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda one: errors.extend([] if own.match(one.url) else [one.url]))
    opened.goto(address)
    opened.locator("#edit").wait_for()
    yield opened
    opened.close()
    assert errors == []


def sample() -> Path:
    return Path(str(get_family("faces").samples[0].locate()))


def wait_for_command(page: Page, text: str) -> str:
    page.wait_for_function(
        "text => document.querySelector('#command textarea')?.value.includes(text)", arg=text, timeout=PATIENCE
    )
    return page.locator("#command textarea").input_value()


def pictures(page: Page) -> list[np.ndarray]:
    """The photo before and after, as the page shows them."""
    page.locator("#slider img").nth(1).wait_for()
    shown = [str(one.get_attribute("src")) for one in page.locator("#slider img").all()[:2]]
    return [np.asarray(Image.open(BytesIO(page.request.get(url).body())).convert("RGB"), np.int32) for url in shown]


def test_a_photo_is_edited(page: Page, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    page.set_input_files("#photo input[type=file]", tmp_path / "broken.jpg")
    page.get_by_text("'broken.jpg': expected a JPEG").wait_for()
    page.locator("#photo button[aria-label=Clear]").click()
    page.set_input_files("#photo input[type=file]", sample())
    page.get_by_text("512 x 512 pixels, 1 face found").wait_for()
    page.locator("#thing input").click()
    page.get_by_role("option", name="Smile", exact=True).click()
    wait_for_command(page, ":smile")
    page.locator("#word").get_by_label("Adjust").check()
    page.get_by_label("number input for Strength").fill("-0.5")
    page.keyboard.press("Tab")
    command = wait_for_command(page, "strength=-0.5")
    words = ["adjust:smile,strength=-0.5", "-i", "eileen_collins.jpg", "-o", "eileen_collins-edited.jpg"]
    assert shlex.split(command) == ["mbu-ops", "chain", *words]
    page.locator("#edit").click()
    page.locator("#files a").first.wait_for()
    before, after = pictures(page)
    assert before.shape == after.shape == (512, 512, 3)
    changed = np.abs(before - after).max(2) > 24  # pictures come compressed
    assert changed[60:200, 150:300].any()
    assert not changed[300:].any()


def test_steps_add_up_and_guides_are_chosen_from_pictures(page: Page) -> None:
    page.locator("#gallery .thumbnail-item").nth(7).click()
    wait_for_command(page, "add:glasses,guide=7")
    page.locator("#add").click()
    page.locator("#list").get_by_text("add:glasses,guide=7").wait_for()
    page.locator("#word").get_by_label("Segment").check()
    page.locator("#add").click()
    wait_for_command(page, "add:glasses,guide=7 segment:glasses")
    page.locator("#list").get_by_label("add:glasses,guide=7").uncheck()
    wait_for_command(page, "chain segment:glasses -i")


@pytest.mark.parametrize("page", [(390, 844)], indirect=True)
def test_a_phone_shows_all_of_it(page: Page) -> None:
    page.locator("#sample").click()
    page.locator("#faces img").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#edit").click()
    page.locator("#files a").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for part in ("#photo", "#edit", "#slider", "#command"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
