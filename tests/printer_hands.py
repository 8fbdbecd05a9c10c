"""What the world does while a job prints: staff, a careless operator, a killed process, a broken wire."""

from __future__ import annotations

import os
import signal
from typing import Final

from deploy.demo.printer_ipp import ANY
from tests.press_parts import QUEUE
from tests.printer_world import World

#: How the two who ask the printer name themselves.
PRESS, CUPS = "python-httpx", "CUPS"
FOREVER: Final = 1_000_000


def refill(world: World) -> None:
    world.until_stopped()
    world.tell("load", sheets=250)


def clear(world: World) -> None:
    world.until_stopped()
    world.tell("clear")


def close_cover(world: World) -> None:
    world.until_stopped()
    world.tell("close_cover")


def resume(world: World) -> None:
    world.until_stopped()
    world.tell("resume")


def resume_once_cups_says_completed(world: World) -> None:
    world.until_stopped()
    world.until_cups_says_completed()
    world.tell("resume")


def release_at_panel(world: World) -> None:
    world.until_job("PENDING_HELD")
    world.until_cups_says_completed()
    world.tell("release")


def take_no_jobs(world: World) -> None:
    world.tell("accept", accepting=False)


def power_back(world: World) -> None:
    world.until_cut()
    world.printer.power_back()


def power_back_and_clear(world: World) -> None:
    power_back(world)
    world.tell("clear")


def cups_killed_and_started(world: World) -> None:
    world.until_stopped()
    world.cupsd.kill()
    world.cupsd.start()
    world.cupsd.add_raw_queue(QUEUE, world.printer.uri)
    world.tell("resume")


def worker_killed(world: World) -> None:
    world.until_stopped()
    pid = world.worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    world.tell("resume")


def enable_the_queue(world: World) -> None:
    world.until_queue_stopped()
    world.enable_queue()


def cups_started_carelessly(world: World) -> None:
    """Over what a killed cupsd left: its backend lives on, and the job is sent a second time."""
    world.until_stopped()
    world.start_cupsd_carelessly()
    world.until(lambda: len(world.printer.tell("look")["jobs"]) == 2, "the second job")


def somebody_copies(world: World) -> None:
    world.until_stopped()
    world.tell("copy", sheets=1)
    world.tell("resume")


def lose_the_printer(world: World) -> None:
    world.until_stopped()
    world.tell("wire", operation=ANY, count=FOREVER, drop=True, agent=PRESS)


def forget_it_at_the_end(world: World) -> None:
    """The job leaves the printer's lists before anybody can see that it has ended."""
    world.until_stopped()
    world.tell("wire", operation="Get-Jobs", count=FOREVER, drop=True, agent=PRESS)
    world.tell("resume")
    world.until_job("COMPLETED")
    world.tell("forget")
    world.tell("heal")
