"""The Merkle tree of RFC 6962, 2.1: its hashes, a root that grows by what is added alone, and proofs of consistency.

Source: RFC 6962, 2.1; the check of a proof is RFC 9162's, 2.1.4.2. A hash has 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaves, given by their hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.add(leaf)
    return frontier.root()


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Return the proof that a tree of these leaves' hashes goes on from its own first old_size.

    Errors: ValueError unless 0 < old_size <= how many there are.
    """
    if not 0 < old_size <= len(leaves):
        raise ValueError("old_size: not a size that the tree has had")
    return tuple(_subproof(leaves, old_size, known=True))


def _subproof(leaves: Sequence[bytes], old_size: int, *, known: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if known else [root_of(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old_size <= split:
        return [*_subproof(leaves[:split], old_size, known=known), root_of(leaves[split:])]
    return [*_subproof(leaves[split:], old_size - split, known=False), root_of(leaves[:split])]


def is_consistent(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the larger tree goes on from the smaller one."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return old_root == new_root and not proof
    path = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
    if not path:
        return False
    old, new = old_size - 1, new_size - 1
    while old & 1:
        old, new = old >> 1, new >> 1
    rebuilt_old = rebuilt_new = path[0]
    for step in path[1:]:
        if new == 0:
            return False
        if old & 1 or old == new:
            rebuilt_old, rebuilt_new = _node_hash(step, rebuilt_old), _node_hash(step, rebuilt_new)
            while old and not old & 1:
                old, new = old >> 1, new >> 1
        else:
            rebuilt_new = _node_hash(rebuilt_new, step)
        old, new = old >> 1, new >> 1
    return new == 0 and rebuilt_old == old_root and rebuilt_new == new_root
