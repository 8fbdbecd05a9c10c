"""Codes that every verifier must judge alike: genuine ones of every kind and name, and each way to tamper with them."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any, Final

import base45
import cbor2
import cwt
import msgspec

from printing.paper import seal
from printing.paper.records import Certificate, CertificateKind, kind_of
from protocol.trust import SealKeyTrust
from tests.certificate_parts import SAMPLES
from tests.paper_samples import FOREIGN, ISSUANCE, JAPANESE, TAXED, WITHHELD, bare, residence
from tests.verify_parts import HARD_NAMES, OTHER_CODE, new_key

CODE: Final = ISSUANCE.certifier.municipality_code
#: Everything about a paper that a seal says, and where a name may be hard.
RECORDS: Final[tuple[Certificate, ...]] = (
    residence(JAPANESE, FOREIGN),
    residence(*(bare(name) for name in HARD_NAMES)),
    TAXED,
    WITHHELD,
    *SAMPLES,
)


class Forgery:
    """The municipality's keys, a thief's copy of one, and whoever else signs; `codes` are named by what was done."""

    def __init__(self) -> None:
        self.signer, mine = new_key(CODE)
        self.retired, retired = new_key(CODE)
        self.early, early = new_key(CODE)
        self.neighbour, neighbour = new_key(OTHER_CODE)
        self.stranger, _unpublished = new_key(CODE)
        self.keys: tuple[SealKeyTrust, ...] = (
            msgspec.structs.replace(
                mine, sealed_from_jst=ISSUANCE.issued_on_jst, sealed_until_jst=ISSUANCE.issued_on_jst
            ),
            msgspec.structs.replace(retired, sealed_until_jst=date(2026, 11, 21)),
            msgspec.structs.replace(early, sealed_from_jst=date(2026, 11, 23)),
            neighbour,
        )
        self.content = content(TAXED)
        self.text = seal.sign(self.content, self.signer)
        self.codes: dict[str, str] = {}
        for made in (self._genuine(), self._signed_by_others(), self._built_otherwise(), self._altered()):
            self.codes.update(made)

    def _genuine(self) -> Iterator[tuple[str, str]]:
        for number, record in enumerate(RECORDS):
            yield f"genuine {number} {kind_of(record)}", seal.sign(content(record), self.signer)
        yield "a code with a line feed after it", self.text + "\n"

    def _signed_by_others(self) -> Iterator[tuple[str, str]]:
        yield "another municipality's key", seal.sign(self.content, self.neighbour)
        yield "a retired key", seal.sign(self.content, self.retired)
        yield "a key before its time", seal.sign(self.content, self.early)
        yield "a key that is not published", seal.sign(self.content, self.stranger)
        renamed = replace(self.stranger, key_id=self.signer.key_id)
        yield "a known key's name on another's signature", seal.sign(self.content, renamed)

    def _built_otherwise(self) -> Iterator[tuple[str, str]]:
        """What only the key's holder could sign, or whoever takes a genuine code apart."""
        protected, unprotected, payload, signature = cbor2.loads(unpacked(self.text)).value
        yield "a letter of the content", message(protected, unprotected, payload.replace(b"2026", b"2025"), signature)
        yield "another signature's length", message(protected, unprotected, payload, signature[:-1])
        yield "no signature", message(protected, unprotected, payload, b"")
        yield "no payload", message(protected, unprotected, None, signature)
        yield "three parts", packed(cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected, payload])))
        yield "another tag", packed(cbor2.dumps(cbor2.CBORTag(17, [protected, unprotected, payload, signature])))
        yield "no tag", packed(cbor2.dumps([protected, unprotected, payload, signature]))
        yield "another algorithm", message(cbor2.dumps({1: -35, 4: b"x"}), {}, payload, signature)
        yield "no algorithm", message(cbor2.dumps({4: self.signer.key_id.encode()}), {}, payload, signature)
        yield "no key id", message(cbor2.dumps({1: -7}), {}, payload, signature)
        yield "a key id of text", message(cbor2.dumps({1: -7, 4: self.signer.key_id}), {}, payload, signature)
        yield "a key id beyond ASCII", message(cbor2.dumps({1: -7, 4: "鍵".encode()}), {}, payload, signature)
        yield "an unprotected header", message(protected, {4: b"another"}, payload, signature)
        yield "an unprotected header that is none", message(protected, [], payload, signature)
        yield "something after the message", packed(unpacked(self.text) + b"\x00")
        yield "something after the stream", _text(zlib.compress(unpacked(self.text), 9) + b"\x00")
        yield "another stream's checksum", _text(zlib.compress(unpacked(self.text), 9)[:-1] + b"\x00")
        yield "a flood", packed(b"\x00" * 100_000)
        yield "nothing in the stream", packed(b"")
        yield "deep nesting", packed(b"\x81" * 8000)
        claims = cbor2.loads(payload)
        for name, changed in _claims_changed(claims):
            yield f"signed, but {name}", self._signed(cbor2.dumps(changed))
        yield "signed rubbish", self._signed(b"rubbish")
        yield "signed, but no map", self._signed(cbor2.dumps([1, 2]))
        yield "signed, with something after it", self._signed(payload + b"\x00")

    def _altered(self) -> Iterator[tuple[str, str]]:
        """Each tenth letter of a code becomes another, is lost, or is doubled; pieces are cut off."""
        letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
        chance = random.Random(3)
        for place in range(0, len(self.text), 10):
            other = chance.choice([letter for letter in letters if letter != self.text[place]])
            yield f"letter {place} altered", self.text[:place] + other + self.text[place + 1 :]
            yield f"letter {place} lost", self.text[:place] + self.text[place + 1 :]
            yield f"cut at {place}", self.text[:place]
        yield from {
            "nothing": "",
            "the prefix alone": "MDG1:",
            "another version's prefix": self.text.replace("MDG1:", "MDG2:", 1),
            "small letters": self.text.lower(),
            "a link": "https://kakunin.example/?" + self.text,
            "letters beyond the alphabet": "MDG1:鍵" + self.text[5:],
            "too long": "MDG1:" + "A" * 5000,
            "a space before it": " " + self.text,
        }.items()

    def _signed(self, payload: bytes) -> str:
        protected = {1: -7, 4: self.signer.key_id.encode()}
        return packed(cwt.COSE.new().encode_and_sign(payload, self.signer.key, protected=protected))


def _claims_changed(claims: dict[int, Any]) -> Iterator[tuple[str, dict[int, Any]]]:
    paper = claims[-70001]
    assert paper[0] in set(CertificateKind)
    changes: dict[str, dict[int, Any]] = {
        "no issuer": {1: None},
        "an issuer of five digits": {1: "13113"},
        "an issuer with a line feed": {1: "131130\n"},
        "a date of text": {6: "2026-11-22"},
        "a date beyond all time": {6: 10**15},
        "a status id too short": {7: b"short"},
        "a status id of text": {7: "x" * 12},
        "a kind that nobody issues": {-70001: ["passport", *paper[1:]]},
        "no number": {-70001: [paper[0], "", *paper[2:]]},
        "a number too long": {-70001: [paper[0], "9" * 41, *paper[2:]]},
        "a binding too short": {-70001: [*paper[:2], b"x", *paper[3:]]},
        "a salt too short": {-70001: [*paper[:3], b"x", *paper[4:]]},
        "a digest too short": {-70001: [*paper[:4], b"x", paper[5]]},
        "fields that are none": {-70001: [*paper[:5], "names"]},
        "a field that is no text": {-70001: [*paper[:5], {"names": 1}]},
        "a field beyond the allow-list": {-70001: [*paper[:5], paper[5] | {"domicile": "x"}]},
        "a field of the language's own": {-70001: [*paper[:5], {"__proto__": "x", "constructor": "y"}]},
        "a name that commands a display": {-70001: [*paper[:5], {"names": "\x1b[2K見本"}]},
        "a name that turns the line": {-70001: [*paper[:5], {"names": "見本\u202e太郎"}]},
        "a number of something else": {-70001: [paper[0], "2026-0000001\n有効", *paper[2:]]},
        "an issuer that is a number": {1: 131130},
        "a part too many": {-70001: [*paper, 1]},
        "no paper": {-70001: None},
    }
    for name, changed in changes.items():
        yield name, claims | changed


def content(record: Certificate) -> seal.SealContent:
    return seal.content_of(record, ISSUANCE, status_id=bytes(range(16)), binding=bytes(32), salt=bytes(range(16)))


def message(*parts: object) -> str:
    return packed(cbor2.dumps(cbor2.CBORTag(18, list(parts))))


def packed(signed: bytes) -> str:
    return _text(zlib.compress(signed, 9))


def _text(stream: bytes) -> str:
    text: bytes = base45.b45encode(stream)
    return seal.SEAL_PREFIX + text.decode("ascii")


def unpacked(text: str) -> bytes:
    return zlib.decompress(base45.b45decode(text.removeprefix(seal.SEAL_PREFIX)))
