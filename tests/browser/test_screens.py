"""Every screen in a real browser: nothing hangs out, fingers find their targets, and no key press is lost."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from deploy.demo.processes import free_port
from terminal import visit as v
from terminal.app import KioskServer, create_app
from terminal.screens.words import Lang, say
from terminal.visit import State, Visit
from tests.browser.checks import axe_violations, require_fit, require_screen, require_targets
from tests.sample_visits import VISITS, FakeRunner

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("browser")]


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
def kiosk(runner: FakeRunner, page: Page) -> Iterator[Page]:
    """The kiosk's page with a runner that shows what the test says."""
    port, closing = free_port(), threading.Event()
    origin = f"http://127.0.0.1:{port}"
    server = KioskServer(create_app(runner, origin=origin, entry_key="k", closing=closing), port, closing)
    server.start()
    page.goto(f"{origin}/?key=k")
    yield page
    page.goto("about:blank")
    runner.show(VISITS["closed"])  # wakes the stream, which sees that its page is gone
    server.stop()


def show(kiosk: Page, runner: FakeRunner, visit: Visit) -> None:
    """Show a visit that is not on the screen yet, and wait until it is."""
    runner.show(VISITS["closed"] if visit.state is not State.CLOSED else VISITS["idle"])
    expect(kiosk.locator("#screen")).not_to_have_attribute("data-state", str(visit.state))
    runner.show(visit)
    expect(kiosk.locator("#screen")).to_have_attribute("data-state", str(visit.state))


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_every_screen_fits_and_can_be_touched(kiosk: Page, runner: FakeRunner, lang: str) -> None:
    for name, visit in VISITS.items():
        show(kiosk, runner, visit)
        if kiosk.locator("html").get_attribute("lang") != lang:
            kiosk.locator(".language").click()
            expect(kiosk.locator("html")).to_have_attribute("lang", lang)
        require_screen(kiosk, name)


def test_the_options_page_fits_and_can_be_touched(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["choosing"])
    kiosk.get_by_role("button", name="内容を選ぶ").first.click()
    kiosk.locator("label", has_text="個人番号").click()
    expect(kiosk.get_by_text("法律で認められた提出先")).to_be_visible()
    kiosk.locator("label", has_text="選んだ人").click()
    expect(kiosk.get_by_role("heading", name="だれの証明書ですか")).to_be_focused()
    expect(kiosk.locator("label", has_text="山● 花●")).to_be_visible()
    expect(kiosk.get_by_role("alert")).to_have_count(0)
    kiosk.get_by_role("button", name="決める").click()
    expect(kiosk.get_by_role("alert")).to_have_text("1人以上選んでください。")
    require_screen(kiosk, "people")
    kiosk.locator("label", has_text="山● 花●").click()
    expect(kiosk.locator("#members-m1")).to_be_checked()
    kiosk.get_by_role("button", name="決める").click()
    expect(kiosk.locator(".chosen")).to_contain_text("山● 花●")
    require_screen(kiosk, "options")
    kiosk.locator("label", has_text="3通").click()
    expect(kiosk.locator(".total")).to_contain_text("900円")
    kiosk.get_by_role("button", name="この内容で進む").click()
    assert runner.wait_for_posted(1)
    chosen = runner.posted[0]
    assert isinstance(chosen, v.Choose)
    assert (chosen.choice.members, chosen.choice.items, chosen.choice.copies) == (("m1",), ("individual_number",), 3)


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_household_of_nine_with_every_item_fits(kiosk: Page, runner: FakeRunner, lang: str) -> None:
    show(kiosk, runner, VISITS["choosing_nine"])
    if lang == "en":
        kiosk.locator(".language").click()
        expect(kiosk.locator("html")).to_have_attribute("lang", lang)
    kiosk.locator(".offer-actions .button").first.click()
    kiosk.locator(".chosen .button").click()
    kiosk.locator(".tile:has(#items-individual_number)").click()
    expect(kiosk.locator(".details .notice")).to_be_visible()
    require_screen(kiosk, "items")
    kiosk.locator(".actions .primary").click()
    kiosk.locator(".tile:has(#scope-members)").click()
    expect(kiosk.locator(".members .tile")).to_have_count(9)
    require_screen(kiosk, "people")
    for n in range(9):
        kiosk.locator(f".tile:has(#members-m{n})").click()
        expect(kiosk.locator(f"#members-m{n}")).to_be_checked()
        expect(kiosk.locator(".total")).to_contain_text(str(n + 1))
    kiosk.locator(".actions .primary").click()
    expect(kiosk.locator(".chosen")).to_have_count(2)
    require_screen(kiosk, "options")


def test_the_next_person_finds_the_whole_page_in_japanese(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["choosing"])
    kiosk.locator(".language").click()
    expect(kiosk.locator("html")).to_have_attribute("lang", "en")
    runner.show(VISITS["idle"])
    expect(kiosk.get_by_role("heading", name="マイナンバーカードを置いてください")).to_be_visible()
    expect(kiosk.locator("html")).to_have_attribute("lang", "ja")
    expect(kiosk.locator("#more-time")).to_have_text("続ける")


def test_a_keypad_enters_the_pin(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["pin"])
    for key in ("1", "9", "Backspace", "x", "0", "Enter"):
        kiosk.keyboard.press(key)
    expected = [v.PinDigit("1"), v.PinDigit("9"), v.PinCorrect(), v.PinDigit("0"), v.PinOk()]
    assert runner.wait_for_posted(len(expected))
    assert list(runner.posted) == expected


def test_enter_on_a_button_presses_that_button_alone(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["pin"])
    kiosk.get_by_role("button", name="やめる").focus()
    kiosk.keyboard.press("Enter")
    assert runner.wait_for_posted(1)
    assert list(runner.posted) == [v.Cancel()]


def test_no_key_press_is_lost_or_overtaken_while_the_dots_change(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["pin"])
    pressed = "3141592653589793"
    for n, digit in enumerate(pressed):
        kiosk.locator(".key", has_text=digit).click(no_wait_after=True)
        runner.show(Visit(State.PIN, tries_left=3, pin_length=n % 4))
    assert runner.wait_for_posted(len(pressed))
    assert [event.digit for event in runner.posted if isinstance(event, v.PinDigit)] == list(pressed)
    expect(kiosk.locator("#live")).to_have_attribute("aria-label", say("pin_entered", Lang.JA, count=3))


def test_only_the_live_part_changes_while_a_state_lasts(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["collecting"])
    cancel = kiosk.get_by_role("button", name="やめる").element_handle()
    assert cancel
    runner.show(VISITS["collecting_some"])
    expect(kiosk.locator(".left dd")).to_have_text("200円")
    assert cancel.evaluate("element => element.isConnected")


def test_the_last_try_is_asked_about_before_the_pad_comes(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["pin_last_try"])
    expect(kiosk.locator(".pad")).to_have_count(0)
    kiosk.get_by_role("button", name="続ける", exact=True).click()
    assert runner.wait_for_posted(1)
    assert runner.posted[0] == v.ConfirmLastTry()
    runner.show(VISITS["pin_last_try_confirmed"])
    expect(kiosk.locator(".pad")).to_be_visible()


def test_the_options_being_chosen_survive_what_does_not_concern_them(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["choosing"])
    kiosk.get_by_role("button", name="内容を選ぶ").first.click()
    kiosk.locator("label", has_text="世帯全員").click()
    expect(kiosk.locator("#scope-household")).to_be_checked()
    with kiosk.expect_response("**/screen"):
        runner.show(VISITS["choosing"])
    expect(kiosk.locator("#scope-household")).to_be_checked()


def test_a_reload_draws_the_screen_of_now(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["confirming"])
    kiosk.reload()
    expect(kiosk.locator(".masked")).to_have_text("山● 太●")
    expect(kiosk.get_by_role("button", name="はい、300円を支払う")).to_be_visible()


def test_before_the_time_is_over_the_page_asks(kiosk: Page, runner: FakeRunner) -> None:
    kiosk.clock.install()
    show(kiosk, runner, VISITS["choosing"])
    kiosk.clock.fast_forward("00:59")
    expect(kiosk.locator("#warning")).not_to_be_visible()
    kiosk.clock.fast_forward("00:02")
    expect(kiosk.locator("#warning")).to_be_visible()
    assert runner.extended == 0
    with kiosk.expect_response("**/touch/more-time") as answer:
        kiosk.get_by_role("button", name="続ける", exact=True).click()
    assert answer.value.status == 204
    assert runner.extended == 1
    expect(kiosk.locator("#warning")).not_to_be_visible()
    kiosk.clock.fast_forward("00:59")
    expect(kiosk.locator("#warning")).not_to_be_visible()


def test_what_these_checks_are_for_is_found(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["confirming"])
    assert axe_violations(kiosk) == []
    kiosk.locator(".facts dd").first.evaluate("element => element.replaceWith(document.createElement('button'))")
    found = "".join(axe_violations(kiosk))
    assert "button-name" in found
    assert "definition-list" in found
    with pytest.raises(AssertionError):
        require_targets(kiosk)
    kiosk.locator(".masked").evaluate("element => { element.textContent = '山●'.repeat(2000); }")
    with pytest.raises(AssertionError):
        require_fit(kiosk, "a name without end")


def test_a_phone_can_read_the_code_off_the_screen(kiosk: Page, runner: FakeRunner) -> None:
    show(kiosk, runner, VISITS["showing_code"])
    picture = Image.open(io.BytesIO(kiosk.locator("img.code").screenshot()))
    read = zxingcpp.read_barcode(picture)
    assert read is not None
    assert read.text == VISITS["showing_code"].code_url
