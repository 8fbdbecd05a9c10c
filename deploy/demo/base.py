"""The town's folder: everything that takes time to make, made once per seed and size and kept.

Shape of the folder: pki/ (the look-alike of JPKI), keys/ (the server's), terminals/<id>.pem, trust.json (what terminals
pin), server.db (migrated and filled), directory.json (the demo's phone book).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Engine

from deploy import migrations
from deploy.demo import town as town_module
from deploy.demo.pki import TownPki, issuer_key_sha256
from issuance_server import database, terminals
from issuance_server.keys import Keys
from issuance_server.publishing import publish
from issuance_server.register.store import RegisterStore
from issuance_server.settings_store import SettingsStore
from issuance_server.vault import Vault
from issuance_server.verify.status_key import STATUS_KEY_FILE, create_status_key

REPOSITORY: Final = Path(__file__).resolve().parents[2]
VAR: Final = REPOSITORY / "var"
OPERATOR: Final = "demo-stores"
TERMINAL_IDS: Final = ("T-0001", "T-0002", "T-0003", "T-0004")
_MADE_FROM: Final = (
    "deploy/demo/town*.py",
    "deploy/demo/pki.py",
    "deploy/demo/seal_pictures.py",
    "deploy/migrations/**/*.py",
    "issuance_server/**/*.py",
    "protocol/*.py",
)


def prepare(seed: int, residents: int) -> Path:
    """Return the town's folder; make it first if it is missing or the code behind it changed.

    It is built beside its place and renamed, so that a folder that has the name is complete.
    """
    folder = VAR / "towns" / f"seed{seed}-residents{residents}-{_fingerprint()}"
    if folder.exists():
        return folder
    for outdated in folder.parent.glob(f"seed{seed}-residents{residents}-*"):
        shutil.rmtree(outdated, ignore_errors=True)
    unfinished = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _build(unfinished, seed, residents)
    try:
        unfinished.rename(folder)
    except OSError:  # another command made the same town in the meantime
        shutil.rmtree(unfinished)
    return folder


def _build(folder: Path, seed: int, residents: int) -> None:
    town = town_module.build_people(seed, residents)
    pki = TownPki.create(folder / "pki", seed)
    names = {decided.municipality_code: decided.municipality_name for decided in town.municipalities}
    keys = Keys.create(folder / "keys", names)
    create_status_key(folder / "keys" / STATUS_KEY_FILE)
    publish(folder / "keys", folder / "trust.json")
    (folder / "directory.json").write_bytes(msgspec.json.encode(town_module.directory(town)))
    url = f"sqlite:///{folder / 'server.db'}"
    migrations.upgrade(url)
    engine = database.open_engine(url)
    now_utc = datetime.now(UTC)
    vault = Vault(keys.vault)
    town_module.write(
        town,
        engine,
        vault,
        RegisterStore(vault),
        SettingsStore(),
        issuer_key_sha256=issuer_key_sha256(pki.authentication_ca),
        received_at_utc=now_utc,
    )
    _enrol_terminals(folder / "terminals", engine, now_utc)
    engine.dispose()  # the last connection folds the write-ahead log into the file, which is then copied whole


def _enrol_terminals(folder: Path, engine: Engine, now_utc: datetime) -> None:
    folder.mkdir(mode=0o700)
    with database.write(engine) as connection:
        for terminal_id in TERMINAL_IDS:
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            with os.fdopen(os.open(folder / f"{terminal_id}.pem", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as stream:
                stream.write(pem)
            terminals.enrol(
                connection,
                terminal_id=terminal_id,
                operator=OPERATOR,
                public_key=key.public_key(),
                now_utc=now_utc,
            )


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(path.relative_to(REPOSITORY).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _sources() -> Iterator[Path]:
    for pattern in _MADE_FROM:
        yield from REPOSITORY.glob(pattern)
