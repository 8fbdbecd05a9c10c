"""Files of keys: written once, read by their owner alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key


class KeysError(Exception):
    """The folder of keys cannot be used; the message names the file or key and what is wrong with it, no contents."""


def pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PKCS #8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_pem(path: Path) -> PrivateKeyTypes:
    """Read a private key. Errors: KeysError."""
    try:
        return load_pem_private_key(read_private(path), password=None)
    except ValueError:
        raise KeysError(f"{path} is not a private key in PEM") from None


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read. Errors: FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    _keep_names(path.parent)


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in the place of another at once: a reader sees the old one or the new one, whole.

    After it returned, a power cut does not bring the old one back. Nobody's link in the folder is followed.
    """
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        write_private(fresh, content)
        fresh.chmod(mode)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    _keep_names(path.parent)


def _keep_names(folder: Path) -> None:
    """A file's name is its folder's content: without this a power cut may lose a key whose use was announced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One change of a folder of keys at a time. Errors: KeysError."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise KeysError(f"{folder} cannot be read: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_private(path: Path) -> bytes:
    """Read a file. Errors: KeysError, also where others than the owner may read it."""
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read()
    except OSError as error:
        raise KeysError(f"{path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise KeysError(f"{path} may be read by others than its owner: its mode must be 0600")
    return content
