"""What tests of the receivers' check share: an office that issues real papers, and forgers with keys of their own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pikepdf
import pypdfium2 as pdfium
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flask import Flask
from PIL import Image

from issuance_server import ledger
from issuance_server.database import open_engine, read
from issuance_server.rules import Clock
from issuance_server.snapshots import Snapshot, open_sealed
from issuance_server.verify.alarms import AlarmBook
from issuance_server.verify.app import create_app
from issuance_server.verify.check import PublishedKeys
from issuance_server.verify.status import StatusBook
from issuance_server.verify.status_key import STATUS_KEY_FILE, create_status_key
from printing.paper import seal
from printing.paper.certificates import render
from protocol.messages import EventKind
from protocol.trust import SealKeyTrust, Trust
from tests.issuing_parts import CODE, MEMBERS, Office, fonts, order_id, payment_id

OTHER_CODE = "999985"
#: Names that a comparison of texts easily gets wrong: compatibility characters, variation sequences, wrapped hyphens.
HARD_NAMES = (
    "\ufa19\ufa11 \u8fba\U000e0102\uf9dc",
    "渡\u9089\U000e010f 葛\U000e0102子",
    "MARIA-FERNANDA-CONCEPCION RAMIREZ-GONZALEZ-DE-LA-CRUZ-Y-VILLANUEVA-SANTILLANA",
    "MÜLLER-LÜDENSCHEIDT Ⅲ ｱｲｳ",
)


def new_key(code: str = CODE, name: str = "見本市") -> tuple[seal.SealSigner, SealKeyTrust]:
    """A new key and what is published of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key_id = seal.key_id_of(public)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    published = SealKeyTrust(
        municipality_code=code, key_id=key_id, public_key_pem=public.decode(), municipality_name=name
    )
    return seal.SealSigner.from_pem(key_id, private), published


class CheckedOffice:
    """An office, the check beside it, a second municipality whose key is published too, and a key out of use."""

    def __init__(self, folder: Path, url: str) -> None:
        self.office = Office(folder, url)
        self.caller = self.office.caller()
        self.other_signer, other = new_key(OTHER_CODE, "となり市")
        self.retired_signer, retired = new_key()
        retired = msgspec.structs.replace(retired, sealed_until_jst=date(2026, 6, 30))
        self.status_key = create_status_key(folder / STATUS_KEY_FILE)
        trust = self.office.keys.trust({CODE: "見本市"})
        self.trust = msgspec.structs.replace(
            trust, seal_keys=(*trust.seal_keys, other, retired), status_keys=(self.status_key.published,)
        )
        self.keys = PublishedKeys(self.trust.seal_keys)
        self.engine = open_engine(self.office.url, read_only=True)
        self.book = StatusBook(self.engine, self.office.keys.check)
        self.alarms = AlarmBook(folder / "alarms.db", self.office.clock)
        self._issued = 0

    @property
    def signer(self) -> seal.SealSigner:
        """The municipality's own key, as a thief would have it."""
        return self.office.keys.seals.signer(CODE, self.office.clock().date())

    def app(self, clock: Clock | None = None) -> Flask:
        """The check; at the office's own time, or at another's who reads its lists by that clock."""
        clock = clock or self.office.clock
        return create_app(lambda: self.trust, self.status_key, lambda: self.book, self.alarms, clock=clock)

    def rename(self, names: tuple[str, ...]) -> None:
        """The household's members get other names."""
        self.office.put(*(msgspec.structs.replace(who, name=name) for who, name in zip(MEMBERS, names, strict=True)))

    def prepare(self, **fields: Any) -> bytes:
        """One more paper, not printed yet; each is of a session of its own."""
        self._issued += 1
        self.caller = self.office.caller(visit=f"{self._issued:032d}")
        return self.office.prepare(self.caller, self._issued, **fields)[1]

    def issue(self, **fields: Any) -> bytes:
        """One more paper, printed."""
        pdf = self.prepare(**fields)
        self.grant()
        self.office.tell(EventKind.PRINTED, order_id=order_id(self._issued), sheets_out=1)
        return pdf

    def grant(self) -> None:
        """The last paper may be printed."""
        self.office.grant(self.caller, self._issued, payment=self._issued)

    def reissue(self) -> bytes:
        """The last paper is paid for, smeared and destroyed; return the one that was printed in its place."""
        spoiled, office = order_id(self._issued), self.office
        fee_yen, sheets = office.order(self._issued).fee_yen, office.order(self._issued).sheets or 0
        paid = {"order_id": spoiled, "payment_id": payment_id(self._issued), "amount_yen": fee_yen}
        office.tell(EventKind.CAPTURED, **paid)
        office.tell(EventKind.SHEETS_DESTROYED, order_id=spoiled, sheets_out=sheets)
        (offer,) = office.issuer.welcome(office.caller(visit=f"{self._issued + 1:032d}")).reissues
        wish = {name: getattr(offer, name) for name in ("scope", "items", "fiscal_year", "kind", "replaces")}
        pdf = self.prepare(**wish)
        office.grant(self.caller, self._issued, payment=self._issued, reserved_yen=0, allocated_yen=0)
        office.tell(EventKind.PRINTED, order_id=order_id(self._issued), sheets_out=sheets)
        return pdf

    def void(self) -> None:
        """The last paper is void, by the terminal's word."""
        self.office.tell(EventKind.ORDER_VOIDED, order_id=order_id(self._issued))

    def snapshot(self, number: int = 1) -> Snapshot:
        """All that one paper says, as the server keeps it."""
        order = self.office.order(number)
        with read(self.office.engine) as connection:
            blob = ledger.snapshot(connection, order.order_id)
        return open_sealed(self.office.vault, order.municipality_code, order.order_id, blob)

    def printed_numbers(self, number: int = 1) -> tuple[str, str]:
        """What is printed on a paper for typing: issue number and check code."""
        issuance = self.snapshot(number).issuance
        return issuance.issue_number, issuance.check_code

    def publish(self, path: Path, trust: Trust | None = None) -> Path:
        path.write_bytes(msgspec.json.encode(trust or self.trust))
        return path

    def close(self) -> None:
        self.engine.dispose()
        self.alarms.close()
        self.office.close()


@contextmanager
def checked_office(folder: Path, url: str = "") -> Iterator[CheckedOffice]:
    office = CheckedOffice(folder, url)
    try:
        yield office
    finally:
        office.close()


def content_of(office: CheckedOffice, pdf: bytes) -> seal.SealContent:
    """What a paper's seal states."""
    return seal.verify(seal.read_printed(pdf), {key.key_id: key.public_key_pem.encode() for key in office.keys.all})


def resealed(office: CheckedOffice, pdf: bytes, seal_text: str, **altered: Any) -> bytes:
    """A paper as it was issued but for what is altered, and with another code, as a forger could draw it."""
    issue_number = content_of(office, pdf).issue_number
    snapshot = office.snapshot(next(n for n in range(1, 100) if office.office.order(n).issue_number == issue_number))
    record = snapshot.certificate
    if name := altered.get("name"):
        first = msgspec.structs.replace(record.people[0], name=name)  # type: ignore[union-attr]  # residence papers here
        record = msgspec.structs.replace(record, people=(first, *record.people[1:]))  # type: ignore[union-attr]  # same
    return render(fonts(), record, snapshot.issuance, seal_text)


def with_second_code(pdf: bytes, other: bytes) -> bytes:
    """A paper with another one's first page, made smaller, stuck onto its own."""
    made = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as paper, pikepdf.open(io.BytesIO(other)) as sticker:
        pikepdf.Page(paper.pages[0]).add_overlay(pikepdf.Page(sticker.pages[0]), pikepdf.Rectangle(0, 400, 300, 820))
        paper.save(made)
    return made.getvalue()


def picture(pdf: bytes, dpi: int = 200) -> Image.Image:
    """The first page as a scanner sees it."""
    document = pdfium.PdfDocument(pdf)
    try:
        drawn: Image.Image = document[0].render(scale=dpi / 72).to_pil()
        return drawn.convert("RGB")
    finally:
        document.close()


def png(image: Image.Image) -> bytes:
    made = io.BytesIO()
    image.save(made, "PNG")
    return made.getvalue()
