"""The right person: four checks that do not rest on one another, each with a fault that it alone catches.

| check | whose | the fault that it alone catches |
|---|---|---|
| 1 looked up afresh, and the finished PDF read again | server | a register or renderer that remembers the last person |
| 2 the bytes hashed again, right before they are sent | terminal | bytes that changed in memory after the grant |
| 3 the printed seal, its signature and its binding | terminal | a genuine paper of another visit, vouched for |
| 4 「この方はあなたですか」 with a masked name | resident | a card that is linked to somebody else |

Here the server is the real one, with its real keys, seals and pages, and the terminal's checks are the terminal's own.
tests/test_paper_check.py shows 2 and 3 through a whole terminal, each of their parts with its own fault.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, select

from deploy.demo.bring_up import RunningTown
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import Visitor
from issuance_server.cases import CaseReason
from issuance_server.database import open_engine, read, write
from issuance_server.issue import Issuer
from issuance_server.keys import Keys
from issuance_server.masking import masked
from issuance_server.register.person import Person
from issuance_server.register.store import Link, RegisterStore
from issuance_server.schema import cases, certificate_links, orders
from issuance_server.sessions import Caller
from issuance_server.vault import Vault
from printing.paper import certificates, recheck
from printing.paper.fonts import Fonts
from printing.paper.records import Certificate, Issuance
from protocol import grant as grants
from protocol.binding import binding
from protocol.errors import ErrorCode
from protocol.messages import GrantAnswer
from terminal.client import Paper
from terminal.paper_check import ALL_CHECKS, PaperCheck, PaperGuard, PaperMismatch
from tests import test_paper_check
from tests.databases import Databases
from tests.issuing_parts import CODE, Office, code_of, grant_request, order_id
from tests.test_visits import name_of, require_settled, text_of

TARO, HANAKO = "見本 太郎", "見本 花子"


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    office = Office(tmp_path, databases.declared())
    office.link("r-hanako")
    yield office
    office.close()


@dataclass
class Kiosk:
    """One visit at one terminal, with the terminal's real checks; what it would send to the printer, it returns."""

    office: Office
    issuer: Issuer
    number: int = 1
    resident_id: str = "r-taro"
    terminal_id: str = "t-1"
    checks: frozenset[PaperCheck] = ALL_CHECKS

    def __post_init__(self) -> None:
        self.visit_secret = hashlib.sha256(f"secret {self.number}".encode()).digest()[:16]
        self.certificate_sha256 = hashlib.sha256(f"certificate of {self.resident_id}".encode()).digest()
        self.caller: Caller = self.office.caller(self.resident_id, self.terminal_id, visit=f"{self.number:032x}")
        self.guard = PaperGuard(self.terminal_id, self.office.keys.trust, self.checks)

    def prepare(self) -> Paper:
        bound = binding(order_id(self.number), self.visit_secret, self.certificate_sha256)
        return Paper(*self.issuer.prepare(self.caller, self.office.request(self.number, binding=bound)))

    def grant(self) -> GrantAnswer:
        return self.issuer.grant(self.caller, order_id(self.number), grant_request(self.number))

    def would_print(
        self,
        *,
        on_the_way: Callable[[Paper], Paper] = lambda paper: paper,
        before_grant: Callable[[], object] = lambda: None,
        on_grant: Callable[[GrantAnswer], GrantAnswer] = lambda answer: answer,
        in_memory: Callable[[Paper], Paper] = lambda paper: paper,
    ) -> bytes:
        """Walk one order to the printer, with a fault at one place.

        Errors: PaperMismatch, IssueError where one of the checks stops it.
        """
        paper = on_the_way(self.prepare())
        self.guard.check_prepared(paper, order_id(self.number), self.visit_secret, self.certificate_sha256)
        before_grant()
        held = self.guard.check_grant(on_grant(self.grant()), paper, 0.0)
        paper = in_memory(paper)
        self.guard.check_before_print(held, paper)
        self.guard.check_age(held, 1.0)
        return paper.pdf


def name_on(pdf: bytes) -> set[str]:
    text = "\n".join(recheck.page_texts(pdf))
    return {name for name in (TARO, HANAKO) if f"氏名 {name}" in text}


def test_with_all_checks_on_the_right_paper_prints(office: Office) -> None:
    assert name_on(Kiosk(office, office.issuer).would_print()) == {TARO}
    assert name_on(Kiosk(office, office.issuer, 2, "r-hanako", "t-2").would_print()) == {HANAKO}


# 1. The server: the finished PDF is read again


class LastPerson:
    """The fault of 2023: the one before stands in the drawing's memory. Number and seal are the new order's."""

    def __init__(self) -> None:
        self.kept: Certificate | None = None

    def __call__(self, fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
        last, self.kept = self.kept, record
        return certificates.render(fonts, last or record, issuance, seal_text)


def _believe(_pdf: bytes, _expected: recheck.Expected) -> None:
    """The server's re-reading, off."""


def test_1_a_page_of_the_person_before_is_seen_only_by_reading_it_again(office: Office) -> None:
    believing = office.new_issuer(render=LastPerson(), reread=_believe)
    assert name_on(Kiosk(office, believing).would_print()) == {TARO}
    wrong = Kiosk(office, believing, 2, "r-hanako", "t-2").would_print()
    assert name_on(wrong) == {TARO}, "seal, binding, digest and grant hold; the page is another's"

    reading = office.new_issuer(render=LastPerson())
    Kiosk(office, reading, 3).would_print()
    stopped = Kiosk(office, reading, 4, "r-hanako", "t-2")
    assert code_of(stopped.would_print) is ErrorCode.INTEGRITY_STOP
    assert office.open_cases() == ["RECHECK_FAILED"]
    assert code_of(Kiosk(office, office.issuer, 5).would_print) is ErrorCode.INTEGRITY_STOP, "until there is a finding"


class LastSnapshot(Issuer):
    """The same fault one step earlier: all that the paper says is the order's before."""

    kept: Any = None

    def _intend(self, draft: Any) -> Any:
        order, snapshot = super()._intend(draft)
        last, self.kept = self.kept, snapshot
        return order, last or snapshot


def test_1_what_another_order_says_does_not_agree_with_this_order_s_number(office: Office) -> None:
    mixing = LastSnapshot(**office.wiring())
    Kiosk(office, mixing).prepare()
    assert code_of(Kiosk(office, mixing, 2, "r-hanako", "t-2").prepare) is ErrorCode.INTEGRITY_STOP


# 1. The server: looked up afresh


class Remembering(RegisterStore):
    """The fault: it answers from what it read before, as a cache does."""

    def __init__(self, vault: Vault) -> None:
        super().__init__(vault)
        self.links: dict[bytes, tuple[str, str] | None] = {}
        self.people: dict[str, Person | None] = {}

    def find_link(self, connection: Connection, digests: Any) -> tuple[str, str] | None:
        (digest,) = digests.values()
        if digest not in self.links:
            self.links[digest] = super().find_link(connection, digests)
        return self.links[digest]

    def read_person(self, connection: Connection, municipality_code: str, resident_id: str) -> Person | None:
        if resident_id not in self.people:
            self.people[resident_id] = super().read_person(connection, municipality_code, resident_id)
        return self.people[resident_id]


TAROS_LINK = Link(CODE, hashlib.sha256(b"r-taro").digest(), "r-taro")


def remove_link(office: Office) -> None:
    with write(office.engine) as connection:
        assert office.register.remove_link(connection, TAROS_LINK)


def correct_link(office: Office) -> None:
    """The link was wrong: the certificate is Hanako's. Her older one is of no concern here."""
    remove_link(office)
    with write(office.engine) as connection:
        office.register.add_link(connection, dataclasses.replace(TAROS_LINK, resident_id="r-hanako"))


@pytest.mark.parametrize(
    ("change", "code"), [(remove_link, ErrorCode.NOT_ISSUABLE_HERE), (correct_link, ErrorCode.RECORD_CHANGED)]
)
def test_1_a_link_that_changed_after_the_card_was_known_is_seen_only_by_looking_again(
    office: Office, change: Callable[[Office], None], code: ErrorCode
) -> None:
    remembering = office.new_issuer(register=Remembering(office.vault))
    early, late = Kiosk(office, remembering, 1), Kiosk(office, remembering, 2)
    remembering.welcome(early.caller)
    fresh = [Kiosk(office, office.issuer, number) for number in (3, 4)]
    office.issuer.welcome(fresh[0].caller)
    fresh[1].prepare()

    change(office)
    assert name_on(early.would_print()) == {TARO}, "each other check holds"
    assert name_on(late.would_print()) == {TARO}
    # Whom the link names now was never shown to the resident: that is nobody's consent either.
    assert code_of(fresh[0].would_print) is code
    assert code_of(fresh[1].grant) is code


def test_1_a_link_that_changes_between_paper_and_grant_is_seen_at_the_grant(office: Office) -> None:
    remembering = office.new_issuer(register=Remembering(office.vault))
    forgetting = Kiosk(office, remembering, 1)
    assert name_on(forgetting.would_print(before_grant=lambda: remove_link(office))) == {TARO}
    with write(office.engine) as connection:
        office.register.add_link(connection, TAROS_LINK)
    looking = Kiosk(office, office.issuer, 2)
    refused = code_of(lambda: looking.would_print(before_grant=lambda: remove_link(office)))
    assert refused is ErrorCode.NOT_ISSUABLE_HERE


# 2 and 3. The terminal


def test_2_and_3_each_of_the_terminal_s_checks_has_its_fault() -> None:
    """test_paper_check.py runs them through a whole terminal, PREPARED_DIGEST in a test of its own."""
    shown = {check for check, *_ in test_paper_check.FAULTS}
    assert shown | {PaperCheck.PREPARED_DIGEST} == ALL_CHECKS


def test_2_another_s_bytes_in_the_terminal_s_memory_are_seen_only_by_hashing_again(office: Office) -> None:
    """A shared buffer: the paper of the terminal's next visitor, genuine, lies where this one's was."""
    other = Kiosk(office, office.issuer, 9, "r-hanako").prepare()

    def overwritten(paper: Paper) -> Paper:
        return Paper(paper.prepared, other.pdf)

    unaware = Kiosk(office, office.issuer, 1, checks=ALL_CHECKS - {PaperCheck.DIGEST_AT_PRINT})
    assert name_on(unaware.would_print(in_memory=overwritten)) == {HANAKO}
    with pytest.raises(PaperMismatch) as stopped:
        Kiosk(office, office.issuer, 2).would_print(in_memory=overwritten)
    assert stopped.value.check is PaperCheck.DIGEST_AT_PRINT


def _confused(office: Office, kiosk: Kiosk, other: Paper) -> dict[str, Any]:
    """A server that takes another's order for this one: every word of it agrees, and is signed with its own key."""

    def relabelled(_paper: Paper) -> Paper:
        prepared = msgspec.structs.replace(other.prepared, order_id=order_id(kiosk.number))
        return Paper(prepared, other.pdf)

    def regranted(answer: GrantAnswer) -> GrantAnswer:
        grant = grants.verify(answer, office.keys.grant.public_key())
        return grants.sign(msgspec.structs.replace(grant, pdf_sha256=other.prepared.pdf_sha256), office.keys.grant)

    return {"on_the_way": relabelled, "on_grant": regranted}


def test_3_a_genuine_paper_of_another_visit_is_seen_only_by_its_binding(office: Office) -> None:
    other = Kiosk(office, office.issuer, 9, "r-hanako", "t-2").prepare()
    unbound = Kiosk(office, office.issuer, 1, checks=ALL_CHECKS - {PaperCheck.BINDING})
    assert name_on(unbound.would_print(**_confused(office, unbound, other))) == {HANAKO}
    bound = Kiosk(office, office.issuer, 2)
    with pytest.raises(PaperMismatch) as stopped:
        bound.would_print(**_confused(office, bound, other))
    assert stopped.value.check is PaperCheck.BINDING


# 4. The resident


class WrongLinks:
    """The running town's links, as an officer's mistake changes them."""

    def __init__(self, town: RunningTown) -> None:
        self._register = RegisterStore(Vault(Keys.load(town.town / "keys").vault))
        self._engine = open_engine(town.database)

    def of(self, resident_id: str) -> Link:
        """A resident's link."""
        rows = certificate_links.c
        statement = select(rows.municipality_code, rows.link_digest).where(rows.resident_id == resident_id, rows.active)
        with read(self._engine) as connection:
            return Link(*connection.execute(statement).one(), resident_id)

    def give(self, link: Link, resident_id: str) -> Link:
        """Give a certificate to another resident."""
        other = dataclasses.replace(link, resident_id=resident_id)
        with write(self._engine) as connection:
            assert self._register.remove_link(connection, link)
            self._register.add_link(connection, other)
        return other

    def visits_of_another(self) -> list[tuple[str, ...]]:
        """The open cases of "this is not me", each as the states of its visit's orders."""
        about = select(cases.c.visit_id).where(cases.c.reason == CaseReason.NOT_ME, cases.c.closed_at_utc.is_(None))
        with read(self._engine) as connection:
            visits = list(connection.execute(about).scalars())
            states = [select(orders.c.state).where(orders.c.visit_id == visit) for visit in visits]
            return [tuple(connection.execute(statement).scalars()) for statement in states]

    def close(self) -> None:
        self._engine.dispose()


@pytest.mark.parts
@pytest.mark.xdist_group("town")
def test_4_a_card_linked_to_somebody_else_is_seen_only_by_who_is_asked(town: RunningTown, visitor: Visitor) -> None:
    people, card_of = town.directory.residents, town.directory.sample
    another = next(
        resident_id
        for resident_id, holder in people.items()
        if holder.municipality == people[card_of].municipality
        and holder.household[0] == resident_id
        and (holder.story, holder.linked) == (None, True)
        and masked(holder.name) != masked(people[card_of].name)
    )
    links = WrongLinks(town)
    right = links.of(card_of)
    wrong = links.give(right, another)
    try:
        # Every machine check holds: who does not look, or says yes, gets the other's paper.
        outcome = visitor.visit(VisitFile(resident=card_of))
        require_settled(town, outcome)
        assert name_of(town, another) in text_of(outcome.papers[0])
        assert name_of(town, card_of) not in text_of(outcome.papers[0])
        assert links.visits_of_another() == []

        outcome = visitor.visit(VisitFile(resident=card_of), is_me=False)
        assert outcome.asked_name == masked(name_of(town, another)) != masked(name_of(town, card_of))
        assert (outcome.refused, outcome.papers, outcome.paid_yen) == ("NOT_ME", [], 0)
        deadline_s = time.monotonic() + 15
        while not links.visits_of_another():  # events arrive behind the visit
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        assert links.visits_of_another() == [("VOIDED",)]
    finally:
        links.give(wrong, card_of)
        links.close()
    outcome = visitor.visit(VisitFile(resident=card_of))
    assert outcome.asked_name == masked(name_of(town, card_of))
    require_settled(town, outcome)
    assert name_of(town, card_of) in text_of(outcome.papers[0])
