from __future__ import annotations

import os

import msgspec
import pytest

from deploy.demo.seal_pictures import round_seal_png
from printing.paper import seal
from printing.paper.records import Certificate, StatedItem, kind_of
from tests.certificate_parts import ADDRESSES, FAMILY, FULL, SAMPLES
from tests.paper_samples import ADDRESS, INDIVIDUAL_NUMBER, ISSUANCE, WATANABE, key_pair, names
from tests.paper_samples_more import (
    ABROAD,
    ALL_STATED,
    DOMICILE,
    INCOME,
    LIVED,
    PAYMENT,
    SEALED,
    STATED_FOREIGN,
    supplementary,
)

replace = msgspec.structs.replace
PRIVATE, PUBLIC = key_pair()
SIGNER = seal.SealSigner.from_pem(seal.key_id_of(PUBLIC), PRIVATE)
LONGEST = replace(ISSUANCE, issue_number="9" * 40)


def _content(record: Certificate) -> seal.SealContent:
    return seal.content_of(record, LONGEST, status_id=os.urandom(16), binding=os.urandom(32), salt=os.urandom(32))


@pytest.mark.parametrize("record", SAMPLES)
def test_seals_prove_what_their_kind_allows_and_no_more(record: Certificate) -> None:
    text = seal.sign(_content(record), SIGNER)
    assert len(text) <= seal.max_seal_chars(record)
    content = seal.verify(text, {SIGNER.key_id: PUBLIC})
    assert content.kind is kind_of(record)
    assert content.fields["names"].split("\n") == list(names(record))
    plain = "".join(content.fields.values())
    for secret in (DOMICILE, INDIVIDUAL_NUMBER, "AB12345678CD", "3770000", "212500", "1985", "昭和", "長男", "佐藤"):
        assert secret not in plain


def test_what_the_paper_is_about_is_proven() -> None:
    assert seal.proven_fields(FULL) == {"names": f"{WATANABE}\n{STATED_FOREIGN.name}", "address": ADDRESS}
    without = replace(FULL, items=ALL_STATED - {StatedItem.ADDRESS}, address=None)
    assert set(seal.proven_fields(without)) == {"names"}
    assert seal.proven_fields(SEALED) == {"names": WATANABE, "address": ADDRESS}
    assert seal.proven_fields(INCOME) == {"names": WATANABE, "fiscal_year": "2025"}
    assert seal.proven_fields(PAYMENT) == {"names": WATANABE, "fiscal_year": "2026"}
    assert set(seal.proven_fields(FAMILY)) == {"names"}
    assert seal.proven_fields(supplementary(LIVED, ABROAD))["address"] == ADDRESS
    assert set(seal.proven_fields(ADDRESSES)) == {"names"}  # not all of them live at one address
    assert set(seal.proven_fields(supplementary(replace(LIVED, addresses=())))) == {"names"}


def test_the_digest_covers_the_registered_seal() -> None:
    other = replace(SEALED, image_png=round_seal_png("渡部", 15.0))
    assert seal.content_digest(SEALED, ISSUANCE, b"a" * 16) != seal.content_digest(other, ISSUANCE, b"a" * 16)
