"""A worker's private memory over many certificates: `python -m tests.benches.memory --count 10000`.

Fonts and templates are loaded, then a child is forked, as gunicorn does with its workers; the child renders and tells
what it holds for itself alone (Private_Clean + Private_Dirty of /proc/self/smaps_rollup).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from printing.paper.certificates import render
from printing.paper.fonts import Fonts
from printing.paper.records import Certificate, ResidenceCertificate
from printing.paper.seal import SealSigner, content_of, sign
from tests.benches.content import ISSUANCE, Households
from tests.paper_samples import TAXED, key_pair
from tests.paper_samples_more import INCOME, LIVED, PAYMENT, SEALED, STATED_JAPANESE, stated, supplementary

#: The limits: at the end, and from the middle to the end. A heap's fragments come and go; a leak of 0.1 KiB a
#: certificate would be 0.5 MB over 5,000.
END_MAX_MB = 80.0
GROWTH_MAX_MB = 0.5
CHECKPOINTS = (0.1, 0.2, 0.5, 1.0)

replace = msgspec.structs.replace


def mixed(seed: int) -> Iterator[Certificate]:
    """Yield certificates of mixed kinds without end, no two alike."""
    households = Households(seed)
    while True:
        household = households.next()
        yield household
        first, second, *_rest = household.people
        yield _smaller(household)
        yield replace(TAXED, name=first.name)
        yield replace(INCOME, name=second.name)
        yield replace(PAYMENT, name=first.name)
        yield replace(SEALED, name=first.name)
        yield stated(replace(STATED_JAPANESE, name=second.name))
        yield supplementary(replace(LIVED, name=first.name), replace(LIVED, name=second.name))


def _smaller(household: ResidenceCertificate) -> ResidenceCertificate:
    return replace(household, whole_household=False, people=household.people[1:3])


def private_mb() -> float:
    """Return this process's private memory."""
    sizes = dict(line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()[1:])
    return sum(int(sizes[name].split()[0]) for name in ("Private_Clean", "Private_Dirty")) / 1024


def measure(fonts: Fonts, count: int, seed: int) -> dict[str, float]:
    """Render in this process and return private MB by the number of certificates, and the growth of the last half."""
    signer = SealSigner.from_pem("bench", key_pair()[0])
    certificates = mixed(seed)
    found: dict[str, float] = {}
    checkpoints = [round(count * share) for share in CHECKPOINTS]
    for number in range(1, count + 1):
        record = next(certificates)
        issuance = replace(ISSUANCE, issue_number=f"2026-{number:08}")
        content = content_of(record, issuance, status_id=os.urandom(10), binding=os.urandom(32), salt=os.urandom(16))
        render(fonts, record, issuance, sign(content, signer))
        if number in checkpoints:
            gc.collect()
            found[f"after_{number}_mb"] = round(private_mb(), 1)
    end_mb, middle_mb = found[f"after_{checkpoints[-1]}_mb"], found[f"after_{checkpoints[-2]}_mb"]
    return {**found, "end_mb": end_mb, "growth_mb": round(end_mb - middle_mb, 1)}


def in_child(count: int, seed: int) -> dict[str, float]:
    """Load, fork, and return what the child measured."""
    fonts = Fonts.load()
    next(mixed(seed))  # what is loaded at first use belongs to the parent, as after a preload
    gc.freeze()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w", encoding="ascii") as out:
                json.dump(measure(fonts, count, seed), out)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="ascii") as answer:
        text = answer.read()
    _pid, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError(f"the child ended with {os.waitstatus_to_exitcode(status)}")
    found: dict[str, float] = json.loads(text)
    return found


def main() -> int:
    """Print the memory as JSON; 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    found = in_child(options.count, options.seed)
    print(json.dumps({"memory": found}))
    return 0 if found["end_mb"] <= END_MAX_MB and found["growth_mb"] <= GROWTH_MAX_MB else 1


if __name__ == "__main__":
    sys.exit(main())
