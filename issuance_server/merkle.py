"""The Merkle tree of RFC 6962, 2.1: its hashes, and a root that grows by what is added alone. A hash has 32 bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

HASH_BYTES = 32


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """What must be kept of a tree so that it can grow: the roots of its whole subtrees, the largest first.

    Shape:  hashes has as many as size has ones in binary.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what belongs to no tree of this size."""
        if len(self.hashes) != self.size.bit_count() or any(len(one) != HASH_BYTES for one in self.hashes):
            raise ValueError("hashes: not those of a tree of this size")

    @classmethod
    def decode(cls, size: int, packed: bytes) -> Self:
        """Return what `packed` was made of. Errors: ValueError."""
        return cls(size, tuple(packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)))

    def packed(self) -> bytes:
        """Return the hashes, one after the other."""
        return b"".join(self.hashes)

    def add(self, leaf: bytes) -> Frontier:
        """Return the tree with one leaf more, given by its hash."""
        hashes, size = [*self.hashes, leaf], self.size
        while size & 1:  # each one at the end of the size is a whole subtree as large as the one that has just grown
            right = hashes.pop()
            hashes.append(_node_hash(hashes.pop(), right))
            size >>= 1
        return Frontier(self.size + 1, tuple(hashes))

    def root(self) -> bytes:
        """Return the tree's root."""
        if not self.hashes:
            return hashlib.sha256().digest()
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = _node_hash(left, root)
        return root
