"""The worker harness: what crosses, what is killed, what dies with whom."""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from terminal.card.results import PinWrong
from terminal.workers import Worker, WorkerBusy, WorkerDied, WorkerHung
from tests.toy_services import NeedsFile, Toy

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
LONG_S = 20.0


def is_running(pid: int) -> bool:
    """Whether a process lives; one that nobody has reaped yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about"
        time.sleep(0.01)


def ignore(event: object) -> None:
    """A listener for workers whose events do not matter."""


@pytest.fixture
def events() -> "queue.Queue[object]":
    return queue.Queue()


@pytest.fixture
def worker(events: "queue.Queue[object]") -> Iterator[Worker]:
    worker = Worker("toy", Toy, ("label",), events.put, env={"MADOGUCHI_TOY": "set"})
    worker.start()
    yield worker
    worker.stop()


def test_calls_run_in_another_process(worker: Worker) -> None:
    assert worker.call("echo", {"a": 1}, timeout_s=LONG_S) == ("label", {"a": 1})
    assert worker.call("pid", timeout_s=LONG_S) == worker.pid != os.getpid()


def test_large_values_cross_both_ways(worker: Worker) -> None:
    value = os.urandom(5_000_000)
    assert worker.call("echo", value, timeout_s=LONG_S) == ("label", value)


def test_typed_errors_come_back_as_themselves(worker: Worker) -> None:
    with pytest.raises(PinWrong) as caught:
        worker.call("wrong_pin", timeout_s=LONG_S)
    assert caught.value.tries_left == 2
    with pytest.raises(AttributeError):
        worker.call("no_such_method", timeout_s=LONG_S)
    assert worker.restarts == 0


def test_an_answer_that_cannot_cross_is_an_error_and_not_a_hang(worker: Worker) -> None:
    with pytest.raises(TypeError, match="cannot cross"):
        worker.call("unpicklable", timeout_s=LONG_S)
    assert worker.call("echo", 1, timeout_s=LONG_S) == ("label", 1)


def test_environment_is_there_before_the_first_import(worker: Worker) -> None:
    assert worker.call("environment", timeout_s=LONG_S) == "set"
    assert "MADOGUCHI_TOY" not in os.environ


def test_no_core_dump_and_no_interrupt_from_the_keyboard(worker: Worker) -> None:
    assert worker.call("core_limit", timeout_s=LONG_S) == (0, 0)
    assert worker.call("ignores_interrupt", timeout_s=LONG_S) is True


def test_events_arrive_in_order_and_a_bad_listener_ends_nothing() -> None:
    taken: list[object] = []

    def listen(event: object) -> None:
        taken.append(event)
        if event == "bad":
            raise RuntimeError("the listener's own fault")

    worker = Worker("toy", Toy, ("label",), listen)
    worker.start()
    worker.call("emit_all", [1, "bad", 3], timeout_s=LONG_S)
    worker.stop()
    assert taken == [1, "bad", 3, "closed"]


@pytest.mark.parametrize("method", ["sleep", "sleep_holding_the_gil"])
def test_a_hung_call_is_killed_and_a_fresh_process_answers(worker: Worker, method: str) -> None:
    # With a patient watchdog the same call blocks its caller to the end: this is what the limit takes away.
    assert worker.call("sleep", 0.3, timeout_s=LONG_S) == "slept"
    hung_pid = worker.pid
    assert hung_pid is not None
    with pytest.raises(WorkerHung):
        worker.call(method, 3600, timeout_s=0.2)
    assert worker.call("echo", 1, timeout_s=LONG_S) == ("label", 1)
    assert worker.pid != hung_pid
    assert not is_running(hung_pid)
    assert worker.restarts == 1


def test_a_process_that_dies_in_a_call_is_replaced(worker: Worker) -> None:
    with pytest.raises(WorkerDied):
        worker.call("die", timeout_s=LONG_S)
    assert worker.call("echo", 1, timeout_s=LONG_S) == ("label", 1)


def test_a_process_that_dies_between_calls_is_replaced(worker: Worker) -> None:
    first_pid = worker.pid
    assert first_pid is not None
    os.kill(first_pid, 9)
    until(lambda: worker.restarts == 1 and worker.pid is not None)
    assert worker.call("pid", timeout_s=LONG_S) != first_pid


def test_a_second_caller_is_turned_away_in_time_and_kills_nothing(worker: Worker) -> None:
    answers: list[object] = []

    def first() -> None:
        answers.append(worker.call("sleep", 1.0, timeout_s=LONG_S))

    thread = threading.Thread(target=first)
    thread.start()
    until(worker._one_call.locked)  # the first caller is in
    with pytest.raises(WorkerBusy):
        worker.call("echo", 1, timeout_s=0.05)
    thread.join(LONG_S)
    assert answers == ["slept"]
    assert worker.restarts == 0


def test_stop_is_bounded_while_a_call_hangs(worker: Worker) -> None:
    outcomes: list[type[BaseException]] = []

    def hang() -> None:
        try:
            worker.call("sleep", 3600, timeout_s=LONG_S)
        except WorkerDied as error:
            outcomes.append(type(error))

    pid = worker.pid
    assert pid is not None
    thread = threading.Thread(target=hang)
    thread.start()
    worker.stop(timeout_s=0.2)
    thread.join(LONG_S)
    assert outcomes == [WorkerDied]
    assert not is_running(pid)
    with pytest.raises(WorkerDied):
        worker.call("echo", 1, timeout_s=0.1)


def test_a_service_that_cannot_be_built_is_told_by_start(tmp_path: Path) -> None:
    worker = Worker("toy", NeedsFile, (tmp_path / "missing",), ignore)
    with pytest.raises(FileNotFoundError):
        worker.start()
    assert worker.pid is None


def test_a_service_that_cannot_be_rebuilt_for_a_while_comes_back(tmp_path: Path) -> None:
    needed = tmp_path / "needed"
    needed.write_text("here", encoding="ascii")
    worker = Worker("toy", NeedsFile, (needed,), ignore)
    worker.start()
    needed.unlink()
    assert worker.pid is not None
    os.kill(worker.pid, 9)
    until(lambda: worker.restarts >= 2)
    with pytest.raises(WorkerDied):
        worker.call("content", timeout_s=0.05)
    needed.write_text("back", encoding="ascii")
    assert worker.call("content", timeout_s=LONG_S) == "back"
    worker.stop()


def test_the_process_dies_with_its_parent_even_in_a_hung_call() -> None:
    program = (
        "import threading\n"
        "from terminal.workers import Worker\n"
        "from tests.toy_services import Toy\n"
        "worker = Worker('toy', Toy, ('label',), lambda event: None)\n"
        "worker.start()\n"
        "print(worker.pid, flush=True)\n"
        "worker.call('sleep_holding_the_gil', 3600, timeout_s=3600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        worker_pid = int(parent.stdout.readline())
    assert is_running(worker_pid)
    parent.kill()
    parent.wait(LONG_S)
    until(lambda: not is_running(worker_pid))


def test_the_process_outlives_the_thread_that_started_the_worker() -> None:
    worker = Worker("toy", Toy, ("label",), ignore)
    thread = threading.Thread(target=worker.start)
    thread.start()
    thread.join(LONG_S)
    assert worker.call("sleep", 0.2, timeout_s=LONG_S) == "slept"
    assert worker.restarts == 0
    worker.stop()
