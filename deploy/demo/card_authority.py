"""The town's card authority as it answers online: OCSP over HTTP, and the hotline that suspends a lost card.

It signs with a responder's key that the authority has named for this, as real ones do. Told so, it hangs or answers
500, for as long as that is so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from flask import Flask, Response, abort, jsonify, request

from deploy.demo.pki import Responder, Standing

PATH_OCSP: Final = "/ocsp"
PATH_HOTLINE: Final = "/hotline"
_ANSWER_TYPE: Final = "application/ocsp-response"


class Trouble(StrEnum):
    """What may be wrong with the responder."""

    NONE = "none"
    SILENT = "silent"
    BROKEN = "broken"


_REASONS: Final = {
    Standing.SUSPENDED: x509.ReasonFlags.certificate_hold,
    Standing.REVOKED: x509.ReasonFlags.affiliation_changed,
}


class CardAuthority:
    """Answers for every certificate that it is asked about: good, unless the hotline knows otherwise."""

    def __init__(self, responder: Responder, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.responder = responder
        self._clock = clock
        self._lock = threading.Lock()
        self._standing: dict[int, tuple[Standing, datetime]] = {}
        self.trouble = Trouble.NONE
        self.over = threading.Event()  # whoever hangs goes on

    def set(self, serial: int, standing: Standing) -> None:
        """Somebody called the hotline, or found the card again."""
        with self._lock:
            self._standing[serial] = (standing, self._clock())

    def standing(self, serial: int) -> Standing:
        """Return how a certificate stands."""
        with self._lock:
            return self._standing.get(serial, (Standing.GOOD, self._clock()))[0]

    def answer(self, asked: bytes) -> bytes:
        """Return the signed answer to a request. Errors: ValueError where it is none."""
        question, now_utc = ocsp.load_der_ocsp_request(asked), self._clock()
        with self._lock:
            standing, since_utc = self._standing.get(question.serial_number, (Standing.GOOD, now_utc))
        good = standing is Standing.GOOD
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=question.issuer_name_hash,
            issuer_key_hash=question.issuer_key_hash,
            serial_number=question.serial_number,
            algorithm=question.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus.GOOD if good else ocsp.OCSPCertStatus.REVOKED,
            this_update=now_utc,
            next_update=None,
            revocation_time=None if good else since_utc,
            revocation_reason=_REASONS.get(standing),
        )
        for extension in question.extensions:
            if isinstance(extension.value, x509.OCSPNonce):
                builder = builder.add_extension(extension.value, critical=False)
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.responder.certificate)
        answer = builder.certificates([self.responder.certificate]).sign(self.responder.key, SHA256())
        return answer.public_bytes(Encoding.DER)


def create_authority(authority: CardAuthority) -> Flask:
    """Return the responder's application, with the hotline beside it."""
    made = Flask(__name__, static_folder=None)

    def answer() -> Response:
        if authority.trouble is Trouble.SILENT:
            authority.over.wait()
        if authority.trouble is not Trouble.NONE:
            abort(500)
        try:
            return Response(authority.answer(request.get_data()), content_type=_ANSWER_TYPE)
        except ValueError:
            abort(400)

    def hotline(serial: int) -> Response:
        if request.method == "POST":
            authority.set(serial, Standing(request.form["standing"]))
        return jsonify(standing=authority.standing(serial))

    made.add_url_rule(PATH_OCSP, "answer", answer, methods=["POST"])
    made.add_url_rule(f"{PATH_HOTLINE}/<int:serial>", "hotline", hotline, methods=["GET", "POST"])
    return made
