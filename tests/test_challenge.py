"""What the card signs: every part counts, and no part can pass for another."""

import hashlib

import pytest

from protocol.challenge import PURPOSE_ISSUE, card_digest, to_be_signed

PARTS = {
    "challenge": b"c" * 56,
    "terminal_id": "T-0001",
    "terminal_key_thumbprint": b"k" * 32,
    "certificate_sha256": b"s" * 32,
    "purpose": PURPOSE_ISSUE,
}


def test_the_bytes_are_the_stated_ones() -> None:
    expected = (
        b"madoguchi-challenge-v1"
        + (b"\0\0\0\x38" + b"c" * 56)
        + (b"\0\0\0\x06" + b"T-0001")
        + (b"\0\0\0\x20" + b"k" * 32)
        + (b"\0\0\0\x20" + b"s" * 32)
        + (b"\0\0\0\x05" + b"issue")
    )
    assert to_be_signed(**PARTS) == expected
    assert card_digest(expected) == hashlib.sha256(expected).digest()


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("challenge", b"d" * 56),
        ("terminal_id", "T-0002"),
        ("terminal_key_thumbprint", b"l" * 32),
        ("certificate_sha256", b"t" * 32),
        ("purpose", "login"),
    ],
)
def test_every_part_counts(part: str, other: object) -> None:
    assert to_be_signed(**{**PARTS, part: other}) != to_be_signed(**PARTS)


def test_a_border_between_parts_cannot_be_moved() -> None:
    left = to_be_signed(**{**PARTS, "challenge": b"ab", "terminal_id": "c"})
    right = to_be_signed(**{**PARTS, "challenge": b"a", "terminal_id": "bc"})
    assert left != right
