"""How long refusals take that say something about a person, with their deadline and without: `make timing`.

The reasons are found by very different work. Each is asked for over the real routes and the real cycle; the figures are
milliseconds of whole requests in one process, as a terminal would see them but for the line.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
from msgspec.structs import replace

from deploy import migrations
from issuance_server.app import Deadline
from issuance_server.database import write
from issuance_server.register.store import Link
from printing.paper.records import CertificateKind
from protocol import codec
from protocol.errors import ErrorCode
from protocol.messages import ErrorAnswer
from tests.issuing_parts import CODE, HOUSEHOLD, TARO, link_digest
from tests.simulation.run import silence
from tests.test_api_prepare import Desk

_LINK: Final = Link(CODE, link_digest("r-taro"), "r-taro")


def _no_link(desk: Desk) -> None:
    with write(desk.office.engine) as connection:
        desk.office.register.remove_link(connection, _LINK)


REASONS: Final[dict[str, Callable[[Desk], None]]] = {
    "a stop on the person": lambda desk: desk.office.put(replace(TARO, issuance_stop=True)),
    "a stop on the address": lambda desk: desk.office.put(replace(HOUSEHOLD, issuance_stop=True)),
    "dead": lambda desk: desk.office.put(replace(TARO, died_on=date(2026, 7, 1))),
    "moving out": lambda desk: desk.office.put(replace(TARO, moving_out_notified=True)),
    "no link any more": _no_link,
}


@click.command()
@click.option("--requests", default=40, show_default=True, help="Of each reason, each way.")
def main(requests: int) -> None:
    """Print a table, and one JSON line with the largest difference between two reasons' medians."""
    silence(for_good=True)
    apart: dict[str, float] = {}
    for name, deadline in (("without", Deadline(sleep=lambda _seconds: None)), ("with", Deadline())):
        medians = []
        for reason, taken in _taken_ms(deadline, requests).items():
            taken.sort()
            medians.append(statistics.median(taken))
            spread = f"{taken[0]:7.1f} {medians[-1]:7.1f} {taken[int(len(taken) * 0.95)]:7.1f}"
            click.echo(f"{name:<8} {reason:<24} least, median, p95: {spread} ms")
        apart[name] = round(max(medians) - min(medians), 2)
    click.echo(json.dumps({"requests": requests, "apart_ms_without": apart["without"], "apart_ms_with": apart["with"]}))


def _taken_ms(deadline: Deadline, requests: int) -> dict[str, list[float]]:
    """Ask for each reason in turn, so that whatever else the machine does is done to all of them."""
    taken: dict[str, list[float]] = {reason: [] for reason in REASONS}
    with ExitStack() as stack:
        desks = {reason: _desk(Path(stack.enter_context(TemporaryDirectory())), deadline) for reason in REASONS}
        for reason, change in REASONS.items():
            change(desks[reason])
            stack.callback(desks[reason].office.close)
        for _ in range(requests + 1):
            for reason, desk in desks.items():
                body = json.dumps(desk.order(CertificateKind.RESIDENCE)).encode()
                begun_s = time.perf_counter()
                response = desk.send(body)
                taken[reason].append((time.perf_counter() - begun_s) * 1000)
                answer = codec.decode(ErrorAnswer, response.data)
                assert answer.code == ErrorCode.NOT_ISSUABLE_HERE, answer
    return {reason: each[1:] for reason, each in taken.items()}  # the first one warms up


def _desk(folder: Path, deadline: Deadline) -> Desk:
    url = f"sqlite:///{folder / 'server.db'}"
    migrations.upgrade(url)
    return Desk(folder, url, deadline)


if __name__ == "__main__":
    main()
