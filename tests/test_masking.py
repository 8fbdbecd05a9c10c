"""Masked names: enough to know oneself by, and no character torn apart."""

from __future__ import annotations

import pytest

from issuance_server.masking import masked


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("山田 太郎", "山● 太●"),
        ("山田　太郎", "山● 太●"),  # full-width space
        ("林 修", "林● 修●"),  # a short name tells no more than a long one
        ("長宗我部 ふみ", "長● ふ●"),
        ("見本太郎", "見●"),
        ("渡\U000e0119邉 一", "渡\U000e0119● 一●"),  # the selector belongs to its character
        ("邉\ufe00\U000e0119 一", "邉\ufe00\U000e0119● 一●"),
        ("が\u3099ろう 次", "が\u3099● 次●"),
        ("SANTOS DELA CRUZ MARIA", "S● D● C● M●"),
        ("E\u0301MILE ZOLA", "E\u0301● Z●"),
        ("  見本   太郎 ", "見● 太●"),
        ("", ""),
    ],
)
def test_masked(name: str, expected: str) -> None:
    assert masked(name) == expected


def test_the_rest_of_a_name_is_not_in_it() -> None:
    assert not set("田郎") & set(masked("山田 太郎"))
