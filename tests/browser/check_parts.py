"""What browser tests of the check share: where it is served, how a file is shown to it, what it answers, and axe."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from playwright.sync_api import FilePayload, Page, expect
from werkzeug.serving import make_server

PHONE, NARROW, DESK = (390, 844), (320, 640), (1280, 900)
_AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_RUN_AXE = """
async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
  (found) => `${found.id}: ${found.nodes.map((node) => node.html).join(" | ").slice(0, 300)}`)
"""


@contextmanager
def served(app: Flask, port: int = 0) -> Iterator[str]:
    """Serve an application on loopback until the block ends."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def show(page: Page, name: str, data: bytes) -> None:
    kind = {"pdf": "application/pdf", "png": "image/png"}.get(name.rpartition(".")[2], "application/octet-stream")
    page.set_input_files("#file", FilePayload(name=name, mimeType=kind, buffer=data))


def expect_outcome(page: Page, outcome: str) -> None:
    expect(page.locator(".answer")).to_have_attribute("data-outcome", outcome, timeout=30_000)
    sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert sideways == 0


def axe_violations(page: Page) -> list[Any]:
    """Return what axe-core finds wrong with the page as it stands.

    The page's own policy lets no foreign script in, so axe is brought in by the debugger, not by an element.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text(encoding="utf-8"))
    found: list[Any] = page.evaluate(_RUN_AXE)
    return found
