"""Write the trust file: what terminals pin, and what receivers check with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from issuance_server.key_files import KeysError, locked, replace_file
from issuance_server.keys import Keys
from issuance_server.verify.status_key import STATUS_KEY_FILE, load_status_key
from protocol.trust import Trust
from protocol.trust_file import TrustFile, TrustUnreadable


def publish(folder: Path, to: Path) -> Trust:
    """Write what a folder's keys publish, in the place of what stood there, at once.

    What the file says of status lists stays as it is, since their key need not be in this folder; if it is, it is
    published too.
    Errors: KeysError, also where what stands there is no trust file, or publishes what this folder does not have: it is
    somebody else's then, or this folder is older than it. No key that sealed papers ever leaves the file.
    """
    with locked(folder):
        trust = Keys.load(folder).trust()
        target = to.resolve()
        try:
            before = TrustFile(target)() if target.exists() else trust
        except TrustUnreadable as error:
            raise KeysError(str(error)) from None
        if trust.grant_public_key != before.grant_public_key:
            raise KeysError(f"{to} publishes another server's keys than those in {folder}")
        if lost := sorted({key.key_id for key in before.seal_keys} - {key.key_id for key in trust.seal_keys}):
            raise KeysError(f"{to} publishes the seal key {lost[0]}, which {folder} does not have")
        status_keys = before.status_keys
        if (folder / STATUS_KEY_FILE).exists():
            own = load_status_key(folder / STATUS_KEY_FILE).published
            status_keys = tuple(dict.fromkeys((*status_keys, own)))
        trust = msgspec.structs.replace(trust, status_keys=status_keys, status_bits=before.status_bits)
        try:
            replace_file(target, msgspec.json.format(msgspec.json.encode(trust)), mode=0o644)
        except OSError as error:
            raise KeysError(f"{to} cannot be written: {error.strerror}") from None
    return trust
