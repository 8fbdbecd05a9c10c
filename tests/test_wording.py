from __future__ import annotations

from datetime import date

import msgspec
import pytest

from printing.paper.certificates.wording import ROWS, WordingRow, wording
from printing.paper.records import CertificateKind
from tests.paper_samples import ISSUANCE

replace = msgspec.structs.replace


def test_wording_is_the_municipality_s_own_and_the_newest_in_force() -> None:
    kind = CertificateKind.INCOME
    own = WordingRow(
        kind, "当市の文言", municipality_code=ISSUANCE.certifier.municipality_code, valid_from=date(2021, 1, 1)
    )
    newer = WordingRow(kind, "新しい文言", valid_from=date(2026, 11, 22))
    later = WordingRow(kind, "明日からの文言", valid_from=date(2026, 11, 23))
    other = WordingRow(kind, "他市の文言", municipality_code="999016", valid_from=date(2026, 1, 1))
    assert wording(kind, ISSUANCE, rows=(*ROWS, newer, later, other)).statement == "新しい文言"
    assert wording(kind, ISSUANCE, rows=(*ROWS, newer, own, other)).statement == "当市の文言"
    with pytest.raises(LookupError):
        wording(kind, ISSUANCE, rows=(later, other))


def test_every_kind_has_its_words_and_two_have_others_for_a_part() -> None:
    for kind in CertificateKind:
        assert "証明" in wording(kind, ISSUANCE).statement
        parts = {CertificateKind.RESIDENCE, CertificateKind.SUPPLEMENTARY_REGISTER}
        if kind in parts:
            assert wording(kind, ISSUANCE, part=True).statement != wording(kind, ISSUANCE).statement
        else:
            with pytest.raises(LookupError):
                wording(kind, ISSUANCE, part=True)


def test_words_are_looked_up_by_the_date_on_the_certificate() -> None:
    kind = CertificateKind.RESIDENCE
    newer = WordingRow(kind, "新しい文言", valid_from=date(2026, 11, 23), part=True)
    before, after = (replace(ISSUANCE, issued_on_jst=date(2026, 11, day)) for day in (22, 23))
    assert "住民票の原本" in wording(kind, before, part=True, rows=(*ROWS, newer)).statement
    assert wording(kind, after, part=True, rows=(*ROWS, newer)).statement == "新しい文言"
    assert "世帯全員" in wording(kind, after, rows=(*ROWS, newer)).statement
