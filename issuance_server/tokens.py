"""Keys in a token (HSM) through PKCS #11: they sign there and never leave it.

A session belongs to one process and is opened on its first use, after the fork. A token may go away (a cable, a
restart, a cluster's member) and come back: each use of it that fails drops what is open, sets the module up anew and
is tried once more, so that no restart of ours is needed. A PIN that was refused is not tried again until its file
changes: a token locks itself after a few.

PKCS #11 has no time-outs. A module that hangs is ended with its worker, by gunicorn's.
Source: PKCS #11 v2.40; CKM_ECDSA gives r and s side by side, as COSE's ES256 has them (RFC 9053, 2.1).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cwt.cose_key_interface import COSEKeyInterface
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from issuance_server.key_files import KeysError, read_private

_ES256, _EC2, _KTY, _KID, _ALG, _KEY_OPS, _SIGN = -7, 2, 1, 2, 3, 4, 1  # COSE, RFC 9052 and RFC 9053
_ID_BYTES: Final = 8
_PIN_REFUSED: Final = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked, pkcs11.PinExpired)
_Result = TypeVar("_Result")


class TokenUnavailable(Exception):
    """The token does not serve now; the message names token and fault. It may come back."""


class TokenConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a token is: the module's path, the token's label in it, and the file that holds its PIN.

    Shape:  paths are relative to the folder of keys.
    """

    module: Annotated[str, msgspec.Meta(min_length=1)]
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    pin_file: Annotated[str, msgspec.Meta(min_length=1)]


class KeyName(msgspec.Struct, frozen=True):
    """How a key is found in its token: CKA_LABEL and CKA_ID."""

    label: str
    id: bytes


class _Module:
    """One PKCS #11 module in this process, with the sessions of all tokens in it: setting it up anew ends them all."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._pid: int | None = None
        self._sessions: dict[str, pkcs11.Session] = {}
        self._keys: dict[tuple[str, KeyName], Any] = {}  # what a key can do, its class says at run time only

    def key(self, label: str, session: pkcs11.Session, name: KeyName) -> Any:
        """Return a private key, looked for once a session."""
        if (label, name) not in self._keys:
            found = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=name.label, id=name.id)
            self._keys[label, name] = found
        return self._keys[label, name]

    def session(self, label: str, open_token: Callable[[pkcs11.Token], pkcs11.Session]) -> pkcs11.Session:
        """Return this process's session with a token, opened on first use."""
        if self._pid not in {None, os.getpid()}:
            self.forget()  # a fork's copy: the sessions are the parent's
        self._pid = os.getpid()
        if label not in self._sessions:
            self._sessions[label] = open_token(pkcs11.lib(self.path).get_token(token_label=label))
        return self._sessions[label]

    def forget(self) -> None:
        """Drop all sessions and the module's own state. Whatever it says to that, what is next begins afresh."""
        self._keys.clear()
        self._sessions.clear()
        with contextlib.suppress(pkcs11.PKCS11Error):
            pkcs11.lib(self.path).finalize()

    def unload(self) -> None:
        """Leave nothing of the module in this process, so that nothing of it is forked off."""
        self.forget()
        with contextlib.suppress(pkcs11.PKCS11Error):
            pkcs11.unload(self.path)
        self._pid = None


_MODULES: dict[str, _Module] = {}


class Token:
    """One token. Errors of all methods that use it: TokenUnavailable."""

    def __init__(self, name: str, config: TokenConfig, folder: Path) -> None:
        self.name = name
        self._label = config.label
        self._pin_file = folder / config.pin_file
        self._pin_refused: tuple[int, int] | None = None
        path = str(folder / config.module)
        self._module = _MODULES.setdefault(path, _Module(path))

    def ready(self) -> None:
        """Open the session, if it is not open yet."""
        self._use(lambda _session: None)

    def sign(self, key: KeyName, message: bytes) -> bytes:
        """Return the ECDSA signature over a message's SHA-256: r and s, 32 bytes each."""
        digest = hashlib.sha256(message).digest()
        return self._use(lambda session: bytes(self._key(session, key).sign(digest, mechanism=Mechanism.ECDSA)))

    def generate(self, label: str) -> tuple[KeyName, bytes]:
        """Make a P-256 key that signs and cannot leave; return how it is found and its public key in PEM."""
        name = KeyName(label, secrets.token_bytes(_ID_BYTES))

        def make(session: pkcs11.Session) -> bytes:
            curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
            public, _private_key = session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(
                id=name.id,
                label=label,
                store=True,
                capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )
            return bytes(encode_ec_public_key(public))

        der = self._use(make, rw=True)
        return name, load_der_public_key(der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def check(self, key: KeyName, public_key: ec.EllipticCurvePublicKey) -> None:
        """See that the token holds the private part of a public key, and that it cannot leave.

        Errors: KeysError for a wrong key.
        """

        def look(session: pkcs11.Session) -> bool:
            private = self._key(session, key)
            return bool(private[Attribute.SENSITIVE]) and not private[Attribute.EXTRACTABLE]

        if not self._use(look):
            raise KeysError(f"token {self.name!r}: the key {key.label!r} could be taken out of it")
        probe = secrets.token_bytes(32)
        signature = self.sign(key, probe)
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        digest = hashlib.sha256(probe).digest()
        try:
            public_key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(SHA256())))
        except InvalidSignature:
            raise KeysError(f"token {self.name!r}: the key {key.label!r} is not the one that is published") from None

    def leave(self) -> None:
        """Close what is open and unload the module: a fork must inherit nothing of it."""
        with self._module.lock:
            self._module.unload()

    def _key(self, session: pkcs11.Session, name: KeyName) -> Any:
        return self._module.key(self._label, session, name)

    def _use(self, act: Callable[[pkcs11.Session], _Result], *, rw: bool = False) -> _Result:
        """Act in the session; where that fails, once more in a new one."""
        with self._module.lock:
            if rw:  # a session that may write is for the moment alone
                self._module.forget()
            for last_try in (False, True):
                try:
                    result = act(self._module.session(self._label, lambda token: self._log_in(token, rw=rw)))
                except pkcs11.PKCS11Error as error:
                    self._module.forget()
                    if last_try or isinstance(error, _PIN_REFUSED):
                        raise TokenUnavailable(f"token {self.name!r}: {_fault(error)}") from None
                    continue
                if rw:
                    self._module.forget()
                return result
        raise AssertionError("unreachable: the last try returns or raises")

    def _log_in(self, token: pkcs11.Token, *, rw: bool) -> pkcs11.Session:
        try:
            pin = read_private(self._pin_file).decode("utf-8").strip("\r\n")
            stat = self._pin_file.stat()
        except (KeysError, OSError, UnicodeDecodeError) as error:
            raise TokenUnavailable(f"token {self.name!r}: its PIN's file {self._pin_file}: {_said(error)}") from None
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen == self._pin_refused:
            raise TokenUnavailable(f"token {self.name!r}: it refused the PIN in {self._pin_file}; not tried again")
        try:
            return token.open(rw=rw, user_pin=pin)
        except _PIN_REFUSED:
            self._pin_refused = seen
            raise


class TokenSigningKey(COSEKeyInterface):
    """A key in a token, as the COSE library asks for one: ES256, signing only."""

    def __init__(self, token: Token, name: KeyName, key_id: str) -> None:
        super().__init__({_KTY: _EC2, _KID: key_id.encode("ascii"), _ALG: _ES256, _KEY_OPS: [_SIGN]})
        self._token = token
        self._name = name

    def sign(self, msg: bytes) -> bytes:
        """Return the signature as COSE has it. Errors: TokenUnavailable."""
        return self._token.sign(self._name, msg)

    def ready(self) -> None:
        """See that the token is there. Errors: TokenUnavailable."""
        self._token.ready()


def _fault(error: pkcs11.PKCS11Error) -> str:
    """Say what is missing, in a word: the library's own texts are empty for most."""
    if isinstance(error, pkcs11.NoSuchToken):
        return "no token of its label is in the module"
    if isinstance(error, pkcs11.NoSuchKey):
        return "the key is not in it"
    if str(error).startswith("OS exception while loading"):
        return "the module cannot be loaded"
    return f"it answers {type(error).__name__}"


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, KeysError) else "it cannot be read"
