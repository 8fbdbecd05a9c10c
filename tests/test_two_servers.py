"""S9: what holds of one server holds of several. Two gunicorn masters, with workers of their own, on one PostgreSQL."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from deploy import migrations
from deploy.demo.postgres import PrivatePostgres
from deploy.demo.processes import Process, free_port, listens
from issuance_server import sessions
from issuance_server.config import ENVIRONMENT_VARIABLE
from issuance_server.database import read, write
from issuance_server.ledger import OrderState
from issuance_server.revocation import CardStatus, Source
from issuance_server.schema import order_events, orders
from issuance_server.sessions import Caller, KnownAs
from printing.paper import recheck
from protocol.errors import ErrorCode
from protocol.messages import Event, EventKind, EventsAnswer, SignedEvent
from protocol.signing import RequestSigner, sign_event
from terminal.client import NetworkDown, Paper, ServerClient, ServerRefused
from tests.issuing_parts import CODE, FEE_YEN, Clock, Office, counted, grant_request, link_digest, order_id, payment_id
from tests.ocsp_parts import answering
from tests.server_parts import Authority

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("two servers"), pytest.mark.timeout(240)]

REPOSITORY = Path(__file__).resolve().parents[1]
STOPPED_WITHIN_S = 10
GUNICORN = [str(Path(sys.executable).with_name("gunicorn")), "--config", str(REPOSITORY / "deploy/gunicorn.conf.py")]


def terminal_key(terminal_id: str) -> Ed25519PrivateKey:
    """The key that the office enrolled."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(terminal_id.encode()).digest())


@dataclass
class Visit:
    """One card's session at one terminal, which may speak to either server."""

    terminal_id: str
    session_id: str
    caller: Caller
    ask: tuple[ServerClient, ServerClient]
    wiring: Office
    sequence: int = 0

    def prepare(self, server: int, number: int, **fields: Any) -> Paper:
        request = self.wiring.request(number, self.caller, session_id=self.session_id, **fields)
        return self.ask[server].prepare(request)

    def event(self, kind: EventKind, **fields: Any) -> SignedEvent:
        """The terminal's next event."""
        self.sequence += 1
        told = Event(sequence=self.sequence, at_utc=datetime.now(UTC), kind=kind, **fields)
        return sign_event(told, terminal_key(self.terminal_id))


@dataclass
class Site:
    """Both servers, their database, and terminals."""

    office: Office
    postgres: PrivatePostgres
    servers: list[Process]
    addresses: list[str]
    config: Path
    clients: list[ServerClient] = field(default_factory=list)
    visits: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def visit(self, terminal_id: str = "t-1", resident_id: str = "r-taro") -> Visit:
        """A card at a terminal; the session is opened as an authentication does."""
        visit_id = hashlib.sha256(f"visit {next(self.visits)}".encode()).hexdigest()[:32]
        holder = sessions.holder_digest(self.office.keys.challenge, CODE, visit_id, resident_id)
        with write(self.office.engine) as connection:
            session_id, caller = sessions.open_session(
                connection,
                terminal=self.office.terminals[terminal_id],
                known_as=[KnownAs(CODE, link_digest(resident_id), holder)],
                visit_id=visit_id,
                certificate_der=Authority().card().certificate_der,
                card=CardStatus(Source.OCSP, datetime.now(UTC)),
                now_utc=datetime.now(UTC),
            )
        signer = RequestSigner(terminal_id, terminal_key(terminal_id))
        first, second = (ServerClient(address, signer) for address in self.addresses)
        self.clients += (first, second)
        return Visit(terminal_id, session_id, caller, (first, second), self.office)

    def order_rows(self, *numbers: int) -> list[tuple[str, str]]:
        """(id, state) of these orders."""
        ids = [order_id(number) for number in numbers]
        with read(self.office.engine) as connection:
            rows = connection.execute(select(orders.c.order_id, orders.c.state).where(orders.c.order_id.in_(ids)))
            return [(row.order_id, row.state) for row in rows]


def start(site_folder: Path, config: Path, port: int, number: int) -> Process:
    """One gunicorn master."""
    return Process(
        f"server {number}",
        [*GUNICORN, "--bind", f"127.0.0.1:{port}", "issuance_server.wsgi:app"],
        log=site_folder / f"server{number}.log",
        env={ENVIRONMENT_VARIABLE: str(config), "PYTHONPATH": str(REPOSITORY)},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two servers that are up."""
    folder = tmp_path_factory.mktemp("site")
    with PrivatePostgres(durable=False) as postgres, answering(folder / "responders") as (_, revocation):
        url = postgres.create("issuing")
        migrations.upgrade(url)
        office = Office(folder, url, clock=Clock(datetime.now(UTC)))
        office.link("r-hanako")
        ports = [free_port(), free_port()]
        config = folder / "server.json"
        values = {
            "database_url": url,
            "keys_folder": str(folder / "keys"),
            "anchors_folder": str(Authority().anchor(folder / "anchors")),
            "authorities": [f"127.0.0.1:{port}" for port in ports],
            "check_address": "https://check.invalid/",
            "production": False,
            "revocation": revocation,
        }
        config.write_text(json.dumps(values))
        servers = [start(folder, config, port, number) for number, port in enumerate(ports)]
        beat = Process(
            "beat",
            [sys.executable, str(REPOSITORY / "madoguchi.py"), "beat", "--config", str(config), "--every", "1"],
            log=folder / "beat.log",
        )
        try:
            for server, port in zip(servers, ports, strict=True):
                server.wait_until(lambda port=port: listens(port))  # type: ignore[misc]
            made = Site(office, postgres, servers, [f"http://127.0.0.1:{port}" for port in ports], config)
            yield made
            for client in made.clients:
                client.close()
        finally:
            for server in (*servers, beat):
                server.stop()
            office.close()


def tried(visit: Visit, number: int) -> Paper | None:
    """Order a paper; None where no answer came, or a refusal: what matters is that nobody has anybody else's."""
    try:
        return visit.prepare(number % 2, number)
    except (NetworkDown, ServerRefused):
        return None


def children(pid: int) -> list[int]:
    """A gunicorn's workers."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_after(pid: int, wait_s: float) -> None:
    """Kill a process when so much time has passed."""
    time.sleep(wait_s)
    os.kill(pid, signal.SIGKILL)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of these in the same instant."""
    gate = threading.Barrier(len(acts), timeout=10)

    def act_at_the_gate(act: Callable[[], Any]) -> Any:
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act_at_the_gate, acts))


def test_s9_one_order_id_that_reaches_both_at_once_is_one_order(site: Site) -> None:
    for number in range(1, 6):
        visit = site.visit()
        papers = at_once(partial(visit.prepare, 0, number), partial(visit.prepare, 1, number))
        assert papers[0] == papers[1]
        assert site.order_rows(number) == [(order_id(number), OrderState.PREPARED)]
    with read(site.office.engine) as connection:
        taken = connection.execute(select(orders.c.number).order_by(orders.c.number)).scalars().all()
    assert taken == [1, 2, 3, 4, 5]


def test_s9_s2_orders_of_one_instant_at_both_are_each_its_own(site: Site) -> None:
    names = {"t-1": "見本 太郎", "t-2": "見本 花子"}
    visits = [site.visit("t-1", "r-taro"), site.visit("t-2", "r-hanako")] * 4
    asked = list(enumerate(visits, 101))
    papers: list[Paper] = at_once(*(partial(visit.prepare, number % 4 // 2, number) for number, visit in asked))
    for (number, visit), paper in zip(asked, papers, strict=True):
        said = "\n".join(recheck.page_texts(paper.pdf))
        assert paper.prepared.order_id == order_id(number)
        assert paper.prepared.issue_number in said
        assert [name for name in names.values() if name in said] == [names[visit.terminal_id]]
    assert len({paper.prepared.issue_number for paper in papers}) == len(papers)


def test_s9_s4_ten_times_the_load_is_slower_or_refused_never_swapped(site: Site) -> None:
    """Each server has two workers: forty at once are ten times what they draw at a time."""
    names = {"t-1": "見本 太郎", "t-2": "見本 花子"}
    visits = [site.visit(*who) for who in (("t-1", "r-taro"), ("t-2", "r-hanako")) for _ in range(20)]
    asked = list(enumerate(visits, 1001))
    papers = at_once(*(partial(tried, visit, number) for number, visit in asked))
    assert any(papers)
    # Whoever got none asks again when it is quiet; the id is the same, and so is the paper.
    papers = [paper or visit.prepare(0, number) for paper, (number, visit) in zip(papers, asked, strict=True)]
    for (number, visit), paper in zip(asked, papers, strict=True):
        said = "\n".join(recheck.page_texts(paper.pdf))
        assert (paper.prepared.order_id, paper.prepared.issue_number in said) == (order_id(number), True)
        assert [name for name in names.values() if name in said] == [names[visit.terminal_id]]
    assert len({paper.prepared.issue_number for paper in papers}) == len(papers)


def test_s9_s11_a_visit_settles_though_each_request_reaches_another_server(site: Site) -> None:
    visit = site.visit()
    paper = visit.prepare(0, 201)
    assert visit.prepare(1, 201) == paper
    payment = grant_request(payment=201)
    payment = msgspec.structs.replace(payment, session_id=visit.session_id)
    granted = visit.ask[1].grant(order_id(201), payment)
    assert visit.ask[0].grant(order_id(201), payment) == granted
    told = [
        (EventKind.PRINTED, {"order_id": order_id(201), "sheets_out": 1}),
        (EventKind.CAPTURED, {"order_id": order_id(201), "payment_id": payment_id(201), "amount_yen": FEE_YEN}),
        (EventKind.PAYMENT_CLOSED, {"payment_id": payment_id(201), **counted(500, FEE_YEN, 0, 500 - FEE_YEN)}),
    ]
    signed = [visit.event(kind, **fields) for kind, fields in told]
    for number, event in enumerate(signed, 1):  # to both at once, as after an answer that was lost
        answers = at_once(*(partial(ask.send_events, (event,)) for ask in visit.ask))
        assert answers == [EventsAnswer(accepted_through=number)] * 2
    assert site.order_rows(201) == [(order_id(201), OrderState.SETTLED)]
    with read(site.office.engine) as connection:
        moved = select(order_events.c.to_state).where(order_events.c.order_id == order_id(201))
        assert sorted(connection.execute(moved).scalars()) == sorted(
            ("INTENDED", "PREPARED", "GRANTED", "PRINTED", "SETTLED")
        )
    assert site.office.open_cases() == []
    assert sum(site.office.balances().values()) == 0


def test_the_kill_switch_works_in_less_than_ten_seconds_on_every_server(site: Site) -> None:
    """Drilled by the command, on real servers: all of it, then one terminal. Nothing of that is a timed assertion: the
    bound is that the answer changes before the deadline, on either server.
    """
    madoguchi = [sys.executable, str(REPOSITORY / "madoguchi.py"), "stops"]
    named = ["--config", str(site.config)]

    def command(*words: str) -> str:
        done = subprocess.run([*madoguchi, *words, *named], capture_output=True, text=True, check=True)
        return done.stdout.strip().removeprefix("stopped: ")

    def refused(visit: Visit, server: int) -> str | None:
        try:
            visit.ask[server].challenge("9" * 32)
        except ServerRefused as refusal:
            return refusal.code
        return None

    def wait_for(code: str | None, *visits: Visit) -> None:
        """Until each worker of each server has answered so: one request after another meets another worker."""
        deadline_s = time.monotonic() + STOPPED_WITHIN_S
        for visit, server in itertools.product(visits, (0, 1)):
            in_a_row = 0
            while in_a_row < 10:
                in_a_row = in_a_row + 1 if refused(visit, server) == code else 0
                assert time.monotonic() < deadline_s, f"server {server + 1} of {visit.terminal_id}: not {code}"

    first, second = site.visit("t-1"), site.visit("t-2", "r-hanako")
    both = ["--officer", "a", "--officer", "b"]
    wait_for(None, first, second)
    stop_id = command("begin", "--by", "a", "--reason", "drill", "--all")
    wait_for(ErrorCode.ISSUING_STOPPED, first, second)
    command("end", *both, stop_id)
    stop_id = command("begin", "--by", "a", "--reason", "drill", "--terminal", "t-1")
    wait_for(ErrorCode.TERMINAL_STOPPED, first)
    wait_for(None, second)
    command("end", *both, stop_id)
    wait_for(None, first, second)


def test_s9_a_database_that_fell_and_came_again_is_used_by_both(site: Site) -> None:
    visit = site.visit()
    papers = [visit.prepare(server, 301) for server in (0, 1)]
    site.postgres.crash()
    assert [visit.prepare(server, 301) for server in (0, 1)] == papers
    visit.prepare(1, 302)
    assert len(site.order_rows(301, 302)) == 2


def test_s9_s5_a_worker_killed_at_any_step_leaves_nobody_another_s_paper(site: Site) -> None:
    """Four order at a time, and meanwhile a worker is killed; then each order is asked for once more."""
    names = {"t-1": "見本 太郎", "t-2": "見本 花子"}
    moments = random.Random(5)
    told: list[tuple[Visit, int, Paper | None]] = []
    for turn in range(6):
        visits = [site.visit(*who) for who in (("t-1", "r-taro"), ("t-2", "r-hanako")) for _ in range(2)]
        numbers = range(501 + 4 * turn, 505 + 4 * turn)
        victim, wait_s = children(site.servers[turn % 2].pid)[0], moments.uniform(0.0, 0.1)
        *papers, _killed = at_once(*map(partial(partial, tried), visits, numbers), partial(kill_after, victim, wait_s))
        told += zip(visits, numbers, papers, strict=True)
    assert any(paper for _visit, _number, paper in told)
    for visit, number, paper in told:
        again = tried(visit, number)
        if again is None:  # its worker is gone, and the lease runs: nobody has a paper of it
            assert paper is None
            assert site.order_rows(number) == [(order_id(number), OrderState.INTENDED)]
            continue
        assert paper in {None, again}
        said = "\n".join(recheck.page_texts(again.pdf))
        assert [name for name in names.values() if name in said] == [names[visit.terminal_id]]


def test_s9_s5_when_one_server_is_killed_the_other_goes_on_with_its_visits(site: Site) -> None:
    visit = site.visit()
    paper = visit.prepare(0, 401)
    os.killpg(site.servers[0].pid, signal.SIGKILL)
    site.servers[0].stop()
    with pytest.raises(NetworkDown):
        visit.prepare(0, 401)
    assert visit.prepare(1, 401) == paper
    payment = msgspec.structs.replace(grant_request(payment=401), session_id=visit.session_id)
    visit.ask[1].grant(order_id(401), payment)
    assert site.order_rows(401) == [(order_id(401), OrderState.GRANTED)]
