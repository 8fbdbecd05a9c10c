"""A virtual My Number Card that answers APDUs and plugs into vsmartcard's vpcd. Demo and tests only.

`VirtualCard.answer` is the card itself; `serve` and `PluggedCard` carry it to a reader's TCP port.
"""

import argparse
import contextlib
import json
import os
import socket
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from terminal.card import apdu
from terminal.card.jpki import AID_JPKI

EF_SIGN_CERTIFICATE: Final = 0x0001
EF_SIGN_CA: Final = 0x0002
EF_TOKEN_INFO: Final = 0x0006
EF_AUTH_CERTIFICATE: Final = 0x000A
EF_AUTH_CA: Final = 0x000B
EF_AUTH_KEY: Final = 0x0017
EF_AUTH_PIN: Final = 0x0018
EF_SIGN_KEY: Final = 0x001A
EF_SIGN_PIN: Final = 0x001B

TOKEN_INFO_SIZE: Final = 160
TOKEN_LABEL_SIZE: Final = 32
FILLER_SIZE: Final = 64  # what a real file carries after its DER
ATR: Final = bytes.fromhex("3B80800101")
"""What a contactless reader makes up; nothing may be learned from it."""

AUTH_TRIES: Final = 3
SIGN_TRIES: Final = 5
_PIN_OF_KEY: Final = {EF_AUTH_KEY: EF_AUTH_PIN, EF_SIGN_KEY: EF_SIGN_PIN}
_PIN_FIRST: Final = {EF_SIGN_CERTIFICATE: EF_SIGN_PIN}
_PIN_NAMES: Final = {EF_AUTH_PIN: "authentication", EF_SIGN_PIN: "signing"}

CONTROL_OFF: Final = 0
CONTROL_ON: Final = 1
CONTROL_RESET: Final = 2
CONTROL_SEND_ATR: Final = 4
CONNECT_TIMEOUT_S: Final = 10.0
POLL_S: Final = 0.01


class CardKind(StrEnum):
    """What a virtual card pretends to be."""

    MY_NUMBER = "my-number"
    JUKI = "juki"  # the old 住基カード: the same application with another label
    FOREIGN = "foreign"  # any other card: it knows no JPKI
    FACE_RECOGNITION = "face-recognition"  # a My Number Card without a PIN: it answers as a locked one
    ANDROID = "phone-android"
    IPHONE = "phone-iphone"


TOKEN_LABELS: Final = {
    CardKind.MY_NUMBER: "JPKIAPICCTOKEN2",
    CardKind.FACE_RECOGNITION: "JPKIAPICCTOKEN2",
    CardKind.JUKI: "JPKIAPICCTOKEN",
    CardKind.ANDROID: "JPKIAPGPSETOKEN",
    CardKind.IPHONE: "JPKIAPIOSTOKEN",
}


class FaultKind(StrEnum):
    """What can go wrong on cue."""

    HANG = "hang"  # never answers
    DROP_BEFORE = "drop-before"  # pulled before the card acts on the command
    DROP_AFTER = "drop-after"  # pulled after it acted, before it answered
    SHORT_READ = "short-read"  # one byte less than asked for, and 9000
    SKIP_BLOCK = "skip-block"  # the next block in place of the one asked for
    REFUSE = "refuse"  # 6F00
    WRONG_SIGNATURE = "wrong-signature"  # one bit of the answer turned


@dataclass(frozen=True)
class Fault:
    """One fault: at the n-th APDU after it was armed, counting from 0, among those with `ins` if given."""

    kind: FaultKind
    at: int = 0
    ins: int | None = None


class CardHangs(Exception):
    """The card never answers this command."""


class CardDrops(Exception):
    """The card leaves the reader at this command."""


@dataclass(frozen=True)
class CardContents:
    """What a card directory holds. Shape: certificates and CAs in DER; keys RSA."""

    kind: CardKind
    pins: dict[int, bytes]
    keys: dict[int, RSAPrivateKey]
    files: dict[int, bytes]


def load_contents(directory: Path) -> CardContents:
    """Read a card directory as `deploy.demo.pki.TownPki.issue_card` writes it."""
    description = json.loads((directory / "card.json").read_text(encoding="utf-8"))
    kind = CardKind(description["kind"])
    files = {
        file_id: (directory / f"{file_id:04X}.der").read_bytes() + bytes(FILLER_SIZE)
        for file_id in (EF_SIGN_CERTIFICATE, EF_SIGN_CA, EF_AUTH_CERTIFICATE, EF_AUTH_CA)
    }
    label = TOKEN_LABELS.get(kind, "").encode("ascii").ljust(TOKEN_LABEL_SIZE, b" ")
    files[EF_TOKEN_INFO] = label.ljust(TOKEN_INFO_SIZE, b"\x00")
    return CardContents(
        kind=kind,
        pins={file_id: description["pins"][name].encode("ascii") for file_id, name in _PIN_NAMES.items()},
        keys={file_id: _load_key(directory / f"{file_id:04X}.pem") for file_id in _PIN_OF_KEY},
        files=files,
    )


def _load_key(path: Path) -> RSAPrivateKey:
    # The town's own keys: the check of a foreign one would take 37 ms.
    key = load_pem_private_key(path.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, RSAPrivateKey)
    return key


class TryCounters:
    """The tries left of both PINs, on disk before the card answers: a power cut gives no try back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left: dict[str, int] = {"authentication": AUTH_TRIES, "signing": SIGN_TRIES}
        if path.exists():
            self._left = json.loads(path.read_text(encoding="utf-8"))

    def left(self, pin: int) -> int:
        return self._left[_PIN_NAMES[pin]]

    def set(self, pin: int, left: int) -> None:
        """Replace the file as a whole, synced: either the old counters stand or the new ones."""
        self._left[_PIN_NAMES[pin]] = left
        draft = self._path.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as out:
            json.dump(self._left, out)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class VirtualCard:
    """A card in its directory. What VERIFY opened stays open over a warm reset and closes at power-off."""

    def __init__(self, directory: Path) -> None:
        self._contents = load_contents(directory)
        self._counters = TryCounters(directory / "tries.json")
        self._verified: set[int] = set()
        self._in_application = False
        self._file: int | None = None
        self._fault: Fault | None = None
        self._until_fault = 0
        self.apdus_seen = 0

    def arm(self, fault: Fault | None) -> None:
        """Let one fault happen, or take the armed one back. It happens once."""
        self._fault = fault
        self._until_fault = fault.at if fault else 0

    def power_off(self) -> None:
        self._verified.clear()
        self.warm_reset()

    def warm_reset(self) -> None:
        """Forget what is selected; VERIFY survives, as measured on real cards."""
        self._in_application = False
        self._file = None

    def answer(self, command: bytes) -> bytes:
        """Return data and status word. Errors: CardHangs, CardDrops where a fault says so."""
        self.apdus_seen += 1
        fault = self._due_fault(command)
        if fault is FaultKind.HANG:
            raise CardHangs
        if fault is FaultKind.DROP_BEFORE:
            raise CardDrops
        if fault is FaultKind.REFUSE:
            return bytes.fromhex("6F00")
        if fault is FaultKind.SKIP_BLOCK:
            command = command[:2] + bytes((command[2] + 1,)) + command[3:]
        answer = self._answer(command)
        if fault is FaultKind.DROP_AFTER:
            raise CardDrops
        if fault is FaultKind.SHORT_READ:
            return answer[:-3] + answer[-2:]
        if fault is FaultKind.WRONG_SIGNATURE:
            return bytes((answer[0] ^ 1,)) + answer[1:]
        return answer

    def _due_fault(self, command: bytes) -> FaultKind | None:
        fault = self._fault
        if fault is None or (fault.ins is not None and command[1:2] != bytes((fault.ins,))):
            return None
        if self._until_fault > 0:
            self._until_fault -= 1
            return None
        self._fault = None
        return fault.kind

    def _answer(self, command: bytes) -> bytes:
        parsed = _parse(command)
        if parsed is None:
            return _status(apdu.SW_WRONG_LENGTH)
        handlers = {
            (apdu.CLA_ISO, apdu.INS_SELECT_FILE): self._select,
            (apdu.CLA_ISO, apdu.INS_READ_BINARY): self._read,
            (apdu.CLA_ISO, apdu.INS_VERIFY): self._verify,
            (apdu.CLA_PROPRIETARY, apdu.INS_PERFORM_SECURITY_OPERATION): self._sign,
        }
        handler = handlers.get((parsed.cla, parsed.ins))
        return handler(parsed) if handler else _status(apdu.SW_INS_NOT_SUPPORTED)

    def _select(self, command: apdu.Command) -> bytes:
        if (command.p1, command.p2) == (apdu.P1_SELECT_BY_DF_NAME, apdu.P2_NO_FCI):
            if bytes(command.data) != AID_JPKI or self._contents.kind is CardKind.FOREIGN:
                return _status(apdu.SW_FILE_NOT_FOUND)
            self._in_application, self._file = True, None
            return _status(apdu.SW_OK)
        if (command.p1, command.p2) != (apdu.P1_SELECT_EF_BY_ID, apdu.P2_NO_FCI):
            return _status(apdu.SW_INCORRECT_P1_P2)
        file_id = int.from_bytes(command.data, "big")
        known = self._contents.files.keys() | self._contents.keys.keys() | self._contents.pins.keys()
        if not self._in_application or len(command.data) != 2 or file_id not in known:
            return _status(apdu.SW_FILE_NOT_FOUND)
        self._file = file_id
        return _status(apdu.SW_OK)

    def _read(self, command: apdu.Command) -> bytes:
        content = self._contents.files.get(self._file) if self._file is not None else None
        if self._file is None or content is None:
            return _status(apdu.SW_COMMAND_NOT_ALLOWED_NO_EF)
        if self._file in _PIN_FIRST and _PIN_FIRST[self._file] not in self._verified:
            return _status(apdu.SW_SECURITY_STATUS_NOT_SATISFIED)
        offset = (command.p1 << 8) | command.p2
        if command.p1 >= 0x80 or offset >= len(content):
            return _status(apdu.SW_WRONG_OFFSET)
        return content[offset : offset + (command.le or 0)] + _status(apdu.SW_OK)

    def _verify(self, command: apdu.Command) -> bytes:
        if (command.p1, command.p2) != (0x00, apdu.P2_CURRENT_REFERENCE):
            return _status(apdu.SW_INCORRECT_P1_P2)
        if self._file not in _PIN_NAMES:
            return _status(apdu.SW_COMMAND_NOT_ALLOWED_NO_EF)
        pin = self._file
        left = 0 if self._contents.kind is CardKind.FACE_RECOGNITION else self._counters.left(pin)
        if left == 0:
            return _status(apdu.SW_REFERENCE_DATA_INVALIDATED)
        if not command.data:
            return _status(apdu.SW_TRIES_LEFT | left)
        self._counters.set(pin, left - 1)  # before the comparison: pulling the card saves no try
        if bytes(command.data) != self._contents.pins[pin]:
            self._verified.discard(pin)
            return _status(apdu.SW_TRIES_LEFT | (left - 1))
        self._counters.set(pin, AUTH_TRIES if pin == EF_AUTH_PIN else SIGN_TRIES)
        self._verified.add(pin)
        return _status(apdu.SW_OK)

    def _sign(self, command: apdu.Command) -> bytes:
        if (command.p1, command.p2) != (0x00, apdu.P2_CURRENT_REFERENCE):
            return _status(apdu.SW_INCORRECT_P1_P2)
        if self._file not in _PIN_OF_KEY:
            return _status(apdu.SW_COMMAND_NOT_ALLOWED_NO_EF)
        if _PIN_OF_KEY[self._file] not in self._verified:
            return _status(apdu.SW_SECURITY_STATUS_NOT_SATISFIED)
        # Like a real card it signs whatever DigestInfo it is given, of any hash.
        signature = self._contents.keys[self._file].sign(bytes(command.data), PKCS1v15(), NoDigestInfo())
        return signature + _status(apdu.SW_OK)


def _status(status_word: int) -> bytes:
    return status_word.to_bytes(2, "big")


def _parse(command: bytes) -> apdu.Command | None:
    """Part a short command APDU into its fields, or None where its lengths contradict each other."""
    if len(command) < 4:
        return None
    cla, ins, p1, p2 = command[:4]
    body = command[4:]
    if len(body) <= 1:
        return apdu.Command(cla, ins, p1, p2, le=(body[0] or apdu.SHORT_LE_MAX) if body else None)
    size, rest = body[0], body[1:]
    if size == 0 or len(rest) not in (size, size + 1):
        return None
    le = (rest[size] or apdu.SHORT_LE_MAX) if len(rest) > size else None
    return apdu.Command(cla, ins, p1, p2, rest[:size], le)


def serve(card: VirtualCard, connection: socket.socket) -> None:
    """Answer vpcd on an open connection until it closes, or until a fault pulls the card."""
    while (payload := _receive(connection)) is not None:
        if len(payload) == 1:
            if payload[0] == CONTROL_SEND_ATR:
                _send(connection, ATR)
            elif payload[0] == CONTROL_RESET:
                card.warm_reset()
            elif payload[0] in {CONTROL_OFF, CONTROL_ON}:  # what is switched on has been off
                card.power_off()
            continue
        try:
            answer = card.answer(payload)
        except CardDrops:
            return
        except CardHangs:
            while connection.recv(4096):  # swallow what comes, until the card is pulled or the reader goes
                pass
            return
        _send(connection, answer)


def _receive(connection: socket.socket) -> bytes | None:
    head = _receive_exactly(connection, 2)
    return _receive_exactly(connection, int.from_bytes(head, "big")) if head else None


def _receive_exactly(connection: socket.socket, size: int) -> bytes | None:
    received = b""
    while len(received) < size:
        # vpcd writes length and payload apart; with a delayed acknowledgement an APDU takes 44 ms instead of 0.2.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(size - len(received))
        if not part:
            return None
        received += part
    return received


def _send(connection: socket.socket, payload: bytes) -> None:
    connection.sendall(len(payload).to_bytes(2, "big") + payload)


def connect(port: int, timeout_s: float = CONNECT_TIMEOUT_S) -> socket.socket:
    """Connect to vpcd, waiting until it listens. Errors: ConnectionError after timeout_s."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        except ConnectionRefusedError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(POLL_S)
        else:
            connection.settimeout(None)  # a card waits on its reader as long as it lies there
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection


class PluggedCard:
    """A card on a reader, served by a thread. Leaving the context, or `pull`, takes it off."""

    def __init__(self, card: VirtualCard, port: int) -> None:
        self.card = card
        self._connection = connect(port)
        self._thread = threading.Thread(target=self._serve, name=f"virtual card at {port}", daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Take the card off. Returns once nothing answers any more."""
        with contextlib.suppress(OSError):  # a fault or the reader has closed it already
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(CONNECT_TIMEOUT_S)
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pull()

    def _serve(self) -> None:
        try:
            serve(self.card, self._connection)
        except OSError:  # pulled in the middle of an answer, or pcscd went away
            pass
        finally:
            self._connection.close()
            self.card.power_off()


def main() -> None:
    """Put one card on a reader until this process is interrupted."""
    parser = argparse.ArgumentParser(description="Put a virtual My Number Card on a vpcd reader.")
    parser.add_argument("--port", type=int, required=True, help="vpcd's TCP port")
    parser.add_argument("--card", type=Path, required=True, help="the card's directory")
    arguments = parser.parse_args()
    card = VirtualCard(arguments.card)
    connection = connect(arguments.port)
    try:
        with connection:
            serve(card, connection)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
