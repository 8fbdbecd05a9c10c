"""What can happen to a job at the printer: one story a row, with its one right end.

Printed is right where all sheets came out in the end, failed where none did, partial where some did or one is stuck
inside. Unknown is right only where the world destroyed what could have told; the row then says what. docs/
printer-scenarios.md is this table in words, and a test holds the two together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cups

from deploy.demo.printer_engine import Mishap, Model, Stage
from deploy.demo.printer_ipp import ANY, WireFault
from printing.press.verdict import Outcome
from tests.printer_hands import (
    CUPS,
    FOREVER,
    PRESS,
    clear,
    close_cover,
    cups_killed_and_started,
    cups_started_carelessly,
    enable_the_queue,
    forget_it_at_the_end,
    lose_the_printer,
    power_back,
    refill,
    release_at_panel,
    resume,
    resume_once_cups_says_completed,
    somebody_copies,
    take_no_jobs,
    worker_killed,
)
from tests.printer_world import BOUNDS, Fault, Scenario, World, but

PRINTED, FAILED, PARTIAL, UNKNOWN = Outcome.PRINTED, Outcome.FAILED, Outcome.PARTIAL, Outcome.UNKNOWN
FEED, FRONT, BACK, EXIT, END = Stage.FEED, Stage.FRONT, Stage.BACK, Stage.EXIT, Stage.END
BUSY: Final = cups.IPP_STATUS_ERROR_BUSY
#: CUPS's backend waits 10 s after what it does not understand.
PATIENT = replace(BOUNDS, stall_timeout_s=25.0)
#: Where a cancel cannot succeed.
RESIGNED = replace(BOUNDS, cancel_timeout_s=2.0)


def fault(sheet: int, stage: Stage, mishap: Mishap) -> tuple[Fault, ...]:
    return (Fault(sheet, stage, mishap),)


PRINTED_ROWS: Final = (
    Scenario(name="plain", story="Three sheets come out.", expected=PRINTED, quick=True),
    Scenario(name="one-sheet", story="One sheet comes out.", expected=PRINTED, sheets=1),
    Scenario(
        name="paper-out-before-sheet-1-refilled",
        story="The tray is empty when the job begins; staff refill it.",
        expected=PRINTED,
        paper=1,
        released=lambda world: world.tell("load", sheets=0),
        meanwhile=refill,
    ),
    Scenario(
        name="paper-out-after-sheet-1-refilled",
        story="The tray is empty after sheet 1; staff refill it.",
        expected=PRINTED,
        paper=1,
        meanwhile=refill,
        quick=True,
    ),
    Scenario(
        name="last-paper-taken",
        story="The job takes the last three sheets of the tray.",
        expected=PRINTED,
        paper=3,
    ),
    Scenario(
        name="jam-between-sheets-cleared",
        story="Sheet 2 jams blank; staff pull it out, and the printer prints it again.",
        expected=PRINTED,
        faults=fault(2, FRONT, Mishap.JAM),
        meanwhile=clear,
    ),
    Scenario(
        name="jam-between-front-and-back-cleared",
        story="Sheet 2 jams with its front printed; staff pull it out, and the printer prints it again.",
        expected=PRINTED,
        faults=fault(2, BACK, Mishap.JAM),
        meanwhile=clear,
        quick=True,
    ),
    Scenario(
        name="cover-opened-and-closed",
        story="The cover is opened between front and back of sheet 2, and closed: the job prints on.",
        expected=PRINTED,
        faults=fault(2, BACK, Mishap.COVER),
        meanwhile=close_cover,
    ),
    Scenario(
        name="stopped-at-the-panel-and-started",
        story="Somebody presses stop before sheet 3, then start.",
        expected=PRINTED,
        faults=fault(3, FEED, Mishap.STOP),
        meanwhile=resume,
    ),
    Scenario(
        name="held-at-the-device-and-released",
        story="The printer holds the job, for which CUPS calls it completed; it is released at the panel.",
        expected=PRINTED,
        faults=fault(0, Stage.ARRIVAL, Mishap.HOLD),
        meanwhile=release_at_panel,
    ),
    Scenario(
        name="answers-lost",
        story="Five answers to the press are lost while it asks.",
        expected=PRINTED,
        wires=(WireFault(ANY, count=5, after=2, lose=True, agent=PRESS),),
    ),
    Scenario(
        name="answers-late",
        story="Three answers to the press come after it has given up waiting for them.",
        expected=PRINTED,
        wires=(WireFault("Get-Jobs", count=3, delay_s=2.5, agent=PRESS),),
        bounds=replace(BOUNDS, stall_timeout_s=15.0),
    ),
    Scenario(
        name="cups-loses-one-answer",
        story="CUPS loses one answer about the job and calls it completed before sheet 2; the printer prints on.",
        expected=PRINTED,
        faults=fault(2, FEED, Mishap.STOP),
        wires=(WireFault("Get-Job-Attributes", count=2, lose=True, agent=CUPS),),
        meanwhile=resume_once_cups_says_completed,
    ),
    Scenario(
        name="document-s-answer-lost",
        story="The printer has the whole document, and its answer to Send-Document is lost.",
        expected=PRINTED,
        wires=(WireFault("Send-Document", lose=True),),
    ),
    Scenario(
        name="old-printer",
        story="The printer knows only Print-Job, so the job's name is CUPS's number and our id.",
        expected=PRINTED,
        model=Model(create_job=False),
        quick=True,
    ),
    Scenario(
        name="create-answer-lost-queue-enabled",
        story="The answer to Create-Job is lost, CUPS stops its queue; enabled by hand, it sends the job again. "
        "The first job never had a document.",
        expected=PRINTED,
        wires=(WireFault("Create-Job", lose=True),),
        meanwhile=enable_the_queue,
        bounds=PATIENT,
    ),
    Scenario(
        name="busy-at-first",
        story="The printer says that it is busy; CUPS asks again ten seconds later.",
        expected=PRINTED,
        wires=(WireFault("Create-Job", status=BUSY),),
        bounds=PATIENT,
    ),
    Scenario(
        name="counts-late",
        story="The job's counts follow its state a third of a second late.",
        expected=PRINTED,
        model=Model(counts_lag_s=0.3),
        quick=True,
    ),
    Scenario(
        name="no-meter",
        story="A printer without a lifetime counter.",
        expected=PRINTED,
        model=Model(meter=False),
        declared=but(lifetime_counter=False),
    ),
    Scenario(
        name="impressions-alone",
        story="A printer that counts printed sides and nothing else.",
        expected=PRINTED,
        model=Model(meter=False, sheets=False, path_reasons=False),
        declared=but(lifetime_counter=False, sheets=False, path_sensor=False),
    ),
    Scenario(
        name="cupsd-killed-and-started",
        story="cupsd is killed while sheet 2 prints, and started as we start it: nothing is sent again.",
        expected=PRINTED,
        faults=fault(2, FEED, Mishap.STOP),
        meanwhile=cups_killed_and_started,
        quick=True,
    ),
    Scenario(
        name="worker-killed",
        story="The press's own process is killed while it asks; its successor asks again.",
        expected=PRINTED,
        faults=fault(2, FEED, Mishap.STOP),
        meanwhile=worker_killed,
    ),
)

FAILED_ROWS: Final = (
    Scenario(
        name="aborted-on-arrival",
        story="The printer aborts the job before sheet 1; CUPS may call it completed.",
        expected=FAILED,
        faults=fault(0, Stage.ARRIVAL, Mishap.ABORT),
        quick=True,
    ),
    Scenario(
        name="aborted-before-sheet-1",
        story="The printer begins and aborts with nothing out.",
        expected=FAILED,
        faults=fault(1, FEED, Mishap.ABORT),
    ),
    Scenario(
        name="cancelled-at-the-panel",
        story="Somebody cancels the job at the panel before sheet 1.",
        expected=FAILED,
        faults=fault(1, FEED, Mishap.CANCEL),
    ),
    Scenario(
        name="paper-out-before-sheet-1",
        story="The tray is empty when the job begins, and nobody comes; refilled later, the printer prints nothing.",
        expected=FAILED,
        released=lambda world: world.tell("load", sheets=0),
    ),
    Scenario(
        name="stopped-at-the-panel",
        story="Somebody presses stop before sheet 1; started later, the printer prints nothing.",
        expected=FAILED,
        faults=fault(1, FEED, Mishap.STOP),
    ),
    Scenario(
        name="held-at-the-device",
        story="The printer holds the job; released later, it prints nothing.",
        expected=FAILED,
        faults=fault(0, Stage.ARRIVAL, Mishap.HOLD),
    ),
    Scenario(
        name="cover-open-before-sheet-1",
        story="The cover is opened before sheet 1 on a printer without path sensor, and closed later: "
        "nothing comes out.",
        expected=FAILED,
        model=Model(path_reasons=False),
        declared=but(path_sensor=False),
        faults=fault(1, FEED, Mishap.COVER),
    ),
    Scenario(
        name="takes-no-jobs",
        story="The printer takes no jobs from the moment of the release on; its meter tells that nothing came out.",
        expected=FAILED,
        released=take_no_jobs,
    ),
    Scenario(
        name="format-refused",
        story="The printer refuses the document's format at Validate-Job; its meter tells that nothing came out.",
        expected=FAILED,
        wires=(WireFault("Validate-Job", count=FOREVER, status=cups.IPP_STATUS_ERROR_DOCUMENT_FORMAT_NOT_SUPPORTED),),
    ),
    Scenario(
        name="create-answer-lost",
        story="The answer to Create-Job is lost; the job without a document is cancelled, CUPS's is purged before the "
        "queue is enabled.",
        expected=FAILED,
        wires=(WireFault("Create-Job", lose=True),),
    ),
    Scenario(
        name="create-answer-lost-queue-stopped",
        story="The same, once CUPS has stopped its queue.",
        expected=FAILED,
        wires=(WireFault("Create-Job", lose=True),),
        meanwhile=World.until_queue_stopped,
        bounds=replace(BOUNDS, stall_timeout_s=14.0),
    ),
    Scenario(
        name="document-lost",
        story="The connection breaks before the document reaches the printer.",
        expected=FAILED,
        wires=(WireFault("Send-Document", count=FOREVER, drop=True),),
    ),
    Scenario(
        name="cancel-s-answers-lost",
        story="Somebody presses stop before sheet 1; the printer's answers to the first cancels are lost.",
        expected=FAILED,
        faults=fault(1, FEED, Mishap.STOP),
        wires=(WireFault("Cancel-Job", count=3, lose=True),),
    ),
    Scenario(
        name="power-cut-before-sheet-1",
        story="The power is cut before sheet 1; the job is forgotten, the meter is where it was.",
        expected=FAILED,
        faults=fault(1, FEED, Mishap.POWER_CUT),
        meanwhile=power_back,
    ),
)

PARTIAL_ROWS: Final = (
    Scenario(
        name="aborted-after-sheet-1",
        story="The printer aborts the job after sheet 1.",
        expected=PARTIAL,
        sheets_out=1,
        faults=fault(2, FEED, Mishap.ABORT),
        quick=True,
    ),
    Scenario(
        name="cancelled-on-sheet-2",
        story="Somebody cancels at the panel while sheet 2 prints; that sheet still comes out.",
        expected=PARTIAL,
        sheets_out=2,
        faults=fault(2, BACK, Mishap.CANCEL),
    ),
    Scenario(
        name="paper-out-after-sheet-2",
        story="The tray is empty after sheet 2, and nobody comes; refilled later, the printer prints nothing.",
        expected=PARTIAL,
        sheets_out=2,
        paper=2,
    ),
    Scenario(
        name="jam-on-sheet-2",
        story="Sheet 2 of 3 jams blank, and nobody comes (S15); cleared later, the printer prints nothing.",
        expected=PARTIAL,
        sheets_out=1,
        faults=fault(2, FRONT, Mishap.JAM),
    ),
    Scenario(
        name="jam-between-front-and-back",
        story="Sheet 2 of 3 jams with its front printed, and nobody comes; the printer counts at its drum.",
        expected=PARTIAL,
        sheets_out=1,
        model=Model(counts="marked"),
        faults=fault(2, BACK, Mishap.JAM),
    ),
    Scenario(
        name="jam-before-anything-is-out",
        story="Sheet 1 jams with both sides printed: none is out, and one must be taken out of the printer.",
        expected=PARTIAL,
        sheets_out=0,
        faults=fault(1, EXIT, Mishap.JAM),
    ),
    Scenario(
        name="cover-open-on-sheet-3",
        story="The cover is opened before sheet 3 and closed after the verdict: the job does not print on.",
        expected=PARTIAL,
        sheets_out=2,
        faults=fault(3, FEED, Mishap.COVER),
    ),
    Scenario(
        name="cover-open-and-cups-says-completed",
        story="The cover is opened before sheet 2, CUPS loses an answer and calls the job completed: it is cancelled "
        "at the printer itself, and does not print on when the cover is closed.",
        expected=PARTIAL,
        sheets_out=1,
        faults=fault(2, FEED, Mishap.COVER),
        wires=(WireFault("Get-Job-Attributes", count=2, lose=True, agent=CUPS),),
        meanwhile=World.until_cups_says_completed,
        quick=True,
    ),
    Scenario(
        name="half-a-sheet-comes-out",
        story="The printer aborts between front and back of sheet 2 and lays it out with an empty back.",
        expected=PARTIAL,
        sheets_out=2,
        faults=fault(2, BACK, Mishap.ABORT),
    ),
    Scenario(
        name="power-cut-after-sheet-1",
        story="The power is cut after sheet 1; the job is forgotten, the meter tells one sheet.",
        expected=PARTIAL,
        sheets_out=1,
        faults=fault(2, FEED, Mishap.POWER_CUT),
        meanwhile=power_back,
        quick=True,
    ),
    Scenario(
        name="power-cut-with-a-sheet-inside",
        story="The power is cut with sheet 2 in the path; the job is forgotten, the meter tells one sheet.",
        expected=PARTIAL,
        sheets_out=1,
        faults=fault(2, EXIT, Mishap.POWER_CUT),
        meanwhile=power_back,
    ),
    Scenario(
        name="sent-twice-stopped-in-time",
        story="cupsd is killed and started over what it left while sheet 2 stands, and sends the job again: both are "
        "stopped, and the meter tells one sheet.",
        expected=PARTIAL,
        sheets_out=1,
        faults=fault(2, FEED, Mishap.STOP),
        meanwhile=cups_started_carelessly,
    ),
)

UNKNOWN_ROWS: Final = (
    Scenario(
        name="power-cut-no-meter",
        story="The power is cut after sheet 1 on a printer without a lifetime counter.",
        expected=UNKNOWN,
        evidence_gone="the job and its counts went with the power",
        model=Model(meter=False),
        declared=but(lifetime_counter=False),
        faults=fault(2, FEED, Mishap.POWER_CUT),
        meanwhile=power_back,
        quick=True,
    ),
    Scenario(
        name="power-cut-after-the-last-sheet",
        story="The power is cut with all sheets out and before the printer said so.",
        expected=UNKNOWN,
        evidence_gone="the meter tells six sides, and nobody that the job had them all and whole",
        faults=fault(3, END, Mishap.POWER_CUT),
        meanwhile=power_back,
    ),
    Scenario(
        name="power-cut-and-still-dark",
        story="The power is cut after sheet 1 and does not come back in time.",
        expected=UNKNOWN,
        evidence_gone="nobody answers",
        faults=fault(2, FEED, Mishap.POWER_CUT),
        meanwhile=World.until_cut,
        bounds=RESIGNED,
        unconfirmed=True,
    ),
    Scenario(
        name="network-to-the-printer-lost",
        story="The press cannot reach the printer any more; all sheets come out meanwhile.",
        expected=UNKNOWN,
        evidence_gone="nobody answers",
        wires=(WireFault(ANY, count=FOREVER, drop=True, agent=PRESS),),
        bounds=RESIGNED,
        unconfirmed=True,
    ),
    Scenario(
        name="network-lost-with-the-cover-open",
        story="The press cannot reach the printer, whose cover is open after sheet 1; once it can, it cancels the job, "
        "and nothing comes out when the cover is closed.",
        expected=UNKNOWN,
        evidence_gone="nobody answers",
        faults=fault(2, FEED, Mishap.COVER),
        meanwhile=lose_the_printer,
        bounds=RESIGNED,
        unconfirmed=True,
    ),
    Scenario(
        name="counts-nothing",
        story="The printer says completed and counts nothing.",
        expected=UNKNOWN,
        evidence_gone="the printer contradicts itself, and its meter alone says nothing of this job's pages",
        model=Model(says="nothing"),
    ),
    Scenario(
        name="counts-twice",
        story="The printer says completed and counts every sheet twice.",
        expected=UNKNOWN,
        evidence_gone="the counts cannot be right",
        model=Model(says="twice"),
    ),
    Scenario(
        name="counts-all-at-once",
        story="The printer counts all pages as soon as it has the file, and aborts after sheet 1.",
        expected=UNKNOWN,
        evidence_gone="its counts say all, its state says aborted",
        model=Model(says="all at once", meter=False),
        declared=but(lifetime_counter=False),
        faults=fault(2, FEED, Mishap.ABORT),
        quick=True,
    ),
    Scenario(
        name="somebody-copies-meanwhile",
        story="Somebody uses the copier while the job prints: the meter has moved by more than the job.",
        expected=UNKNOWN,
        evidence_gone="whose sheets the meter counted is not known",
        faults=fault(2, FEED, Mishap.STOP),
        meanwhile=somebody_copies,
    ),
    Scenario(
        name="forgotten-at-its-end",
        story="The printer drops the job from its history before it was seen to end.",
        expected=UNKNOWN,
        evidence_gone="the job is in no list",
        model=Model(meter=False),
        declared=but(lifetime_counter=False),
        faults=fault(3, FEED, Mishap.STOP),
        meanwhile=forget_it_at_the_end,
    ),
    Scenario(
        name="sent-twice-no-meter",
        story="The same on a printer without a lifetime counter: two jobs of one name, both stopped.",
        expected=UNKNOWN,
        evidence_gone="which sheets are which job's is not known",
        model=Model(meter=False),
        declared=but(lifetime_counter=False),
        faults=fault(2, FEED, Mishap.STOP),
        meanwhile=cups_started_carelessly,
    ),
    Scenario(
        name="refused-no-meter",
        story="A printer without a lifetime counter refuses the job.",
        expected=UNKNOWN,
        evidence_gone="a job that is not listed may have been forgotten, and no count tells",
        model=Model(meter=False),
        declared=but(lifetime_counter=False),
        wires=(WireFault("Validate-Job", count=FOREVER, status=cups.IPP_STATUS_ERROR_DOCUMENT_FORMAT_NOT_SUPPORTED),),
    ),
    Scenario(
        name="stuck-after-the-last-sheet",
        story="The printer stops with all sheets out and never completes the job; it is cancelled.",
        expected=UNKNOWN,
        evidence_gone="cancelled by its state, complete by its counts",
        faults=fault(3, END, Mishap.STOP),
    ),
    Scenario(
        name="cancels-only-when-it-runs",
        story="With its cover open the printer takes a cancel and does not carry it out; the terminal stays out of "
        "service until it has.",
        expected=UNKNOWN,
        evidence_gone="the job is not stopped yet: what comes out of it is still open",
        model=Model(cancels_when_stopped=False),
        faults=fault(2, FEED, Mishap.COVER),
        bounds=RESIGNED,
        unconfirmed=True,
    ),
    Scenario(
        name="counts-at-the-drum-jam-cleared",
        story="Sheet 2 jams with its front printed and is printed again; the printer counts at its drum, so seven "
        "sides for three sheets.",
        expected=UNKNOWN,
        evidence_gone="a count that is too high is also what a second copy looks like",
        model=Model(counts="marked"),
        faults=fault(2, BACK, Mishap.JAM),
        meanwhile=clear,
    ),
)

SCENARIOS: Final = (*PRINTED_ROWS, *FAILED_ROWS, *PARTIAL_ROWS, *UNKNOWN_ROWS)
