"""What every kiosk screen must keep: nothing hangs out, fingers find their targets, and axe-core finds nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
TARGET_MM = 12.7
GAP_MM = 2.5
MM_PX = 96 / 25.4
_TARGETS = """() => [...document.querySelectorAll("button, .tile")].filter(e => e.offsetParent).map(e => {
  const r = e.getBoundingClientRect();
  return {name: e.innerText, x: r.x, y: r.y, width: r.width, height: r.height};
})"""
# How far the page can be scrolled, and what words stand out of the box that they belong in.
_OVERFLOW = """() => {
  const m = document.querySelector("main");
  const d = document.documentElement;
  const cut = [...document.querySelectorAll("button, .tile, dd, .notice, h1")]
    .filter(e => e.offsetParent && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1))
    .filter(e => getComputedStyle(e).display !== "inline")
    .map(e => e.innerText);
  return [m.scrollHeight - m.clientHeight, d.scrollWidth - d.clientWidth, d.scrollHeight - d.clientHeight, ...cut];
}"""
_RUN_AXE = """() => axe.run(document).then(found => found.violations.map(
  v => v.id + ": " + v.nodes.map(n => n.target.join(" ")).join(", ")))"""


def require_screen(kiosk: Page, name: str) -> None:
    """The screen of now fits, can be touched, and axe-core has nothing to say."""
    require_fit(kiosk, name)
    require_targets(kiosk)
    violations = axe_violations(kiosk)
    assert violations == [], f"{name}: {violations}"


def require_fit(kiosk: Page, name: str) -> None:
    """Nothing has to be scrolled, and no words stand out of their box."""
    kiosk.wait_for_load_state("load")  # after a change of language the page is drawn anew, first without its styles
    found = kiosk.evaluate(_OVERFLOW)
    assert found == [0, 0, 0], f"{name}: {found}"


def require_targets(kiosk: Page) -> None:
    """Every target measures 12.7 mm each way, and 2.5 mm lie between any two."""
    targets = kiosk.evaluate(_TARGETS)
    for target in targets:
        assert min(target["width"], target["height"]) >= TARGET_MM * MM_PX, target
    for i, a in enumerate(targets):
        for b in targets[i + 1 :]:
            apart_x = max(a["x"], b["x"]) - min(a["x"] + a["width"], b["x"] + b["width"])
            apart_y = max(a["y"], b["y"]) - min(a["y"] + a["height"], b["y"] + b["height"])
            assert max(apart_x, apart_y) >= GAP_MM * MM_PX, (a, b)


def axe_violations(kiosk: Page) -> list[Any]:
    """What axe-core finds on the screen of now, all its rules on; it is brought in past the page's own policy."""
    if not kiosk.evaluate("() => 'axe' in window"):
        kiosk.evaluate(AXE.read_text())
    return list(kiosk.evaluate(_RUN_AXE))
