"""The server's keys: made once, read by their owner alone, and what of them a terminal pins."""

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from issuance_server.key_files import KeysError
from issuance_server.keys import Keys, load_audit_key
from issuance_server.vault import Vault
from printing.paper import seal
from printing.paper.records import CertificateKind
from protocol import grant
from protocol.trust import Trust

CODES = ("992011", "992020")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a server's keys."""
    Keys.create(tmp_path / "keys", CODES)
    return tmp_path / "keys"


def test_what_was_made_is_what_is_loaded(folder: Path) -> None:
    first, second = Keys.load(folder), Keys.load(folder)
    assert first.municipality_codes == CODES
    assert first.challenge == second.challenge
    assert first.trust() == second.trust()
    assert Vault(second.vault).open(b"row", Vault(first.vault).seal(b"row", b"text")) == b"text"


def test_two_servers_share_nothing(tmp_path: Path, folder: Path) -> None:
    mine, other = Keys.load(folder), Keys.create(tmp_path / "other", CODES)
    assert mine.challenge != other.challenge
    assert mine.vault.link != other.vault.link
    assert mine.trust().grant_public_key != other.trust().grant_public_key
    key_ids = [key.key_id for keys in (mine, other) for key in keys.trust().seal_keys]
    assert len(set(key_ids)) == 4


def test_a_terminal_that_pins_them_knows_grant_and_seal(folder: Path) -> None:
    keys = Keys.load(folder)
    pinned = msgspec.json.decode(msgspec.json.encode(keys.trust()), type=Trust)
    word = grant.Grant(
        grant_id="1" * 32,
        order_id="2" * 32,
        pdf_sha256=bytes(32),
        terminal_id="T-0001",
        granted_at_utc=datetime(2026, 3, 1, tzinfo=UTC),
    )
    assert grant.verify(grant.sign(word, keys.grant), pinned.grant_key()) == word
    content = seal.SealContent(
        municipality_code=CODES[0],
        kind=CertificateKind.RESIDENCE,
        issue_number="R8-1",
        issued_on_jst=date(2026, 3, 1),
        status_id=bytes(16),
        binding=bytes(32),
        salt=bytes(16),
        digest=bytes(32),
        fields={},
    )
    text = seal.sign(content, keys.seals.signer(CODES[0], content.issued_on_jst))
    assert seal.verify(text, pinned.seal_keys_of(CODES[0])) == content
    with pytest.raises(seal.SealUnknownKey):
        seal.verify(text, pinned.seal_keys_of(CODES[1]))


def test_no_private_key_is_exported_or_shown(folder: Path) -> None:
    keys = Keys.load(folder)
    assert b"PRIVATE" not in msgspec.json.encode(keys.trust())
    assert repr(keys.challenge) not in repr(keys)
    assert "PRIVATE" not in repr(keys)


def test_only_the_owner_may_read(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 7
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    for path in files:
        path.chmod(0o640)
        load = load_audit_key if path.name == "audit.pem" else Keys.load  # the servers do without that one
        with pytest.raises(KeysError, match=path.name):
            load(folder)
        path.chmod(0o600)


def test_keys_are_never_overwritten(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(KeysError, match="never overwritten"):
        Keys.create(folder, CODES)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_municipality_is_named_by_six_digits(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="six digits"):
        Keys.create(tmp_path / "keys", ["../x"])
    assert list(tmp_path.iterdir()) == []


def private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("server.json", b"{}"),
        ("server.json", b"no JSON"),
        ("grant.pem", b"no PEM"),
        ("check.key", b"no PEM and not 32 bytes"),
        ("grant.pem", private_pem(ec.generate_private_key(ec.SECP256R1()))),
        ("seals.json", b"{}no register"),
        ("seals/992011-*.pem", private_pem(ec.generate_private_key(ec.SECP384R1()))),
        ("seals/992011-*.pem", private_pem(ec.generate_private_key(ec.SECP256R1()))),
        ("seals/992011-*.pem", private_pem(Ed25519PrivateKey.generate())),
    ],
)
def test_a_wrong_file_is_named_and_not_shown(folder: Path, name: str, content: bytes) -> None:
    (path,) = folder.glob(name)
    path.write_bytes(content)
    with pytest.raises(KeysError, match=path.name) as caught:
        Keys.load(folder)
    assert "no PEM" not in str(caught.value)


@pytest.mark.parametrize("name", ["server.json", "grant.pem", "check.key", "seals.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(KeysError, match=name):
        Keys.load(folder)
