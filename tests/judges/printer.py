"""Let every fault of a printer happen on real parts, and judge the press's verdicts: `python -m tests.judges.printer`.

The last line is one JSON object; the exit code is 1 if any verdict, count, payment or leftover was wrong.
"""

from __future__ import annotations

import json
import sys

import click

from tests.press_parts import memory_folder
from tests.printer_scenarios import SCENARIOS
from tests.printer_world import Played, counted, play


@click.command()
@click.option("--only", help="the name of one scenario")
def main(only: str | None) -> None:
    """Play the scenarios one after another."""
    chosen = [scenario for scenario in SCENARIOS if only in {None, "", scenario.name}]
    if not chosen:
        raise click.BadParameter(f"there is no scenario {only!r}")
    played: list[Played] = []
    for scenario in chosen:
        with memory_folder() as folder:
            played.append(play(scenario, folder))
        _tell(played[-1])
    told = counted(played)
    click.echo(json.dumps(told))
    sys.exit(1 if told["wrong"] else 0)


def _tell(played: Played) -> None:
    verdict = played.verdict
    mark = "WRONG" if played.wrong else "ok"
    click.echo(f"{mark:5} {played.scenario.name:36} {verdict.outcome:8} {played.seconds:5.1f} s  {verdict.why}")
    for wrong in played.wrong:
        click.echo(f"      {wrong}")


if __name__ == "__main__":
    main()
