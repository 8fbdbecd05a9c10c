"""The two pictures of the README, taken from a real visit: the kiosk before money moves, and the paper that came out.

python -m deploy.demo.pictures [FOLDER]      docs/ if not named
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from deploy.demo import base
from deploy.demo.bring_up import RunningTown, bring_up
from deploy.demo.processes import free_port
from deploy.demo.tray import draw
from deploy.demo.world import World

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--font-render-hinting=none")
SCREEN: Final = {"width": 1280, "height": 800}
PAPER_DPI: Final = 80
STEP_TIMEOUT_MS: Final = 60_000
PICTURE_MAX_BYTES: Final = 150_000
COLOURS: Final = 200


def take(folder: Path) -> None:
    """Bring a town up, walk the sample visit for the whole household, and keep both pictures.

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
        _keep(page.screenshot(), folder / "kiosk.png")
        page.locator(".actions .primary").click()
        _pay(page, world)
        _screen(page, "TAKE_PAPER")
        _keep(draw(world.papers()[-1], 0, PAPER_DPI)[1], folder / "paper.png")
        page.locator(".actions .primary").click()
        _screen(page, "IDLE")
        browser.close()


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


def _keep(png: bytes, path: Path) -> None:
    """Keep a picture in few colours: it is words and lines."""
    small = io.BytesIO()
    few = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(small, "PNG", optimize=True)
    if len(small.getvalue()) > PICTURE_MAX_BYTES:
        raise ValueError(f"{path.name}: {len(small.getvalue())} bytes, more than a README's picture should have")
    path.write_bytes(small.getvalue())


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else base.REPOSITORY / "docs")
