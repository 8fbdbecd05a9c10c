"""Status lists: whoever checks a paper asks for a list that covers hundreds, and looks the paper up alone.

A list is a COSE_Sign1 (ES256) over a CWT, signed with the operator's status key. It covers one bucket: all sealed
papers whose statement's SHA-256 begins with the same few bits (protocol/trust.py says how many). A paper stands in it
by the first 16 bytes of that digest. No number and no name is in it, and whoever has no paper learns nothing: the
digest covers random bits that only the paper carries. All lists together tell how many papers there are in each
status, for the whole service, and no more. A paper that stands in no list was not issued; the empty list is signed too.

How old it may be: made anew every MADE_EVERY, so that a void shows within that time; never believed beyond LIFE, even
if something between keeps an old one.
Source: RFC 9052, RFC 8392; `ttl` as in the IETF's Token Status List; the layout of the private claim is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import cbor2
import cwt
import msgspec

from issuance_server.verify.check import Status
from printing.paper.seal import SealSigner
from protocol.trust import StatusKeyTrust

MADE_EVERY: Final = timedelta(minutes=1)
LIFE: Final = timedelta(minutes=5)
CLOCKS_MAY_DIFFER: Final = timedelta(minutes=5)  # a receiver's clock that is slow does not make a list false
ENTRY_BYTES: Final = 16
MAX_LIST_BYTES: Final = 4 * 1024 * 1024

_ALG, _KID, _ES256 = 1, 4, -7
_EXP, _IAT, _TTL = 4, 6, 65534
_LIST = -70002  # our private claim: [bits, bucket, {status: digests one after another}]
_LISTED: Final = (Status.PROVISIONAL, Status.ACTIVE, Status.VOID, Status.REISSUED)


class ListRefused(Exception):
    """This list says nothing: not signed by a published key, of another bucket, or out of its time."""


class StatusList(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket's papers, as of a moment."""

    bits: int
    bucket: int
    issued_at_utc: datetime
    expires_at_utc: datetime
    digests: dict[str, bytes]

    def status(self, statement_sha256: bytes) -> Status:
        """Return a paper's status; whatever this list does not name was not issued.

        Errors: ListRefused for a status that a later version gave: of this paper nothing is known then.
        """
        entry = statement_sha256[:ENTRY_BYTES]
        for status, digests in self.digests.items():
            if entry in {digests[at : at + ENTRY_BYTES] for at in range(0, len(digests), ENTRY_BYTES)}:
                if status not in _LISTED:
                    raise ListRefused("it gives the paper a status that this version does not know")
                return Status(status)
        return Status.NOT_ISSUED


def bucket_of(statement_sha256: bytes, bits: int) -> int:
    """Return the number of the bucket that covers a paper."""
    return int.from_bytes(statement_sha256[:4], "big") >> (32 - bits)


def path_of(bits: int, bucket: int) -> str:
    """Return where a bucket's list is served."""
    return f"/status/{bits}/{bucket:0{(bits + 3) // 4}x}"


def bounds(bits: int, bucket: int) -> tuple[bytes, bytes]:
    """Return the first and the last digest that a bucket covers."""
    low = bucket << (256 - bits)
    return low.to_bytes(32, "big"), (low | ((1 << (256 - bits)) - 1)).to_bytes(32, "big")


def make(
    bits: int, bucket: int, papers: Iterable[tuple[bytes, Status]], signer: SealSigner, now_utc: datetime
) -> bytes:
    """Return the signed list of a bucket. Shape: papers are whole digests and statuses, in any order."""
    entries: dict[Status, list[bytes]] = {status: [] for status in _LISTED}
    for statement_sha256, status in sorted(papers):
        entries[status].append(statement_sha256[:ENTRY_BYTES])
    digests = {status.value: b"".join(listed) for status, listed in entries.items()}
    issued_at_s = int(now_utc.timestamp())
    claims = {
        _IAT: issued_at_s,
        _EXP: issued_at_s + int(LIFE.total_seconds()),
        _TTL: int(MADE_EVERY.total_seconds()),
        _LIST: [bits, bucket, digests],
    }
    protected = {_ALG: _ES256, _KID: signer.key_id.encode("ascii")}
    signed: bytes = cwt.COSE.new().encode_and_sign(cbor2.dumps(claims), signer.key, protected=protected)
    return signed


def read(signed: bytes, keys: Iterable[StatusKeyTrust], *, bits: int, bucket: int, now_utc: datetime) -> StatusList:
    """Return the list of the bucket that was asked for. Errors: ListRefused, which says why."""
    # 1. Signed by a published status key.
    claims = _claims(signed, {key.key_id: key.public_key_pem for key in keys})
    # 2. A list at all.
    try:
        found_bits, found_bucket, digests = claims[_LIST]
        found = StatusList(
            bits=found_bits,
            bucket=found_bucket,
            issued_at_utc=datetime.fromtimestamp(claims[_IAT], UTC),
            expires_at_utc=datetime.fromtimestamp(claims[_EXP], UTC),
            digests={str(name): bytes(entries) for name, entries in digests.items()},
        )
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
        raise ListRefused("it is no status list") from None
    # 3. Of this bucket, and of now.
    if (found.bits, found.bucket) != (bits, bucket):
        raise ListRefused("it is the list of other papers")
    if now_utc > found.expires_at_utc or found.issued_at_utc > now_utc + CLOCKS_MAY_DIFFER:
        raise ListRefused("it is out of date, or this machine's clock is wrong")
    return found


def _claims(signed: bytes, pem_by_id: Mapping[str, str]) -> dict[Any, Any]:
    try:
        message = cbor2.loads(signed)
        header = cbor2.loads(message.value[0])
        key_id = header[_KID].decode("ascii")
        if message.tag != 18 or header[_ALG] != _ES256:
            raise ListRefused("it is no COSE_Sign1 message with ES256")
    except (cbor2.CBORDecodeError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        raise ListRefused("it is no COSE_Sign1 message") from None
    if key_id not in pem_by_id:
        raise ListRefused("its key is not among the published status keys")
    key = cwt.COSEKey.from_pem(pem_by_id[key_id], alg="ES256", kid=key_id)
    try:
        claims = cbor2.loads(cwt.COSE.new().decode(signed, key))
    except (cwt.VerifyError, cwt.DecodeError, cbor2.CBORDecodeError, ValueError):
        raise ListRefused("its signature does not hold") from None
    if not isinstance(claims, dict):
        raise ListRefused("it is no status list")
    return claims
