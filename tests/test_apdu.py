"""The bytes of commands and answers, and the DER length, valid and invalid."""

import pytest

from terminal.card import apdu


@pytest.mark.parametrize(
    ("command", "encoded"),
    [
        (apdu.select_application(bytes.fromhex("D392F000260100000001")), "00A4040C0AD392F000260100000001"),
        (apdu.select_file(0x000A), "00A4020C02000A"),
        (apdu.read_binary(0, 256), "00B0000000"),
        (apdu.read_binary(0x0123, 32), "00B0012320"),
        (apdu.ask_tries(), "00200080"),
        (apdu.verify(bytearray(b"1234")), "002000800431323334"),
        (apdu.compute_signature(b"\x30\x00"), "802A008002300000"),
    ],
)
def test_commands_are_encoded_as_the_card_expects(command: apdu.Command, encoded: str) -> None:
    assert command.encode().hex().upper() == encoded


@pytest.mark.parametrize("ins", [apdu.INS_VERIFY, apdu.INS_CHANGE_REFERENCE_DATA])
def test_no_repr_shows_a_pin(ins: int) -> None:
    command = apdu.Command(apdu.CLA_ISO, ins, 0x00, 0x80, bytearray(b"4649"))
    for shown in (repr(command), str(command), f"{command}", f"{[command]}"):
        assert "4649" not in shown
        assert b"4649".hex() not in shown.lower()
        assert "<4 bytes masked>" in shown
    assert "000A" in repr(apdu.select_file(0x000A))  # what is no secret is shown


def test_an_answer_is_parted() -> None:
    assert apdu.Response.decode(bytes.fromhex("AABB9000")) == apdu.Response(b"\xaa\xbb", apdu.SW_OK)
    assert apdu.Response.decode(bytes.fromhex("6A82")) == apdu.Response(b"", apdu.SW_FILE_NOT_FOUND)


@pytest.mark.parametrize("answer", [b"", b"\x90"])
def test_an_answer_without_status_word_is_refused(answer: bytes) -> None:
    with pytest.raises(apdu.MalformedAnswer):
        apdu.Response.decode(answer)


@pytest.mark.parametrize(
    ("status_word", "tries_left"), [(0x63C3, 3), (0x63C0, 0), (0x9000, None), (0x6300, None), (0x6984, None)]
)
def test_tries_are_read_from_63cx_alone(status_word: int, tries_left: int | None) -> None:
    assert apdu.Response(b"", status_word).tries_left == tries_left


@pytest.mark.parametrize(
    ("head", "total"),
    [("3000", 2), ("307F", 129), ("308180", 131), ("30820400", 1028), ("3082FFFF", 65539), ("3083010000", 65541)],
)
def test_der_length(head: str, total: int) -> None:
    assert apdu.der_total_length(bytes.fromhex(head) + b"rest") == total


@pytest.mark.parametrize(
    "head",
    ["", "30", "3100", "FFFF", "0000", "3080", "308101", "30820010", "308204", "308401000000", "30FF"],
)
def test_what_is_no_der_length_is_refused(head: str) -> None:
    with pytest.raises(apdu.MalformedAnswer):
        apdu.der_total_length(bytes.fromhex(head))
