"""The power goes at every point of a visit, and again at every point of what ends it: each has one expected end.

A store is what survives: coins, sheets, the printer's meter, the journal's file, what the server was told. Before each
table the fault is shown: what is left lying when nothing is recovered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from printing.press.errors import PrinterUnreachable
from printing.press.verdict import Outcome, Verdict
from protocol.messages import EventKind
from terminal.book import Book
from terminal.journal import Act, Entry, Intent, JournalUnavailable
from terminal.payment.device import DeviceGone
from terminal.recovery import PRINTER_PATIENCE_S
from terminal.visit import State
from terminal.workers import WorkerDied
from tests.crash_parts import Cut, Killed, Process, Script, Store, points_of, telling, visit_killed_at, visit_until
from tests.receipt_parts import written_on

SHORT, LONG = Cut(), Cut(length_s=3600)
BACKWARDS = Cut(length_s=-30)  # a clock that lost its time: nobody knows how long the cut was
PRINTER_TOO = Cut(printer_too=True)
NO_METER = Cut(printer_too=True, meter=False)
NO_METER_LONG = Cut(length_s=3600, printer_too=True, meter=False)
FAILED = Verdict(Outcome.FAILED, 0, "cue")
PARTIAL = Verdict(Outcome.PARTIAL, 1, "cue")


@dataclass(frozen=True)
class End:
    """How a store looks when the next visitor may come."""

    state: State
    orders: tuple[str, ...]
    told_printed: int
    papers: int
    cashbox_yen: int
    change_yen: int
    returned_yen: int
    tray_yen: int
    owed_yen: int
    cases: tuple[str, ...]


def restart(store: Store, *, recovers: bool = True) -> End:
    """Begin again after the cut, and look at what there is once nobody is waited for any more."""
    process = Process(store, recovers=recovers)
    state = process.boot().state
    process.journal.close()
    told, coins = store.told(), store.coins
    assert told.is_open is not recovers, "a journal that was recovered holds nothing without an end"
    return End(
        state,
        told.ends(),
        told.printed(),
        len(store.press.papers),
        coins.cashbox_yen,
        coins.change_yen,
        coins.returned_yen,
        coins.tray_yen,
        told.owed_yen(),
        told.cases,
    )


_ASKED = {f"after row result+event{more}" for more in ("", "+case", "+intent hand out")}


def expected(store: Store, points: list[str]) -> End:
    """Return the one end, from what the world was like when the power went; points: those that the visit passed.

    A printer that forgot a job which nobody has asked about yet leaves it unknown, unless its meter tells that nothing
    came out.
    """
    script, cut = store.script, store.cut
    present = script.stays and 0 <= cut.length_s < 60
    released = points.count("after press.release")
    said = dict(enumerate(script.verdicts)).get(released - 1, Verdict(Outcome.PRINTED, 1, "cue"))
    if points.count("after row intent print") > released:
        said = FAILED  # intended and not released: nothing can come out
    asked = sum(name in _ASKED for name in points)
    forgotten = cut.printer_too and points.count("after row intent print") > asked
    unknown = forgotten and (not cut.meter or bool(said.sheets_out))
    declared = unknown and present and said.outcome is Outcome.PRINTED
    out = len(store.press.papers)
    settled = out - (unknown and said.outcome is Outcome.PRINTED and not declared)
    cases = ["PRINT_UNKNOWN"] if unknown and not declared else []
    if said == PARTIAL and not unknown:
        cases = ["PRINT_PARTIAL"]
    over = "after row result" in points or "after row result+result" in points
    if settled and not present and not over:
        cases.append("PAPER_LEFT")  # it lies where whoever comes next would find it
    ordered = script.copies * points.count("after row ids")
    return End(
        State.OUT_OF_SERVICE if cases else State.IDLE,
        ("settled",) * settled + ("void",) * (ordered - settled),
        settled,
        out,
        *money_of(store, settled * script.fee_yen, present=present),
        tuple(cases),
    )


def money_of(store: Store, fees_yen: int, *, present: bool) -> tuple[int, int, int, int, int]:
    """Return cashbox, change, returned, tray, owed: what was moved stays, the rest comes out only for somebody."""
    coins = store.coins
    if coins.moved:
        return coins.cashbox_yen, coins.change_yen, coins.returned_yen, 0, 0
    rest_yen = coins.inserted_yen - fees_yen
    if rest_yen and not present:
        return coins.inserted_yen, 0, 0, 0, rest_yen
    return (coins.inserted_yen, rest_yen, 0, 0, 0) if fees_yen else (0, 0, rest_yen, 0, 0)


VISITS = {
    "paid exactly": Script(),
    "with change": Script(coins=(500,)),
    "two copies": Script(coins=(100, 100, 100, 100), copies=2),
    "two copies, the second fails": Script(
        coins=(500,), copies=2, verdicts=(Verdict(Outcome.PRINTED, 1, "cue"), FAILED)
    ),
    "two documents": Script(coins=(500,), documents=2),
    "two documents, the second fails": Script(
        coins=(500,), documents=2, verdicts=(Verdict(Outcome.PRINTED, 1, "cue"), FAILED)
    ),
    "nothing came out": Script(verdicts=(FAILED,)),
    "a sheet came out": Script(coins=(500,), verdicts=(PARTIAL,)),
    "cancelled": Script(coins=(50,), cancels=True),
    "left": Script(coins=(500,), stays=False),
}
CUTS = {"short": SHORT, "long": LONG, "backwards": BACKWARDS, "printer too": PRINTER_TOO, "no meter": NO_METER}
PRINTING = ("with change", "two copies, the second fails", "nothing came out", "a sheet came out")
TABLE = (
    *((visit, cut) for visit in VISITS for cut in ("short", "long")),
    *((visit, cut) for visit in PRINTING for cut in ("printer too", "no meter")),
    ("with change", "backwards"),
)


@pytest.mark.slow
@pytest.mark.parametrize(("visit", "cut"), TABLE)
def test_s16_wherever_the_power_goes_there_is_one_end(ram: Path, visit: str, cut: str) -> None:
    """S16: exactly one of printed and paid, or money back or owed; in a list only what the world left unknown."""

    def fresh(name: str) -> Store:
        (ram / name).mkdir()
        return Store(ram / name, VISITS[visit], CUTS[cut])

    whole = points_of(fresh("whole"))
    assert len(whole) > 30
    wrong = []
    for point in telling(whole):
        store = fresh(str(point))
        where = visit_killed_at(store, point)
        passed, papers = list(store.points), list(store.press.papers)
        wanted = expected(store, passed)
        store.lose_power()
        if (found := restart(store)) != wanted:
            wrong.append((point, where, found, wanted))
        assert store.press.papers == papers, "nothing is printed by itself"
        assert_one_true_slip(store)
    assert wrong == []


def assert_one_true_slip(store: Store) -> None:
    """One slip a payment at most, and it says what became of the coins."""
    assert len(store.receipts.slips) <= 1
    for slip in store.receipts.slips:
        said, coins = written_on(slip), store.coins
        sums = {"お支払い": coins.cashbox_yen - coins.change_yen, "お預かり 現金": coins.inserted_yen}
        sums |= {"おつり": coins.change_yen, "お返しした金額": coins.returned_yen}
        owed_yen = store.told().owed_yen()
        sums["お支払い"] -= owed_yen if coins.cashbox_yen else 0  # it lies in the cashbox, too
        assert {words: said.get(words, "0円") for words in sums} == {words: f"{one}円" for words, one in sums.items()}
        assert (said["code"] != "") == (owed_yen > 0)


def cut_at(store: Store, where: str) -> Store:
    """Serve a visitor until the power goes at the point of this name."""
    with pytest.raises(Killed):
        visit_until(store, where)
    store.lose_power()
    return store


NESTED = {
    "paid, printed and forgotten": (Script(coins=(500,)), NO_METER, "after press.release"),
    "printed": (Script(coins=(500,)), SHORT, "after press.release"),
    "printed, long ago": (Script(coins=(500,)), LONG, "after press.release"),
    "held": (Script(coins=(500,)), SHORT, "after payment.hold"),
    "held, long ago": (Script(coins=(500,)), LONG, "after payment.hold"),
    "about to be captured": (Script(coins=(500,)), SHORT, "after row intent capture"),
    "captured": (Script(coins=(500,)), LONG, "after payment.capture"),
    "about to be returned": (Script(coins=(50,), cancels=True), LONG, "after row intent return"),
    "half printed": (Script(coins=(500,), verdicts=(PARTIAL,)), SHORT, "after press.release"),
    "one of two": (Script(coins=(500,), copies=2), SHORT, "after row result+event+intent hand out"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NESTED)
def test_s16_wherever_the_power_goes_again_the_end_is_the_same(ram: Path, name: str) -> None:
    script, cut, where = NESTED[name]

    def interrupted(folder: str) -> Store:
        (ram / folder).mkdir()
        return cut_at(Store(ram / folder, script, cut), where)

    once = interrupted("once")
    wanted = restart(once)
    assert len(once.points) > 10
    wrong = []
    for point in telling(once.points):
        store = interrupted(str(point))
        store.kill_at = point
        with pytest.raises(Killed) as killed:
            Process(store).boot()
        store.points, store.kill_at = [], None
        store.now_utc += timedelta(seconds=10)
        if (found := restart(store)) != wanted:
            wrong.append((point, str(killed.value), found, wanted))
    assert wrong == []


# First the fault


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ("after payment.start", {"tray_yen": 0, "orders": ()}),  # the unit stands open, for whoever comes
        ("after payment.hold", {"tray_yen": 500, "returned_yen": 0, "owed_yen": 0, "orders": ()}),
        ("after press.release", {"tray_yen": 500, "papers": 1, "told_printed": 0, "orders": ()}),
        ("after payment.capture", {"cashbox_yen": 500, "orders": ()}),  # taken, and the books know nothing of it
    ],
)
def test_without_recovery_money_and_paper_lie_where_they_lay(ram: Path, where: str, left: dict[str, object]) -> None:
    found = restart(cut_at(Store(ram, Script(coins=(500,)), SHORT), where), recovers=False)
    assert {name: getattr(found, name) for name in left} == left
    (ram / "journal.sqlite").unlink()
    mended = restart(cut_at(Store(ram, Script(coins=(500,)), SHORT), where))
    assert (mended.state, mended.tray_yen, len(mended.orders)) == (State.IDLE, 0, 1)


def test_s15_a_jam_on_sheet_2_of_3_and_the_power_goes(ram: Path) -> None:
    """S15: the sheets are void, the money comes back or is owed, both recorded; staff look for the sheets."""
    for cut, returned_yen, owed_yen in ((SHORT, 500, 0), (LONG, 0, 500)):
        folder = ram / str(cut.length_s)
        folder.mkdir()
        store = cut_at(Store(folder, Script(coins=(500,), verdicts=(PARTIAL,)), cut), "after press.release")
        found = restart(store)
        assert (found.orders, found.returned_yen, found.owed_yen) == (("void",), returned_yen, owed_yen)
        assert found.cases == ("PRINT_PARTIAL",)
        assert [event.sheets_out for event in store.told().events if event.kind is EventKind.PARTIAL] == [1]


@pytest.mark.parametrize(("where", "returned_yen"), [("after payment.start", 0), ("before payment.hold", 500)])
def test_a_count_that_the_cut_made_uncertain_goes_back(ram: Path, where: str, returned_yen: int) -> None:
    """The unit was open when its power went too: it takes no word for what it counted, and the terminal must go on."""
    store = cut_at(Store(ram, Script(coins=(500,)), SHORT), where)
    store.coins.uncertain = True
    found = restart(store)
    assert (found.state, found.orders, found.cases) == (State.IDLE, ("void",), ())
    assert (found.returned_yen, found.tray_yen, found.owed_yen) == (returned_yen, 0, 0)


# Devices that do not answer yet, or have forgotten


def test_nothing_begins_until_the_devices_have_answered(ram: Path) -> None:
    store = cut_at(Store(ram, Script(coins=(500,)), SHORT), "after press.release")
    for _ in range(3):
        store.press.cues.fail("is_held", PrinterUnreachable("still starting"))
        store.coins.cues.fail("status", DeviceGone("still starting"))
    process = Process(store)
    assert process.boot().state is State.IDLE
    process.journal.close()
    assert process.states.index(State.CAPTURING) < process.states.index(State.IDLE)
    assert (store.coins.cashbox_yen, store.told().ends()) == (500, ("settled",))
    assert (store.press.cues.left(), store.coins.cues.left()) == ([], [])


def test_a_printer_that_stays_away_leaves_its_paper_unknown(ram: Path) -> None:
    store = cut_at(Store(ram, Script(coins=(500,)), LONG), "after press.release")
    for _ in range(int(PRINTER_PATIENCE_S / 5) + 1):
        store.press.cues.fail("is_held", WorkerDied("press", "is_held"))
    found = restart(store)
    assert (found.orders, found.cases, found.owed_yen) == (("void",), ("PRINT_UNKNOWN",), 500)


def test_a_unit_that_forgot_a_payment_with_money_in_it_owes_what_it_counted(ram: Path) -> None:
    store = cut_at(Store(ram, Script(coins=(500,)), SHORT), "after payment.hold")
    store.coins.payment_id, store.coins.tray_yen = None, 0  # where the coins are, nobody says
    found = restart(store)
    assert (found.orders, found.owed_yen, found.cases) == (("void",), 500, ("MONEY_UNCERTAIN",))
    assert found.returned_yen == found.cashbox_yen == 0, "never moved on doubt"


@pytest.mark.parametrize(
    ("moved", "owed_yen", "cases"),
    [
        ({"cashbox_yen": 500, "change_yen": 300}, 0, ()),  # all of it, by the unit's own totals
        ({"cashbox_yen": 500, "change_yen": 100}, 200, ("MONEY_UNCERTAIN",)),  # the hoppers stopped half-way
        ({"cashbox_yen": 500}, 300, ("MONEY_UNCERTAIN",)),
    ],
)
def test_a_capture_that_stopped_half_way_is_counted_and_never_moved_again(
    ram: Path, moved: dict[str, int], owed_yen: int, cases: tuple[str, ...]
) -> None:
    store = cut_at(Store(ram, Script(coins=(500,)), SHORT), "after row intent capture")
    for name, amount_yen in moved.items():
        setattr(store.coins, name, amount_yen)
    store.coins.payment_id, store.coins.tray_yen = None, 0
    found = restart(store)
    assert (found.orders, found.owed_yen, found.cases) == (("settled",), owed_yen, cases)
    assert (found.cashbox_yen, found.change_yen) == (500, moved.get("change_yen", 0))
    closed = [event for event in store.told().events if event.kind is EventKind.PAYMENT_CLOSED]
    assert [(event.cashbox_yen, event.change_yen) for event in closed] == [(500, moved.get("change_yen", 0))]


@pytest.mark.parametrize(("back_yen", "cases"), [(50, ()), (20, ("MONEY_UNCERTAIN",))])
def test_a_return_that_stopped_half_way_leaves_the_rest_owed(ram: Path, back_yen: int, cases: tuple[str, ...]) -> None:
    store = cut_at(Store(ram, Script(coins=(50,), cancels=True), SHORT), "after row intent return")
    store.coins.returned_yen, store.coins.payment_id, store.coins.tray_yen = back_yen, None, 0
    found = restart(store)
    assert (found.orders, found.owed_yen, found.cases) == (("void",), 50 - back_yen, cases)


def test_a_movement_of_which_nobody_knows_anything_is_uncollected_and_a_case(ram: Path) -> None:
    store = cut_at(Store(ram, Script(coins=(500,)), SHORT), "after row intent capture")
    store.coins.payment_id, store.coins.tray_yen = None, 0
    found = restart(store)
    assert (found.orders, found.owed_yen, found.cases) == (("uncollected",), 300, ("MONEY_UNCERTAIN",))


def test_money_that_is_owed_already_is_never_given_back_too(ram: Path) -> None:
    """The unit did not answer when the money was to come back, so it was told as due; later somebody stands there."""
    store = Store(ram, Script(coins=(50,), cancels=True), SHORT)
    process = Process(store)
    process.boot()
    for _ in range(2):
        store.coins.cues.fail("hold", DeviceGone("cue"))
    assert process.serve().reasons == ("case MONEY_UNCERTAIN", "money-held")
    process.journal.close()
    store.lose_power()
    found = restart(store)
    assert (found.cashbox_yen, found.returned_yen, found.tray_yen, found.owed_yen) == (50, 0, 0, 50)


@pytest.mark.parametrize("guarded", [False, True])
def test_money_that_staff_saw_to_is_not_read_out_of_totals_that_hold_others_money(
    ram: Path, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """First the fault: the unit's totals since then are somebody else's 500 yen."""
    if not guarded:
        monkeypatch.setattr(Book, "_left_to_staff", lambda _, __: [])
    store = Store(ram, Script(coins=(50,), cancels=True), SHORT)
    process = Process(store)
    process.boot()
    for _ in range(2):
        store.coins.cues.fail("hold", DeviceGone("cue"))
    process.serve()
    assert store.told().owed_yen() == 50
    # Staff empty the unit and open the terminal again; somebody else is served, and the process ends much later.
    process.effects.book.close_cases("50 yen taken out")
    store.coins.payment_id, store.coins.tray_yen = None, 0
    store.script = Script(coins=(500,))
    store.coins.inserted_yen = 0
    process.serve()
    process.journal.close()
    assert store.coins.cashbox_yen == 500
    store.lose_power()
    found = restart(store)
    assert (found.owed_yen, found.cases) == (50, () if guarded else ("MONEY_UNCERTAIN",))


# The journal


@pytest.mark.parametrize(
    ("act", "script", "money"),
    [
        ("collect", Script(), (0, 0)),
        ("print", Script(), (0, 200)),
        ("capture", Script(), (0, 0)),
        ("return", Script(coins=(50,), cancels=True), (0, 0)),
    ],
)
def test_without_its_row_no_act_is_begun(ram: Path, act: str, script: Script, money: tuple[int, int]) -> None:
    store = Store(ram, script, SHORT)
    process = Process(store)
    process.boot()
    append = process.journal.append

    def full(*entries: Entry) -> tuple[int, ...]:
        if any(isinstance(entry.body, Intent) and entry.body.act == act for entry in entries):
            raise JournalUnavailable("database or disk is full")
        return append(*entries)

    process.journal.append = full  # type: ignore[method-assign]  # the disk is full for this row
    process.serve()
    process.journal.close()
    assert (store.coins.cashbox_yen, store.coins.returned_yen) == money
    assert (act == "collect") == ("after payment.start" not in store.points)
    assert len(store.press.papers) == (act == "capture")
    # What stands open then is ended at the next start, when there is room again.
    store.lose_power()
    found = restart(store)
    assert found.tray_yen == 0
    assert found.cashbox_yen + found.returned_yen == store.coins.inserted_yen


def test_an_act_that_belongs_to_nothing_in_the_journal_is_for_staff(ram: Path) -> None:
    store = Store(ram)
    journal = store.journal()
    journal.intent(Intent(act=Act.PRINT, visit_id="a" * 32, order_id="b" * 32))
    journal.close()
    found = restart(store)
    assert (found.state, found.cases) == (State.OUT_OF_SERVICE, ("UNFINISHED_ACT",))
