"""Inputs that are almost right: what a corpus holds, changed a little, or not at all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

INPUT_MAX: Final = 4096
_EDGES: Final = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF, ord("0"), ord('"'), ord("{"), ord("\\"), ord("\n"))
_WORDS: Final = (b"null", b"true", b"-1", b"1e999", b"9" * 40, b"\xff" * 4, bytes(16), "\u3042".encode(), b"[[[[")


def mutated(chance: Random, corpus: Sequence[bytes]) -> bytes:
    """Return an input: mostly one of the corpus with a few changes, sometimes two in one, sometimes anything."""
    if chance.random() < 0.03:
        return chance.randbytes(chance.randrange(200))
    made = bytearray(chance.choice(corpus))
    if chance.random() < 0.1:
        other = chance.choice(corpus)
        made = made[: chance.randrange(len(made) + 1)] + other[chance.randrange(len(other) + 1) :]
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        chance.choice(_CHANGES)(chance, made)
    return bytes(made[:INPUT_MAX])


def _flip(chance: Random, made: bytearray) -> None:
    if made:
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)


def _edge(chance: Random, made: bytearray) -> None:
    if made:
        made[chance.randrange(len(made))] = chance.choice(_EDGES)


def _cut(chance: Random, made: bytearray) -> None:
    at = chance.randrange(len(made) + 1)
    del made[at : at + chance.choice((1, 2, 8, 64, INPUT_MAX))]


def _double(chance: Random, made: bytearray) -> None:
    at = chance.randrange(len(made) + 1)
    made[at:at] = made[at : at + chance.choice((1, 4, 32, 256))]


def _word(chance: Random, made: bytearray) -> None:
    at = chance.randrange(len(made) + 1)
    made[at : at + chance.choice((0, 1, 4))] = chance.choice(_WORDS)


def _count(chance: Random, made: bytearray) -> None:
    """Change a number by one, or by much: lengths are where parsers go wrong."""
    if made:
        at = chance.randrange(len(made))
        made[at] = (made[at] + chance.choice((1, -1, 16, -16, 128))) % 256


_CHANGES: Final[tuple[Callable[[Random, bytearray], None], ...]] = (_flip, _edge, _cut, _double, _word, _count)
