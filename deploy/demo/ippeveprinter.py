"""The demo's printer: CUPS's own ippeveprinter, whose paper is a PDF in a folder."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.demo.processes import PartFailed, Process, free_port, listens

START_TIMEOUT_S = 10.0
START_ATTEMPTS = 3  # between finding a free port and listening on it, another part may take it
NAME = "Madoguchi demo printer"

_ONE_SIDED = "one-sided"
_TWO_SIDED = "one-sided,two-sided-long-edge,two-sided-short-edge"
# Whether it can turn a sheet over stands here too: beside a file of attributes, ippeveprinter takes no -2.
# ippeveprinter is a letter-size printer unless it is told otherwise. It names its own document formats after these;
# the first of two attributes of one name is the one that it and CUPS go by.
_ATTRIBUTES = """\
ATTR textWithoutLanguage printer-make-and-model "Madoguchi demo printer"
ATTR mimeMediaType document-format-supported application/pdf
ATTR keyword media-default iso_a4_210x297mm
ATTR keyword media-ready iso_a4_210x297mm
ATTR keyword media-supported iso_a4_210x297mm
ATTR keyword sides-default one-sided
ATTR keyword sides-supported {sides}
ATTR keyword print-color-mode-default color
ATTR keyword print-color-mode-supported color,monochrome
ATTR keyword print-scaling-default none
ATTR keyword print-scaling-supported none
ATTR keyword output-bin-default face-down
ATTR keyword output-bin-supported face-down
ATTR integer copies-default 1
ATTR rangeOfInteger copies-supported 1-1
"""


class IppEvePrinter:
    """One virtual printer with a D-Bus of its own; the papers land in `output`, each in one atomic step.

    Shape:  a paper is NNNNNN-<job name>.pdf, where NNNNNN counts up and the job name is the order's id. `command` is
            run in place of the feeder for every document (its path the only argument); a fault is played with it.
            Without two_sided it is a printer that cannot turn a sheet over.
    Errors: PartFailed if the printer does not come up in time.
    """

    def __init__(self, root: Path, output: Path, command: Path | None = None, *, two_sided: bool = True) -> None:
        self.root = root.resolve()
        self.output = output.resolve()
        self.port = 0
        self._command = command
        self._attributes = _ATTRIBUTES.format(sides=_TWO_SIDED if two_sided else _ONE_SIDED)
        self._bus: Process | None = None
        self._printer: Process | None = None

    @property
    def uri(self) -> str:
        """The printer's IPP address; the same after a restart."""
        return f"ipp://localhost:{self.port}/ipp/print"

    def start(self) -> None:
        """Start with an empty memory: like a printer after a power cut, it knows no earlier job."""
        if self._printer is not None:
            raise RuntimeError("the printer was started already")
        spool = self.root / "spool"
        shutil.rmtree(spool, ignore_errors=True)
        spool.mkdir(parents=True)
        self.output.mkdir(parents=True, exist_ok=True)
        self._write_files()
        self._start_bus()
        for attempt in range(START_ATTEMPTS):
            self.port = self.port or free_port()
            try:
                self._start_printer(spool)
            except PartFailed:
                self.port = 0
                if attempt == START_ATTEMPTS - 1:
                    self.stop()
                    raise
            else:
                return

    def stop(self) -> None:
        """End the printer and its D-Bus; what it was working on is lost."""
        for process in (self._printer, self._bus):
            if process is not None:
                process.stop()
        self._printer = self._bus = None

    def papers(self) -> tuple[Path, ...]:
        """Return the papers that came out, in the order in which they came out."""
        return tuple(sorted(self.output.glob("*.pdf")))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _write_files(self) -> None:
        (self.root / "printer.conf").write_text(self._attributes)
        feeder = self.root / "feeder"
        arguments = (sys.executable, "-I", str(Path(__file__).with_name("paper_feeder.py")), str(self.output))
        feeder.write_text(f'#!/bin/sh\nexec {shlex.join(arguments)} "$1"\n')
        feeder.chmod(0o755)

    def _start_bus(self) -> None:
        socket = self.root / "bus"
        socket.unlink(missing_ok=True)
        command = ("dbus-daemon", "--session", "--nofork", f"--address=unix:path={socket}")
        self._bus = Process("dbus-daemon", command, log=self.root / "bus.log")
        self._bus.wait_until(socket.exists, START_TIMEOUT_S)

    def _start_printer(self, spool: Path) -> None:
        command = ["ippeveprinter", "-r", "off", "-n", "localhost", "-p", str(self.port), "-d", str(spool)]
        command += ["-a", str(self.root / "printer.conf"), "-c", str(self._command or self.root / "feeder"), NAME]
        address = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.root / 'bus'}"}
        printer = Process("ippeveprinter", command, log=self.root / "printer.log", env=address)
        try:
            printer.wait_until(lambda: listens(self.port), START_TIMEOUT_S)
        except BaseException:
            printer.stop()
            raise
        self._printer = printer
