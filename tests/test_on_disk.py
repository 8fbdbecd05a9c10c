"""The kernel's word: an intent's row is on the disk before its act is begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.bring_up import RunningTown
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import Visitor
from terminal.journal import Act
from tests.traced import Seen, read_trace, run_traced, traced, traces, was_on_disk_before


@pytest.fixture(autouse=True)
def may_trace() -> None:
    """Where the kernel's word cannot be had, nothing here is shown, and that is said."""
    assert traces(), "strace may not trace a process here: some containers forbid it (CAP_SYS_PTRACE)"


#: What the terminal tells its worker to begin with each act.
BEGINS = {Act.COLLECT: "start", Act.PRINT: "release", Act.CAPTURE: "capture"}
SCRIPT = """
import os, sys
from pathlib import Path
from terminal.journal import Act, Intent, Journal
journal = Journal(Path({path!r}))
journal._db.execute("pragma synchronous = {synchronous}")
journal.intent(Intent(act=Act.PRINT, visit_id="v"))
os.write(1, b"release")
"""


def row_of(act: Act, visit_id: str) -> str:
    """How a row of the journal looks in a trace."""
    return f'{{"act":"{act}","visit_id":"{visit_id}"'.replace('"', '\\"')


@pytest.mark.parts
@pytest.mark.xdist_group("town")
def test_every_act_of_a_visit_has_its_intent_on_the_disk_before_it_begins(town: RunningTown, visitor: Visitor) -> None:
    with traced(town.kiosks[0].pid) as seen:
        outcome = visitor.visit(VisitFile(coins=(100, 500)))
    (order,) = outcome.orders
    visit_id = visit_of(seen, order["order"])
    for act, begins in BEGINS.items():
        assert was_on_disk_before(seen, row_of(act, visit_id), begins), act


def visit_of(seen: list[Seen], order_id: str) -> str:
    """The visit whose print intent names that order."""
    begin = '{\\"act\\":\\"print\\",\\"visit_id\\":\\"'
    for call in seen:
        for rest in call.told.split(begin)[1:]:
            visit_id, _, after = rest.partition('\\"')
            if order_id in after[: len(order_id) + 20]:
                return visit_id
    raise AssertionError("the print intent was not seen")


@pytest.mark.parametrize(("synchronous", "synced"), [("full", True), ("off", False)])
def test_without_the_sync_the_trace_tells(tmp_path: Path, synchronous: str, synced: bool) -> None:
    seen = run_traced(SCRIPT.format(path=str(tmp_path / "journal.db"), synchronous=synchronous))
    assert was_on_disk_before(seen, row_of(Act.PRINT, "v"), "release") is synced


ROW = '1 pwrite64(5</j.db-wal>, "row", 3, 0) = 3\n'
ACT = '2 write(7<socket:[1]>, "act", 3) = 3\n'


@pytest.mark.parametrize(
    ("trace", "synced"),
    [
        (ROW + "1 fdatasync(5</j.db-wal>) = 0\n" + ACT, True),
        (ROW + "1 fdatasync(5</j.db-wal> <unfinished ...>\n1 <... fdatasync resumed>) = 0\n" + ACT, True),
        (ROW + "1 fdatasync(5</j.db-wal> <unfinished ...>\n" + ACT + "1 <... fdatasync resumed>) = 0\n", False),
        (ROW + "1 fdatasync(6</other.db>) = 0\n" + ACT, False),
        ("1 fdatasync(5</j.db-wal>) = 0\n" + ROW + ACT + "1 fdatasync(5</j.db-wal>) = 0\n", False),
    ],
)
def test_a_trace_is_read_in_the_order_of_the_kernel(trace: str, *, synced: bool) -> None:
    assert was_on_disk_before(read_trace(trace), "row", "act") is synced


@pytest.mark.parametrize("trace", [ROW, ACT + ROW])
def test_a_trace_without_the_act_proves_nothing(trace: str) -> None:
    with pytest.raises(ValueError, match="no such call"):
        was_on_disk_before(read_trace(trace), "row", "act")
