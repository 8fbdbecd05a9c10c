"""One Chromium for the browser tests of a worker, and pages that fail the test when they complain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
]


#: What `make test` leaves to `make browser-matrix`: it has the other two of these four, so that each word and each
#: width is looked at, though not each with each.
_MATRIX = ({"landscape", "en"}, {"portrait", "ja"}, {"desk", "ja"}, {"narrow", "en"})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what only the matrix runs, before items are chosen by their marks."""
    for item in items:
        chosen = (
            set(item.callspec.id.split("-"))
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else set()
        )
        if item.get_closest_marker("xdist_group") and any(pair <= chosen for pair in _MATRIX):
            item.add_marker(pytest.mark.matrix)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1280, 800), (1080, 1920)], ids=["landscape", "portrait"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a store's screen, lying and standing; what it writes to the console fails the test."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    context.close()
    assert said == []
