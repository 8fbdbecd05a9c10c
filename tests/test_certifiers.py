"""Who certifies: the date on the certificate decides; whoever's seal cannot be drawn is never stored."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec
import pytest

from deploy.demo.seal_pictures import round_seal_png, square_seal_png
from issuance_server import rules
from issuance_server.settings import CertifierSettings, MunicipalitySettings, NoCertifier, certifier_on
from printing.paper.records import Contact
from protocol.errors import ErrorCode, IssueError
from tests.issuing_parts import SETTINGS

replace = msgspec.structs.replace


def row(name: str, valid_from: date, *kinds: str, title: str = "見本市長") -> CertifierSettings:
    return CertifierSettings(
        kinds=kinds,
        valid_from=valid_from,
        office="見本市役所",
        title=title,
        name=name,
        seal_png=square_seal_png("見本市長之印"),
    )


MAYOR = row("見本 一郎", date(2022, 4, 1))
ACTING = row("見本 二郎", date(2026, 3, 1), title="見本市長職務代理者 見本市副市長")
NEXT_MAYOR = row("見本 三郎", date(2026, 4, 20))
WARD_HEAD = row("見本 四郎", date(2024, 4, 1), "residence", "family_register", title="見本市緑区長")
DECIDED = replace(SETTINGS, certifiers=(NEXT_MAYOR, WARD_HEAD, MAYOR, ACTING))


@pytest.mark.parametrize(
    ("kind", "on_jst", "certifier"),
    [
        ("taxation", date(2022, 4, 1), MAYOR),
        ("taxation", date(2026, 2, 28), MAYOR),
        ("taxation", date(2026, 3, 1), ACTING),
        ("taxation", date(2026, 4, 19), ACTING),
        ("taxation", date(2026, 4, 20), NEXT_MAYOR),
        # A ward's head certifies what names the ward's head, whoever is mayor; before the ward, the mayor did.
        ("residence", date(2024, 3, 31), MAYOR),
        ("residence", date(2024, 4, 1), WARD_HEAD),
        ("family_register", date(2026, 5, 1), WARD_HEAD),
    ],
)
def test_the_date_on_the_certificate_decides(kind: str, on_jst: date, certifier: CertifierSettings) -> None:
    assert certifier_on(DECIDED, kind, on_jst) is certifier


def test_nobody_certifies_before_the_first_row() -> None:
    with pytest.raises(NoCertifier, match="taxation: nobody certifies on 2022-03-31"):
        certifier_on(DECIDED, "taxation", date(2022, 3, 31))
    only_ward = replace(SETTINGS, certifiers=(WARD_HEAD,))
    with pytest.raises(NoCertifier):
        certifier_on(only_ward, "taxation", date(2026, 5, 1))
    assert certifier_on(only_ward, "residence", date(2026, 5, 1)) is WARD_HEAD


def test_without_a_certifier_a_document_is_not_offered() -> None:
    today = datetime(2026, 7, 1, 3, tzinfo=UTC).date()
    assert rules.offered(SETTINGS, "residence", today)[0].kind == "residence"
    later = replace(SETTINGS, certifiers=(replace(MAYOR, valid_from=date(2026, 7, 2)),))
    with pytest.raises(IssueError) as caught:
        rules.offered(later, "residence", today)
    assert caught.value.code is ErrorCode.NOT_OFFERED
    assert "certifier" in str(caught.value.detail)


def test_two_certifiers_of_one_document_from_one_day_on_are_refused() -> None:
    for rows in ((MAYOR, replace(MAYOR, name="見本 五郎")), (WARD_HEAD, replace(WARD_HEAD, kinds=("residence",)))):
        with pytest.raises(ValueError, match="two for the same document"):
            replace(SETTINGS, certifiers=rows)


def test_a_contact_is_an_office_and_a_telephone_number() -> None:
    for contact in (Contact(office=" ", telephone="0000-00-0000"), Contact(office="市民課", telephone="")):
        with pytest.raises(ValueError, match="contact"):
            replace(SETTINGS, contact=contact)


def test_settings_of_before_there_was_a_contact_are_still_read() -> None:
    plain = msgspec.to_builtins(DECIDED)
    assert plain.pop("contact") is not None
    assert msgspec.convert(plain, MunicipalitySettings) == replace(DECIDED, contact=None)


def test_settings_come_back_as_they_were_stored() -> None:
    assert msgspec.json.decode(msgspec.json.encode(DECIDED), type=MunicipalitySettings) == DECIDED


@pytest.mark.parametrize(
    ("seal_png", "rule"),
    [
        (b"", "can be read"),
        (round_seal_png("見本", 15.0, dpi=100), "at least 150 dpi"),
        (square_seal_png("見本市長之印", 31.0), "at most 30 mm"),
    ],
)
def test_a_seal_that_cannot_be_drawn_is_refused_when_stored_and_when_loaded(seal_png: bytes, rule: str) -> None:
    with pytest.raises(ValueError, match=f"seal_png: .*{rule}"):
        replace(MAYOR, seal_png=seal_png)
    plain = msgspec.to_builtins(DECIDED)
    plain["certifiers"][2]["seal_png"] = msgspec.to_builtins(seal_png)
    with pytest.raises(msgspec.ValidationError, match=rule) as caught:
        msgspec.json.decode(msgspec.json.encode(plain), type=MunicipalitySettings)
    assert "$.certifiers[2]" in str(caught.value)
