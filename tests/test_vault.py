"""The vault: opens only what is whole, in its own row, with a key that is here."""

import pytest

from issuance_server.vault import Vault, VaultError, VaultKeys

ROW = b"register/992011/resident/R1"
SECRET = "窓口 花子".encode()
ISSUER = b"i" * 32


def keys(current: str = "v1", *ids: str, link: bytes = b"L" * 32) -> VaultKeys:
    """Keys by id, each of its own bytes."""
    return VaultKeys(current, {key_id: key_id.encode().ljust(32, b"k") for key_id in (current, *ids)}, link)


def test_what_was_sealed_opens_in_its_row() -> None:
    vault = Vault(keys())
    blob = vault.seal(ROW, SECRET)
    assert SECRET not in blob
    assert vault.open(ROW, blob) == SECRET
    assert vault.open(ROW, vault.seal(ROW, b"")) == b""


def test_two_blobs_of_one_text_differ() -> None:
    vault = Vault(keys())
    assert vault.seal(ROW, SECRET) != vault.seal(ROW, SECRET)


def test_a_blob_does_not_open_in_another_row() -> None:
    vault = Vault(keys())
    with pytest.raises(VaultError, match="another row"):
        vault.open(ROW + b"2", vault.seal(ROW, SECRET))


def test_any_altered_or_missing_byte_is_noticed() -> None:
    vault = Vault(keys())
    blob = vault.seal(ROW, SECRET)
    for index in range(len(blob)):
        altered = bytearray(blob)
        altered[index] ^= 0x81
        with pytest.raises(VaultError):
            vault.open(ROW, bytes(altered))
        with pytest.raises(VaultError):
            vault.open(ROW, blob[:index])


def test_keys_are_exchanged_while_old_rows_open() -> None:
    old = Vault(keys("v1")).seal(ROW, SECRET)
    both = Vault(keys("v2", "v1"))
    assert both.open(ROW, old) == SECRET
    new = both.seal(ROW, SECRET)
    with pytest.raises(VaultError, match="key is not here"):
        Vault(keys("v1")).open(ROW, new)
    with pytest.raises(VaultError, match="key is not here"):
        Vault(keys("v2")).open(ROW, old)


@pytest.mark.parametrize(
    ("current", "sealing", "link"),
    [
        ("v2", {"v1": b"k" * 32}, b"L" * 32),
        ("v1", {"v1": b"k" * 16}, b"L" * 32),
        ("v1", {"v1": b"k" * 32}, b""),
        ("", {"": b"k" * 32}, b"L" * 32),
        ("x" * 256, {"x" * 256: b"k" * 32}, b"L" * 32),
    ],
)
def test_unfit_keys_are_refused_at_start(current: str, sealing: dict[str, bytes], link: bytes) -> None:
    with pytest.raises(ValueError, match="vault"):
        VaultKeys(current, sealing, link)


def test_keys_do_not_show() -> None:
    assert "kkkk" not in repr(keys())
    assert "LLLL" not in repr(keys())


def test_a_link_is_one_certificates_in_one_municipality() -> None:
    vault = Vault(keys())
    link = vault.link_digest("992011", ISSUER, 77)
    assert len(link) == 32
    assert link == Vault(keys("v2", "v1")).link_digest("992011", ISSUER, 77)
    others = {
        vault.link_digest("992020", ISSUER, 77),
        vault.link_digest("992011", b"j" * 32, 77),
        vault.link_digest("992011", ISSUER, 78),
        Vault(keys(link=b"M" * 32)).link_digest("992011", ISSUER, 77),
    }
    assert len(others | {link}) == 5
