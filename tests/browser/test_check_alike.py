"""The check in the browser and the check on the server say the same of every code and every status list."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import cbor2
import cwt
import msgspec
import pytest
from playwright.sync_api import Browser, Page

from issuance_server.rules import utc_now
from issuance_server.verify import status_list
from issuance_server.verify.check import Finding, PublishedKeys, Status
from issuance_server.verify.status_list import ListRefused
from printing.paper.records import CertificateKind
from printing.paper.seal import SealSigner
from tests.browser.check_parts import served
from tests.verify_parts import CheckedOffice, checked_office, new_key
from tests.verify_vectors import Forgery

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("browser")]

READ = """
async ([codes, keys, kinds]) => {
  const { read } = await import("/static/seal.js");
  const told = {};
  for (const [name, code] of Object.entries(codes)) {
    const { finding, content, statement, key } = await read(code, keys, kinds);
    told[name] = finding !== "valid" ? { finding } : {
      finding, ...content, key_id: key.key_id, statement: btoa(String.fromCharCode(...statement)),
    };
  }
  return told;
}
"""
LOOK_UP = """
async ([lists, statements, published, bucket, nowS]) => {
  const { lookedUp } = await import("/static/status.js");
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const told = {};
  for (const [name, list] of Object.entries(lists)) {
    told[name] = [];
    for (const statement of statements) {
      try {
        told[name].push((await lookedUp(bytes(list), bytes(statement), published, bucket, nowS)).status);
      } catch (error) {
        told[name].push("refused");
      }
    }
  }
  return told;
}
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedOffice]:
    with checked_office(tmp_path_factory.mktemp("alike")) as made:
        yield made


@pytest.fixture(scope="module")
def blank(office: CheckedOffice, browser: Browser) -> Iterator[Page]:
    with served(office.app(utc_now)) as address:
        page = browser.new_page()
        page.goto(address)
        yield page
        page.close()


def test_every_code_is_judged_alike(blank: Page) -> None:
    forgery = Forgery()
    keys = PublishedKeys(forgery.keys)
    here = {name: _told(keys, code) for name, code in forgery.codes.items()}
    kinds = [kind.value for kind in CertificateKind]
    there = blank.evaluate(READ, [forgery.codes, msgspec.to_builtins(forgery.keys), kinds])
    different = {name: (here[name]["finding"], there[name]["finding"]) for name in here if here[name] != there[name]}
    assert different == {}
    assert {told["finding"] for told in here.values()} == set(Finding)
    assert {told["kind"] for told in here.values() if "kind" in told} == set(kinds)


def _told(keys: PublishedKeys, code: str) -> dict[str, Any]:
    reading = keys.read(code)
    if reading.content is None or reading.key is None:
        return {"finding": reading.finding.value}
    content = reading.content
    return {
        "finding": reading.finding.value,
        "municipality_code": content.municipality_code,
        "kind": content.kind.value,
        "issue_number": content.issue_number,
        "issued_on_jst": content.issued_on_jst.isoformat(),
        "fields": {name: value.split("\n") for name, value in content.fields.items()},
        "key_id": reading.key.key_id,
        "statement": b64encode(reading.statement_sha256).decode(),
    }


def test_every_status_list_is_judged_alike(blank: Page, office: CheckedOffice) -> None:
    now_utc = utc_now()
    bits, bucket = 10, 3
    first = status_list.bounds(bits, bucket)[0]
    papers = [(first[:2] + bytes([number]) + first[3:], status) for number, status in enumerate(list(Status)[1:4])]
    signer, other = office.status_key.signer, new_key()[0]

    def made(**changed: Any) -> bytes:
        values: dict[str, Any] = {
            "bits": bits,
            "bucket": bucket,
            "papers": papers,
            "signer": signer,
            "now_utc": now_utc,
        } | changed
        return status_list.make(**values)

    good = made()
    lists = {
        "good": good,
        "empty": made(papers=[]),
        "of another bucket": made(bucket=4),
        "of fewer bits": made(bits=9),
        "out of date": made(now_utc=now_utc - timedelta(minutes=6)),
        "of a slow clock": made(now_utc=now_utc + timedelta(minutes=4)),
        "of the future": made(now_utc=now_utc + timedelta(minutes=6)),
        "signed by another": made(signer=other),
        "altered": good[:-100] + bytes([good[-100] ^ 1]) + good[-99:],
        "cut short": good[:-1],
        "a seal's key": made(signer=office.signer),
        "nothing": b"",
        "of a later version": of_a_later_version(good, signer, of=papers[0][0]),
    }
    statements = [*(paper for paper, _status in papers), first[:2] + b"\x09" + first[3:], b"\xff" * 32]
    here = {
        name: [_status(office, signed, statement, now_utc) for statement in statements]
        for name, signed in lists.items()
    }
    published = msgspec.to_builtins(msgspec.structs.replace(office.trust, status_bits=bits))
    there = blank.evaluate(
        LOOK_UP,
        [
            {name: b64encode(signed).decode() for name, signed in lists.items()},
            [b64encode(statement).decode() for statement in statements],
            published,
            bucket,
            now_utc.timestamp(),
        ],
    )
    assert there == here
    assert here["good"] == ["provisional", "active", "void", "not_issued", "not_issued"]
    assert here["empty"] == ["not_issued"] * 5
    assert here["of a later version"] == ["refused", "active", "void", "not_issued", "not_issued"]
    assert {name for name, told in here.items() if told == ["refused"] * 5} == set(lists) - {
        "good",
        "empty",
        "of a slow clock",
        "of a later version",
    }


def of_a_later_version(signed: bytes, signer: SealSigner, *, of: bytes) -> bytes:
    """The list with one paper in a status that today's receivers have never heard of."""
    claims = cbor2.loads(cbor2.loads(signed).value[2])
    digests = claims[-70002][2]
    assert digests.pop("provisional") == of[:16]
    digests["replaced"] = of[:16]
    made: bytes = cwt.COSE.new().encode_and_sign(
        cbor2.dumps(claims), signer.key, protected={1: -7, 4: signer.key_id.encode()}
    )
    return made


def _status(office: CheckedOffice, signed: bytes, statement: bytes, now_utc: Any) -> str:
    try:
        found = status_list.read(signed, office.trust.status_keys, bits=10, bucket=3, now_utc=now_utc)
        return found.status(statement).value
    except ListRefused:
        return "refused"


def test_a_paper_s_list_is_found_alike(blank: Page) -> None:
    script = "async ([own, bits]) => (await import('/static/status.js')).pathOf(Uint8Array.from(own), bits).path"
    for bits in (4, 10, 12, 17, 20):
        for statement in (bytes(32), b"\xff" * 32, bytes(range(100, 132))):
            path = blank.evaluate(script, [list(statement), bits])
            assert path == status_list.path_of(bits, status_list.bucket_of(statement, bits))
