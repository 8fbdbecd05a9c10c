"""A whole visit in a real browser, on real parts: a person at the kiosk's page, the dock beside it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from deploy.demo.bring_up import RunningTown

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("town")]

SLOW_MS = 60_000


def test_a_resident_walks_the_visit_from_card_to_paper(town: RunningTown, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    context.set_default_timeout(SLOW_MS)
    dock = context.new_page()
    said: list[str] = []
    dock.on("console", lambda message: said.append(message.text))
    dock.on("pageerror", lambda error: said.append(str(error)))
    dock.goto(town.places[0].dock)
    kiosk = dock.frame_locator(".kiosk")
    sample = town.directory.sample
    before = town.world().money()

    expect(kiosk.locator("[data-state=IDLE]")).to_be_visible(timeout=SLOW_MS)
    if dock.locator("#take-papers").count():  # of earlier visits to the same town
        dock.locator("#take-papers").click()
        expect(dock.locator("#tray .paper")).to_have_count(0)
    dock.locator(".search").fill(sample)
    dock.locator(".residents button", has_text=sample).first.click()
    expect(kiosk.get_by_text("入力できる回数")).to_be_visible(timeout=SLOW_MS)
    for digit in town.directory.residents[sample].pin:
        kiosk.locator(".key", has_text=digit).click()
    expect(kiosk.locator(".dot.full")).to_have_count(4)
    kiosk.get_by_role("button", name="確認").click()
    expect(kiosk.get_by_role("heading", name="カードをお取りください")).to_be_visible(timeout=SLOW_MS)
    dock.locator("#take-card").click()

    kiosk.get_by_role("button", name="これにする").first.click()
    expect(kiosk.get_by_role("heading", name="この方はあなたですか")).to_be_visible(timeout=SLOW_MS)
    assert "●" in kiosk.locator(".masked").inner_text()
    kiosk.get_by_role("button", name="はい、現金").click()
    expect(kiosk.get_by_role("heading", name="料金を入れてください")).to_be_visible(timeout=SLOW_MS)
    dock.locator(".coin-1000").click()
    expect(kiosk.get_by_role("heading", name="証明書をお取りください")).to_be_visible(timeout=SLOW_MS)

    expect(dock.locator("#tray .paper img")).to_be_visible(timeout=SLOW_MS)
    dock.wait_for_function("() => document.querySelector('#tray .paper img').naturalWidth > 300")
    dock.locator("#tray .paper").first.click()
    expect(dock.locator("#sheets figcaption")).to_have_text(["Sheet 1 of 1, front", "Sheet 1 of 1, back"])
    expect(dock.locator("#sheets img").first).to_be_visible()
    dock.locator("#close").click()
    expect(kiosk.get_by_text("領収書もお取りください。")).to_be_visible(timeout=SLOW_MS)
    dock.locator(".slip").first.click()
    expect(dock.locator("#sheets img")).to_be_visible()
    dock.locator("#close").click()
    dock.locator("#take-slips").click()
    expect(dock.locator(".slip")).to_have_count(0)
    dock.locator("#take-cup").click()
    dock.locator("#take-papers").click()
    kiosk.get_by_role("button", name="受け取りました").click()
    expect(kiosk.locator("[data-state=IDLE]")).to_be_visible(timeout=SLOW_MS)
    context.close()

    after = town.world().money()
    fee_yen = after.inserted_yen - before.inserted_yen - (after.change_yen - before.change_yen)
    assert after.inserted_yen - before.inserted_yen == 1000
    assert 0 < fee_yen < 1000
    assert after.cup_yen == 0
    assert said == []
