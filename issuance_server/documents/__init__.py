"""From the register to the paper's record: what is printed of what is known. Pure; one module a register.

The value of an item that was not chosen is not put in at all, so that no fault of drawing can print it (S19).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from issuance_server.documents import family_register, residence, seal_registration, tax
from issuance_server.documents.facts import Facts
from issuance_server.register.person import Person
from issuance_server.rules import Asked, Decision
from printing.paper.recheck import Expected
from printing.paper.records import Back, Certificate, CertificateKind

_Record = Callable[[Person, Asked, Decision], Certificate]
_Facts = Callable[[Person, Asked, Decision], Facts]

_BUILDERS: Mapping[CertificateKind, tuple[_Record, _Facts]] = {
    CertificateKind.RESIDENCE: (residence.certificate, residence.facts),
    CertificateKind.RESIDENCE_ITEMS: (residence.item_certificate, residence.item_facts),
    CertificateKind.SEAL_REGISTRATION: (seal_registration.certificate, seal_registration.facts),
    CertificateKind.INCOME: (tax.income, tax.income_facts),
    CertificateKind.TAXATION: (tax.taxation, tax.taxation_facts),
    CertificateKind.TAX_PAYMENT: (tax.payment, tax.payment_facts),
    CertificateKind.FAMILY_REGISTER: (family_register.full, family_register.full_facts),
    CertificateKind.FAMILY_REGISTER_INDIVIDUAL: (family_register.individual, family_register.individual_facts),
    CertificateKind.SUPPLEMENTARY_REGISTER: (family_register.supplementary, family_register.supplementary_facts),
}


def certificate(person: Person, asked: Asked, decision: Decision) -> Certificate:
    """Return the record of the paper that was decided on."""
    return _BUILDERS[decision.kind][0](person, asked, decision)


def expected(
    person: Person, asked: Asked, decision: Decision, *, issue_number: str, sheets: int, back: Back
) -> Expected:
    """Return what the finished paper must say, from the register and the decision and not from the record drawn."""
    facts = _BUILDERS[decision.kind][1](person, asked, decision)
    return Expected(
        people=facts.people,
        address=facts.address,
        domicile=facts.domicile,
        headings=facts.headings,
        issue_number=issue_number,
        sheets=sheets,
        back=back,
    )
