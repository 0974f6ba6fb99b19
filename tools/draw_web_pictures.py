"""Draw docs/images/web.jpg and web_phone.jpg: the page of mbu-ops web with the bundled portrait, in headless Chromium.

Run it after a change of the page, with Chromium and the development tools installed: python tools/draw_web_pictures.py
"""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "images"


def edited(page: Page, address: str) -> None:
    """Put a pair of glasses on the sample."""
    page.goto(address)
    page.locator("#sample").click()
    page.locator("#faces img").wait_for()
    page.locator("#gallery .thumbnail-item").nth(6).click()
    page.wait_for_function("document.querySelector('#command textarea')?.value.includes('guide=6')")
    page.locator("#edit").click()
    page.locator("#files a").first.wait_for()
    page.wait_for_timeout(2000)


def save(picture: bytes, name: str, width: int) -> None:
    """Write a picture of the page as a small JPEG file."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.save(PICTURES / name, quality=82, optimize=True, progressive=True)


def main() -> None:
    """Start the page, take its pictures, stop it."""
    command = [sys.executable, "-m", "mbu_ops_cli", "web", "--port", "0", "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        desktop = browser.new_page(viewport={"width": 1280, "height": 900})
        desktop.set_default_timeout(60_000)
        edited(desktop, address)
        save(desktop.screenshot(full_page=True), "web.jpg", 1280)
        phone = browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2)
        phone.set_default_timeout(60_000)
        edited(phone, address)
        phone.evaluate("document.querySelector('#guide').scrollIntoView()")
        phone.wait_for_timeout(500)
        save(phone.screenshot(), "web_phone.jpg", 585)
        process.send_signal(signal.SIGINT)
        print(process.wait(30))
        browser.close()


if __name__ == "__main__":
    main()
