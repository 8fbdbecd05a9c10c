"""A card authority that answers over HTTP, for servers in processes of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from werkzeug.serving import make_server

from deploy.demo.card_authority import PATH_OCSP, CardAuthority, create_authority
from deploy.demo.pki import Responder
from tests.server_parts import Authority, Extensions, PrivateKey, certificate

RESPONDER_EXTENSIONS: Extensions = (
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
    (x509.OCSPNoCheck(), False),
)


def responder(
    authority: Authority, key: PrivateKey | None = None, extensions: Extensions = RESPONDER_EXTENSIONS, **dates: Any
) -> Responder:
    """Have an authority name a key for OCSP's answers."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OCSP responder")])
    issuer = authority.certificate.subject
    made = certificate(subject, issuer, key, authority.key, extensions=extensions, serial=3, **dates)
    return Responder(key, made)  # type: ignore[arg-type] - the library signs with either kind


@contextmanager
def answering(folder: Path) -> Iterator[tuple[CardAuthority, dict[str, object]]]:
    """A responder of the tests' authority on a port; with it, what a server's configuration says of it."""
    authority = CardAuthority(responder(Authority(), not_after_utc=datetime.now(UTC) + timedelta(days=1)))
    folder.mkdir()
    (folder / "responder.pem").write_bytes(authority.responder.certificate.public_bytes(Encoding.PEM))
    server = make_server("127.0.0.1", 0, create_authority(authority), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield (
            authority,
            {
                "ocsp_address": f"http://127.0.0.1:{server.server_port}{PATH_OCSP}",
                "max_age_s": 60,
                "responders_folder": str(folder),
            },
        )
    finally:
        authority.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
