"""Render the same certificates with this engine and with others, in one run: `python -m tests.benches.render`.

The engines take turns; each turn is a few certificates, other ones each time, after a warm-up and with the garbage
collected. Prints a table, one JSON line an engine, and a last line with the bars; exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pypdfium2 as pdfium

from printing.paper.certificates import render as render_certificate
from printing.paper.fonts import Fonts
from printing.paper.records import Issuance, ResidenceCertificate
from printing.paper.seal import SealSigner, content_of, sign
from tests.benches import fpdf2_peer, pikepdf_peer, reportlab_peer, typst_peer, weasyprint_peer
from tests.benches.content import ISSUANCE, Households, Page, one_page, recorded
from tests.benches.pictures import Judge, Verdict
from tests.benches.results import BURST, FULL, OURS, REPORTLAB, SLOW_BURST, TYPST, Result, bars, document, table
from tests.paper_samples import key_pair

DOCUMENT = Path(__file__).parents[2] / "docs" / "bench-render.md"
JUDGED = 3  # certificates of each engine that are looked at
MEMORY_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Job:
    """One certificate, prepared for every engine: what is not rendering is outside the time."""

    record: ResidenceCertificate
    issuance: Issuance
    seal_text: str
    page: Page


@dataclass(slots=True)
class Engine:
    """One engine and what was measured of it."""

    name: str
    draw: Callable[[Job], bytes]
    whole: bool = True  # it draws the one-page content and nothing else
    burst: int = BURST  # certificates a turn
    times_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    pages: int = 0


class Jobs:
    """Seeded certificates with real seals."""

    def __init__(self, fonts: Fonts, seed: int) -> None:
        self._fonts = fonts
        self._households = Households(seed)
        self._signer = SealSigner.from_pem("bench", key_pair()[0])
        self._count = 0

    def next(self) -> Job:
        """Return another certificate."""
        self._count += 1
        record = self._households.next()
        issuance = msgspec.structs.replace(ISSUANCE, issue_number=f"2026-{self._count:08}")
        salts = {"status_id": os.urandom(10), "binding": os.urandom(32), "salt": os.urandom(16)}
        seal_text = sign(content_of(record, issuance, **salts), self._signer)
        return Job(record, issuance, seal_text, recorded(self._fonts, record))


def engines(fonts: Fonts, form: Page) -> list[Engine]:
    """Return all engines, each set up as its documentation advises for speed."""

    def peer(draw: Callable[[Page], bytes]) -> Callable[[Job], bytes]:
        return lambda job: draw(job.page)

    return [
        Engine(OURS, lambda job: one_page(fonts, job.record)),
        Engine(FULL, lambda job: render_certificate(fonts, job.record, job.issuance, job.seal_text), whole=False),
        Engine(TYPST, peer(typst_peer.prepare(form))),
        Engine("pikepdf-overlay", peer(pikepdf_peer.prepare(form))),
        Engine(REPORTLAB, peer(reportlab_peer.prepare(form))),
        Engine("weasyprint", peer(weasyprint_peer.prepare(form)), burst=SLOW_BURST),
        Engine("fpdf2", peer(fpdf2_peer.prepare(form)), burst=SLOW_BURST),
    ]


def run(all_engines: list[Engine], jobs: Jobs, rounds: int) -> None:
    """Let the engines take turns: a warm-up, then the rounds, each begun by another engine."""
    for engine in all_engines:
        engine.draw(jobs.next())
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        first = number % len(all_engines)
        for engine in all_engines[first:] + all_engines[:first]:
            burst = [jobs.next() for _ in range(engine.burst)]
            gc.collect()
            for job in burst:
                started, cpu_started = time.perf_counter(), time.process_time()
                pdf = engine.draw(job)
                engine.times_ms.append((time.perf_counter() - started) * 1000)
                engine.cpu_ms.append((time.process_time() - cpu_started) * 1000)
                engine.sizes.append(len(pdf))


def look(all_engines: list[Engine], jobs: Jobs) -> None:
    """Let every engine draw the same certificates and judge what is seen on them."""
    judge = Judge()
    for job in [jobs.next() for _ in range(JUDGED)]:
        for engine in all_engines:
            pdf = engine.draw(job)
            engine.verdicts.append(judge.judge(pdf, job.page, whole=engine.whole))
            engine.pages = _pages(pdf)


def result(engine: Engine) -> Result:
    """Return an engine's line."""
    seen = engine.verdicts
    glyphs, right = sum(v.glyphs for v in seen), sum(v.glyphs_right for v in seen)
    names, extracted = sum(v.names for v in seen), sum(v.names_extracted for v in seen)
    return Result(
        engine=engine.name,
        ms_median=round(statistics.median(engine.times_ms), 2),
        ms_p10=round(statistics.quantiles(engine.times_ms, n=10)[0], 2),
        cpu_ms_median=round(statistics.median(engine.cpu_ms), 2),
        kib=round(statistics.median(engine.sizes) / 1024, 1),
        pages=engine.pages,
        glyphs_right=glyphs == right,
        text_right=names == extracted,
        glyphs=f"{right}/{glyphs}",
        names=f"{extracted}/{names}",
        lines=f"{sum(v.lines_right for v in seen)}/{sum(v.lines for v in seen)}",
        page_difference=round(max(v.page_difference for v in seen), 3),
    )


def measured_memory(count: int, seed: int) -> dict[str, float]:
    """Run the memory bench in a process of its own, where no other engine is loaded."""
    command = [sys.executable, "-m", "tests.benches.memory", "--count", str(count), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MEMORY_TIMEOUT_S, check=False)
    if not done.stdout:
        raise RuntimeError(f"the memory bench ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])["memory"]
    return found


def _pages(pdf: bytes) -> int:
    opened = pdfium.PdfDocument(pdf)
    try:
        return len(opened)
    finally:
        opened.close()


def main() -> int:
    """Run the bench; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--memory", type=int, default=0, metavar="CERTIFICATES", help="also measure a worker's memory")
    parser.add_argument("--write", action="store_true", help=f"write docs/{DOCUMENT.name}")
    options = parser.parse_args()
    fonts = Fonts.load()
    jobs = Jobs(fonts, options.seed)
    all_engines = engines(fonts, jobs.next().page)
    run(all_engines, jobs, options.rounds)
    look(all_engines, jobs)
    results = [result(engine) for engine in all_engines]
    print("\n".join(table(results)))
    for line in results:
        print(json.dumps(msgspec.to_builtins(line)))
    memory = measured_memory(options.memory, options.seed) if options.memory else None
    if memory is not None:
        print(json.dumps({"memory": memory}))
    reached = bars(results, memory)
    print(json.dumps({"bars": reached}))
    if options.write:
        DOCUMENT.write_text(document(results, reached, memory, options.seed, options.rounds), "utf-8")
    return 0 if all(bar["reached"] for bar in reached.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
