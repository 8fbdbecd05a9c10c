"""The tree over all records, and its checkpoints: a size and a root, signed, that a municipality can keep.

One step puts the records that are outside into the tree, in one transaction, and another signs the new root: a tree
inside the transactions that issue would be one lock for all. Whoever is killed between the two goes on where it was.
Any number may run it: of two that put in the same place, one is refused by the database and begins again later.

A checkpoint is a note of C2SP (tlog-checkpoint, signed-note), so that other people's tools can check it.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Engine, Row, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from issuance_server.audit_log import entry
from issuance_server.database import read, write
from issuance_server.merkle import HASH_BYTES, Frontier, leaf_hash
from issuance_server.schema import audit_checkpoints, audit_records

AT_ONCE: Final = 1_000
_ED25519: Final = b"\x01"
_records, _checkpoints = audit_records.c, audit_checkpoints.c
_OUTSIDE: Final = select(audit_records).where(_records.leaf_index.is_(None)).order_by(_records.number).limit(AT_ONCE)
_ANY_OUTSIDE: Final = select(_records.number).where(_records.leaf_index.is_(None)).limit(1)
_LAST_INSIDE: Final = select(func.max(_records.leaf_index))
_PUT_IN: Final = (
    update(audit_records)
    .where(_records.number == bindparam("record"), _records.leaf_index.is_(None))
    .values(leaf_index=bindparam("place"), leaf_hash=bindparam("hash"))
)
_LAST: Final = select(audit_checkpoints).order_by(_checkpoints.tree_size.desc()).limit(1)
_UNSIGNED: Final = (
    select(_records.leaf_index, _records.leaf_hash)
    .where(_records.leaf_index >= bindparam("size"))
    .order_by(_records.leaf_index)
)
_SIGN: Final = insert(audit_checkpoints)


class BadCheckpoint(Exception):
    """The text is no checkpoint of this tree's, or its signature does not hold; the message says which."""


class _Overtaken(Exception):
    """Somebody else put a record in meanwhile."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree's size and root at a moment."""

    tree_size: int
    root: bytes


class Signer:
    """Signs and checks checkpoints. Shape: origin names the tree, without spaces or plus signs."""

    def __init__(self, origin: str, key: Ed25519PublicKey) -> None:
        self._origin = origin
        self._key = key
        public = _ED25519 + key.public_bytes_raw()
        self._key_hash = hashlib.sha256(origin.encode() + b"\n" + public).digest()[:4]
        self.verifier_key = f"{origin}+{self._key_hash.hex()}+{b64encode(public).decode()}"

    def note(self, checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
        """Return a checkpoint's signed note."""
        text = f"{self._origin}\n{checkpoint.tree_size}\n{b64encode(checkpoint.root).decode()}\n"
        signed = b64encode(self._key_hash + key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self._origin} {signed}\n"

    def frontier(self, row: Row[Any]) -> Frontier:
        """Return the tree that a checkpoint's row goes on from. Errors: BadCheckpoint unless it is what was signed."""
        try:
            frontier = Frontier.decode(row.tree_size, row.frontier)
        except ValueError:
            raise BadCheckpoint("its frontier is of no tree of this size") from None
        if self.read(row.note) != Checkpoint(row.tree_size, frontier.root()):
            raise BadCheckpoint("its note says another size or root")
        return frontier

    def read(self, note: str) -> Checkpoint:
        """Return what a note states. Errors: BadCheckpoint."""
        text, blank, signature = note.partition("\n\n")
        lines = text.split("\n")
        dash, _, rest = signature.strip("\n").partition(" ")
        name, _, signed = rest.partition(" ")
        if not blank or len(lines) != 3 or dash != "\u2014" or name != lines[0]:
            raise BadCheckpoint("not the note of a checkpoint")
        if lines[0] != self._origin:
            raise BadCheckpoint(f"a checkpoint of another tree: {lines[0]}")
        try:
            root, raw = b64decode(lines[2], validate=True), b64decode(signed, validate=True)
            size = int(lines[1])
        except (NotBase64, ValueError):
            raise BadCheckpoint("not the note of a checkpoint") from None
        if raw[:4] != self._key_hash:
            raise BadCheckpoint("signed by another key")
        try:
            self._key.verify(raw[4:], f"{text}\n".encode())
        except InvalidSignature:
            raise BadCheckpoint("the signature does not hold") from None
        if len(root) != HASH_BYTES or lines[1] != str(size) or size < 0:
            raise BadCheckpoint("not the note of a checkpoint")
        return Checkpoint(size, root)


def grow(engine: Engine, signer: Signer, key: Ed25519PrivateKey, clock: Callable[[], datetime]) -> int:
    """Put in what is outside, sign what is in, and return how many records that were."""
    put_in = 0
    while True:
        try:
            some = _put_in(engine)
        except (IntegrityError, _Overtaken):
            some = 0
        put_in += some
        if some < AT_ONCE:
            break
    _sign(engine, signer, key, clock)
    return put_in


def _put_in(engine: Engine) -> int:
    with read(engine) as connection:  # nothing to do is the usual case, and takes no lock
        if connection.execute(_ANY_OUTSIDE).first() is None:
            return 0
    with write(engine) as connection:
        last = connection.execute(_LAST_INSIDE).scalar()
        place = 0 if last is None else last + 1
        rows = connection.execute(_OUTSIDE).all()
        for at, row in enumerate(rows, start=place):
            hashed = leaf_hash(entry(row))
            if connection.execute(_PUT_IN, {"record": row.number, "place": at, "hash": hashed}).rowcount != 1:
                raise _Overtaken
    return len(rows)


def _sign(engine: Engine, signer: Signer, key: Ed25519PrivateKey, clock: Callable[[], datetime]) -> None:
    with read(engine) as connection:
        last = connection.execute(_LAST).one_or_none()
        frontier = Frontier() if last is None else signer.frontier(last)
        added = connection.execute(_UNSIGNED, {"size": frontier.size}).all()
    if not added:
        return
    for row in added:
        frontier = frontier.add(row.leaf_hash)
    note = signer.note(Checkpoint(frontier.size, frontier.root()), key)
    signed = {"tree_size": frontier.size, "frontier": frontier.packed(), "signed_at_utc": clock(), "note": note}
    try:
        with write(engine) as connection:
            connection.execute(_SIGN, signed)
    except IntegrityError:
        pass  # somebody else signed the same size
