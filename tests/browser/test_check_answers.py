"""Every answer of the check's page: each tampered file told apart, readable by everybody, connected or not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Response
from playwright.sync_api import Browser, BrowserContext, Page, expect

from issuance_server.rules import utc_now
from issuance_server.verify import words
from issuance_server.verify.check import Outcome
from issuance_server.verify.installed import Installed
from tests.browser.check_parts import DESK, NARROW, axe_violations, expect_outcome, served, show
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.tampered_papers import TAMPERED, Papers
from tests.verify_parts import checked_office

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("browser")]

#: As a browser of some years ago: it cannot inflate, so the server is asked.
OLD_BROWSER = "delete window.DecompressionStream"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Papers]:
    with checked_office(tmp_path_factory.mktemp("answers")) as office:
        yield Papers.of(office)


@pytest.fixture(scope="module")
def files(papers: Papers) -> dict[str, bytes]:
    return {kind: make(papers) for kind, (make, _outcome, _code) in TAMPERED.items()}


@pytest.fixture(scope="module")
def address(papers: Papers) -> Iterator[str]:
    with served(papers.office.app(utc_now)) as where:
        yield where


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": DESK[0], "height": DESK[1]})
    yield made
    made.close()


def named(kind: str) -> str:
    return "notes.txt" if kind == "no paper at all" else "paper.pdf"


@pytest.mark.parametrize("size", [NARROW, DESK], ids=["narrow", "desk"])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_each_tampered_file_is_told_apart_and_axe_finds_nothing(
    browser: Browser, files: dict[str, bytes], address: str, lang: str, size: tuple[int, int]
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    page = context.new_page()
    posted: list[str] = []
    page.on("request", lambda sent: posted.append(sent.url) if sent.method == "POST" else None)
    page.goto(address + ("/en" if lang == "en" else "/"))
    expect(page.locator("#kept")).to_be_visible()
    found: dict[str, list[object]] = {"at first": axe_violations(page)}  # and once an answer, whatever leads to it
    for kind, (_make, outcome, _code) in TAMPERED.items():
        show(page, named(kind), files[kind])
        expect_outcome(page, outcome)
        title = words.WORDS[outcome].title[words.EN if lang == "en" else words.JA]
        expect(page.get_by_role("heading", name=title)).to_be_focused()
        if outcome not in found:
            found[outcome] = axe_violations(page)
    assert {kind: violations for kind, violations in found.items() if violations} == {}
    expect(page.locator("#checked-here")).to_be_visible()
    assert posted == []  # all of it in the browser
    context.close()


def test_axe_would_find_something(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    page.goto(address)
    page.evaluate("document.documentElement.removeAttribute('lang')")
    assert [found.partition(":")[0] for found in axe_violations(page)] == ["html-has-lang"]


def test_an_old_browser_gets_the_same_answers_from_the_server(
    context: BrowserContext, files: dict[str, bytes], address: str
) -> None:
    page = context.new_page()
    page.add_init_script(OLD_BROWSER)
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.method + sent.url.removeprefix(address)))
    page.goto(address)
    looked_at: set[Outcome] = set()
    for kind, (_make, outcome, _code) in TAMPERED.items():
        show(page, named(kind), files[kind])
        expect_outcome(page, outcome)
        if outcome not in looked_at:
            assert axe_violations(page) == []
            looked_at.add(outcome)
    expect(page.get_by_text("二次元コードの内容をこのサイトに送って確認します。")).to_be_visible()
    assert "POST/result" in asked
    assert [line for line in asked if "/status/" in line or "/static/seal.js" in line] == []


def test_server_and_browser_write_the_same_answer(
    context: BrowserContext, files: dict[str, bytes], address: str
) -> None:
    old, new = context.new_page(), context.new_page()
    old.add_init_script(OLD_BROWSER)
    for lang in ("/", "/en"):
        told = []
        for page in (old, new):
            page.goto(address + lang)
            show(page, "paper.pdf", files["untouched"])
            expect_outcome(page, "genuine")
            told.append([page.locator(part).all_inner_texts() for part in (".said", ".proven", ".after")])
        assert told[0] == told[1]


def test_nobody_is_told_of_a_stolen_key_before_somebody_says_so(
    context: BrowserContext, papers: Papers, files: dict[str, bytes], address: str
) -> None:
    page = context.new_page()
    page.goto(address)
    before = sum(alarm.seen for alarm in papers.office.alarms.all())
    show(page, "paper.pdf", files["a stolen key"])
    expect_outcome(page, "not_issued")
    assert sum(alarm.seen for alarm in papers.office.alarms.all()) == before
    page.get_by_role("button", name="運営者に知らせる").click()
    expect(page.get_by_text("運営者に通知しました。")).to_be_visible()
    assert sum(alarm.seen for alarm in papers.office.alarms.all()) == before + 1
    assert axe_violations(page) == []


def test_a_report_that_does_not_arrive_is_not_said_to_have(
    context: BrowserContext, files: dict[str, bytes], address: str
) -> None:
    page = context.new_page()
    page.goto(address + "/en")
    page.route("**/api/report", lambda route: route.abort())
    show(page, "paper.pdf", files["a stolen key"])
    page.get_by_role("button", name="Tell the operator").click()
    expect(page.get_by_text("The operator could not be told.")).to_be_visible()


#: Outcomes that only the ledger knows.
_ASKED = {Outcome.GENUINE, Outcome.VOID, Outcome.REISSUED, Outcome.PROVISIONAL, Outcome.NOT_ISSUED}


def test_without_a_connection_all_but_the_status_is_checked(
    context: BrowserContext, papers: Papers, files: dict[str, bytes]
) -> None:
    with served(papers.office.app(utc_now)) as where:
        page = context.new_page()
        page.goto(where)
        expect(page.locator("#kept")).to_be_visible()
    # Nobody answers at that address any more.
    page.goto(where + "/en")
    for kind in ("untouched", "an old void number", "a stolen key", "not printed yet"):
        show(page, "paper.pdf", files[kind])
        expect_outcome(page, Outcome.SIGNED)
        expect(page.get_by_text("The status could not be asked.")).to_be_visible()
        expect(page.get_by_text("The issuers' public keys are those of 20")).to_be_visible()
    assert axe_violations(page) == []
    for kind, (_make, outcome, _code) in TAMPERED.items():
        if outcome not in _ASKED:
            show(page, named(kind), files[kind])
            expect_outcome(page, outcome)
    page.get_by_label("Issue number").fill("2026-0000001")
    page.get_by_label("Check code").fill("0000-0000-0000-0000")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("The check could not be made.")).to_be_visible()


def test_a_list_that_cannot_be_trusted_is_no_status(
    context: BrowserContext, files: dict[str, bytes], address: str
) -> None:
    page = context.new_page()
    page.goto(address + "/en")
    page.route("**/status/**", lambda route: route.fulfill(body=b"\xd2\x84\x43\xa1\x01\x26\xa0\x40\x40"))
    show(page, "paper.pdf", files["an old void number"])
    expect_outcome(page, Outcome.SIGNED)
    expect(page.get_by_text("cannot be trusted")).to_be_visible()


def test_a_new_version_takes_the_old_ones_place(context: BrowserContext, papers: Papers, tmp_path: Path) -> None:
    static = tmp_path / "static"
    first = papers.office.app(utc_now)
    shutil.copytree(str(first.static_folder), static)
    with (static / "verify.css").open("a", encoding="utf-8") as style:
        style.write("h1 { letter-spacing: 7px; }\n")
    second = papers.office.app(utc_now)
    second.static_folder = str(static)
    page_text = second.test_client().get("/").text
    newer = Installed(second, {"/": page_text})
    second.view_functions["worker"] = lambda: Response(newer.script, content_type="text/javascript")

    with served(first) as where:
        page = context.new_page()
        page.goto(where)
        expect(page.locator("#kept")).to_be_visible()
        expect(page.locator("h1")).to_have_css("letter-spacing", "normal")
    port = int(where.rpartition(":")[2])
    with served(second, port):
        page.goto(where)  # the old version, from what is kept; then the new one takes over by itself
        expect(page.locator("h1")).to_have_css("letter-spacing", "7px", timeout=20_000)
        assert sorted(page.evaluate("caches.keys()")) == [f"check-{newer.version}", "published-keys"]


def test_the_page_can_be_installed(browser: Browser, address: str, tmp_path: Path) -> None:
    chromium = browser.browser_type.launch_persistent_context(  # nothing is installed in a private window
        tmp_path, executable_path=CHROMIUM, args=FLAGS
    )
    try:
        page = chromium.new_page()
        page.goto(address)
        expect(page.locator("#kept")).to_be_visible()
        assert installability_errors(page) == []
        page.evaluate("document.querySelector('link[rel=manifest]').remove()")
        for _ in range(50):  # Chromium looks again when it has time
            if errors := installability_errors(page):
                break
            page.wait_for_timeout(100)
        assert errors == ["no-manifest"]
    finally:
        chromium.close()


def installability_errors(page: Page) -> list[str]:
    told = page.context.new_cdp_session(page).send("Page.getInstallabilityErrors")
    return [error["errorId"] for error in told["installabilityErrors"]]


def test_too_many_typed_codes_are_told_so(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    page.goto(address + "/en")
    page.route("**/result", lambda route: route.fulfill(status=429, body="{}"))
    page.get_by_label("Issue number").fill("2026-0000001")
    page.get_by_label("Check code").fill("0000-0000-0000-0000")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("There were many checks in a short time.")).to_be_visible()
    assert axe_violations(page) == []


def test_keys_alone_lead_through_the_page(context: BrowserContext, papers: Papers, address: str) -> None:
    page = context.new_page()
    page.goto(address)
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.type"
            )
        )
    assert reached[:5] == ["language", "file", "camera", "issue_number", "check_code"]
    number, code = papers.office.printed_numbers(3)
    page.locator("#issue_number").focus()
    page.keyboard.type(number)
    page.keyboard.press("Tab")
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect_outcome(page, "genuine")
    expect(page.get_by_role("heading", name="有効な証明書です")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="この結果を印刷")).to_be_focused()
