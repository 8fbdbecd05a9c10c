"""The way between a terminal and the servers: messages are lost, doubled, late, overtaken, for minutes if need be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from protocol.signing import CONTENT_TYPE, RequestSigner
from terminal.client import NetworkDown, ServerClient
from tests.simulation.hub import Hub, Process, Reply
from tests.simulation.server import Answer, Sent, SimServer
from tests.simulation.town import AUTHORITY

TIMEOUT_S = 8.0
CONNECT_S = 3.0
LATENCY_S = 0.02


@dataclass
class Link:
    """One terminal's line."""

    hub: Hub
    servers: list[SimServer]
    terminal_id: str
    wire: Process = field(default_factory=lambda: Process("wire"))
    down_until_s: float = -1.0
    lose_requests: int = 0
    lose_answers: int = 0
    double: int = 0
    delay: int = 0
    delay_s: float = 0.0
    signer: RequestSigner | None = None  # in the seeds with real parts

    def ask(self, terminal: Process, path: str, body: bytes) -> Answer:
        """Send a request and return the answer. Errors: NetworkDown, ServerRefused."""
        hub = self.hub
        if hub.now_s < self.down_until_s:
            hub.sleep(CONNECT_S)
            raise NetworkDown("no way")
        headers = None
        if self.signer is not None:
            signed = self.signer.headers("POST", f"http://{AUTHORITY}{path}", body, CONTENT_TYPE, hub.now_utc())
            headers = {name.lower(): value for name, value in signed.items()}
        sent = Sent(self.terminal_id, path, body, headers)
        reply = Reply(hub, terminal)
        behind = 0.0
        if self.delay:
            self.delay -= 1
            behind = self.delay_s
        if self.lose_requests:
            self.lose_requests -= 1
        else:
            self._deliver(sent, reply, behind)
        if self.double:
            # Once more, on another way and later: its answer finds nobody.
            self.double -= 1
            later_s = behind + hub.random.choice((0.0, 0.05, 1.0, 12.0, 40.0))
            self._deliver(sent, Reply(hub, Process("nobody")), later_s)
        answer: Answer = reply.wait(TIMEOUT_S, NetworkDown("no answer"))
        if self.lose_answers:
            self.lose_answers -= 1
            hub.sleep(TIMEOUT_S)
            raise NetworkDown("no answer")
        return answer

    def _deliver(self, sent: Sent, reply: Reply, behind_s: float) -> None:
        latency_s = LATENCY_S * (0.5 + self.hub.random.random()) + behind_s
        self.hub.at(self.wire, latency_s, self._arrive, sent, reply)

    def _arrive(self, sent: Sent, reply: Reply) -> None:
        alive = [server for server in self.servers if server.power.alive]
        if not alive:
            reply.fail(NetworkDown("refused"))
            return
        self.hub.random.choice(alive).serve(sent, reply)


class SimClient(ServerClient):
    """The real client, its retries included, over that line instead of a socket."""

    def __init__(self, hub: Hub, link: Link, terminal: Process) -> None:
        self._link = link
        self._terminal = terminal
        self._pause = hub.sleep

    def close(self) -> None:
        """Nothing is open."""

    def _send(self, path: str, body: bytes) -> Any:
        return self._link.ask(self._terminal, path, body)
