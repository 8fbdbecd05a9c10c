"""One harness for the worker processes that hold libraries which can hang or crash: card, printing, payment.

A worker is a process of its own that builds one service and executes calls on it, one at a time. A call that does
not answer in time kills the process, and a fresh one takes its place; the parent is never blocked for longer.
The process is started as a fresh interpreter: a fork would inherit locks, and `multiprocessing`'s spawn would import
the parent's main module again and leave a process of its own running.
"""

import contextlib
import ctypes
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Protocol

import structlog

START_TIMEOUT_S: Final = 15.0
STOP_TIMEOUT_S: Final = 3.0
REAP_TIMEOUT_S: Final = 5.0
RESTART_PAUSE_S: Final = 0.2  # between two attempts where a service cannot even be built
RESTART_PAUSE_MAX_S: Final = 5.0

_PR_SET_PDEATHSIG: Final = 1
_CHILD: Final = "from terminal.workers import child_main; child_main()"
_ROOT: Final = Path(__file__).resolve().parent.parent

Emit = Callable[[object], None]
Factory = Callable[..., "Service"]

log = structlog.get_logger()


class Service(Protocol):
    """What runs inside a worker; its other public methods can be called from the parent."""

    def close(self) -> None:
        """Let the device go; called once, at an orderly end."""


class WorkerError(Exception):
    """The worker, not its service, failed; `worker` and `method` say where."""

    def __init__(self, worker: str, method: str) -> None:
        super().__init__(worker, method)
        self.worker = worker
        self.method = method


class WorkerHung(WorkerError):
    """The call gave no answer in time; its process was killed and is being replaced. What it did is unknown."""


class WorkerDied(WorkerError):
    """The process ended during the call, or none is up. What the call did is unknown."""


class WorkerBusy(WorkerError):
    """Another call is still running; this one was not begun."""


class _Life:
    """One process of a worker, from its start to its end."""

    def __init__(self, name: str, env: Mapping[str, str]) -> None:
        calls, calls_child = socket.socketpair()
        events, events_child = socket.socketpair()
        self._sockets = (calls, events)
        self.calls = Connection(os.dup(calls.fileno()))
        self.events = Connection(os.dup(events.fileno()))
        self.hung = False
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        arguments = [name, str(calls_child.fileno()), str(events_child.fileno()), str(os.getpid())]
        with calls_child, events_child:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _CHILD, *arguments],
                env={**os.environ, **env, "PYTHONPATH": os.pathsep.join(paths)},
                pass_fds=[calls_child.fileno(), events_child.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # a service that prints must not mix with what the parent's command answers
            )

    def kill(self) -> None:
        """End the process, and wake whoever waits for it even where the kernel does not let it go at once."""
        self.process.kill()
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def kill_as_hung(self) -> None:
        self.hung = True
        self.kill()

    def bury(self) -> None:
        """Kill, reap and close."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel: nobody can end it now
            self.process.wait(REAP_TIMEOUT_S)
        for end in (*self._sockets, self.calls, self.events):
            end.close()


class Worker:
    """One worker and its watchdog.

    Shape:  `factory(*args, emit)` builds the service inside the process; it and all that crosses must be picklable.
            on_event gets what the service emits, in order, on a thread of the parent; it must only hand on.
            env is set before anything is imported there: some libraries read it once.
    """

    def __init__(
        self,
        name: str,
        factory: Factory,
        args: tuple[object, ...],
        on_event: Callable[[object], None],
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._recipe = pickle.dumps((factory, args))
        self._on_event = on_event
        self._env = dict(env or {})
        self._one_call = threading.Lock()
        self._changed = threading.Condition()
        self._life: _Life | None = None  # the process that takes calls; None while there is none
        self._newest: _Life | None = None  # the process that exists, built or not
        self._first_failure: BaseException | None = None
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The process that takes calls now, or None while it is being replaced."""
        life = self._life
        return life.process.pid if life else None

    def start(self) -> None:
        """Start and wait until the service is built.

        Errors: what the factory raised; WorkerDied where it died or took longer than START_TIMEOUT_S.
        """
        assert self._keeper is None
        # The keeper starts every process: Linux ends a child with the *thread* that started it, not with the process.
        self._keeper = threading.Thread(target=self._keep, name=f"worker {self.name}", daemon=True)
        self._keeper.start()
        with self._changed:
            self._changed.wait_for(lambda: self._life or self._first_failure, START_TIMEOUT_S + REAP_TIMEOUT_S)
        if self._life is None:
            failure = self._first_failure
            self.stop()
            raise failure or WorkerDied(self.name, "start")

    def call(self, method: str, *args: object, timeout_s: float) -> object:
        """Execute one method of the service and return its answer.

        Errors: what the service raised, as it is; WorkerHung, WorkerDied, WorkerBusy. Never blocks beyond timeout_s.
        """
        assert not method.startswith("_")
        deadline_s = time.monotonic() + timeout_s
        if not self._one_call.acquire(timeout=timeout_s):
            raise WorkerBusy(self.name, method)
        try:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._life is not None or self._stopping.is_set(), deadline_s - time.monotonic()
                )
                life = self._life
            if life is None:
                raise WorkerDied(self.name, method)
            kind, value = self._exchange(life, method, args, deadline_s - time.monotonic())
        finally:
            self._one_call.release()
        if kind == "raised":
            assert isinstance(value, Exception)
            raise value
        return value

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End the process: in order if it is idle and closes within timeout_s, else by force. Bounded."""
        self._stopping.set()
        deadline_s = time.monotonic() + timeout_s
        life = self._life
        if life is not None and self._one_call.acquire(timeout=timeout_s):
            try:
                with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                    life.calls.send(None)
                    life.process.wait(max(0.0, deadline_s - time.monotonic()))
            finally:
                self._one_call.release()
        newest = self._newest
        if newest is not None:
            newest.kill()
        if self._keeper is not None:
            self._keeper.join(REAP_TIMEOUT_S)

    def _exchange(self, life: _Life, method: str, args: tuple[object, ...], left_s: float) -> tuple[str, object]:
        """Send one call and receive its outcome; the watchdog's kill is what ends a wait that takes too long."""
        watchdog = threading.Timer(max(0.0, left_s), life.kill_as_hung)
        watchdog.daemon = True
        watchdog.start()
        try:
            life.calls.send((method, args))
            kind, value = life.calls.recv()
        except (EOFError, OSError) as error:
            self._retire(life)
            raise (WorkerHung if life.hung else WorkerDied)(self.name, method) from error
        finally:
            watchdog.cancel()
        return kind, value

    def _retire(self, life: _Life) -> None:
        """Take this process out of use before its keeper notices, so that the next call waits for a fresh one."""
        life.kill()
        with self._changed:
            if self._life is life:
                self._life = None

    def _keep(self) -> None:
        """Run process after process until stopped; the first one's failure to build is start()'s."""
        pause_s = RESTART_PAUSE_S
        first = True
        while not self._stopping.is_set():
            life = _Life(self.name, self._env)
            self._newest = life
            if self._stopping.is_set():  # stop() may have looked before this process was there
                life.bury()
                break
            failure = self._build(life)
            if failure is None:
                pause_s = RESTART_PAUSE_S
                with self._changed:
                    self._life = life
                    self._changed.notify_all()
                self._pump(life)
            self._retire(life)
            life.bury()
            if self._stopping.is_set():
                break
            if failure is not None:
                if first:
                    with self._changed:
                        self._first_failure = failure
                        self._changed.notify_all()
                    break
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, RESTART_PAUSE_MAX_S)
            first = False
            self.restarts += 1
            log.warning("worker restarted", worker=self.name, restarts=self.restarts, hung=life.hung)
        with self._changed:
            self._changed.notify_all()

    def _build(self, life: _Life) -> BaseException | None:
        """Hand the recipe over and wait until the service stands; return why it does not."""
        watchdog = threading.Timer(START_TIMEOUT_S, life.kill_as_hung)
        watchdog.daemon = True
        watchdog.start()
        try:
            life.calls.send_bytes(self._recipe)
            kind, value = life.calls.recv()
        except (EOFError, OSError):
            return (WorkerHung if life.hung else WorkerDied)(self.name, "start")
        finally:
            watchdog.cancel()
        return value if kind == "raised" else None

    def _pump(self, life: _Life) -> None:
        """Hand events on until the process ends."""
        while True:
            try:
                event = life.events.recv()
            except (EOFError, OSError):
                return
            try:
                self._on_event(event)
            except Exception:  # one bad event must not end the watch over the worker
                log.exception("worker event not taken", worker=self.name, event_type=type(event).__name__)


def child_main() -> None:
    """The process's own main: build the service, execute calls one at a time, end with the parent."""
    _name, calls_fd, events_fd, parent_pid = sys.argv[1:5]
    _bind_to_parent(int(parent_pid))
    calls, events = Connection(int(calls_fd)), Connection(int(events_fd))
    sending = threading.Lock()

    def emit(event: object) -> None:
        with sending, contextlib.suppress(OSError):  # no parent, no listener: this process is about to end
            events.send(event)

    try:
        factory, args = pickle.loads(calls.recv_bytes())  # noqa: S301 - from our own parent, over its own socket
        service = factory(*args, emit)
    except Exception as error:  # noqa: BLE001 - start() raises it in the parent
        calls.send(("raised", _with_trace(error)))
        return
    calls.send(("built", None))
    with contextlib.suppress(EOFError, OSError):  # the parent is gone
        while (message := calls.recv()) is not None:
            _answer(calls, service, *message)
    service.close()


def _answer(calls: Connection, service: Service, method: str, args: tuple[object, ...]) -> None:
    try:
        outcome = ("answered", getattr(service, method)(*args))
    except Exception as error:  # noqa: BLE001 - every error is the caller's, in the parent
        outcome = ("raised", _with_trace(error))
    try:
        encoded = pickle.dumps(outcome)
    except Exception as error:  # noqa: BLE001 - pickle raises whatever an object's own code raises
        encoded = pickle.dumps(("raised", TypeError(f"{method}: the answer cannot cross: {type(error).__name__}")))
    calls.send_bytes(encoded)


def _with_trace(error: Exception) -> Exception:
    """Keep where it happened: a traceback does not cross by itself. Lines of source only, no values."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    error.add_note(f"in the worker:\n{frames}")
    return error


def _bind_to_parent(parent_pid: int) -> None:
    """Die with the parent, leave no core dump, leave the keyboard's interrupt to the parent."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:  # it died before the line above
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
