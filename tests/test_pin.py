"""The digits of the PIN: how many stand, and when none may stand any more."""

import pytest

from terminal.card.pin import PinPad
from terminal.card.results import PinIncomplete


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pad(clock: Clock) -> PinPad:
    return PinPad(clock, idle_timeout_s=30.0)


def press(pad: PinPad, digits: str) -> int:
    return [pad.digit(digit) for digit in digits][-1]


def test_digits_are_counted_and_a_fifth_changes_nothing(pad: PinPad) -> None:
    assert [pad.digit(digit) for digit in "12345"] == [1, 2, 3, 4, 4]
    assert pad.take() == bytearray(b"1234")


def test_correction_takes_the_last_one(pad: PinPad) -> None:
    press(pad, "129")
    assert pad.correct() == 2
    assert press(pad, "34") == 4
    assert pad.take() == bytearray(b"1234")
    assert pad.correct() == 0


@pytest.mark.parametrize("digit", ["", "12", "a", "１", "²", " ", "-"])
def test_what_is_no_digit_is_refused_without_being_repeated(pad: PinPad, digit: str) -> None:
    with pytest.raises(ValueError, match=r"^digit must be one of 0\.\.9$"):
        pad.digit(digit)
    assert pad.correct() == 0


def test_taking_leaves_nothing(pad: PinPad) -> None:
    press(pad, "1234")
    pad.take()
    with pytest.raises(PinIncomplete) as caught:
        pad.take()
    assert caught.value.digits == 0
    assert pad._buffer == bytearray(4)


def test_an_incomplete_pin_is_refused_and_wiped(pad: PinPad) -> None:
    press(pad, "123")
    with pytest.raises(PinIncomplete) as caught:
        pad.take()
    assert caught.value.digits == 3
    assert pad._buffer == bytearray(4)
    assert pad.correct() == 0


def test_clearing_overwrites(pad: PinPad) -> None:
    press(pad, "1234")
    assert pad._buffer == bytearray(b"1234")
    pad.clear()
    assert pad._buffer == bytearray(4)


def test_idle_digits_are_wiped_and_touched_ones_stay(pad: PinPad, clock: Clock) -> None:
    press(pad, "12")
    clock.now_s += 29.0
    pad.clear_if_idle()
    assert press(pad, "3") == 3
    clock.now_s += 29.0
    pad.clear_if_idle()
    assert press(pad, "4") == 4
    clock.now_s += 31.0
    pad.clear_if_idle()
    assert pad._buffer == bytearray(4)


def test_digits_of_somebody_who_left_are_not_continued(pad: PinPad, clock: Clock) -> None:
    press(pad, "123")
    clock.now_s += 31.0  # and no tick has come by
    assert pad.digit("4") == 1
