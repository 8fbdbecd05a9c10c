from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zlib
from datetime import date
from pathlib import Path

import base45
import cbor2
import cwt
import msgspec
import pikepdf
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from printing.paper import seal
from printing.paper.certificates import render
from printing.paper.records import Certificate
from tests.paper_samples import (
    FOREIGN,
    INDIVIDUAL_NUMBER,
    ISSUANCE,
    JAPANESE,
    TAXED,
    WATANABE,
    WITHHELD,
    bare,
    fonts,
    key_pair,
    residence,
)

PRIVATE, PUBLIC = key_pair()
KEY_ID = seal.key_id_of(PUBLIC)
SIGNER = seal.SealSigner.from_pem(KEY_ID, PRIVATE)
KEYS = {KEY_ID: PUBLIC}
STATUS_ID, BINDING, SALT = bytes(range(12)), hashlib.sha256(b"binding").digest(), bytes(range(16))


def content(record: Certificate) -> seal.SealContent:
    return seal.content_of(record, ISSUANCE, status_id=STATUS_ID, binding=BINDING, salt=SALT)


def packed(signed: bytes) -> str:
    text: bytes = base45.b45encode(zlib.compress(signed, 9))
    return seal.SEAL_PREFIX + text.decode("ascii")


def unpacked(text: str) -> bytes:
    return zlib.decompress(base45.b45decode(text.removeprefix(seal.SEAL_PREFIX)))


@pytest.mark.parametrize("record", [residence(JAPANESE), residence(JAPANESE, FOREIGN), TAXED, WITHHELD])
def test_what_was_signed_is_what_is_verified(record: Certificate) -> None:
    text = seal.sign(content(record), SIGNER)
    assert seal.verify(text, KEYS) == content(record)
    assert content(record).issued_on_jst == date(2026, 11, 22)
    assert seal.sign(content(record), SIGNER) != text  # ES256 is random: the seal is an input of rendering


def test_five_people_stay_small() -> None:
    household = residence(*(bare(f"見本 {n}郎") for n in "一二三四五"))
    assert len(unpacked(seal.sign(content(household), SIGNER))) < 440


@pytest.mark.parametrize("record", [residence(bare("一")), residence(*[JAPANESE, FOREIGN] * 5), TAXED, WITHHELD])
def test_no_seal_is_longer_than_was_reckoned(record: Certificate) -> None:
    issuance = msgspec.structs.replace(ISSUANCE, issue_number="9" * 40)
    longest = seal.content_of(record, issuance, status_id=os.urandom(16), binding=os.urandom(32), salt=os.urandom(32))
    assert len(seal.sign(longest, SIGNER)) <= seal.max_seal_chars(record)


def test_allow_list_keeps_the_rest_out_of_the_seal() -> None:
    person = msgspec.structs.replace(JAPANESE, individual_number=INDIVIDUAL_NUMBER)
    record = residence(person, FOREIGN)
    assert seal.proven_fields(record) == {"names": f"{WATANABE}\n{FOREIGN.name}", "address": record.address}
    assert seal.proven_fields(TAXED) == {"names": WATANABE, "fiscal_year": "2025"}
    for sample in (record, TAXED):
        readable = unpacked(seal.sign(content(sample), SIGNER))
        secrets = (
            INDIVIDUAL_NUMBER,
            "AB12345678CD",
            JAPANESE.domicile,
            "1985",
            ISSUANCE.check_code,
            "212500",
            "212,500",
        )
        assert not [secret for secret in secrets if str(secret).encode() in readable]
    assert WATANABE.encode() in unpacked(seal.sign(content(record), SIGNER))


def test_digest_covers_everything_and_is_salted() -> None:
    record = residence(JAPANESE)
    base = seal.content_digest(record, ISSUANCE, SALT)
    assert base == seal.content_digest(residence(JAPANESE), ISSUANCE, SALT)
    older = msgspec.structs.replace(JAPANESE, born_on=date(1985, 4, 4))
    others = [
        seal.content_digest(residence(older), ISSUANCE, SALT),
        seal.content_digest(record, msgspec.structs.replace(ISSUANCE, check_code="X"), SALT),
        seal.content_digest(record, ISSUANCE, SALT[::-1]),
        seal.content_digest(TAXED, ISSUANCE, SALT),
    ]
    assert len({base, *others}) == 5
    with pytest.raises(ValueError, match="128"):
        seal.content_digest(record, ISSUANCE, SALT[:15])


@pytest.mark.parametrize("change", [{"status_id": b"9 bytes.."}, {"binding": b"short"}])
def test_too_little_randomness_is_refused(change: dict[str, bytes]) -> None:
    given_bytes = {"status_id": STATUS_ID, "binding": BINDING, "salt": SALT} | change
    with pytest.raises(msgspec.ValidationError, match=next(iter(change))):
        seal.content_of(TAXED, ISSUANCE, **given_bytes)


def test_a_key_of_another_curve_cannot_sign() -> None:
    private, _public = key_pair(ec.SECP384R1())
    with pytest.raises(ValueError, match="P-384"):
        seal.SealSigner.from_pem("other", private)


def test_unknown_key_is_told_apart() -> None:
    text = seal.sign(content(TAXED), SIGNER)
    with pytest.raises(seal.SealUnknownKey):
        seal.verify(text, {})
    with pytest.raises(seal.SealUnknownKey):
        seal.verify(text, {"another": PUBLIC})


def test_forged_under_a_known_key_id() -> None:
    private, _public = key_pair()
    forger = seal.SealSigner.from_pem(KEY_ID, private)
    with pytest.raises(seal.SealForged):
        seal.verify(seal.sign(content(TAXED), forger), KEYS)


def test_altered_content_is_forged() -> None:
    message = cbor2.loads(unpacked(seal.sign(content(residence(bare("見本 一"))), SIGNER)))
    protected, unprotected, payload, signature = message.value
    altered = payload.replace("見本 一".encode(), "見本 二".encode())
    assert altered != payload
    text = packed(cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected, altered, signature])))
    with pytest.raises(seal.SealForged):
        seal.verify(text, KEYS)


def _mac() -> str:
    key = cwt.COSEKey.from_symmetric_key(b"k" * 32, alg="HS256", kid=KEY_ID)
    return packed(cwt.COSE.new().encode_and_mac(b"x", key, protected={1: 5, 4: KEY_ID.encode()}))


def _signed_rubbish(payload: bytes) -> str:
    protected = {1: -7, 4: KEY_ID.encode()}
    return packed(cwt.COSE.new().encode_and_sign(payload, SIGNER.key, protected=protected))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MDG1:",
        "MDG2:" + "A" * 20,
        "https://kakunin.mihon.example/",
        "MDG1:???",
        "MDG1:ABCDEF",
        packed(b"not cbor"),
        packed(b"\x81" * 8000),  # nested until a stack would end
        packed(b"\xd2\x84\x43\xa1\x81\x01\xa0\x40\x40"),
        packed(cbor2.dumps([1, 2, 3])),
        packed(cbor2.dumps(cbor2.CBORTag(18, []))),
        packed(b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x03"),  # a decimal fraction beyond all bounds
        packed(b"\xc1\x1b\xff\xff\xff\xff\xff\xff\xff\xff"),  # a moment beyond all time
        packed(b"\x00" * 100_000),  # inflates beyond the bound
        seal.sign(content(TAXED), SIGNER)[:-6],
        packed(unpacked(seal.sign(content(TAXED), SIGNER))[:-1]),
        packed(unpacked(seal.sign(content(TAXED), SIGNER)) + b"\x00"),
        seal.sign(content(TAXED), SIGNER) + "\n",
        "MDG1:" + "A" * 5000,
        _mac(),
        _signed_rubbish(b"rubbish"),
        _signed_rubbish(b"\x81" * 7000),
        _signed_rubbish(cbor2.dumps({1: "131130"})),
        _signed_rubbish(cbor2.dumps({1: "131130", 6: 0, 7: b"x" * 12, -70001: ["passport", "1", b"", b"", b"", {}]})),
    ],
)
def test_what_is_built_otherwise_is_unreadable(text: str) -> None:
    with pytest.raises(seal.SealUnreadable):
        seal.verify(text, KEYS)


@pytest.mark.parametrize("parts", [({}, b"payload", None), ({}, None, bytes(64)), ([], b"payload", bytes(64)), ({},)])
def test_a_known_key_s_id_in_front_of_anything_else_is_unreadable(parts: tuple[object, ...]) -> None:
    protected = cbor2.dumps({1: -7, 4: KEY_ID.encode()})
    with pytest.raises(seal.SealUnreadable):
        seal.verify(packed(cbor2.dumps(cbor2.CBORTag(18, [protected, *parts]))), KEYS)


@given(st.text(max_size=300) | st.binary(max_size=300).map(packed))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_verifier(text: str) -> None:
    with pytest.raises(seal.SealError):
        seal.verify(text, KEYS)


@pytest.mark.slow
@pytest.mark.parametrize("dpi", [150, 200, 300])
@pytest.mark.parametrize("record", [residence(JAPANESE), residence(*[JAPANESE, FOREIGN] * 2, JAPANESE), TAXED])
def test_printed_seal_is_read_by_zxing_and_zbar(record: Certificate, dpi: int, tmp_path: Path) -> None:
    text = seal.sign(content(record), SIGNER)
    pdf = render(fonts(), record, ISSUANCE, text)
    assert seal.read_printed(pdf, dpi) == text
    (tmp_path / "paper.pdf").write_bytes(pdf)
    subprocess.run(
        ["pdftoppm", "-r", str(dpi), "-f", "1", "-l", "1", "-gray", "-singlefile", "-png", "paper.pdf", "paper"],
        cwd=tmp_path,
        timeout=30,
        check=True,
    )
    zbar = subprocess.run(
        ["zbarimg", "-q", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", "paper.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert zbar.stdout.strip("\n") == text


def test_the_terminal_needs_no_font_to_read_a_seal() -> None:
    code = "import sys, printing.paper.seal; sys.exit(bool({'printing.paper.page', 'uharfbuzz'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_no_code_and_two_codes_are_unreadable() -> None:
    pdf = render(fonts(), residence(*[bare("見本 一")] * 5), ISSUANCE, "MDG1:TEST")
    assert seal.read_printed(pdf) == "MDG1:TEST"
    second_only, doubled = io.BytesIO(), io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as paper:
        first = pikepdf.Page(paper.pages[0])
        first.add_overlay(paper.pages[0], pikepdf.Rectangle(0, 400, 300, 820))
        paper.save(doubled)
    with pikepdf.open(io.BytesIO(pdf)) as paper:
        del paper.pages[0]
        paper.save(second_only)
    for wrong in (second_only.getvalue(), doubled.getvalue(), b"not a pdf"):
        with pytest.raises(seal.SealUnreadable):
            seal.read_printed(wrong)
