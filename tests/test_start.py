"""The terminal's start: its log, which must never be what ends a visit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 30
LOGS = """
import structlog
from terminal.start import log_to_stderr
log_to_stderr()
for number in range(3):
    structlog.get_logger().warning("a line", number=number)
print("went on")
"""


def _run(stderr: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", LOGS]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT, timeout=TIMEOUT_S, check=False)


def test_each_fact_is_a_line_of_its_own() -> None:
    assert len(_run(subprocess.PIPE).stderr.splitlines()) == 3


def test_a_log_on_a_full_disk_stops_nothing() -> None:
    with Path("/dev/full").open("wb") as full:
        assert _run(full.fileno()).stdout == b"went on\n"
