"""The grant: the server's word, for one order, one document, one terminal."""

from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol import grant
from protocol.grant import Grant, GrantInvalid
from protocol.messages import GrantAnswer

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
GRANT = Grant(
    grant_id="1" * 32,
    order_id="2" * 32,
    pdf_sha256=b"p" * 32,
    terminal_id="T-0001",
    granted_at_utc=datetime(2026, 3, 1, 2, 3, 4, 567, tzinfo=UTC),
)


def answer_of(body: bytes) -> GrantAnswer:
    """Bytes that the server's key did sign."""
    return GrantAnswer(grant=body, signature=KEY.sign(body))


def test_what_was_signed_is_what_is_read() -> None:
    assert grant.verify(grant.sign(GRANT, KEY), KEY.public_key()) == GRANT


def test_any_altered_byte_is_noticed() -> None:
    answer = grant.sign(GRANT, KEY)
    for index in range(len(answer.grant)):
        altered = bytearray(answer.grant)
        altered[index] ^= 1
        with pytest.raises(GrantInvalid):
            grant.verify(msgspec.structs.replace(answer, grant=bytes(altered)), KEY.public_key())


def test_another_servers_grant_is_refused() -> None:
    with pytest.raises(GrantInvalid, match="signature"):
        grant.verify(grant.sign(GRANT, Ed25519PrivateKey.generate()), KEY.public_key())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"madoguchi-grant-v1\n",
        b"madoguchi-grant-v2\n" + grant.encode(GRANT)[len(grant.DOMAIN) :],
        grant.encode(GRANT) + b" ",
        grant.encode(GRANT).replace(b'"terminal_id"', b'"terminal"'),
        grant.encode(GRANT).replace(b'"terminal_id"', b'"\xffterminal_id"'),
        grant.encode(GRANT).replace(b"Z", b"+00:00"),
        grant.encode(GRANT).replace(b"Z", b""),
    ],
)
def test_the_servers_other_words_are_no_grant(body: bytes) -> None:
    with pytest.raises(GrantInvalid):
        grant.verify(answer_of(body), KEY.public_key())
