"""The serial line of the money devices: one question and its answer at a time, 9600 baud, one wire.

Reading asks again a few times, since it moves nothing. An order that moves money is sent once: what became of it where
no answer came is decided by the device's own counters, by whoever gave it.
"""

from __future__ import annotations

import termios
import time
from typing import Final

import serial

from terminal.payment.cctalk import (
    HOST,
    BadFrame,
    Checksum,
    Frame,
    Header,
    decode_answer,
    encode,
    frame_size,
    heard_after_echo,
)
from terminal.payment.device import DeviceGone

BAUD: Final = 9600
ANSWER_TIMEOUT_S: Final = 0.5  # to the last byte; the slowest device that we know begins within 0.1 s
QUIET_S: Final = 0.005  # five bytes' time: after it nothing more belongs to this answer
RESYNC_QUIET_S: Final = 0.05  # after it every device has dropped a half-heard frame
RESYNC_MAX_S: Final = 0.5
READ_TRIES: Final = 3
BUSY_PAUSE_S: Final = 0.1
BUSY_TRIES: Final = 20
_PORT_ERRORS: Final = (OSError, serial.SerialException, termios.error)


class NoAnswer(DeviceGone):
    """Nothing came that is an answer; the device may have heard us."""


class Refused(DeviceGone):
    """The device said NAK: it has not done what it was asked."""


class Busy(DeviceGone):
    """The device said that it is busy: it has not done what it was asked."""


class Line:
    """One serial port, opened when it is first needed and again after it was lost. Belongs to one thread at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._port: serial.Serial | None = None

    def close(self) -> None:
        """Let the port go."""
        if self._port is not None:
            self._port.close()
            self._port = None

    def ask(self, device: int, header: Header, data: bytes = b"", checksum: Checksum = Checksum.SIMPLE) -> bytes:
        """Ask what moves nothing; return the answer's data.

        Errors: Refused, Busy, NoAnswer, DeviceGone.
        """
        lost: NoAnswer | None = None
        busy_left = BUSY_TRIES
        tries_left = READ_TRIES
        while tries_left:
            try:
                return self.order(device, header, data, checksum)
            except NoAnswer as error:
                lost = error
                tries_left -= 1
            except Busy:
                busy_left -= 1
                if not busy_left:
                    raise
                time.sleep(BUSY_PAUSE_S)
        assert lost is not None
        raise lost

    def order(self, device: int, header: Header, data: bytes = b"", checksum: Checksum = Checksum.SIMPLE) -> bytes:
        """Send once; return the answer's data.

        Errors: Refused and Busy: not done, for certain; NoAnswer: perhaps done; DeviceGone: not sent.
        """
        port = self._open()
        sent = encode(Frame(device, HOST, header, data), checksum)
        try:
            port.reset_input_buffer()
            port.write(sent)
        except _PORT_ERRORS as error:
            self.close()
            raise NoAnswer(f"device {device}, {header.name}: {error}") from error  # some of it may have gone out
        try:
            heard = self._hear(port, sent)
            answer = decode_answer(heard, device, checksum)
        except BadFrame as error:
            self._resync(port)
            raise NoAnswer(f"device {device}, {header.name}: {error}") from error
        if answer.header == Header.NAK:
            raise Refused(f"device {device} refuses {header.name}")
        if answer.header == Header.BUSY:
            raise Busy(f"device {device} is busy at {header.name}")
        return answer.data

    def _open(self) -> serial.Serial:
        if self._port is None:
            try:
                self._port = serial.Serial(self._path, BAUD, timeout=0, write_timeout=ANSWER_TIMEOUT_S, exclusive=True)
            except _PORT_ERRORS as error:
                raise DeviceGone(f"{self._path}: {error}") from error
        return self._port

    def _hear(self, port: serial.Serial, sent: bytes) -> bytes:
        """Return all that is said after our own bytes, once it is as long as a frame and the line is quiet."""
        heard = b""
        deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
        while True:
            answer = heard_after_echo(heard, sent)
            whole = answer is not None and len(answer) >= frame_size(answer)
            left_s = QUIET_S if whole else deadline_s - time.monotonic()
            more = self._read(port, left_s) if left_s > 0 else b""
            if not more:
                if answer is None:
                    raise BadFrame(f"our own bytes did not come back, but {len(heard)} others")
                return answer
            heard += more
            if time.monotonic() > deadline_s + ANSWER_TIMEOUT_S:
                raise BadFrame("the line is never quiet")

    def _read(self, port: serial.Serial, timeout_s: float) -> bytes:
        """Return what is there, waiting at most timeout_s for the first byte; b"" if nothing came."""
        try:
            port.timeout = timeout_s
            first: bytes = port.read(1)
            if not first:
                return b""
            port.timeout = 0
            return first + bytes(port.read(port.in_waiting))
        except _PORT_ERRORS as error:
            self.close()
            raise NoAnswer(f"{self._path}: {error}") from error

    def _resync(self, port: serial.Serial) -> None:
        """Wait until nobody speaks: then every device awaits a frame's first byte again."""
        deadline_s = time.monotonic() + RESYNC_MAX_S
        while self._read(port, RESYNC_QUIET_S) and time.monotonic() < deadline_s:
            pass
