"""Where the municipalities' decisions are kept: one row a municipality and `valid_from`, read by date."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import msgspec
from sqlalchemy import Connection, bindparam, insert, select

from issuance_server import audit_log
from issuance_server.audit_log import Written
from issuance_server.rules import Clock, utc_now
from issuance_server.schema import settings
from issuance_server.settings import MunicipalitySettings

_PUT = insert(settings)
_IN_FORCE = (
    select(settings.c.body)
    .where(settings.c.municipality_code == bindparam("code"), settings.c.valid_from <= bindparam("on_jst"))
    .order_by(settings.c.valid_from.desc())
    .limit(1)
)
_CODES = select(settings.c.municipality_code).distinct().order_by(settings.c.municipality_code)


class SettingsStore:
    """The `settings` table. A row is never changed; a new decision is a row with a later valid_from."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    def put(self, connection: Connection, decided: MunicipalitySettings) -> None:
        """Add one decision.

        Errors: IntegrityError if that municipality has a row with this valid_from.
        """
        code = decided.municipality_code
        key = {"municipality_code": code, "valid_from": decided.valid_from}
        values = {"body": msgspec.json.encode(decided)}
        connection.execute(_PUT, {**key, **values})
        audit_log.record(connection, "settings", code, self._clock(), Written("settings", key, values))

    def in_force(self, connection: Connection, municipality_code: str, on_jst: date) -> MunicipalitySettings | None:
        """Return what is in force on a JST date, or None where no row covers it."""
        body = connection.execute(_IN_FORCE, {"code": municipality_code, "on_jst": on_jst}).scalar()
        return None if body is None else _decode(body)

    def codes(self, connection: Connection) -> tuple[str, ...]:
        """Return the codes of all municipalities that ever decided anything."""
        return tuple(connection.execute(_CODES).scalars())


@lru_cache(maxsize=4_096)
def _decode(body: bytes) -> MunicipalitySettings:
    return msgspec.json.decode(body, type=MunicipalitySettings)
