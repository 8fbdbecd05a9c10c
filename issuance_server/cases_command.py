"""`madoguchi cases`: what is in doubt, what is known of it, and the two findings that end it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from issuance_server import case_files, findings
from issuance_server.config import ConfigError, load
from issuance_server.database import SchemaMismatch, open_engine, read, require_schema, write
from issuance_server.findings import Decision, Finding, FindingRefused, Side
from issuance_server.rules import JST, utc_now

#: What keeps the cases from being read, or a finding from being written; each message says what is wrong.
CANNOT_TELL = (ConfigError, SchemaMismatch, FindingRefused)


class CaseDesk:
    """The cases of one server's database. Errors of the constructor: ConfigError, SchemaMismatch."""

    def __init__(self, config_file: Path) -> None:
        self._engine = open_engine(load(config_file.absolute()).database_url)
        require_schema(self._engine)

    def listed(self, *, ended_too: bool = False, municipality_code: str | None = None) -> Iterator[str]:
        """Yield a line a case, the oldest first, and how many there are."""
        with read(self._engine) as connection:
            rows = case_files.listed(connection, ended_too=ended_too, municipality_code=municipality_code)
            said = {
                (row.municipality_code, row.case_id): findings.of_case(connection, row.municipality_code, row.case_id)
                for row in rows
            }
        for row in rows:
            since = row.opened_at_utc.astimezone(JST).strftime("%Y-%m-%d %H:%M")
            sides = ", ".join(one.side for one in said[row.municipality_code, row.case_id]) or "nobody yet"
            state = "open" if row.closed_at_utc is None else "closed"
            which = f"{row.municipality_code}  {row.case_id}  terminal {row.terminal_id}"
            yield f"{since}  {which}  {state}; found: {sides}"
        yield f"{len(rows)} cases" if len(rows) != 1 else "1 case"

    def shown(self, municipality_code: str, case_id: str, *, as_json: bool = False) -> Iterator[str]:
        """Yield what is known of a case. Errors: FindingRefused if there is none."""
        with read(self._engine) as connection:
            case = case_files.gather(connection, municipality_code, case_id)
        if case is None:
            raise FindingRefused(f"case: none is known under {case_id} at {municipality_code}")
        if as_json:
            yield msgspec.json.encode(case).decode()
        else:
            yield from case_files.lines(case)

    def found(self, municipality_code: str, case_id: str, finding: Finding) -> str:
        """Write a finding down and say what follows. Errors: FindingRefused."""
        with write(self._engine) as connection:
            closed = findings.add(connection, municipality_code, case_id, finding, utc_now())
        if closed:
            return f"{case_id}: closed"
        others = sorted(findings.sides_of(municipality_code) - {finding.side})
        return f"{case_id}: written down; {others[0]} has to say what it found, too"

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


SIDES = tuple(side.value for side in Side)
DECISIONS = tuple(decision.value for decision in Decision)
