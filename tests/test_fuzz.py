"""A short round of `make fuzz`: every reader of other people's bytes takes an input or answers with a typed error."""

from __future__ import annotations

import os
import time
from random import Random

import pytest

from tests.fuzz import __main__ as fuzz
from tests.fuzz.mutate import INPUT_MAX, mutated
from tests.fuzz.targets import Target, targets

INPUTS = 400
#: Their right inputs are refused as such: no authority, no key or no card is there that they could hold for.
REFUSED_AS_RIGHT = {"card", "status list", "certificate"}
TARGETS = {one.name: one for one in targets()}

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_taken_or_refused_with_a_typed_error(name: str) -> None:
    made = fuzz.run(TARGETS[name], 1, INPUTS)
    assert (made.inputs, made.untyped, made.hangs) == (INPUTS, [], [])


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_changes_begin_with_is_right(name: str) -> None:
    """Or they would only ever be refused at the door."""
    for said in TARGETS[name].corpus:
        try:
            TARGETS[name].read(said)
        except TARGETS[name].typed:
            assert name in REFUSED_AS_RIGHT


def test_the_fuzzer_sees_what_it_looks_for() -> None:
    def untyped(_said: bytes) -> object:
        raise KeyError

    def hangs(_said: bytes) -> object:
        while True:
            time.sleep(0.01)

    def typed(_said: bytes) -> object:
        raise ValueError

    made = fuzz.run(Target("untyped", (b"x",), untyped, (ValueError,)), 1, 3)
    assert (len(made.untyped), made.taken) == (3, 0)
    assert made.untyped[0].startswith("untyped: KeyError")
    assert fuzz.run(Target("typed", (b"x",), typed, (ValueError,)), 1, 3).untyped == []
    fuzz_s, fuzz.HANGS_AFTER_S = fuzz.HANGS_AFTER_S, 0.05  # type: ignore[misc]
    try:
        assert len(fuzz.run(Target("hangs", (b"x",), hangs, (ValueError,)), 1, 1).hangs) == 1
    finally:
        fuzz.HANGS_AFTER_S = fuzz_s  # type: ignore[misc]


def test_an_input_that_ends_the_process_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(said: bytes) -> object:
        if len(said) > 4:
            os._exit(3)
        return None

    monkeypatch.setattr(fuzz, "targets", lambda: (Target("ends", (b"abcd",), ends, ()),))
    crashes: list[str] = []
    assert list(fuzz._rounds([("ends", 1, 50)], crashes)) == []
    assert len(crashes) == 1
    assert len(bytes.fromhex(crashes[0].rpartition(" ")[2])) > 4


def test_inputs_are_the_same_again_and_bounded() -> None:
    corpus = (b"x" * INPUT_MAX, b"y")
    first, second = ([mutated(Random(str(seed)), corpus) for seed in range(200)] for _ in range(2))
    assert first == second
    assert max(map(len, first)) == INPUT_MAX
    assert len(set(first)) > 150
