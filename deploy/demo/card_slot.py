"""A slot in front of a virtual reader, for a card that somebody else brings: the driver's hand can lift that card.

vpcd gives nobody but the card itself the means to end a connection, and a visit goes on only once the card is off the
reader. So an outside card connects here, is passed on byte for byte, and is lifted by closing both sides.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

_BLOCK: Final = 4096


class CardSlot:
    """Takes one card; after `lift` it takes no other. Shape: port is on loopback and takes the place of vpcd's."""

    def __init__(self, vpcd_port: int) -> None:
        self._vpcd_port = vpcd_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sides: tuple[socket.socket, ...] = ()
        threading.Thread(target=self._accept, name="card slot", daemon=True).start()

    def lift(self) -> None:
        """Take the card off the reader, and close the slot."""
        with self._lock:
            for side in (self._listener, *self._sides):
                with contextlib.suppress(OSError):  # the card or the reader was quicker
                    side.shutdown(socket.SHUT_RDWR)
                side.close()

    def _accept(self) -> None:
        try:
            card, _ = self._listener.accept()
        except OSError:  # lifted before any card came
            return
        with self._lock:
            reader = socket.create_connection(("127.0.0.1", self._vpcd_port))
            self._sides = (card, reader)
        for side in self._sides:
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, target in ((card, reader), (reader, card)):
            threading.Thread(target=_pass_on, args=(source, target), name="card slot", daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until one side is gone; then the other goes too, as a card that leaves a reader."""
    with contextlib.suppress(OSError):
        while block := source.recv(_BLOCK):
            target.sendall(block)
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # or an APDU takes 40 ms
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
