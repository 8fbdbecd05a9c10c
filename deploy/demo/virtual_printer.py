"""A small IPP printer of the project's own, a process of its own, that can be told every fault of the real ones.

The machine is `printer_engine.Engine`, what its paper really did `printer_record.Record`; IPP is `printer_ipp.IppFace`,
over HTTP on loopback. The world's side (faults, paper, cover, panel) speaks JSON lines over a unix socket, one request
a connection. A power cut is a kill -9 of this process: jobs and history are gone, the record and the meter stay.

    python -m deploy.demo.virtual_printer --port 6310 --control S [--record F] [--model '{"meter": false}']
        [--paper 3] [--fault '{"sheet": 2, "stage": "back", "mishap": "jam"}']
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click
import msgspec
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from deploy.demo.printer_engine import TRAY_SHEETS, Engine, Mishap, Model, Stage
from deploy.demo.printer_ipp import Dropped, IppFace, Wire, WireFault
from deploy.demo.printer_record import Record, Sheet, read_record
from deploy.demo.processes import Process, free_port, listens

ANSWER_TIMEOUT_S = 10.0
START_TIMEOUT_S = 20.0
LINE_MAX_BYTES = 65_536
PATH = "/ipp/print"
REPOSITORY = Path(__file__).resolve().parents[2]
#: What hands can do at the machine: methods of its engine.
HANDS = frozenset(
    {
        "load",
        "close_cover",
        "clear",
        "pause",
        "resume",
        "cancel_at_panel",
        "release",
        "forget",
        "accept",
        "copy",
        "retract",
    }
)


class PrinterToldWrong(ValueError):
    """The printer was told something that it does not know; the message says what."""


# the process


class World:
    """What can be done to the printer from outside, by name over the control socket."""

    def __init__(self, engine: Engine, wire: Wire) -> None:
        self._engine = engine
        self._wire = wire

    def do(self, request: dict[str, Any]) -> object:
        """Carry one request out. Errors: ValueError, TypeError."""
        operation = request.pop("op", None)
        if operation == "look":
            return self._look()
        if operation == "fault":
            told = msgspec.convert(request, Told)
            self._engine.fault(told.sheet, told.stage, told.mishap)
        elif operation == "wire":
            self._wire.add(WireFault(**request))
        elif operation == "heal":
            self._wire.heal()
        elif operation in HANDS:
            getattr(self._engine, operation)(**request)
        else:
            raise ValueError(f"there is no operation {operation!r}")
        return None

    def _look(self) -> dict[str, Any]:
        jobs = (*self._engine.jobs(ended=False), *self._engine.jobs(ended=True))
        status = self._engine.status()
        return {
            "stopped": status.stopped,
            "reasons": status.reasons,
            "jobs": [{"id": job.job_id, "name": job.name, "state": job.state.name} for job in jobs],
        }


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault of the paper, as it is told."""

    stage: Stage
    mishap: Mishap
    sheet: int = 0


class _ControlHandler(socketserver.StreamRequestHandler):
    server: _ControlServer
    timeout = 60.0

    def handle(self) -> None:
        line = self.rfile.readline(LINE_MAX_BYTES)
        try:
            answer = {"ok": self.server.world.do(msgspec.json.decode(line, type=dict[str, Any]))}
        except (ValueError, TypeError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        self.wfile.write(msgspec.json.encode(answer) + b"\n")


class _ControlServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, world: World) -> None:
        path.unlink(missing_ok=True)
        super().__init__(str(path), _ControlHandler)
        path.chmod(0o600)
        self.world = world


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # CUPS's backend asks for it

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _serve(face: IppFace, port: int) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # WSGI's own shape
        request = Request(environ)
        try:
            body = face.answer(request.get_data(), request.headers.get("User-Agent", ""))
        except Dropped:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise
        return Response(body, content_type="application/ipp")(environ, start_response)

    make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet).serve_forever()


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--control", type=click.Path(path_type=Path), required=True)
@click.option("--record", type=click.Path(path_type=Path))
@click.option("--model", "model_json", default="{}", help="what differs from a whole modern printer, as JSON")
@click.option("--paper", type=int, default=TRAY_SHEETS, show_default=True)
@click.option("--fault", "faults", multiple=True, help="a fault of the paper, as JSON")
@click.option("--wire", "wires", multiple=True, help="a fault of the wire, as JSON")
def main(  # noqa: PLR0917 -- click gives them by name
    port: int,
    control: Path,
    record: Path | None,
    model_json: str,
    paper: int,
    faults: tuple[str, ...],
    wires: tuple[str, ...],
) -> None:
    """Be one printer until ended."""
    engine = Engine(msgspec.json.decode(model_json, type=Model), Record(record), paper)
    wire = Wire()
    world = World(engine, wire)
    for operation, told in (*(("fault", f) for f in faults), *(("wire", w) for w in wires)):
        world.do({"op": operation, **msgspec.json.decode(told, type=dict[str, Any])})
    with _ControlServer(control, world) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _serve(IppFace(engine, wire, f"ipp://localhost:{port}{PATH}"), port)


# the world's hands


class VirtualPrinter:
    """One virtual printer under `root`, and the hands at it; the record stays when the process goes.

    Errors: PartFailed if it does not come up in time.
    """

    def __init__(self, root: Path, model: Model | None = None, paper: int = TRAY_SHEETS) -> None:
        self.root = root
        self.port = 0
        self._model = model or Model()
        self._paper = paper
        self._process: Process | None = None

    @property
    def uri(self) -> str:
        """The printer's IPP address; the same after a restart."""
        return f"ipp://localhost:{self.port}{PATH}"

    def start(self) -> None:
        """Switch it on."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        model = msgspec.json.encode(self._model).decode()
        command = [sys.executable, "-m", "deploy.demo.virtual_printer", "--port", str(self.port), "--model", model]
        command += ["--control", str(self._control), "--record", str(self._record), "--paper", str(self._paper)]
        log = self.root / "printer.log"
        process = Process("virtual printer", command, log=log, env={"PYTHONPATH": str(REPOSITORY)})
        try:
            process.wait_until(lambda: listens(self.port), START_TIMEOUT_S)
        except BaseException:
            process.stop()
            raise
        self._process = process

    def cut_power(self) -> None:
        """Kill it, as a power cut does; jobs and history are gone."""
        self.stop(kill=True)

    def power_back(self) -> None:
        """Switch it on again after a power cut, its tray as full as at first; its up-time begins anew."""
        self.stop(kill=True)
        self._model = msgspec.structs.replace(self._model, booted_s_ago=0)
        self.start()

    def is_on(self) -> bool:
        """Tell whether the process lives."""
        return self._process is not None and self._process.is_alive()

    def stop(self, *, kill: bool = False) -> None:
        """End it."""
        if self._process is not None:
            self._process.stop(kill=kill)
            self._process = None

    def tell(self, op: str, /, **fields: Any) -> Any:
        """Do something to it. Errors: PrinterToldWrong; OSError while it is off."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(ANSWER_TIMEOUT_S)
            wire.connect(str(self._control))
            wire.sendall(msgspec.json.encode({"op": op, **fields}) + b"\n")
            with wire.makefile("rb") as stream:
                line = stream.readline()
        if not line:
            raise ConnectionResetError("the printer went away")
        answer = msgspec.json.decode(line, type=dict[str, Any])
        if "error" in answer:
            raise PrinterToldWrong(answer["error"])
        return answer["ok"]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return what its paper really did: read from the record, never asked of the printer."""
        return read_record(self._record)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _control(self) -> Path:
        return self.root / "control.sock"

    @property
    def _record(self) -> Path:
        return self.root / "sheets.jsonl"


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
