"""The municipalities' seal keys: which is in force on a date, where its private part is, and what is published of it.

seals.json in the folder of keys is the register: every key that ever sealed a paper, with the dates of the papers
that it may seal. On no date has a municipality two keys in force; the date that counts is the one on the paper.
The private part is a file beside the register, or a key in a token (tokens.toml, tokens.py). The register is read
again when it changes, so that a rotation needs no restart; it is never written but by `rotate` and `revoke`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from issuance_server.key_files import KeysError, load_pem, locked, pem, read_private, replace_file, write_private
from issuance_server.tokens import KeyName, Token, TokenConfig, TokenSigningKey, TokenUnavailable
from printing.paper.seal import SealSigner, key_id_of
from protocol.messages import MunicipalityCode
from protocol.trust import SealKeyTrust

_REGISTER: Final = "seals.json"
_TOKENS: Final = "tokens.toml"
_FOLDER: Final = "seals"
_CODE: Final = re.compile("[0-9]{6}")
_DAY: Final = timedelta(days=1)


class SealKeyUnavailable(Exception):
    """No seal can be made now; the message names municipality and key. It may be mended at any moment."""


class FileKey(msgspec.Struct, tag="file", frozen=True, forbid_unknown_fields=True):
    """A private key in a file of the folder of keys."""

    path: str


class TokenKey(msgspec.Struct, tag="token", frozen=True, forbid_unknown_fields=True):
    """A private key in a token of tokens.toml; key_id is its CKA_ID in hex."""

    token: str
    label: str
    key_id: str

    @property
    def name(self) -> KeyName:
        """How the token finds it."""
        return KeyName(self.label, bytes.fromhex(self.key_id))


class SealKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One municipality's key: it may seal papers dated from sealed_from_jst to sealed_until_jst, both included.

    revoked_from_jst: it leaked. Papers of that date and later prove nothing, whatever its other dates say.
    """

    municipality_code: MunicipalityCode
    municipality_name: str = ""
    key_id: str
    public_key_pem: str
    private: FileKey | TokenKey
    sealed_from_jst: date | None = None
    sealed_until_jst: date | None = None
    revoked_from_jst: date | None = None

    @property
    def last_day_jst(self) -> date | None:
        """The last date of a paper that this key may seal; None = open."""
        days = [self.sealed_until_jst, self.revoked_from_jst and self.revoked_from_jst - _DAY]
        return min((day for day in days if day is not None), default=None)

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public key; the register holds keys on P-256 only."""
        key = load_pem_public_key(self.public_key_pem.encode("ascii"))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return key

    def may_seal(self, on_jst: date) -> bool:
        """Tell whether a paper of this date may carry this key's seal."""
        last = self.last_day_jst
        return (self.sealed_from_jst or on_jst) <= on_jst and (last is None or on_jst <= last)

    def ends_before(self, on_jst: date) -> bool:
        """Tell whether this key seals nothing any more."""
        return self.last_day_jst is not None and self.last_day_jst < on_jst

    def trust(self, municipality_name: str = "") -> SealKeyTrust:
        """Return what is published: a revoked key's time ends for receivers too."""
        return SealKeyTrust(
            municipality_code=self.municipality_code,
            key_id=self.key_id,
            public_key_pem=self.public_key_pem,
            municipality_name=municipality_name or self.municipality_name,
            sealed_from_jst=self.sealed_from_jst,
            sealed_until_jst=self.last_day_jst,
        )


class _Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: tuple[SealKey, ...] = ()


class SealKeys:
    """The register of a folder, and the signers of its keys. Errors of the constructor: KeysError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[SealKey, ...] = ()
        self._own: Mapping[str, tuple[SealKey, ...]] = {}
        self._signers: dict[str, SealSigner] = {}
        self._tokens: dict[str, Token] = {}
        self._read()

    @property
    def all(self) -> tuple[SealKey, ...]:
        """Every key, retired ones among them. Errors: KeysError."""
        with self._lock:
            self._read()
            return self._keys

    @property
    def municipality_codes(self) -> tuple[str, ...]:
        """The municipalities that this server can seal for."""
        return tuple(self._own)

    def signer(self, municipality_code: str, on_jst: date) -> SealSigner:
        """Return the signer of the one key in force on a paper's date, its token ready.

        Errors: SealKeyUnavailable.
        """
        try:
            with self._lock:
                self._read()
                key = in_force(self._own.get(municipality_code, ()), municipality_code, on_jst)
                if key is None:
                    raise SealKeyUnavailable(f"{municipality_code}: no seal key is in force on {on_jst}")
                signer = self._signers.get(key.key_id)
            if signer is None:
                raise SealKeyUnavailable(f"{municipality_code}: the seal key {key.key_id} is in force and not here")
            if isinstance(signer.key, TokenSigningKey):
                signer.key.ready()
        except (KeysError, TokenUnavailable) as error:
            raise SealKeyUnavailable(f"{municipality_code}: {error}") from None
        return signer

    def may_seal(self, key_id: str, on_jst: date) -> bool:
        """Tell whether a key is in force for papers of a date, as the register is now. Errors: KeysError."""
        return any(key.key_id == key_id and key.may_seal(on_jst) for key in self.all)

    def check(self, today_jst: date) -> None:
        """See that every key that may still seal is there and is the one that is published; nothing stays open.

        Errors: KeysError names the first that is not.
        """
        for key in self.all:
            if key.ends_before(today_jst):
                continue
            if key.key_id not in self._signers:
                raise KeysError(f"seal key {key.key_id} of {key.municipality_code}: its file is not there")
            if isinstance(key.private, TokenKey):
                token = self._tokens[key.private.token]
                try:
                    token.check(key.private.name, key.public_key)
                except (TokenUnavailable, KeysError) as error:
                    raise KeysError(f"seal key {key.key_id} of {key.municipality_code}: {error}") from None
        for token in self._tokens.values():
            token.leave()

    def trust(self, municipality_names: Mapping[str, str] = MappingProxyType({})) -> tuple[SealKeyTrust, ...]:
        """Return what is published: every key with its dates. Errors: KeysError."""
        return tuple(key.trust(municipality_names.get(key.municipality_code, "")) for key in self.all)

    def _read(self) -> None:
        """Read the register, if it is another than before."""
        path = self._folder / _REGISTER
        try:
            stat = path.stat()
        except OSError as error:
            raise KeysError(f"{path} cannot be read: {error.strerror}") from None
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if seen == self._seen:
            return
        keys = read_register(self._folder)
        tokens = _read_tokens(self._folder)
        signers = {key.key_id: _signer(self._folder, key, tokens) for key in keys if _is_here(self._folder, key)}
        self._keys, self._tokens, self._signers, self._seen = keys, tokens, signers, seen
        self._own = _by_municipality(keys)


def in_force(keys: tuple[SealKey, ...], municipality_code: str, on_jst: date) -> SealKey | None:
    """Return the one key of a municipality that seals papers of a date, or None."""
    found = [key for key in keys if key.municipality_code == municipality_code and key.may_seal(on_jst)]
    assert len(found) <= 1, "the register was read without its check"
    return found[0] if found else None


def read_register(folder: Path) -> tuple[SealKey, ...]:
    """Read and check the register. Errors: KeysError."""
    path = folder / _REGISTER
    try:
        keys = msgspec.json.decode(read_private(path), type=_Register).keys
    except msgspec.DecodeError as error:
        raise KeysError(f"{path} is no register of seal keys: {error}") from None
    for key in keys:
        try:
            right = key_id_of(key.public_key_pem.encode("ascii")) == key.key_id
        except (TypeError, ValueError):
            right = False
        if not right:
            raise KeysError(f"{path}: the key id {key.key_id!r} is not its public key's")
    if len({key.key_id for key in keys}) != len(keys):
        raise KeysError(f"{path}: two keys have one id")
    for code, own in _by_municipality(keys).items():
        if any(_overlap(key, other) for key, other in combinations(own, 2)):
            raise KeysError(f"{path}: {code} has two keys in force on one date")
    return keys


def create(folder: Path, municipalities: Mapping[str, str]) -> None:
    """Make the register and a first key in a file for each municipality, given with its name.

    Errors: KeysError.
    """
    if wrong := [code for code in municipalities if _CODE.fullmatch(code) is None]:
        raise KeysError(f"a municipality is named by six digits, not {wrong[0]!r}")
    for made in (folder, folder / _FOLDER):  # each by itself: parents get the mode of everything else
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder, tuple(_new_file_key(folder, code, name) for code, name in municipalities.items()))


def rotate(
    folder: Path,
    municipality_code: str,
    *,
    from_jst: date,
    today_jst: date,
    token_name: str | None = None,
    municipality_name: str = "",
    at_once: bool = False,
) -> SealKey:
    """Make a municipality's next key and let it seal papers from a date on; the one before ends the day before.

    While a key is in force the date must lie after today: today's papers are sealed already, and a date has one key.
    The new key must be published, and terminals and receivers have it, before its first day: a terminal takes a paper
    under a key that it does not know for a forged one and goes out of service.

    Shape:  token_name is one of tokens.toml; without it the key is a file. at_once says that a key which begins today
            is meant: after a revocation, or for a municipality that has none.
    Errors: KeysError; TokenUnavailable.
    """
    if _CODE.fullmatch(municipality_code) is None:
        raise KeysError(f"a municipality is named by six digits, not {municipality_code!r}")
    with locked(folder):
        keys = read_register(folder)
        own = [key for key in keys if key.municipality_code == municipality_code]
        if from_jst < today_jst:
            raise KeysError(f"{from_jst} is past: papers of that date are sealed already")
        if from_jst == today_jst and in_force(keys, municipality_code, today_jst) is not None:
            raise KeysError(f"today's papers are sealed with a key already: the next one begins on {today_jst + _DAY}")
        if from_jst == today_jst and not at_once:
            raise KeysError(
                f"{from_jst} is today: every terminal that has not the new key yet would take the next paper for a "
                f"forged one and go out of service. Begin on {today_jst + _DAY} or later, or say that it is meant at "
                "once and publish before anything is issued"
            )
        if any(_window(key)[0] >= from_jst and not _never_seals(key) for key in own):
            raise KeysError(f"{municipality_code} has a key that begins on {from_jst} or later already")
        name = municipality_name or (own[-1].municipality_name if own else "")
        if token_name is None:
            new = _new_file_key(folder, municipality_code, name, from_jst)
        else:
            new = _new_token_key(folder, municipality_code, name, from_jst, token_name)
        _write(folder, (*(_ended(key, from_jst) if key in own else key for key in keys), new))
    return new


def revoke(folder: Path, key_id: str, *, from_jst: date) -> SealKey:
    """Take a key that leaked out of force from a date on, which may be past.

    What it sealed before that date still proves something, if the ledger has it. Unless another key begins on that
    date the municipality can seal nothing from then on: `rotate` makes that one.
    Errors: KeysError.
    """
    with locked(folder):
        keys = read_register(folder)
        found = next((key for key in keys if key.key_id == key_id), None)
        if found is None:
            raise KeysError(f"{folder / _REGISTER} has no key {key_id!r}")
        if found.revoked_from_jst is not None and found.revoked_from_jst <= from_jst:
            raise KeysError(f"the key {key_id!r} is revoked from {found.revoked_from_jst} already")
        revoked = msgspec.structs.replace(found, revoked_from_jst=from_jst)
        _write(folder, tuple(revoked if key is found else key for key in keys))
    return revoked


def state_of(key: SealKey, today_jst: date) -> str:
    """Say what a key is today."""
    if key.revoked_from_jst is not None:
        return "revoked"
    if key.may_seal(today_jst):
        return "in force"
    return "retired" if key.ends_before(today_jst) else "next"


def lines(keys: Iterable[SealKey], today_jst: date) -> Iterator[str]:
    """Yield one line a key, for people: municipality, id, state, dates, where the private part is."""
    for key in keys:
        where = key.private.path if isinstance(key.private, FileKey) else f"{key.private.token}:{key.private.label}"
        dates = f"{key.sealed_from_jst or '...'} to {key.last_day_jst or '...'}"
        yield f"{key.municipality_code}  {key.key_id}  {state_of(key, today_jst):<8}  {dates:<24}  {where}"


def _ended(key: SealKey, next_from_jst: date) -> SealKey:
    if key.ends_before(next_from_jst):
        return key
    return msgspec.structs.replace(key, sealed_until_jst=next_from_jst - _DAY)


def _by_municipality(keys: Iterable[SealKey]) -> dict[str, tuple[SealKey, ...]]:
    by_code: dict[str, tuple[SealKey, ...]] = {}
    for key in keys:
        by_code[key.municipality_code] = (*by_code.get(key.municipality_code, ()), key)
    return by_code


def _overlap(one: SealKey, other: SealKey) -> bool:
    (_, first_until), (second_from, _) = sorted((_window(one), _window(other)))
    return second_from <= first_until and not (_never_seals(one) or _never_seals(other))


def _window(key: SealKey) -> tuple[date, date]:
    return key.sealed_from_jst or date.min, key.last_day_jst or date.max


def _never_seals(key: SealKey) -> bool:
    """Tell whether a key was revoked from its first day on."""
    first, last = _window(key)
    return last < first


def _new_file_key(folder: Path, code: str, name: str, from_jst: date | None = None) -> SealKey:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path = f"{_FOLDER}/{code}-{key_id_of(public)}.pem"
    write_private(folder / path, pem(private))
    return _new_key(code, name, public, FileKey(path), from_jst)


def _new_token_key(folder: Path, code: str, name: str, from_jst: date, token_name: str) -> SealKey:
    token = _read_tokens(folder).get(token_name)
    if token is None:
        raise KeysError(f"{folder / _TOKENS} has no token {token_name!r}")
    label = f"madoguchi-seal-{code}-{from_jst:%Y%m%d}"
    found, public = token.generate(label)
    return _new_key(code, name, public, TokenKey(token_name, label, found.id.hex()), from_jst)


def _new_key(code: str, name: str, public: bytes, private: FileKey | TokenKey, from_jst: date | None) -> SealKey:
    return SealKey(
        municipality_code=code,
        municipality_name=name,
        key_id=key_id_of(public),
        public_key_pem=public.decode("ascii"),
        private=private,
        sealed_from_jst=from_jst,
    )


def _is_here(folder: Path, key: SealKey) -> bool:
    """A key that has an end may be destroyed after it; its papers are checked with the public part."""
    return key.last_day_jst is None or isinstance(key.private, TokenKey) or (folder / key.private.path).exists()


def _signer(folder: Path, key: SealKey, tokens: Mapping[str, Token]) -> SealSigner:
    if isinstance(key.private, TokenKey):
        token = tokens.get(key.private.token)
        if token is None:
            raise KeysError(f"{folder / _TOKENS} has no token {key.private.token!r}, where {key.key_id} is")
        return SealSigner(key.key_id, TokenSigningKey(token, key.private.name, key.key_id))
    path = folder / key.private.path
    private = load_pem(path)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise KeysError(f"{path} is not a key on P-256")
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if key_id_of(public) != key.key_id:
        raise KeysError(f"{path} is not the key {key.key_id} that is published")
    return SealSigner.from_pem(key.key_id, pem(private))


def _read_tokens(folder: Path) -> dict[str, Token]:
    path = folder / _TOKENS
    if not path.exists():
        return {}
    try:
        configs = msgspec.toml.decode(read_private(path), type=dict[str, TokenConfig])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeysError(f"{path}: {error}") from None
    return {name: Token(name, config, folder) for name, config in configs.items()}


def _write(folder: Path, keys: tuple[SealKey, ...]) -> None:
    replace_file(folder / _REGISTER, msgspec.json.format(msgspec.json.encode(_Register(keys))))
