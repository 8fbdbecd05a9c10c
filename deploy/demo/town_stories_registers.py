"""Scenes of seals, taxes and family registers: who gets these documents, and who must be refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Final

import msgspec

from deploy.demo.town_names import HOSHIMI
from deploy.demo.town_registers import Registered
from deploy.demo.town_scenes import EMPTY, REFUSED, Edit, Scene, Story, alone
from deploy.demo.town_seals import SealStory
from deploy.demo.town_shapes import CHILD, FEMALE, HEAD, MALE, WIFE, Role
from deploy.demo.town_tax import Means, Work
from issuance_server.register.records import (
    Adoption,
    PastAddress,
    RegisterEntry,
    RegisterMatter,
    SupplementaryEntry,
)
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode
from protocol.messages import Scope

_IN_UMIBE: Final = "見本県海辺市灯台通77番地"
_IN_HOSHIMI: Final = "見本県星見町字すばる8番地"
_EVERYBODY: Final = Scope.HOUSEHOLD


def _of(
    kind: CertificateKind,
    what: str,
    refusal: ErrorCode | None = None,
    scope: Scope = Scope.SELF,
    municipality: str | None = None,
) -> Story:
    return Story("", what, kind=kind, scope=scope, refusal=refusal, municipality=municipality)


def _seal(what: str, refusal: ErrorCode | None = None) -> Story:
    return _of(CertificateKind.SEAL_REGISTRATION, what, refusal)


def _register(what: str, refusal: ErrorCode | None = None) -> Story:
    return _of(CertificateKind.FAMILY_REGISTER, what, refusal, _EVERYBODY)


# What happened to households and registers


def _domicile(domicile: str, **changes: object) -> Edit:
    """Everybody's domicile, headed by the head of household."""

    def edit(_rng: Any, family: Any) -> Any:
        residents = tuple(
            msgspec.structs.replace(one, domicile=domicile, domicile_head=family.household.head_name, **changes)
            for one in family.residents
        )
        return replace(family, residents=residents)

    return edit


def _with_register(told: Registered, **changes: Any) -> Registered:
    return replace(told, register=msgspec.structs.replace(told.register, **changes))


def _filing(told: Registered) -> Registered:
    """A birth was filed yesterday and is not entered yet."""
    return _with_register(told, filing_in_progress=True)


def _married_away(told: Registered) -> Registered:
    """The head of household married into another register; the card is still linked here."""
    first = told.holders[0].person_id
    matter = RegisterMatter(
        title="婚姻",
        entries=(("婚姻日", "令和8年8月8日"), ("新本籍", "架空県遠見市大通二丁目9番地"), ("称する氏", "妻の氏")),
    )
    people = tuple(
        msgspec.structs.replace(entry, removed=True, matters=(*entry.matters, matter))
        if entry.person_id == first
        else entry
        for entry in told.register.people
    )
    lines = tuple(
        msgspec.structs.replace(line, removed_on=date(2026, 8, 8)) if line.person_id == first else line
        for line in told.supplementary.people
    )
    changed = _with_register(told, people=people)
    return replace(changed, supplementary=msgspec.structs.replace(told.supplementary, people=lines))


def _adopted(told: Registered) -> Registered:
    """The child was adopted by both."""
    head, spouse, child = told.register.people
    surname = told.register.surname
    father, mother = (f"{surname} {entry.given_name}" for entry in (head, spouse))
    matter = RegisterMatter(
        title="養子縁組",
        entries=(("縁組日", "令和2年5月5日"), ("養父氏名", father), ("養母氏名", mother), ("代諾者", "親権者母")),
    )
    adopted = msgspec.structs.replace(
        child,
        father=None,
        mother="磯葉 渚",
        relationship="長女",
        adoption=Adoption(father=father, mother=mother, relationship="養女"),
        matters=(*child.matters, matter),
    )
    return _with_register(told, people=(head, spouse, adopted))


def _spouse_protected(told: Registered) -> Registered:
    """The wife lives elsewhere, and nobody may learn where: a stop, without a reason."""
    head = told.register.people[0]
    wife = RegisterEntry(
        person_id="x-protected",
        given_name="雫",
        born_on=date(1988, 2, 3),
        spouse="妻",
        father="霧沢 茂",
        mother="霧沢 文",
        relationship="長女",
        issuance_stop=True,
    )
    line = SupplementaryEntry(
        person_id=wife.person_id,
        name=f"{told.register.surname} {wife.given_name}",
        born_on=wife.born_on,
        sex=FEMALE,
        addresses=(PastAddress(address="架空県霧里町字朝霧1番地", since=date(2026, 3, 3)),),
    )
    people = (msgspec.structs.replace(head, spouse="夫"), wife, *told.register.people[1:])
    lines = (told.supplementary.people[0], line, *told.supplementary.people[1:])
    changed = _with_register(told, people=people)
    return replace(changed, supplementary=msgspec.structs.replace(told.supplementary, people=lines))


_HERE: Final = replace(EMPTY, edit=_domicile(_IN_UMIBE))
_THERE: Final = replace(EMPTY, edit=_domicile(_IN_HOSHIMI))
_GOOD_SALARY: Final = Means(Work.SALARY, 4_800_000)

REGISTER_SCENES: Final = (
    alone(FEMALE, 45, "seal", _seal("has a registered seal"), replace(EMPTY, seals={0: SealStory.REGISTERED})),
    alone(
        MALE,
        62,
        "seal-cancelled",
        _seal("the registered seal was cancelled", REFUSED),
        replace(EMPTY, seals={0: SealStory.CANCELLED}),
    ),
    alone(FEMALE, 28, "no-seal", _seal("has no registered seal", REFUSED), replace(EMPTY, seals={0: SealStory.NONE})),
    Scene(
        (Role(HEAD, FEMALE, 43), Role(CHILD, MALE, 14)),
        {
            0: (
                "stated-items",
                _of(CertificateKind.RESIDENCE_ITEMS, "a residence item certificate of both", None, _EVERYBODY),
            ),
            1: ("seal-under-15", _seal("has a registered seal, and is under 15", REFUSED)),
        },
        seals={1: SealStory.REGISTERED},
    ),
    Scene(
        (Role(HEAD, MALE, 50), Role(WIFE, FEMALE, 48)),
        {
            0: ("income", _of(CertificateKind.INCOME, "has an income")),
            1: ("income-dependant", _of(CertificateKind.INCOME, "a dependant who did not declare an income", REFUSED)),
        },
        means={0: _GOOD_SALARY, 1: Means(Work.NOTHING, 0)},
    ),
    alone(
        FEMALE,
        37,
        "tax-paid",
        _of(CertificateKind.TAX_PAYMENT, "paid all taxes"),
        replace(EMPTY, means={0: _GOOD_SALARY}),
    ),
    alone(
        MALE,
        37,
        "tax-unpaid",
        _of(CertificateKind.TAX_PAYMENT, "owes tax, and the municipality refuses then", REFUSED),
        replace(EMPTY, means={0: _GOOD_SALARY}, in_arrears=(0,)),
    ),
    Scene(
        (Role(HEAD, MALE, 49), Role(WIFE, FEMALE, 47), Role(CHILD, FEMALE, 19)),
        {
            0: ("register", _register("a family register of three")),
            1: (
                "register-individual",
                _of(CertificateKind.FAMILY_REGISTER_INDIVIDUAL, "herself alone of that register"),
            ),
            2: (
                "register-addresses",
                _of(CertificateKind.SUPPLEMENTARY_REGISTER, "where the three have lived", None, _EVERYBODY),
            ),
        },
        edit=_domicile(_IN_UMIBE),
    ),
    Scene(
        (Role(HEAD, MALE, 41), Role(WIFE, FEMALE, 40), Role(CHILD, FEMALE, 9)),
        {0: ("register-adopted", _register("a register with an adopted child"))},
        edit=_domicile(_IN_UMIBE),
        register_edit=_adopted,
    ),
    alone(
        FEMALE,
        32,
        "register-filing",
        _register("something was filed and is not entered yet", REFUSED),
        replace(_HERE, register_edit=_filing),
    ),
    alone(
        MALE,
        29,
        "register-removed",
        _register("married into another register", REFUSED),
        replace(_HERE, register_edit=_married_away),
    ),
    alone(
        MALE,
        40,
        "spouse-protected",
        _of(
            CertificateKind.SUPPLEMENTARY_REGISTER,
            "a spouse in the register carries a stop: none of its documents",
            REFUSED,
            _EVERYBODY,
        ),
        replace(_HERE, register_edit=_spouse_protected),
    ),
    alone(
        FEMALE,
        35,
        "moved-out-register",
        _register("moved out, and has the domicile here still"),
        replace(EMPTY, edit=_domicile(_IN_UMIBE, moved_out_on=date(2026, 9, 1))),
    ),
    alone(
        FEMALE,
        52,
        "domicile-elsewhere",
        _of(
            CertificateKind.SUPPLEMENTARY_REGISTER,
            "domicile in the other municipality, and registered for use there",
            None,
            _EVERYBODY,
            HOSHIMI,
        ),
        replace(_THERE, registered=True),
    ),
    alone(
        MALE,
        56,
        "domicile-elsewhere-unregistered",
        _register("domicile in the other municipality, and not registered for use there", REFUSED),
        replace(_THERE, registered=False),
    ),
)
