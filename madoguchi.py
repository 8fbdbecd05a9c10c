"""The command line: puts the other parts' commands together, and nothing else."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import get_args

import click
import msgspec

from deploy.demo import known_cards
from deploy.demo.bring_up import CHECK_ALARMS, CURRENT, PUBLISHED_KEYS, Cash, bring_up
from deploy.demo.once import EXIT_CODES, print_facts, run_once
from deploy.demo.processes import PartFailed
from deploy.demo.s1 import run_s1
from deploy.demo.town import DEFAULT_RESIDENTS, SMALLEST
from deploy.demo.town_store import DatabaseKind
from deploy.demo.visit_file import VisitFile, VisitFileError, read_visit
from issuance_server import audit_log_command, beat, restore_command, seal_keys, stops_command, terminals_command
from issuance_server.audit_command import CANNOT_AUDIT, Auditing
from issuance_server.cases_command import CANNOT_TELL, DECISIONS, SIDES, CaseDesk
from issuance_server.command_parts import config_option, said_in_a_line
from issuance_server.findings import Decision, Finding, Side
from issuance_server.key_files import KeysError
from issuance_server.publishing import publish
from issuance_server.restores import GAP
from issuance_server.rules import JST, utc_now
from issuance_server.tokens import TokenUnavailable
from issuance_server.verify.alarms import AlarmBook
from issuance_server.verify.command import CannotCheck, verify_file
from printing.paper import calibration
from printing.paper.errors import FontMissing
from printing.paper.fonts import Fonts
from terminal import enrol_command

# Set even where a shell had SIGINT ignored, as it does for what a script starts in the background.
TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

residents_option = click.option(
    "--residents",
    default=DEFAULT_RESIDENTS,
    show_default=True,
    type=click.IntRange(min=SMALLEST),
    help="How many people live in the town.",
)
run_option = click.option(
    "--run",
    default=CURRENT,
    type=click.Path(path_type=Path),
    help="The town's run folder; the one that was brought up last if not named.",
)
seed_option = click.option("--seed", default=1, show_default=True, help="Another seed, another town.")
cash_option = click.option(
    "--cash",
    default="socket",
    show_default=True,
    type=click.Choice(get_args(Cash)),
    help="The money devices: one simulated unit, or simulated devices on a real ccTalk line.",
)
keys_option = click.option(
    "--keys", "keys_folder", required=True, type=click.Path(path_type=Path), help="The server's folder of keys."
)
database_option = click.option(
    "--database",
    default=DatabaseKind.SQLITE.value,
    show_default=True,
    type=click.Choice(DatabaseKind, case_sensitive=False),
    help="What the servers keep their books in: sqlite with one of them, postgresql with two.",
)
from_option = click.option(
    "--from", "from_jst", required=True, type=click.DateTime(["%Y-%m-%d"]), help="A date in Japan, as on papers."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def main() -> None:
    """Madoguchi: the municipal counter at every convenience store."""


@main.group()
def town() -> None:
    """A whole invented town on this machine: card, server, coins, printer."""
    for told in TO_END:
        if told != signal.SIGHUP or signal.getsignal(told) != signal.SIG_IGN:  # under nohup it outlives the window
            signal.signal(told, _end_once)


@town.command("demo")
@residents_option
@seed_option
@database_option
@cash_option
def town_demo(residents: int, seed: int, database: DatabaseKind, cash: Cash) -> None:
    """Bring the town up for a person with a browser, and stay. Example: madoguchi town demo"""
    _stay(residents, seed, database, cash, for_people=True)


@town.command("up")
@residents_option
@seed_option
@database_option
@cash_option
def town_up(residents: int, seed: int, database: DatabaseKind, cash: Cash) -> None:
    """Bring the town up for programs: one JSON line of where everything is. Example: madoguchi town up"""
    _stay(residents, seed, database, cash, for_people=False)


@town.command("once")
@residents_option
@seed_option
@database_option
@cash_option
@click.option("--visit", "visit_path", type=click.Path(path_type=Path), help="A visit told in JSON.")
def town_once(residents: int, seed: int, database: DatabaseKind, cash: Cash, visit_path: Path | None) -> None:
    """One visit from card to paper, then stop everything. Example: madoguchi town once --visit visit.json"""
    try:
        asked = read_visit(visit_path) if visit_path else VisitFile()
    except VisitFileError as error:
        raise click.ClickException(str(error)) from error
    try:
        end, line = run_once(asked, seed=seed, residents=residents, database=database, cash=cash)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; the town is down") from None
    click.echo(msgspec.json.encode(line).decode())
    sys.exit(EXIT_CODES[end])


@town.command("s1")
@residents_option
@seed_option
@database_option
@click.option("--visits", default=200, show_default=True, type=click.IntRange(min=1), help="Visits in all.")
def town_s1(residents: int, seed: int, database: DatabaseKind, visits: int) -> None:
    """Many visits on four terminals at once: every paper is its own card's. Example: madoguchi town s1 --visits 40"""
    line = run_s1(visits, seed=seed, residents=residents, database=database)
    click.echo(msgspec.json.encode(line).decode())
    sys.exit(0 if not line["wrong"] else 1)


@main.group()
def trust() -> None:
    """The card authorities that a demo town trusts."""


@trust.command("add")
@click.argument("certificate", type=click.Path(path_type=Path))
@run_option
def trust_add(certificate: Path, run: Path) -> None:
    """Trust the authority in CERTIFICATE in the town that was brought up last. Example: madoguchi trust add CA.pem"""
    try:
        click.echo(f"trusted: {known_cards.add_anchor(certificate, run)}")
    except known_cards.CannotAdd as error:
        raise click.ClickException(str(error)) from error


@main.group()
def link() -> None:
    """Whose card is whose in a demo town."""


@link.command("add")
@click.option("--certificate", required=True, type=click.Path(path_type=Path), help="The card's certificate.")
@click.option("--resident", required=True, help="A resident of the town.")
@run_option
def link_add(certificate: Path, resident: str, run: Path) -> None:
    """Link a card to a resident. Example: madoguchi link add --certificate CERT.pem --resident u-000001"""
    try:
        municipality = known_cards.add_link(certificate, resident, run)
    except known_cards.CannotAdd as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"linked: {resident} of {municipality}")


@main.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--keys",
    default=CURRENT / PUBLISHED_KEYS,
    type=click.Path(path_type=Path),
    help="The published keys; those of the town that was brought up last if not named.",
)
@click.option("--server", help="The check's address, to ask for the status too. Without it nothing is sent.")
@click.option("--json", "as_json", is_flag=True, help="One line for programs.")
def verify(file: Path, keys: Path, server: str | None, *, as_json: bool) -> None:
    """Check a certificate in FILE, a PDF or a picture. Example: madoguchi verify paper.pdf

    Exit codes: 0 it holds, 1 it proves nothing (forged, not issued, altered), 3 printing is not confirmed yet, 4 void,
    5 no code that could be read, 6 the signature holds and the named server did not answer.
    """
    try:
        verified = verify_file(file, keys, server)
    except CannotCheck as error:
        raise click.UsageError(str(error)) from error
    click.echo(verified.as_json() if as_json else verified.as_text())
    sys.exit(verified.exit_code)


@main.command("alarms")
@click.argument("file", default=CURRENT / CHECK_ALARMS, type=click.Path(path_type=Path))
def alarms(file: Path) -> None:
    """Show the alarms of the receivers' check: valid seals that no ledger knows. Example: madoguchi alarms FILE

    Exit codes: 0 there are none, 1 there are some: a key may be stolen.
    """
    if not file.exists():
        click.echo(f"{file}: no such file; the check makes it with its first alarm", err=True)
        return
    book = AlarmBook(file)
    found = book.all()
    book.close()
    for alarm in found:
        click.echo(f"{alarm.minute_utc:%Y-%m-%dT%H:%MZ} {alarm.municipality_code} key {alarm.key_id}: {alarm.seen}")
    sys.exit(1 if found else 0)


@main.group()
def keys() -> None:
    """The keys behind the seals on papers: which, since when, and what is published of them."""


@keys.command("list")
@keys_option
def keys_list(keys_folder: Path) -> None:
    """Show every seal key, retired ones too. Example: madoguchi keys list --keys FOLDER"""
    with said_in_a_line(KeysError):
        for line in seal_keys.lines(seal_keys.read_register(keys_folder), _today_jst()):
            click.echo(line)


@keys.command("rotate")
@keys_option
@click.option("--municipality", required=True, help="Its code of six digits.")
@from_option
@click.option("--token", help="A token of tokens.toml to make the key in; a file if not named.")
@click.option("--name", default="", help="The municipality's name for people; its last key's if not named.")
@click.option("--at-once", is_flag=True, help="It may begin today: terminals without it go out of service.")
def keys_rotate(
    keys_folder: Path, municipality: str, from_jst: datetime, token: str | None, name: str, *, at_once: bool
) -> None:
    """Make a municipality's next seal key, which begins on a date; the one before ends the day before.

    Publish it to terminals and receivers before that date. Example: madoguchi keys rotate --keys FOLDER --municipality
    999993 --from 2027-04-01
    """
    with said_in_a_line(KeysError, TokenUnavailable):
        made = seal_keys.rotate(
            keys_folder,
            municipality,
            from_jst=from_jst.date(),
            today_jst=_today_jst(),
            token_name=token,
            municipality_name=name,
            at_once=at_once,
        )
    click.echo(f"made: {made.key_id}, for papers from {made.sealed_from_jst} on")


@keys.command("revoke")
@keys_option
@click.argument("key_id")
@from_option
def keys_revoke(keys_folder: Path, key_id: str, from_jst: datetime) -> None:
    """Take a leaked key out of force from a date on.

    Example: madoguchi keys revoke --keys FOLDER ID --from 2027-04-01

    Without another key from that date on, made by rotate, the municipality can seal nothing any more.
    """
    with said_in_a_line(KeysError):
        revoked = seal_keys.revoke(keys_folder, key_id, from_jst=from_jst.date())
    click.echo(f"revoked: {revoked.key_id}, for papers from {revoked.revoked_from_jst} on; rotate and publish now")


@keys.command("publish")
@keys_option
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The trust file to write.")
def keys_publish(keys_folder: Path, to: Path) -> None:
    """Write the public keys that terminals pin and receivers check with. Example: madoguchi keys publish --keys FOLDER
    --to trust.json
    """
    with said_in_a_line(KeysError):
        published = publish(keys_folder, to)
    click.echo(f"published: {len(published.seal_keys)} seal keys")


@main.group()
def audit() -> None:
    """The independent re-check of what was issued."""


@audit.command("papers")
@click.option("--config", required=True, type=click.Path(path_type=Path), help="The issuing server's configuration.")
@click.option("--published", type=click.Path(path_type=Path), help="The trust file; what the keys say if not named.")
@click.option("--municipality", help="Only this one, by its code of six digits.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only what was ordered on this date or later.")
@click.option("--after", default="", help="Go on after the order that an audit's summary names as `last`.")
def audit_papers(
    config: Path, published: Path | None, municipality: str | None, since: datetime | None, after: str
) -> None:
    """Make every paper that is still held again, and compare it with what was issued. It reads only.

    One line a finding, then one JSON line. Exit codes: 0 all is right, 1 something is not. Example: madoguchi audit
    papers --config server.toml --since 2027-04-01
    """
    with said_in_a_line(*CANNOT_AUDIT):
        auditing = Auditing(
            config,
            published=published,
            municipality_code=municipality,
            since_jst=None if since is None else since.date(),
            after=after,
        )
    for line in auditing.lines():
        click.echo(line)
    sys.exit(auditing.exit_code)


@main.command("backup")
@config_option
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The file to write; it must be new.")
def backup(config: Path, to: Path) -> None:
    """Copy the server's database while it is in use, and let terminals know what the copy has.

    A PostgreSQL is dumped by pg_dump, and pg_restore reads it. Example: madoguchi backup --config server.toml --to
    monday.db
    """
    with said_in_a_line(*restore_command.CANNOT):
        restore_command.back_up(config, to)
    click.echo(f"backed up: {to}")


@main.command("restored")
@config_option
@click.option(
    "--gap", default=GAP, show_default=True, type=click.IntRange(min=1), help="Issue numbers to leave out at the least."
)
def restored(config: Path, gap: int) -> None:
    """Say that the server's database was restored from a backup, before the server is started.

    Nothing is issued until every terminal has told again what the backup lacks. Example: madoguchi restored --config
    server.toml
    """
    with said_in_a_line(*restore_command.CANNOT):
        missing = restore_command.declare(config, gap)
    click.echo(f"issuing waits for {len(missing)} terminals: {' '.join(missing) or 'none'}")


@main.command("waive-restore")
@config_option
@click.option("--officer", "officers", required=True, multiple=True, help="Who answers for it; two, each by name.")
def waive_restore(config: Path, officers: tuple[str, ...]) -> None:
    """Issue again without the terminals that have not told what they have; two officers answer for it.

    Example: madoguchi waive-restore --config server.toml --officer "A" --officer "B"
    """
    if len(officers) != 2:
        raise click.UsageError("--officer: two people, each by name")
    with said_in_a_line(*restore_command.CANNOT):
        missing = restore_command.waive(config, (officers[0], officers[1]))
    click.echo(f"issuing goes on without {len(missing)} terminals: {' '.join(missing) or 'none'}")


main.add_command(stops_command.group)
main.add_command(beat.command)
main.add_command(terminals_command.group)
main.add_command(enrol_command.group)
audit.add_command(audit_log_command.verify)
audit.add_command(audit_log_command.checkpoint)


def _today_jst() -> date:
    return utc_now().astimezone(JST).date()


@main.group()
def cases() -> None:
    """What is in doubt and waits for somebody to look: list, show, and say what was found."""


at_option = click.option("--municipality", required=True, help="Whose case it is, by its code of six digits.")


@cases.command("list")
@config_option
@click.option("--municipality", help="Only this one, by its code of six digits.")
@click.option("--ended", is_flag=True, help="Those that were closed, too.")
def cases_list(config: Path, municipality: str | None, ended: bool) -> None:
    """The open cases, a line each, the oldest first. Example: madoguchi cases list --config server.toml"""
    with _case_desk(config) as desk:
        for line in desk.listed(ended_too=ended, municipality_code=municipality):
            click.echo(line)


@cases.command("show")
@config_option
@at_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.argument("case_id")
def cases_show(config: Path, municipality: str, as_json: bool, case_id: str) -> None:
    """What the terminal told beside what the books say. Example: madoguchi cases show --config server.toml
    --municipality 990001 UNKNOWN:0123456789abcdef0123456789abcdef
    """
    with _case_desk(config) as desk:
        for line in desk.shown(municipality, case_id, as_json=as_json):
            click.echo(line)


@cases.command("found")
@config_option
@at_option
@click.option("--side", required=True, type=click.Choice(SIDES), help="For whom you speak.")
@click.option("--by", "person", required=True, help="Who found it: your staff id.")
@click.option(
    "--decision",
    type=click.Choice(DECISIONS),
    help="Of money that waits: pay it, it was paid, it was never taken, or let it go.",
)
@click.option("--words", required=True, help="What was found. Sheets, money, numbers: nothing of a resident.")
@click.argument("case_id")
def cases_found(config: Path, municipality: str, case_id: str, decision: str | None, **told: str) -> None:
    """Say what was found. One person of the operator and one of the municipality close a case together."""
    with _case_desk(config) as desk:
        decided = None if decision is None else Decision(decision)
        finding = Finding(Side(told["side"]), told["person"], told["words"], decided)
        click.echo(desk.found(municipality, case_id, finding))


@contextmanager
def _case_desk(config: Path) -> Iterator[CaseDesk]:
    with said_in_a_line(*CANNOT_TELL):
        desk = CaseDesk(config)
        try:
            yield desk
        finally:
            desk.close()


@main.group()
def paper() -> None:
    """Papers that belong to no visit."""


@paper.command("calibration")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The PDF to write.")
def paper_calibration(out: Path) -> None:
    """The page by which a printing model is set. Example: madoguchi paper calibration --out calibration.pdf"""
    try:
        out.write_bytes(calibration.render(Fonts.load()))
    except (FontMissing, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out}: print it at 100 %, and do as it says")


def _end_once(*_: object) -> None:
    """Take the town down as by Ctrl-C. Told again meanwhile, go on with it: half taken down, parts would stay."""
    for told in TO_END:
        signal.signal(told, signal.SIG_IGN)
    raise KeyboardInterrupt


def _stay(residents: int, seed: int, database: DatabaseKind, cash: Cash, *, for_people: bool) -> None:
    try:
        with bring_up(seed=seed, residents=residents, database=database, cash=cash) as running:
            if for_people:
                facts = running.facts()
                click.echo(
                    f"The town is up.\n\n  Kiosk and dock   {facts['dock']}\n  Kiosk alone      {facts['kiosk']}"
                )
                click.echo(f"  Check a paper    {facts['check']}")
                click.echo(f"  Papers           {facts['printer_output']}\n\nCtrl-C ends it.")
            else:
                print_facts(running)
            threading.Event().wait()
    except PartFailed as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\nThe town is down.", err=True)


if __name__ == "__main__":
    main()
