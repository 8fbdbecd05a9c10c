"""Check codes: readable, found however they are typed, and stored in no form that gives them away."""

from __future__ import annotations

import pytest

from issuance_server import check_codes
from protocol import codes

KEY = bytes(range(32))
CODE = codes.readable(bytes(range(1, 11)))


def test_a_code_is_eighty_bits_in_groups_of_four() -> None:
    assert check_codes.CODE_BYTES * 8 == 80
    assert CODE == "0410-6105-0R3G-G28A"
    assert len({codes.readable(bytes([number]) * 10) for number in range(256)}) == 256


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("2026-0000001", "0410-6105-0r3g-g28a"),
        (" 2026-0000001 ", "04106105 0R3GG28A"),
        ("2026ー0000001", "0410—6105―0R3G−G28A"),
        ("２０２６－０００００01", "０４１０-６１０５-０Ｒ３Ｇ-Ｇ２８Ａ"),
        ("2026-0000001", "o41O-61o5-OR3G-G28A"),
        ("2026-0000001", "04i0-6L05-0R3G-G28A"),
    ],
)
def test_it_is_found_however_it_is_typed(number: str, code: str) -> None:
    assert check_codes.digest(KEY, number, code) == check_codes.digest(KEY, "2026-0000001", CODE)


@pytest.mark.parametrize(
    ("key", "number", "code"),
    [
        (KEY, "2026-0000002", CODE),
        (KEY, "2026-0000001", CODE[:-1] + "B"),
        (KEY, "2026-0000001" + CODE[:1], CODE[1:]),
        (bytes(32), "2026-0000001", CODE),
    ],
)
def test_any_other_number_code_or_key_is_another_row(key: bytes, number: str, code: str) -> None:
    assert check_codes.digest(key, number, code) != check_codes.digest(KEY, "2026-0000001", CODE)


def test_a_seal_opens_for_its_number_and_code_alone() -> None:
    sealed = check_codes.seal_under("2026-0000001", CODE, "MDG1:TEXT")
    assert b"MDG1" not in sealed
    assert check_codes.open_under("２０２６-0000001", CODE.lower().replace("-", " "), sealed) == "MDG1:TEXT"
    assert sealed != check_codes.seal_under("2026-0000001", CODE, "MDG1:TEXT")
    for number, code, blob in (
        ("2026-0000002", CODE, sealed),
        ("2026-0000001", CODE[:-1] + "B", sealed),
        ("2026-0000001", CODE, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("2026-0000001", CODE, sealed[:8]),
        ("2026-0000001", CODE, b""),
    ):
        assert check_codes.open_under(number, code, blob) is None
