"""The printed seal: a signed statement in a QR code that a terminal and a receiver can check without us.

COSE_Sign1 (ES256) over a CWT, deflated, Base45 behind the prefix SEAL_PREFIX. It signs what the paper says, not the PDF
that holds it. Only the fields of an allow-list are in it in the clear, since whoever photographs a paper can read the
code; the rest is in a digest. The digest is salted by random bits that stand in the seal, and covers the printed check
code, which does not: from the code alone nobody can try out values.
Source: RFC 9052, RFC 8392, RFC 9285; the layout of the private claim is ours.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

import base45
import cbor2
import cwt
import msgspec
import pypdfium2 as pdfium
import zxingcpp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cwt.cose_key_interface import COSEKeyInterface

from printing.paper.records import (
    Certificate,
    CertificateKind,
    IncomeCertificate,
    Issuance,
    ResidenceCertificate,
    ResidenceItemCertificate,
    SealRegistrationCertificate,
    SupplementaryRegisterCopy,
    TaxationCertificate,
    TaxPaymentCertificate,
    kind_of,
    printed_names,
)

SEAL_PREFIX = "MDG1:"
MAX_SEAL_CHARS = 2000  # a QR code of level M holds no more than 3,391 alphanumeric characters
MAX_PAYLOAD_BYTES = 8192  # what a seal may inflate to
RASTER_DPI = 200
_MAX_PAGE_SIDE_PT = 1_500  # A4 is 842 long

_ALG, _KID, _ES256 = 1, 4, -7  # COSE header parameters and algorithm, RFC 9052 and RFC 9053
_ISS, _IAT, _CTI = 1, 6, 7  # CWT claims, RFC 8392
_PAPER = -70001  # our private claim: [kind, issue number, binding, salt, digest, proven fields]
_JST = timedelta(hours=9)
# Signature, keys, digest, binding, salt, ids and headers at their longest, and what deflate may add to that.
_MAX_FRAME_BYTES = 330
_DIGEST_DOMAIN = b"madoguchi-content-v1\0"


class SealError(Exception):
    """Base: this is no seal that proves anything."""


class SealUnreadable(SealError):
    """No code, more than one, or one that is not built like a seal."""


class SealUnknownKey(SealError):
    """Signed under a key id that is not among the known keys."""


class SealForged(SealError):
    """The signature is not the known key's over this content."""


FieldName = Literal["names", "address", "fiscal_year"]
_SHOWN = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\Z"


class SealContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one seal states. fields: only what `proven_fields` allows; a receiver compares these with the paper.

    Characters that would command a receiver's display, or turn the order in which a line is read, are in none of it:
    who steals a key must not be able to write an answer of his own onto it.
    """

    municipality_code: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}\Z")]
    kind: CertificateKind
    issue_number: Annotated[str, msgspec.Meta(max_length=40, pattern=r"^[0-9A-Za-z-]+\Z")]
    issued_on_jst: date
    status_id: Annotated[bytes, msgspec.Meta(min_length=10, max_length=16)]  # >= 80 random bits
    binding: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    salt: Annotated[bytes, msgspec.Meta(min_length=16, max_length=32)]  # >= 128 random bits
    digest: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    fields: dict[FieldName, Annotated[str, msgspec.Meta(pattern=_SHOWN)]]


@dataclass(frozen=True, slots=True)
class SealSigner:
    """A municipality's signing key and the id under which receivers know it."""

    key_id: str
    key: COSEKeyInterface = field(repr=False)

    @classmethod
    def from_pem(cls, key_id: str, private_key_pem: bytes) -> SealSigner:
        """Load a P-256 private key (PKCS#8 PEM).

        Errors: ValueError for any other key.
        """
        return cls(key_id, cwt.COSEKey.from_pem(private_key_pem, alg="ES256", kid=key_id))


def key_id_of(public_key_pem: bytes) -> str:
    """Return the id of a public key: the first 8 bytes of SHA-256 over its point, in hex."""
    key = load_pem_public_key(public_key_pem)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("a seal's key is an elliptic-curve key")
    numbers = key.public_numbers()
    point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    return hashlib.sha256(point).hexdigest()[:16]


def proven_fields(record: Certificate) -> dict[FieldName, str]:
    """Return what a seal shows in the clear, by an allow-list a kind: names, and what the paper is about.

    Names are joined by line feeds, in the paper's order. Never in it: Individual Number, domicile, card number,
    relationships, dates of a person's life, the registered seal, tax detail (not even whether tax was levied).
    """
    names: dict[FieldName, str] = {"names": "\n".join(printed_names(record))}
    match record:
        case ResidenceCertificate() | SealRegistrationCertificate():
            return names | {"address": record.address}
        case ResidenceItemCertificate():
            return names if record.address is None else names | {"address": record.address}
        case SupplementaryRegisterCopy():
            return names | _common_address(record)
        case IncomeCertificate() | TaxationCertificate() | TaxPaymentCertificate():
            return names | {"fiscal_year": str(record.fiscal_year)}
        case _:
            return names


def _common_address(record: SupplementaryRegisterCopy) -> dict[FieldName, str]:
    """The present address, where it is the same for all on the paper: a code holds no household's worth of others."""
    present = {person.addresses[-1].address if person.addresses else None for person in record.people}
    address = present.pop() if len(present) == 1 else None
    return {} if address is None else {"address": address}


def content_digest(record: Certificate, issuance: Issuance, salt: bytes) -> bytes:
    """Return SHA-256 over the salt and everything the paper says, its check code included.

    Shape:  salt of at least 16 random bytes; the encoding is msgspec's JSON with sorted keys and sets.
    """
    if len(salt) < 16:
        raise ValueError("salt: at least 128 random bits")
    body = msgspec.json.encode((record, issuance), order="deterministic")
    return hashlib.sha256(_DIGEST_DOMAIN + len(salt).to_bytes(1, "big") + salt + body).digest()


def content_of(
    record: Certificate, issuance: Issuance, *, status_id: bytes, binding: bytes, salt: bytes
) -> SealContent:
    """Return the seal's content for one paper.

    Errors: msgspec.ValidationError where a random value is too short or a binding not 32 bytes.
    """
    content = SealContent(
        municipality_code=issuance.certifier.municipality_code,
        kind=kind_of(record),
        issue_number=issuance.issue_number,
        issued_on_jst=issuance.issued_on_jst,
        status_id=status_id,
        binding=binding,
        salt=salt,
        digest=content_digest(record, issuance, salt),
        fields=proven_fields(record),
    )
    return msgspec.convert(msgspec.to_builtins(content), SealContent)


def sign(content: SealContent, signer: SealSigner) -> str:
    """Return the seal's text. ES256 signatures are random: two seals of one content differ."""
    midnight = datetime(content.issued_on_jst.year, content.issued_on_jst.month, content.issued_on_jst.day, tzinfo=UTC)
    claims = {
        _ISS: content.municipality_code,
        _IAT: int((midnight - _JST).timestamp()),
        _CTI: content.status_id,
        _PAPER: [
            content.kind.value,
            content.issue_number,
            content.binding,
            content.salt,
            content.digest,
            content.fields,
        ],
    }
    protected = {_ALG: _ES256, _KID: signer.key_id.encode("ascii")}
    signed: bytes = cwt.COSE.new().encode_and_sign(cbor2.dumps(claims), signer.key, protected=protected)
    text: bytes = base45.b45encode(zlib.compress(signed, 9))
    return SEAL_PREFIX + text.decode("ascii")


def max_seal_chars(record: Certificate) -> int:
    """Return how long a record's seal can be at most, so that a paper can be refused before its seal exists."""
    fields_bytes = sum(len(name) + len(value.encode()) + 4 for name, value in proven_fields(record).items())
    return len(SEAL_PREFIX) + (_MAX_FRAME_BYTES + fields_bytes) * 3 // 2 + 3


def verify(text: str, keys: Mapping[str, bytes]) -> SealContent:
    """Return what a seal states, once its signature holds.

    Shape:  keys maps key ids to P-256 public keys in PEM.
    Errors: SealUnreadable, SealUnknownKey, SealForged; ValueError if the known key itself is none for ES256.
    """
    # 1. Text to COSE_Sign1, with a bound on what it may inflate to.
    signed = _unpack(text)
    # 2. The key it names, before anything it says is looked at.
    key_id = _key_id(signed)
    public_key_pem = keys.get(key_id)
    if public_key_pem is None:
        raise SealUnknownKey("the seal names a key that is not known here")
    # 3. The signature.
    key = cwt.COSEKey.from_pem(public_key_pem, alg="ES256", kid=key_id)
    try:
        payload = cwt.COSE.new().decode(signed, key)
    except (cwt.VerifyError, cwt.DecodeError, ValueError) as error:
        raise SealForged("the signature does not hold") from error
    # 4. What it states, strictly.
    return _content(payload)


def key_id_in(text: str) -> str:
    """Return the id of the key that a seal says it is signed with. Errors: SealUnreadable."""
    return _key_id(_unpack(text))


def statement_digest(text: str) -> bytes:
    """Return SHA-256 over all that a seal signs: what its status is asked by, beside the status id.

    The content's own digest would not do: whoever holds a stolen key could take it over from a real paper and put
    other names beside it.
    Errors: SealUnreadable.
    """
    signed = _unpack(text)
    _key_id(signed)
    payload = cbor2.loads(signed).value[2:3]
    if not payload or not isinstance(payload[0], bytes):
        raise SealUnreadable("not a COSE_Sign1 message")
    return hashlib.sha256(payload[0]).digest()


def read_printed(pdf: bytes, dpi: int = RASTER_DPI) -> str:
    """Return the text of the one QR code on a PDF's first page, read from its picture as a receiver would.

    pdfium is not thread-safe: one call at a time in a process.
    Errors: SealUnreadable if the PDF cannot be drawn, or carries no code or more than one.
    """
    try:
        document = pdfium.PdfDocument(pdf)
    except pdfium.PdfiumError as error:
        raise SealUnreadable("not a PDF that can be drawn") from error
    try:
        page = document[0]
        if max(page.get_size()) > _MAX_PAGE_SIDE_PT:
            raise SealUnreadable("the first page is far larger than A4")
        # The code is drawn as paths; smoothing the latent pattern under it takes four times as long as all else.
        image = page.render(scale=dpi / 72, grayscale=True, no_smoothimage=True).to_pil()
    except pdfium.PdfiumError as error:
        raise SealUnreadable("the first page cannot be drawn") from error
    finally:
        document.close()
    found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    if len(found) != 1:
        raise SealUnreadable(f"{len(found)} codes on the first page, not one")
    try:
        return bytes(found[0].bytes).decode("ascii")
    except UnicodeDecodeError as error:
        raise SealUnreadable("the code is not a seal's") from error


def _unpack(text: str) -> bytes:
    if not text.startswith(SEAL_PREFIX) or len(text) > MAX_SEAL_CHARS:
        raise SealUnreadable("not a seal's text")
    try:
        packed = base45.b45decode(text.removeprefix(SEAL_PREFIX).encode("ascii"))  # of a str it would drop line feeds
        inflate = zlib.decompressobj()
        signed: bytes = inflate.decompress(packed, MAX_PAYLOAD_BYTES)
    except (ValueError, zlib.error) as error:
        raise SealUnreadable("not a seal's encoding") from error
    if not inflate.eof or inflate.unused_data:
        raise SealUnreadable("cut short, too long, or followed by something")
    return signed


def _key_id(signed: bytes) -> str:
    """Return the key id of a COSE_Sign1 whose protected header says ES256 and names it.

    Nothing is proven yet: this may be anybody's, and CBOR has tags for numbers and moments beyond all bounds.
    """
    try:
        message = _item(signed)
        protected, unprotected, payload, signature = message.value
        header: Any = _item(protected)
        tag, algorithm, key_id = message.tag, header[_ALG], header[_KID].decode("ascii")
    except (cbor2.CBORDecodeError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SealUnreadable("not a COSE_Sign1 message") from error
    # The COSE library takes these as they come.
    shaped = isinstance(unprotected, dict) and isinstance(payload, bytes) and isinstance(signature, bytes)
    if tag != 18 or algorithm != _ES256 or not shaped:
        raise SealUnreadable("not a COSE_Sign1 message with ES256")
    return str(key_id)


def _item(data: bytes) -> Any:
    """Return the one CBOR item that data is; the library alone would pass over what follows it."""
    stream = io.BytesIO(data)
    item = cbor2.load(stream)
    if stream.read(1):
        raise ValueError("something follows the item")
    return item


def _content(payload: bytes) -> SealContent:
    try:
        claims = _item(payload)
        kind, issue_number, binding, salt, digest, fields = claims[_PAPER]
        issued_on_jst = (datetime.fromtimestamp(claims[_IAT], UTC) + _JST).date()
        plain = {
            "municipality_code": claims[_ISS],
            "kind": kind,
            "issue_number": issue_number,
            "issued_on_jst": issued_on_jst,
            "status_id": claims[_CTI],
            "binding": binding,
            "salt": salt,
            "digest": digest,
            "fields": fields,
        }
        return msgspec.convert(plain, SealContent)
    except (cbor2.CBORDecodeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise SealUnreadable("the seal's content is not what a seal states") from error
