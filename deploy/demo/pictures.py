"""The README's pictures, taken from a real visit: the kiosk before money moves, the paper that came out, its check.

python -m deploy.demo.pictures [FOLDER]      docs/ if not named
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploy.demo import base
from deploy.demo.bring_up import RunningTown, bring_up
from deploy.demo.processes import free_port
from deploy.demo.tray import draw
from deploy.demo.world import World

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--font-render-hinting=none")
SCREEN: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 430, "height": 932}
PAPER_DPI: Final = 80
PAPER_OVERSAMPLING: Final = 3  # the fine lines of the hidden word become an even tint, as the eye sees them
STEP_TIMEOUT_MS: Final = 60_000
PICTURE_MAX_BYTES: Final = 150_000
COLOURS: Final = 96


def take(folder: Path) -> None:
    """Bring a town up, walk the sample visit for the whole household, check its paper, and keep the pictures.

    Errors: PartFailed; playwright's own where a screen does not come.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with bring_up(seed=1, residents=200, kiosk_port=free_port()) as town, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport=SCREEN, reduced_motion="reduce")  # type: ignore[arg-type] # a plain dict
        page = context.new_page()
        page.set_default_timeout(STEP_TIMEOUT_MS)
        expect.set_options(timeout=STEP_TIMEOUT_MS)
        page.goto(town.places[0].kiosk)
        world = town.world()
        _walk_to_confirming(page, town, world)
        _keep(_picture(page), folder / "kiosk.png")
        page.locator("[hx-post='/touch/pay']").click()
        _pay(page, world)
        _screen(page, "TAKE_PAPER")
        paper = world.papers()[-1]
        drawn = Image.open(io.BytesIO(draw(paper, 0, PAPER_DPI * PAPER_OVERSAMPLING)[1]))
        _keep(drawn.convert("RGB").reduce(PAPER_OVERSAMPLING), folder / "paper.png")
        page.locator(".actions .primary").click()
        _screen(page, "IDLE")
        _keep(_check(browser, town, paper), folder / "check.png")
        browser.close()


def _check(browser: Browser, town: RunningTown, paper: Path) -> Image.Image:
    """Be the receiver with a telephone: the answer is the genuine one as soon as printing was confirmed."""
    context = browser.new_context(viewport=PHONE, reduced_motion="reduce")  # type: ignore[arg-type] # a plain dict
    page = context.new_page()
    ends = time.monotonic() + STEP_TIMEOUT_MS / 1000
    while time.monotonic() < ends:
        page.goto(town.check)
        page.set_input_files("#file", paper)
        answer = page.locator(".answer")
        expect(answer).to_be_visible()
        if answer.get_attribute("data-outcome") == "genuine":
            answer.evaluate("answer => window.scrollTo(0, answer.getBoundingClientRect().top + window.scrollY - 12)")
            return _picture(page)
    raise TimeoutError("the paper is not confirmed as printed")


def _picture(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot(caret="initial"))).convert("RGB")


def _walk_to_confirming(page: Page, town: RunningTown, world: World) -> None:
    sample = town.directory.sample
    _screen(page, "IDLE")
    world.put_card(sample)
    _screen(page, "PIN")
    for digit in town.directory.residents[sample].pin:
        page.keyboard.press(digit)
    expect(page.locator(".dot.full")).to_have_count(4)
    page.keyboard.press("Enter")
    _screen(page, "TAKE_CARD")
    world.take_card()
    _screen(page, "CHOOSING")
    page.locator(".offer-actions .button").first.click()
    for option in ("scope-household", "items-relationship", "items-domicile"):
        page.locator(f".tile:has(#{option})").click()
        expect(page.locator(f"#{option}")).to_be_checked()
    page.locator(".actions .primary").click()
    _screen(page, "CONFIRMING")


def _pay(page: Page, world: World) -> None:
    """Insert a coin as soon as the unit is open; before, it falls through."""
    _screen(page, "COLLECTING")
    ends = time.monotonic() + STEP_TIMEOUT_MS / 1000
    while not world.insert_coin(500):
        world.take_cup()
        if time.monotonic() > ends:
            raise TimeoutError("the coin unit does not open")
        page.wait_for_timeout(100)


def _screen(page: Page, state: str) -> None:
    expect(page.locator(f"[data-state={state}]")).to_be_visible()


def _keep(picture: Image.Image, path: Path) -> None:
    """Keep a picture in few colours: it is words, lines, and a seal whose red must not get lost among the greys."""
    small = io.BytesIO()
    picture.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        small, "PNG", optimize=True
    )
    if len(small.getvalue()) > PICTURE_MAX_BYTES:
        raise ValueError(f"{path.name}: {len(small.getvalue())} bytes, more than a README's picture should have")
    path.write_bytes(small.getvalue())


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else base.REPOSITORY / "docs")
