"""`madoguchi audit papers`: one line a finding, one JSON line at the end, also where it was interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec

from issuance_server.audit import PaperAudit
from issuance_server.config import ConfigError, load
from issuance_server.database import SchemaMismatch, open_engine, require_schema
from issuance_server.key_files import KeysError
from issuance_server.keys import Keys
from issuance_server.vault import Vault
from issuance_server.verify.check import PublishedKeys
from issuance_server.verify.config import read_trust
from printing.paper.fonts import Fonts

#: What keeps an audit from beginning; each message names a file and what is wrong with it.
CANNOT_AUDIT = (ConfigError, KeysError, SchemaMismatch)


class _Summary(msgspec.Struct, frozen=True):
    """The last line. last: the order that was audited last, for `--after`; complete: nothing is left after it.

    other_build: papers of another build, whose bytes' hash could not be compared.
    """

    orders: int
    papers: int
    other_build: int
    findings: int
    faults: dict[str, int]
    last: str
    complete: bool


class Auditing:
    """One run over the ledger of a server. Errors of the constructor: CANNOT_AUDIT."""

    def __init__(
        self,
        config_file: Path,
        *,
        published: Path | None = None,
        municipality_code: str | None = None,
        since_jst: date | None = None,
        after: str = "",
    ) -> None:
        config = load(config_file.absolute())
        keys = Keys.load(config.keys_folder)
        trust = keys.trust() if published is None else read_trust(published)
        engine = open_engine(config.database_url, read_only=True)
        require_schema(engine)
        self._engine = engine
        self._audit = PaperAudit(
            engine=engine,
            vault=Vault(keys.vault),
            fonts=Fonts.load(addon=config.addon_font),
            published=PublishedKeys(trust.seal_keys),
            check=keys.check,
        )
        self._municipality_code = municipality_code
        self._since_jst = since_jst
        self._after = after
        self.exit_code = 1  # until it is known that all is right

    def lines(self) -> Iterator[str]:
        """Yield what is found, and the summary; Ctrl-C ends it with the summary of what was seen."""
        code, _, order_id = self._after.partition("/")
        orders = papers = other_build = 0
        faults: Counter[str] = Counter()
        last, complete = self._after, False
        try:
            for audited in self._audit.papers(
                municipality_code=self._municipality_code, since_jst=self._since_jst, after=(code, order_id)
            ):
                orders += 1
                papers += audited.paper
                other_build += audited.other_build
                faults.update(found.fault.value for found in audited.found)
                yield from audited.lines()
                last = f"{audited.municipality_code}/{audited.order_id}"
            complete = True
        except KeyboardInterrupt:
            pass
        finally:
            self._engine.dispose()
        self.exit_code = 0 if complete and not faults else 1
        summary = _Summary(orders, papers, other_build, faults.total(), dict(sorted(faults.items())), last, complete)
        yield msgspec.json.encode(summary).decode()
