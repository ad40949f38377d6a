"""A real headless Chromium for tests that open pages, and what it has to say of them."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")

DESKTOP, PHONE = 1280, 360
"""Widths in CSS pixels."""


@dataclass
class Opened:
    """A page, what the browser complained of, and what it asked for beside the file itself."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def broken_images(self) -> list[str]:
        """The alternative texts of images that were not decoded."""
        found: list[str] = self.page.evaluate(
            "Promise.all([...document.images].map(i => i.decode().catch(() => 0)))"
            ".then(() => [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt))"
        )
        return found

    def barriers(self) -> list[str]:
        """What axe, a checker of the Web Content Accessibility Guidelines, finds wrong, each with its first place."""
        found = Axe().run(self.page).response["violations"]
        return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in found]


# Of a module, because Playwright keeps an event loop running for as long as it is there.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        # Root may not have Chromium's sandbox; nothing but our own page is opened.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def open_page(browser: Browser, file: Path, *, width: int = DESKTOP) -> Opened:
    """Opens a file as a reader does, with the network in reach of the page."""
    opened = Opened(browser.new_page(viewport={"width": width, "height": 900}))
    page, address = opened.page, file.resolve().as_uri()
    page.on("console", lambda message: opened.complaints.append(message.text))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("data:", address)) else opened.requests.append(request.url),
    )
    page.goto(address, wait_until="load")
    return opened
