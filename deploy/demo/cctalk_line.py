"""The simulated wire: a pseudo-terminal with an echo, and everything that goes wrong on a wire, told beforehand.

A cue is for one frame of one command; noise is for any frame, by chance from a seed. Both spoil bytes or cut the power;
neither touches money.
"""

from __future__ import annotations

import contextlib
import os
import pty
import random
import tty
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from deploy.demo.cctalk_devices import BUSY, NAK, Answer, Device
from terminal.payment.cctalk import HOST, BadFrame, Checksum, Frame, decode, encode, frame_size

READ_MAX_BYTES = 4096


class Trouble(StrEnum):
    """What happens to one frame."""

    LOSE_REQUEST = "lose_request"  # the device does not hear it
    GARBLE_REQUEST = "garble_request"
    LOSE_ANSWER = "lose_answer"
    GARBLE_ANSWER = "garble_answer"
    LOSE_BYTE = "lose_byte"  # of the answer
    REPEAT_BYTE = "repeat_byte"
    REPEAT_ANSWER = "repeat_answer"
    BUSY = "busy"
    REFUSE = "refuse"
    CUT_BEFORE = "cut_before"  # the power goes before the device has done it
    CUT_AFTER = "cut_after"  # done, not answered
    CUT_ANSWERED = "cut_answered"  # done and answered


NOISE = tuple(trouble for trouble in Trouble if not trouble.startswith("cut") and trouble is not Trouble.REFUSE)


class Wire:
    """One pseudo-terminal and the devices on it. `path` names the terminal's end."""

    def __init__(self, path: Path, devices: dict[int, Device], cut: Callable[[], None]) -> None:
        self._devices = devices
        self._cut = cut
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(self._slave))
        self._heard = b""
        self._cues: list[tuple[int, Trouble]] = []
        self._silence: tuple[int, int] | None = None
        self._noise = 0.0
        self._chance = random.Random(0)
        self.mute: set[int] = set()  # devices that do not answer
        self.asked: Counter[tuple[int, int]] = Counter()  # frames by device and header, heard or not

    def fileno(self) -> int:
        """For a selector."""
        return self._master

    def close(self) -> None:
        """Let the pseudo-terminal go."""
        os.close(self._master)
        os.close(self._slave)

    def cue(self, header: int, trouble: Trouble) -> None:
        """The next frame of this command has this trouble."""
        self._cues.append((header, trouble))

    def uncue(self) -> None:
        """Forget the cues that were not used."""
        self._cues.clear()

    def silence_after(self, address: int, header: int) -> None:
        """One device falls silent once it has had this command."""
        self._silence = (address, header)

    def noise(self, rate: float, seed: int) -> None:
        """From now on every frame has some trouble with this probability."""
        self._noise, self._chance = rate, random.Random(seed)

    def hear(self) -> None:
        """Take what the host has sent, and answer each whole frame."""
        with contextlib.suppress(BlockingIOError):
            self._heard += os.read(self._master, READ_MAX_BYTES)
        while self._heard and len(self._heard) >= frame_size(self._heard):
            size = frame_size(self._heard)
            frame, self._heard = self._heard[:size], self._heard[size:]
            self._take(frame)

    def quiet(self) -> None:
        """The line was quiet: whatever was begun is dropped, echo and all."""
        if self._heard:
            self._say(self._heard)
            self._heard = b""

    def _take(self, sent: bytes) -> None:
        self.asked[sent[0], sent[3]] += 1
        trouble = self._trouble(sent[3])
        if trouble is Trouble.GARBLE_REQUEST:
            sent = self._garbled(sent)
        self._say(sent)  # one wire: the host hears itself
        device = self._devices.get(sent[0])
        if device is None or device.address in self.mute or trouble is Trouble.LOSE_REQUEST:
            return
        try:
            frame = decode(sent, device.checksum)
        except BadFrame:
            return
        if trouble is Trouble.CUT_BEFORE:
            self._cut()
            return
        refusals = {Trouble.BUSY: BUSY, Trouble.REFUSE: NAK}
        answer = refusals[trouble] if trouble in refusals else device.handle(frame.header, frame.data)
        self._answer(device, answer, trouble)
        if self._silence == (frame.destination, frame.header):
            self._silence = None
            self.mute.add(device.address)
        if trouble in {Trouble.CUT_AFTER, Trouble.CUT_ANSWERED}:
            self._cut()

    def _answer(self, device: Device, answer: Answer, trouble: Trouble | None) -> None:
        text = _encoded(device, answer)
        at = self._chance.randrange(len(text))
        match trouble:
            case Trouble.LOSE_ANSWER | Trouble.CUT_AFTER:
                return
            case Trouble.GARBLE_ANSWER:
                text = self._garbled(text)
            case Trouble.LOSE_BYTE:
                text = text[:at] + text[at + 1 :]
            case Trouble.REPEAT_BYTE:
                text = text[: at + 1] + text[at:]
            case Trouble.REPEAT_ANSWER:
                text += text
            case _:
                pass
        self._say(text)

    def _trouble(self, header: int) -> Trouble | None:
        for number, (wanted, trouble) in enumerate(self._cues):
            if wanted == header:
                del self._cues[number]
                return trouble
        return self._chance.choice(NOISE) if self._chance.random() < self._noise else None

    def _garbled(self, text: bytes) -> bytes:
        at = self._chance.randrange(len(text))
        return text[:at] + bytes((text[at] ^ self._chance.randrange(1, 256),)) + text[at + 1 :]

    def _say(self, text: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: bytes on a wire are not kept
            os.write(self._master, text)


def _encoded(device: Device, answer: Answer) -> bytes:
    source = None if device.checksum is Checksum.CRC else device.address
    return encode(Frame(HOST, source, *answer), device.checksum)
