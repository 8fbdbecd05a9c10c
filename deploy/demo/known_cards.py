"""Make an outside card known to a running demo town: its authority, and whose it is. A production build has neither."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from sqlalchemy.exc import IntegrityError

from deploy.demo.pki import issuer_key_sha256
from deploy.demo.world import Directory
from issuance_server import database
from issuance_server.keys import Keys
from issuance_server.register.store import Link, RegisterStore
from issuance_server.vault import Vault


class CannotAdd(ValueError):
    """The card cannot be made known; the message says why and what to do."""


def add_anchor(certificate: Path, run: Path) -> Path:
    """Trust a card authority in the running town, from its next request on."""
    authority = _read(certificate)
    try:
        is_authority = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    if not is_authority:
        raise CannotAdd(f"{certificate}: not a certificate authority's certificate (basic constraints say no CA)")
    anchors = Path(_facts(run)["trust_anchors"])
    target = anchors / f"added-{authority.serial_number:x}.pem"
    shutil.copyfile(certificate, target)
    return target


def add_link(certificate: Path, resident_id: str, run: Path) -> str:
    """Link a card's authentication certificate to a resident of the running town; return the municipality's code.

    Who is registered for use at the municipality of their domicile is linked there too, as with the town's own cards.

    Errors: CannotAdd where no trusted authority issued it, the resident is unknown, or it is somebody else's.
    """
    facts = _facts(run)
    card = _read(certificate)
    holder = Directory.read(Path(facts["residents"])).residents.get(resident_id)
    if holder is None or holder.municipality is None:
        raise CannotAdd(f"the town has no resident {resident_id!r}; its phone book is {facts['residents']}")
    issuer = _issuer(card, Path(facts["trust_anchors"]))
    keys = Keys.load(Path(facts["residents"]).parent / "keys")
    vault = Vault(keys.vault)
    known_as = [(holder.municipality, resident_id), *((holder.registration,) if holder.registration else ())]
    links = [
        Link(code, vault.link_digest(code, issuer_key_sha256(issuer), card.serial_number), person_id)
        for code, person_id in known_as
    ]
    engine = database.open_engine(facts["database_url"])
    try:
        with database.write(engine) as connection:
            for link in links:
                RegisterStore(vault).add_link(connection, link)
    except IntegrityError:
        raise CannotAdd("this certificate is linked to another resident already") from None
    finally:
        engine.dispose()
    return holder.municipality


def _issuer(card: x509.Certificate, anchors: Path) -> x509.Certificate:
    """Find the issuer by its signature; names may coincide."""
    for path in sorted(anchors.glob("*.pem")):
        for authority in x509.load_pem_x509_certificates(path.read_bytes()):
            try:
                card.verify_directly_issued_by(authority)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return authority
    raise CannotAdd("no trusted authority issued this certificate: first `madoguchi trust add CA.pem`")


def _read(path: Path) -> x509.Certificate:
    try:
        body = path.read_bytes()
        return x509.load_pem_x509_certificate(body) if b"-----BEGIN" in body else x509.load_der_x509_certificate(body)
    except OSError as error:
        raise CannotAdd(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise CannotAdd(f"{path}: not an X.509 certificate in PEM or DER") from None


def _facts(run: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = msgspec.json.decode((run / "facts.json").read_bytes())
    except OSError:
        raise CannotAdd(f"{run} is no town that was brought up: `make town` or `make demo` brings one up") from None
    return facts
