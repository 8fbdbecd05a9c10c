"""Revocation lists as an operator fetched them: the second source, for municipalities that take it.

A list counts only where the card's own issuer signed it, where it covers the card's certificate, and until its own
end. JPKI's certificates name their list by a directory name and no address, so that fetching is the operator's affair.
Source: RFC 5280, 5 and 6.3; delta and indirect lists are not taken.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtensionOID

from issuance_server.folders import Listing, listing
from issuance_server.ocsp import CLOCKS_DIFFER, CardState, NoWord, Word

_NO_LIST: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_UNDERSTOOD: Final = frozenset({ExtensionOID.ISSUING_DISTRIBUTION_POINT})


class Crls:
    """Every *.crl of a folder, in DER, read again when the folder changes. A file that is no list is logged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: Listing | None = None
        self._lists: list[x509.CertificateRevocationList] = []
        self._signed: set[tuple[int, bytes]] = set()  # (place in the lists, the issuer's fingerprint)

    def word(self, certificate: x509.Certificate, issuer: x509.Certificate, now_utc: datetime) -> Word:
        """Return what the newest list that may say it says of a certificate. Errors: NoWord."""
        self._read_again()
        told = [
            self._word(one, certificate)
            for number, one in enumerate(self._lists)
            if _is_current(one, now_utc) and _covers(one, certificate) and self._is_signed_by(number, issuer)
        ]
        if not told:
            raise NoWord("no list covers the certificate now")
        return max(told, key=lambda word: word.as_of_utc)

    def _word(self, one: x509.CertificateRevocationList, certificate: x509.Certificate) -> Word:
        try:
            entry = one.get_revoked_certificate_by_serial_number(certificate.serial_number)
            return Word(CardState.GOOD if entry is None else _state(entry), one.last_update_utc)
        except _NO_LIST:
            raise NoWord("the list says something of the certificate that cannot be read") from None

    def _is_signed_by(self, number: int, issuer: x509.Certificate) -> bool:
        """Whether the issuer's key signed it, which three generations of one name can differ in; found out once."""
        key = issuer.public_key()
        one, known = self._lists[number], (number, issuer.fingerprint(SHA256()))
        if known not in self._signed:
            try:
                holds = one.issuer == issuer.subject and one.is_signature_valid(key)  # type: ignore[arg-type]
            except _NO_LIST:
                holds = False
            if not holds:
                return False
            self._signed.add(known)
        return True

    def _read_again(self) -> None:
        try:
            seen = listing(self._folder, ".crl")
        except OSError as error:
            raise NoWord(f"the lists cannot be read: {error.strerror}") from None
        if seen != self._seen:
            self._lists = [one for name, _, _ in seen if (one := self._load(self._folder / name)) is not None]
            self._signed.clear()
            self._seen = seen

    def _load(self, path: Path) -> x509.CertificateRevocationList | None:
        try:
            one = x509.load_der_x509_crl(path.read_bytes())
            unknown = [e.oid for e in one.extensions if e.critical and e.oid not in _UNDERSTOOD]
        except (OSError, *_NO_LIST):
            structlog.get_logger().error("list_unreadable", file=path.name)
            return None
        if unknown:
            structlog.get_logger().error("list_refused", file=path.name, extension=unknown[0].dotted_string)
            return None
        return one


def _is_current(one: x509.CertificateRevocationList, now_utc: datetime) -> bool:
    ends_utc = one.next_update_utc
    return one.last_update_utc <= now_utc + CLOCKS_DIFFER and ends_utc is not None and now_utc <= ends_utc


def _covers(one: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    """Whether a list that was split says anything of this certificate: for the same point, and for every reason."""
    try:
        point = one.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return True
    partial = (
        point.only_contains_ca_certs
        or point.only_contains_attribute_certs
        or point.indirect_crl
        or point.only_some_reasons is not None
        or point.relative_name is not None
    )
    if partial:
        return False
    return point.full_name is None or bool(set(point.full_name) & _points_of(certificate))


def _points_of(certificate: x509.Certificate) -> set[x509.GeneralName]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return set()
    return {name for point in points for name in point.full_name or ()}


def _state(entry: x509.RevokedCertificate) -> CardState:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return CardState.REVOKED
    return CardState.SUSPENDED if reason is x509.ReasonFlags.certificate_hold else CardState.REVOKED
