"""The check of a whole town: a paper from the printer's tray, at the page that runs beside the issuing server."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from deploy.demo.base import REPOSITORY
from deploy.demo.books import Books
from deploy.demo.bring_up import CHECK_ADDRESS, RunningTown
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import Visitor

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("town")]


def test_a_paper_from_the_tray_is_genuine_at_the_towns_check(
    town: RunningTown, visitor: Visitor, browser: Browser
) -> None:
    outcome = visitor.visit(VisitFile())
    (paper,) = outcome.papers
    books = Books(town.database)
    try:
        books.wait_until_settled([order["order"] for order in outcome.orders])
    finally:
        books.close()

    facts = town.facts()
    arguments = ("verify", str(paper), "--json", "--keys", facts["published_keys"], "--server", facts["check"])
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "madoguchi.py"), *arguments],
        capture_output=True,
        check=False,
        timeout=60,
    )
    told = json.loads(done.stdout)
    assert (done.returncode, told["outcome"]) == (0, "genuine")
    assert told["proven"]["issue_number"] == outcome.orders[0]["issue_number"]

    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(facts["check"])
    page.set_input_files("#file", paper)
    expect(page.locator(".answer")).to_have_attribute("data-outcome", "genuine", timeout=30_000)
    expect(page.locator(".value").first).to_have_text(told["proven"]["fields"]["names"][0])
    context.close()

    log = (town.run / "verify.log").read_text(encoding="utf-8")
    assert '"route": "/status/<int:bits>/<bucket>"' in log
    assert '"outcome"' not in log  # all of it was verified elsewhere
    for secret in (*told["proven"]["fields"]["names"], told["proven"]["issue_number"], "MDG1"):
        assert secret not in log


def test_the_check_stands_apart_from_issuing_and_from_what_papers_print(town: RunningTown) -> None:
    assert town.check != town.server
    assert CHECK_ADDRESS.encode() in (town.run / "server.toml").read_bytes()
    assert town.check.encode() not in (town.run / "server.toml").read_bytes()
    with urllib.request.urlopen(town.check + "/api/keys", timeout=10) as answer:
        told = json.load(answer)
    published = told["seal_keys"]
    trust = json.loads(Path(town.facts()["published_keys"]).read_bytes())
    assert [key["key_id"] for key in published] == [key["key_id"] for key in trust["seal_keys"]]
    assert {key["municipality_name"] for key in published} == {key["municipality_name"] for key in trust["seal_keys"]}
    assert (told["status_keys"], told["status_bits"]) == (trust["status_keys"], trust["status_bits"])
    assert "PRIVATE" not in str(told)
