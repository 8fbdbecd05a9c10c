"""Let every fault of a printer happen on real parts, and judge the press's verdicts: `python -m tests.judges.printer`.

The last line is one JSON object; the exit code is 1 if any verdict, count, payment or leftover was wrong.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import click

from printing.press.verdict import Outcome
from tests.press_parts import memory_folder
from tests.printer_scenarios import SCENARIOS
from tests.printer_world import Played, Scenario, counted, play

HEAD: Final = """\
# What can happen to a job at the printer, and how it must end

Played by `make printer-scenarios` on real parts: a private cupsd with its ipp backend, the project's virtual printer,
and the press in its worker. The virtual printer's own record of its sheets is the judge. After every scenario all is
made good (paper loaded, jam cleared, cover closed, panel released); then no sheet more may come out, nothing may be
left in the spool or in a queue, and the next visit may begin. Three sheets are printed unless a row says otherwise.
Written by `make printer-scenarios WRITE=1`; a test holds it to the table in the code.

"""
DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "printer-scenarios.md"


@click.command()
@click.option("--only", default="", help="the name of one scenario, or how several begin")
@click.option("--jobs", default=2, show_default=True, help="how many are played side by side: most of them wait")
@click.option("--write", is_flag=True, help="only write docs/printer-scenarios.md")
def main(only: str, jobs: int, *, write: bool) -> None:
    """Play the scenarios."""
    if write:
        DOCUMENT.write_text(table_in_words(), encoding="utf-8")
        return
    chosen = [scenario for scenario in SCENARIOS if scenario.name == only]
    chosen = chosen or [scenario for scenario in SCENARIOS if scenario.name.startswith(only)]
    if not chosen:
        raise click.BadParameter(f"there is no scenario {only!r}")
    played: list[Played] = []
    # Each in a process's main thread: the parts are bound to the thread that starts them.
    with ProcessPoolExecutor(min(jobs, len(chosen)), get_context("spawn")) as pool:
        for end in pool.map(_play, [scenario.name for scenario in chosen]):
            played.append(end)
            _tell(end)
    told = counted(played)
    click.echo(json.dumps(told))
    sys.exit(1 if told["wrong"] else 0)


def table_in_words() -> str:
    """Return docs/printer-scenarios.md."""
    rows = [(s.name, s.story, _end_in_words(s)) for s in SCENARIOS]
    lines = ["| scenario | what happens | the one right end |", "|---|---|---|"]
    lines += [f"| {name} | {story} | {end} |" for name, story, end in rows]
    return HEAD + "\n".join(lines) + "\n"


def _end_in_words(scenario: Scenario) -> str:
    match scenario.expected:
        case Outcome.PARTIAL:
            return f"**partial**, {scenario.sheets_out} of {scenario.sheets}: void, money back, staff"
        case Outcome.UNKNOWN:
            return f"**unknown**: {scenario.evidence_gone}"
        case Outcome.FAILED:
            return "**failed**: money back"
        case _:
            return "**printed**: the fee is taken"


def _play(name: str) -> Played:
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    with memory_folder() as folder:
        return play(scenario, folder)


def _tell(played: Played) -> None:
    verdict = played.verdict
    mark = "WRONG" if played.wrong else "ok"
    click.echo(f"{mark:5} {played.name:36} {verdict.outcome:8} {played.seconds:5.1f} s  {verdict.why}")
    for wrong in played.wrong:
        click.echo(f"      {wrong}")


if __name__ == "__main__":
    main()
