"""The binding: one order, one visit, one card."""

import hashlib

import pytest

from protocol.binding import binding

ORDER = "0123456789abcdef0123456789abcdef"
SECRET = bytes(range(16))
CARD = hashlib.sha256(b"a certificate").digest()


def test_the_binding_is_the_stated_hash() -> None:
    expected = (
        b"madoguchi-binding-v1" + (b"\0\0\0\x20" + ORDER.encode()) + (b"\0\0\0\x10" + SECRET) + (b"\0\0\0\x20" + CARD)
    )
    assert binding(ORDER, SECRET, CARD) == hashlib.sha256(expected).digest()


@pytest.mark.parametrize(
    "other",
    [
        (ORDER[::-1], SECRET, CARD),
        (ORDER, SECRET[::-1], CARD),
        (ORDER, SECRET, hashlib.sha256(b"another certificate").digest()),
    ],
)
def test_another_order_visit_or_card_gives_another_binding(other: tuple[str, bytes, bytes]) -> None:
    assert binding(*other) != binding(ORDER, SECRET, CARD)


@pytest.mark.parametrize(
    ("secret", "card", "named"),
    [(b"", CARD, "visit_secret"), (SECRET[:15], CARD, "visit_secret"), (SECRET, CARD[:31], "certificate_sha256")],
)
def test_short_parts_are_refused_by_name(secret: bytes, card: bytes, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        binding(ORDER, secret, card)
