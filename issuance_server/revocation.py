"""Is the card's certificate revoked or suspended? Asked before money, and again at the grant; never assumed (S18).

The responder (ocsp.py) is asked each time. Where it has no word, a signed list (crl.py) may serve a municipality that
takes lists, up to the age that it decided; all others refuse. What was said, by whom and as of when stands on the
order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

import pybreaker
import structlog
from cryptography import x509

from issuance_server.config import ConfigError, RevocationConfig
from issuance_server.crl import Crls
from issuance_server.folders import listing
from issuance_server.ocsp import CardState, NoWord, OcspResponder, Unreachable, Word
from protocol.errors import ErrorCode, IssueError

BREAKS_AFTER: Final = 3  # failures one after another: what comes next is not kept waiting
TRIED_AGAIN_AFTER: Final = timedelta(seconds=5)

_REFUSALS: Final = {
    CardState.SUSPENDED: ErrorCode.CARD_CERTIFICATE_SUSPENDED,
    CardState.REVOKED: ErrorCode.CARD_CERTIFICATE_REVOKED,
    CardState.UNKNOWN: ErrorCode.CARD_STATUS_UNKNOWN,
}


class Source(StrEnum):
    """Who said that a certificate is good."""

    OCSP = "ocsp"
    CRL = "crl"


@dataclass(frozen=True, slots=True)
class CardStatus:
    """A certificate that is good, by whose word and as of when. There is none of any other certificate."""

    source: Source
    as_of_utc: datetime


class Revocation(Protocol):
    """Whoever says how a card's certificate stands."""

    def check(self, certificate: x509.Certificate, issuer: x509.Certificate) -> CardStatus:
        """Return the status of a good certificate of this issuer.

        Errors: IssueError CARD_CERTIFICATE_REVOKED, CARD_CERTIFICATE_SUSPENDED, CARD_STATUS_UNKNOWN.
        """
        ...


class Authority:
    """The card authority's own word: its responder, and its lists where it does not answer."""

    def __init__(
        self,
        responder: OcspResponder,
        crls: Crls | None,
        *,
        clock: Callable[[], datetime],
        tried_again_after: timedelta = TRIED_AGAIN_AFTER,
    ) -> None:
        self._responder = responder
        self._crls = crls
        self._clock = clock
        # A responder that answers, with whatever nonsense, keeps nobody waiting.
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=BREAKS_AFTER,
            reset_timeout=tried_again_after.total_seconds(),
            exclude=[lambda error: not isinstance(error, Unreachable)],
            throw_new_error_on_trip=False,
        )

    def check(self, certificate: x509.Certificate, issuer: x509.Certificate) -> CardStatus:
        """Return the status of a good certificate. Errors: see `Revocation`."""
        source, word = self._word(certificate, issuer)
        if word.state is not CardState.GOOD:
            raise IssueError(_REFUSALS[word.state], f"`certificate` is {word.state.value}")
        return CardStatus(source, word.as_of_utc)

    def _word(self, certificate: x509.Certificate, issuer: x509.Certificate) -> tuple[Source, Word]:
        try:
            return Source.OCSP, self._breaker.call(self._responder.ask, certificate, issuer, self._clock)
        except pybreaker.CircuitBreakerError:
            why = "the responder did not answer just now, and is not asked for a while"
        except NoWord as none:
            why = str(none)
        structlog.get_logger().warning("no_word_by_ocsp", why=why)
        if self._crls is not None:
            try:
                return Source.CRL, self._crls.word(certificate, issuer, self._clock())
            except NoWord as none:
                structlog.get_logger().warning("no_word_by_crl", why=str(none))
        raise IssueError(ErrorCode.CARD_STATUS_UNKNOWN, why)


def read_responders(config: RevocationConfig) -> tuple[x509.Certificate, ...]:
    """Return the responders whose word counts by configuration. Errors: ConfigError, so that no server starts."""
    folder = config.responders_folder
    if folder is None:
        return ()
    try:
        paths = [folder / name for name, _, _ in listing(folder, ".pem")]
        found = tuple(one for path in paths for one in x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError, x509.InvalidVersion):
        raise ConfigError(f"revocation.responders_folder: {folder} holds what is no certificate in PEM") from None
    if not found:
        raise ConfigError(f"revocation.responders_folder: {folder} holds no certificate (*.pem)")
    return found


def open_authority(
    config: RevocationConfig, responders: tuple[x509.Certificate, ...], clock: Callable[[], datetime]
) -> Authority:
    """Return a process's way to the card authority; its connections must not survive a fork."""
    responder = OcspResponder(
        config.ocsp_address,
        max_age=timedelta(seconds=config.max_age_s),
        timeout_s=config.timeout_s,
        cert_id_hash=config.cert_id_hash,
        trusted=responders,
    )
    return Authority(responder, None if config.crls_folder is None else Crls(config.crls_folder), clock=clock)


def require_accepted(status: CardStatus, crl_max_age_h: int, now_utc: datetime) -> None:
    """See that a municipality takes this word: the responder's always, a list's up to the age that it decided.

    Units:  hours; 0 takes no list.
    Errors: IssueError CARD_STATUS_UNKNOWN.
    """
    if status.source is Source.OCSP:
        return
    if not crl_max_age_h or now_utc - status.as_of_utc > timedelta(hours=crl_max_age_h):
        raise IssueError(ErrorCode.CARD_STATUS_UNKNOWN, "the responder does not answer, and no list is taken here")
