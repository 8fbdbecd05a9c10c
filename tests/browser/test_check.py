"""The receivers' check in a real browser: every way in, on a desk and on a phone, under its own strict policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from issuance_server.rules import utc_now
from issuance_server.verify import status_list
from printing.paper import seal
from protocol.messages import Scope
from tests.browser.check_parts import DESK, PHONE, expect_outcome, served, show
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.verify_parts import HARD_NAMES, CheckedOffice, checked_office, picture, png, resealed, with_second_code

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("browser")]


@dataclass
class Papers:
    """An office, where its check is served, and two papers of it."""

    office: CheckedOffice
    address: str
    paper: bytes
    other: bytes
    hard: bytes  # with names that a comparison of texts easily gets wrong


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Papers]:
    with checked_office(tmp_path_factory.mktemp("check")) as office:
        paper, other = office.issue(), office.issue(scope=Scope.HOUSEHOLD)
        office.rename(HARD_NAMES)
        hard = office.issue(scope=Scope.HOUSEHOLD)
        with served(office.app(utc_now)) as address:
            yield Papers(office, address, paper, other, hard)


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def check_page(browser: Browser, papers: Papers, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The check's page; what it writes to the console, a breach of its policy included, fails the test."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(papers.address)
    yield page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((papers.address, "blob:"))] == []


def test_a_pdf_is_verified_in_the_browser_and_nothing_of_it_is_sent(check_page: Page, papers: Papers) -> None:
    sent: list[str] = []
    check_page.on("request", lambda request: sent.append(f"{request.method} {request.url} {request.post_data or ''}"))
    show(check_page, "paper.pdf", papers.paper)
    expect_outcome(check_page, "genuine")
    expect(check_page.get_by_role("heading", name="有効な証明書です")).to_be_focused()
    expect(check_page.locator(".field", has_text="氏名")).to_contain_text("見本 太郎")
    expect(check_page.get_by_text("内容は発行時点のものです。")).to_be_visible()
    statement = papers.office.keys.read(seal.read_printed(papers.paper)).statement_sha256
    bits = papers.office.trust.status_bits
    path = status_list.path_of(bits, status_list.bucket_of(statement, bits))
    assert [line for line in sent if "/api/" in line or "/status/" in line or line.startswith("POST")] == [
        f"GET {papers.address}/api/keys ",
        f"GET {papers.address}{path} ",
    ]


def test_a_photo_and_its_words_in_english(check_page: Page, papers: Papers) -> None:
    check_page.get_by_role("link", name="English").click()
    turned = picture(papers.other).rotate(3, expand=True, fillcolor=(120, 120, 110))
    show(check_page, "photo.png", png(turned))
    expect_outcome(check_page, "genuine")
    expect(check_page.get_by_role("heading", name="This certificate is genuine and valid")).to_be_visible()
    expect(check_page.get_by_text("SANTOS MARIA")).to_be_visible()
    expect(check_page.get_by_text("Only what stands here is proven.")).to_be_visible()


def test_what_cannot_be_read_is_told_apart(check_page: Page, papers: Papers) -> None:
    white = picture(papers.paper)
    white.paste((255, 255, 255), (0, 0, *white.size))
    foreign = resealed(papers.office, papers.paper, "https://kakunin.example/")
    damaged = resealed(papers.office, papers.paper, seal.read_printed(papers.paper)[:-20])
    for name, data, outcome in (
        ("white.png", png(white), "no_code"),
        ("two.pdf", with_second_code(papers.paper, papers.other), "several_codes"),
        ("notes.txt", b"no picture", "not_a_picture"),
        ("broken.pdf", papers.paper[:400], "not_a_picture"),
        ("foreign.pdf", foreign, "foreign"),
        ("damaged.pdf", damaged, "damaged"),
    ):
        show(check_page, name, data)
        expect_outcome(check_page, outcome)


def test_a_page_that_says_something_else_than_its_seal_is_marked(check_page: Page, papers: Papers) -> None:
    altered = resealed(papers.office, papers.paper, seal.read_printed(papers.paper), name="見本 太朗")
    show(check_page, "altered.pdf", altered)
    expect_outcome(check_page, "text_differs")
    expect(check_page.locator(".differs")).to_have_count(1)
    expect(check_page.locator(".differs")).to_contain_text("見本 太郎")
    expect(check_page.locator(".differs")).to_contain_text("紙面に見当たらない項目")
    swapped = resealed(papers.office, papers.paper, seal.read_printed(papers.other))
    show(check_page, "swapped.pdf", swapped)
    expect_outcome(check_page, "text_differs")


def test_hard_names_are_found_on_their_page(check_page: Page, papers: Papers) -> None:
    show(check_page, "hard.pdf", papers.hard)
    expect_outcome(check_page, "genuine")
    assert check_page.locator("[data-on-page]").first.locator(".value").all_text_contents() == list(HARD_NAMES)


def test_number_and_code_are_typed(check_page: Page, papers: Papers) -> None:
    number, code = papers.office.printed_numbers()
    check_page.get_by_label("発行番号").fill(number)
    check_page.get_by_label("確認コード").fill(code.lower().replace("-", " "))
    check_page.get_by_role("button", name="確認する").click()
    expect_outcome(check_page, "genuine")
    check_page.get_by_label("確認コード").fill(code[:-1] + ("0" if code[-1] != "0" else "1"))
    check_page.get_by_role("button", name="確認する").click()
    expect_outcome(check_page, "not_found")
    assert check_page.url == papers.address + "/"


def test_a_camera_reads_the_paper(papers: Papers, browser: Browser, tmp_path: Path) -> None:
    scene = Image.new("RGB", (1280, 720), (70, 72, 70))
    sheet = picture(papers.paper, 150)
    scene.paste(sheet.crop((0, sheet.height - 640, 1000, sheet.height - 20)), (120, 50))
    film = tmp_path / "film.mjpeg"
    scene.save(film, "JPEG", quality=90)
    chromium = browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=[*FLAGS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"],
    )
    try:
        page = chromium.new_context(permissions=["camera"], viewport={"width": 390, "height": 844}).new_page()
        page.goto(papers.address)
        page.get_by_role("button", name="カメラで読み取る").click()
        expect_outcome(page, "genuine")
        expect(page.locator("video")).to_be_hidden()
        expect(page.get_by_role("button", name="カメラで読み取る")).to_be_visible()
    finally:
        chromium.close()


def test_without_a_camera_the_other_ways_are_named(check_page: Page) -> None:
    check_page.get_by_role("button", name="カメラで読み取る").click()
    expect(check_page.get_by_text("カメラを使えません。")).to_be_visible()


def test_without_a_script_the_number_still_works(browser: Browser, papers: Papers) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(papers.address)
    number, code = papers.office.printed_numbers()
    page.get_by_label("発行番号").fill(number)
    page.get_by_label("確認コード").fill(code)
    page.get_by_role("button", name="確認する").click()
    expect(page.get_by_role("heading", name="有効な証明書です")).to_be_visible()
    assert page.url == papers.address + "/result"
    context.close()
