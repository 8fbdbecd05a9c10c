"""What tests of all certificates share: papers of every kind beside residence and taxation, and what orders say."""

from __future__ import annotations

from datetime import date

from printing.paper.certificates import render, sheets, title
from printing.paper.era import era_date, fiscal_year_words, western_date
from printing.paper.recheck import Expected, Subject
from printing.paper.records import (
    Certificate,
    FamilyRegister,
    IncomeCertificate,
    Issuance,
    ResidenceItemCertificate,
    SealRegistrationCertificate,
    StatedPerson,
    SupplementaryRegisterCopy,
    TaxPaymentCertificate,
    back_of,
)
from tests.paper_samples import ISSUANCE, fonts, front_texts, names
from tests.paper_samples_more import (
    ABROAD,
    ADOPTED,
    FEW_STATED,
    ICHIRO,
    INCOME,
    KATSURAKO,
    LIVED,
    PAYMENT,
    REMOVED,
    REMOVED_BEFORE,
    SEALED,
    SEALED_FOREIGN,
    STATED_FOREIGN,
    STATED_JAPANESE,
    individual,
    register,
    stated,
    supplementary,
)

LONG = "長" * 400
FULL = stated(STATED_JAPANESE, STATED_FOREIGN)
FAMILY = register(ICHIRO, KATSURAKO, REMOVED, ADOPTED)
ADDRESSES = supplementary(ABROAD, LIVED, REMOVED_BEFORE)
SAMPLES: list[Certificate] = [
    FULL,
    FEW_STATED,
    stated(STATED_JAPANESE, STATED_FOREIGN, *[STATED_JAPANESE] * 5),
    SEALED,
    SEALED_FOREIGN,
    INCOME,
    PAYMENT,
    FAMILY,
    register(*[ICHIRO, KATSURAKO, ADOPTED, REMOVED] * 4),
    individual(ADOPTED),
    individual(REMOVED),
    ADDRESSES,
    supplementary(LIVED, everybody=False),
    supplementary(*[LIVED, REMOVED_BEFORE] * 12),
]


def text_of(record: Certificate, issuance: Issuance = ISSUANCE) -> str:
    return "\n".join(front_texts(render(fonts(), record, issuance, "MDG1:TEST")))


def _born_words(person: object) -> str:
    born_on = getattr(person, "born_on", None)
    if born_on is None:
        return "【空欄】"
    western = getattr(person, "foreign", False) or not getattr(person, "born_in_era", True)
    return western_date(born_on) if western else era_date(born_on)


def expected_of(record: Certificate) -> Expected:
    """What an order for this record would say, apart from the drawing."""
    people = getattr(record, "people", (record,))
    address: str | None = None
    domicile: str | None = None
    headings: tuple[str, ...] = (title(record),)
    match record:
        case ResidenceItemCertificate() | SealRegistrationCertificate():
            address = record.address
        case TaxPaymentCertificate():
            address, headings = record.address, (*headings, fiscal_year_words(record.fiscal_year).split("(")[0])
        case IncomeCertificate():
            address, headings = record.address_on_1_january, (*headings, fiscal_year_words(record.fiscal_year))
        case FamilyRegister():
            domicile = record.domicile
        case SupplementaryRegisterCopy():
            domicile = record.domicile or "【省略】"
            headings = (*headings, "(全部)" if record.everybody else "(一部)")
    return Expected(
        people=tuple(
            Subject(
                name=name, born_on=_born_words(person), individual_number=getattr(person, "individual_number", None)
            )
            for name, person in zip(names(record), people, strict=True)
        ),
        address=address,
        domicile=domicile,
        headings=headings,
        issue_number=ISSUANCE.issue_number,
        sheets=sheets(record),
        back=back_of(ISSUANCE),
    )


NOTHING_BUT_NAMES = (
    StatedPerson(name="見本 花子", born_on=date(2004, 9, 30)),
    StatedPerson(name="LEE", born_on=date(1990, 5, 3), foreign=True),
)
