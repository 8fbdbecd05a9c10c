from __future__ import annotations

from datetime import date

import pytest

from printing.paper.certificates.wording import ROWS, WordingRow, wording
from printing.paper.records import CertificateKind
from tests.paper_samples import ISSUANCE


def test_wording_is_the_municipality_s_own_and_the_newest_in_force() -> None:
    kind = CertificateKind.INCOME
    own = WordingRow(kind, "当市の文言", municipality_code="131130", valid_from=date(2021, 1, 1))
    newer = WordingRow(kind, "新しい文言", valid_from=date(2026, 11, 22))
    later = WordingRow(kind, "明日からの文言", valid_from=date(2026, 11, 23))
    other = WordingRow(kind, "他市の文言", municipality_code="999016", valid_from=date(2026, 1, 1))
    assert wording(kind, ISSUANCE, rows=(*ROWS, newer, later, other)).statement == "新しい文言"
    assert wording(kind, ISSUANCE, rows=(*ROWS, newer, own, other)).statement == "当市の文言"
    with pytest.raises(LookupError):
        wording(kind, ISSUANCE, rows=(later, other))
