"""How long a terminal needs after a power cut until the next visitor may come, with a journal of years behind it.

`python -m tests.benches.restart --visits 20000` prints one JSON line. The journal lies where the machine has it, on a
real disk if TMPDIR is one; devices and server are fakes that answer at once, so that what is measured is our own part.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import structlog

from protocol.codec import encode
from protocol.messages import Event, EventKind
from protocol.signing import sign_event
from terminal.journal import Act, Entry, Ids, Intent, Journal, Result, RowKind
from tests.crash_parts import KEY, NOW, Cut, Killed, Process, Script, Store, visit_until

BAR_S = 5.0


def main() -> None:
    """Fill a journal, let the power go while a paper prints, and begin again."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--visits", type=int, default=20_000, help="visits that the journal holds already")
    visits = options.parse_args().visits
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), Script(coins=(500,)), Cut())
        journal = store.journal()
        for number in range(visits):
            journal.append(*_visit(number, journal))
        journal.close()
        try:
            visit_until(store, "after press.release")
        except Killed:
            store.lose_power()
        began_s = time.perf_counter()
        process = Process(store)
        opened_s = time.perf_counter()
        state = process.boot().state
        ready_s = time.perf_counter()
        rows = process.journal.append(Entry(RowKind.IDS, Ids(visit_id="f" * 32)))[0]
    line = {
        "journal_rows": rows,
        "opened_s": round(opened_s - began_s, 2),
        "recovered_s": round(ready_s - opened_s, 2),
        "ready_s": round(ready_s - began_s, 2),
        "bar_s": BAR_S,
        "state": state,
    }
    print(json.dumps(line))


def _visit(number: int, journal: Journal) -> list[Entry]:
    """Return a whole visit's rows, as the effects write them."""
    visit_id, payment_id, order_id = (f"{kind}{number:031x}" for kind in "abc")
    first, sequence = number * 11 + 1, journal.next_sequence()
    money = {"visit_id": visit_id, "payment_id": payment_id, "amount_yen": 300}
    told = (
        (EventKind.PRINTED, {"order_id": order_id, "sheets_out": 1}),
        (EventKind.CAPTURED, {"order_id": order_id, "payment_id": payment_id, "amount_yen": 300}),
        (
            EventKind.PAYMENT_CLOSED,
            {"payment_id": payment_id, "inserted_yen": 500, "cashbox_yen": 500, "change_yen": 200, "returned_yen": 0},
        ),
    )
    events = [
        Entry(RowKind.EVENT, _signed(sequence + n, kind, fields), sequence=sequence + n)
        for n, (kind, fields) in enumerate(told)
    ]
    return [
        Entry(RowKind.IDS, Ids(visit_id=visit_id)),
        Entry(RowKind.IDS, Ids(visit_id=visit_id, payment_id=payment_id, order_ids=(order_id,))),
        Entry(RowKind.INTENT, Intent(act=Act.COLLECT, **money)),
        Entry(RowKind.INTENT, Intent(act=Act.PRINT, visit_id=visit_id, order_id=order_id, amount_yen=300, sheets=1)),
        Entry(RowKind.RESULT, Result(outcome="printed"), of_row=first + 3),
        events[0],
        Entry(RowKind.INTENT, Intent(act=Act.CAPTURE, **money)),
        Entry(RowKind.RESULT, Result(outcome="captured"), of_row=first + 6),
        Entry(RowKind.RESULT, Result(outcome="captured"), of_row=first + 2),
        *events[1:],
    ]


def _signed(sequence: int, kind: EventKind, fields: dict[str, object]) -> bytes:
    return encode(sign_event(Event(sequence=sequence, at_utc=NOW, kind=kind, **fields), KEY))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
