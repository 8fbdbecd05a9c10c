"""Write the trust file: what terminals pin, and what receivers check with."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from issuance_server.key_files import KeysError
from issuance_server.keys import Keys
from issuance_server.verify.status_key import STATUS_KEY_FILE, load_status_key
from protocol.trust import Trust
from protocol.trust_file import TrustFile, TrustUnreadable


def publish(folder: Path, to: Path) -> Trust:
    """Write what a folder's keys publish, in the place of what stood there, at once.

    What the file says of status lists stays as it is, since their key need not be in this folder; if it is, it is
    published too.
    Errors: KeysError, also where what stands there is no trust file: it is somebody else's then.
    """
    trust = Keys.load(folder).trust()
    target = to.resolve()
    try:
        before = TrustFile(target)() if target.exists() else trust
    except TrustUnreadable as error:
        raise KeysError(str(error)) from None
    status_keys = before.status_keys
    if (folder / STATUS_KEY_FILE).exists():
        own = load_status_key(folder / STATUS_KEY_FILE).published
        status_keys = tuple(dict.fromkeys((*status_keys, own)))
    trust = msgspec.structs.replace(trust, status_keys=status_keys, status_bits=before.status_bits)
    fresh = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(trust)))
        fresh.chmod(0o644)
        fresh.replace(target)
    except OSError as error:
        raise KeysError(f"{to} cannot be written: {error.strerror}") from None
    return trust
