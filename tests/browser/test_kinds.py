"""From the PIN to the confirmation for every kind of document: a real browser, the real runner, fake devices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Page, expect

from deploy.demo.processes import free_port
from printing.paper import seal
from printing.paper.records import CertificateKind
from protocol.messages import AuthenticateAnswer, AuthenticateRequest, Offer, PrepareRequest, Scope
from protocol.trust import Trust
from terminal.app import KioskServer, create_app
from terminal.client import Paper
from terminal.screens.choices import titles
from terminal.screens.words import Lang
from terminal.visit import State
from tests.browser.checks import require_screen
from tests.fakes import FakeServer, page_with_code
from tests.sample_visits import DOMICILE_CODE, EVERY_KIND, MEMBERS, TWO_PLACES
from tests.terminal_rig import Rig

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("browser")]

SLOW_MS = 20_000
HOME_CODE = EVERY_KIND["residence"].municipality_code
OFFERS = {offer.kind: offer for offer in TWO_PLACES}
GO_ON = ".actions .primary"
ITEMS = ".details > fieldset .chosen .button"
DONE = "done"


@dataclass(frozen=True)
class Walk:
    """What is touched after the document itself, and what the server is then asked for."""

    kind: CertificateKind
    touches: tuple[str, ...]
    scope: Scope = Scope.SELF
    members: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    fiscal_year: int | None = None
    copies: int = 1


WALKS = (
    Walk(
        CertificateKind.RESIDENCE,
        ("#scope-household", "#items-relationship", "#items-individual_number"),
        scope=Scope.HOUSEHOLD,
        items=("relationship", "individual_number"),
    ),
    Walk(
        CertificateKind.RESIDENCE_ITEMS,
        ("#scope-members", "#members-m1", "#members-m3", DONE, ITEMS, "#items-sex", "#items-individual_number", DONE),
        scope=Scope.MEMBERS,
        members=("m1", "m3"),
        items=("address", "sex", "individual_number"),
    ),
    Walk(CertificateKind.SEAL_REGISTRATION, ("#copies-2",), copies=2),
    Walk(CertificateKind.INCOME, ("#fiscal_year-2024",), fiscal_year=2024),
    Walk(CertificateKind.TAXATION, ("#copies-5",), fiscal_year=2025, copies=5),
    Walk(CertificateKind.TAX_PAYMENT, (), fiscal_year=2025),
    Walk(CertificateKind.FAMILY_REGISTER, (), scope=Scope.HOUSEHOLD),
    Walk(
        CertificateKind.FAMILY_REGISTER_INDIVIDUAL,
        ("#scope-members", "#members-m0", "#members-m2", DONE),
        scope=Scope.MEMBERS,
        members=("m0", "m2"),
    ),
    Walk(
        CertificateKind.SUPPLEMENTARY_REGISTER,
        ("#scope-household", "#items-domicile"),
        scope=Scope.HOUSEHOLD,
        items=("domicile",),
    ),
)


class EveryKindServer(FakeServer):
    """The fake server of two municipalities that offer every kind; it remembers what it was asked for."""

    def __init__(self, terminal_key: Ed25519PrivateKey) -> None:
        super().__init__(terminal_key)
        self.asked: list[PrepareRequest] = []

    def trust(self) -> Trust:
        one = super().trust()
        keys = (msgspec.structs.replace(one.seal_keys[0], municipality_code=c) for c in (HOME_CODE, DOMICILE_CODE))
        return msgspec.structs.replace(one, seal_keys=tuple(keys))

    def authenticate(self, request: AuthenticateRequest) -> AuthenticateAnswer:
        return msgspec.structs.replace(super().authenticate(request), offers=TWO_PLACES)

    def prepare(self, request: PrepareRequest) -> Paper:
        self.asked.append(request)
        offer, made = OFFERS[request.kind], super().prepare(request)
        prepared = msgspec.structs.replace(
            made.prepared,
            municipality_code=offer.municipality_code,
            municipality_name=offer.municipality_name,
            title=offer.title,
            masked_names=_names(request),
            items=request.items,
            fiscal_year=request.fiscal_year,
            fee_yen=offer.fee_yen,
        )
        return Paper(prepared, made.pdf)

    def paper_pdf(self, binding: bytes, issue_number: str, *, key: Any = None, kind: str = "residence") -> bytes:
        content = seal.SealContent(
            municipality_code=self.asked[-1].municipality_code,
            kind=CertificateKind(kind),
            issue_number=issue_number,
            issued_on_jst=date(2026, 11, 22),
            status_id=b"s" * 10,
            binding=binding,
            salt=b"t" * 16,
            digest=b"d" * 32,
            fields={},
        )
        pem = (key or self._seal_key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return page_with_code(seal.sign(content, seal.SealSigner.from_pem("seal-1", pem)))


def _names(request: PrepareRequest) -> tuple[str, ...]:
    if request.scope is Scope.SELF:
        return (MEMBERS[0].masked_name,)
    return tuple(m.masked_name for m in MEMBERS if request.scope is Scope.HOUSEHOLD or m.ref in request.members)


class EveryKindRig(Rig):
    """A terminal whose server offers every kind."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server: EveryKindServer = EveryKindServer(self.key)
        self.runner = self.build()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[EveryKindRig]:
    made = EveryKindRig(tmp_path)
    made.runner.start()
    yield made
    made.runner.stop()


@pytest.fixture
def kiosk(rig: EveryKindRig, page: Page) -> Iterator[Page]:
    """The kiosk's page over the rig's runner."""
    port, closing = free_port(), threading.Event()
    origin = f"http://127.0.0.1:{port}"
    server = KioskServer(create_app(rig.runner, origin=origin, entry_key="k", closing=closing), port, closing)
    server.start()
    page.set_default_timeout(SLOW_MS)
    page.goto(f"{origin}/?key=k")
    yield page
    page.goto("about:blank")
    server.stop()


def require_state(kiosk: Page, state: State) -> None:
    expect(kiosk.locator("#screen")).to_have_attribute("data-state", str(state), timeout=SLOW_MS)


def to_choosing(kiosk: Page, rig: EveryKindRig, lang: Lang) -> None:
    """From the idle screen over card and PIN to the first question."""
    require_state(kiosk, State.IDLE)
    rig.put_card()
    require_state(kiosk, State.PIN)
    if lang is Lang.EN:
        kiosk.locator(".language").click()
    expect(kiosk.locator("html")).to_have_attribute("lang", lang)
    for digit in "1234":
        kiosk.locator(".key", has_text=digit).click()
    expect(kiosk.locator(".dot.full")).to_have_count(4)
    kiosk.locator("[data-key=ok]").click()
    require_state(kiosk, State.TAKE_CARD)
    rig.take_card()
    require_state(kiosk, State.CHOOSING)


def touch(kiosk: Page, touched: str, title: str) -> None:
    """Touch a tile or a button of the options, and wait until the page has answered."""
    if touched == DONE:
        kiosk.locator(GO_ON).click()
        expect(kiosk.get_by_role("heading", level=1)).to_have_text(title)
    elif touched.startswith("#"):
        kiosk.locator(f".tile:has({touched})").click()
        expect(kiosk.locator(touched)).to_be_checked()
    else:
        kiosk.locator(touched).click()
    expect(kiosk.locator(".htmx-request")).to_have_count(0)


def walk_to_confirming(kiosk: Page, walk: Walk, offer: Offer, title: str, lang: Lang) -> None:
    """From the question of the municipality to the confirmation of one document."""
    kiosk.locator(".place", has_text=offer.municipality_name).click()
    kiosk.locator(".document", has=kiosk.get_by_text(title, exact=True)).click()
    expect(kiosk.get_by_role("heading", level=1)).to_have_text(title)
    require_screen(kiosk, f"{walk.kind}, as offered, {lang}")
    for touched in walk.touches:
        touch(kiosk, touched, title)
        if touched != DONE:
            require_screen(kiosk, f"{walk.kind} after {touched}, {lang}")
    kiosk.locator(GO_ON).click()
    require_state(kiosk, State.CONFIRMING)
    require_screen(kiosk, f"{walk.kind}, confirming, {lang}")


@pytest.mark.parametrize("lang", list(Lang))
def test_every_kind_can_be_walked_from_the_pin_to_the_confirmation(kiosk: Page, rig: EveryKindRig, lang: Lang) -> None:
    to_choosing(kiosk, rig, lang)
    assert {walk.kind for walk in WALKS} == set(CertificateKind)
    for walk in WALKS:
        offer = OFFERS[walk.kind]
        title = titles(offer, lang)["title"]
        assert title
        walk_to_confirming(kiosk, walk, offer, title, lang)

        facts = kiosk.locator(".facts")
        for said in (title, offer.title, offer.municipality_name):
            expect(facts).to_contain_text(said)
        asked = rig.server.asked[-walk.copies :]
        assert [a.kind for a in asked] == [walk.kind] * walk.copies
        got = asked[0]
        assert (got.scope, got.members, got.items, got.fiscal_year) == (
            walk.scope,
            walk.members,
            walk.items,
            walk.fiscal_year,
        )
        expect(kiosk.locator(GO_ON)).to_contain_text(f"{walk.copies * offer.fee_yen:,}")
        kiosk.locator(".actions .button").nth(1).click()  # another choice
        require_state(kiosk, State.CHOOSING)
    assert len(rig.server.asked) == sum(walk.copies for walk in WALKS)
